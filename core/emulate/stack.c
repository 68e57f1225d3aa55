/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH, POP, PUSHA, POPA, ENTER, LEAVE. */
#include "core/emulate/stack.h"

enum exec_result stack__read(struct vcpu *vcpu, const struct insn *insn, u64 sp, unsigned size,
			     u64 *value)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	u64 linear, copy = 0;
	const void *p;

	result = segment__linear(vcpu, cpu, X86_SS, sp & stack__mask(cpu, insn), size, false,
				 &linear);
	if (unlikely(result != EXEC_NEXT))
		return result;
	p = tlb__read(vcpu->view, linear, size);
	if (likely(p)) {
		if (size == 8)
			*value = *(const volatile u64 *)p;
		else if (size == 4)
			*value = *(const volatile u32 *)p;
		else
			*value = *(const volatile u16 *)p;
		return EXEC_NEXT;
	}
	result = access__read(vcpu, linear, &copy, size, ACCESS_STACK);
	*value = copy;
	return result;
}

enum exec_result stack__write(struct vcpu *vcpu, const struct insn *insn, u64 sp, unsigned size,
			      u64 value)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	u64 linear;
	void *p;

	result = segment__linear(vcpu, cpu, X86_SS, sp & stack__mask(cpu, insn), size, true,
				 &linear);
	if (unlikely(result != EXEC_NEXT))
		return result;
	p = tlb__write(vcpu->view, linear, size);
	if (unlikely(!p))
		return access__write(vcpu, linear, &value, size, ACCESS_STACK);
	if (size == 8)
		*(volatile u64 *)p = value;
	else if (size == 4)
		*(volatile u32 *)p = value;
	else
		*(volatile u16 *)p = value;
	return EXEC_NEXT;
}

enum exec_result stack__probe(struct vcpu *vcpu, const struct insn *insn, u64 sp, unsigned size)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	u64 linear;

	result = segment__linear(vcpu, cpu, X86_SS, sp & stack__mask(cpu, insn), size, true,
				 &linear);
	if (result != EXEC_NEXT)
		return result;
	return access__probe_write(vcpu, linear, size, ACCESS_STACK);
}

enum exec_result stack__push_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				  u64 value)
{
	u64 sp = vcpu->cpu.gpr[X86_RSP] - size;
	enum exec_result result;

	result = stack__write(vcpu, insn, sp, size, value);
	if (likely(result == EXEC_NEXT))
		stack__set_pointer(&vcpu->cpu, insn, sp);
	return result;
}

#define DEFINE_PUSH(bits, ...)                                                                     \
	static __always_inline enum exec_result push_value##bits(                                  \
		struct vcpu *vcpu, const struct insn *insn, u##bits value)                         \
	{                                                                                          \
		if (bits == 64)                                                                    \
			return stack__push64(vcpu, insn, value);                                   \
		return stack__push_slow(vcpu, insn, bits / 8, value);                              \
	}                                                                                          \
	EXECUTOR push_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return push_value##bits(vcpu, insn, GPR##bits(&vcpu->cpu, insn->dst));             \
	}                                                                                          \
	EXECUTOR push_ri##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return push_value##bits(vcpu, insn, insn->imm);                                    \
	}                                                                                          \
	EXECUTOR push_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		return push_value##bits(vcpu, insn, *(volatile u##bits *)p);                       \
	}                                                                                          \
	EXECUTOR push_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, push_from##bits);                       \
	}

FOR_WIDE_SIZES(DEFINE_PUSH)

const struct exec_forms forms_push = { .fn = {
	[FORM_RR] = SIZES_WIDE(push, rr),
	[FORM_RI] = SIZES_WIDE(push, ri),
	[FORM_MR] = SIZES_WIDE(push, mr),
} };

/* The register is written after the stack pointer: POP rSP loads the popped value. */
static NOINLINE enum exec_result pop_register(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	u64 value;

	result = stack__read(vcpu, insn, cpu->gpr[X86_RSP], insn->opsize, &value);
	if (unlikely(result != EXEC_NEXT))
		return result;
	stack__set_pointer(cpu, insn, cpu->gpr[X86_RSP] + insn->opsize);
	if (insn->opsize == 2)
		SET_GPR16(cpu, insn->dst, value);
	else
		SET_GPR64(cpu, insn->dst, value);
	return EXEC_NEXT;
}

static enum exec_result pop_rr64(struct vcpu *vcpu, const struct insn *insn)
{
	u64 sp = vcpu->cpu.gpr[X86_RSP];
	struct tlb_entry *e = tlb__slot(vcpu->view, sp);
	u64 value;

	if (unlikely(((sp + 7) & PAGE_MASK_4K) != e->read))
		return pop_register(vcpu, insn);
	value = *(const volatile u64 *)tlb__host(e, sp);
	vcpu->cpu.gpr[X86_RSP] = sp + 8;
	SET_GPR64(&vcpu->cpu, insn->dst, value);
	return EXEC_NEXT;
}

/* An rSP-based destination is addressed with the incremented pointer (APM vol. 3, POP). */
static enum exec_result pop_memory(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 rsp = cpu->gpr[X86_RSP];
	enum exec_result result;
	u64 value;

	result = stack__read(vcpu, insn, rsp, insn->opsize, &value);
	if (result != EXEC_NEXT)
		return result;
	stack__set_pointer(cpu, insn, rsp + insn->opsize);
	result = operand__write_slow(vcpu, insn, insn->opsize, value);
	if (result != EXEC_NEXT)
		cpu->gpr[X86_RSP] = rsp;
	return result;
}

const struct exec_forms forms_pop = { .fn = {
	[FORM_RR] = { NULL, pop_register, pop_register, pop_rr64 },
	[FORM_MR] = { NULL, pop_memory, pop_memory, pop_memory },
} };

/* What was pushed before a fault stays below the stack pointer, as on a processor. */
static enum exec_result push_all(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 top = cpu->gpr[X86_RSP];
	enum exec_result result = EXEC_NEXT;
	unsigned size = insn->opsize, i;

	for (i = 0; i < 8 && result == EXEC_NEXT; i++)
		result = stack__write(vcpu, insn, top - (i + 1) * size, size, cpu->gpr[i]);
	if (result == EXEC_NEXT)
		stack__set_pointer(cpu, insn, top - 8 * size);
	return result;
}

/*
 * The stored stack pointer is skipped. Registers are loaded one by one: those before a fault have
 * changed, as on a processor; the stack pointer has not, so executing it again does no harm.
 */
static enum exec_result pop_all(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 top = cpu->gpr[X86_RSP], value;
	unsigned size = insn->opsize;
	int i;

	for (i = 7; i >= 0; i--) {
		enum exec_result result;

		result = stack__read(vcpu, insn, top + (7 - i) * size, size, &value);
		if (result != EXEC_NEXT)
			return result;
		if (i == X86_RSP)
			continue;
		if (size == 2)
			SET_GPR16(cpu, i * 8, value);
		else
			SET_GPR32(cpu, i * 8, value);
	}
	stack__set_pointer(cpu, insn, top + 8 * size);
	return EXEC_NEXT;
}

const struct exec_forms forms_pusha = { .fn = { [FORM_RR] = { NULL, push_all, push_all } } };
const struct exec_forms forms_popa = { .fn = { [FORM_RR] = { NULL, pop_all, pop_all } } };

/*
 * The outer frames' pointers are copied one by one, as what is pushed may overlap with what is
 * read. What lies below the stack pointer may have been written when a later access faults, as on
 * a processor; registers have not. The new top of the stack must be writable.
 */
static enum exec_result enter_frame(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned size = insn->opsize, level = insn->imm2 & 31, i;
	u64 mask = stack__mask(cpu, insn), rsp = cpu->gpr[X86_RSP];
	u64 sp = rsp - size, bp = cpu->gpr[X86_RBP];
	u64 value, frame = (rsp & ~mask) | (sp & mask);
	enum exec_result result;

	result = stack__write(vcpu, insn, sp, size, bp);
	for (i = 1; i < level && result == EXEC_NEXT; i++) {
		bp -= size;
		sp -= size;
		result = stack__read(vcpu, insn, bp, size, &value);
		if (result == EXEC_NEXT)
			result = stack__write(vcpu, insn, sp, size, value);
	}
	if (level && result == EXEC_NEXT) {
		sp -= size;
		result = stack__write(vcpu, insn, sp, size, frame);
	}
	sp -= (u16)insn->imm;
	if (result == EXEC_NEXT)
		result = stack__probe(vcpu, insn, sp, size);
	if (result != EXEC_NEXT)
		return result;
	/* Of a 16-bit frame pointer or a 16-bit stack, only BP. */
	if (size == 2 || mask == 0xffff)
		SET_GPR16(cpu, X86_RBP * 8, frame);
	else
		cpu->gpr[X86_RBP] = frame & mask;
	stack__set_pointer(cpu, insn, sp);
	return EXEC_NEXT;
}

const struct exec_forms forms_enter = { .fn = {
	[FORM_RR] = { NULL, enter_frame, enter_frame, enter_frame },
} };

static NOINLINE enum exec_result leave_frame(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 bp = cpu->gpr[X86_RBP];
	enum exec_result result;
	u64 value;

	result = stack__read(vcpu, insn, bp, insn->opsize, &value);
	if (result != EXEC_NEXT)
		return result;
	stack__set_pointer(cpu, insn, bp + insn->opsize);
	if (insn->opsize == 2)
		SET_GPR16(cpu, X86_RBP * 8, value);
	else
		cpu->gpr[X86_RBP] = value;
	return EXEC_NEXT;
}

static enum exec_result leave_rr64(struct vcpu *vcpu, const struct insn *insn)
{
	u64 bp = vcpu->cpu.gpr[X86_RBP];
	struct tlb_entry *e = tlb__slot(vcpu->view, bp);

	if (unlikely(((bp + 7) & PAGE_MASK_4K) != e->read))
		return leave_frame(vcpu, insn);
	vcpu->cpu.gpr[X86_RBP] = *(const volatile u64 *)tlb__host(e, bp);
	vcpu->cpu.gpr[X86_RSP] = bp + 8;
	return EXEC_NEXT;
}

const struct exec_forms forms_leave = { .fn = {
	[FORM_RR] = { NULL, leave_frame, leave_frame, leave_rr64 },
} };
