/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that cross a page, which stand in no block with others: kept decoded for as long as neither page
 * is written and both are where they were. Those that are met often are translated. Such a translation is
 * good for all mappings of the two pages, but which pages these are is known in one context only.
 */
#include "engines/soft/translate/translate.h"

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
		c->gpa[i] = gpa;
		if (!host || !memory__code_mark(vcpu, gpa, &c->code_word[i], &c->code_value[i]))
			return false;
	}
	return true;
}

/* The instruction's bytes as they are now; false: there is no memory any more. */
static bool copy_bytes(struct vcpu *vcpu, const struct crossing *c, u8 *bytes)
{
	unsigned first = PAGE_SIZE_4K - (c->gpa[0] & ~PAGE_MASK_4K);
	const u8 *from[2];
	unsigned i;
	u64 avail;

	for (i = 0; i < ARRAY_LENGTH(from); i++) {
		from[i] = memory__pointer(vcpu->vm, c->gpa[i], false, &avail);
		if (!from[i])
			return false;
	}
	memcpy(bytes, from[0], first);
	memcpy(bytes + first, from[1], c->insn.len - first);
	return true;
}

/* A translation that was made of the same bytes. */
static struct block *find_translation(struct vcpu *vcpu, struct crossing *c)
{
	u32 mode = vcpu->soft->context & MODE_BLOCK;
	u8 bytes[INSN_MAX_LENGTH];
	struct block *block;

	block = block_cache__find_crossing(vcpu, c->gpa[0], mode);
	if (!block || block->next_page->gpa != (c->gpa[1] & PAGE_MASK_4K) ||
	    block->insn[0].len != c->insn.len || !copy_bytes(vcpu, c, bytes) ||
	    memcmp(block__code(block), bytes, c->insn.len))
		return NULL;
	return block;
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
	if ((linear & ~PAGE_MASK_4K) + c->insn.len <= PAGE_SIZE_4K)
		return false;
	c->linear = linear;
	c->context = vcpu->soft->context;
	c->heat = 0;
	c->flushes = vcpu->soft->flushes;
	c->block = find_translation(vcpu, c);
	return true;
}

bool crossing__is_known(const struct soft_vcpu *soft, u64 rip)
{
	const struct crossing *c = &soft->crossings[rip >> PAGE_SHIFT_4K & (SOFT_CROSSINGS - 1)];

	return c->linear == rip && c->context == soft->context;
}

/*
 * Those behind which the loop may have to look are executed by it, and branches that may lead out of the canonical half. (All programs
 * whose addresses are not random have their libraries near its end.)
 */
static bool may_be_translated(const struct vcpu *vcpu, const struct crossing *c)
{
	u32 mode = vcpu->soft->context & MODE_BLOCK;

	if ((c->insn.flags & INSN_BRANCH) && soft__is_near_edge(c->linear))
		return false;
	return !vcpu->soft->check && translate__takes_mode(mode) && c->insn.row->class != CLASS_SYSTEM &&
	       (u32)c->linear <= 0xffffffff - 2 * PAGE_SIZE_4K;
}

static struct block *translate(struct vcpu *vcpu, struct crossing *c)
{
	struct soft_vcpu *soft = vcpu->soft;
	u32 flushes = soft->flushes;
	u8 bytes[INSN_MAX_LENGTH];
	struct block *block;

	if (!soft__has_room(vcpu) || !copy_bytes(vcpu, c, bytes) || !is_current(c))
		return NULL;
	block = block__build_crossing(vcpu, c, bytes, soft->context & MODE_BLOCK);
	if (flushes != soft->flushes)
		return NULL;
	translate__block(vcpu, block, false);
	if (!block->code)
		return NULL;
	block_cache__add(&soft->cache, block, BLOCK_LONG);
	return block;
}

struct block *crossing__code(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;
	u64 linear = vcpu->cpu.rip;
	struct crossing *c = &soft->crossings[linear >> PAGE_SHIFT_4K & (SOFT_CROSSINGS - 1)];

	if (!soft->code_flat || !is_current(c) || c->flushes != soft->flushes)
		return NULL;
	if (!c->block) {
		/* Tried once: what has no translation gets none. */
		if (c->heat++ != soft->heat_limit || !may_be_translated(vcpu, c))
			return NULL;
		c->block = translate(vcpu, c);
		if (!c->block)
			return NULL;
	}
	/* Given up since: its stack was never where it had to be. */
	if (!c->block->code)
		return NULL;
	block_cache__note_crossing(soft, linear, c->block);
	return c->block;
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
