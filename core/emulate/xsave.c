/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FXSAVE, FXRSTOR and the XSAVE family, on the state image of the vCPU (APM vol. 2, 11.4.4 and
 * 11.5; SDM vol. 1, ch. 13). Components: x87, SSE, AVX and AVX-512's three. IA32_XSS has no bits:
 * XSAVES and XRSTORS know no further ones.
 */
#include "core/emulate/operand.h"
#include "core/emulate/vector.h"
#include "core/vm/vm.h"

#define LEGACY_SIZE 512
#define HEADER_END 576
#define OFFSET_MXCSR 24
#define OFFSET_ST 32
#define OFFSET_XMM 160

/* ---- the x87 part of the legacy area ---- */

/*
 * AMD processors save the pointers only with an exception pending, else zeros (APM vol. 2,
 * 11.4.4.3; CPUID Fn8000_0008_EBX[RstrFpErrPtrs]); Intel's always do.
 */
static bool saves_pointers(struct vcpu *vcpu, const struct xsave_image *image)
{
	return (image->fsw & FSW_ES) || !vector__is_amd(vcpu);
}

static bool is_64bit_format(const struct insn *insn)
{
	return insn->code == 8 && (insn->flags & INSN_REX_W);
}

/* Bytes 0 to 23 of the area. */
static void build_x87_header(struct vcpu *vcpu, const struct insn *insn,
			     const struct xsave_image *image, u8 out[24])
{
	u64 ip = image->fip, dp = image->fdp;

	memcpy(out, image, 8);
	out[5] = 0;
	if (!is_64bit_format(insn)) {
		ip = (u32)ip | (u64)image->fcs << 32;
		dp = (u32)dp | (u64)image->fds << 32;
	}
	if (!saves_pointers(vcpu, image)) {
		out[6] = 0;
		out[7] = 0;
		ip = 0;
		dp = 0;
	}
	memcpy(out + 8, &ip, 8);
	memcpy(out + 16, &dp, 8);
}

static void take_x87(struct vcpu *vcpu, const struct insn *insn, struct xsave_image *image, const u8 *in)
{
	unsigned i;

	memcpy(image, in, 24);
	image->fcw = (image->fcw & FCW_WRITABLE) | FCW_FIXED;
	image->reserved0 = 0;
	image->fop &= 0x7ff;
	image->fcs = 0;
	image->fds = 0;
	if (!is_64bit_format(insn)) {
		image->fcs = image->fip >> 32;
		image->fds = image->fdp >> 32;
		image->fip = (u32)image->fip;
		image->fdp = (u32)image->fdp;
	}
	/* What stands behind the ten bytes of a register is lost. */
	memset(image->st, 0, sizeof(image->st));
	for (i = 0; i < 8; i++)
		memcpy(image->st[i], in + OFFSET_ST + 16 * i, 10);
	if (!vector__is_amd(vcpu)) {
		/* Intel's processors work out anew which exceptions are pending, and keep addresses that can be. */
		vector__update_pending(image);
		image->fip = cpuid__make_canonical(&vcpu->cpuid, image->fip);
		image->fdp = cpuid__make_canonical(&vcpu->cpuid, image->fdp);
	}
	image->xstate_bv |= XSTATE_X87;
}

static void init_x87(struct xsave_image *image)
{
	memset(image, 0, 24);
	memset(image->st, 0, sizeof(image->st));
	image->fcw = FCW_INIT;
	image->fcs = 0;
	image->fds = 0;
	image->xstate_bv &= ~XSTATE_X87;
}

/* Outside of 64-bit code only XMM0 to 7 are saved and restored. */
static unsigned xmm_bytes(const struct insn *insn)
{
	return insn->code == 8 ? 256 : 128;
}

/* Of the components behind the header: registers that the code can name. */
static unsigned component_bytes(const struct insn *insn, unsigned component)
{
	unsigned size = xstate__components()[component].size;

	if (insn->code == 8 || component == XSTATE_OPMASK_NUMBER)
		return size;
	return component == XSTATE_ZMM_MORE_NUMBER ? 0 : size / 2;
}

/* The place of a component in the image, which is in the standard form. */
static u8 *component_at(const struct xsave_image *image, unsigned component)
{
	return (u8 *)image + xstate__components()[component].offset;
}

/* ---- FXSAVE, FXRSTOR ---- */

static enum exec_result check_fxsr(struct vcpu *vcpu)
{
	if (vcpu->cpu.cr0 & CR0_EM)
		return x86__raise_ud(vcpu);
	return vcpu->cpu.cr0 & CR0_TS ? x86__raise(vcpu, X86_NM) : EXEC_NEXT;
}

/* The area's linear address, aligned to align or #GP(0). */
static enum exec_result area_address(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				     unsigned align, bool write, u64 *linear)
{
	enum exec_result r = emulate__operand(vcpu, insn, size, write, linear);

	/* XSAVE and kin look at the alignment before the segment, FXSAVE and FXRSTOR after it. */
	if (r)
		return align == 16 ? r : vector__operand_failed(vcpu, insn, r, align);
	if (likely(!(*linear & (align - 1))))
		return EXEC_NEXT;
	if (align == 16 && insn->seg == X86_SS && insn->code == 8 &&
	    !linear_is_canonical(&vcpu->cpu, *linear))
		return x86__raise_error(vcpu, X86_SS_FAULT, 0);
	return x86__raise_gp(vcpu, 0);
}

/* EFER.FFXSR leaves the XMM registers out at CPL 0 in 64-bit code (APM vol. 2, 3.1.7). */
static bool with_xmm(struct vcpu *vcpu)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	if ((cpu->efer & EFER_FFXSR) && !cpu->cpl && cpu->code_size == 8)
		return false;
	return cpu->cr4 & CR4_OSFXSR;
}

enum exec_result exec_fxsave(struct vcpu *vcpu, const struct insn *insn)
{
	unsigned how = vector__access_how(insn), size = OFFSET_XMM;
	const struct xsave_image *image;
	enum exec_result r;
	u8 out[OFFSET_XMM + 256];
	u64 linear;
	u32 mask;

	r = check_fxsr(vcpu);
	if (r)
		return r;
	r = area_address(vcpu, insn, LEGACY_SIZE, 16, true, &linear);
	if (r)
		return r;
	r = access__probe_write(vcpu, linear, LEGACY_SIZE, how);
	if (r)
		return r;
	image = vector__image(vcpu);
	mask = vector__mxcsr_mask(vcpu);
	memcpy(out, image, sizeof(out));
	build_x87_header(vcpu, insn, image, out);
	memcpy(out + OFFSET_MXCSR + 4, &mask, 4);
	if (with_xmm(vcpu))
		size += xmm_bytes(insn);
	return access__write(vcpu, linear, out, size, how);
}

enum exec_result exec_fxrstor(struct vcpu *vcpu, const struct insn *insn)
{
	struct xsave_image *image;
	u8 in[LEGACY_SIZE];
	enum exec_result r;
	u64 linear;
	u32 mxcsr;

	r = check_fxsr(vcpu);
	if (r)
		return r;
	r = area_address(vcpu, insn, LEGACY_SIZE, 16, false, &linear);
	if (r)
		return r;
	r = access__read(vcpu, linear, in, LEGACY_SIZE, vector__access_how(insn));
	if (r)
		return r;
	memcpy(&mxcsr, in + OFFSET_MXCSR, 4);
	if ((vcpu->cpu.cr4 & CR4_OSFXSR) && (mxcsr & ~vector__mxcsr_mask(vcpu)))
		return x86__raise_gp(vcpu, 0);
	image = vector__image(vcpu);
	take_x87(vcpu, insn, image, in);
	if (vcpu->cpu.cr4 & CR4_OSFXSR)
		image->mxcsr = mxcsr;
	if (with_xmm(vcpu)) {
		memcpy(image->xmm, in + OFFSET_XMM, xmm_bytes(insn));
		image->xstate_bv |= XSTATE_SSE;
	}
	vector__image_changed(vcpu);
	return EXEC_NEXT;
}

/* ---- XSAVE and kin ---- */

static enum exec_result check_xsave(struct vcpu *vcpu, bool supervisor)
{
	if (!(vcpu->cpu.cr4 & CR4_OSXSAVE))
		return x86__raise_ud(vcpu);
	if (vcpu->cpu.cr0 & CR0_TS)
		return x86__raise(vcpu, X86_NM);
	return supervisor && vcpu->cpu.cpl ? x86__raise_gp(vcpu, 0) : EXEC_NEXT;
}

/* The components that both XCR0 and EDX:EAX name. */
static u64 requested(const struct x86_cpu *cpu)
{
	u64 mask = (u32)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32;

	return mask & cpu->xcr0 & XSTATE_ALL;
}

enum save_kind {
	SAVE_PLAIN,   /* XSAVE */
	SAVE_OPT,     /* XSAVEOPT: components in their initial state need not be written */
	SAVE_COMPACT, /* XSAVEC, XSAVES */
};

struct save {
	struct vcpu *vcpu;
	const struct insn *insn;
	u64 linear;
	enum exec_result r;
};

static void save_bytes(struct save *s, unsigned offset, const void *data, unsigned size)
{
	if (!s->r)
		s->r = access__write(s->vcpu, s->linear + offset, data, size,
				     vector__access_how(s->insn));
}

static void save_components(struct save *s, const struct xsave_image *image, u64 rfbm, u64 write,
			    bool compact)
{
	bool with_mxcsr = compact ? write & XSTATE_SSE : rfbm & (XSTATE_SSE | XSTATE_AVX);
	u32 mxcsr[2] = { image->mxcsr, vector__mxcsr_mask(s->vcpu) };
	u8 header[24];
	unsigned i;

	if (write & XSTATE_X87) {
		build_x87_header(s->vcpu, s->insn, image, header);
		save_bytes(s, 0, header, sizeof(header));
		save_bytes(s, OFFSET_ST, image->st, sizeof(image->st));
	}
	if (with_mxcsr)
		save_bytes(s, OFFSET_MXCSR, mxcsr, sizeof(mxcsr));
	if (write & XSTATE_SSE)
		save_bytes(s, OFFSET_XMM, image->xmm, xmm_bytes(s->insn));
	for (i = XSTATE_FIRST; i < XSTATE_COUNT; i++)
		if (write >> i & 1)
			save_bytes(s, xstate__offset(i, rfbm, compact), component_at(image, i),
				   component_bytes(s->insn, i));
}

/* XSTATE_BV keeps its other bits in the standard form; XSAVEC and XSAVES write it all. */
static enum exec_result save_header(struct save *s, u64 rfbm, u64 in_use, enum save_kind kind)
{
	u64 header[2];

	if (kind == SAVE_COMPACT) {
		header[0] = in_use & rfbm;
		header[1] = rfbm | XCOMP_COMPACT;
		save_bytes(s, LEGACY_SIZE, header, 16);
		return s->r;
	}
	if (!s->r)
		s->r = access__read(s->vcpu, s->linear + LEGACY_SIZE, header, 8,
				    vector__access_how(s->insn));
	if (s->r)
		return s->r;
	header[0] = (header[0] & ~rfbm) | (in_use & rfbm);
	save_bytes(s, LEGACY_SIZE, header, 8);
	return s->r;
}

/* XSAVEOPT goes through the area from its start: a page fault there precedes the limit's #GP. */
static enum exec_result first_failure(struct vcpu *vcpu, const struct insn *insn)
{
	struct vcpu_exception limit = vcpu->exception;
	enum exec_result r;
	u64 linear;

	r = area_address(vcpu, insn, 1, 64, true, &linear);
	if (!r)
		r = access__probe_write(vcpu, linear, 1, vector__access_how(insn));
	if (!r)
		vcpu->exception = limit;
	return EXEC_FAULT;
}

/* On Intel's processors ZMM16 to 31, which other code can't name, count as unused outside of 64-bit code. */
static u64 components_in_use(struct vcpu *vcpu, const struct insn *insn, const struct xsave_image *image)
{
	u64 components = image->xstate_bv & XSTATE_ALL;

	return insn->code == 8 || vector__is_amd(vcpu) ? components : components & ~XSTATE_ZMM_MORE;
}

static enum exec_result save(struct vcpu *vcpu, const struct insn *insn, enum save_kind kind,
			     bool supervisor)
{
	u64 rfbm = requested(&vcpu->cpu), in_use;
	struct save s = { .vcpu = vcpu, .insn = insn };
	bool compact = kind == SAVE_COMPACT;
	u32 size = xstate__area_size(rfbm, compact);
	const struct xsave_image *image;

	s.r = check_xsave(vcpu, supervisor);
	if (s.r)
		return s.r;
	s.r = area_address(vcpu, insn, size, 64, true, &s.linear);
	if (s.r)
		return first_failure(vcpu, insn);
	/* All of it is checked first, so the pieces below do not fault half way. */
	s.r = access__probe_write(vcpu, s.linear, size, vector__access_how(insn));
	if (s.r)
		return s.r;
	image = vector__image(vcpu);
	in_use = components_in_use(vcpu, insn, image);
	if (compact && image->mxcsr != MXCSR_INIT)
		in_use |= XSTATE_SSE;
	save_components(&s, image, rfbm, kind == SAVE_PLAIN ? rfbm : rfbm & in_use, compact);
	return save_header(&s, rfbm, in_use, kind);
}

enum exec_result exec_xsave(struct vcpu *vcpu, const struct insn *insn)
{
	return save(vcpu, insn, SAVE_PLAIN, false);
}

enum exec_result exec_xsaveopt(struct vcpu *vcpu, const struct insn *insn)
{
	return save(vcpu, insn, SAVE_OPT, false);
}

enum exec_result exec_xsavec(struct vcpu *vcpu, const struct insn *insn)
{
	return save(vcpu, insn, SAVE_COMPACT, false);
}

enum exec_result exec_xsaves(struct vcpu *vcpu, const struct insn *insn)
{
	return save(vcpu, insn, SAVE_COMPACT, true);
}

/* ---- XRSTOR and kin ---- */

/* Checks of the header (SDM vol. 1, 13.8.1 and 13.8.2). */
static bool header_is_valid(struct vcpu *vcpu, const struct xsave_image *area, bool supervisor)
{
	u64 xcr0 = vcpu->cpu.xcr0 & XSTATE_ALL;
	unsigned i;

	if (!(area->xcomp_bv & XCOMP_COMPACT))
		return !supervisor && !area->xcomp_bv && !area->reserved3[0] &&
		       !(area->xstate_bv & ~xcr0);
	if (!cpuid__has(&vcpu->cpuid, FEAT_XSAVEC))
		return false;
	for (i = 0; i < ARRAY_LENGTH(area->reserved3); i++)
		if (area->reserved3[i])
			return false;
	return !(area->xcomp_bv & ~(xcr0 | XCOMP_COMPACT)) && !(area->xstate_bv & ~area->xcomp_bv);
}

/* Loads MXCSR as rfbm and form want it. false: it has reserved bits set. */
static bool restore_mxcsr(struct vcpu *vcpu, struct xsave_image *image,
			  const struct xsave_image *area, u64 rfbm)
{
	bool compact = area->xcomp_bv & XCOMP_COMPACT;

	if (compact && !(rfbm & XSTATE_SSE))
		return true;
	if (!(rfbm & (XSTATE_SSE | XSTATE_AVX)))
		return true;
	if (compact && !(area->xstate_bv & XSTATE_SSE)) {
		image->mxcsr = MXCSR_INIT;
		return true;
	}
	if (area->mxcsr & ~vector__mxcsr_mask(vcpu))
		return false;
	image->mxcsr = area->mxcsr;
	return true;
}

static void restore_component(struct xsave_image *image, const struct insn *insn,
			      const struct xsave_image *area, unsigned component)
{
	unsigned bytes = component_bytes(insn, component);

	if (area->xstate_bv >> component & 1)
		memcpy(component_at(image, component), component_at(area, component), bytes);
	else
		memset(component_at(image, component), 0, bytes);
	image->xstate_bv |= BIT64(component);
}

static void restore_components(struct vcpu *vcpu, struct xsave_image *image, const struct insn *insn,
			       const struct xsave_image *area, u64 rfbm)
{
	unsigned bytes = xmm_bytes(insn), i;

	if (rfbm & XSTATE_X87) {
		if (area->xstate_bv & XSTATE_X87)
			take_x87(vcpu, insn, image, (const u8 *)area);
		else
			init_x87(image);
	}
	if (rfbm & XSTATE_SSE) {
		if (area->xstate_bv & XSTATE_SSE)
			memcpy(image->xmm, area->xmm, bytes);
		else
			memset(image->xmm, 0, bytes);
		image->xstate_bv |= XSTATE_SSE;
	}
	for (i = XSTATE_FIRST; i < XSTATE_COUNT; i++)
		if (rfbm >> i & 1)
			restore_component(image, insn, area, i);
	/* In 64-bit code all registers went, so the components are initial again. */
	if (insn->code == 8)
		image->xstate_bv &= ~(rfbm & ~area->xstate_bv);
}

/* AMD's processors want a component of the standard form to be there even if it is not loaded. */
static u64 wanted(struct vcpu *vcpu, const struct xsave_image *area)
{
	bool compact = area->xcomp_bv & XCOMP_COMPACT;

	return compact || !vector__is_amd(vcpu) ? area->xstate_bv : XSTATE_ALL;
}

/*
 * Reads the components behind the header to where they stand in the standard form. One that the
 * compacted form leaves out is initialised.
 */
static enum exec_result read_components(struct vcpu *vcpu, const struct insn *insn,
					struct xsave_image *area, u64 rfbm)
{
	u64 needed = rfbm & wanted(vcpu, area) & ~(XSTATE_X87 | XSTATE_SSE), linear;
	bool compact = area->xcomp_bv & XCOMP_COMPACT;
	enum exec_result r = EXEC_NEXT;
	unsigned i;

	if (!needed)
		return r;
	r = area_address(vcpu, insn, xstate__area_size(compact ? area->xcomp_bv : needed, compact),
			 64, false, &linear);
	for (i = XSTATE_FIRST; i < XSTATE_COUNT && !r; i++)
		if (needed >> i & 1)
			r = access__read(vcpu, linear + xstate__offset(i, area->xcomp_bv, compact),
					 component_at(area, i), xstate__components()[i].size,
					 vector__access_how(insn));
	return r;
}

static enum exec_result restore(struct vcpu *vcpu, const struct insn *insn, bool supervisor)
{
	u64 rfbm = requested(&vcpu->cpu), linear;
	struct xsave_image area, *image;
	enum exec_result r;

	r = check_xsave(vcpu, supervisor);
	if (r)
		return r;
	r = area_address(vcpu, insn, HEADER_END, 64, false, &linear);
	if (r)
		return r;
	r = access__read(vcpu, linear, &area, HEADER_END, vector__access_how(insn));
	if (r)
		return r;
	if (!header_is_valid(vcpu, &area, supervisor))
		return x86__raise_gp(vcpu, 0);
	r = read_components(vcpu, insn, &area, rfbm);
	if (r)
		return r;
	image = vector__image(vcpu);
	if (!restore_mxcsr(vcpu, image, &area, rfbm))
		return x86__raise_gp(vcpu, 0);
	restore_components(vcpu, image, insn, &area, rfbm);
	vector__image_changed(vcpu);
	return EXEC_NEXT;
}

enum exec_result exec_xrstor(struct vcpu *vcpu, const struct insn *insn)
{
	return restore(vcpu, insn, false);
}

enum exec_result exec_xrstors(struct vcpu *vcpu, const struct insn *insn)
{
	return restore(vcpu, insn, true);
}
