/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about selectors: LAR, LSL, VERR, VERW, ARPL. The answer is ZF, never a fault. */
#include "core/emulate/segload.h"
#include "core/emulate/system.h"

static void set_zf(struct x86_cpu *cpu, bool zf)
{
	cpu->arith = (cpu->arith & ~RFLAGS_ZF) | (zf ? RFLAGS_ZF : 0);
}

/*
 * Reads the selector operand and its descriptor. *found is false for a null selector, one beyond
 * its table and one whose segment this privilege may not see.
 */
static enum exec_result look_up(struct vcpu *vcpu, const struct insn *insn, struct descriptor *d,
				bool *found)
{
	enum exec_result r;
	unsigned dpl;
	u16 selector;

	*found = false;
	r = system__read_ew(vcpu, insn, &selector);
	if (r != EXEC_NEXT)
		return r;
	if (selector__is_null(selector) || !segload__locate(&vcpu->cpu, selector, &d->linear))
		return EXEC_NEXT;
	d->high = 0;
	r = access__read(vcpu, d->linear, &d->low, 8, ACCESS_IMPLICIT);
	if (r != EXEC_NEXT)
		return r;
	dpl = descriptor__dpl(d->low);
	*found = (descriptor__is_code(d->low) && descriptor__is_conforming(d->low)) ||
		 (vcpu->cpu.cpl <= dpl && (selector & SELECTOR_RPL) <= dpl);
	return EXEC_NEXT;
}

/* System types that LAR and LSL know, a bit per type (APM vol. 3, tables of LAR and LSL). */
#define LSL_TYPES                                                                                  \
	(1u << SYSTEM_TSS16 | 1u << SYSTEM_LDT | 1u << SYSTEM_TSS16_BUSY | 1u << SYSTEM_TSS |      \
	 1u << SYSTEM_TSS_BUSY)
#define LAR_TYPES                                                                                  \
	(LSL_TYPES | 1u << SYSTEM_CALL16 | 1u << SYSTEM_TASK_GATE | 1u << SYSTEM_CALL)
#define LONG_TYPES                                                                                 \
	(1u << SYSTEM_LDT | 1u << SYSTEM_TSS | 1u << SYSTEM_TSS_BUSY | 1u << SYSTEM_CALL)

static bool has_type(const struct x86_cpu *cpu, u64 low, u32 types)
{
	if (descriptor__is_segment(low))
		return true;
	if (cpu->long_mode)
		types &= LONG_TYPES;
	return types >> descriptor__type(low) & 1;
}

enum exec_result system__lar(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor d;
	bool found;
	enum exec_result r = look_up(vcpu, insn, &d, &found);

	if (r != EXEC_NEXT)
		return r;
	found = found && has_type(cpu, d.low, LAR_TYPES);
	if (found)
		system__write_gpr(cpu, insn->reg, insn->opsize, d.low >> 32 & 0xffff00);
	set_zf(cpu, found);
	return EXEC_NEXT;
}

enum exec_result system__lsl(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor d;
	bool found;
	enum exec_result r = look_up(vcpu, insn, &d, &found);

	if (r != EXEC_NEXT)
		return r;
	found = found && has_type(cpu, d.low, LSL_TYPES);
	if (found)
		system__write_gpr(cpu, insn->reg, insn->opsize, descriptor__limit(d.low));
	set_zf(cpu, found);
	return EXEC_NEXT;
}

enum exec_result system__verr(struct vcpu *vcpu, const struct insn *insn)
{
	struct descriptor d;
	bool found;
	enum exec_result r = look_up(vcpu, insn, &d, &found);

	if (r != EXEC_NEXT)
		return r;
	set_zf(&vcpu->cpu, found && descriptor__is_segment(d.low) &&
				   (!descriptor__is_code(d.low) ||
				    (descriptor__type(d.low) & SEG_TYPE_READABLE)));
	return EXEC_NEXT;
}

enum exec_result system__verw(struct vcpu *vcpu, const struct insn *insn)
{
	struct descriptor d;
	bool found;
	enum exec_result r = look_up(vcpu, insn, &d, &found);

	if (r != EXEC_NEXT)
		return r;
	set_zf(&vcpu->cpu, found && descriptor__is_segment(d.low) && !descriptor__is_code(d.low) &&
				   (descriptor__type(d.low) & SEG_TYPE_WRITABLE));
	return EXEC_NEXT;
}

enum exec_result system__arpl(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u16 rpl = cpu->gpr[insn->reg] & SELECTOR_RPL;
	enum exec_result r;
	u64 linear = 0;
	u16 selector;

	/* Written only if it changes: until then a segment or page that is only readable will do. */
	if (insn->flags & INSN_MEM) {
		r = emulate__operand(vcpu, insn, 2, false, &linear);
		if (r == EXEC_NEXT)
			r = access__read16(vcpu, vcpu->view, linear, &selector);
		if (r != EXEC_NEXT)
			return r;
	} else {
		selector = cpu->gpr[insn->rm];
	}
	if ((selector & SELECTOR_RPL) >= rpl) {
		set_zf(cpu, false);
		return EXEC_NEXT;
	}
	selector = (selector & ~SELECTOR_RPL) | rpl;
	if (insn->flags & INSN_MEM) {
		r = emulate__operand(vcpu, insn, 2, true, &linear);
		if (r == EXEC_NEXT)
			r = access__write16(vcpu, vcpu->view, linear, selector);
		if (r != EXEC_NEXT)
			return r;
	} else {
		system__write_gpr(cpu, insn->rm, 2, selector);
	}
	set_zf(cpu, true);
	return EXEC_NEXT;
}
