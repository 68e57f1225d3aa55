/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that cross a page, which stand in no block: kept decoded for as long as neither page
 * is written and both are where they were.
 */
#include "engines/soft/soft.h"

static bool is_current(const struct crossing *c)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(c->code_word); i++)
		if (__atomic_load_n(c->code_word[i], __ATOMIC_ACQUIRE) != c->code_value[i])
			return false;
	return true;
}

/* Marks both pages before their bytes are read. false: executing it will tell why not. */
static bool mark_pages(struct vcpu *vcpu, struct crossing *c, u64 linear)
{
	u64 start[2] = { linear, (linear | ~PAGE_MASK_4K) + 1 };
	const u8 *host;
	unsigned i;
	u64 gpa;

	for (i = 0; i < ARRAY_LENGTH(start); i++) {
		if (access__fetch_page(vcpu, start[i], &gpa, &host) != EXEC_NEXT) {
			vcpu->exception.pending = false;
			return false;
		}
		if (!host || !memory__code_mark(vcpu, gpa, &c->code_word[i], &c->code_value[i]))
			return false;
	}
	return true;
}

/* Decodes the instruction at RIP into the entry; false if it is not one of these. */
static bool fill(struct vcpu *vcpu, struct crossing *c, u64 linear)
{
	c->context = 0;
	if (!mark_pages(vcpu, c, linear))
		return false;
	if (emulate__fetch(vcpu, &c->insn) != EXEC_NEXT ||
	    emulate__check(vcpu, &c->insn) != EXEC_NEXT) {
		vcpu->exception.pending = false;
		return false;
	}
	c->linear = linear;
	c->context = vcpu->soft->context;
	return (linear & ~PAGE_MASK_4K) + c->insn.len > PAGE_SIZE_4K;
}

bool crossing__is_known(const struct soft_vcpu *soft, u64 rip)
{
	const struct crossing *c = &soft->crossings[rip >> PAGE_SHIFT_4K & (SOFT_CROSSINGS - 1)];

	return c->linear == rip && c->context == soft->context;
}

enum exec_result crossing__execute(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 linear = cpu->rip;
	struct crossing *c = &soft->crossings[linear >> PAGE_SHIFT_4K & (SOFT_CROSSINGS - 1)];
	enum exec_result result;

	if (!soft->code_flat || (linear & ~PAGE_MASK_4K) + INSN_MAX_LENGTH <= PAGE_SIZE_4K ||
	    ((c->linear != linear || c->context != soft->context || !is_current(c)) &&
	     !fill(vcpu, c, linear))) {
		result = emulate__one(vcpu);
		soft__refresh_context(vcpu);
		return result;
	}
	result = c->insn.exec(vcpu, &c->insn);
	/* STAC, a segment register: other code of the same bytes goes on. */
	if (c->insn.row->class == CLASS_SYSTEM)
		soft__refresh_context(vcpu);
	if (result == EXEC_NEXT || result == EXEC_STOP) {
		cpu->rip += c->insn.len;
		if (c->insn.code != 8)
			cpu->rip = (u32)cpu->rip;
	}
	return result;
}
