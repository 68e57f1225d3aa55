/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One machine with two vCPUs and 64 KiB of memory, and stand-ins for all that core/x86 calls. */
#ifndef TESTS_UNIT_X86_FAKES_H
#define TESTS_UNIT_X86_FAKES_H

#include "core/vm/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FAKE_MEMORY 0x10000

extern struct vm fake_vm;
extern struct vcpu fake_vcpu[2];
extern u8 fake_memory[FAKE_MEMORY];

/* What the code under test has done. */
struct fake_log {
	unsigned flush_all, flush_non_global, mode_changed, pdptes_loaded;
	u64 requests[2];
};
extern struct fake_log fake_log;

/* What it is told. */
extern bool fake_pdptes_bad;
extern u64 fake_monotonic_ns, fake_realtime_ns, fake_wait_ns;
extern u32 fake_khz;
extern u64 fake_apic_base;
extern s64 fake_ipi_result;
extern u64 fake_ipi[4];

/* Everything at reset state. A cmocka set-up function. */
int fake__setup(void **state);
int fake__teardown(void **state);

#endif
