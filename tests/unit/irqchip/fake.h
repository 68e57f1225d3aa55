/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine around the irqchip that the test controls: a clock that stands still until told,
 * timers, eventfds, 64 KiB of guest memory. Locks are checked: taking one twice fails the test.
 */
#ifndef TESTS_UNIT_IRQCHIP_FAKE_H
#define TESTS_UNIT_IRQCHIP_FAKE_H

#include "core/irqchip/chip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define FAKE_TSC_KHZ 2000000
#define FAKE_RAM 0x10000

extern u64 fake_now;
extern u8 fake_ram[FAKE_RAM];

/* A VM with an irqchip and this many vCPUs, IDs 0 up; x2APIC and TSC deadline in their CPUID. */
struct vm *fake__vm(unsigned vcpus);
/* The same with a split irqchip. */
struct vm *fake__split_vm(unsigned vcpus, u32 reserved);
struct vm *fake__bare_vm(void);
struct vcpu *fake__add_vcpu(struct vm *vm, u32 id);
void fake__free(struct vm *vm);

/* Lets time pass, running each timer at its deadline. */
void fake__advance(u64 ns);
/* Timers that are armed. */
unsigned fake__armed_timers(void);

/* Eventfds: descriptors 10 to 19. fake__signal() is what another process's write is. */
void fake__signal(int fd);
/* How often the irqchip signalled it; then 0 again. */
unsigned fake__take_signals(int fd);
unsigned fake__eventfd_refs(int fd);

/* Request bits of a vCPU since the last call. */
u64 fake__take_requests(struct vcpu *vcpu);

/* Shorthands of the registers. */
void fake__apic_write(struct vcpu *vcpu, unsigned reg, u32 value);
u32 fake__apic_read(struct vcpu *vcpu, unsigned reg);
/* Software-enables the APIC of each vCPU. */
void fake__enable_apics(struct vm *vm);
void fake__out(struct vcpu *vcpu, u16 port, u8 value);
u8 fake__in(struct vcpu *vcpu, u16 port);
void fake__set_redir(struct vcpu *vcpu, unsigned pin, u64 entry);
u64 fake__get_redir(struct vcpu *vcpu, unsigned pin);
/* KVM_IRQ_LINE_STATUS. */
int fake__line(struct vm *vm, u32 gsi, bool level);

#endif
