/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes from a row: prefixes, VEX, ModRM, SIB, displacement, immediates (APM vol. 3, ch. 1). */
#include <string.h>

#include "tests/isa/instance.h"
#include "tests/isa/random.h"

struct writer {
	u8 bytes[48];
	unsigned n;
};

static void put(struct writer *w, u8 byte)
{
	w->bytes[w->n++] = byte;
}

const struct candidate *candidate__of(const struct opcode_row *row)
{
	const struct index_entry *entry = &index_entries[row->map][row->opcode];
	unsigned i;

	for (i = 0; i < entry->count; i++)
		if (index_candidates[entry->first + i].row == row)
			return &index_candidates[entry->first + i];
	return NULL;
}

/* ---- prefixes ---- */

static u8 random_segment_prefix(const struct instance *in)
{
	static const u8 all[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

	if (in->code_size == 8 && random__below(4))
		return 0x64 | (random__u64() & 1);
	return all[random__below(6)];
}

static void put_legacy_prefixes(const struct instance *in, struct writer *w, bool memory)
{
	const struct opcode_row *row = in->row;
	bool vex = row->flags & ROW_VEX;
	bool may_lock = (row->flags & ROW_LOCK) && memory;

	if (random__one_in(6))
		put(w, random_segment_prefix(in));
	if (random__one_in(in->code_size == 2 ? 3 : 7))
		put(w, 0x67);
	if (vex) {
		if (random__one_in(200))
			put(w, random__one_in(2) ? 0x66 : 0xf3);
		return;
	}
	if (random__one_in(may_lock ? 4 : 60))
		put(w, 0xf0);
	if (row->prefix == PFX_66 || (row->prefix != PFX_NONE && random__one_in(5)))
		put(w, 0x66);
	if (row->prefix == PFX_F3)
		put(w, 0xf3);
	else if (row->prefix == PFX_F2)
		put(w, 0xf2);
	else if (row->prefix == PFX_ANY &&
		 random__one_in(row->flags & (ROW_REP | ROW_REPZ) ? 2 : 12))
		put(w, 0xf2 | (random__u64() & 1));
}

/* Prefixes stand in any order. */
static void shuffle(struct writer *w)
{
	unsigned i;

	for (i = 1; i < w->n; i++) {
		unsigned j = random__below(i + 1);
		u8 byte = w->bytes[i];

		w->bytes[i] = w->bytes[j];
		w->bytes[j] = byte;
	}
}

static void put_rex(const struct instance *in, struct writer *w)
{
	u32 flags = in->row->flags;
	u8 rex = 0x40 | (random__u64() & 7);

	if (in->code_size != 8)
		return;
	if ((flags & ROW_W1) || (!(flags & ROW_W0) && random__one_in(2)))
		rex |= 8;
	if ((flags & ROW_W1) || random__below(5) >= 2)
		put(w, rex);
}

static void put_map(struct writer *w, enum opcode_map map)
{
	if (map != MAP_1BYTE)
		put(w, 0x0f);
	if (map == MAP_0F38)
		put(w, 0x38);
	else if (map == MAP_0F3A)
		put(w, 0x3a);
}

static bool has_operand(const struct opcode_row *row, u8 op)
{
	return row->op[0] == op || row->op[1] == op || row->op[2] == op;
}

/* Bits that an opmask's or general register's number has no use for are mostly as they should be. */
static void restrict_registers(const struct opcode_row *row, u8 *p0, u8 *p1, u8 *p2)
{
	if (random__one_in(50))
		return;
	if (has_operand(row, OP_Kg))
		*p0 |= 0x90;
	if (has_operand(row, OP_Gd) || has_operand(row, OP_Gy))
		*p0 |= 0x10;
	if (has_operand(row, OP_Kh)) {
		*p1 |= 0x40;
		*p2 |= 8;
	}
}

static void put_vex(const struct instance *in, struct writer *w)
{
	static const u8 pp[] = { [PFX_ANY] = 0, [PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2,
				 [PFX_F2] = 3 };
	const struct opcode_row *row = in->row;
	u8 rxb = random__u64() & 0xe0, p1 = random__u64() & 0xfc, ignored;

	if (in->code_size != 8)
		rxb |= 0xc0;
	if (row->flags & (ROW_W0 | ROW_W1))
		p1 = (p1 & 0x7f) | (row->flags & ROW_W1 ? 0x80 : 0);
	if (row->flags & (ROW_L0 | ROW_L1))
		p1 = (p1 & ~4) | (row->flags & ROW_L1 ? 4 : 0);
	if ((row->flags & ROW_NO_VVVV) && !random__one_in(100))
		p1 |= 0x78;
	if (in->code_size != 8)
		p1 |= 0x40;
	p1 |= pp[row->prefix];
	restrict_registers(row, &rxb, &p1, &ignored);
	rxb &= 0xe0;
	if (row->map == MAP_0F && !(p1 & 0x80) && random__one_in(2)) {
		put(w, 0xc5);
		put(w, (rxb & 0x80) | (p1 & 0x7f));
	} else {
		put(w, 0xc4);
		put(w, rxb | row->map);
		put(w, p1);
	}
}

static u8 random_length(const struct opcode_row *row)
{
	u8 length;

	do
		length = random__below(random__one_in(50) ? 4 : 3);
	while (!(row->evex & (EVEX_128 << length | EVEX_SCALAR)) && !random__one_in(50));
	return length << INSN_EVEX_LENGTH_SHIFT;
}

/* The prefix's last byte. */
static u8 random_p2(const struct opcode_row *row, bool memory)
{
	u16 b = memory ? EVEX_BROADCAST4 | EVEX_BROADCAST8 : EVEX_ROUND | EVEX_SAE;
	u8 p2 = random_length(row) | (random__u64() & 8);

	if (row->evex & EVEX_MASK ? random__below(3) || (row->evex & EVEX_MUST) : random__one_in(50))
		p2 |= random__one_in(50) ? random__below(8) : 1 + random__below(7);
	if ((row->evex & EVEX_ZERO) && (p2 & 7) ? random__one_in(2) : random__one_in(50))
		p2 |= INSN_EVEX_Z;
	if (memory && (row->flags & ROW_WRITES_MEM) && random__below(50))
		p2 &= ~INSN_EVEX_Z;
	if (row->evex & b ? random__one_in(3) : random__one_in(50))
		p2 |= INSN_EVEX_B;
	if ((p2 & INSN_EVEX_B) && !memory)
		p2 |= random__u64() & 3 << INSN_EVEX_LENGTH_SHIFT;
	if ((row->flags & ROW_NO_VVVV) && random__below(100))
		p2 |= 8;
	return p2;
}

static void put_evex(const struct instance *in, struct writer *w, bool memory)
{
	static const u8 pp[] = { [PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3 };
	const struct opcode_row *row = in->row;
	u8 p0 = (random__u64() & 0xf0) | row->map, p1 = (random__u64() & 0xf8) | 4 | pp[row->prefix];
	u8 p2 = random_p2(row, memory);

	if (in->code_size != 8)
		p0 |= 0xc0;
	if (row->flags & (ROW_W0 | ROW_W1))
		p1 = (p1 & 0x7f) | (row->flags & ROW_W1 ? 0x80 : 0);
	if ((row->flags & (ROW_NO_VVVV | ROW_VSIB)) && !random__one_in(100))
		p1 |= 0x78;
	if (in->code_size != 8 && random__below(50)) {
		p0 |= 0x30;
		p1 |= 0x40;
		p2 |= 8;
	}
	restrict_registers(row, &p0, &p1, &p2);
	if (random__one_in(200))
		p0 ^= 8;
	if (random__one_in(200))
		p1 ^= 4;
	put(w, 0x62);
	put(w, p0);
	put(w, p1);
	put(w, p2);
}

/* ---- ModRM ---- */

static void put_disp(struct instance *in, struct writer *w, unsigned size)
{
	bool small = random__one_in(2);
	u64 disp = random__u64();
	unsigned i;

	if (small)
		disp = (s64)(s8)disp;
	in->disp_at = w->n;
	in->disp_size = size;
	for (i = 0; i < size; i++)
		put(w, disp >> (8 * i));
}

static void put_memory(struct instance *in, struct writer *w, unsigned adsize, unsigned reg)
{
	unsigned mod = random__below(3), rm = random__below(8);

	if (adsize == 2) {
		put(w, mod << 6 | reg << 3 | rm);
		put_disp(in, w, mod == 0 ? (rm == 6 ? 2 : 0) : mod);
		return;
	}
	if (in->row->flags & ROW_VSIB)
		rm = 4;
	put(w, mod << 6 | reg << 3 | rm);
	if (rm == 4) {
		u8 sib = random__u64();

		put(w, sib);
		if (mod == 0)
			put_disp(in, w, (sib & 7) == 5 ? 4 : 0);
	} else if (mod == 0) {
		put_disp(in, w, rm == 5 ? 4 : 0);
	}
	if (mod)
		put_disp(in, w, mod == 1 ? 1 : 4);
}

static unsigned address_size(const struct instance *in, const struct writer *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (w->bytes[i] == 0x67)
			return in->code_size == 4 ? 2 : 4;
	return in->code_size;
}

static void put_modrm(struct instance *in, struct writer *w, unsigned adsize, bool memory)
{
	const struct opcode_row *row = in->row;
	unsigned reg = row->group != GROUP_ANY ? row->group : random__below(8);
	unsigned rm = row->rm != RM_ANY ? row->rm : random__below(8);

	if (in->candidate->traits & TRAIT_SREG)
		reg = random__below(random__one_in(50) ? 8 : 6);
	if (memory)
		put_memory(in, w, adsize, reg);
	else
		put(w, 0xc0 | reg << 3 | rm);
}

static bool wants_memory(const struct instance *in)
{
	u16 traits = in->candidate->traits;

	if (!(traits & TRAIT_MODRM) || (traits & TRAIT_REG) || in->row->rm != RM_ANY)
		return false;
	return (traits & TRAIT_MEM) || random__below(3);
}

/* ---- the whole ---- */

static bool decode(struct instance *in)
{
	enum decode_result result;

	result = decode__insn(in->bytes, INSN_MAX_LENGTH, in->code_size, &in->insn);
	in->undefined = result == DECODE_UNDEFINED;
	in->length = in->undefined ? INSN_MAX_LENGTH : in->insn.len;
	if (in->undefined)
		return true;
	return result == DECODE_OK && in->insn.row == in->row;
}

bool instance__encode(struct instance *in)
{
	const struct opcode_row *row = in->row;
	struct writer w = { .n = 0 };
	bool memory = wants_memory(in);
	unsigned adsize;

	in->disp_size = 0;
	put_legacy_prefixes(in, &w, memory);
	shuffle(&w);
	adsize = address_size(in, &w);
	if (row->evex) {
		put_evex(in, &w, memory);
	} else if (row->flags & ROW_VEX) {
		put_vex(in, &w);
	} else {
		put_rex(in, &w);
		put_map(&w, row->map);
	}
	put(&w, row->opcode + (row->span > 1 ? random__below(row->span) : 0));
	if (in->candidate->traits & TRAIT_MODRM)
		put_modrm(in, &w, adsize, memory);
	while (w.n < 32)
		put(&w, random__u64());
	memcpy(in->bytes, w.bytes, INSN_MAX_LENGTH);
	return decode(in);
}

bool instance__set_disp(struct instance *in, s64 disp)
{
	unsigned shift = 64 - 8 * in->disp_size;

	if (!in->disp_size || in->disp_at + in->disp_size > INSN_MAX_LENGTH)
		return false;
	memcpy(in->bytes + in->disp_at, &disp, in->disp_size);
	decode(in);
	return (s64)((u64)disp << shift) >> shift == disp;
}

static unsigned imm_bytes(const struct instance *in, enum imm_kind kind)
{
	unsigned offset = in->insn.opsize == 2 ? 2 : 4;

	switch (kind) {
	case IMM_U8:
	case IMM_S8:
		return 1;
	case IMM_U16:
		return 2;
	case IMM_Z:
		return offset;
	case IMM_V:
		return in->insn.opsize;
	case IMM_FAR:
		return offset + 2;
	case IMM_MOFFS:
		return in->insn.adsize;
	default:
		return 0;
	}
}

void instance__set_imm(struct instance *in, u64 imm, u64 imm2)
{
	unsigned first = imm_bytes(in, in->candidate->imm);
	unsigned second = imm_bytes(in, in->candidate->imm2);

	if (in->undefined || !first)
		return;
	if (in->candidate->imm == IMM_FAR) {
		memcpy(in->bytes + in->length - first, &imm, first - 2);
		memcpy(in->bytes + in->length - 2, &imm2, 2);
	} else {
		memcpy(in->bytes + in->length - first - second, &imm, first);
		memcpy(in->bytes + in->length - second, &imm2, second);
	}
	decode(in);
}
