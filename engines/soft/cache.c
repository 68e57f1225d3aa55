/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block cache: finding decoded code by linear and by guest-physical address. */
#include "engines/soft/soft.h"

int block_cache__init(struct block_cache *cache)
{
	cache->arena = host__alloc_sparse(SOFT_CACHE_SIZE);
	if (!cache->arena)
		return -ENOMEM;
	return 0;
}

void block_cache__destroy(struct block_cache *cache)
{
	host__free_sparse(cache->arena, SOFT_CACHE_SIZE);
}

void block_cache__flush(struct vcpu *vcpu)
{
	struct block_cache *cache = &vcpu->soft->cache;

	cache->used = 0;
	memset(cache->hash, 0, sizeof(cache->hash));
	memset(cache->jump, 0, sizeof(cache->jump));
	memset(cache->fetch, 0, sizeof(cache->fetch));
	vcpu->tlb_generation++;
	soft__refresh_context(vcpu);
}

void soft__refresh_context(struct vcpu *vcpu)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	struct soft_vcpu *soft = vcpu->soft;
	u32 mode = cpu->code_size;

	if (x86__is_real_like(cpu))
		mode |= MODE_REAL_LIKE;
	if (cpu->cpl == 3)
		mode |= MODE_USER;
	/* Never 0, so that an empty entry matches nothing. */
	soft->fetch_context = (u64)vcpu->tlb_generation << 8 | mode;
	soft->context = (vcpu->tlb_generation + soft->outside) << 8 | mode;
	soft->code_flat = cpu->code_size == 8 ||
			  (cpu->seg[X86_CS].limit == 0xffffffff && !cpu->seg[X86_CS].base);
}

static struct block **hash_bucket(struct block_cache *cache, u64 gpa)
{
	return &cache->hash[(gpa ^ gpa >> 13) & (SOFT_HASH_ENTRIES - 1)];
}

/*
 * The block of this address and mode, unlinking one that has become stale. Writes by vCPUs show in
 * the code word; those from outside (user space, devices) only in the bytes themselves.
 */
static struct block *find_block(struct vcpu *vcpu, struct block_cache *cache, u64 gpa,
				const u8 *code, u32 mode)
{
	struct block **link = hash_bucket(cache, gpa);

	for (; *link; link = &(*link)->next) {
		struct block *block = *link;

		if (block->gpa != gpa || block->mode != mode)
			continue;
		if (!block__is_stale(block) && !memcmp(block__code(block), code, block->bytes))
			return block;
		vcpu->stats.code_stale++;
		*link = block->next;
		break;
	}
	return NULL;
}

static enum exec_result fetch_page(struct vcpu *vcpu, struct soft_vcpu *soft, u64 linear, u64 *gpa,
				   const u8 **host)
{
	struct fetch_entry *e =
		&soft->cache.fetch[(linear >> PAGE_SHIFT_4K) & (SOFT_FETCH_ENTRIES - 1)];
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

static struct block *block_at(struct vcpu *vcpu, struct soft_vcpu *soft, u64 linear,
			      enum exec_result *result)
{
	u32 mode = soft->context & MODE_BLOCK;
	struct block *block;
	const u8 *code;
	u64 gpa;

	*result = fetch_page(vcpu, soft, linear, &gpa, &code);
	if (*result != EXEC_NEXT)
		return NULL;
	block = find_block(vcpu, &soft->cache, gpa, code, mode);
	if (block)
		return block;
	vcpu->stats.code_builds++;
	block = block__build(vcpu, gpa, mode);
	if (block) {
		struct block **bucket = hash_bucket(&soft->cache, gpa);

		block->next = *bucket;
		*bucket = block;
	}
	return block;
}

struct block *block_cache__get(struct vcpu *vcpu, enum exec_result *result)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct x86_cpu *cpu = &vcpu->cpu;
	struct jump_entry *jump;
	struct block *block;
	u64 linear = cpu->rip;

	if (unlikely(cpu->code_size != 8)) {
		cpu->rip = (u32)cpu->rip;
		linear = (u32)(cpu->seg[X86_CS].base + cpu->rip);
		/* #GP, before any page fault of the fetch. */
		if (unlikely(!soft->code_flat) && cpu->rip > cpu->seg[X86_CS].limit) {
			*result = EXEC_NEXT;
			return NULL;
		}
	}
	jump = &soft->cache.jump[(linear ^ linear >> 12) & (SOFT_JUMP_ENTRIES - 1)];
	if (likely(jump->linear == linear && jump->context == soft->context &&
		   !block__is_stale(jump->block))) {
		block = jump->block;
	} else {
		block = block_at(vcpu, soft, linear, result);
		if (!block)
			return NULL;
		jump->linear = linear;
		jump->context = soft->context;
		jump->block = block;
	}
	if (unlikely(!soft->code_flat) &&
	    cpu->rip + block->bytes - 1 > cpu->seg[X86_CS].limit) {
		*result = EXEC_NEXT;
		return NULL;
	}
	return block;
}
