/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's paravirtual interface to guests: CPUID leaves, MSRs, hypercalls and shared pages
 * (linux-doc: virt/kvm/x86/cpuid.rst, msr.rst, hypercalls.rst).
 */
#ifndef X86_KVM_PARA_H
#define X86_KVM_PARA_H

#include "base/types.h"

#define KVM_CPUID_SIGNATURE 0x40000000
#define KVM_CPUID_FEATURES 0x40000001

/* Bits of leaf 40000001H EAX. */
#define KVM_FEATURE_CLOCKSOURCE 0
#define KVM_FEATURE_NOP_IO_DELAY 1
#define KVM_FEATURE_CLOCKSOURCE2 3
#define KVM_FEATURE_STEAL_TIME 5
#define KVM_FEATURE_PV_EOI 6
#define KVM_FEATURE_PV_UNHALT 7
#define KVM_FEATURE_PV_TLB_FLUSH 9
#define KVM_FEATURE_PV_SEND_IPI 11
#define KVM_FEATURE_POLL_CONTROL 12
#define KVM_FEATURE_PV_SCHED_YIELD 13
#define KVM_FEATURE_MSI_EXT_DEST_ID 15
#define KVM_FEATURE_CLOCKSOURCE_STABLE_BIT 24

#define MSR_KVM_WALL_CLOCK 0x11
#define MSR_KVM_SYSTEM_TIME 0x12
#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01
#define MSR_KVM_ASYNC_PF_EN 0x4b564d02
#define MSR_KVM_STEAL_TIME 0x4b564d03
#define MSR_KVM_PV_EOI_EN 0x4b564d04
#define MSR_KVM_POLL_CONTROL 0x4b564d05
#define MSR_KVM_ASYNC_PF_INT 0x4b564d06
#define MSR_KVM_ASYNC_PF_ACK 0x4b564d07
#define MSR_KVM_MIGRATION_CONTROL 0x4b564d08

#define KVM_MSR_ENABLED 1

#define KVM_HC_VAPIC_POLL_IRQ 1
#define KVM_HC_KICK_CPU 5
#define KVM_HC_CLOCK_PAIRING 9
#define KVM_HC_SEND_IPI 10
#define KVM_HC_SCHED_YIELD 11
#define KVM_HC_MAP_GPA_RANGE 12

#define KVM_ENOSYS 1000
#define KVM_EFAULT 14
#define KVM_EINVAL 22
#define KVM_EPERM 1
#define KVM_EOPNOTSUPP 95

/*
 * MSR_KVM_SYSTEM_TIME(_NEW): one per vCPU; version is odd while it is being written. A guest need
 * only align it to 4 bytes.
 */
struct pvclock_time {
	u32 version;
	u32 pad0;
	u64 tsc_timestamp;
	u64 system_time;
	u32 tsc_to_system_mul;
	s8 tsc_shift;
	u8 flags;
	u8 pad[2];
} __attribute__((packed, aligned(4)));

#define PVCLOCK_TSC_STABLE 1
#define PVCLOCK_GUEST_STOPPED 2

/* MSR_KVM_WALL_CLOCK(_NEW): real time when kvmclock read 0. */
struct pvclock_wall {
	u32 version;
	u32 sec;
	u32 nsec;
};

/* MSR_KVM_STEAL_TIME: 64 bytes, so aligned. */
struct pv_steal_time {
	u64 steal; /* ns */
	u32 version;
	u32 flags;
	u8 preempted;
	u8 pad8[3];
	u32 pad[11];
};

#define PV_STEAL_ALIGN_MASK 0x3eULL
#define PV_PREEMPTED 1
#define PV_FLUSH_TLB 2

/* KVM_HC_CLOCK_PAIRING. */
#define PV_CLOCK_PAIRING_WALLCLOCK 0
struct pv_clock_pairing {
	s64 sec;
	s64 nsec;
	u64 tsc;
	u32 flags;
	u32 pad[9];
};

_Static_assert(sizeof(struct pvclock_time) == 32, "layout shared with guests");
_Static_assert(sizeof(struct pv_steal_time) == 64, "layout shared with guests");
_Static_assert(sizeof(struct pv_clock_pairing) == 64, "layout shared with guests");

#endif
