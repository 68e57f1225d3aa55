/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The opcode index: for each map and opcode the rows that may stand for it, in order of trial. */
#ifndef CORE_DECODE_INDEX_H
#define CORE_DECODE_INDEX_H

#include "core/decode/decode.h"
#include "core/decode/row.h"

/* How one immediate operand stands in the instruction stream. */
enum imm_kind {
	IMM_NONE,
	IMM_U8,	  /* zero-extended byte */
	IMM_S8,	  /* sign-extended byte */
	IMM_U16,
	IMM_Z,	  /* 2 or 4 bytes by operand size, sign-extended */
	IMM_V,	  /* 2, 4 or 8 bytes by operand size */
	IMM_FAR,  /* offset of 2 or 4 bytes, then a selector */
	IMM_MOFFS, /* an address of the address size */
	IMM_ONE,  /* no bytes: the constant 1 */
};

/* What the operands and flags of a row come to, worked out once. */
#define TRAIT_MODRM 0x01
#define TRAIT_MEM 0x02	  /* needs mod != 3 */
#define TRAIT_REG 0x04	  /* needs mod == 3 */
#define TRAIT_CRDR 0x08	  /* MOV CRn / DRn: mod is taken for 3 whatever it is */
#define TRAIT_SIZE_W 0x10 /* operand size comes from W alone, not from 66 */
#define TRAIT_SREG 0x20	  /* modrm.reg is a segment register */
#define TRAIT_MMX_REG 0x40 /* modrm.reg is an MMX register: REX.R is ignored */
#define TRAIT_MMX_RM 0x80 /* modrm.rm is an MMX register: REX.B is ignored */
#define TRAIT_NO_W 0x200   /* port I/O, AMD's far pointers: no 64-bit form, W makes it 32-bit */
#define TRAIT_GPR_Y 0x100 /* has an operand in a general register that W widens */
#define TRAIT_GPR_RM 0x1000 /* modrm.rm is a general register */
#define TRAIT_OPMASK_RM 0x2000 /* modrm.rm is an opmask: B and X are ignored */
/* AMD's processors only, see decode__init_for(): */
#define TRAIT_NEAR_16 0x400 /* 66 makes a near branch 16-bit in 64-bit code, too */
#define TRAIT_W_ONLY_64 0x800 /* VEX.W outside of 64-bit code is #UD */
/*
 * Up to family 25 bits that mean nothing are ignored: EVEX.b of register operands where memory can be broadcast, EVEX.z
 * of what can't be masked, and in VEX encodings those that number more opmasks than there are.
 */
#define TRAIT_LOOSE 0x4000

struct candidate {
	const struct opcode_row *row;
	u16 traits;
	u8 imm;	 /* enum imm_kind of the first immediate */
	u8 imm2; /* and of the second */
};

struct index_entry {
	u16 first; /* in the candidates */
	u8 count;
	bool modrm; /* the candidates have a ModRM byte */
};

/* Room for all rows, with one more candidate for each further opcode that a row spans. */
#define INDEX_MAX_CANDIDATES 4096

/* Whose encodings the index is for. */
extern enum decode_kind index_kind;
extern struct candidate index_candidates[INDEX_MAX_CANDIDATES];
extern struct index_entry index_entries[NR_MAPS][256];

/* Register class of an operand that is one in general registers; where its number stands. */
enum operand_place {
	PLACE_NONE,
	PLACE_REG,  /* modrm.reg */
	PLACE_RM,   /* modrm.rm, register or memory */
	PLACE_VVVV, /* VEX.vvvv */
	PLACE_LOW,  /* low bits of the opcode */
	PLACE_RAX,
	PLACE_RCX,
	PLACE_RDX,
	PLACE_IMM,  /* an immediate */
	PLACE_MOFFS, /* memory, address in the instruction */
};

struct operand_facts {
	u8 place; /* enum operand_place */
	u8 imm;	  /* enum imm_kind */
	u16 traits;
	char size; /* b w d q v y z, 0 for none of them */
};

extern const struct operand_facts operand_facts[NR_OPERANDS];

#endif
