/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The row format of the instruction tables: every fact about one opcode in one place. */
#ifndef CORE_DECODE_ROW_H
#define CORE_DECODE_ROW_H

#include "core/decode/insn.h"

/*
 * Operand encodings, in the letters of the manuals' opcode maps (APM vol. 3, A.1).
 * Upper case first letter: where it is encoded; the rest: its size.
 */
enum operand {
	OP_NONE,
	/* general registers and memory through ModRM */
	OP_Eb, OP_Ew, OP_Ed, OP_Eq, OP_Ev, OP_Ey, /* y: 4, or 8 with REX.W */
	OP_Gb, OP_Gw, OP_Gd, OP_Gq, OP_Gv, OP_Gy,
	OP_By,	      /* VEX.vvvv general register */
	OP_Rv, OP_Ry, /* modrm.rm, register only */
	OP_M,	      /* memory only, size by the executor */
	OP_Mb, OP_Mw, OP_Md, OP_Mq, OP_Mdq, OP_Mqq, OP_Mv, OP_My, OP_Mp, OP_Ms,
	OP_Zb, OP_Zv, /* register in the low bits of the opcode */
	OP_ALb,	      /* AL */
	OP_rAXv,      /* AX, EAX, RAX */
	OP_eAXd,      /* AX or EAX, never RAX (in, out) */
	OP_CLb,	      /* CL */
	OP_DXw,	      /* DX */
	OP_1,	      /* the constant 1 */
	OP_Ib, OP_Iw, OP_Iz, OP_Iv, /* Iz: 2 or 4 sign-extended; Iv: 2, 4, 8 */
	OP_sIb,	      /* Ib sign-extended to the operand size */
	OP_Jb, OP_Jz, /* relative branch */
	OP_Ap,	      /* far pointer in the instruction */
	OP_Ob, OP_Ov, /* moffs */
	OP_Xb, OP_Xv, OP_Yb, OP_Yv, /* string operands */
	OP_Sw,	      /* segment register in modrm.reg */
	OP_Cy, OP_Dy, /* control, debug register in modrm.reg */
	/* vector and x87 */
	OP_Pq, OP_Qq, OP_Qd, OP_Nq,	  /* MMX reg, MMX reg/mem (64/32 bit), MMX rm reg only */
	OP_Vx, OP_Vdq, OP_Vq, OP_Vd,	  /* XMM/YMM/ZMM in modrm.reg; x: vector length */
	OP_Wx, OP_Wdq, OP_Wq, OP_Wd, OP_Ww, OP_Wb, /* XMM/YMM or memory of that many bytes */
	OP_Wh,				  /* half of x: 8, 16 or 32 */
	OP_Wqr,				  /* quarter of x: 4, 8 or 16 */
	OP_Wer,				  /* eighth of x: 2, 4 or 8 */
	OP_Hx, OP_Hdq, OP_Hq, OP_Hd,	  /* VEX.vvvv XMM/YMM; absent in the legacy encoding */
	OP_Ux, OP_Udq,			  /* modrm.rm XMM/YMM, register only */
	OP_Lx,				  /* is4 register */
	OP_Vh,				  /* modrm.reg: half of x, at least XMM */
	OP_Wqq,				  /* YMM or 32 bytes of memory */
	OP_Kg, OP_Kh, OP_Ku,		  /* opmask in modrm.reg, vvvv, modrm.rm */
	OP_ST0, OP_STi,			  /* x87 */
	NR_OPERANDS,
};

/* row.prefix: the mandatory prefix that selects this row. */
enum row_prefix {
	PFX_ANY,  /* prefixes do not select; 66 is operand size, F2/F3 repeat or ignored */
	PFX_NONE, /* none of 66, F2, F3 (an F2/F3 beats 66) */
	PFX_66,
	PFX_F3,
	PFX_F2,
};

/* row.flags */
#define ROW_LOCK 0x00000001	 /* LOCK is allowed (with a memory destination) */
#define ROW_NO64 0x00000002	 /* #UD in 64-bit code */
#define ROW_ONLY64 0x00000004	 /* #UD outside of 64-bit code */
#define ROW_DEF64 0x00000008	 /* 64-bit code: operand size 8 unless 66 (push, pop, ...) */
#define ROW_FORCE64 0x00000010	 /* 64-bit code: operand size 8 always (near branches, mov cr) */
#define ROW_CPL0 0x00000020	 /* #GP(0) unless CPL is 0 (checked by the executor's caller) */
#define ROW_PROT 0x00000040	 /* #UD in real and virtual-8086 mode */
#define ROW_BRANCH 0x00000080	 /* may set RIP */
#define ROW_STOP 0x00000100	 /* ends a block: changes what later decoding or events need */
#define ROW_REP 0x00000200	 /* F3 repeats (string instruction without flags test) */
#define ROW_REPZ 0x00000400	 /* F3/F2 repeat while equal / not equal */
#define ROW_MODRM 0x00000800	 /* has a ModRM byte (also implied by operands) */
#define ROW_REG_ONLY 0x00001000	 /* this row is for mod = 3 */
#define ROW_MEM_ONLY 0x00002000	 /* this row is for mod != 3 */
#define ROW_BYTE 0x00004000	 /* operand size 1 */
#define ROW_VEX 0x00008000	 /* the VEX encoding only; rows without it never match VEX */
#define ROW_LEGACY 0x00010000	 /* not with VEX (said for the reader) */
#define ROW_L0 0x00020000	 /* VEX.L must be 0 */
#define ROW_L1 0x00040000	 /* VEX.L must be 1 */
#define ROW_W0 0x00080000	 /* REX.W/VEX.W must be 0 */
#define ROW_W1 0x00100000	 /* REX.W/VEX.W must be 1 */
#define ROW_NO_VVVV 0x00200000	 /* VEX.vvvv must be 1111b */
#define ROW_ALIGNED 0x00400000	 /* memory operand must be aligned to its size: #GP(0) */
#define ROW_UNALIGNED 0x00800000 /* legacy SSE 16-byte operand that need not be aligned */
#define ROW_WRITES_MEM 0x01000000 /* the memory operand is written, not read */
#define ROW_RMW_MEM 0x02000000	 /* the memory operand is read and written */
#define ROW_X87_ENV 0x04000000	 /* x87 control: does not update FIP/FDP/FOP */
#define ROW_NO_WAIT 0x08000000	 /* x87: pending exceptions are not reported here */
#define ROW_VSIB 0x10000000	 /* gather: index is a vector register */
#define ROW_SIZE_W 0x20000000	 /* 0F66: size from W only, 66 does not change it */
#define ROW_W1_INTEL 0x40000000	 /* VEX.W must be 1 on Intel's processors; AMD's ignore it */

/*
 * row.evex: of an EVEX encoding (which has ROW_VEX, too). SDM vol. 2, 2.7. Displacements of one
 * byte count memory operands, or elements where a mask moves these together.
 */
#define EVEX_ELEMENT 0x0003   /* log2 of the bytes that a bit of the mask is for, of the vector length */
#define EVEX_ROW 0x0004
#define EVEX_MASK 0x0008      /* may be masked */
#define EVEX_ZERO 0x0010      /* and masked elements zeroed */
#define EVEX_MUST 0x0020      /* must be masked */
#define EVEX_BROADCAST4 0x0040
#define EVEX_BROADCAST8 0x0080
#define EVEX_ROUND 0x0100     /* embedded rounding */
#define EVEX_SAE 0x0200	      /* suppresses exceptions */
#define EVEX_128 0x0400	      /* vector lengths */
#define EVEX_256 0x0800
#define EVEX_512 0x1000
#define EVEX_SCALAR 0x2000    /* one element; the length is ignored */
#define EVEX_WHOLE 0x4000     /* masked elements of memory may fault */
#define EVEX_BY_ELEMENT 0x8000 /* gathers, scatters, compression, expansion */

/*
 * CPUID condition of a row: the guest must have been offered the feature (cpuid__has()),
 * else #UD. Each is a word-and-bit of CPUID, see core/x86/cpuid.h.
 */
enum x86_feature {
	FEAT_BASE, /* always there */
	FEAT_FPU, FEAT_TSC, FEAT_MSR, FEAT_CX8, FEAT_SEP, FEAT_CMOV, FEAT_CLFLUSH, FEAT_MMX,
	FEAT_FXSR, FEAT_SSE, FEAT_SSE2,
	FEAT_SSE3, FEAT_PCLMUL, FEAT_MONITOR, FEAT_SSSE3, FEAT_FMA, FEAT_CX16, FEAT_PCID,
	FEAT_SSE41, FEAT_SSE42, FEAT_X2APIC, FEAT_MOVBE, FEAT_POPCNT, FEAT_TSC_DEADLINE, FEAT_AES,
	FEAT_XSAVE, FEAT_AVX, FEAT_F16C, FEAT_RDRAND,
	FEAT_FSGSBASE, FEAT_TSC_ADJUST, FEAT_BMI1, FEAT_AVX2, FEAT_SMEP, FEAT_BMI2, FEAT_ERMS,
	FEAT_INVPCID, FEAT_RDSEED, FEAT_ADX, FEAT_SMAP, FEAT_CLFLUSHOPT, FEAT_CLWB, FEAT_SHA,
	FEAT_UMIP, FEAT_PKU, FEAT_VAES, FEAT_VPCLMUL, FEAT_RDPID, FEAT_LA57, FEAT_FSRM,
	FEAT_XSAVEOPT, FEAT_XSAVEC, FEAT_XGETBV1, FEAT_XSAVES,
	FEAT_LAHF_LM, FEAT_CR8_LEGACY, FEAT_ABM, FEAT_SSE4A, FEAT_MISALIGNSSE, FEAT_3DNOWPREFETCH,
	FEAT_SYSCALL, FEAT_NX, FEAT_MMXEXT, FEAT_FFXSR, FEAT_PDPE1GB, FEAT_RDTSCP, FEAT_LM,
	FEAT_AVX512F, FEAT_AVX512DQ, FEAT_AVX512IFMA, FEAT_AVX512CD, FEAT_AVX512BW, FEAT_AVX512VL,
	FEAT_AVX512VBMI, FEAT_AVX512VBMI2, FEAT_AVX512VNNI, FEAT_AVX512BITALG, FEAT_AVX512VPOPCNTDQ,
	FEAT_AVX512BF16, FEAT_GFNI,
	FEAT_CLZERO, FEAT_XSAVEERPTR, FEAT_WBNOINVD, FEAT_AUTO_IBRS, FEAT_SVM, FEAT_VMX,
	NR_FEATURES,
};

#define GROUP_ANY 8 /* row.group: modrm.reg does not select */
#define RM_ANY 8    /* row.rm: modrm.rm does not select */

struct opcode_row {
	const char *name; /* mnemonic, lower case, AT&T without size suffix */
	u8 map;		  /* enum opcode_map */
	u8 opcode;	  /* first of a run for +r encodings: see span */
	u8 span;	  /* number of consecutive opcodes this row stands for (0 and 1: one) */
	u8 group;	  /* modrm.reg that selects, or GROUP_ANY */
	/*
	 * modrm.rm that selects (0F 01, x87, with mod = 3), or RM_ANY. In a row without ModRM: the
	 * register number that opcode and REX.B must give (90 is NOP only without REX.B).
	 */
	u8 rm;
	u8 prefix;	  /* enum row_prefix */
	u8 feature;	  /* enum x86_feature */
	u8 op[4];	  /* enum operand, destination first (Intel order) */
	u32 flags;	  /* ROW_* */
	u16 evex;	  /* EVEX_*; 0: no EVEX encoding */
	u16 reads;	  /* RFLAGS_* read, low 16 bit */
	u16 writes;	  /* RFLAGS_* written with a defined value */
	u16 undefined;	  /* RFLAGS_* left undefined by the architecture */
	u8 class;	  /* enum row_class: how operands reach the executor */
	exec_fn *exec;	  /* the executor, or NULL when forms is set */
	const struct exec_forms *forms; /* executors by operand form and size */
};

enum row_class {
	CLASS_INTEGER, /* core/emulate on general registers */
	CLASS_SYSTEM,  /* core/emulate, privileged or mode-dependent */
	CLASS_VECTOR,  /* MMX, SSE, AVX, AVX-512: run as they are through engine_ops.vector_exec */
	CLASS_X87,     /* x87: the same */
};

/*
 * The tables. Each is an array of rows with all rows of one (map, opcode) standing together;
 * more specific rows (prefix, group, rm, ROW_REG_ONLY, ROW_VEX) come first.
 */
struct row_table {
	const struct opcode_row *rows;
	unsigned count;
};

extern const struct row_table rows_integer; /* core/decode/rows_integer.c */
extern const struct row_table rows_system;  /* core/decode/rows_system.c */
extern const struct row_table rows_x87;	    /* core/decode/rows_x87.c */
extern const struct row_table rows_sse;	    /* core/decode/rows_sse.c: MMX and legacy SSE */
extern const struct row_table rows_avx;	    /* core/decode/rows_avx.c: VEX encodings */
extern const struct row_table rows_opmask;  /* core/decode/rows_opmask.c: VEX on opmasks */
extern const struct row_table rows_evex_0f; /* core/decode/rows_evex_0f.c: EVEX, map 0F */
extern const struct row_table rows_evex_0f38; /* core/decode/rows_evex_0f38.c */
extern const struct row_table rows_evex_0f3a; /* core/decode/rows_evex_0f3a.c */

#endif
