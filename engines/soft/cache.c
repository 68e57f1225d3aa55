/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block cache: finding decoded code by linear and by guest-physical address. */
#include "core/emulate/vector.h"
#include "engines/soft/soft.h"

int block_cache__init(struct block_cache *cache)
{
	cache->arena = host__alloc_sparse(SOFT_CACHE_SIZE);
	if (!cache->arena)
		return -ENOMEM;
	cache->young = host__alloc_sparse(SOFT_YOUNG_SIZE);
	if (!cache->young)
		goto free_arena;
	cache->once = host__alloc(BLOCK_MOST);
	if (!cache->once)
		goto free_young;
	host__prefer_huge(cache->arena, SOFT_CACHE_SIZE);
	host__prefer_huge(cache->young, SOFT_YOUNG_SIZE);
	return 0;

free_young:
	host__free_sparse(cache->young, SOFT_YOUNG_SIZE);
free_arena:
	host__free_sparse(cache->arena, SOFT_CACHE_SIZE);
	return -ENOMEM;
}

void block_cache__destroy(struct block_cache *cache)
{
	host__free(cache->once);
	host__free_sparse(cache->young, SOFT_YOUNG_SIZE);
	host__free_sparse(cache->arena, SOFT_CACHE_SIZE);
}

/* Nothing that leads to a block survives a change of the context. */
static void change_context(struct vcpu *vcpu)
{
	vcpu->soft->once = NULL;
	context__renumber(vcpu->soft);
	vcpu->user_generation++;
	vcpu->kernel_generation++;
	soft__refresh_context(vcpu);
}

static void empty_young(struct block_cache *cache)
{
	memset(cache->young_hash, 0, sizeof(cache->young_hash));
	cache->young_used = 0;
}

void block_cache__flush_young(struct vcpu *vcpu)
{
	empty_young(&vcpu->soft->cache);
	vcpu->soft->young_flushes++;
	change_context(vcpu);
}

void block_cache__flush(struct vcpu *vcpu)
{
	struct block_cache *cache = &vcpu->soft->cache;

	if (cache->used) {
		host__log("vCPU %u: cache flushed: %lu KiB of instructions, %lu KiB of code; so far "
			  "%lu blocks, %lu stale, %lu translated",
			  vcpu->id, (unsigned long)cache->used >> 10,
			  (unsigned long)code__bytes(&vcpu->soft->area) >> 10,
			  (unsigned long)vcpu->stats.code_builds,
			  (unsigned long)vcpu->stats.code_stale,
			  (unsigned long)vcpu->stats.code_translations);
		memset(cache->pages, 0, sizeof(cache->pages));
		memset(cache->hash, 0, sizeof(cache->hash));
		cache->used = 0;
	}
	/* Its blocks have pages. */
	if (cache->young_used)
		empty_young(cache);
	memset(cache->fetch, 0, sizeof(cache->fetch));
	vcpu->soft->area.used = vcpu->soft->glue_size;
	vcpu->soft->area.cold = SOFT_HOT_SIZE;
	vcpu->soft->area.used_populated = 0;
	vcpu->soft->area.cold_populated = 0;
	vcpu->soft->nr_faults = 0;
	/* Nothing bears any of these numbers now. */
	if (unlikely(vcpu->soft->last_context_id > SOFT_LAST_CONTEXT))
		vcpu->soft->last_context_id = 0;
	link__emptied(vcpu->soft);
	vcpu->soft->full = false;
	vcpu->soft->flushes++;
	room__emptied(vcpu);
	change_context(vcpu);
}

static struct code_page *find_page(struct block_cache *cache, u64 gpa)
{
	struct code_page *page = cache->pages[gpa >> PAGE_SHIFT_4K & (SOFT_PAGE_HASH_ENTRIES - 1)];

	while (page && page->gpa != gpa)
		page = page->next;
	return page;
}

static void forget_jump(struct soft_vcpu *soft, unsigned i, const struct code_page *page)
{
	if (soft->cache.jump[i].tag && soft->cache.jump_block[i]->page == page)
		soft->cache.jump[i].tag = 0;
}

void block_cache__forget_jumps(struct soft_vcpu *soft, u64 page_gpa)
{
	struct code_page *page = find_page(&soft->cache, page_gpa);
	struct block *block;
	unsigned i;

	if (!page)
		return;
	if (page->has_more_linear) {
		for (i = 0; i < SOFT_JUMP_ENTRIES; i++)
			forget_jump(soft, i, page);
	} else {
		for (block = page->blocks; block; block = block->page_next)
			forget_jump(soft, soft__jump_index(page->linear | (block->gpa & ~PAGE_MASK_4K)), page);
	}
	page->has_linear = false;
	page->has_more_linear = false;
	link__take_back(soft, page);
	if (page->has_guests)
		soft->others++;
	page->has_guests = false;
}

/* A jump entry of the table leads to the page from now on. */
static void note_linear(struct code_page *page, u64 linear)
{
	linear &= PAGE_MASK_4K;
	if (page->has_linear && page->linear != linear)
		page->has_more_linear = true;
	page->has_linear = true;
	page->linear = linear;
}

struct code_page *block_cache__page(struct vcpu *vcpu, u64 gpa)
{
	struct block_cache *cache = &vcpu->soft->cache;
	u64 number = gpa >> PAGE_SHIFT_4K;
	struct code_page **bucket = &cache->pages[number & (SOFT_PAGE_HASH_ENTRIES - 1)];
	struct code_page *page;

	page = find_page(cache, number << PAGE_SHIFT_4K);
	if (page)
		return page;
	page = (struct code_page *)(cache->arena + cache->used);
	cache->used += ALIGN_UP_TO(sizeof(*page), BLOCK_UNIT);
	*page = (struct code_page){
		.gpa = number << PAGE_SHIFT_4K,
		.verified = vcpu->soft->outside,
		.next = *bucket,
	};
	*bucket = page;
	return page;
}

/* Of one of the two hashes: the bucket for an address, and what its chain is in. */
struct place {
	struct bucket *bucket;
	u8 *memory;
};

/* Blocks near each other stand in buckets near each other, so that the next one is likely to be in the host's caches. */
static u64 bucket_number(u64 gpa)
{
	return gpa >> 2 ^ gpa >> 13;
}

static struct place long_place(struct block_cache *cache, u64 gpa)
{
	return (struct place){ &cache->hash[bucket_number(gpa) & (SOFT_HASH_ENTRIES - 1)], cache->arena };
}

static struct place young_place(struct block_cache *cache, u64 gpa)
{
	return (struct place){ &cache->young_hash[bucket_number(gpa) & (SOFT_YOUNG_ENTRIES - 1)], cache->young };
}

static struct block *block_of(struct place place, u32 number)
{
	return number ? (struct block *)(place.memory + (u64)(number - 1) * BLOCK_UNIT) : NULL;
}

static u32 number_of(struct place place, const struct block *block)
{
	return block ? (u32)(((const u8 *)block - place.memory) / BLOCK_UNIT) + 1 : 0;
}

/* By other bits of the address than the bucket is found by. */
static u32 filter_bit(u64 gpa)
{
	return 1u << ((u32)gpa * 0x9e3779b1u >> 27);
}

static struct block *first_in(struct place place, u64 gpa)
{
	return place.bucket->filter & filter_bit(gpa) ? block_of(place, place.bucket->first) : NULL;
}

_Static_assert(SOFT_CACHE_SIZE % BLOCK_UNIT == 0 && SOFT_CACHE_SIZE / BLOCK_UNIT < 0xffffffff, "numbers of 32 bits");

/* Whether the page, at `start`, has what the block was decoded from; what it has of another page is not looked at. */
static bool is_as_decoded(const struct block *block, const u8 *start)
{
	const u8 *bytes = block__code(block);
	unsigned i;

	if (!block->at)
		return !memcmp(bytes, start + (block->gpa & ~PAGE_MASK_4K), block->bytes);
	for (i = 0; i < block->count; i++) {
		s32 left = (s32)PAGE_SIZE_4K - block->at[i];

		if (left > 0 && memcmp(bytes, start + block->at[i], MIN_OF(block->insn[i].len, left)))
			return false;
		bytes += block->insn[i].len;
	}
	return true;
}

/*
 * Compares the blocks of a page with memory, once in a while that nobody may have written it from
 * outside. If one differs, none is good any more: the others may jump to it directly.
 */
static bool verify_page(struct soft_vcpu *soft, struct code_page *page, const u8 *code)
{
	const u8 *start = code - ((u64)code & ~PAGE_MASK_4K);
	struct block *block;

	if (page->verified == soft->outside)
		return true;
	for (block = page->blocks; block; block = block->page_next)
		if (!block__is_stale(block) && !is_as_decoded(block, start))
			break;
	page->verified = soft->outside;
	if (!block)
		return true;
	for (block = page->blocks; block; block = block->page_next)
		block->code_value = BLOCK_DEAD;
	page->blocks = NULL;
	return false;
}

static bool are_as_decoded(const struct code_page *page, const u32 *word, const u8 *start)
{
	const struct block *block;

	for (block = page->blocks; block; block = block->page_next)
		if (block->code_word != word || !is_as_decoded(block, start))
			return false;
	return true;
}

/*
 * The page was written, and has been marked again since. Often that changed nothing that was decoded: its blocks are good again if
 * all of them are as they were, as jumps lead directly from one to the other; else none ever is.
 */
static bool revive_page(struct vcpu *vcpu, struct code_page *page, u32 *word, u32 value)
{
	struct block *block;
	const u8 *start;
	bool good;
	u64 avail;

	if (!page->blocks)
		return false;
	start = memory__pointer(vcpu->vm, page->gpa, false, &avail);
	good = start && are_as_decoded(page, word, start);
	for (block = page->blocks; block; block = block->page_next)
		block->code_value = good ? value : BLOCK_DEAD;
	page->code_value = value;
	page->verified = vcpu->soft->outside;
	if (!good) {
		page->blocks = NULL;
		page->is_rewritten = true;
	}
	return good;
}

static bool revive(struct vcpu *vcpu, struct block *block)
{
	struct code_page *page = block->page;
	u32 *word, value;

	return block->code_value == page->code_value && memory__code_mark(vcpu, page->gpa, &word, &value) &&
	       revive_page(vcpu, page, word, value);
}

/* The same of a BLOCK_SHORT alone. Where others change all the time, it is to become hot before it is translated again. */
static bool revive_young(struct vcpu *vcpu, struct block *block)
{
	u32 *word, value;
	const u8 *code;
	u64 avail;

	if (!memory__code_mark(vcpu, block->gpa, &word, &value) || block->code_word != word)
		return false;
	code = memory__pointer(vcpu->vm, block->gpa, false, &avail);
	if (!code || memcmp(block__code(block), code, block->bytes))
		return false;
	block->code_value = value;
	block->verified = vcpu->soft->outside;
	if (block->page->is_rewritten)
		block->heat = 0;
	return true;
}

void block_cache__put_on_page(struct vcpu *vcpu, struct block *block)
{
	struct code_page *page = block->page;

	/* By the block's own mark: whoever has written since makes all of them stale alike. */
	if (page->code_value != block->code_value && !revive_page(vcpu, page, block->code_word, block->code_value)) {
		page->blocks = NULL;
		page->code_value = block->code_value;
	}
	block->page_next = page->blocks;
	page->blocks = block;
}

/* The same of a BLOCK_SHORT, which generated code does not jump to: each is looked at alone. */
static bool verify_young(struct soft_vcpu *soft, struct block *block, const u8 *code)
{
	if (block->verified == (u32)soft->outside)
		return true;
	if (memcmp(block__code(block), code, block->bytes))
		return false;
	block->verified = soft->outside;
	return true;
}

/*
 * The block of this address and mode in a bucket, unlinking one that has become stale. Writes by vCPUs show
 * in the code word; those from outside (user space, devices) only in the bytes themselves.
 */
static struct block *find_in(struct vcpu *vcpu, struct place place, u64 gpa, const u8 *code, u32 mode,
			     enum block_kind kind)
{
	struct block *block, *before = NULL;

	for (block = first_in(place, gpa); block; before = block, block = block->next) {
		if (block->gpa != gpa || block->mode != mode)
			continue;
		if (block__is_stale(block)) {
			if (kind == BLOCK_SHORT ? revive_young(vcpu, block) : revive(vcpu, block)) {
				vcpu->soft->revivals++;
				return block;
			}
		} else if (kind == BLOCK_SHORT ? verify_young(vcpu->soft, block, code) :
						 verify_page(vcpu->soft, block->page, code)) {
			return block;
		}
		vcpu->stats.code_stale++;
		if (before)
			before->next = block->next;
		else
			place.bucket->first = number_of(place, block->next);
		break;
	}
	return NULL;
}

static struct block *find_block(struct vcpu *vcpu, struct block_cache *cache, u64 gpa,
				const u8 *code, u32 mode)
{
	u32 generation = vcpu->vm->map->generation;
	struct block *block = find_in(vcpu, long_place(cache, gpa), gpa, code, mode, BLOCK_LONG);

	/* It may have waited for a change of the memory map: nothing is known of other blocks then but that they are to be emptied. */
	if (block || generation != vcpu->vm->map->generation)
		return block;
	return find_in(vcpu, young_place(cache, gpa), gpa, code, mode, BLOCK_SHORT);
}

void block_cache__add(struct block_cache *cache, struct block *block, enum block_kind kind)
{
	struct place place = kind == BLOCK_SHORT ? young_place(cache, block->gpa) : long_place(cache, block->gpa);

	block->next = block_of(place, place.bucket->first);
	place.bucket->first = number_of(place, block);
	place.bucket->filter |= filter_bit(block->gpa);
}

struct block *block_cache__find_crossing(struct vcpu *vcpu, u64 gpa, u32 mode)
{
	struct block_cache *cache = &vcpu->soft->cache;
	const u8 *code;
	u64 avail;

	mode |= MODE_CROSSING;
	code = memory__pointer(vcpu->vm, gpa, false, &avail);
	return code ? find_in(vcpu, long_place(cache, gpa), gpa, code, mode, BLOCK_LONG) : NULL;
}

/* The block of this address and mode in a bucket if it is good as far as code words tell, or NULL. */
static struct block *look_in(struct block *block, u64 gpa, u32 mode)
{
	while (block && (block->gpa != gpa || block->mode != mode))
		block = block->next;
	return block && !block__is_stale(block) ? block : NULL;
}

bool block_cache__has_code(struct block_cache *cache, u64 gpa, u32 mode)
{
	const struct block *block = look_in(first_in(long_place(cache, gpa), gpa), gpa, mode);

	return block && block->code;
}

const struct block *block_cache__short_at(struct block_cache *cache, u64 gpa, u32 mode)
{
	return look_in(first_in(young_place(cache, gpa), gpa), gpa, mode);
}

static struct fetch_entry *fetch_slot(struct soft_vcpu *soft, u64 linear)
{
	return &soft->cache.fetch[(linear >> PAGE_SHIFT_4K) & (SOFT_FETCH_ENTRIES - 1)];
}

static enum exec_result fetch_page(struct vcpu *vcpu, struct soft_vcpu *soft, u64 linear, u64 *gpa,
				   const u8 **host)
{
	struct fetch_entry *e = fetch_slot(soft, linear);
	u64 offset = linear & ~PAGE_MASK_4K;

	if (e->page != (linear & PAGE_MASK_4K) || e->context != soft->fetch_context) {
		enum exec_result result = access__fetch_page(vcpu, linear, gpa, host);

		if (result != EXEC_NEXT)
			return result;
		if (!*host)
			return EXEC_FAIL;
		e->page = linear & PAGE_MASK_4K;
		e->context = soft->fetch_context;
		e->gpa = *gpa - offset;
		e->host = *host - offset;
	}
	*gpa = e->gpa + offset;
	*host = e->host + offset;
	return EXEC_NEXT;
}

/* By a bit for each address. Those of a page stand together, as in the hash. */
static u64 seen_bit(u64 gpa)
{
	u64 page = (gpa >> PAGE_SHIFT_4K) * 0x9e3779b97f4a7c15ULL >> 55;

	return page << PAGE_SHIFT_4K | (gpa & ~PAGE_MASK_4K);
}

/* What else has the same bit is kept from its first time on. */
static bool is_first_time(struct soft_vcpu *soft, u64 gpa)
{
	u64 bit = seen_bit(gpa);
	bool first = !(soft->cache.seen[bit / 64] >> (bit % 64) & 1);

	soft->cache.seen[bit / 64] |= BIT64(bit % 64);
	return first && soft->heat_limit;
}

_Static_assert(SOFT_SEEN_BITS == 1u << (64 - 55 + PAGE_SHIFT_4K), "a hash of that many pages");

static struct block *block_at(struct vcpu *vcpu, struct soft_vcpu *soft, u64 linear,
			      enum exec_result *result)
{
	u32 mode = soft->context & MODE_BLOCK;
	struct block *block;
	const u8 *code;
	u64 gpa;

	/* No block can be had: do not try again each time. */
	if (crossing__is_known(soft, vcpu->cpu.rip)) {
		*result = EXEC_NEXT;
		return NULL;
	}

	*result = fetch_page(vcpu, soft, linear, &gpa, &code);
	if (*result != EXEC_NEXT)
		return NULL;
	block = find_block(vcpu, &soft->cache, gpa, code, mode);
	if (block)
		return block;
	vcpu->stats.code_builds++;
	if (is_first_time(soft, gpa))
		return block__build(vcpu, gpa, mode, BLOCK_ONCE, NULL);
	block = block__build(vcpu, gpa, mode, BLOCK_SHORT, NULL);
	if (block)
		block_cache__add(&soft->cache, block, BLOCK_SHORT);
	return block;
}

static void set_jump(struct soft_vcpu *soft, u64 linear, struct block *block, const u8 *code)
{
	u32 index = soft__jump_index(linear);

	note_linear(block->page, linear);
	if (block->next_page)
		block->next_page->has_guests = true;
	soft->cache.jump[index] = (struct jump_entry){
		.tag = linear ^ soft->jump_key,
		.code = code,
	};
	soft->cache.jump_block[index] = block;
}

void block_cache__note_code(struct soft_vcpu *soft, u64 linear, struct block *block, bool may_enter)
{
	u32 index = soft__jump_index(linear);

	if (soft->cache.jump[index].tag != (linear ^ soft->jump_key))
		return;
	if (may_enter)
		soft->cache.jump[index].code = block->code;
	soft->cache.jump_block[index] = block;
}

void block_cache__note_crossing(struct soft_vcpu *soft, u64 linear, struct block *block)
{
	set_jump(soft, linear, block, block->code);
}

/* What is looked at, or set, after the block: mostly none of it is in the host's caches. */
static void fetch_early(struct soft_vcpu *soft, u64 linear, u64 gpa, const u8 *code)
{
	u32 index = soft__jump_index(linear);

	__builtin_prefetch(young_place(&soft->cache, gpa).bucket);
	__builtin_prefetch(&soft->cache.jump[index]);
	__builtin_prefetch(&soft->cache.jump_block[index]);
	__builtin_prefetch(&soft->cache.seen[seen_bit(gpa) / 64]);
	__builtin_prefetch(code);
}

struct block *block_cache__find_code(struct soft_vcpu *soft, u64 linear)
{
	const struct fetch_entry *f = fetch_slot(soft, linear);
	u64 gpa = f->gpa + (linear & ~PAGE_MASK_4K);
	struct block *block;

	if (f->page != (linear & PAGE_MASK_4K) || f->context != soft->fetch_context)
		return NULL;
	fetch_early(soft, linear, gpa, f->host + (linear & ~PAGE_MASK_4K));
	block = look_in(first_in(long_place(&soft->cache, gpa), gpa), gpa, soft->context & MODE_BLOCK);
	if (!block || !block->code || block->page->verified != soft->outside)
		return NULL;
	set_jump(soft, linear, block, block->code);
	return block;
}

struct block *block_cache__get(struct vcpu *vcpu, enum exec_result *result)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct x86_cpu *cpu = &vcpu->cpu;
	struct block *block;
	u64 linear = cpu->rip;
	u32 index;

	if (unlikely(cpu->code_size != 8)) {
		cpu->rip = (u32)cpu->rip;
		linear = (u32)(cpu->seg[X86_CS].base + cpu->rip);
		/* #GP, before any page fault of the fetch. */
		if (unlikely(!soft->code_flat) && cpu->rip > cpu->seg[X86_CS].limit) {
			*result = EXEC_NEXT;
			return NULL;
		}
	}
	if (soft->once) {
		block = soft->once;
		soft->once = NULL;
		if (soft->once_linear == linear && soft->once_context == soft->context &&
		    !block__is_stale(block))
			goto check_limit;
	}
	index = soft__jump_index(linear);
	if (likely(soft->cache.jump[index].tag == (linear ^ soft->jump_key) &&
		   !block__is_stale(soft->cache.jump_block[index]))) {
		block = soft->cache.jump_block[index];
	} else {
		block = block_at(vcpu, soft, linear, result);
		if (!block)
			return NULL;
		if (!block->page)
			goto check_limit;
		/* soft__code_of() makes it the block's, where it may be. */
		set_jump(soft, linear, block, soft->area.execute + soft->glue.find_again);
	}
check_limit:
	if (unlikely(!soft->code_flat) &&
	    cpu->rip + block->bytes - 1 > cpu->seg[X86_CS].limit) {
		*result = EXEC_NEXT;
		return NULL;
	}
	return block;
}
