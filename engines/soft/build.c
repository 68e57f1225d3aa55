/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding guest code into blocks. */
#include "engines/soft/translate/translate.h"

static enum exec_result execute_undefined(struct vcpu *vcpu, const struct insn *insn)
{
	return x86__raise_ud(vcpu);
}

static enum exec_result execute_too_long(struct vcpu *vcpu, const struct insn *insn)
{
	return x86__raise_gp(vcpu, 0);
}

static void set_raising(struct insn *insn, exec_fn *exec)
{
	insn->exec = exec;
	insn->row = NULL;
	insn->flags = INSN_STOP;
}

/*
 * Decodes one instruction of the block. The bytes are copied first: other vCPUs and devices may
 * write them meanwhile, and decoder and cache must see one version. bytes[] has room for them.
 */
static enum decode_result decode_one(struct vcpu *vcpu, const u8 *code, unsigned avail, u32 mode,
				     struct insn *insn, u8 *bytes)
{
	enum decode_result result;

	avail = MIN_OF(avail, INSN_MAX_LENGTH + 1);
	memcpy(bytes, code, avail);
	result = decode__insn(bytes, avail, mode & MODE_CODE_SIZE, insn);
	switch (result) {
	case DECODE_OK:
		if (emulate__check(vcpu, insn) != EXEC_NEXT) {
			vcpu->exception.pending = false;
			set_raising(insn, execute_undefined);
		} else if (insn->row->class == CLASS_SYSTEM && !soft__keeps_mode(insn)) {
			/* May change what the loop keeps: let it look after each. */
			insn->flags |= INSN_STOP;
		}
		break;
	case DECODE_UNDEFINED:
		set_raising(insn, execute_undefined);
		/* What is compared with memory later: the decoder does not count the byte that made it undefined. */
		insn->len = MIN_OF(avail, INSN_MAX_LENGTH);
		break;
	case DECODE_TOO_LONG:
		set_raising(insn, execute_too_long);
		break;
	case DECODE_SHORT:
		break;
	}
	return result;
}

/* A block that was interpreted, of the address and mode that instructions are decoded for, and how many of its own were copied. */
struct interpreted {
	const struct block *block; /* or NULL */
	unsigned count;
	unsigned bytes;
};

/* The same by copying what was interpreted: it holds as long as its bytes are those in memory. */
static bool copy_decoded(struct interpreted *old, struct insn *insn, const u8 *code, unsigned avail, u8 *bytes)
{
	const struct insn *from;
	const u8 *was;

	if (!old->block || old->count == old->block->count)
		return false;
	from = &old->block->insn[old->count];
	was = block__code(old->block) + old->bytes;
	if (from->len > avail || memcmp(was, code, from->len)) {
		old->block = NULL;
		return false;
	}
	memcpy(bytes, was, from->len);
	*insn = *from;
	old->count++;
	old->bytes += from->len;
	return true;
}

static bool is_jump(const struct insn *insn)
{
	return insn->map == MAP_1BYTE && (insn->opcode & 0xfd) == 0xe9;
}

/* Whether the branch, with which it ends, has been interpreted, and has jumped each time. */
static bool always_jumped(const struct interpreted *old)
{
	return old->block && old->count == old->block->count && old->block->link[WAY_JUMP].rip &&
	       !old->block->link[WAY_NEXT].rip;
}

/*
 * Whether code at this offset from the page's begin is translated with what jumps there. Only forwards: what is translated has no
 * look whether to leave between its instructions. Near the page's end an instruction may stand on two pages.
 */
static bool may_follow(struct block_cache *cache, const struct block *block, s32 from, s64 target)
{
	return target >= from && target <= PAGE_SIZE_4K - INSN_MAX_LENGTH &&
	       !block_cache__has_code(cache, (block->gpa & PAGE_MASK_4K) + target, block->mode);
}

/*
 * Whether a BLOCK_LONG goes on behind its branch, which ends at *at. Code behind a conditional jump is translated with it, but if that
 * has always jumped, what it leads to, as behind a JMP: *at and *jumps are set then, also where the block ends with that, so that it
 * goes there without a detour. Not behind a jump to the block's beginning: code that a loop does not come to would only
 * stand in its way (translate/loop.c).
 */
static bool goes_on(struct soft_vcpu *soft, const struct block *block, const struct insn *insn, const struct interpreted *old,
		    s32 *at, bool *jumps)
{
	bool conditional = translate__is_conditional(insn), follows;
	s64 target = *at + (s64)insn->imm;

	if (!conditional && !is_jump(insn))
		return false;
	if (conditional && (block->gpa & PAGE_MASK_4K) + target == block->gpa)
		return false;
	if (conditional && !soft->follows && !always_jumped(old))
		return true;
	/* Executors do these. */
	if (insn->opsize != (block->mode & MODE_CODE_SIZE) || target != (s32)target)
		return conditional;
	follows = may_follow(&soft->cache, block, *at, target);
	if (follows || conditional) {
		*at = target;
		*jumps = true;
	}
	return follows;
}

static bool ends_block(const struct soft_vcpu *soft, const struct insn *insn, enum block_kind kind)
{
	if (insn->flags & INSN_STOP)
		return kind != BLOCK_LONG || soft->check || !soft__keeps_mode_translated(insn);
	return insn->flags & INSN_BRANCH && kind != BLOCK_LONG;
}

/*
 * What has been translated already is jumped to. So is what may soon be, as other code has jumped there: both
 * would translate what follows. Behind a branch begins a BLOCK_SHORT in any case. STI is done in line only if the
 * next instruction stands with it; behind it, too, one begins in any case.
 */
static bool goes_on_elsewhere(struct block_cache *cache, u64 gpa, u32 mode, const struct insn *last)
{
	if (last->flags & INSN_STOP)
		return false;
	return block_cache__has_code(cache, gpa, mode) ||
	       (!(last->flags & INSN_BRANCH) && block_cache__short_at(cache, gpa, mode));
}

/* Where a block that is not BLOCK_LONG goes. There is room for the record of its page, too. */
static struct block *make_room(struct vcpu *vcpu, enum block_kind kind)
{
	struct block_cache *cache = &vcpu->soft->cache;

	if (kind == BLOCK_ONCE)
		return cache->once;
	if (!room__grow(vcpu, ROOM_BLOCKS, cache->used + BLOCK_MOST))
		block_cache__flush(vcpu);
	if (kind == BLOCK_SHORT && !room__grow(vcpu, ROOM_YOUNG, cache->young_used + BLOCK_MOST))
		block_cache__flush_young(vcpu);
	return (struct block *)(cache->young + cache->young_used);
}

static void begin(struct vcpu *vcpu, struct block *block, u64 gpa, u32 mode)
{
	block->gpa = gpa;
	block->mode = mode;
	block->count = 0;
	block->bytes = 0;
	block->heat = 0;
	block->checks = 0;
	block->verified = vcpu->soft->outside;
	block->is_too_long = false;
	block->retries = vcpu->soft->groups_apart ? SOFT_GROUP_APART : 0;
	block->straddles = 0;
	block->versions = 0;
	block->misses = 0;
	block->code = NULL;
	block->plain = NULL;
	block->stack_site = 0;
	block->loop_site = 0;
	block->version_site = 0;
	block->next_page = NULL;
	block->trace = NULL;
	block->tries = 0;
	block->at = NULL;
	memset(block->link, 0, sizeof(block->link));
}

/* Where its instructions stand, if they do not stand one behind the other. */
static void keep_offsets(struct block *block, const s32 *offsets)
{
	block->at = (s32 *)ALIGN_UP_TO((u64)(block__code(block) + block->bytes), sizeof(s32));
	memcpy(block->at, offsets, (block->count + 1) * sizeof(*offsets));
}

static size_t bytes_of(const struct block *block)
{
	const u8 *end = block->at ? (const u8 *)&block->at[block->count + 1] : (const u8 *)block__code(block) + block->bytes;

	return ALIGN_UP_TO(end - (const u8 *)block, BLOCK_UNIT);
}

struct block *block__build(struct vcpu *vcpu, u64 gpa, u32 mode, enum block_kind kind, const struct block *decoded)
{
	struct block_cache *cache = &vcpu->soft->cache;
	u8 bytes[SOFT_BLOCK_INSNS * INSN_MAX_LENGTH + 1];
	struct interpreted old = { decoded };
	s32 at = gpa & ~PAGE_MASK_4K;
	s32 offsets[SOFT_BLOCK_INSNS + 1];
	struct code_page *page;
	struct block *block;
	unsigned branched = 0; /* instructions up to the last branch */
	bool alone, jumps = false;
	u32 flushes;
	const u8 *code;
	u64 avail;

	flushes = vcpu->soft->flushes;
	block = make_room(vcpu, kind);
	/* It stood in what was emptied. */
	if (flushes != vcpu->soft->flushes)
		old.block = NULL;
	page = kind == BLOCK_ONCE ? NULL : block_cache__page(vcpu, gpa);
	if (kind == BLOCK_LONG)
		block = (struct block *)(cache->arena + cache->used); /* behind the page's record */
	/* Marked before the bytes are read: a write after this makes the block stale. */
	if (!memory__code_mark(vcpu, gpa, &block->code_word, &block->code_value))
		return NULL;
	/* Only now: while marking waited, the memory map may have changed. */
	code = memory__pointer(vcpu->vm, gpa & PAGE_MASK_4K, false, &avail);
	begin(vcpu, block, gpa, mode);
	block->page = page;
	while (block->count < SOFT_BLOCK_INSNS && at < PAGE_SIZE_4K) {
		struct insn *insn = &block->insn[block->count];

		if (!copy_decoded(&old, insn, code + at, PAGE_SIZE_4K - at, bytes + block->bytes) &&
		    decode_one(vcpu, code + at, PAGE_SIZE_4K - at, mode, insn, bytes + block->bytes) == DECODE_SHORT)
			break;
		alone = vcpu->soft->check && check__stands_alone(insn);
		if (alone && block->count)
			break;
		offsets[block->count++] = at;
		block->bytes += insn->len;
		at += insn->len;
		if (alone || ends_block(vcpu->soft, insn, kind))
			break;
		if (insn->flags & INSN_BRANCH) {
			if (!goes_on(vcpu->soft, block, insn, &old, &at, &jumps))
				break;
			branched = block->count;
		}
		if (insn->flags & (INSN_BRANCH | INSN_STOP))
			old = (struct interpreted){ block_cache__short_at(cache, (gpa & PAGE_MASK_4K) + at, mode) };
		if (branched && block->count >= SOFT_BLOCK_BRANCHING &&
		    block->count - branched < SOFT_BLOCK_STRAIGHT)
			break;
		if (kind == BLOCK_LONG && goes_on_elsewhere(cache, (gpa & PAGE_MASK_4K) + at, mode, insn))
			break;
	}
	if (!block->count)
		return NULL;
	offsets[block->count] = at;
	memcpy(block__code(block), bytes, block->bytes);
	if (jumps)
		keep_offsets(block, offsets);
	if (kind == BLOCK_SHORT)
		cache->young_used += bytes_of(block);
	if (kind != BLOCK_LONG)
		return block;
	block_cache__put_on_page(vcpu, block);
	cache->used += bytes_of(block);
	return block;
}

struct block *block__build_crossing(struct vcpu *vcpu, const struct crossing *crossing, const u8 *bytes, u32 mode)
{
	struct block_cache *cache = &vcpu->soft->cache;
	struct code_page *page, *next_page;
	struct block *block;

	make_room(vcpu, BLOCK_LONG);
	page = block_cache__page(vcpu, crossing->gpa[0]);
	next_page = block_cache__page(vcpu, crossing->gpa[1]);
	block = (struct block *)(cache->arena + cache->used);
	begin(vcpu, block, crossing->gpa[0], mode | MODE_CROSSING);
	block->code_word = crossing->code_word[0];
	block->code_value = crossing->code_value[0];
	block->page = page;
	block->next_page = next_page;
	block->insn[0] = crossing->insn;
	block->count = 1;
	block->bytes = PAGE_SIZE_4K - (block->gpa & ~PAGE_MASK_4K);
	memcpy(block__code(block), bytes, crossing->insn.len);
	block_cache__put_on_page(vcpu, block);
	cache->used += ALIGN_UP_TO(sizeof(*block) + sizeof(block->insn[0]) + crossing->insn.len, BLOCK_UNIT);
	return block;
}

struct block *block__begin_trace(struct vcpu *vcpu, struct block *head, u64 next)
{
	struct block_cache *cache = &vcpu->soft->cache;
	struct code_page *next_page;
	struct block *block;

	if (!room__grow(vcpu, ROOM_BLOCKS, cache->used + 2 * BLOCK_MOST))
		return NULL;
	next_page = block_cache__page(vcpu, next);
	block = (struct block *)(cache->arena + cache->used);
	begin(vcpu, block, head->gpa, head->mode);
	block->code_word = head->code_word;
	block->code_value = head->code_value;
	block->page = head->page;
	block->next_page = next_page;
	block->at = (s32 *)((u8 *)block + ALIGN_DOWN_TO(BLOCK_MOST, BLOCK_UNIT)) - (SOFT_BLOCK_INSNS + 1);
	return block;
}
