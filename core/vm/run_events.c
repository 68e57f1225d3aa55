/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests, and the choice of the event to inject next (APM vol. 2, table 8-8; SDM vol. 3, 6.9). */
#include "core/irqchip/irqchip.h"
#include "core/irqchip/lapic.h"
#include "core/vm/run.h"

/* How often a running vCPU's steal time is written anew, in ms of the host's TSC. */
#define STEAL_UPDATE_MS 10

/* ---- requests ---- */

static void start_at(struct vcpu *vcpu, u8 vector)
{
	struct x86_segment *cs = &vcpu->cpu.seg[X86_CS];

	cs->selector = (u16)vector << 8;
	cs->base = (u64)vector << 12;
	vcpu->cpu.rip = 0;
	__atomic_store_n(&vcpu->mp_state, KVM_MP_STATE_RUNNABLE, __ATOMIC_RELAXED);
	x86__mode_changed(vcpu);
}

static void take_init_and_sipi(struct vcpu *vcpu)
{
	u8 vector;

	if (lapic__take_init(vcpu)) {
		bool bsp = vcpu->id == vcpu->vm->bsp_id;

		vcpu__reset(vcpu, true);
		__atomic_store_n(&vcpu->mp_state,
				 bsp ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED,
				 __ATOMIC_RELAXED);
	}
	/* A start-up IPI means something only to a processor that waits for one. */
	if (lapic__take_sipi(vcpu, &vector) && vcpu->mp_state == KVM_MP_STATE_INIT_RECEIVED)
		start_at(vcpu, vector);
}

/* One NMI can be pending while another is in service; otherwise two are remembered. */
static void take_nmis(struct vcpu *vcpu)
{
	u8 queued = __atomic_load_n(&vcpu->nmi_queued, __ATOMIC_RELAXED);

	if (vcpu->nmi_pending)
		return;
	while (queued && !__atomic_compare_exchange_n(&vcpu->nmi_queued, &queued, queued - 1, false,
						      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	vcpu->nmi_pending = true;
}

static void update_steal_time(struct vcpu *vcpu)
{
	u64 now = host__rdtsc();

	if (!(vcpu->msrs.kvm_steal_time & 1) ||
	    (vcpu->steal_update_tsc &&
	     now - vcpu->steal_update_tsc < (u64)STEAL_UPDATE_MS * vcpu->vm->tsc_khz))
		return;
	vcpu->steal_update_tsc = now;
	clock__update_steal_time(vcpu);
}

static void flush(struct vcpu *vcpu, u64 requests)
{
	if (requests & REQ_TLB_FLUSH)
		tlb__flush_all(vcpu);
	else if (requests & REQ_TLB_FLUSH_WRITES)
		tlb__flush_writes(vcpu);
	if ((requests & REQ_CODE_FLUSH) && vcpu->vm->engine->state_changed)
		vcpu->vm->engine->state_changed(vcpu);
}

int run__requests(struct vcpu *vcpu)
{
	u64 requests;

	update_steal_time(vcpu);
	if (vcpu->mp_state == KVM_MP_STATE_SIPI_RECEIVED)
		start_at(vcpu, vcpu->sipi_vector); /* as KVM_SET_MP_STATE wants it */
	if (!__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE))
		return 1;
	requests = __atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);
	flush(vcpu, requests);
	if (requests & REQ_UNHALT)
		vcpu->pv_unhalted = true;
	if (requests & REQ_CLOCK_UPDATE)
		clock__update_system_time(vcpu);
	if (requests & REQ_PVCLOCK_STOPPED)
		clock__set_guest_stopped(vcpu);
	if (requests & REQ_STEAL_UPDATE)
		clock__update_steal_time(vcpu);
	if (requests & REQ_NMI)
		take_nmis(vcpu);
	if (vcpu->lapic && (requests & (REQ_INIT | REQ_SIPI)))
		take_init_and_sipi(vcpu);
	if (requests & REQ_IOAPIC_EOI) {
		vcpu->run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		vcpu->run->eoi.vector = vcpu->ioapic_eoi_vector;
		return 0;
	}
	if (requests & REQ_TRIPLE_FAULT) {
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	}
	if (requests & REQ_EXIT) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		return -EINTR;
	}
	return 1;
}

/* ---- events ---- */

/* A debugger steps through the guest and wants no interrupts. */
static bool interrupts_held(const struct vcpu *vcpu)
{
	return (vcpu->guest_debug & KVM_GUESTDBG_ENABLE) &&
	       (vcpu->guest_debug & KVM_GUESTDBG_BLOCKIRQ);
}

static bool interrupts_allowed(const struct vcpu *vcpu)
{
	return (vcpu->cpu.sysflags & RFLAGS_IF) && !vcpu->cpu.shadow && !interrupts_held(vcpu);
}

static bool nmis_allowed(const struct vcpu *vcpu)
{
	return !vcpu->cpu.nmi_masked && !vcpu->cpu.shadow;
}

static bool has_interrupt(struct vcpu *vcpu)
{
	return vcpu->interrupt_injected || irqchip__has_interrupt(vcpu);
}

bool run__has_wake_event(struct vcpu *vcpu)
{
	return vcpu->exception.pending || vcpu->pv_unhalted ||
	       (vcpu->nmi_pending && nmis_allowed(vcpu)) ||
	       (interrupts_allowed(vcpu) && has_interrupt(vcpu));
}

bool run__wants_injection(struct vcpu *vcpu)
{
	return vcpu->run->request_interrupt_window &&
	       (!vcpu->vm->irqchip || vcpu->vm->split_irqchip);
}

bool run__ready_for_injection(struct vcpu *vcpu)
{
	return interrupts_allowed(vcpu) && !vcpu->interrupt_injected && !vcpu->exception.pending &&
	       vcpu->external_vector < 0 && (!vcpu->lapic || lapic__accepts_pic(vcpu));
}

static void inject_nmi(struct vcpu *vcpu)
{
	vcpu->nmi_pending = false;
	vcpu->vm->engine->inject_nmi(vcpu);
	if (__atomic_load_n(&vcpu->nmi_queued, __ATOMIC_RELAXED))
		take_nmis(vcpu);
}

/* The vector of the interrupt that is due, taken from its controller, or -1. */
static int take_interrupt(struct vcpu *vcpu, bool *soft)
{
	*soft = false;
	if (vcpu->interrupt_injected) {
		vcpu->interrupt_injected = false;
		*soft = vcpu->interrupt_soft;
		return vcpu->interrupt_vector;
	}
	return irqchip__take_interrupt(vcpu);
}

static void inject_interrupt(struct vcpu *vcpu)
{
	bool soft;
	int vector = take_interrupt(vcpu, &soft);

	if (vector < 0)
		return;
	vcpu->stats.irq_injections++;
	vcpu->vm->engine->inject_interrupt(vcpu, vector, soft);
}

void run__inject(struct vcpu *vcpu)
{
	const struct engine_ops *engine = vcpu->vm->engine;

	if (vcpu->exception.pending)
		engine->inject_exception(vcpu);
	else if (vcpu->interrupt_injected && vcpu->interrupt_soft)
		inject_interrupt(vcpu); /* INT n is not subject to IF */
	else if (vcpu->nmi_pending && nmis_allowed(vcpu))
		inject_nmi(vcpu);
	else if (interrupts_allowed(vcpu) && has_interrupt(vcpu))
		inject_interrupt(vcpu);
	/*
	 * What waits, or comes behind what was injected now, is looked at again as soon as it
	 * can be delivered; so is user space's wish to inject something itself.
	 */
	engine->want_window(vcpu,
			    !interrupts_held(vcpu) &&
				    (has_interrupt(vcpu) || run__wants_injection(vcpu)),
			    vcpu->nmi_pending);
}
