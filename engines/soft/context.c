/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The context in which ways from linear addresses to code are good, and its number. */
#include "core/emulate/vector.h"
#include "engines/soft/soft.h"

static u32 current_view(const struct vcpu *vcpu)
{
	return vcpu->view == vcpu->tlb.none ? TLB_NR_VIEWS :
					      (vcpu->view - vcpu->tlb.entry[0]) / TLB_ENTRIES;
}

static u32 vector_mode(const struct x86_cpu *cpu)
{
	const u64 avx = XSTATE_SSE | XSTATE_AVX;
	u32 mode = 0;

	if (cpu->cr0 & (CR0_EM | CR0_TS))
		return 0;
	mode = MODE_X87;
	if (cpu->cr4 & CR4_OSFXSR)
		mode |= MODE_SSE;
	if ((cpu->cr4 & CR4_OSXSAVE) && (cpu->xcr0 & avx) == avx)
		mode |= MODE_AVX;
	if ((mode & MODE_AVX) && (cpu->xcr0 & XSTATE_AVX512) == XSTATE_AVX512)
		mode |= MODE_AVX512;
	return mode;
}

/* Also the stack's size: generated code pushes by ESP. */
static bool is_flat(const struct x86_cpu *cpu)
{
	return cpu->seg[X86_CS].limit == 0xffffffff && !cpu->seg[X86_CS].base &&
	       cpu->seg[X86_DS].flat && cpu->seg[X86_ES].flat && cpu->seg[X86_SS].flat &&
	       cpu->seg[X86_SS].db;
}

/* ---- numbers ---- */

void context__renumber(struct soft_vcpu *soft)
{
	unsigned i;

	soft->renumberings++;
	memset(soft->contexts, 0, sizeof(soft->contexts));
	for (i = 0; i < SOFT_JUMP_ENTRIES; i++)
		soft->cache.jump[i] = (struct jump_entry){
			.code = soft->area.execute + soft->glue.find_again,
		};
	if (!soft->key_secret)
		host__random(&soft->key_secret, sizeof(soft->key_secret));
}

/* Bits above all of a canonical address but its sign. */
static unsigned key_shift(bool la57)
{
	return la57 ? 57 : 48;
}

static u32 next_id(struct soft_vcpu *soft, bool la57)
{
	u32 mask = (1u << (63 - key_shift(la57))) - 1;

	if (!(++soft->last_context_id & mask)) {
		context__renumber(soft);
		soft->last_context_id++;
	}
	/* Direct jumps bear all of a number: gone before it comes back. */
	if (unlikely(soft->last_context_id > SOFT_LAST_CONTEXT))
		soft->full = true;
	return soft->last_context_id;
}

/*
 * Tags of canonical addresses in different contexts differ in the bits that hold the number, which is
 * neither all zeroes nor all ones. So that an address that is not canonical matches nothing either, the
 * other bits are hidden from the guest (an invertible mixture of number and secret).
 */
static u64 key_of(const struct soft_vcpu *soft, u32 id)
{
	unsigned shift = key_shift(soft->la57);
	u64 v = soft->key_secret + id * 0x9e3779b97f4a7c15ULL;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ v >> 27) * 0x94d049bb133111ebULL;
	v ^= v >> 31;
	return (v & (BIT64(shift) - 1)) | (u64)id << (shift + 1) >> 1;
}

static u32 number_of(struct soft_vcpu *soft, u64 context, bool la57)
{
	struct context_id *c = &soft->contexts[context >> 5 & (SOFT_CONTEXTS - 1)];

	if (unlikely(c->context != context)) {
		u32 id = next_id(soft, la57);

		*c = (struct context_id){ .context = context, .id = id };
	}
	return c->id;
}

static void number_context(struct soft_vcpu *soft, bool la57)
{
	u32 id;

	if (unlikely(soft->la57 != la57)) {
		soft->la57 = la57;
		context__renumber(soft);
	}
	id = number_of(soft, soft->context, la57);
	if (id == soft->context_id)
		return;
	soft->context_id = id;
	soft->jump_key = key_of(soft, id);
}

/* ---- modes ---- */

static u64 context_of(u64 generation, u32 mode)
{
	return generation << MODE_BITS | mode;
}

static u32 mode_of(const struct vcpu *vcpu, enum soft_mode_index i, enum tlb_view *view)
{
	*view = TLB_KERNEL_AC;
	if (i == SOFT_MODE_USER)
		*view = TLB_USER;
	else if (i == SOFT_MODE_KERNEL && (vcpu->cpu.cr4 & CR4_SMAP))
		*view = TLB_KERNEL;
	return 8 | (i == SOFT_MODE_USER ? MODE_USER : 0) | *view << MODE_VIEW_SHIFT;
}

/*
 * Where SYSCALL, SYSRET, STAC and CLAC lead to, without looking at anything but this: 64-bit modes with
 * these vector instructions.
 */
static void set_modes(struct vcpu *vcpu, u32 vectors, bool la57)
{
	struct soft_vcpu *soft = vcpu->soft;
	unsigned i;

	for (i = 0; i < NR_SOFT_MODES; i++) {
		struct soft_mode *m = &soft->mode[i];
		u64 generation = i == SOFT_MODE_USER ? vcpu->user_generation :
						       vcpu->kernel_generation;
		enum tlb_view view;
		u32 mode = mode_of(vcpu, i, &view) | vectors, id;

		m->view = vcpu->tlb.entry[view];
		m->context = context_of(generation + soft->outside + soft->others, mode);
		m->fetch_context = context_of(generation, mode);
		id = number_of(soft, m->context, la57);
		if (id == m->context_id)
			continue;
		m->context_id = id;
		m->jump_key = key_of(soft, id);
	}
}

/* ---- context ---- */

void soft__refresh_context(struct vcpu *vcpu)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	struct soft_vcpu *soft = vcpu->soft;
	u32 mode = cpu->code_size, vectors = vector_mode(cpu), renumberings;
	bool la57 = cpu->cr4 & CR4_LA57;
	u64 generation;

	if (x86__is_real_like(cpu))
		mode |= MODE_REAL_LIKE;
	if (cpu->cpl == 3)
		mode |= MODE_USER;
	mode |= current_view(vcpu) << MODE_VIEW_SHIFT | vectors;
	if (cpu->code_size != 8 && is_flat(cpu))
		mode |= MODE_FLAT;
	/* Never 0, so that an empty entry matches nothing. */
	generation = mode & MODE_USER ? vcpu->user_generation : vcpu->kernel_generation;
	soft->fetch_context = context_of(generation, mode);
	soft->context = context_of(generation + soft->outside + soft->others, mode);
	soft->code_flat = cpu->code_size == 8 ||
			  (cpu->seg[X86_CS].limit == 0xffffffff && !cpu->seg[X86_CS].base);
	/* Numbers from before and after a renumbering do not go together. */
	do {
		renumberings = soft->renumberings;
		number_context(soft, la57);
		set_modes(vcpu, vectors, la57);
	} while (unlikely(renumberings != soft->renumberings));
}
