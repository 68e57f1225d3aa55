/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX-512: EVEX encodings and opmask instructions. Elements of memory that are masked off are not
 * accessed, so they do not fault; gathers and scatters are interrupted between elements by a fault,
 * with the mask bits of those done cleared (SDM vol. 2, 2.7, 2.8.6 and the instructions).
 */
#include "core/emulate/emulate.h"
#include "core/emulate/vector.h"
#include "core/vm/vm.h"

static u64 *opmask(const struct xsave_image *image, unsigned number)
{
	return (u64 *)xsave_image__at(image, XSTATE_OPMASK_NUMBER) + number;
}

static unsigned element_bytes(const struct insn *insn)
{
	return 1u << (insn->row->evex & EVEX_ELEMENT);
}

static unsigned count_bits(u64 value)
{
	unsigned n;

	for (n = 0; value; n++)
		value &= value - 1;
	return n;
}

static u64 low_bits(unsigned n)
{
	return n >= 64 ? ~0ULL : BIT64(n) - 1;
}

/* Bits of the mask: one per element of the vector. */
static unsigned mask_length(const struct insn *insn)
{
	if (insn->row->evex & EVEX_SCALAR)
		return 1;
	return insn__vector_bytes(insn) / element_bytes(insn);
}

static u64 mask_of(struct vcpu *vcpu, const struct insn *insn)
{
	return *opmask(vector__image(vcpu), insn->evex & INSN_EVEX_MASK) & low_bits(mask_length(insn));
}

/* Whether the memory operand's size follows the vector length: an element of it for each of the mask. */
static bool has_element_each(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	unsigned i;

	if (row->evex & EVEX_SCALAR)
		return true;
	for (i = 0; i < 3; i++)
		if (operand_sizes[row->op[i]].bytes)
			return operand_sizes[row->op[i]].grows;
	return false;
}

/* Which elements of memory take part: of a part that is broadcast those that any element needs. */
static void choose_elements(struct vcpu *vcpu, const struct insn *insn, struct masked_access *a)
{
	u64 mask = mask_of(vcpu, insn);
	unsigned n;

	if (insn__is_broadcast(insn)) {
		a->esize = a->size;
		a->mask = !!mask;
		return;
	}
	if (has_element_each(insn)) {
		a->esize = a->size / mask_length(insn);
		a->mask = mask;
		return;
	}
	a->esize = MIN_OF(element_bytes(insn), a->size);
	n = a->size / a->esize;
	for (a->mask = 0; mask; mask = a->write ? 0 : mask >> n)
		a->mask |= mask & low_bits(n);
}

/* An aligned move of no element at all is none. */
static bool is_misaligned(struct vcpu *vcpu, const struct insn *insn, const struct masked_access *a)
{
	return (insn->row->flags & ROW_ALIGNED) &&
	       ((a->ea + vcpu->cpu.seg[insn->seg].base) & (a->size - 1));
}

/* A store all of which must be possible, though only a part of it is written. */
static enum exec_result probe_whole(struct vcpu *vcpu, const struct insn *insn,
				    const struct masked_access *a)
{
	enum exec_result r;
	u64 linear;

	r = emulate__operand(vcpu, insn, a->size, true, &linear);
	return r ? r : access__probe_write(vcpu, linear, a->size, vector__access_how(insn));
}

static enum exec_result run_masked(struct vcpu *vcpu, const struct insn *insn,
				   struct vector_call *call)
{
	struct masked_access a = {
		.ea = insn__effective_address(&vcpu->cpu, insn),
		.size = operands__vector_size(insn),
		.write = insn->row->flags & ROW_WRITES_MEM,
	};
	enum exec_result r;

	if (!is_misaligned(vcpu, insn, &a) && vector__run_in_place(vcpu, insn, &a, call, &r))
		return r;
	choose_elements(vcpu, insn, &a);
	if (a.mask && is_misaligned(vcpu, insn, &a))
		return x86__raise_gp(vcpu, 0);
	if (insn->row->evex & EVEX_WHOLE) {
		r = probe_whole(vcpu, insn, &a);
		if (r)
			return r;
	}
	return vector__run_by_element(vcpu, insn, &a, call);
}

static enum exec_result run_any(struct vcpu *vcpu, const struct insn *insn, struct vector_call *call)
{
	u32 flags = insn->row->flags;

	if (!(insn->flags & INSN_MEM)) {
		call->mem = NULL;
		return vector__run(vcpu, insn, call);
	}
	if (insn__mask(insn) && (!(insn->row->evex & EVEX_WHOLE) || (flags & ROW_WRITES_MEM)))
		return run_masked(vcpu, insn, call);
	return vector__run_memory(vcpu, insn, call, operands__vector_size(insn), flags & ROW_ALIGNED);
}

enum exec_result exec_evex(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_evex(vcpu);
	struct vector_call call;

	return unlikely(r) ? r : run_any(vcpu, insn, &call);
}

enum exec_result exec_evex_gpr(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_evex(vcpu);
	struct vector_call call;
	int out;

	if (unlikely(r))
		return r;
	call = (struct vector_call){ .gpr_in = vector__gpr_read(vcpu, insn) };
	out = vector__gpr_written(insn);
	r = run_any(vcpu, insn, &call);
	if (likely(!r) && out >= 0)
		vcpu->cpu.gpr[out] = insn->code == 8 ? call.gpr_out : (u32)call.gpr_out;
	return r;
}

enum exec_result exec_evex_flags(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_evex(vcpu);
	struct vector_call call = { 0 };

	if (likely(!r))
		r = run_any(vcpu, insn, &call);
	if (likely(!r))
		vcpu->cpu.arith = call.arith;
	return r;
}

/* ---- compression and expansion: as many elements of memory as the mask has bits ---- */

static enum exec_result run_packed(struct vcpu *vcpu, const struct insn *insn)
{
	struct masked_access a = {
		.ea = insn__effective_address(&vcpu->cpu, insn),
		.size = insn__vector_bytes(insn),
		.esize = element_bytes(insn),
		.write = insn->row->flags & ROW_WRITES_MEM,
	};
	struct vector_call call = { 0 };
	enum exec_result r;

	if (!(insn->flags & INSN_MEM) || !insn__mask(insn))
		return run_any(vcpu, insn, &call);
	if (vector__run_in_place(vcpu, insn, &a, &call, &r))
		return r;
	a.mask = low_bits(count_bits(mask_of(vcpu, insn)));
	return vector__run_by_element(vcpu, insn, &a, &call);
}

enum exec_result exec_evex_compress(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_evex(vcpu);

	return unlikely(r) ? r : run_packed(vcpu, insn);
}

enum exec_result exec_evex_expand(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_evex(vcpu);

	return unlikely(r) ? r : run_packed(vcpu, insn);
}

/* ---- gathers and scatters ---- */

struct element_walk {
	unsigned esize; /* of data elements */
	unsigned isize; /* of index elements */
	unsigned count;
	u64 mask;
	u8 data[64];
	u8 index[64];
};

static u64 element_address(struct vcpu *vcpu, const struct insn *insn, const struct element_walk *w,
			   unsigned i)
{
	u64 index = 0;

	memcpy(&index, w->index + i * w->isize, w->isize);
	if (w->isize == 4)
		index = (s64)(s32)index;
	return vcpu->cpu.slot[insn->base] + (index << insn->scale) + (s64)insn->disp;
}

/* Accesses elements in order, clearing their masks, until one faults. */
static enum exec_result walk(struct vcpu *vcpu, const struct insn *insn, struct element_walk *w,
			     bool write)
{
	unsigned how = vector__access_how(insn), i;
	enum exec_result r;
	u64 linear;

	for (i = 0; i < w->count; i++) {
		u8 *data = w->data + i * w->esize;

		if (!(w->mask >> i & 1))
			continue;
		r = vector__element_linear(vcpu, insn, element_address(vcpu, insn, w, i), w->esize,
					   write, &linear);
		if (!r)
			r = write ? access__write(vcpu, linear, data, w->esize, how) :
				    access__read(vcpu, linear, data, w->esize, how);
		if (r)
			return r;
		w->mask &= ~BIT64(i);
	}
	return EXEC_NEXT;
}

static void set_mask(struct xsave_image *image, const struct insn *insn, u64 value)
{
	*opmask(image, insn->evex & INSN_EVEX_MASK) = value;
	image->xstate_bv |= XSTATE_OPMASK;
}

static void begin_walk(struct vcpu *vcpu, const struct insn *insn, struct element_walk *w)
{
	const struct xsave_image *image = vector__image(vcpu);

	w->esize = element_bytes(insn);
	w->isize = insn->opcode & 1 ? 8 : 4;
	w->count = insn__vector_bytes(insn) / MAX_OF(w->esize, w->isize);
	w->mask = *opmask(image, insn->evex & INSN_EVEX_MASK);
	vector__read_register(image, insn->reg, w->data, sizeof(w->data));
	vector__read_register(image, insn->index, w->index, sizeof(w->index));
}

enum exec_result exec_evex_gather(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_evex(vcpu);
	struct xsave_image *image;
	struct element_walk w;
	u64 before;

	if (r)
		return r;
	if (insn->reg == insn->index)
		return x86__raise_ud(vcpu);
	begin_walk(vcpu, insn, &w);
	before = w.mask;
	r = walk(vcpu, insn, &w, false);
	/* User space gives its answers again when the instruction is repeated from the start. */
	if (r != EXEC_NEXT && r != EXEC_FAULT)
		return r;
	/* Before the first element nothing changes, not even what lies above. */
	if (r && w.mask == before)
		return r;
	image = vector__image(vcpu);
	vector__write_register(image, insn->reg, w.data,
			       r ? insn__vector_bytes(insn) : w.count * w.esize);
	set_mask(image, insn, r ? w.mask : 0);
	vector__image_changed(vcpu);
	return r;
}

enum exec_result exec_evex_scatter(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_evex(vcpu);
	struct element_walk w;

	if (r)
		return r;
	begin_walk(vcpu, insn, &w);
	r = walk(vcpu, insn, &w, true);
	if (r != EXEC_NEXT && r != EXEC_FAULT)
		return r;
	set_mask(vector__image(vcpu), insn, r ? w.mask : 0);
	vector__image_changed(vcpu);
	return r;
}
