/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory a machine's vCPUs may keep for translation, together.
 *
 * Each vCPU's memory (decoded blocks, generated code, its list of faults) is address space of which a
 * part, its room, is used. Room grows in steps, each of which is taken from the machine's bound. When
 * nothing is left, a vCPU empties its cache; one that has less than its share asks those that have more
 * to give theirs back, too.
 */
#ifndef ENGINES_SOFT_ROOM_H
#define ENGINES_SOFT_ROOM_H

#include "base/types.h"

struct soft_vcpu;
struct vcpu;
struct vm;

enum room_kind { ROOM_BLOCKS, ROOM_YOUNG, ROOM_CODE, ROOM_COLD, ROOM_FAULTS, NR_ROOMS };

struct room {
	u8 *start;
	size_t size; /* bytes that may be used now */
	size_t most;
};

/* What a machine has given to its vCPUs. */
struct room_bound {
	u64 bound; /* bytes; atomic */
	bool is_asked_for; /* else it grows so that each vCPU has its first room */
	u64 used;  /* atomic */
	u64 peak;  /* atomic: the most that was ever used */
};

/* memory: the bound in bytes, or 0: SOFT_MEMORY, as nobody has asked for one. */
void room__init(struct room_bound *bound, u64 memory);

/* The first room of a vCPU, for what its rooms' `start` and `most` say. 0, or -ENOMEM: the bound is reached, and was asked for. */
int room__create(struct vcpu *vcpu);
void room__destroy(struct vcpu *vcpu);

/* Makes room of a kind for `size` bytes in all. false: what it is for must be emptied first. */
bool room__grow(struct vcpu *vcpu, enum room_kind kind, size_t size);
/* The vCPU's cache has been emptied: gives back what it has beyond its first room, if others may need it. */
void room__emptied(struct vcpu *vcpu);

/* Bytes that a vCPU has. */
u64 room__held(const struct soft_vcpu *soft);

#endif
