/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encodings of rows (SDM vol. 2, ch. 2). */
#include <string.h>

#include "tests/unit/vector/encode.h"
#include "tests/unit/vector/fake.h"

bool variant__has_operand(const struct opcode_row *row, enum operand first, enum operand last)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		if (row->op[i] >= first && row->op[i] <= last)
			return true;
	return false;
}

bool variant__has_gpr(const struct opcode_row *row)
{
	return variant__has_operand(row, OP_Eb, OP_Ey) || variant__has_operand(row, OP_Gb, OP_Gy);
}

static bool has_modrm(const struct opcode_row *row)
{
	return row->class == CLASS_X87 || row->group != GROUP_ANY || row->op[0] != OP_NONE;
}

static bool allows_memory(const struct opcode_row *row)
{
	return has_modrm(row) && !(row->flags & ROW_REG_ONLY) && row->rm == RM_ANY;
}

bool variant__exists(const struct variant *v)
{
	const struct opcode_row *row = v->row;

	if (v->mem ? !allows_memory(row) : !!(row->flags & ROW_MEM_ONLY))
		return false;
	if ((v->l && !(row->flags & ROW_VEX)) || (v->l && (row->flags & ROW_L0)) ||
	    (!v->l && (row->flags & ROW_L1)))
		return false;
	if ((v->w && (row->flags & ROW_W0)) || (!v->w && (row->flags & ROW_W1)))
		return false;
	if (!v->w && (row->flags & ROW_W1_INTEL) && index_kind == DECODE_AS_INTEL)
		return false;
	if (!v->w || v->code_size == 8)
		return true;
	/* Outside of 64-bit code there is no REX, and W does not widen general registers. */
	return (row->flags & ROW_VEX) && !variant__has_gpr(row) && row->exec != exec_avx_string;
}

static void put(struct encoded *e, u8 byte)
{
	e->bytes[e->length++] = byte;
}

static u8 random_register(const struct variant *v, bool gpr)
{
	u8 reg = fake__random() % (v->code_size == 8 ? 16 : 8);

	return gpr && reg == X86_RSP ? X86_RBP : reg;
}

static void put_operands(const struct variant *v, struct encoded *e)
{
	const struct opcode_row *row = v->row;
	unsigned i;

	if (!has_modrm(row))
		return;
	if (!v->mem) {
		put(e, 0xc0 | (e->reg & 7) << 3 | (e->rm & 7));
	} else if (row->flags & ROW_VSIB) {
		put(e, 0x40 | (e->reg & 7) << 3 | 4);
		put(e, (fake__random() & 3) << 6 | (e->index & 7) << 3 | X86_RBX);
		put(e, e->disp);
	} else {
		put(e, 0x40 | (e->reg & 7) << 3 | X86_RBX);
		put(e, e->disp);
	}
	for (i = 0; i < 4; i++)
		if (row->op[i] == OP_Ib)
			put(e, fake__random());
		else if (row->op[i] == OP_Lx) /* bit 7 is ignored outside of 64-bit code */
			put(e, fake__random() & (v->code_size == 8 ? 0xff : 0x7f));
}

static void put_vex(const struct variant *v, struct encoded *e)
{
	static const u8 pp[] = { [PFX_NONE] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3 };
	u8 b = v->mem ? X86_RBX : e->rm, x = v->mem ? e->index : 0;
	u8 p1 = v->w << 7 | (~e->vvvv & 15) << 3 | v->l << 2 | pp[v->row->prefix];

	if (v->row->map == MAP_0F && !v->w && b < 8 && x < 8 && (fake__random() & 1)) {
		put(e, 0xc5);
		put(e, (e->reg & 8 ? 0 : 0x80) | p1);
	} else {
		put(e, 0xc4);
		put(e, (e->reg & 8 ? 0 : 0x80) | (x & 8 ? 0 : 0x40) | (b & 8 ? 0 : 0x20) |
			       v->row->map);
		put(e, p1);
	}
	put(e, v->row->opcode);
}

static void put_legacy(const struct variant *v, struct encoded *e)
{
	static const u8 prefix[] = { [PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2 };
	u8 rex = v->w << 3 | (e->reg & 8 ? 4 : 0) | (!v->mem && (e->rm & 8) ? 1 : 0);

	if (v->row->prefix >= PFX_66)
		put(e, prefix[v->row->prefix]);
	if (rex)
		put(e, 0x40 | rex);
	if (v->row->map != MAP_1BYTE)
		put(e, 0x0f);
	if (v->row->map == MAP_0F38)
		put(e, 0x38);
	else if (v->row->map == MAP_0F3A)
		put(e, 0x3a);
	put(e, v->row->opcode);
}

void variant__encode(const struct variant *v, struct encoded *e)
{
	const struct opcode_row *row = v->row;
	bool gpr = variant__has_gpr(row);

	memset(e, 0, sizeof(*e));
	e->reg = row->group != GROUP_ANY ? row->group : random_register(v, gpr);
	e->rm = row->rm != RM_ANY ? row->rm : random_register(v, gpr);
	if (row->class == CLASS_X87) {
		e->reg &= 7;
		e->rm &= 7;
	}
	e->disp = fake__random();
	if (!(row->flags & ROW_NO_VVVV))
		e->vvvv = random_register(v, false);
	if (row->flags & ROW_VSIB) {
		do {
			e->index = random_register(v, false);
			e->vvvv = random_register(v, false);
		} while (e->index == e->vvvv || e->index == e->reg || e->vvvv == e->reg);
	}
	if (row->flags & ROW_VEX)
		put_vex(v, e);
	else
		put_legacy(v, e);
	put_operands(v, e);
}
