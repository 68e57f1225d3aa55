/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 instructions: run as they are, except for the environment and state images, which would show
 * the host's pointers (APM vol. 5; image formats: APM vol. 2, figures 11-1 to 11-8).
 *
 * CR0.NE = 0 asks for exceptions through IRQ 13; like hardware virtualization, #MF is raised
 * instead.
 */
#include "core/emulate/emulate.h"
#include "core/emulate/vector.h"
#include "core/vm/vm.h"

static __always_inline enum exec_result check_x87(struct vcpu *vcpu)
{
	if (likely(!(vcpu->cpu.cr0 & (CR0_EM | CR0_TS))))
		return EXEC_NEXT;
	return x86__raise(vcpu, X86_NM);
}

static __always_inline enum exec_result run_sized(struct vcpu *vcpu, const struct insn *insn,
						  unsigned size)
{
	struct vector_call call;

	if (insn->flags & INSN_MEM)
		return vector__run_memory(vcpu, insn, &call, size, false);
	call.mem = NULL;
	return vector__run(vcpu, insn, &call);
}

enum exec_result exec_x87(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_x87(vcpu);

	return unlikely(r) ? r : run_sized(vcpu, insn, operands__vector_size(insn));
}

enum exec_result exec_x87_m80(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_x87(vcpu);

	return unlikely(r) ? r : run_sized(vcpu, insn, 10);
}

enum exec_result exec_x87_flags(struct vcpu *vcpu, const struct insn *insn)
{
	struct vector_call call = { .arith = vcpu->cpu.arith };
	enum exec_result r = check_x87(vcpu);

	if (unlikely(r))
		return r;
	r = vector__run(vcpu, insn, &call);
	if (likely(!r) && insn->row->writes)
		vcpu->cpu.arith = call.arith;
	return r;
}

enum exec_result exec_fnstsw_ax(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = check_x87(vcpu);
	struct vector_call call = { 0 };

	if (unlikely(r))
		return r;
	r = vector__run(vcpu, insn, &call);
	if (likely(!r))
		GPR16(&vcpu->cpu, 8 * X86_RAX) = call.rax;
	return r;
}

/* WAIT looks at TS only when CR0.MP (APM vol. 2, 3.1.1). */
enum exec_result exec_fwait(struct vcpu *vcpu, const struct insn *insn)
{
	struct vector_call call = { 0 };

	if ((vcpu->cpu.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
		return x86__raise(vcpu, X86_NM);
	return vector__run(vcpu, insn, &call);
}

/* ---- environment images ---- */

enum tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

/* The full tag of a register, which the abridged one does not tell (APM vol. 2, 11.4.4.1). */
static enum tag register_tag(const u8 *st)
{
	u64 mantissa = 0;
	unsigned exponent = (st[8] | st[9] << 8) & 0x7fff;

	memcpy(&mantissa, st, 8);
	if (exponent == 0x7fff)
		return TAG_SPECIAL;
	if (!exponent)
		return mantissa ? TAG_SPECIAL : TAG_ZERO;
	return mantissa >> 63 ? TAG_VALID : TAG_SPECIAL;
}

static u16 full_tags(const struct xsave_image *image)
{
	unsigned top = image->fsw >> 11 & 7, physical;
	u16 tags = 0;

	for (physical = 0; physical < 8; physical++) {
		enum tag tag = TAG_EMPTY;

		if (image->ftw >> physical & 1)
			tag = register_tag(image->st[(physical - top) & 7]);
		tags |= tag << 2 * physical;
	}
	return tags;
}

static u8 abridged_tags(u16 full)
{
	u8 tags = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		if ((full >> 2 * i & 3) != TAG_EMPTY)
			tags |= 1 << i;
	return tags;
}

/*
 * Sets the status word. The image holds the registers in the order of the stack, so a new top
 * moves those that stay where they are.
 */
static void set_status(struct xsave_image *image, u16 fsw)
{
	unsigned shift = ((fsw >> 11) - (image->fsw >> 11)) & 7, i;
	u8 st[8][16];

	memcpy(st, image->st, sizeof(st));
	for (i = 0; i < 8; i++)
		memcpy(image->st[i], st[(i + shift) & 7], sizeof(st[i]));
	image->fsw = fsw;
}

/* The operand size counts as for integer instructions; 64-bit code uses the 32-bit formats. */
static bool is_16bit_format(const struct insn *insn)
{
	if (insn->code == 8 && (insn->flags & INSN_REX_W))
		return false;
	return (insn->code == 2) != !!(insn->flags & INSN_OPSIZE);
}

static unsigned environment_size(const struct insn *insn)
{
	return is_16bit_format(insn) ? 14 : 28;
}

/* In real and virtual-8086 mode pointers are linear, their upper bits beside the opcode's. */
static void build_environment(struct vcpu *vcpu, const struct insn *insn,
			      const struct xsave_image *image, void *out)
{
	bool real = x86__is_real_like(&vcpu->cpu);
	u32 ip = image->fip, dp = image->fdp, env[7];
	u16 *env16 = out;
	unsigned i;

	env[0] = image->fcw;
	env[1] = image->fsw;
	env[2] = full_tags(image);
	if (real) {
		ip += image->fcs << 4;
		dp += image->fds << 4;
		env[3] = ip & 0xffff;
		env[4] = (ip >> 16) << 12 | (image->fop & 0x7ff);
		env[5] = dp & 0xffff;
		env[6] = (dp >> 16) << 12;
	} else {
		env[3] = ip;
		env[4] = image->fcs | (image->fop & 0x7ff) << 16;
		env[5] = dp;
		env[6] = image->fds;
	}
	if (is_16bit_format(insn)) {
		for (i = 0; i < 7; i++)
			env16[i] = env[i];
		return;
	}
	for (i = 0; i < 3; i++)
		env[i] |= 0xffff0000;
	if (real) {
		env[3] |= 0xffff0000;
		env[5] |= 0xffff0000;
	}
	env[6] |= real ? 0 : 0xffff0000;
	memcpy(out, env, sizeof(env));
}

static void take_environment(struct vcpu *vcpu, const struct insn *insn, struct xsave_image *image,
			     const void *in)
{
	bool real = x86__is_real_like(&vcpu->cpu), small = is_16bit_format(insn);
	const u16 *env16 = in;
	u32 env[7];
	unsigned i;

	if (small)
		for (i = 0; i < 7; i++)
			env[i] = env16[i];
	else
		memcpy(env, in, sizeof(env));
	image->fcw = (env[0] & FCW_WRITABLE) | FCW_FIXED;
	set_status(image, env[1]);
	image->ftw = abridged_tags(env[2]);
	image->fcs = 0;
	image->fds = 0;
	if (real) {
		image->fip = (env[3] & 0xffff) | (env[4] >> 12 & (small ? 0xf : 0xffff)) << 16;
		image->fdp = (env[5] & 0xffff) | (env[6] >> 12 & (small ? 0xf : 0xffff)) << 16;
		image->fop = env[4] & 0x7ff;
	} else {
		image->fip = env[3];
		image->fdp = env[5];
		image->fcs = env[4];
		image->fds = env[6];
		/* The 16-bit protected-mode format has no opcode. */
		image->fop = small ? 0 : env[4] >> 16 & 0x7ff;
	}
	/* The control word decides anew which exceptions are pending. */
	vector__update_pending(image);
	image->xstate_bv |= XSTATE_X87;
}

/* What the manuals call FNINIT. */
static void init_x87(struct xsave_image *image)
{
	image->fcw = FCW_INIT;
	set_status(image, 0);
	image->ftw = 0;
	image->fop = 0;
	image->fip = 0;
	image->fdp = 0;
	image->fcs = 0;
	image->fds = 0;
	/* The registers keep their contents, so the component is not in its initial state. */
	image->xstate_bv |= XSTATE_X87;
}

static enum exec_result store_image(struct vcpu *vcpu, const struct insn *insn, bool state)
{
	unsigned env_size = environment_size(insn), size = env_size + (state ? 80 : 0), i;
	struct xsave_image *image;
	u8 out[108] __attribute__((aligned(4)));
	enum exec_result r;
	u64 linear;

	r = check_x87(vcpu);
	if (r)
		return r;
	r = emulate__operand(vcpu, insn, size, true, &linear);
	if (r)
		return r;
	image = vector__image(vcpu);
	build_environment(vcpu, insn, image, out);
	for (i = 0; state && i < 8; i++)
		memcpy(out + env_size + 10 * i, image->st[i], 10);
	r = access__write(vcpu, linear, out, size, vector__access_how(insn));
	if (r)
		return r;
	/* The access may have written the state out anew: same place, same contents. */
	image = vector__image(vcpu);
	if (state) {
		init_x87(image);
	} else {
		image->fcw |= FSW_EXCEPTIONS;
		image->fsw &= ~(FSW_ES | FSW_B);
		image->xstate_bv |= XSTATE_X87;
	}
	vector__image_changed(vcpu);
	return EXEC_NEXT;
}

static enum exec_result load_image(struct vcpu *vcpu, const struct insn *insn, bool state)
{
	unsigned env_size = environment_size(insn), size = env_size + (state ? 80 : 0), i;
	struct xsave_image *image;
	u8 in[108] __attribute__((aligned(4)));
	enum exec_result r;
	u64 linear;

	r = check_x87(vcpu);
	if (r)
		return r;
	if (vector__image(vcpu)->fsw & FSW_ES)
		return x86__raise(vcpu, X86_MF);
	r = emulate__operand(vcpu, insn, size, false, &linear);
	if (r)
		return r;
	r = access__read(vcpu, linear, in, size, vector__access_how(insn));
	if (r)
		return r;
	image = vector__image(vcpu);
	take_environment(vcpu, insn, image, in);
	for (i = 0; state && i < 8; i++)
		memcpy(image->st[i], in + env_size + 10 * i, 10);
	vector__image_changed(vcpu);
	return EXEC_NEXT;
}

enum exec_result exec_fnstenv(struct vcpu *vcpu, const struct insn *insn)
{
	return store_image(vcpu, insn, false);
}

enum exec_result exec_fnsave(struct vcpu *vcpu, const struct insn *insn)
{
	return store_image(vcpu, insn, true);
}

enum exec_result exec_fldenv(struct vcpu *vcpu, const struct insn *insn)
{
	return load_image(vcpu, insn, false);
}

enum exec_result exec_frstor(struct vcpu *vcpu, const struct insn *insn)
{
	return load_image(vcpu, insn, true);
}
