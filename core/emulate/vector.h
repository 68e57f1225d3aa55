/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executors of x87, MMX, SSE and AVX instructions, and the layout of the XSAVE image.
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
};

_Static_assert(sizeof(struct xsave_image) == 832, "legacy area, header and AVX component");

#define XSTATE_X87 1ULL
#define XSTATE_SSE 2ULL
#define XSTATE_AVX 4ULL
#define XSTATE_ALL 7ULL
#define XCOMP_COMPACT BIT64(63)

#define MXCSR_INIT 0x1f80
#define MXCSR_MM BIT64(17)
#define FCW_INIT 0x37f
#define FCW_WRITABLE 0x1f3f
#define FCW_FIXED 0x40 /* always reads as 1 */
#define FSW_ES 0x80
#define FSW_B 0x8000
#define FSW_EXCEPTIONS 0x3f

/* The bits of MXCSR that this vCPU may set: what the host has, without what CPUID hides. */
u32 vector__mxcsr_mask(struct vcpu *vcpu);
/* Writes the vector state to vcpu->xsave and returns it. */
struct xsave_image *vector__image(struct vcpu *vcpu);
/* Takes note that the image was changed. */
void vector__image_changed(struct vcpu *vcpu);

/* Whether the guest was told that this is an AMD (or Hygon) processor. */
bool vector__is_amd(struct vcpu *vcpu);

/* Conditions under which instructions may execute: EXEC_NEXT, or #UD or #NM recorded. */
enum exec_result vector__check_mmx(struct vcpu *vcpu);
enum exec_result vector__check_sse(struct vcpu *vcpu);
enum exec_result vector__check_avx(struct vcpu *vcpu);

/* Size in bytes of the memory operand that the row's letters tell; 0 if they don't. */
unsigned vector__memory_size(const struct insn *insn);

struct vector_call;

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
/* access__*()'s `how` for the instruction's memory operand. */
unsigned vector__access_how(const struct insn *insn);

#endif
