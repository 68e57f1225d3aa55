/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-kernel interrupt controllers: what the rest of the core calls. PIC pair (8259A), IOAPIC
 * (82093AA), PIT (8254), local APICs (xAPIC, x2APIC), GSI routing, MSI, irqfd, ioeventfd.
 */
#ifndef CORE_IRQCHIP_IRQCHIP_H
#define CORE_IRQCHIP_IRQCHIP_H

#include <linux/kvm.h>
#include "base/types.h"
#include "core/host.h"

struct vm;
struct vcpu;
struct irqchip;
struct lapic;

/* ---- the machine's part; callable from any thread ---- */

/* KVM_CREATE_IRQCHIP: PIC, IOAPIC, default routing. 0, -EEXIST, -EINVAL (vCPUs exist), -ENOMEM. */
int irqchip__create(struct vm *vm);
/* KVM_CAP_SPLIT_IRQCHIP with that many routing entries reserved for the user-space IOAPIC. */
int irqchip__create_split(struct vm *vm, u32 reserved);
/* Stops its timers and irqfds. Before the vCPUs go: timers deliver to them. */
void irqchip__destroy(struct vm *vm);
/* KVM_GET_IRQCHIP / KVM_SET_IRQCHIP. */
int irqchip__get(struct vm *vm, struct kvm_irqchip *chip);
int irqchip__set(struct vm *vm, const struct kvm_irqchip *chip);

/* KVM_CREATE_PIT2, KVM_GET_PIT2, KVM_SET_PIT2, KVM_REINJECT_CONTROL. */
int pit__create(struct vm *vm, const struct kvm_pit_config *config);
int pit__get(struct vm *vm, struct kvm_pit_state2 *state);
int pit__set(struct vm *vm, const struct kvm_pit_state2 *state);
int pit__set_reinject(struct vm *vm, bool reinject);

/* KVM_IRQ_LINE(_STATUS): 1 delivered, 0 coalesced, -1 masked in *status. 0 or -errno. */
int irqchip__line(struct vm *vm, u32 gsi, bool level, int *status);
/* KVM_SIGNAL_MSI: > 0 delivered, 0 blocked, or -errno. */
int irqchip__msi(struct vm *vm, const struct kvm_msi *msi);
/* KVM_SET_GSI_ROUTING: replaces the whole table. */
int irqchip__set_routing(struct vm *vm, const struct kvm_irq_routing_entry *entries, u32 count,
			 u32 flags);
/* KVM_IRQFD and KVM_IOEVENTFD (assign and deassign, resample, datamatch). */
int irqfd__configure(struct vm *vm, const struct kvm_irqfd *args);
int ioeventfd__configure(struct vm *vm, const struct kvm_ioeventfd *args);
void irqfd__release_all(struct vm *vm);
void ioeventfd__release_all(struct vm *vm);
/* KVM_REGISTER_COALESCED_MMIO zones. */
int coalesced__register(struct vm *vm, const struct kvm_coalesced_mmio_zone *zone);
int coalesced__unregister(struct vm *vm, const struct kvm_coalesced_mmio_zone *zone);

/* ---- accesses of a vCPU; owner thread; true if a device here took it ---- */

bool irqchip__port_read(struct vcpu *vcpu, u16 port, unsigned size, u32 *value);
bool irqchip__port_write(struct vcpu *vcpu, u16 port, unsigned size, u32 value);
/* LAPIC page (xAPIC mode, at the APIC base), IOAPIC. size 1 to 8. */
bool irqchip__mmio_read(struct vcpu *vcpu, u64 gpa, unsigned size, void *data);
bool irqchip__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data);
/* An ioeventfd (or coalesced zone) that matches the write. */
bool ioeventfd__port_write(struct vcpu *vcpu, u16 port, unsigned size, u32 value);
bool ioeventfd__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data);

/* ---- local APIC ---- */

int lapic__create(struct vcpu *vcpu);
void lapic__destroy(struct vcpu *vcpu);
void lapic__reset(struct vcpu *vcpu, bool init);

/*
 * Whether an interrupt for this vCPU is deliverable now as far as APIC and PIC priorities go (the
 * caller checks RFLAGS.IF and shadows). Any thread may call the first; the second takes the
 * interrupt (IRR to ISR, PIC INTA cycle) and returns its vector or -1; owner thread only.
 */
bool irqchip__has_interrupt(struct vcpu *vcpu);
int irqchip__take_interrupt(struct vcpu *vcpu);

/* INIT and SIPI that arrived (requests REQ_INIT, REQ_SIPI). True and the vector if a SIPI is due. */
bool lapic__take_init(struct vcpu *vcpu);
bool lapic__take_sipi(struct vcpu *vcpu, u8 *vector);

u64 lapic__get_base(struct vcpu *vcpu);		  /* MSR 1BH */
int lapic__set_base(struct vcpu *vcpu, u64 value); /* guest's WRMSR: 0, or 1: #GP */
/* KVM_SET_SREGS, KVM_SET_MSRS: any mode may follow any other. 0, or 1: invalid. */
int lapic__set_base_host(struct vcpu *vcpu, u64 value);
u64 lapic__get_tpr(struct vcpu *vcpu);		  /* CR8: bits 3:0 */
void lapic__set_tpr(struct vcpu *vcpu, u64 cr8);
/* x2APIC MSRs 800H-8FFH. 0, or 1: #GP. */
int lapic__read_msr(struct vcpu *vcpu, u32 msr, u64 *value);
int lapic__write_msr(struct vcpu *vcpu, u32 msr, u64 value);
/* TSC-deadline timer, MSR 6E0H. */
u64 lapic__get_deadline(struct vcpu *vcpu);
void lapic__set_deadline(struct vcpu *vcpu, u64 tsc);
/* PV EOI (MSR 4b564d04): 0, or 1: #GP. */
int lapic__set_pv_eoi(struct vcpu *vcpu, u64 value);
u64 lapic__get_pv_eoi(struct vcpu *vcpu);
/* Before entering guest code: sync PV EOI and the like. Owner thread. */
void lapic__before_entry(struct vcpu *vcpu);

/* KVM_GET_LAPIC / KVM_SET_LAPIC. */
int lapic__get_state(struct vcpu *vcpu, struct kvm_lapic_state *state);
int lapic__set_state(struct vcpu *vcpu, const struct kvm_lapic_state *state);

/* KVM_HC_SEND_IPI: number of vCPUs reached, or -KVM_EINVAL. */
s64 lapic__pv_send_ipi(struct vcpu *vcpu, u64 low, u64 high, u64 min, u64 icr);

#endif
