/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that user space does for an instruction: handing them out, and completing the
 * instruction with the answers. (The protocol is explained at struct vcpu_io.)
 */
#include "core/vm/run.h"

#define HOST_PAGE 4096

/* ---- handing out ---- */

static void hand_out_port(struct vcpu *vcpu, const struct vcpu_io_fragment *io, bool write)
{
	struct kvm_run *run = vcpu->run;

	vcpu->stats.io_exits++;
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	run->io.size = io->size;
	run->io.port = io->address;
	run->io.count = MAX_OF(io->count, 1);
	run->io.data_offset = KVM_PIO_PAGE_OFFSET * HOST_PAGE;
	/* A string of more than one item stands there already. */
	if (io->count <= 1 && write)
		memcpy(vcpu->pio_data, io->data, io->size);
}

static void hand_out_mmio(struct vcpu *vcpu, const struct vcpu_io_fragment *io, bool write)
{
	struct kvm_run *run = vcpu->run;

	vcpu->stats.mmio_exits++;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = io->address;
	run->mmio.len = io->size;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write)
		memcpy(run->mmio.data, io->data, io->size);
}

static int hand_out_access(struct vcpu *vcpu, const struct vcpu_io_fragment *io, bool write)
{
	if (io->kind == IO_PIO)
		hand_out_port(vcpu, io, write);
	else
		hand_out_mmio(vcpu, io, write);
	vcpu->io.in_flight = true;
	return 0;
}

static int hand_out_msr(struct vcpu *vcpu)
{
	struct vcpu_msr_exit *e = &vcpu->msr_exit;
	struct kvm_run *run = vcpu->run;

	e->wanted = false;
	e->in_flight = true;
	run->exit_reason = e->write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	memset(&run->msr, 0, sizeof(run->msr));
	run->msr.reason = e->reason;
	run->msr.index = e->index;
	run->msr.data = e->data;
	return 0;
}

static int hand_out_hypercall(struct vcpu *vcpu)
{
	const u64 *gpr = vcpu->cpu.gpr;
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_HYPERCALL;
	memset(&run->hypercall, 0, sizeof(run->hypercall));
	run->hypercall.nr = gpr[X86_RAX];
	run->hypercall.args[0] = gpr[X86_RBX];
	run->hypercall.args[1] = gpr[X86_RCX];
	run->hypercall.args[2] = gpr[X86_RDX];
	run->hypercall.args[3] = gpr[X86_RSI];
	run->hypercall.longmode = vcpu->cpu.code_size == 8;
	return 0;
}

int run__hand_out(struct vcpu *vcpu)
{
	struct vcpu_io *io = &vcpu->io;

	if (io->next_write < io->nr_writes)
		return hand_out_access(vcpu, &io->write[io->next_write], true);
	if (io->want.kind != IO_NONE)
		return hand_out_access(vcpu, &io->want, false);
	if (vcpu->msr_exit.wanted)
		return hand_out_msr(vcpu);
	if (vcpu->hypercall_in_flight)
		return hand_out_hypercall(vcpu);
	return 1;
}

/* ---- completing ---- */

/* One answer more; the instruction takes them in order when it is executed again. */
static void append_answer(struct vcpu *vcpu)
{
	struct vcpu_io *io = &vcpu->io;
	struct vcpu_io_fragment *answer;

	/* No instruction reads that much: the access functions stop asking before. */
	if (io->nr_answers == VCPU_IO_FRAGMENTS)
		return;
	answer = &io->answer[io->nr_answers++];
	*answer = io->want;
	if (answer->kind == IO_MMIO)
		memcpy(answer->data, vcpu->run->mmio.data, answer->size);
	else if (answer->count <= 1)
		memcpy(answer->data, vcpu->pio_data, answer->size);
	io->want.kind = IO_NONE;
}

static void forget_answers(struct vcpu *vcpu)
{
	vcpu->io.nr_answers = 0;
	vcpu->io.next = 0;
	vcpu->msr_exit.answered = false;
}

/* Delivery that met device memory is taken up again; else it was an instruction that did. */
static int complete_delivery(struct vcpu *vcpu)
{
	vcpu->io.next = 0;
	switch (x86__deliver_exception(vcpu)) {
	case EXEC_EXIT:
		return run__hand_out(vcpu);
	case EXEC_FAIL:
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	default:
		forget_answers(vcpu);
		return run__hand_out(vcpu);
	}
}

/* What single step and breakpoints owe after an instruction that retired. */
static int after_instruction(struct vcpu *vcpu, bool single_step)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 dr6 = 0;

	if (cpu->shadow & X86_SHADOW_STEP) {
		cpu->shadow &= ~X86_SHADOW_STEP;
		single_step = false;
	}
	if ((vcpu->guest_debug & KVM_GUESTDBG_ENABLE) &&
	    (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)) {
		struct kvm_debug_exit_arch *arch = &vcpu->run->debug.arch;

		memset(arch, 0, sizeof(*arch));
		arch->exception = X86_DB;
		arch->pc = cpu->rip + (cpu->code_size == 8 ? 0 : cpu->seg[X86_CS].base);
		arch->dr6 = DR6_FIXED | DR6_BS;
		arch->dr7 = cpu->dr7;
		vcpu->run->exit_reason = KVM_EXIT_DEBUG;
		return 0;
	}
	if (!(cpu->shadow & X86_SHADOW_MOV_SS)) {
		dr6 = vcpu->breakpoint_hits | (single_step ? DR6_BS : 0);
		vcpu->breakpoint_hits = 0;
	}
	if (dr6) {
		x86__raise_debug(vcpu, dr6);
		vcpu->exception.trap = true;
		/* The trap of HLT ends the halt it began. */
		__atomic_store_n(&vcpu->mp_state, KVM_MP_STATE_RUNNABLE, __ATOMIC_RELAXED);
	}
	return 1;
}

int run__emulate(struct vcpu *vcpu)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	bool single_step = cpu->sysflags & RFLAGS_TF;
	u64 resume = cpu->sysflags & RFLAGS_RF;
	u8 shadow = cpu->shadow;
	enum exec_result result;
	int r;

	cpu->sysflags &= ~RFLAGS_RF;
	vcpu->io.next = 0;
	result = emulate__one(vcpu);
	if (result == EXEC_FAULT || result == EXEC_EXIT || result == EXEC_FAIL ||
	    result == EXEC_AGAIN)
		cpu->sysflags |= resume;
	if (result == EXEC_EXIT)
		return run__hand_out(vcpu);
	forget_answers(vcpu);
	if (result == EXEC_FAULT) {
		vcpu->breakpoint_hits = 0;
		return 1; /* vcpu->exception is pending */
	}
	if (result == EXEC_FAIL)
		return run__emulation_failed(vcpu);
	vcpu->stats.insns++;
	if (cpu->shadow == shadow)
		cpu->shadow = 0;
	/* The trap waits as an exception while user space does the writes. */
	r = after_instruction(vcpu, single_step);
	return r > 0 ? run__hand_out(vcpu) : r;
}

/*
 * Device memory that the executor has no answer for yet, or had one: executes it again from the
 * start.
 */
static int execute_again(struct vcpu *vcpu)
{
	int r;

	vm__enter_guest(vcpu);
	r = vcpu->exception.pending ? complete_delivery(vcpu) : run__emulate(vcpu);
	vm__leave_guest(vcpu);
	return r;
}

static int complete_access(struct vcpu *vcpu)
{
	struct vcpu_io *io = &vcpu->io;

	io->in_flight = false;
	if (io->next_write == io->nr_writes) {
		append_answer(vcpu);
		return execute_again(vcpu);
	}
	if (++io->next_write < io->nr_writes)
		return hand_out_access(vcpu, &io->write[io->next_write], true);
	io->next_write = 0;
	io->nr_writes = 0;
	return 1;
}

int run__complete(struct vcpu *vcpu)
{
	struct vcpu_msr_exit *e = &vcpu->msr_exit;

	if (vcpu->io.in_flight)
		return complete_access(vcpu);
	if (e->in_flight) {
		e->in_flight = false;
		e->answered = true;
		e->error = vcpu->run->msr.error;
		e->data = vcpu->run->msr.data;
		return execute_again(vcpu);
	}
	if (vcpu->hypercall_in_flight) {
		vcpu->hypercall_in_flight = false;
		vcpu->cpu.gpr[X86_RAX] = vcpu->cpu.long_mode ? vcpu->run->hypercall.ret :
							       (u32)vcpu->run->hypercall.ret;
	}
	return 1;
}

/* ---- what can't be done ---- */

static unsigned fetch_bytes(struct vcpu *vcpu, u8 *bytes, unsigned size)
{
	const struct vcpu_exception saved = vcpu->exception;
	const struct x86_cpu *cpu = &vcpu->cpu;
	u64 linear = cpu->code_size == 8 ? cpu->rip : (u32)(cpu->seg[X86_CS].base + cpu->rip);
	const u8 *host = NULL;
	unsigned n = 0;
	u64 gpa;

	if (access__fetch_page(vcpu, linear, &gpa, &host) == EXEC_NEXT && host) {
		n = MIN_OF(size, PAGE_SIZE_4K - (gpa & ~PAGE_MASK_4K));
		memcpy(bytes, host, n);
	}
	vcpu->exception = saved;
	return n;
}

int run__emulation_failed(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	/* A user program can't be let end the machine. */
	if (vcpu->cpu.cpl != 0 && !vcpu->vm->exit_on_emulation_error) {
		x86__raise_ud(vcpu);
		return 1;
	}
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	memset(&run->emulation_failure, 0, sizeof(run->emulation_failure));
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.ndata = 1;
	run->emulation_failure.insn_size =
		fetch_bytes(vcpu, run->emulation_failure.insn_bytes,
			    sizeof(run->emulation_failure.insn_bytes));
	if (run->emulation_failure.insn_size) {
		/* Two words more: size and bytes. */
		run->emulation_failure.ndata += 2;
		run->emulation_failure.flags |=
			KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	}
	return 0;
}

int run__broken(struct vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	memset(&vcpu->run->internal, 0, sizeof(vcpu->run->internal));
	vcpu->run->internal.suberror = KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
	return 0;
}
