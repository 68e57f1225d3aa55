/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IRET in every mode (APM vol. 3, IRET; SDM vol. 2, IRET/IRETD/IRETQ). */
#include "core/emulate/far.h"
#include "core/emulate/frame.h"
#include "core/emulate/system.h"

/* Items of the frame, in the order they are popped. */
enum frame_item {
	ITEM_RIP,
	ITEM_CS,
	ITEM_FLAGS,
	ITEM_RSP,
	ITEM_SS,
	/* to virtual-8086 mode */
	ITEM_ES,
	ITEM_DS,
	ITEM_FS,
	ITEM_GS,
	NR_ITEMS,
};

#define IRET_FLAGS16 (RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT)
#define IRET_FLAGS32 (RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

static enum exec_result finish(struct vcpu *vcpu, u64 image, u64 mask)
{
	/* Also derives CPL and the rest from the segments loaded before. */
	x86__set_rflags(vcpu, (x86__rflags(&vcpu->cpu) & ~mask) | (image & mask));
	vcpu->cpu.nmi_masked = false;
	return EXEC_JUMP;
}

/* Real mode, and virtual-8086 mode with IOPL 3, where IOPL stays as it is. */
static enum exec_result iret_real(struct vcpu *vcpu, const struct insn *insn, const u64 *item,
				  u64 mask)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (item[ITEM_RIP] > cpu->seg[X86_CS].limit)
		return x86__raise_gp(vcpu, 0);
	frame__set_sp(cpu, frame__stack_size(cpu), cpu->gpr[X86_RSP] + 3 * insn->opsize);
	segload__set_real(cpu, &cpu->seg[X86_CS], item[ITEM_CS]);
	cpu->rip = item[ITEM_RIP];
	if (insn->opsize > 2)
		mask |= IRET_FLAGS32;
	return finish(vcpu, item[ITEM_FLAGS], mask);
}

/* Below IOPL 3, with CR4.VME: IF of the image goes to VIF, and IF and IOPL stay. */
static enum exec_result iret_v86_virtual(struct vcpu *vcpu, const struct insn *insn, u64 *item)
{
	u64 flags = item[ITEM_FLAGS];

	if (!(vcpu->cpu.cr4 & CR4_VME) || insn->opsize != 2)
		return x86__raise_gp(vcpu, 0);
	if ((flags & RFLAGS_TF) || ((flags & RFLAGS_IF) && (vcpu->cpu.sysflags & RFLAGS_VIP)))
		return x86__raise_gp(vcpu, 0);
	if (flags & RFLAGS_IF)
		item[ITEM_FLAGS] |= RFLAGS_VIF;
	return iret_real(vcpu, insn, item, IRET_FLAGS16 | RFLAGS_VIF);
}

static enum exec_result iret_to_v86(struct vcpu *vcpu)
{
	static const u8 register_of[] = { [ITEM_CS] = X86_CS, [ITEM_SS] = X86_SS,
					  [ITEM_ES] = X86_ES, [ITEM_DS] = X86_DS,
					  [ITEM_FS] = X86_FS, [ITEM_GS] = X86_GS };
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result r;
	u64 item[NR_ITEMS];

	r = frame__peek(vcpu, 0, item, NR_ITEMS, 4);
	if (r != EXEC_NEXT)
		return r;
	if (item[ITEM_RIP] > 0xffff)
		return x86__raise_gp(vcpu, 0);
	for (unsigned i = ITEM_CS; i < NR_ITEMS; i++)
		if (i != ITEM_FLAGS && i != ITEM_RSP)
			segload__set_v86(&cpu->seg[register_of[i]], item[i]);
	cpu->rip = item[ITEM_RIP];
	cpu->gpr[X86_RSP] = item[ITEM_RSP];
	return finish(vcpu, item[ITEM_FLAGS], ~0ULL);
}

/* The flags that the image may change, by operand size and the level that executes IRET. */
static u64 flags_mask(const struct x86_cpu *cpu, const struct insn *insn)
{
	u64 mask = IRET_FLAGS16;

	if (insn->opsize > 2)
		mask |= IRET_FLAGS32;
	if (cpu->cpl <= x86__iopl(cpu))
		mask |= RFLAGS_IF;
	if (!cpu->cpl) {
		mask |= RFLAGS_IOPL;
		if (insn->opsize > 2)
			mask |= RFLAGS_VIF | RFLAGS_VIP;
	}
	return mask;
}

static enum exec_result iret_with_stack(struct vcpu *vcpu, const struct insn *insn, const u64 *item,
					const struct descriptor *code)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned rpl = item[ITEM_CS] & SELECTOR_RPL;
	bool outer = rpl > cpu->cpl, to_long = far__is_long_code(cpu, code->low);
	u64 mask = flags_mask(cpu, insn), rip = far__offset_in(vcpu, code, item[ITEM_RIP]);
	struct x86_segment ss;
	enum exec_result r;
	unsigned size;

	/* RIP is checked before SS on AMD's processors, after it on Intel's. */
	r = cpu->long_mode && !vcpu->cpuid.intel ? far__check_rip(vcpu, code, rip) :
						   EXEC_NEXT;
	if (r == EXEC_NEXT)
		r = segload__stack(vcpu, item[ITEM_SS], rpl, to_long && rpl < 3, X86_GP, &ss);
	if (r == EXEC_NEXT)
		r = far__check_rip(vcpu, code, rip);
	if (r != EXEC_NEXT)
		return r;
	far__commit_code(cpu, item[ITEM_CS], rpl, code, rip);
	segload__commit(cpu, X86_SS, &ss);
	/* To a 16-bit stack only SP is loaded: the rest of RSP shows through. */
	size = to_long ? 8 : ss.db ? 4 : 2;
	frame__set_sp(cpu, size, item[ITEM_RSP]);
	r = finish(vcpu, item[ITEM_FLAGS], mask);
	if (outer)
		segload__drop_inner(cpu);
	return r;
}

static enum exec_result iret_same_level(struct vcpu *vcpu, const struct insn *insn, const u64 *item,
					const struct descriptor *code)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 mask = flags_mask(cpu, insn);
	enum exec_result r;

	r = far__check_rip(vcpu, code, item[ITEM_RIP]);
	if (r != EXEC_NEXT)
		return r;
	frame__set_sp(cpu, frame__stack_size(cpu), cpu->gpr[X86_RSP] + 3 * insn->opsize);
	far__commit_code(cpu, item[ITEM_CS], cpu->cpl, code, item[ITEM_RIP]);
	return finish(vcpu, item[ITEM_FLAGS], mask);
}

static enum exec_result iret_protected(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	/* 64-bit code always pops SS and RSP. */
	bool with_stack = cpu->code_size == 8;
	struct descriptor code;
	u64 item[NR_ITEMS];
	enum exec_result r;

	if (cpu->sysflags & RFLAGS_NT) {
		if (cpu->long_mode)
			return x86__raise_gp(vcpu, 0);
		return task__return(vcpu, system__next_rip(cpu, insn));
	}
	/* Intel's processors check CS before they look at the stack pointer. */
	r = frame__peek(vcpu, 0, item, with_stack && !system__is_intel(vcpu) ? 5 : 3, insn->opsize);
	if (r != EXEC_NEXT)
		return r;
	if (insn->opsize == 4 && !cpu->long_mode && !cpu->cpl && (item[ITEM_FLAGS] & RFLAGS_VM))
		return iret_to_v86(vcpu);
	if (!with_stack && (item[ITEM_CS] & SELECTOR_RPL) != cpu->cpl)
		r = far__probe_outer(vcpu, 3 * insn->opsize, insn->opsize);
	if (r == EXEC_NEXT)
		r = far__check_return(vcpu, item[ITEM_CS], &code);
	if (r != EXEC_NEXT)
		return r;
	if (!with_stack && (item[ITEM_CS] & SELECTOR_RPL) == cpu->cpl)
		return iret_same_level(vcpu, insn, item, &code);
	if (!with_stack || system__is_intel(vcpu)) {
		r = frame__peek(vcpu, 3 * insn->opsize, item + ITEM_RSP, 2, insn->opsize);
		if (r != EXEC_NEXT)
			return r;
	}
	return iret_with_stack(vcpu, insn, item, &code);
}

enum exec_result system__iret(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 item[NR_ITEMS];
	enum exec_result r;

	if (likely(!x86__is_real_like(cpu)))
		return iret_protected(vcpu, insn);
	r = frame__peek(vcpu, 0, item, 3, insn->opsize);
	if (r != EXEC_NEXT)
		return r;
	if (!x86__is_v86(cpu))
		return iret_real(vcpu, insn, item, IRET_FLAGS16 | RFLAGS_IF | RFLAGS_IOPL);
	if (x86__iopl(cpu) == 3)
		return iret_real(vcpu, insn, item, IRET_FLAGS16 | RFLAGS_IF);
	return iret_v86_virtual(vcpu, insn, item);
}
