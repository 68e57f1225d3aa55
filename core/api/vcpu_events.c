/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pending events, run states, injection and debugging from user space. */
#include "core/api/table.h"
#include "core/irqchip/irqchip.h"
#include "include/x86/exception.h"

#define GUEST_DEBUG_INJECT (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)

/* ---- KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS (api.rst 4.31, 4.32) ---- */

/* Without KVM_CAP_EXCEPTION_PAYLOAD user space expects CR2 and DR6 to be up to date already. */
static void apply_payload(struct vcpu *vcpu)
{
	struct vcpu_exception *e = &vcpu->exception;

	if (e->vector == X86_PF) {
		vcpu->cpu.cr2 = e->payload;
	} else if (e->vector == X86_DB && e->payload) {
		vcpu->cpu.dr6 = (vcpu->cpu.dr6 & ~0xfULL) | e->payload | DR6_FIXED;
		e->payload = 0;
	}
}

static void get_exception(struct vcpu *vcpu, struct kvm_vcpu_events *events)
{
	struct vcpu_exception *e = &vcpu->exception;

	if (!e->pending)
		return;
	events->exception.nr = e->vector;
	events->exception.has_error_code = e->has_error;
	events->exception.error_code = e->error;
	if (vcpu->vm->exception_payload) {
		events->exception.pending = 1;
		events->exception_has_payload = e->vector == X86_PF || e->vector == X86_DB;
		events->exception_payload = e->payload;
	} else {
		apply_payload(vcpu);
		events->exception.injected = 1;
	}
}

void vcpu__get_events(struct vcpu *vcpu, struct kvm_vcpu_events *events)
{
	memset(events, 0, sizeof(*events));
	get_exception(vcpu, events);
	events->interrupt.injected = vcpu->interrupt_injected;
	events->interrupt.nr = vcpu->interrupt_injected ? vcpu->interrupt_vector : 0;
	events->interrupt.soft = vcpu->interrupt_injected && vcpu->interrupt_soft;
	events->interrupt.shadow = vcpu->cpu.shadow;
	events->nmi.pending = vcpu->nmi_pending ||
			      __atomic_load_n(&vcpu->nmi_queued, __ATOMIC_RELAXED);
	events->nmi.masked = vcpu->cpu.nmi_masked;
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			KVM_VCPUEVENT_VALID_SMM;
	if (vcpu->vm->exception_payload)
		events->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->vm->triple_fault_event) {
		events->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
		events->triple_fault.pending =
			!!(__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) & REQ_TRIPLE_FAULT);
	}
}

static bool valid_events(const struct vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	bool payload = e->flags & KVM_VCPUEVENT_VALID_PAYLOAD;
	bool exception = e->exception.injected || (payload && e->exception.pending);

	if (e->flags & ~(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
			 KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM |
			 KVM_VCPUEVENT_VALID_PAYLOAD | KVM_VCPUEVENT_VALID_TRIPLE_FAULT))
		return false;
	if (payload && (!vcpu->vm->exception_payload ||
			(e->exception.injected && e->exception.pending)))
		return false;
	if (exception && (e->exception.nr > 31 || e->exception.nr == X86_NMI))
		return false;
	/* There is no system management mode (KVM_CAP_X86_SMM). */
	if ((e->flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (e->smi.smm || e->smi.pending || e->smi.smm_inside_nmi))
		return false;
	return !(e->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) || vcpu->vm->triple_fault_event;
}

/* #BP and #OF come behind their instruction; so does every #DB that reached user space. */
static bool is_trap(u8 vector)
{
	return vector == X86_BP || vector == X86_OF || vector == X86_DB;
}

static void set_exception(struct vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	bool payload = events->flags & KVM_VCPUEVENT_VALID_PAYLOAD;
	struct vcpu_exception *e = &vcpu->exception;

	memset(e, 0, sizeof(*e));
	e->pending = events->exception.injected || (payload && events->exception.pending);
	if (!e->pending)
		return;
	e->vector = events->exception.nr;
	e->has_error = events->exception.has_error_code;
	e->error = events->exception.error_code;
	e->trap = is_trap(e->vector);
	if (payload && events->exception_has_payload)
		e->payload = events->exception_payload;
	else if (e->vector == X86_PF)
		e->payload = vcpu->cpu.cr2; /* delivery writes it back */
}

int vcpu__set_events(struct vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	if (!valid_events(vcpu, events))
		return -EINVAL;
	set_exception(vcpu, events);
	vcpu->interrupt_injected = events->interrupt.injected;
	vcpu->interrupt_vector = events->interrupt.nr;
	vcpu->interrupt_soft = events->interrupt.soft;
	if (events->flags & KVM_VCPUEVENT_VALID_SHADOW)
		vcpu->cpu.shadow =
			events->interrupt.shadow & (X86_SHADOW_STI | X86_SHADOW_MOV_SS);
	if (events->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		vcpu->nmi_pending = events->nmi.pending;
		__atomic_store_n(&vcpu->nmi_queued, 0, __ATOMIC_RELAXED);
	}
	vcpu->cpu.nmi_masked = events->nmi.masked;
	if ((events->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->lapic)
		vcpu->sipi_vector = events->sipi_vector & 0xff;
	if (events->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) {
		if (events->triple_fault.pending)
			vcpu__request_quietly(vcpu, REQ_TRIPLE_FAULT);
		else
			__atomic_fetch_and(&vcpu->requests, ~REQ_TRIPLE_FAULT, __ATOMIC_RELAXED);
	}
	vcpu__request_quietly(vcpu, REQ_EVENT);
	return 0;
}

s64 api__get_vcpu_events(struct api_call *call)
{
	vcpu__get_events(call->vcpu, call->data);
	return 0;
}

s64 api__set_vcpu_events(struct api_call *call)
{
	return vcpu__set_events(call->vcpu, call->data);
}

/* ---- KVM_INTERRUPT, KVM_NMI (api.rst 4.16, 4.64) ---- */

s64 api__interrupt(struct api_call *call)
{
	const struct kvm_interrupt *interrupt = call->data;
	struct vcpu *vcpu = call->vcpu;

	if (interrupt->irq > 255)
		return -EINVAL;
	if (!vcpu->vm->irqchip) {
		vcpu->interrupt_injected = true;
		vcpu->interrupt_soft = false;
		vcpu->interrupt_vector = interrupt->irq;
		vcpu__request_quietly(vcpu, REQ_EVENT);
		return 0;
	}
	if (!vcpu->vm->split_irqchip)
		return -ENXIO;
	/* The PIC is user space's: its interrupt comes through LINT0. */
	if (vcpu->external_vector >= 0)
		return -EEXIST;
	vcpu->external_vector = interrupt->irq;
	vcpu__request_quietly(vcpu, REQ_EVENT);
	return 0;
}

s64 api__nmi(struct api_call *call)
{
	vcpu__nmi(call->vcpu);
	return 0;
}

/* ---- KVM_GET_MP_STATE, KVM_SET_MP_STATE (api.rst 4.38, 4.39) ---- */

s64 api__get_mp_state(struct api_call *call)
{
	struct kvm_mp_state *state = call->data;

	state->mp_state = __atomic_load_n(&call->vcpu->mp_state, __ATOMIC_RELAXED);
	/* A halt that a kick has ended already is none. */
	if (state->mp_state == KVM_MP_STATE_HALTED && call->vcpu->pv_unhalted)
		state->mp_state = KVM_MP_STATE_RUNNABLE;
	return 0;
}

s64 api__set_mp_state(struct api_call *call)
{
	const struct kvm_mp_state *state = call->data;
	struct vcpu *vcpu = call->vcpu;

	switch (state->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_SIPI_RECEIVED:
	case KVM_MP_STATE_HALTED:
		/* Only an in-kernel APIC brings a vCPU out of these. */
		if (!vcpu->lapic)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	__atomic_store_n(&vcpu->mp_state, state->mp_state, __ATOMIC_RELAXED);
	vcpu__request_quietly(vcpu, REQ_EVENT);
	return 0;
}

/* ---- KVM_SET_GUEST_DEBUG (api.rst 4.87) ---- */

static void inject_debug_exception(struct vcpu *vcpu, u32 control)
{
	vcpu->exception = (struct vcpu_exception){
		.pending = true,
		.trap = true,
		.vector = control & KVM_GUESTDBG_INJECT_DB ? X86_DB : X86_BP,
	};
}

s64 api__set_guest_debug(struct api_call *call)
{
	const struct kvm_guest_debug *debug = call->data;
	struct vcpu *vcpu = call->vcpu;

	if (debug->control & GUEST_DEBUG_INJECT) {
		if (vcpu->exception.pending)
			return -EBUSY;
		inject_debug_exception(vcpu, debug->control);
	}
	vcpu->guest_debug = debug->control & KVM_GUESTDBG_ENABLE ? debug->control : 0;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		memcpy(vcpu->debug_dr, debug->arch.debugreg, sizeof(vcpu->debug_dr));
	else
		memset(vcpu->debug_dr, 0, sizeof(vcpu->debug_dr));
	/* Pages with a data breakpoint take the slow path from now on, others no more. */
	tlb__flush_all(vcpu);
	if (vcpu->vm->engine->state_changed)
		vcpu->vm->engine->state_changed(vcpu);
	return 0;
}
