/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executors of x87, MMX, SSE, AVX and AVX-512 instructions, and the layout of the XSAVE image.
 *
 * Computation is left to the engine (engine_ops.vector_exec): it runs the instruction itself on
 * the guest's vector state. What is done here is what the host must not be trusted with: whether
 * the instruction may execute at all, where its memory operand is, and general registers. Loads
 * and stores of state images and instructions that access memory element by element (gathers,
 * masked moves) work on vcpu->xsave instead.
 */
#ifndef CORE_EMULATE_VECTOR_H
#define CORE_EMULATE_VECTOR_H

#include "core/decode/insn.h"
#include "core/decode/operands.h"
#include "core/x86/xstate.h"

/*
 * One memory operand at most, whose size the row's operand letters tell (16-byte operands of
 * legacy encodings must be aligned). _gpr: one operand is a general register. _flags: sets the
 * arithmetic flags. _string: PCMPxSTRx.
 */
exec_fn exec_mmx;
exec_fn exec_mmx_gpr;
exec_fn exec_sse;
exec_fn exec_sse_gpr;
exec_fn exec_sse_flags;
exec_fn exec_sse_string;
exec_fn exec_sha;
exec_fn exec_avx;
exec_fn exec_avx_gpr;
exec_fn exec_avx_flags;
exec_fn exec_avx_string;
exec_fn exec_avx_zero; /* VZEROUPPER, VZEROALL */

exec_fn exec_ldmxcsr;
exec_fn exec_avx_ldmxcsr;

/* vector_masked.c: accesses by element. */
exec_fn exec_maskmovq;
exec_fn exec_maskmovdqu;
exec_fn exec_avx_maskmovdqu;
exec_fn exec_avx_maskmov;
exec_fn exec_avx_gather;

/* vector_evex.c: EVEX encodings, and instructions on opmasks. */
exec_fn exec_evex;
exec_fn exec_evex_gpr;
exec_fn exec_evex_flags;
exec_fn exec_evex_compress;
exec_fn exec_evex_expand;
exec_fn exec_evex_gather;
exec_fn exec_evex_scatter;

/* vector_x87.c */
exec_fn exec_x87;	/* memory operand, if any, as the row says */
exec_fn exec_x87_m80;	/* memory operand of 10 bytes */
exec_fn exec_x87_flags; /* FCMOVcc, FCOMI and kin */
exec_fn exec_fnstsw_ax;
exec_fn exec_fwait;
exec_fn exec_fldenv;
exec_fn exec_fnstenv;
exec_fn exec_frstor;
exec_fn exec_fnsave;

/* xsave.c */
exec_fn exec_fxsave;
exec_fn exec_fxrstor;
exec_fn exec_xsave;
exec_fn exec_xsaveopt;
exec_fn exec_xsavec;
exec_fn exec_xsaves;
exec_fn exec_xrstor;
exec_fn exec_xrstors;

/*
 * vcpu->xsave: the XSAVE standard format with 64-bit pointers (APM vol. 2, 11.5.6). The pointers
 * in it are always the last x87 instruction's; 32-bit code's have their selectors in the bytes
 * that the hardware leaves to software. Components whose XSTATE_BV bit is 0 hold initial values.
 */
struct xsave_image {
	u16 fcw;
	u16 fsw;
	u8 ftw; /* abridged: bit n: physical register n is not empty */
	u8 reserved0;
	u16 fop;
	u64 fip;
	u64 fdp;
	u32 mxcsr;
	u32 mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 reserved1[48];
	u16 fcs; /* bytes 464 to 511: software's */
	u16 fds;
	u8 reserved2[44];
	u64 xstate_bv;
	u64 xcomp_bv;
	u64 reserved3[6];
	u8 ymm_high[16][16];
	u8 more[XSTATE_MAX_AREA - XSTATE_HEADER_END - XSTATE_AVX_SIZE]; /* see xsave_image__at() */
};

_Static_assert(offsetof(struct xsave_image, more) == 832, "legacy area, header and AVX component");
_Static_assert(sizeof(struct xsave_image) == XSTATE_MAX_AREA, "and AVX-512's");

/* A component of those that stand where CPUID says: XSTATE_*_NUMBER. It must be supported. */
static inline u8 *xsave_image__at(const struct xsave_image *image, unsigned component)
{
	return (u8 *)image + xstate__components()[component].offset;
}

#define XSTATE_ALL (XSTATE_X87 | XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512)
#define XCOMP_COMPACT BIT64(63)

#define MXCSR_INIT 0x1f80
#define MXCSR_MM BIT64(17)
#define FCW_INIT 0x37f
#define FCW_WRITABLE 0x1f3f
#define FCW_FIXED 0x40 /* always reads as 1 */
#define FSW_ES 0x80
#define FSW_B 0x8000
#define FSW_EXCEPTIONS 0x3f

/* Which x87 exceptions are unmasked decides whether one is pending. */
static inline void vector__update_pending(struct xsave_image *image)
{
	image->fsw &= ~(FSW_ES | FSW_B);
	if (image->fsw & ~image->fcw & FSW_EXCEPTIONS)
		image->fsw |= FSW_ES | FSW_B;
}

/* The bits of MXCSR that this vCPU may set: what the host has, without what CPUID hides. */
u32 vector__mxcsr_mask(struct vcpu *vcpu);
/* Writes the vector state to vcpu->xsave and returns it. */
struct xsave_image *vector__image(struct vcpu *vcpu);
/* Takes note that the image was changed. */
void vector__image_changed(struct vcpu *vcpu);

/* Whether the guest was told that this is an AMD (or Hygon) processor. */
bool vector__is_amd(struct vcpu *vcpu);

struct vector_call;

/* Conditions under which instructions may execute: EXEC_NEXT, or #UD or #NM recorded. */
enum exec_result vector__check_mmx(struct vcpu *vcpu);
enum exec_result vector__check_sse(struct vcpu *vcpu);
enum exec_result vector__check_avx(struct vcpu *vcpu);
enum exec_result vector__check_evex(struct vcpu *vcpu);

/* A vector register of an image, 16 to 64 bytes; what lies above what is written becomes 0. */
void vector__read_register(const struct xsave_image *image, unsigned reg, void *out, unsigned size);
void vector__write_register(struct xsave_image *image, unsigned reg, const void *in, unsigned size);

/* The same without a change above. At most 32 bytes, of registers 0 to 15. */
void vector__merge_register(struct xsave_image *image, unsigned reg, const void *in, unsigned size);

/* vector_masked.c: an access of elements of esize bytes at ea; bit n of mask: n takes part. */
struct masked_access {
	u64 ea;
	unsigned size; /* of the whole, at most 64 */
	unsigned esize;
	u64 mask;
	bool write;
};
/* Runs on guest memory itself if all of it, masked or not, can be reached. false: it can't. */
bool vector__run_in_place(struct vcpu *vcpu, const struct insn *insn, const struct masked_access *a,
			  struct vector_call *call, enum exec_result *r);
/* On a copy; what takes part is read before or written after. */
enum exec_result vector__run_by_element(struct vcpu *vcpu, const struct insn *insn,
					const struct masked_access *a, struct vector_call *call);
/* The linear address of an element at ea, cut to the address size; or an exception. */
enum exec_result vector__element_linear(struct vcpu *vcpu, const struct insn *insn, u64 ea,
					unsigned size, bool write, u64 *linear);

/* Runs the instruction with its operands as call says; records #MF or #XM. */
enum exec_result vector__run(struct vcpu *vcpu, const struct insn *insn, struct vector_call *call);
/*
 * Runs it with a memory operand of size bytes (1 to 64), its address computed and checked here;
 * aligned: #GP(0) unless the linear address is a multiple of size.
 */
enum exec_result vector__run_memory(struct vcpu *vcpu, const struct insn *insn,
				    struct vector_call *call, unsigned size, bool aligned);
/*
 * The memory operand of an instruction has raised an exception (r): what does really. A pending x87
 * exception comes before that, and so does a misaligned address before a stack segment's limit (APM
 * vol. 2, table 8-9).
 */
enum exec_result vector__operand_failed(struct vcpu *vcpu, const struct insn *insn,
					enum exec_result r, u32 alignment);
/*
 * The general register that the instruction writes, or -1 (results of 4 bytes are zero-extended);
 * the value of the one that it reads, or 0.
 */
int vector__gpr_written(const struct insn *insn);
u64 vector__gpr_read(struct vcpu *vcpu, const struct insn *insn);
/* access__*()'s `how` for the instruction's memory operand. */
unsigned vector__access_how(const struct insn *insn);

#endif
