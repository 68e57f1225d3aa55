/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding guest code into blocks. */
#include "engines/soft/soft.h"

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
		break;
	case DECODE_TOO_LONG:
		set_raising(insn, execute_too_long);
		break;
	case DECODE_SHORT:
		break;
	}
	return result;
}

/*
 * The same by copying what `decoded`, a block of this address and mode, has at this place: it holds as long as its bytes
 * are those in memory.
 */
static bool copy_decoded(struct block *decoded, struct block *block, const u8 *code, unsigned avail, u8 *bytes)
{
	const struct insn *insn = &decoded->insn[block->count];
	const u8 *from;

	if (block->count >= decoded->count)
		return false;
	from = block__code(decoded) + block->bytes;
	if (insn->len > avail || memcmp(from, code, insn->len))
		return false;
	memcpy(bytes, from, insn->len);
	block->insn[block->count] = *insn;
	return true;
}

/*
 * Code behind a conditional jump is translated with it: mostly it will be needed. Not behind one to the block's
 * beginning: code that a loop does not come to would only stand in its way (translate/loop.c).
 */
static bool ends_block(const struct soft_vcpu *soft, const struct block *block, const struct insn *insn,
		       enum block_kind kind)
{
	bool conditional = (insn->map == MAP_1BYTE && (insn->opcode & 0xf0) == 0x70) ||
			   (insn->map == MAP_0F && (insn->opcode & 0xf0) == 0x80);

	if (insn->flags & INSN_STOP)
		return kind != BLOCK_LONG || soft->check || !soft__keeps_mode_translated(insn);
	if (!(insn->flags & INSN_BRANCH))
		return false;
	return !conditional || kind != BLOCK_LONG || !((s64)insn->imm + block->bytes);
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
	       (!(last->flags & INSN_BRANCH) && block_cache__has_short(cache, gpa, mode));
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

void block__put_on_page(struct code_page *page, struct block *block)
{
	/* The page was written: its older blocks are stale, all of them. */
	if (page->code_value != block->code_value)
		page->blocks = NULL;
	page->code_value = block->code_value;
	block->page_next = page->blocks;
	page->blocks = block;
}

struct block *block__build(struct vcpu *vcpu, u64 gpa, u32 mode, enum block_kind kind, struct block *decoded)
{
	struct block_cache *cache = &vcpu->soft->cache;
	unsigned left = PAGE_SIZE_4K - (gpa & ~PAGE_MASK_4K);
	u8 bytes[SOFT_BLOCK_INSNS * INSN_MAX_LENGTH + 1];
	struct code_page *page;
	struct block *block;
	unsigned branched = 0; /* instructions up to the last conditional branch */
	u32 flushes;
	const u8 *code;
	size_t bytes_used;
	bool alone;
	u64 avail;

	flushes = vcpu->soft->flushes;
	block = make_room(vcpu, kind);
	/* It stood in what was emptied. */
	if (flushes != vcpu->soft->flushes)
		decoded = NULL;
	page = kind == BLOCK_ONCE ? NULL : block_cache__page(vcpu, gpa);
	if (kind == BLOCK_LONG)
		block = (struct block *)(cache->arena + cache->used); /* behind the page's record */
	/* Marked before the bytes are read: a write after this makes the block stale. */
	if (!memory__code_mark(vcpu, gpa, &block->code_word, &block->code_value))
		return NULL;
	/* Only now: while marking waited, the memory map may have changed. */
	code = memory__pointer(vcpu->vm, gpa, false, &avail);
	begin(vcpu, block, gpa, mode);
	block->page = page;
	while (block->count < SOFT_BLOCK_INSNS && left) {
		struct insn *insn = &block->insn[block->count];

		if (!(decoded && copy_decoded(decoded, block, code, left, bytes + block->bytes)) &&
		    decode_one(vcpu, code, left, mode, insn, bytes + block->bytes) == DECODE_SHORT)
			break;
		alone = vcpu->soft->check && check__stands_alone(insn);
		if (alone && block->count)
			break;
		block->count++;
		block->bytes += insn->len;
		code += insn->len;
		left -= insn->len;
		if (alone || ends_block(vcpu->soft, block, insn, kind))
			break;
		if (insn->flags & INSN_BRANCH)
			branched = block->count;
		if (branched && block->count >= SOFT_BLOCK_BRANCHING &&
		    block->count - branched < SOFT_BLOCK_STRAIGHT)
			break;
		if (kind == BLOCK_LONG && goes_on_elsewhere(cache, gpa + block->bytes, mode, insn))
			break;
	}
	if (!block->count)
		return NULL;
	memcpy(block__code(block), bytes, block->bytes);
	bytes_used = ALIGN_UP_TO(sizeof(*block) + block->count * sizeof(struct insn) + block->bytes, BLOCK_UNIT);
	if (kind == BLOCK_SHORT)
		cache->young_used += bytes_used;
	if (kind != BLOCK_LONG)
		return block;
	block__put_on_page(page, block);
	cache->used += bytes_used;
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
	block__put_on_page(page, block);
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
	block->at = (s16 *)((u8 *)block + ALIGN_DOWN_TO(BLOCK_MOST, BLOCK_UNIT)) - (SOFT_BLOCK_INSNS + 1);
	return block;
}
