/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Jumps of generated code that lead directly to other blocks. Those within a page are never taken back: all blocks of
 * a page become stale together. Those from elsewhere bear the number of the context that they are good in, and each
 * page knows which lead to its blocks, to take them back when it is written.
 */
#include "engines/soft/translate/translate.h"

_Static_assert(SOFT_CODE_SIZE - 1 <= SOFT_LINK_SITE, "a place in the code area");

void soft__set_jump(struct soft_vcpu *soft, u32 site, const u8 *code)
{
	s32 displacement = (s32)(code - soft->area.execute) - (s32)(site + 4);

	memcpy(soft->area.write + site, &displacement, sizeof(displacement));
	stub__serialize();
}

static const u8 *target_of(const struct soft_vcpu *soft, u32 site)
{
	s32 displacement;

	memcpy(&displacement, soft->area.write + site, sizeof(displacement));
	return soft->area.execute + (s32)(site + 4) + displacement;
}

/* Where the jump bears its context's number. */
static u8 *number_at(const struct soft_vcpu *soft, u32 link)
{
	return soft->area.write + (link & SOFT_LINK_SITE) - (link & SOFT_LINK_READ ? soft->read_context : soft->far_context);
}

/* ---- who leads to a page ---- */

void link__emptied(struct soft_vcpu *soft)
{
	soft->nr_links = 0;
	soft->free_link = 0;
	soft->links_round++;
	soft->links_since = soft->last_context_id + 1;
}

/* A change of the context takes all of them back. */
static void forget_all(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;

	link__emptied(soft);
	soft->others++;
	soft__refresh_context(vcpu);
}

/* 1 + the index of one that is not in use. */
static u32 take_link(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;
	u32 number = soft->free_link;

	if (number) {
		soft->free_link = soft->links[number - 1].next;
		return number;
	}
	if (soft->nr_links == SOFT_LINKS)
		forget_all(vcpu);
	return ++soft->nr_links;
}

static void note(struct vcpu *vcpu, u32 link, struct block *block)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct code_page *page = block->page;
	u32 number, taken;

	memcpy(&number, number_at(soft, link), sizeof(number));
	/* Noted, and only out of date. */
	if (number && number >= soft->links_since && target_of(soft, link & SOFT_LINK_SITE) == block->code)
		return;
	taken = take_link(vcpu);
	if (page->links_round != soft->links_round) {
		page->links_round = soft->links_round;
		page->first_link = 0;
	}
	soft->links[taken - 1] = (struct link){
		.link = link & (SOFT_LINK_SITE | SOFT_LINK_READ),
		.next = page->first_link,
	};
	page->first_link = taken;
}

void link__take_back(struct soft_vcpu *soft, struct code_page *page)
{
	static const u32 none;
	struct link *link;
	u32 i;

	if (page->links_round != soft->links_round || !page->first_link)
		return;
	for (i = page->first_link; i; i = link->next) {
		link = &soft->links[i - 1];
		memcpy(number_at(soft, link->link), &none, sizeof(none));
	}
	link->next = soft->free_link;
	soft->free_link = page->first_link;
	page->first_link = 0;
	stub__serialize();
}

/* ---- making them ---- */

/* The jump that has read RIP from memory goes directly there while it reads the same. */
static void set_read(struct vcpu *vcpu, u32 link, struct block *block)
{
	struct soft_vcpu *soft = vcpu->soft;
	u32 site = link & SOFT_LINK_SITE;

	note(vcpu, link, block);
	memcpy(soft->area.write + site - soft->read_target, &vcpu->cpu.rip, sizeof(vcpu->cpu.rip));
	memcpy(number_at(soft, link), &soft->context_id, sizeof(soft->context_id));
	soft__set_jump(soft, site, block->code);
}

static void set_far(struct vcpu *vcpu, u32 link, u64 base, struct block *block)
{
	struct soft_vcpu *soft = vcpu->soft;
	u32 site = link & SOFT_LINK_SITE;

	block = trace__of(vcpu, block, base);
	/* It is asked again once that is recorded, or what somebody has asked for meanwhile is done. */
	if (soft->trace_head || __atomic_load_n(&vcpu->leave, __ATOMIC_RELAXED))
		return;
	note(vcpu, link, block);
	memcpy(soft->area.write + site - soft->far_base, &base, sizeof(base));
	memcpy(number_at(soft, link), &soft->context_id, sizeof(soft->context_id));
	soft__set_jump(soft, site, block->code);
}

void link__set(struct vcpu *vcpu, u32 link, u64 base, struct block *block)
{
	struct soft_vcpu *soft = vcpu->soft;

	if (link & SOFT_LINK_READ)
		set_read(vcpu, link, block);
	else if (link & SOFT_LINK_FAR)
		set_far(vcpu, link, base, block);
	else if (!block->next_page && !block__is_stale(block))
		soft__set_jump(soft, link & SOFT_LINK_SITE,
			       link & SOFT_LINK_FORWARD ? block->code + soft->check_size : block->code);
}
