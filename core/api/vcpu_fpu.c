/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 and vector state: KVM's old structure, the XSAVE area in standard format, XCR0
 * (APM vol. 2, 11.4.4 and 11.5; SDM vol. 1, 10.5 and 13.4).
 */
#include "core/api/table.h"

#define MXCSR_DEFINED 0xffffu
#define MXCSR_INIT 0x1f80u
#define FCW_INIT 0x37fu

#define XCR0_X87 BIT64(0)
#define XCR0_SSE BIT64(1)
#define XCR0_AVX BIT64(2)

/* The legacy area of an XSAVE image (FXSAVE64's layout) and its header. */
struct fxsave {
	u16 fcw;
	u16 fsw;
	u8 ftw;
	u8 pad;
	u16 fop;
	u64 fip;
	u64 fdp;
	u32 mxcsr;
	u32 mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 unused[48];
	u8 software[48];
	u64 xstate_bv;
	u64 xcomp_bv;
	u64 reserved[6];
};

_Static_assert(sizeof(struct fxsave) == 576, "512 bytes and the header");

static struct fxsave *save(struct vcpu *vcpu)
{
	if (vcpu->vm->engine->vector_save)
		vcpu->vm->engine->vector_save(vcpu);
	return (struct fxsave *)vcpu->xsave;
}

static void changed(struct vcpu *vcpu)
{
	if (vcpu->vm->engine->vector_changed)
		vcpu->vm->engine->vector_changed(vcpu);
}

u64 api__supported_xcr0(void)
{
	u32 count = CPUID_MAX_ENTRIES, i;
	struct kvm_cpuid_entry2 *entries = host__alloc(count * sizeof(*entries));
	u64 xcr0 = 0;

	if (entries && !cpuid__supported(entries, &count)) {
		for (i = 0; i < count; i++)
			if (entries[i].function == 0xd && entries[i].index == 0)
				xcr0 = entries[i].eax | (u64)entries[i].edx << 32;
	}
	host__free(entries);
	return xcr0;
}

/* A component whose XSTATE_BV bit is clear is in its initial state, whatever its bytes hold. */
static void write_initial_state(struct fxsave *fx, u64 components)
{
	if (components & XCR0_X87) {
		fx->fcw = FCW_INIT;
		fx->fsw = 0;
		fx->ftw = 0;
		fx->fop = 0;
		fx->fip = 0;
		fx->fdp = 0;
		memset(fx->st, 0, sizeof(fx->st));
	}
	if (components & XCR0_SSE)
		memset(fx->xmm, 0, sizeof(fx->xmm));
}

s64 api__get_fpu(struct api_call *call)
{
	struct kvm_fpu *fpu = call->data;
	struct fxsave *fx = save(call->vcpu);

	write_initial_state(fx, ~fx->xstate_bv);
	memcpy(fpu->fpr, fx->st, sizeof(fpu->fpr));
	fpu->fcw = fx->fcw;
	fpu->fsw = fx->fsw;
	fpu->ftwx = fx->ftw;
	fpu->last_opcode = fx->fop;
	fpu->last_ip = fx->fip;
	fpu->last_dp = fx->fdp;
	memcpy(fpu->xmm, fx->xmm, sizeof(fpu->xmm));
	fpu->mxcsr = fx->mxcsr;
	return 0;
}

s64 api__set_fpu(struct api_call *call)
{
	const struct kvm_fpu *fpu = call->data;
	struct fxsave *fx = save(call->vcpu);

	memcpy(fx->st, fpu->fpr, sizeof(fx->st));
	fx->fcw = fpu->fcw;
	fx->fsw = fpu->fsw;
	fx->ftw = fpu->ftwx;
	fx->fop = fpu->last_opcode;
	fx->fip = fpu->last_ip;
	fx->fdp = fpu->last_dp;
	memcpy(fx->xmm, fpu->xmm, sizeof(fx->xmm));
	/* A reserved bit would make the processor refuse the whole image. */
	fx->mxcsr = fpu->mxcsr & MXCSR_DEFINED;
	fx->xstate_bv |= XCR0_X87 | XCR0_SSE;
	changed(call->vcpu);
	return 0;
}

s64 api__get_xsave(struct api_call *call)
{
	struct fxsave *fx = save(call->vcpu);

	write_initial_state(fx, ~fx->xstate_bv);
	memset(fx->software, 0, sizeof(fx->software));
	memcpy(call->data, fx, sizeof(struct kvm_xsave));
	return 0;
}

static bool valid_image(const struct fxsave *fx)
{
	unsigned i;

	if ((fx->xstate_bv & ~(api__supported_xcr0() | XCR0_X87 | XCR0_SSE)) || fx->xcomp_bv)
		return false;
	for (i = 0; i < ARRAY_LENGTH(fx->reserved); i++)
		if (fx->reserved[i])
			return false;
	return !(fx->xstate_bv & (XCR0_SSE | XCR0_AVX)) || !(fx->mxcsr & ~MXCSR_DEFINED);
}

s64 api__set_xsave(struct api_call *call)
{
	const struct fxsave *in = call->data;
	struct fxsave *fx;

	if (!valid_image(in))
		return -EINVAL;
	fx = save(call->vcpu);
	memcpy(fx, in, sizeof(struct kvm_xsave));
	if (!(in->xstate_bv & (XCR0_SSE | XCR0_AVX)))
		fx->mxcsr = MXCSR_INIT;
	fx->mxcsr_mask = 0;
	memset(fx->software, 0, sizeof(fx->software));
	changed(call->vcpu);
	return 0;
}

s64 api__get_xcrs(struct api_call *call)
{
	struct kvm_xcrs *xcrs = call->data;

	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].xcr = 0;
	xcrs->xcrs[0].value = call->vcpu->cpu.xcr0;
	return 0;
}

s64 api__set_xcrs(struct api_call *call)
{
	const struct kvm_xcrs *xcrs = call->data;
	u32 i;

	if (xcrs->nr_xcrs > KVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;
	for (i = 0; i < xcrs->nr_xcrs; i++)
		if (xcrs->xcrs[i].xcr == 0)
			return x86__set_xcr0(call->vcpu, xcrs->xcrs[i].value) ? -EINVAL : 0;
	return 0;
}
