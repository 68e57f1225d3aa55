/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of counters. Each is advanced by its vCPU's thread where it happens, without a lock, and
 * read by any thread.
 */
#include "engines/soft/counters.h"
#include "engines/soft/soft.h"

#define READ(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)

#define STATISTIC(member)                                                                          \
	static u64 get_##member(const struct vm *vm, const struct vcpu *vcpu)                      \
	{                                                                                          \
		return READ(vcpu->stats.member);                                                   \
	}
STATISTIC(code_builds)
STATISTIC(code_translations)
STATISTIC(code_entries)
STATISTIC(code_stale)
STATISTIC(tlb_misses)
STATISTIC(tlb_flushes)
STATISTIC(insns)
STATISTIC(exits)
STATISTIC(io_exits)
STATISTIC(mmio_exits)
STATISTIC(irq_injections)

#define SOFT(name, place)                                                                          \
	static u64 get_##name(const struct vm *vm, const struct vcpu *vcpu)                        \
	{                                                                                          \
		return READ(vcpu->soft->place);                                                    \
	}
SOFT(flushes, flushes)
SOFT(young_flushes, young_flushes)
SOFT(evictions, evictions)
SOFT(code_writes, code_writes)
SOFT(loop_versions, loop_versions)
SOFT(revivals, revivals)
SOFT(ways, ways)
SOFT(exit_event, exits[ENGINE_EXIT_EVENT])
SOFT(exit_io, exits[ENGINE_EXIT_IO])
SOFT(exit_halt, exits[ENGINE_EXIT_HALT])
SOFT(exit_shutdown, exits[ENGINE_EXIT_SHUTDOWN])
SOFT(exit_fail, exits[ENGINE_EXIT_FAIL])
SOFT(exit_window, exits[ENGINE_EXIT_WINDOW])
SOFT(exit_debug, exits[ENGINE_EXIT_DEBUG])

#define CHECKED(member)                                                                            \
	static u64 get_check_##member(const struct vm *vm, const struct vcpu *vcpu)                \
	{                                                                                          \
		return vcpu->soft->check ? READ(vcpu->soft->check->counts.member) : 0;             \
	}
CHECKED(blocks)
CHECKED(insns)
CHECKED(repeated)
CHECKED(skipped)
CHECKED(interpreted)
CHECKED(passed_over)

static u64 get_memory_blocks(const struct vm *vm, const struct vcpu *vcpu)
{
	return READ(vcpu->soft->cache.used) + READ(vcpu->soft->cache.young_used);
}

static u64 get_memory_code(const struct vm *vm, const struct vcpu *vcpu)
{
	return READ(vcpu->soft->area.used) + READ(vcpu->soft->area.cold) - SOFT_HOT_SIZE;
}

static u64 get_memory_faults(const struct vm *vm, const struct vcpu *vcpu)
{
	return READ(vcpu->soft->nr_faults) * sizeof(struct code_fault);
}

static u64 get_memory_held(const struct vm *vm, const struct vcpu *vcpu)
{
	return room__held(vcpu->soft);
}

static const struct room_bound *bound_of(const struct vm *vm)
{
	return &((const struct soft_vm *)vm->engine_vm)->room;
}

static u64 get_memory_bound(const struct vm *vm, const struct vcpu *vcpu)
{
	return bound_of(vm)->bound;
}

static u64 get_memory_peak(const struct vm *vm, const struct vcpu *vcpu)
{
	return READ(bound_of(vm)->peak);
}

#define ROW(name)                                                                                  \
	{                                                                                          \
		#name, false, get_##name                                                           \
	}

const struct counter soft__counters[] = {
	{ "memory_bound", true, get_memory_bound },
	{ "memory_peak", true, get_memory_peak },
	ROW(memory_held),
	ROW(memory_blocks),
	ROW(memory_code),
	ROW(memory_faults),
	{ "blocks", false, get_code_builds },
	{ "translations", false, get_code_translations },
	{ "entries", false, get_code_entries },
	{ "insns_interpreted", false, get_insns },
	ROW(flushes),
	ROW(young_flushes),
	ROW(evictions),
	{ "invalidations", false, get_code_stale },
	ROW(revivals),
	ROW(code_writes),
	ROW(loop_versions),
	ROW(ways),
	ROW(tlb_misses),
	ROW(tlb_flushes),
	ROW(exits),
	ROW(exit_event),
	ROW(exit_io),
	ROW(exit_halt),
	ROW(exit_shutdown),
	ROW(exit_fail),
	ROW(exit_window),
	ROW(exit_debug),
	{ "port_exits", false, get_io_exits },
	ROW(mmio_exits),
	ROW(irq_injections),
	ROW(check_blocks),
	ROW(check_insns),
	ROW(check_repeated),
	ROW(check_skipped),
	ROW(check_interpreted),
	ROW(check_passed_over),
};

const unsigned soft__nr_counters = ARRAY_LENGTH(soft__counters);
