/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moving, pushing and popping segment registers, and far pointers into them. */
#include "core/emulate/frame.h"
#include "core/emulate/segload.h"
#include "core/emulate/system.h"

/* Commits a load; after SS nothing may interrupt the next instruction, which loads the pointer. */
static enum exec_result commit(struct vcpu *vcpu, enum x86_segreg seg,
			       const struct x86_segment *segment, bool shadow)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	segload__commit(cpu, seg, segment);
	if (seg != X86_SS)
		return EXEC_NEXT;
	if (shadow)
		cpu->shadow |= X86_SHADOW_MOV_SS;
	return EXEC_STOP;
}

enum exec_result system__mov_from_sreg(struct vcpu *vcpu, const struct insn *insn)
{
	return system__write_ew(vcpu, insn, vcpu->cpu.seg[insn->modrm >> 3 & 7].selector);
}

enum exec_result system__mov_to_sreg(struct vcpu *vcpu, const struct insn *insn)
{
	enum x86_segreg seg = insn->modrm >> 3 & 7;
	struct x86_segment segment;
	enum exec_result r;
	u16 selector;

	if (seg == X86_CS || seg > X86_GS)
		return x86__raise_ud(vcpu);
	r = system__read_ew(vcpu, insn, &selector);
	if (r == EXEC_NEXT)
		r = segload__data(vcpu, seg, selector, &segment);
	return r == EXEC_NEXT ? commit(vcpu, seg, &segment, true) : r;
}

/* 06 ES, 0E CS, 16 SS, 1E DS; 0F A0 FS, 0F A8 GS; POP is one more each. */
static enum x86_segreg opcode_register(const struct insn *insn)
{
	if (insn->map == MAP_0F)
		return insn->opcode & 8 ? X86_GS : X86_FS;
	return insn->opcode >> 3 & 3;
}

enum exec_result system__push_sreg(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct frame_stack stack = frame__current(cpu);
	u64 selector = cpu->seg[opcode_register(insn)].selector;
	unsigned width = insn->opsize;
	enum exec_result r;

	/* SDM vol. 2, PUSH: the upper half of a 32-bit item is left as it is. */
	if (width == 4 && system__is_intel(vcpu)) {
		stack.sp -= 2;
		width = 2;
	}
	r = frame__push(vcpu, &stack, &selector, 1, width);
	if (r == EXEC_NEXT)
		frame__set_sp(cpu, stack.size, stack.sp);
	return r;
}

enum exec_result system__pop_sreg(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum x86_segreg seg = opcode_register(insn);
	unsigned size = frame__stack_size(cpu);
	struct x86_segment segment;
	enum exec_result r;
	u64 selector;

	/* Intel's processors look at no more than the selector. */
	r = frame__peek(vcpu, 0, &selector, 1, system__is_intel(vcpu) ? 2 : insn->opsize);
	if (r == EXEC_NEXT)
		r = segload__data(vcpu, seg, selector, &segment);
	if (r != EXEC_NEXT)
		return r;
	/* The old SS tells how wide the pointer is that moves. */
	frame__set_sp(cpu, size, cpu->gpr[X86_RSP] + insn->opsize);
	return commit(vcpu, seg, &segment, true);
}

static enum x86_segreg pointer_register(const struct insn *insn)
{
	if (insn->map == MAP_1BYTE)
		return insn->opcode == 0xc4 ? X86_ES : X86_DS;
	switch (insn->opcode) {
	case 0xb2:
		return X86_SS;
	case 0xb4:
		return X86_FS;
	default:
		return X86_GS;
	}
}

enum exec_result system__load_far_pointer(struct vcpu *vcpu, const struct insn *insn)
{
	enum x86_segreg seg = pointer_register(insn);
	struct x86_segment segment;
	enum exec_result r;
	u8 pointer[10];
	u64 linear, offset = 0;
	u16 selector;

	r = emulate__operand(vcpu, insn, insn->opsize + 2, false, &linear);
	if (r == EXEC_NEXT)
		r = access__read(vcpu, linear, pointer, insn->opsize + 2,
				 system__operand_how(insn));
	if (r != EXEC_NEXT)
		return r;
	memcpy(&offset, pointer, insn->opsize);
	memcpy(&selector, pointer + insn->opsize, 2);
	r = segload__data(vcpu, seg, selector, &segment);
	if (r != EXEC_NEXT)
		return r;
	system__write_gpr(&vcpu->cpu, insn->reg, insn->opsize, offset);
	return commit(vcpu, seg, &segment, false);
}
