/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector instructions that access memory element by element: masked moves, whose masked elements
 * must not fault, and gathers, which a fault interrupts between elements (SDM vol. 2, VMASKMOV,
 * VGATHER; APM vol. 4, VGATHERDPD).
 */
#include "core/emulate/emulate.h"
#include "core/emulate/vector.h"
#include "core/vm/vm.h"

/* The linear address of size bytes at ea if no limit or wrap comes into it. */
static bool plain_linear(struct vcpu *vcpu, const struct insn *insn, u64 ea, unsigned size,
			 u64 *linear)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	if (cpu->code_size == 8) {
		if (insn->adsize != 8 && ea + size - 1 > 0xffffffff)
			return false;
		*linear = insn->seg >= X86_FS ? cpu->seg[insn->seg].base + ea : ea;
		return true;
	}
	*linear = ea;
	return cpu->seg[insn->seg].flat && insn->adsize == 4 && ea + size - 1 <= 0xffffffff;
}

static u64 cut_address(const struct insn *insn, u64 ea)
{
	return insn->adsize == 8 ? ea : insn->adsize == 4 ? (u32)ea : (u16)ea;
}

enum exec_result vector__element_linear(struct vcpu *vcpu, const struct insn *insn, u64 ea,
					unsigned size, bool write, u64 *linear)
{
	return segment__linear(vcpu, &vcpu->cpu, insn->seg, cut_address(insn, ea), size, write,
			       linear);
}

/* Reads, probes (buffer NULL) or writes the elements that take part. */
static enum exec_result walk_elements(struct vcpu *vcpu, const struct insn *insn,
				      const struct masked_access *a, u8 *buffer)
{
	unsigned how = vector__access_how(insn), offset;
	enum exec_result r;
	u64 linear;

	for (offset = 0; offset < a->size; offset += a->esize) {
		if (!(a->mask >> offset / a->esize & 1))
			continue;
		r = vector__element_linear(vcpu, insn, a->ea + offset, a->esize, a->write, &linear);
		if (r)
			return r;
		if (!a->write)
			r = access__read(vcpu, linear, buffer + offset, a->esize, how);
		else if (!buffer)
			r = access__probe_write(vcpu, linear, a->esize, how);
		else
			r = access__write(vcpu, linear, buffer + offset, a->esize, how);
		if (r)
			return r;
	}
	return EXEC_NEXT;
}

enum exec_result vector__run_by_element(struct vcpu *vcpu, const struct insn *insn,
					const struct masked_access *a, struct vector_call *call)
{
	u8 buffer[64] __attribute__((aligned(64)));
	enum exec_result r;

	memset(buffer, 0, sizeof(buffer));
	r = walk_elements(vcpu, insn, a, a->write ? NULL : buffer);
	if (r)
		return r;
	call->mem = buffer;
	r = vector__run(vcpu, insn, call);
	if (r || !a->write)
		return r;
	return walk_elements(vcpu, insn, a, buffer);
}

bool vector__run_in_place(struct vcpu *vcpu, const struct insn *insn, const struct masked_access *a,
			  struct vector_call *call, enum exec_result *r)
{
	u64 linear;

	if (!plain_linear(vcpu, insn, a->ea, a->size, &linear))
		return false;
	call->mem = a->write ? tlb__write(vcpu->view, linear, a->size) :
			       tlb__read(vcpu->view, linear, a->size);
	if (!call->mem)
		return false;
	*r = vector__run(vcpu, insn, call);
	return true;
}

/* Bit n: the top bit of element n. */
static u64 sign_bits(const u8 *value, unsigned size, unsigned esize)
{
	u64 mask = 0;
	unsigned i;

	for (i = 0; i < size / esize; i++)
		mask |= (u64)(value[i * esize + esize - 1] >> 7) << i;
	return mask;
}

/* ---- MASKMOVQ, MASKMOVDQU: bytes, to DS:rDI ---- */

/*
 * Whether bytes that are masked off may fault is the processor's affair (SDM vol. 2, MASKMOVQ,
 * MASKMOVDQU). AMD's do as if all were written.
 */
static enum exec_result probe_all(struct vcpu *vcpu, const struct insn *insn,
				  const struct masked_access *a)
{
	enum exec_result r;
	u64 linear;

	if (!vector__is_amd(vcpu))
		return EXEC_NEXT;
	r = segment__linear(vcpu, &vcpu->cpu, insn->seg, a->ea, a->size, true, &linear);
	if (r == EXEC_NEXT)
		r = access__probe_write(vcpu, linear, a->size, vector__access_how(insn));
	return r;
}

static enum exec_result run_maskmov(struct vcpu *vcpu, const struct insn *insn, unsigned size)
{
	struct masked_access a = {
		.ea = cut_address(insn, vcpu->cpu.gpr[X86_RDI]),
		.size = size, .esize = 1, .write = true,
	};
	const struct xsave_image *image;
	struct vector_call call = { 0 };
	enum exec_result r;

	if (vector__run_in_place(vcpu, insn, &a, &call, &r))
		return r;
	image = vector__image(vcpu);
	/* MMX register n is the physical x87 register n; the image is in the order of the stack. */
	if (size == 8)
		a.mask = sign_bits(image->st[(insn->rm - (image->fsw >> 11)) & 7], 8, 1);
	else
		a.mask = sign_bits(image->xmm[insn->rm], 16, 1);
	r = probe_all(vcpu, insn, &a);
	return r ? r : vector__run_by_element(vcpu, insn, &a, &call);
}

/* What every MMX instruction does besides: all registers valid, the stack's top at 0. */
static void enter_mmx(struct vcpu *vcpu)
{
	struct xsave_image *image = vector__image(vcpu);
	unsigned top = image->fsw >> 11 & 7, i;
	u8 st[8][16];

	memcpy(st, image->st, sizeof(st));
	for (i = 0; i < 8; i++)
		memcpy(image->st[(i + top) & 7], st[i], sizeof(st[i]));
	image->fsw &= ~0x3800;
	image->ftw = 0xff;
	image->xstate_bv |= XSTATE_X87;
	vector__image_changed(vcpu);
}

enum exec_result exec_maskmovq(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_mmx(vcpu);

	if (r)
		return r;
	r = run_maskmov(vcpu, insn, 8);
	if (r != EXEC_FAULT || vcpu->exception.vector == X86_MF)
		return r;
	if (vector__image(vcpu)->fsw & FSW_ES)
		return x86__raise(vcpu, X86_MF);
	if (vector__is_amd(vcpu)) /* the state has changed already */
		enter_mmx(vcpu);
	return r;
}

enum exec_result exec_maskmovdqu(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_sse(vcpu);

	return r ? r : run_maskmov(vcpu, insn, 16);
}

enum exec_result exec_avx_maskmovdqu(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = vector__check_avx(vcpu);

	return r ? r : run_maskmov(vcpu, insn, 16);
}

/* ---- VMASKMOVPS and kin: the mask stands in VEX.vvvv ---- */

static unsigned masked_element_size(const struct insn *insn)
{
	if (insn->opcode >= 0x8c)
		return insn->flags & INSN_REX_W ? 8 : 4;
	return insn->opcode & 1 ? 8 : 4;
}

enum exec_result exec_avx_maskmov(struct vcpu *vcpu, const struct insn *insn)
{
	struct masked_access a = {
		.ea = insn__effective_address(&vcpu->cpu, insn),
		.size = insn->flags & INSN_VEX_L ? 32 : 16,
		.esize = masked_element_size(insn),
		.write = insn->row->flags & ROW_WRITES_MEM,
	};
	enum exec_result r = vector__check_avx(vcpu);
	struct vector_call call = { 0 };
	u8 mask[32];

	if (r || vector__run_in_place(vcpu, insn, &a, &call, &r))
		return r;
	vector__read_register(vector__image(vcpu), insn->vvvv, mask, sizeof(mask));
	a.mask = sign_bits(mask, a.size, a.esize);
	return vector__run_by_element(vcpu, insn, &a, &call);
}

/* ---- gathers ---- */

struct gather {
	unsigned esize; /* of data and mask elements */
	unsigned isize; /* of index elements */
	unsigned count;
	u8 dst[32];
	u8 index[32];
	u8 mask[32];
};

static u64 gather_address(struct vcpu *vcpu, const struct insn *insn, const struct gather *g,
			  unsigned i)
{
	u64 index = 0;

	memcpy(&index, g->index + i * g->isize, g->isize);
	if (g->isize == 4)
		index = (s64)(s32)index;
	return vcpu->cpu.slot[insn->base] + (index << insn->scale) + (s64)insn->disp;
}

/* Loads elements in order, clearing their masks, until one faults. */
static enum exec_result gather_elements(struct vcpu *vcpu, const struct insn *insn,
					struct gather *g)
{
	enum exec_result r;
	unsigned i;
	u64 linear;

	for (i = 0; i < g->count; i++) {
		u8 *mask = g->mask + i * g->esize;

		if (mask[g->esize - 1] >> 7) {
			r = vector__element_linear(vcpu, insn, gather_address(vcpu, insn, g, i),
						   g->esize, false, &linear);
			if (!r)
				r = access__read(vcpu, linear, g->dst + i * g->esize, g->esize,
						 vector__access_how(insn));
			if (r)
				return r;
		}
		memset(mask, 0, g->esize);
	}
	/* Done: what lies above the elements becomes 0. */
	memset(g->dst + g->count * g->esize, 0, sizeof(g->dst) - g->count * g->esize);
	memset(g->mask, 0, sizeof(g->mask));
	return EXEC_NEXT;
}

enum exec_result exec_avx_gather(struct vcpu *vcpu, const struct insn *insn)
{
	unsigned size = insn->flags & INSN_VEX_L ? 32 : 16;
	struct gather g = {
		.esize = insn->flags & INSN_REX_W ? 8 : 4,
		.isize = insn->opcode & 1 ? 8 : 4,
	};
	enum exec_result r = vector__check_avx(vcpu);
	struct xsave_image *image;

	if (r)
		return r;
	if (insn->reg == insn->vvvv || insn->reg == insn->index || insn->vvvv == insn->index)
		return x86__raise_ud(vcpu);
	g.count = size / MAX_OF(g.esize, g.isize);
	image = vector__image(vcpu);
	vector__read_register(image, insn->reg, g.dst, 32);
	vector__read_register(image, insn->index, g.index, 32);
	vector__read_register(image, insn->vvvv, g.mask, 32);
	r = gather_elements(vcpu, insn, &g);
	/* User space gives its answers again when the instruction is repeated from the start. */
	if (r != EXEC_NEXT && r != EXEC_FAULT)
		return r;
	image = vector__image(vcpu);
	if (r) {
		vector__merge_register(image, insn->reg, g.dst, sizeof(g.dst));
		vector__merge_register(image, insn->vvvv, g.mask, sizeof(g.mask));
	} else {
		vector__write_register(image, insn->reg, g.dst, sizeof(g.dst));
		vector__write_register(image, insn->vvvv, g.mask, sizeof(g.mask));
	}
	vector__image_changed(vcpu);
	return r;
}
