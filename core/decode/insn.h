/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoded instruction, and the row of the instruction tables that it came from.
 *
 * One row holds every fact about an opcode. The decoder, the emulator, the disassembler and the
 * translator read the same row. (Encodings: APM vol. 3 appendix A; SDM vol. 2 ch. 2 and app. A.)
 */
#ifndef CORE_DECODE_INSN_H
#define CORE_DECODE_INSN_H

#include "base/types.h"
#include "core/x86/cpu.h"

struct vcpu;
struct insn;
struct opcode_row;

/*
 * What executing one instruction came to. The executor never advances RIP except for JUMP:
 * the run loop does, on NEXT and STOP.
 */
enum exec_result {
	EXEC_NEXT = 0, /* done, go on behind it */
	EXEC_STOP,     /* done, go on behind it, but state that decoding or event delivery depends
			* on has changed (mode, CPL, flags, shadow, halt): leave the block */
	EXEC_JUMP,     /* done, RIP holds the next instruction's address */
	EXEC_AGAIN,    /* made progress (one or more REP iterations), RIP unchanged: take pending
			* events, then execute it again */
	EXEC_FAULT,    /* nothing committed; vcpu->exception tells which exception to deliver */
	EXEC_EXIT,     /* nothing committed; vcpu->io waits for user space, then execute it again */
	EXEC_FAIL,     /* can't be emulated here (KVM_INTERNAL_ERROR_EMULATION) */
};

typedef enum exec_result exec_fn(struct vcpu *vcpu, const struct insn *insn);

/*
 * Executors of a two-operand integer instruction by form of the operands and log2 of the operand
 * size. The decoder picks; NULL means that form does not exist.
 *   FORM_RR dst register, src register   FORM_RI dst register, imm
 *   FORM_RM dst register, src memory     FORM_MR dst memory, src register
 *   FORM_MI dst memory, imm
 * One-operand instructions use RR (register) and MR (memory).
 */
enum insn_form { FORM_RR, FORM_RI, FORM_RM, FORM_MR, FORM_MI, NR_FORMS };

struct exec_forms {
	exec_fn *fn[NR_FORMS][4];
};

#define INSN_MAX_LENGTH 15

/* insn.flags */
#define INSN_LOCK 0x0001
#define INSN_REP 0x0002	  /* F3 */
#define INSN_REPNE 0x0004 /* F2 */
#define INSN_OPSIZE 0x0008 /* 66 */
#define INSN_MEM 0x0010   /* has a memory operand through base/index/disp */
#define INSN_REX_W 0x0020
#define INSN_REX 0x0040 /* some REX prefix was there */
#define INSN_VEX 0x0080
#define INSN_VEX_L 0x0100 /* 256 bit */
#define INSN_NO_SEG 0x0200 /* 64-bit code, and the segment has base 0 and no limit: linear = EA */
#define INSN_RIP_REL 0x0400
#define INSN_SEG_OVERRIDE 0x0800
#define INSN_BRANCH 0x1000 /* may set RIP: a block ends here */
#define INSN_STOP 0x2000   /* a block ends here for another reason (row flag ROW_STOP) */
#define INSN_EVEX 0x4000   /* besides INSN_VEX, which says what both have in common */

/* insn.evex: the last byte of the prefix without V' (SDM vol. 2, 2.7.1). */
#define INSN_EVEX_MASK 0x07	/* the opmask register; 0: none */
#define INSN_EVEX_B 0x10	/* broadcast from memory; rounding, exceptions suppressed */
#define INSN_EVEX_LENGTH_SHIFT 5 /* vector length, or rounding control */
#define INSN_EVEX_Z 0x80	/* masked elements become 0 */

struct insn {
	exec_fn *exec;
	const struct opcode_row *row;
	/*
	 * The immediate, sign-extended to 64 bit where the encoding says so; a relative branch's
	 * displacement; a moffs address (which is disp, too: moffs is a memory operand without base);
	 * a far pointer's offset (its selector stands in imm2).
	 */
	u64 imm;
	s64 disp;  /* of the memory operand; for RIP-relative ones insn.len is already added */
	u16 flags; /* INSN_* */
	u8 len;	   /* bytes, 1 to 15 */
	u8 opsize; /* operand size in bytes: 1, 2, 4 or 8; vector operations: see the row */
	u8 adsize; /* address size in bytes: 2, 4 or 8 */
	u8 code;   /* code size decoded for: 2, 4 or 8 */
	/*
	 * Register operands as byte offsets into x86_cpu.gpr, so that AH..DH need no case of
	 * their own: dst and src of the normalised form; for FORM_*I src is unused.
	 */
	u8 dst;
	u8 src;
	u8 base;  /* slot number: 0-15, X86_SLOT_ZERO, X86_SLOT_RIP */
	u8 index; /* slot number, X86_SLOT_ZERO if none; ROW_VSIB: number of a vector register */
	u8 scale; /* shift count 0-3 */
	u8 seg;	  /* enum x86_segreg of the memory operand, override applied */
	u8 modrm; /* the raw byte, 0 if the row has none */
	u8 reg;	  /* modrm.reg with REX.R / VEX.R (or the opcode's low bits with REX.B for +r) */
	u8 rm;	  /* modrm.rm with REX.B / VEX.B, when mod is 3 */
	u8 vvvv;  /* VEX.vvvv, un-inverted */
	union {
		u16 imm2; /* far pointer's selector; ENTER's level; EXTRQ's and INSERTQ's second */
		struct {  /* INSN_EVEX */
			u8 evex;
			u8 vector_bytes; /* vector length: 16, 32 or 64 */
		};
	};
	u8 opcode; /* last opcode byte */
	u8 map;	   /* enum opcode_map */
	u32 engine; /* the engine's own: an index of the native stub for a vector instruction */
};

enum opcode_map { MAP_1BYTE, MAP_0F, MAP_0F38, MAP_0F3A, NR_MAPS };

/* Vector length in bytes, of an instruction with one: 16, 32 or 64. */
static __always_inline unsigned insn__vector_bytes(const struct insn *insn)
{
	if (insn->flags & INSN_EVEX)
		return insn->vector_bytes;
	return insn->flags & INSN_VEX_L ? 32 : 16;
}

/* The opmask register that masks the elements, 1 to 7; 0: none. */
static __always_inline unsigned insn__mask(const struct insn *insn)
{
	return insn->flags & INSN_EVEX ? insn->evex & INSN_EVEX_MASK : 0;
}

/* Whether the memory operand is one element that stands for all. */
static __always_inline bool insn__is_broadcast(const struct insn *insn)
{
	return (insn->flags & INSN_EVEX) && (insn->flags & INSN_MEM) && (insn->evex & INSN_EVEX_B);
}

/*
 * Linear address computation without segmentation: base + (index << scale) + disp, cut to the
 * address size. In 64-bit code with 64-bit addresses the mask is all ones.
 */
static __always_inline u64 insn__effective_address(const struct x86_cpu *cpu,
						   const struct insn *insn)
{
	u64 ea = cpu->slot[insn->base] + (cpu->slot[insn->index] << insn->scale) + insn->disp;

	if (likely(insn->adsize == 8))
		return ea;
	return insn->adsize == 4 ? (u32)ea : (u16)ea;
}

#endif
