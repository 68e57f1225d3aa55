/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory operands: ModRM, SIB and displacement (APM vol. 3, 1.4; SDM vol. 2, tables 2-1 to 2-3). */
#include "core/decode/cursor.h"
#include "core/decode/operands.h"

static u64 sign_extend(u64 value, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (u64)((s64)(value << shift) >> shift);
}

static enum decode_result take_displacement(struct cursor *c, struct insn *insn, unsigned bytes)
{
	enum decode_result result;

	if (!bytes)
		return DECODE_OK;
	if (!cursor_has(c, bytes, &result))
		return result;
	insn->disp = sign_extend(cursor_take(c, bytes), bytes);
	if (bytes == 1 && (insn->flags & INSN_EVEX))
		insn->disp *= operands__displacement_unit(insn);
	return DECODE_OK;
}

static void set_base(struct insn *insn, unsigned base)
{
	insn->base = base;
	if ((base == X86_RSP || base == X86_RBP) && !(insn->flags & INSN_SEG_OVERRIDE))
		insn->seg = X86_SS;
}

static enum decode_result decode_address16(struct cursor *c, struct insn *insn)
{
	static const u8 base[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP,
				    X86_RSI, X86_RDI, X86_RBP, X86_RBX };
	static const u8 index[8] = { X86_RSI,	    X86_RDI,	   X86_RSI,	  X86_RDI,
				     X86_SLOT_ZERO, X86_SLOT_ZERO, X86_SLOT_ZERO, X86_SLOT_ZERO };
	unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;

	if (mod == 0 && rm == 6) {
		insn->base = X86_SLOT_ZERO;
		insn->index = X86_SLOT_ZERO;
		return take_displacement(c, insn, 2);
	}
	set_base(insn, base[rm]);
	insn->index = index[rm];
	return take_displacement(c, insn, mod);
}

static enum decode_result decode_sib(struct cursor *c, struct insn *insn, unsigned rex_x,
				     unsigned rex_b)
{
	unsigned mod = insn->modrm >> 6, sib, base, index;
	enum decode_result result;

	if (!cursor_has(c, 1, &result))
		return result;
	sib = cursor_take(c, 1);
	base = sib & 7;
	index = (sib >> 3 & 7) | rex_x;
	insn->scale = sib >> 6;
	if (index == X86_RSP && !(insn->row->flags & ROW_VSIB))
		insn->index = X86_SLOT_ZERO;
	else
		insn->index = index;
	if (base == X86_RBP && mod == 0) {
		insn->base = X86_SLOT_ZERO;
		return take_displacement(c, insn, 4);
	}
	set_base(insn, base | rex_b);
	return take_displacement(c, insn, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

enum decode_result address__decode(struct cursor *c, struct insn *insn, unsigned rex_x,
				   unsigned rex_b)
{
	unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;

	if (insn->adsize == 2)
		return insn->row->flags & ROW_VSIB ? DECODE_UNDEFINED : decode_address16(c, insn);
	if (rm == X86_RSP)
		return decode_sib(c, insn, rex_x, rex_b);
	if (insn->row->flags & ROW_VSIB)
		return DECODE_UNDEFINED;
	insn->index = X86_SLOT_ZERO;
	if (rm == X86_RBP && mod == 0) {
		insn->base = X86_SLOT_ZERO;
		if (insn->code == 8) {
			insn->base = X86_SLOT_RIP;
			insn->flags |= INSN_RIP_REL;
		}
		return take_displacement(c, insn, 4);
	}
	set_base(insn, rm | rex_b);
	return take_displacement(c, insn, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}
