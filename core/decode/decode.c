/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decoder: prefixes, opcode, choice of the row, operands (APM vol. 3, ch. 1). */
#include "core/decode/cursor.h"
#include "core/decode/index.h"
#include "core/decode/operands.h"

/* What prefixes and opcode bytes told, until the row is known. */
struct decoding {
	struct cursor in;
	struct insn *insn;
	const struct candidate *chosen;
	u8 selector; /* enum row_prefix: the mandatory prefix as the hardware sees it */
	u8 rex_r;    /* 0 or 8, from REX or VEX; bit 4: EVEX.R' */
	u8 rex_x;
	u8 rex_b;
	bool w;
};

/* ---- prefixes ---- */

#define REX_B 1
#define REX_X 2
#define REX_R 4
#define REX_W 8

static void override_segment(struct insn *insn, enum x86_segreg seg)
{
	/* ES, CS, SS and DS overrides are ignored in 64-bit code (APM vol. 3, 1.2.4). */
	if (insn->code == 8 && seg < X86_FS)
		return;
	insn->seg = seg;
	insn->flags |= INSN_SEG_OVERRIDE;
}

/* Takes note of a legacy prefix. false: the byte is none. */
static bool note_prefix(struct insn *insn, u8 byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		override_segment(insn, byte >> 3 & 3);
		return true;
	case 0x64:
	case 0x65:
		override_segment(insn, byte == 0x64 ? X86_FS : X86_GS);
		return true;
	case 0x66:
		insn->flags |= INSN_OPSIZE;
		return true;
	case 0x67:
		insn->adsize = insn->code == 4 ? 2 : 4;
		return true;
	case 0xf0:
		insn->flags |= INSN_LOCK;
		return true;
	case 0xf2:
		insn->flags = (insn->flags & ~INSN_REP) | INSN_REPNE;
		return true;
	case 0xf3:
		insn->flags = (insn->flags & ~INSN_REPNE) | INSN_REP;
		return true;
	default:
		return false;
	}
}

static void set_rex(struct decoding *d, u8 rex)
{
	d->rex_r = rex & REX_R ? 8 : 0;
	d->rex_x = rex & REX_X ? 8 : 0;
	d->rex_b = rex & REX_B ? 8 : 0;
	d->w = rex & REX_W;
}

/* Reads prefixes; *opcode is the first byte that is none. */
static enum decode_result take_prefixes(struct decoding *d, u8 *opcode)
{
	struct insn *insn = d->insn;
	enum decode_result result;
	u8 rex = 0;

	for (;;) {
		if (!cursor_has(&d->in, 1, &result))
			return result;
		*opcode = cursor_take(&d->in, 1);
		if (insn->code == 8 && (*opcode & 0xf0) == 0x40)
			rex = *opcode;
		else if (note_prefix(insn, *opcode))
			rex = 0; /* a REX that is not the last prefix is ignored */
		else
			break;
	}
	if (rex) {
		insn->flags |= INSN_REX;
		set_rex(d, rex);
	}
	if (insn->flags & INSN_REP)
		d->selector = PFX_F3;
	else if (insn->flags & INSN_REPNE)
		d->selector = PFX_F2;
	else
		d->selector = insn->flags & INSN_OPSIZE ? PFX_66 : PFX_NONE;
	return DECODE_OK;
}

/* ---- opcode ---- */

/* Bytes 1 and 2 of a three-byte VEX, or the one of a two-byte VEX spread out to them. */
static enum decode_result take_vex(struct decoding *d, bool three)
{
	static const u8 selector[4] = { PFX_NONE, PFX_66, PFX_F3, PFX_F2 };
	struct insn *insn = d->insn;
	enum decode_result result;
	u8 p0, p1;

	if (insn->flags & (INSN_LOCK | INSN_REP | INSN_REPNE | INSN_OPSIZE | INSN_REX))
		return DECODE_UNDEFINED;
	if (!cursor_has(&d->in, three ? 3 : 2, &result))
		return result;
	if (three) {
		p0 = cursor_take(&d->in, 1);
		p1 = cursor_take(&d->in, 1);
	} else {
		p1 = cursor_take(&d->in, 1);
		p0 = (p1 & 0x80) | 0x60 | MAP_0F;
		p1 &= 0x7f;
	}
	insn->map = p0 & 0x1f;
	if (insn->map < MAP_0F || insn->map > MAP_0F3A)
		return DECODE_UNDEFINED;
	d->rex_r = p0 & 0x80 ? 0 : 8;
	d->rex_x = p0 & 0x40 ? 0 : 8;
	d->rex_b = p0 & 0x20 ? 0 : 8;
	d->w = p1 & 0x80;
	insn->vvvv = ~(p1 >> 3) & 15;
	insn->flags |= INSN_VEX | (p1 & 4 ? INSN_VEX_L : 0);
	d->selector = selector[p1 & 3];
	if (insn->code != 8) {
		/* There are eight registers: B and vvvv[3] are ignored (SDM vol. 2, 2.3.5). */
		d->rex_b = 0;
		insn->vvvv &= 7;
	}
	insn->opcode = cursor_take(&d->in, 1);
	return DECODE_OK;
}

/* EVEX: three bytes behind 62 (SDM vol. 2, 2.7.1). */
static enum decode_result take_evex(struct decoding *d)
{
	static const u8 selector[4] = { PFX_NONE, PFX_66, PFX_F3, PFX_F2 };
	struct insn *insn = d->insn;
	enum decode_result result;
	u8 p0, p1, p2;

	if (insn->flags & (INSN_LOCK | INSN_REP | INSN_REPNE | INSN_OPSIZE | INSN_REX))
		return DECODE_UNDEFINED;
	if (!cursor_has(&d->in, 4, &result))
		return result;
	p0 = cursor_take(&d->in, 1);
	p1 = cursor_take(&d->in, 1);
	p2 = cursor_take(&d->in, 1);
	insn->map = p0 & 7;
	if ((p0 & 8) || !(p1 & 4) || insn->map < MAP_0F || insn->map > MAP_0F3A)
		return DECODE_UNDEFINED;
	/* Outside of 64-bit code AMD's processors ignore V', too. */
	if (insn->code != 8 && !(p2 & 8) && index_kind == DECODE_AS_INTEL)
		return DECODE_UNDEFINED;
	d->rex_r = (p0 & 0x80 ? 0 : 8) | (p0 & 0x10 ? 0 : 16);
	d->rex_x = p0 & 0x40 ? 0 : 8;
	d->rex_b = p0 & 0x20 ? 0 : 8;
	d->w = p1 & 0x80;
	insn->vvvv = (~(p1 >> 3) & 15) | (p2 & 8 ? 0 : 16);
	insn->flags |= INSN_VEX | INSN_EVEX;
	insn->evex = p2 & ~8;
	d->selector = selector[p1 & 3];
	if (insn->code != 8) {
		d->rex_r = 0;
		d->rex_b = 0;
		insn->vvvv &= 15;
	}
	insn->opcode = cursor_take(&d->in, 1);
	return DECODE_OK;
}

static enum decode_result take_opcode(struct decoding *d)
{
	struct insn *insn = d->insn;
	enum decode_result result;
	u8 byte;

	result = take_prefixes(d, &byte);
	if (result)
		return result;
	if (byte == 0xc4 || byte == 0xc5) {
		if (!cursor_has(&d->in, 1, &result))
			return result;
		/* LES and LDS are NO64 and have no register form: that is where VEX stands. */
		if (insn->code == 8 || d->in.bytes[d->in.pos] >= 0xc0)
			return take_vex(d, byte == 0xc4);
	}
	if (byte == 0x62) {
		if (!cursor_has(&d->in, 1, &result))
			return result;
		/* BOUND has no register form. */
		if (insn->code == 8 || d->in.bytes[d->in.pos] >= 0xc0)
			return take_evex(d);
	}
	insn->map = MAP_1BYTE;
	if (byte == 0x0f) {
		if (!cursor_has(&d->in, 1, &result))
			return result;
		byte = cursor_take(&d->in, 1);
		insn->map = MAP_0F;
		if (byte == 0x38 || byte == 0x3a) {
			if (!cursor_has(&d->in, 1, &result))
				return result;
			insn->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = cursor_take(&d->in, 1);
		}
	}
	insn->opcode = byte;
	return DECODE_OK;
}

/* ---- the row ---- */

static bool encoding_fits(const struct decoding *d, const struct opcode_row *row)
{
	const struct insn *insn = d->insn;
	u32 flags = row->flags;

	if (row->prefix != PFX_ANY && row->prefix != d->selector)
		return false;
	if (!(flags & ROW_VEX) != !(insn->flags & INSN_VEX))
		return false;
	if (flags & (insn->code == 8 ? ROW_NO64 : ROW_ONLY64))
		return false;
	if (flags & (d->w ? ROW_W0 : ROW_W1))
		return false;
	if ((flags & ROW_W1_INTEL) && !d->w && index_kind == DECODE_AS_INTEL)
		return false;
	if (flags & (insn->flags & INSN_VEX_L ? ROW_L0 : ROW_L1))
		return false;
	if (!row->evex != !(insn->flags & INSN_EVEX))
		return false;
	if (flags & ROW_VSIB) /* V' belongs to the index */
		return !(insn->flags & INSN_EVEX) || !(insn->vvvv & 15);
	return !(flags & ROW_NO_VVVV) || !insn->vvvv;
}

/* Vector length in bytes of an EVEX encoding; 0: the row has no such. */
static unsigned evex_vector_bytes(const struct insn *insn, const struct opcode_row *row)
{
	unsigned length = insn->evex >> INSN_EVEX_LENGTH_SHIFT & 3;

	if ((insn->evex & INSN_EVEX_B) && insn->modrm >= 0xc0 && (row->evex & (EVEX_ROUND | EVEX_SAE)))
		return 64;
	if (length == 3)
		return 0;
	return row->evex & (EVEX_128 << length | EVEX_SCALAR) ? 16 << length : 0;
}

/* What the prefix asks for besides registers (SDM vol. 2, 2.7.11). */
static bool evex_is_legal(struct insn *insn, bool loose)
{
	u16 allowed = insn->row->evex;
	bool mem = insn->modrm < 0xc0;

	if (insn->evex & INSN_EVEX_MASK ? !(allowed & EVEX_MASK) : allowed & EVEX_MUST)
		return false;
	if (loose && !(allowed & EVEX_MASK) && !(mem && (insn->row->flags & ROW_WRITES_MEM)) &&
	    insn->row->op[0] != OP_Kg && insn->row->op[1] != OP_Ku)
		insn->evex &= ~INSN_EVEX_Z;
	if (insn->evex & INSN_EVEX_Z) {
		if (!(allowed & EVEX_ZERO) || !(insn->evex & INSN_EVEX_MASK) ||
		    (mem && (insn->row->flags & ROW_WRITES_MEM)))
			return false;
	}
	if (loose && !mem && !(allowed & (EVEX_ROUND | EVEX_SAE)) &&
	    (allowed & (EVEX_BROADCAST4 | EVEX_BROADCAST8)))
		insn->evex &= ~INSN_EVEX_B;
	if (!(insn->evex & INSN_EVEX_B))
		return true;
	return allowed & (mem ? EVEX_BROADCAST4 | EVEX_BROADCAST8 : EVEX_ROUND | EVEX_SAE);
}

static bool modrm_fits(const struct decoding *d, const struct candidate *c)
{
	const struct opcode_row *row = c->row;
	u8 modrm = d->insn->modrm;
	bool is_reg = modrm >= 0xc0;

	if (!(c->traits & TRAIT_MODRM)) {
		/*
		 * Without ModRM, row.rm is the register that +r encodings name: NOP and PAUSE, which on Intel's
		 * processors is PAUSE whatever REX.B.
		 */
		return row->rm == RM_ANY || row->rm == ((d->insn->opcode & 7) | d->rex_b) ||
		       (row->prefix == PFX_F3 && index_kind == DECODE_AS_INTEL);
	}
	if (row->group != GROUP_ANY && row->group != (modrm >> 3 & 7))
		return false;
	if (row->rm != RM_ANY && (!is_reg || row->rm != (modrm & 7)))
		return false;
	return !(c->traits & (is_reg ? TRAIT_MEM : TRAIT_REG));
}

static enum decode_result choose_row(struct decoding *d)
{
	struct insn *insn = d->insn;
	const struct index_entry *entry = &index_entries[insn->map][insn->opcode];
	const struct candidate *c = &index_candidates[entry->first];
	const struct candidate *end = c + entry->count;
	enum decode_result result;

	if (c == end)
		return DECODE_UNDEFINED;
	if (entry->modrm) {
		if (!cursor_has(&d->in, 1, &result))
			return result;
		insn->modrm = d->in.bytes[d->in.pos];
	}
	for (; c < end; c++) {
		if (!encoding_fits(d, c->row) || !modrm_fits(d, c))
			continue;
		if (d->w && (c->traits & TRAIT_W_ONLY_64) && insn->code != 8)
			continue;
		if (c->row->evex) {
			insn->vector_bytes = evex_vector_bytes(insn, c->row);
			if (!insn->vector_bytes)
				continue;
		}
		if (c->traits & TRAIT_MODRM)
			d->in.pos++;
		else
			insn->modrm = 0;
		d->chosen = c;
		insn->row = c->row;
		if (c->row->evex && !evex_is_legal(insn, c->traits & TRAIT_LOOSE))
			return DECODE_UNDEFINED;
		return DECODE_OK;
	}
	return DECODE_UNDEFINED;
}

/* ---- sizes and operands ---- */

static u8 operand_size(const struct decoding *d)
{
	const struct insn *insn = d->insn;
	u32 flags = insn->row->flags;
	u16 traits = d->chosen->traits;
	bool small = insn->flags & INSN_OPSIZE;

	if (flags & ROW_BYTE)
		return 1;
	if (insn->code == 8) {
		if (small && !d->w && (traits & TRAIT_NEAR_16))
			return 2;
		if (d->w || (flags & ROW_FORCE64))
			return traits & TRAIT_NO_W ? 4 : 8;
		if (traits & TRAIT_SIZE_W)
			return 4;
		if (small)
			return 2;
		return flags & ROW_DEF64 ? 8 : 4;
	}
	if (traits & TRAIT_SIZE_W)
		return 4;
	return (insn->code == 2) != small ? 2 : 4;
}

/* There are eight opmasks and sixteen general registers, whatever the prefixes can name. */
static bool registers_exist(struct insn *insn, bool loose)
{
	const struct opcode_row *row = insn->row;
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		u8 op = row->op[i];

		if (op == OP_Kg && loose && !row->evex)
			insn->reg &= 7;
		if (op == OP_Kh && loose)
			insn->vvvv &= 7;
		if ((op == OP_Kg && insn->reg > 7) || (op == OP_Kh && insn->vvvv > 7))
			return false;
		if (operand_facts[op].place == PLACE_REG && insn->reg > 15)
			return false;
	}
	return true;
}

static enum decode_result take_modrm_operands(struct decoding *d)
{
	struct insn *insn = d->insn;
	u16 traits = d->chosen->traits;

	insn->reg = (insn->modrm >> 3 & 7) | (traits & TRAIT_MMX_REG ? 0 : d->rex_r);
	if (traits & TRAIT_SREG) {
		insn->reg &= 7;
		/* No such register; CS can't be loaded by MOV (APM vol. 3, MOV). */
		if (insn->reg > X86_GS || (insn->row->op[0] == OP_Sw && insn->reg == X86_CS))
			return DECODE_UNDEFINED;
	}
	if ((insn->flags & INSN_VEX) && !registers_exist(insn, traits & TRAIT_LOOSE))
		return DECODE_UNDEFINED;
	if (insn->modrm >= 0xc0 || (traits & TRAIT_CRDR)) {
		insn->rm = (insn->modrm & 7) | (traits & TRAIT_MMX_RM ? 0 : d->rex_b);
		/* X is the fifth bit of a vector register's number. */
		if ((insn->flags & INSN_EVEX) && insn->code == 8 && !(traits & TRAIT_GPR_RM))
			insn->rm |= d->rex_x << 1;
		if (traits & TRAIT_OPMASK_RM)
			insn->rm &= 7;
		return DECODE_OK;
	}
	insn->rm = insn->modrm & 7;
	insn->flags |= INSN_MEM;
	if ((insn->flags & INSN_EVEX) && (insn->row->flags & ROW_VSIB) && insn->code == 8)
		d->rex_x |= insn->vvvv & 16;
	return address__decode(&d->in, insn, d->rex_x, d->rex_b);
}

static enum decode_result take_immediate(struct decoding *d, enum imm_kind kind, u64 *value)
{
	struct insn *insn = d->insn;
	unsigned offset = insn->opsize == 2 ? 2 : 4;
	enum decode_result result = DECODE_OK;
	struct cursor *in = &d->in;

	switch (kind) {
	case IMM_NONE:
		break;
	case IMM_ONE:
		*value = 1;
		break;
	case IMM_U8:
		if (cursor_has(in, 1, &result))
			*value = cursor_take(in, 1);
		break;
	case IMM_S8:
		if (cursor_has(in, 1, &result))
			*value = (s64)(s8)cursor_take(in, 1);
		break;
	case IMM_U16:
		if (cursor_has(in, 2, &result))
			*value = cursor_take(in, 2);
		break;
	case IMM_Z:
		if (!cursor_has(in, offset, &result))
			break;
		*value = cursor_take(in, offset);
		*value = offset == 2 ? (s64)(s16)*value : (s64)(s32)*value;
		break;
	case IMM_V:
		if (cursor_has(in, insn->opsize, &result))
			*value = cursor_take(in, insn->opsize);
		break;
	case IMM_FAR:
		if (!cursor_has(in, offset + 2, &result))
			break;
		*value = cursor_take(in, offset);
		insn->imm2 = cursor_take(in, 2);
		break;
	case IMM_MOFFS:
		if (!cursor_has(in, insn->adsize, &result))
			break;
		*value = cursor_take(in, insn->adsize);
		insn->disp = *value;
		insn->flags |= INSN_MEM;
		break;
	}
	return result;
}

static enum decode_result take_immediates(struct decoding *d)
{
	enum decode_result result;
	u64 second = 0;

	if (d->chosen->imm) {
		result = take_immediate(d, d->chosen->imm, &d->insn->imm);
		if (result)
			return result;
	}
	if (d->chosen->imm2) {
		result = take_immediate(d, d->chosen->imm2, &second);
		if (result)
			return result;
		d->insn->imm2 = second;
	}
	return DECODE_OK;
}

/* ---- the whole ---- */

/* LOCK needs a row that allows it and a memory destination; MOV CR0 with LOCK is CR8 on AMD. */
static bool lock_is_legal(const struct insn *insn, const struct candidate *c)
{
	if (!(insn->flags & INSN_LOCK))
		return true;
	if (!(insn->row->flags & ROW_LOCK))
		return false;
	return operands__is_memory(insn, insn->row->op[0]) || (c->traits & TRAIT_CRDR);
}

static void finish_flags(struct decoding *d)
{
	struct insn *insn = d->insn;

	if (insn->code == 8 && insn->seg < X86_FS)
		insn->flags |= INSN_NO_SEG;
	if (insn->row->flags & ROW_BRANCH)
		insn->flags |= INSN_BRANCH;
	if (insn->row->flags & ROW_STOP)
		insn->flags |= INSN_STOP;
}

static enum decode_result decode(struct decoding *d)
{
	struct insn *insn = d->insn;
	enum decode_result result;

	result = take_opcode(d);
	if (result)
		return result;
	result = choose_row(d);
	if (result)
		return result;
	if (insn->code != 8)
		insn->vvvv &= 7;
	insn->opsize = operand_size(d);
	/* Outside of 64-bit code VEX.W does not widen general registers. */
	if (d->w && (insn->code == 8 || !(d->chosen->traits & TRAIT_GPR_Y)))
		insn->flags |= INSN_REX_W;
	if (d->chosen->traits & TRAIT_MODRM)
		result = take_modrm_operands(d);
	else
		insn->reg = (insn->opcode & 7) | d->rex_b;
	if (result)
		return result;
	result = take_immediates(d);
	if (result)
		return result;
	if (!lock_is_legal(insn, d->chosen) || !operands__normalise(insn))
		return DECODE_UNDEFINED;
	finish_flags(d);
	if (insn->flags & INSN_RIP_REL)
		insn->disp += d->in.pos;
	return DECODE_OK;
}

enum decode_result decode__insn(const u8 *bytes, unsigned avail, unsigned code_size,
				struct insn *insn)
{
	struct decoding d = {
		.in = { .bytes = bytes, .avail = MIN_OF(avail, (unsigned)INSN_MAX_LENGTH) },
		.insn = insn,
	};
	enum decode_result result;

	*insn = (struct insn){
		.code = code_size,
		.adsize = code_size,
		.seg = X86_DS,
		.base = X86_SLOT_ZERO,
		.index = X86_SLOT_ZERO,
	};
	result = decode(&d);
	insn->len = d.in.pos;
	return result;
}
