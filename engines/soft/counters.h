/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine counts, by name ("Counters" in docs/soft-engine.md). */
#ifndef ENGINES_SOFT_COUNTERS_H
#define ENGINES_SOFT_COUNTERS_H

#include "base/types.h"

struct vcpu;
struct vm;

struct counter {
	const char *name;
	bool of_vm; /* one value per machine, given with vcpu NULL */
	u64 (*value)(const struct vm *vm, const struct vcpu *vcpu);
};

extern const struct counter soft__counters[];
extern const unsigned soft__nr_counters;

#endif
