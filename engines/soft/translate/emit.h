/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing host instructions into a buffer, byte by byte (encodings: APM vol. 3, chapter 1).
 *
 * Register numbers are the encoding's, 0 to 15. A buffer that is full takes nothing more and says
 * so in the end; offsets stay meaningful, so callers need not look in between.
 */
#ifndef ENGINES_SOFT_TRANSLATE_EMIT_H
#define ENGINES_SOFT_TRANSLATE_EMIT_H

#include "base/types.h"

enum host_reg {
	H_RAX,
	H_RCX,
	H_RDX,
	H_RBX,
	H_RSP,
	H_RBP,
	H_RSI,
	H_RDI,
	H_R8,
	H_R9,
	H_R10,
	H_R11,
	H_R12,
	H_R13,
	H_R14,
	H_R15,
	H_NONE = 0xff, /* no index */
};

struct emit {
	u8 *start; /* writable view */
	u32 size;
	u32 at;
	bool overflow;
};

struct host_mem {
	u8 base;
	u8 index;
	u8 scale;
	s32 disp;
};

static inline void emit8(struct emit *e, u8 byte)
{
	if (unlikely(e->at >= e->size)) {
		e->overflow = true;
		return;
	}
	e->start[e->at++] = byte;
}

static inline void emit16(struct emit *e, u16 v)
{
	emit8(e, v);
	emit8(e, v >> 8);
}

static inline void emit32(struct emit *e, u32 v)
{
	emit16(e, v);
	emit16(e, v >> 16);
}

static inline void emit64(struct emit *e, u64 v)
{
	emit32(e, v);
	emit32(e, v >> 32);
}

static inline struct host_mem mem_at(u8 base, s32 disp)
{
	return (struct host_mem){ .base = base, .index = H_NONE, .disp = disp };
}

static inline struct host_mem mem_indexed(u8 base, u8 index, u8 scale, s32 disp)
{
	return (struct host_mem){ .base = base, .index = index, .scale = scale, .disp = disp };
}

/* ModRM, SIB and displacement for a memory operand; index, where there is one, is not RSP. */
static inline void emit_modrm_mem(struct emit *e, u8 reg, struct host_mem m)
{
	bool sib = m.index != H_NONE || (m.base & 7) == H_RSP;
	u8 mod = m.disp == 0 && (m.base & 7) != H_RBP ? 0 : m.disp == (s8)m.disp ? 1 : 2;

	emit8(e, mod << 6 | (reg & 7) << 3 | (sib ? 4 : m.base & 7));
	if (sib)
		emit8(e, m.scale << 6 | (m.index == H_NONE ? 4 : m.index & 7) << 3 | (m.base & 7));
	if (mod == 1)
		emit8(e, m.disp);
	else if (mod == 2)
		emit32(e, m.disp);
}

static inline u8 rex_of(bool w, u8 reg, struct host_mem m)
{
	return (w ? 8 : 0) | (reg & 8 ? 4 : 0) | (m.index != H_NONE && (m.index & 8) ? 2 : 0) |
	       (m.base & 8 ? 1 : 0);
}

/* One opcode byte, a register and memory; w: 64 bit. */
static inline void emit_rm(struct emit *e, bool w, u8 opcode, u8 reg, struct host_mem m)
{
	u8 rex = rex_of(w, reg, m);

	if (rex)
		emit8(e, 0x40 | rex);
	emit8(e, opcode);
	emit_modrm_mem(e, reg, m);
}

/* The same for two registers. */
static inline void emit_rr(struct emit *e, bool w, u8 opcode, u8 reg, u8 rm)
{
	u8 rex = (w ? 8 : 0) | (reg & 8 ? 4 : 0) | (rm & 8 ? 1 : 0);

	if (rex)
		emit8(e, 0x40 | rex);
	emit8(e, opcode);
	emit8(e, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

#define OP_LOAD 0x8b
#define OP_STORE 0x89
#define OP_LEA 0x8d

static inline void emit_load(struct emit *e, u8 reg, struct host_mem m)
{
	emit_rm(e, true, OP_LOAD, reg, m);
}

static inline void emit_load32(struct emit *e, u8 reg, struct host_mem m)
{
	emit_rm(e, false, OP_LOAD, reg, m);
}

static inline void emit_store(struct emit *e, u8 reg, struct host_mem m)
{
	emit_rm(e, true, OP_STORE, reg, m);
}

static inline void emit_store32(struct emit *e, u8 reg, struct host_mem m)
{
	emit_rm(e, false, OP_STORE, reg, m);
}

static inline void emit_lea(struct emit *e, bool w, u8 reg, struct host_mem m)
{
	emit_rm(e, w, OP_LEA, reg, m);
}

static inline void emit_mov(struct emit *e, bool w, u8 to, u8 from)
{
	emit_rr(e, w, OP_STORE, from, to);
}

/* Zero-extended. */
static inline void emit_mov_imm32(struct emit *e, u8 reg, u32 v)
{
	if (reg & 8)
		emit8(e, 0x41);
	emit8(e, 0xb8 | (reg & 7));
	emit32(e, v);
}

static inline void emit_mov_imm64(struct emit *e, u8 reg, u64 v)
{
	if (v == (u32)v) {
		emit_mov_imm32(e, reg, v);
		return;
	}
	emit8(e, 0x48 | (reg & 8 ? 1 : 0));
	emit8(e, 0xb8 | (reg & 7));
	emit64(e, v);
}

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static inline void emit_alu_imm(struct emit *e, bool w, u8 op, u8 reg, s32 v)
{
	if (v == (s8)v) {
		emit_rr(e, w, 0x83, op, reg);
		emit8(e, v);
	} else {
		emit_rr(e, w, 0x81, op, reg);
		emit32(e, v);
	}
}

static inline void emit_alu_mem(struct emit *e, bool w, u8 op, u8 reg, struct host_mem m)
{
	emit_rm(e, w, op << 3 | 3, reg, m);
}

/* A jump whose target is filled in later: returns where its 32-bit displacement stands. */
static inline u32 emit_jmp(struct emit *e)
{
	emit8(e, 0xe9);
	emit32(e, 0);
	return e->at - 4;
}

static inline u32 emit_jcc(struct emit *e, u8 condition)
{
	emit8(e, 0x0f);
	emit8(e, 0x80 | condition);
	emit32(e, 0);
	return e->at - 4;
}

enum { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS };

/* Makes the jump whose displacement stands at `from` go to the offset `to`. */
static inline void emit_patch(struct emit *e, u32 from, u32 to)
{
	u32 v = to - (from + 4);

	if (e->overflow)
		return;
	__builtin_memcpy(e->start + from, &v, 4);
}

/* The same for a displacement of one byte, which reaches 127 bytes. */
static inline void emit_patch8(struct emit *e, u32 from, u32 to)
{
	if (!e->overflow)
		e->start[from] = to - (from + 1);
}

static inline void emit_jmp_to(struct emit *e, u32 to)
{
	u32 from = emit_jmp(e);

	emit_patch(e, from, to);
}

static inline void emit_call_to(struct emit *e, u32 to)
{
	emit8(e, 0xe8);
	emit32(e, to - (e->at + 4));
}

#endif
