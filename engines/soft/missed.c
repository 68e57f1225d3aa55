/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done when a look-up for several operands fails: the TLB is filled, or the code made anew. */
#include "core/memory/access.h"
#include "engines/soft/translate/translate.h"

/* In this time look-ups of one block fail again only if they drive each other out. */
#define REFILL_CYCLES 10000

/* Sets no dirty bit: what is to be written is found only if that is set already. */
static bool refill(struct vcpu *vcpu, const struct block *block, u64 linear)
{
	struct soft_vcpu *soft = vcpu->soft;
	u64 now = host__rdtsc();

	if (tlb__read(vcpu->view, linear, 1))
		return false;
	if (soft->refilled != block || now - soft->refilled_at > REFILL_CYCLES)
		soft->refills = 0;
	if (soft->refills++ == SOFT_GROUP_SPANS) {
		soft->refills = 0;
		return false;
	}
	soft->refilled = block;
	soft->refilled_at = now;
	if (access__probe_read(vcpu, linear, 1, 0) != EXEC_NEXT) {
		vcpu->exception.pending = false;
		return false;
	}
	return tlb__read(vcpu->view, linear, 1);
}

/* What comes to the old code goes on to the new one; nothing leads to the first five bytes but entries. */
static void redirect(struct soft_vcpu *soft, u32 from, u32 to)
{
	s32 displacement = (s32)to - (s32)(from + 5);

	soft->area.write[from] = 0xe9; /* jmp */
	memcpy(soft->area.write + from + 1, &displacement, sizeof(displacement));
}

static bool may_translate(struct vcpu *vcpu)
{
	return !vcpu->soft->check && soft__has_room(vcpu);
}

/* Once more, for the registers of this moment. */
static void translate_again(struct vcpu *vcpu, struct block *block, bool plain)
{
	const u8 **code = plain ? &block->plain : &block->code, *old = *code;
	struct soft_vcpu *soft = vcpu->soft;
	u32 from, to;

	translate__block(vcpu, block, plain);
	if (*code == old)
		return;
	if (!plain)
		block->versions = 0;
	from = old - soft->area.execute;
	to = *code - soft->area.execute;
	redirect(soft, from, to);
	redirect(soft, from + soft->check_size, to + soft->check_size);
	if (!plain && block->plain)
		soft__lead_to_plain(soft, block);
	/* A loop in the old code looks at this after each round, and comes to the new. */
	vcpu->leave = 1;
	stub__serialize();
}

static void note_miss(struct vcpu *vcpu, struct block *block, bool plain)
{
	u64 now = host__rdtsc();
	u64 limit = block->retries ? SOFT_GROUP_APART_MISS_CYCLES :
				     SOFT_GROUP_MISS_CYCLES + block->count * SOFT_GROUP_INSN_CYCLES;

	if (!block->misses++)
		block->missed_since = now;
	if (block->misses < SOFT_GROUP_MISSES)
		return;
	block->misses = 0;
	if (now - block->missed_since > SOFT_GROUP_MISSES * limit || !may_translate(vcpu))
		return;
	block->retries++;
	translate_again(vcpu, block, plain);
}

static void keep_moment(struct vcpu *vcpu, struct block *block)
{
	struct straddle_moments *m = soft__straddling(vcpu->soft, block);
	unsigned i;

	if (m->block != block)
		memset(m, 0, sizeof(*m));
	m->block = block;
	for (i = 0; i < X86_NR_GPR; i++)
		m->offset[block->straddles][i] = vcpu->cpu.gpr[i] & ~PAGE_MASK_4K;
	block->straddles++;
}

/*
 * Operands on two pages go on apart without a call, which suits those that move on through memory. Those that stay
 * where they are would do so each time.
 */
static void note_straddle(struct vcpu *vcpu, struct block *block, bool plain)
{
	if (block->straddles == SOFT_STRADDLE_MOMENTS || !may_translate(vcpu))
		return;
	keep_moment(vcpu, block);
	/* Once more than that, and no operands would share anything. */
	if (block->retries < SOFT_GROUP_RETRIES)
		block->retries++;
	translate_again(vcpu, block, plain);
}

/*
 * Of those that move on, one that goes on apart for a good part of its time: an array of which it looks at elements far apart. This is
 * most likely the one that is here now.
 */
static void note_straddles(struct vcpu *vcpu, struct block *block, bool plain)
{
	struct soft_vcpu *soft = vcpu->soft;
	u64 now = host__rdtsc();

	if (now - soft->straddles_since < SOFT_STRADDLES_ANY * SOFT_STRADDLE_CYCLES)
		note_straddle(vcpu, block, plain);
	soft->straddles_since = now;
}

/*
 * Before a loop operands are on two pages, so that block->plain does its rounds. Another version is made for that, whose
 * look-ups do not go over the page's end as it lies now. It is tried where those of the last version fail.
 */
static void add_version(struct vcpu *vcpu, struct block *block)
{
	const u8 *code = block->code, *version;
	struct soft_vcpu *soft = vcpu->soft;
	u32 site = block->version_site, stack_site = block->stack_site;

	if (block->versions == SOFT_LOOP_VERSIONS || !site || !may_translate(vcpu))
		return;
	translate__block(vcpu, block, false);
	version = block->code;
	if (version == code)
		return;
	block->code = code;
	block->stack_site = stack_site;
	block->versions++;
	soft->loop_versions++;
	soft__set_jump(soft, site, version);
	if (block->plain)
		soft__lead_to_plain(soft, block);
}

bool soft__group_missed(struct vcpu *vcpu, u64 block, u64 linear)
{
	struct block *missed = (struct block *)(block & ~3ULL);
	bool live = vcpu->soft->vectors.live, found = false;
	struct soft_vcpu *soft = vcpu->soft;

	if (unlikely(vcpu->soft->groups_apart))
		soft__park_vectors();
	if (block & 2) {
		soft->loop_straddles_left = SOFT_LOOP_STRADDLES;
		add_version(vcpu, missed);
	} else if (!soft->straddle_countdown) {
		soft->straddle_countdown = SOFT_STRADDLES;
		note_straddle(vcpu, missed, block & 1);
	} else if (!soft->straddles_left) {
		soft->straddles_left = SOFT_STRADDLES_ANY;
		note_straddles(vcpu, missed, block & 1);
	} else {
		found = refill(vcpu, missed, linear);
		if (!found)
			note_miss(vcpu, missed, block & 1);
	}
	/* Memory for code, and names of it, come from libc; vector instructions may follow at once. */
	if (live)
		soft__vectors_make_live(vcpu);
	return found;
}
