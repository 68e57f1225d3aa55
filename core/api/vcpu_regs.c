/* SPDX-License-Identifier: GPL-2.0-or-later */
/* General and debug registers, and translation of addresses. */
#include "core/api/table.h"
#include "core/memory/access.h"

void vcpu__get_regs(struct vcpu *vcpu, struct kvm_regs *regs)
{
	const u64 *gpr = vcpu->cpu.gpr;

	*regs = (struct kvm_regs){
		.rax = gpr[X86_RAX],
		.rbx = gpr[X86_RBX],
		.rcx = gpr[X86_RCX],
		.rdx = gpr[X86_RDX],
		.rsi = gpr[X86_RSI],
		.rdi = gpr[X86_RDI],
		.rsp = gpr[X86_RSP],
		.rbp = gpr[X86_RBP],
		.r8 = gpr[X86_R8],
		.r9 = gpr[X86_R9],
		.r10 = gpr[X86_R10],
		.r11 = gpr[X86_R11],
		.r12 = gpr[X86_R12],
		.r13 = gpr[X86_R13],
		.r14 = gpr[X86_R14],
		.r15 = gpr[X86_R15],
		.rip = vcpu->cpu.rip,
		.rflags = x86__rflags(&vcpu->cpu),
	};
}

/*
 * A read or an MSR access that user space has in hand belongs to the instruction at the old RIP: at
 * another one there is nothing to complete. (Writes are behind their instruction.)
 */
static void abandon_instruction(struct vcpu *vcpu)
{
	struct vcpu_io *io = &vcpu->io;

	if (io->in_flight && io->next_write == io->nr_writes)
		memset(io, 0, sizeof(*io));
	memset(&vcpu->msr_exit, 0, sizeof(vcpu->msr_exit));
}

void vcpu__set_regs(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	u64 *gpr = vcpu->cpu.gpr;

	if (regs->rip != vcpu->cpu.rip)
		abandon_instruction(vcpu);
	gpr[X86_RAX] = regs->rax;
	gpr[X86_RBX] = regs->rbx;
	gpr[X86_RCX] = regs->rcx;
	gpr[X86_RDX] = regs->rdx;
	gpr[X86_RSI] = regs->rsi;
	gpr[X86_RDI] = regs->rdi;
	gpr[X86_RSP] = regs->rsp;
	gpr[X86_RBP] = regs->rbp;
	gpr[X86_R8] = regs->r8;
	gpr[X86_R9] = regs->r9;
	gpr[X86_R10] = regs->r10;
	gpr[X86_R11] = regs->r11;
	gpr[X86_R12] = regs->r12;
	gpr[X86_R13] = regs->r13;
	gpr[X86_R14] = regs->r14;
	gpr[X86_R15] = regs->r15;
	vcpu->cpu.rip = regs->rip;
	x86__set_rflags(vcpu, regs->rflags);
	/* What the guest was about to be told belonged to the state that is no more. */
	vcpu->exception.pending = false;
}

s64 api__get_regs(struct api_call *call)
{
	vcpu__get_regs(call->vcpu, call->data);
	return 0;
}

s64 api__set_regs(struct api_call *call)
{
	vcpu__set_regs(call->vcpu, call->data);
	return 0;
}

s64 api__get_debugregs(struct api_call *call)
{
	const struct x86_cpu *cpu = &call->vcpu->cpu;
	struct kvm_debugregs *regs = call->data;

	memcpy(regs->db, cpu->dr, sizeof(regs->db));
	regs->dr6 = cpu->dr6;
	regs->dr7 = cpu->dr7;
	return 0;
}

s64 api__set_debugregs(struct api_call *call)
{
	const struct kvm_debugregs *regs = call->data;
	struct x86_cpu *cpu = &call->vcpu->cpu;

	if (regs->flags || regs->dr6 >> 32 || regs->dr7 >> 32)
		return -EINVAL;
	memcpy(cpu->dr, regs->db, sizeof(cpu->dr));
	cpu->dr6 = regs->dr6;
	cpu->dr7 = regs->dr7;
	/* Translations of pages with a data breakpoint are not cached (core/memory/tlb.h). */
	tlb__flush_all(call->vcpu);
	return 0;
}

/* The guest's tables are read as its own accesses would: between other threads' map changes. */
s64 api__translate(struct api_call *call)
{
	struct kvm_translation *tr = call->data;
	bool writable, user;
	u64 gpa;
	int rc;

	vm__enter_guest(call->vcpu);
	rc = access__translate(call->vcpu, tr->linear_address, &gpa, &writable, &user);
	vm__leave_guest(call->vcpu);
	/* As KVM: the last two say nothing about the page tables. */
	tr->physical_address = rc ? ~0ULL : gpa;
	tr->valid = !rc;
	tr->writeable = 1;
	tr->usermode = 0;
	return 0;
}
