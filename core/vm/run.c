/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The KVM_RUN loop: shared by all engines. */
#include "core/irqchip/irqchip.h"
#include "core/vm/run.h"

static int exit_to_user(struct vcpu *vcpu, u32 reason)
{
	vcpu->run->exit_reason = reason;
	return 0;
}

static int interrupted(struct vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_INTR;
	return -EINTR;
}

static u32 mp_state(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->mp_state, __ATOMIC_RELAXED);
}

static void set_mp_state(struct vcpu *vcpu, u32 state)
{
	__atomic_store_n(&vcpu->mp_state, state, __ATOMIC_RELAXED);
}

static int halt(struct vcpu *vcpu)
{
	vcpu->stats.halt_exits++;
	vcpu->cpu.shadow = 0; /* HLT was the instruction that STI protected */
	if (!vcpu->lapic) {
		set_mp_state(vcpu, KVM_MP_STATE_RUNNABLE);
		return exit_to_user(vcpu, KVM_EXIT_HLT);
	}
	set_mp_state(vcpu, KVM_MP_STATE_HALTED);
	return 1;
}

static int debug_exit(struct vcpu *vcpu, const struct engine_exit *exit)
{
	struct kvm_debug_exit_arch *arch = &vcpu->run->debug.arch;

	memset(arch, 0, sizeof(*arch));
	arch->exception = exit->exception;
	arch->pc = exit->pc;
	arch->dr6 = exit->dr6;
	arch->dr7 = vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ? vcpu->debug_dr[7] : vcpu->cpu.dr7;
	return exit_to_user(vcpu, KVM_EXIT_DEBUG);
}

/* The instruction before, whose trap could not be delivered, may have written to devices. */
static int shut_down(struct vcpu *vcpu)
{
	if (!vcpu->io.nr_writes)
		return exit_to_user(vcpu, KVM_EXIT_SHUTDOWN);
	vcpu__request_quietly(vcpu, REQ_TRIPLE_FAULT);
	return run__hand_out(vcpu);
}

/* In guest code still: emulation touches guest memory. */
static int handle_exit(struct vcpu *vcpu, const struct engine_exit *exit)
{
	vcpu->stats.exits++;
	switch (exit->reason) {
	case ENGINE_EXIT_EVENT:
	case ENGINE_EXIT_WINDOW:
		break;
	case ENGINE_EXIT_IO:
	case ENGINE_EXIT_MSR:
	case ENGINE_EXIT_HYPERCALL:
		return run__hand_out(vcpu);
	case ENGINE_EXIT_HALT:
		return halt(vcpu);
	case ENGINE_EXIT_SHUTDOWN:
		return shut_down(vcpu);
	case ENGINE_EXIT_DEBUG:
		return debug_exit(vcpu, exit);
	case ENGINE_EXIT_FAIL:
		return run__emulation_failed(vcpu);
	case ENGINE_EXIT_BROKEN:
		return run__broken(vcpu);
	case ENGINE_EXIT_EMULATE:
	case ENGINE_EXIT_NESTED_FAULT:
		return run__emulate(vcpu);
	}
	/* Writes of the last instruction, if a request made the engine leave behind it. */
	return run__hand_out(vcpu);
}

/* Guest code until something for user space, or for the loop, comes up. */
static int run_guest(struct vcpu *vcpu)
{
	const struct engine_ops *engine = vcpu->vm->engine;
	struct engine_exit exit = { .reason = ENGINE_EXIT_EVENT };
	int r;

	vm__enter_guest(vcpu);
	r = run__requests(vcpu);
	if (r <= 0 || mp_state(vcpu) != KVM_MP_STATE_RUNNABLE)
		goto leave;
	run__inject(vcpu);
	if (vcpu->lapic)
		lapic__before_entry(vcpu);
	if (engine->sync_out)
		engine->sync_out(vcpu);
	vcpu->first_run_done = true;
	engine->run(vcpu, &exit);
	if (engine->sync_in)
		engine->sync_in(vcpu);
	r = handle_exit(vcpu, &exit);
leave:
	vm__leave_guest(vcpu);
	return r;
}

/* Requests of a vCPU that executes nothing; they may touch guest memory (kvmclock). */
static int idle_requests(struct vcpu *vcpu)
{
	int r;

	__atomic_store_n(&vcpu->leave, 0, __ATOMIC_SEQ_CST);
	vm__enter_guest(vcpu);
	r = run__requests(vcpu);
	vm__leave_guest(vcpu);
	return r;
}

/* Sleeps; for a moment before that it looks whether it need not (KVM_CAP_HALT_POLL). */
static int wait_for_wake(struct vcpu *vcpu)
{
	struct poll_window *window = &vcpu->halt_poll;
	u64 start;
	int r = 0;

	window->most = __atomic_load_n(&vcpu->vm->halt_poll_ns, __ATOMIC_RELAXED);
	if (!window->most)
		return host__vcpu_wait(vcpu);
	start = host__monotonic_ns();
	if (!window->now || !host__vcpu_poll(vcpu, window->now))
		r = host__vcpu_wait(vcpu);
	poll_window__learn(window, host__monotonic_ns() - start);
	return r;
}

/* HLT, or an application processor between INIT and SIPI. */
static int wait_until_runnable(struct vcpu *vcpu)
{
	for (;;) {
		int r = idle_requests(vcpu);

		if (r <= 0 || mp_state(vcpu) == KVM_MP_STATE_RUNNABLE)
			return r;
		if (mp_state(vcpu) == KVM_MP_STATE_HALTED && run__has_wake_event(vcpu)) {
			vcpu->pv_unhalted = false;
			set_mp_state(vcpu, KVM_MP_STATE_RUNNABLE);
			return 1;
		}
		/* Others need not send TLB shoot-downs to a vCPU that sleeps. */
		clock__set_preempted(vcpu);
		if (wait_for_wake(vcpu))
			return interrupted(vcpu);
	}
}

/*
 * An application processor that has not seen INIT yet: KVM_RUN waits for it and then returns
 * -EAGAIN once, as KVM does.
 */
static int wait_for_init(struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_RELAXED))
		return -EINTR;
	while (mp_state(vcpu) == KVM_MP_STATE_UNINITIALIZED) {
		int r = idle_requests(vcpu);

		if (r <= 0)
			return r;
		if (mp_state(vcpu) == KVM_MP_STATE_UNINITIALIZED && host__vcpu_wait(vcpu))
			return interrupted(vcpu);
	}
	return -EAGAIN;
}

static int run_loop(struct vcpu *vcpu)
{
	int r;

	do {
		if (run__wants_injection(vcpu) && run__ready_for_injection(vcpu))
			return exit_to_user(vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
		if (host__signal_pending(vcpu)) {
			/* Between two instructions: nothing translated is still to be used. */
			clock__set_preempted(vcpu);
			return interrupted(vcpu);
		}
		if (mp_state(vcpu) == KVM_MP_STATE_RUNNABLE)
			r = run_guest(vcpu);
		else
			r = wait_until_runnable(vcpu);
	} while (r > 0);
	return r;
}

static int run(struct vcpu *vcpu)
{
	int r;

	if (mp_state(vcpu) == KVM_MP_STATE_UNINITIALIZED)
		return wait_for_init(vcpu);
	if (!vcpu->lapic && x86__set_cr8(vcpu, vcpu->run->cr8))
		return -EINVAL;
	r = run__complete(vcpu);
	if (r <= 0)
		return r;
	/*
	 * Only now: a VMM that wants to save the state needs the instruction completed. The reason
	 * of the exit before stays readable, as KVM leaves it.
	 */
	if (__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_RELAXED))
		return -EINTR;
	return run_loop(vcpu);
}

static void report_state(struct vcpu *vcpu)
{
	struct kvm_run *shared = vcpu->run;
	bool kernel_pic = vcpu->vm->irqchip && !vcpu->vm->split_irqchip;

	shared->if_flag = !!(vcpu->cpu.sysflags & RFLAGS_IF);
	shared->cr8 = x86__get_cr8(vcpu);
	shared->apic_base = lapic__get_base(vcpu);
	shared->ready_for_interrupt_injection = kernel_pic || run__ready_for_injection(vcpu);
	shared->flags = vcpu->smm ? KVM_RUN_X86_SMM : 0;
}

int vcpu__run(struct vcpu *vcpu)
{
	const struct engine_ops *engine = vcpu->vm->engine;
	int r;

	vcpu->run->flags = 0;
	host__run_begin(vcpu);
	if (engine->vcpu_load)
		engine->vcpu_load(vcpu);
	r = run(vcpu);
	if (engine->vcpu_put)
		engine->vcpu_put(vcpu);
	report_state(vcpu);
	host__run_end(vcpu);
	return r;
}
