/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Near transfers. A target is checked before anything is committed: canonical form in 64-bit code,
 * the CS limit elsewhere, #GP(0) at the transferring instruction (SDM vol. 2, JMP, CALL, RET).
 *
 * The executors for 8-byte operands serve 64-bit code only.
 */
#include "core/emulate/condition.h"
#include "core/emulate/frame.h"
#include "core/emulate/stack.h"

static __always_inline u64 next_rip(const struct vcpu *vcpu, const struct insn *insn)
{
	return vcpu->cpu.rip + insn->len;
}

/* Whether the target, cut to the operand size already, may be jumped to. */
static bool target_is_valid(const struct x86_cpu *cpu, const struct insn *insn, u64 target)
{
	if (insn->code == 8)
		return linear_is_canonical(cpu, target);
	return target <= cpu->seg[X86_CS].limit;
}

static __always_inline u64 cut_target(u64 target, unsigned opsize)
{
	return opsize == 8 ? target : opsize == 4 ? (u32)target : (u16)target;
}

static NOINLINE enum exec_result jump_checked(struct vcpu *vcpu, const struct insn *insn,
					      u64 target)
{
	target = cut_target(target, insn->opsize);
	if (unlikely(!target_is_valid(&vcpu->cpu, insn, target)))
		return x86__raise_gp(vcpu, 0);
	vcpu->cpu.rip = target;
	return EXEC_JUMP;
}

static __always_inline enum exec_result jump64(struct vcpu *vcpu, const struct insn *insn,
					       u64 target)
{
	if (unlikely((u64)((s64)(target << 16) >> 16) != target))
		return jump_checked(vcpu, insn, target);
	vcpu->cpu.rip = target;
	return EXEC_JUMP;
}

static __always_inline enum exec_result jump32(struct vcpu *vcpu, const struct insn *insn,
					       u64 target)
{
	return jump_checked(vcpu, insn, target);
}

#define jump16 jump32

/* On Intel's processors the return address stands below the stack pointer then. */
static enum exec_result refuse_call(struct vcpu *vcpu, const struct insn *insn)
{
	struct frame_stack stack = frame__current(&vcpu->cpu);
	u64 item = next_rip(vcpu, insn);
	enum exec_result r = EXEC_NEXT;

	if (vcpu->cpuid.intel)
		r = frame__push(vcpu, &stack, &item, 1, insn->opsize);
	return r == EXEC_NEXT ? x86__raise_gp(vcpu, 0) : r;
}

/* Pushes the return address and jumps. */
static NOINLINE enum exec_result call_checked(struct vcpu *vcpu, const struct insn *insn,
					      u64 target)
{
	enum exec_result result;

	/* The stack is looked at first, written last. */
	result = stack__probe(vcpu, insn, vcpu->cpu.gpr[X86_RSP] - insn->opsize, insn->opsize);
	if (unlikely(result != EXEC_NEXT))
		return result;
	target = cut_target(target, insn->opsize);
	if (unlikely(!target_is_valid(&vcpu->cpu, insn, target)))
		return refuse_call(vcpu, insn);
	result = stack__push_slow(vcpu, insn, insn->opsize, next_rip(vcpu, insn));
	if (unlikely(result != EXEC_NEXT))
		return result;
	vcpu->cpu.rip = target;
	return EXEC_JUMP;
}

static __always_inline enum exec_result call64(struct vcpu *vcpu, const struct insn *insn,
					       u64 target)
{
	u64 sp = vcpu->cpu.gpr[X86_RSP] - 8;
	struct tlb_entry *e = tlb__slot(vcpu->view, sp);

	if (unlikely((u64)((s64)(target << 16) >> 16) != target ||
		     ((sp + 7) & PAGE_MASK_4K) != e->write))
		return call_checked(vcpu, insn, target);
	*(volatile u64 *)tlb__host(e, sp) = next_rip(vcpu, insn);
	vcpu->cpu.gpr[X86_RSP] = sp;
	vcpu->cpu.rip = target;
	return EXEC_JUMP;
}

static __always_inline enum exec_result call32(struct vcpu *vcpu, const struct insn *insn,
					       u64 target)
{
	return call_checked(vcpu, insn, target);
}

#define call16 call32

/* JMP and CALL, relative and through a register or memory. */
#define DEFINE_TRANSFER_SIZE(bits, suffix, op, go)                                                 \
	EXECUTOR op##_rel_ri##bits(struct vcpu *vcpu, const struct insn *insn)                     \
	{                                                                                          \
		return go##bits(vcpu, insn, next_rip(vcpu, insn) + insn->imm);                     \
	}                                                                                          \
	EXECUTOR op##_rr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return go##bits(vcpu, insn, GPR##bits(&vcpu->cpu, insn->dst));                     \
	}                                                                                          \
	EXECUTOR op##_from##bits(struct vcpu *vcpu, const struct insn *insn, void *p)              \
	{                                                                                          \
		return go##bits(vcpu, insn, *(volatile u##bits *)p);                               \
	}                                                                                          \
	EXECUTOR op##_mr##bits(struct vcpu *vcpu, const struct insn *insn)                         \
	{                                                                                          \
		return operand__read(vcpu, insn, bits / 8, op##_from##bits);                       \
	}

#define DEFINE_TRANSFER(op, go)                                                                    \
	FOR_WIDE_SIZES(DEFINE_TRANSFER_SIZE, op, go)                                               \
	const struct exec_forms forms_##op##_rel = { .fn = {                                       \
		[FORM_RI] = SIZES_WIDE(op##_rel, ri),                                              \
	} };                                                                                       \
	const struct exec_forms forms_##op = { .fn = {                                             \
		[FORM_RR] = SIZES_WIDE(op, rr),                                                    \
		[FORM_MR] = SIZES_WIDE(op, mr),                                                    \
	} };

DEFINE_TRANSFER(jmp, jump)
DEFINE_TRANSFER(call, call)

/* Jcc: a branch not taken falls through to the next instruction. */
#define DEFINE_JCC_SIZE(bits, suffix, cc)                                                          \
	EXECUTOR jcc_##cc##_ri##bits(struct vcpu *vcpu, const struct insn *insn)                   \
	{                                                                                          \
		if (!condition__##cc(vcpu->cpu.arith))                                             \
			return EXEC_NEXT;                                                          \
		return jump##bits(vcpu, insn, next_rip(vcpu, insn) + insn->imm);                   \
	}

#define DEFINE_JCC(cc)                                                                             \
	FOR_WIDE_SIZES(DEFINE_JCC_SIZE, cc)                                                        \
	const struct exec_forms forms_jcc_##cc = { .fn = { [FORM_RI] = SIZES_WIDE(jcc_##cc, ri) } };

CONDITIONS(DEFINE_JCC)

/* RET, releasing the immediate's bytes above the return address. */
static NOINLINE enum exec_result return_checked(struct vcpu *vcpu, const struct insn *insn,
						unsigned release)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	u64 target;

	result = stack__read(vcpu, insn, cpu->gpr[X86_RSP], insn->opsize, &target);
	if (unlikely(result != EXEC_NEXT))
		return result;
	if (unlikely(!target_is_valid(cpu, insn, target)))
		return x86__raise_gp(vcpu, 0);
	stack__set_pointer(cpu, insn, cpu->gpr[X86_RSP] + insn->opsize + release);
	cpu->rip = target;
	return EXEC_JUMP;
}

static enum exec_result ret_plain(struct vcpu *vcpu, const struct insn *insn)
{
	return return_checked(vcpu, insn, 0);
}

static enum exec_result ret_release(struct vcpu *vcpu, const struct insn *insn)
{
	return return_checked(vcpu, insn, (u16)insn->imm);
}

static enum exec_result ret_plain64(struct vcpu *vcpu, const struct insn *insn)
{
	u64 sp = vcpu->cpu.gpr[X86_RSP];
	struct tlb_entry *e = tlb__slot(vcpu->view, sp);
	u64 target;

	if (unlikely(((sp + 7) & PAGE_MASK_4K) != e->read))
		return return_checked(vcpu, insn, 0);
	target = *(const volatile u64 *)tlb__host(e, sp);
	if (unlikely((u64)((s64)(target << 16) >> 16) != target))
		return return_checked(vcpu, insn, 0);
	vcpu->cpu.gpr[X86_RSP] = sp + 8;
	vcpu->cpu.rip = target;
	return EXEC_JUMP;
}

const struct exec_forms forms_ret = { .fn = {
	[FORM_RR] = { NULL, ret_plain, ret_plain, ret_plain64 },
	[FORM_RI] = { NULL, ret_release, ret_release, ret_release },
} };

/* The counter of LOOP and JCXZ, as wide as addresses. */
static u64 counter(const struct x86_cpu *cpu, const struct insn *insn)
{
	return cpu->gpr[X86_RCX] & mask_of(insn->adsize);
}

static enum exec_result loop_if(struct vcpu *vcpu, const struct insn *insn, bool condition)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 count = (counter(cpu, insn) - 1) & mask_of(insn->adsize);
	enum exec_result result = EXEC_NEXT;

	if (count && condition) {
		result = jump_checked(vcpu, insn, next_rip(vcpu, insn) + insn->imm);
		if (result != EXEC_JUMP)
			return result;
	}
	if (insn->adsize == 2)
		SET_GPR16(cpu, OFF_RCX, count);
	else
		cpu->gpr[X86_RCX] = count;
	return result;
}

static enum exec_result loop_always(struct vcpu *vcpu, const struct insn *insn)
{
	return loop_if(vcpu, insn, true);
}

/* On AMD's processors a repeat prefix, if there is one, chooses between LOOPE and LOOPNE. */
static enum exec_result loop_while(struct vcpu *vcpu, const struct insn *insn, bool equal)
{
	if (unlikely(insn->flags & (INSN_REP | INSN_REPNE)) && !vcpu->cpuid.intel)
		equal = insn->flags & INSN_REP;
	return loop_if(vcpu, insn, equal == !!(vcpu->cpu.arith & RFLAGS_ZF));
}

static enum exec_result loop_equal(struct vcpu *vcpu, const struct insn *insn)
{
	return loop_while(vcpu, insn, true);
}

static enum exec_result loop_not_equal(struct vcpu *vcpu, const struct insn *insn)
{
	return loop_while(vcpu, insn, false);
}

static enum exec_result jump_if_no_count(struct vcpu *vcpu, const struct insn *insn)
{
	if (counter(&vcpu->cpu, insn))
		return EXEC_NEXT;
	return jump_checked(vcpu, insn, next_rip(vcpu, insn) + insn->imm);
}

#define COUNTER_FORMS(execute)                                                                     \
	{                                                                                          \
		.fn = { [FORM_RI] = { NULL, execute, execute, execute } }                          \
	}

const struct exec_forms forms_loop = COUNTER_FORMS(loop_always);
const struct exec_forms forms_loope = COUNTER_FORMS(loop_equal);
const struct exec_forms forms_loopne = COUNTER_FORMS(loop_not_equal);
const struct exec_forms forms_jcxz = COUNTER_FORMS(jump_if_no_count);
