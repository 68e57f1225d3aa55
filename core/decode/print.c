/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disassembler: a decoded instruction as AT&T-like text, out of its row. */
#include "core/decode/decode.h"
#include "core/decode/index.h"
#include "core/decode/operands.h"

struct text {
	char *buf;
	unsigned size;
	unsigned len;
};

static void put_char(struct text *t, char c)
{
	if (t->len + 1 < t->size)
		t->buf[t->len++] = c;
}

static void put(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_number(struct text *t, u64 value, unsigned radix)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % radix];
		value /= radix;
	} while (value);
	while (n)
		put_char(t, digits[--n]);
}

static void put_hex(struct text *t, u64 value)
{
	put(t, "0x");
	put_number(t, value, 16);
}

static u64 cut(u64 value, unsigned bytes)
{
	return bytes >= 8 ? value : value & (BIT64(8 * bytes) - 1);
}

/* ---- registers ---- */

static void put_gpr(struct text *t, unsigned reg, unsigned size, bool rex)
{
	static const char byte[16][4] = { "al", "cl", "dl",  "bl",  "ah",  "ch",  "dh", "bh",
					  "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };
	static const char word[8][3] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };

	put_char(t, '%');
	if (reg >= 8) {
		put_char(t, 'r');
		put_number(t, reg, 10);
		if (size < 8)
			put_char(t, size == 1 ? 'b' : size == 2 ? 'w' : 'd');
	} else if (size == 1) {
		put(t, byte[rex ? reg + 8 : reg]);
	} else {
		if (size > 2)
			put_char(t, size == 8 ? 'r' : 'e');
		put(t, word[reg]);
	}
}

static void put_indexed(struct text *t, const char *prefix, unsigned number)
{
	put(t, prefix);
	put_number(t, number, 10);
}

static void put_segment(struct text *t, unsigned seg)
{
	static const char name[X86_NR_SEG][4] = { "%es", "%cs", "%ss", "%ds", "%fs", "%gs" };

	put(t, seg < X86_NR_SEG ? name[seg] : "%?");
}

/* Bytes of an operand whose encoding ends in this size letter; 0 if it has none. */
static unsigned sized(const struct insn *insn, char letter)
{
	switch (letter) {
	case 'b':
		return 1;
	case 'w':
		return 2;
	case 'd':
		return 4;
	case 'q':
		return 8;
	case 'v':
	case 'z':
		return insn->opsize;
	case 'y':
		if (insn->code != 8)
			return 4;
		return (insn->flags & INSN_REX_W) || (insn->row->flags & ROW_FORCE64) ? 8 : 4;
	default:
		return 0;
	}
}

static void put_vector_of(struct text *t, unsigned bytes, unsigned number)
{
	put_indexed(t, bytes > 32 ? "%zmm" : bytes > 16 ? "%ymm" : "%xmm", number);
}

/* ---- memory ---- */

static void put_displacement(struct text *t, const struct insn *insn)
{
	bool alone = insn->base == X86_SLOT_ZERO && insn->index == X86_SLOT_ZERO;
	s64 disp = insn->flags & INSN_RIP_REL ? insn->disp - insn->len : insn->disp;

	if (alone && !(insn->row->flags & ROW_VSIB)) {
		put_hex(t, cut(disp, insn->adsize));
	} else if (disp < 0) {
		put_char(t, '-');
		put_hex(t, -disp);
	} else if (disp || insn->modrm >> 6 || insn->base == X86_SLOT_ZERO) {
		put_hex(t, disp); /* also a 0 that stands in the instruction */
	}
}

/* The index of a gather or scatter: as many elements of its size as there are of the data's. */
static unsigned index_bytes(const struct insn *insn)
{
	unsigned bytes = insn__vector_bytes(insn);
	unsigned data = insn->row->evex & EVEX_ELEMENT;

	if ((insn->flags & INSN_EVEX) && data == 3 && !(insn->opcode & 1))
		return bytes / 2;
	return bytes;
}

static void put_memory(struct text *t, const struct insn *insn)
{
	bool has_base = insn->base != X86_SLOT_ZERO;
	bool vector_index = insn->row->flags & ROW_VSIB;
	bool has_index = vector_index || insn->index != X86_SLOT_ZERO;

	if (insn->flags & INSN_SEG_OVERRIDE) {
		put_segment(t, insn->seg);
		put_char(t, ':');
	}
	put_displacement(t, insn);
	if (!has_base && !has_index)
		return;
	put_char(t, '(');
	if (insn->base == X86_SLOT_RIP)
		put(t, insn->adsize == 8 ? "%rip" : "%eip");
	else if (has_base)
		put_gpr(t, insn->base, insn->adsize, true);
	if (has_index) {
		put_char(t, ',');
		if (vector_index)
			put_vector_of(t, index_bytes(insn), insn->index);
		else
			put_gpr(t, insn->index, insn->adsize, true);
		if (insn->adsize > 2) {
			put_char(t, ',');
			put_number(t, 1 << insn->scale, 10);
		}
	}
	put_char(t, ')');
}

static void put_string_operand(struct text *t, const struct insn *insn, bool source)
{
	put_segment(t, source ? insn->seg : X86_ES);
	put(t, ":(");
	put_gpr(t, source ? X86_RSI : X86_RDI, insn->adsize, true);
	put_char(t, ')');
}

/* ---- operands ---- */

/* VEX rows with half of a vector in a register are shown with XMM, whatever the length. */
static void put_vector(struct text *t, const struct insn *insn, u8 op, unsigned number)
{
	unsigned bytes = insn__vector_bytes(insn);

	if (op == OP_Wqq)
		bytes = 32;
	else if (op == OP_Vh || op == OP_Wh)
		bytes /= 2;
	else if (op == OP_Wqr)
		bytes /= 4;
	else if (op != OP_Vx && op != OP_Wx && op != OP_Hx && op != OP_Ux && op != OP_Lx)
		bytes = 16;
	put_vector_of(t, bytes, number);
}

/* {%k1}{z} behind the destination. */
static void put_mask(struct text *t, const struct insn *insn)
{
	if (!insn__mask(insn))
		return;
	put_indexed(t, "{%k", insn__mask(insn));
	put(t, insn->evex & INSN_EVEX_Z ? "}{z}" : "}");
}

static void put_broadcast(struct text *t, const struct insn *insn)
{
	unsigned bytes = insn__vector_bytes(insn), i;

	/* How many elements of memory a vector operand has. */
	for (i = 0; i < 3; i++)
		if (operand_sizes[insn->row->op[i]].grows)
			bytes = operand_sizes[insn->row->op[i]].bytes * (bytes / 16);
	put_indexed(t, "{1to", bytes / (insn->row->evex & EVEX_BROADCAST4 ? 4 : 8));
	put_char(t, '}');
}

/* Embedded rounding, before the registers. */
static void put_rounding(struct text *t, const struct insn *insn)
{
	static const char *const name[4] = { "{rn-sae},", "{rd-sae},", "{ru-sae},", "{rz-sae}," };

	if (insn->row->evex & EVEX_ROUND)
		put(t, name[insn->evex >> INSN_EVEX_LENGTH_SHIFT & 3]);
	else
		put(t, "{sae},");
}

static void put_rm(struct text *t, const struct insn *insn, u8 op)
{
	if ((insn->row->flags & ROW_BRANCH) && operand_facts[op].place == PLACE_RM)
		put_char(t, '*');
	if (insn->flags & INSN_MEM) {
		put_memory(t, insn);
		if (insn__is_broadcast(insn))
			put_broadcast(t, insn);
	} else if (operand_facts[op].place == PLACE_RM) {
		put_gpr(t, insn->rm, sized(insn, operand_facts[op].size) ?: insn->opsize,
			insn->flags & (INSN_REX | INSN_VEX));
	} else if (operand_facts[op].traits & TRAIT_MMX_RM) {
		put_indexed(t, "%mm", insn->rm);
	} else {
		put_vector(t, insn, op, insn->rm);
	}
}

static void put_target(struct text *t, const struct insn *insn, u64 rip)
{
	put_hex(t, cut(rip + insn->len + insn->imm, insn->opsize));
}

static void put_immediate(struct text *t, const struct insn *insn, unsigned number)
{
	const u8 *ops = insn->row->op;
	bool second = number && operand_facts[ops[number - 1]].place == PLACE_IMM;
	u64 value = second ? insn->imm2 : insn->imm;
	u8 op = ops[number];

	put_char(t, '$');
	if (op == OP_Ap) {
		put_hex(t, insn->imm2);
		put(t, ",$");
	} else if (op == OP_sIb || op == OP_Iz || op == OP_Iv) {
		value = cut(value, insn->opsize);
	}
	put_hex(t, value);
}

static void put_fixed(struct text *t, const struct insn *insn, u8 op)
{
	unsigned reg = op == OP_CLb ? X86_RCX : op == OP_DXw ? X86_RDX : X86_RAX;
	bool is_port = op == OP_DXw;

	if (is_port)
		put_char(t, '(');
	put_gpr(t, reg, sized(insn, operand_facts[op].size), false);
	if (is_port)
		put_char(t, ')');
}

static void put_operand(struct text *t, const struct insn *insn, unsigned number, u64 rip)
{
	u8 op = insn->row->op[number];
	const struct operand_facts *f = &operand_facts[op];
	bool rex = insn->flags & (INSN_REX | INSN_VEX);

	switch (op) {
	case OP_Jb:
	case OP_Jz:
		put_target(t, insn, rip);
		return;
	case OP_Xb:
	case OP_Xv:
		put_string_operand(t, insn, true);
		return;
	case OP_Yb:
	case OP_Yv:
		put_string_operand(t, insn, false);
		return;
	case OP_Sw:
		put_segment(t, insn->reg);
		return;
	case OP_Cy:
		put_indexed(t, "%cr", insn->reg);
		return;
	case OP_Dy:
		put_indexed(t, "%db", insn->reg);
		return;
	case OP_Pq:
		put_indexed(t, "%mm", insn->reg);
		return;
	case OP_Vx:
	case OP_Vdq:
	case OP_Vq:
	case OP_Vd:
	case OP_Vh:
		put_vector(t, insn, op, insn->reg);
		return;
	case OP_Hx:
	case OP_Hdq:
	case OP_Hq:
	case OP_Hd:
		put_vector(t, insn, op, insn->vvvv);
		return;
	case OP_Lx:
		put_vector(t, insn, op, insn->imm >> 4 & 15);
		return;
	case OP_Kg:
		put_indexed(t, "%k", insn->reg);
		return;
	case OP_Kh:
		put_indexed(t, "%k", insn->vvvv);
		return;
	case OP_Ku:
		put_indexed(t, "%k", insn->rm);
		return;
	case OP_ST0:
		put(t, "%st");
		return;
	case OP_STi:
		put_indexed(t, "%st(", insn->modrm & 7);
		put_char(t, ')');
		return;
	default:
		break;
	}
	switch (f->place) {
	case PLACE_REG:
	case PLACE_LOW:
		put_gpr(t, insn->reg, sized(insn, f->size), rex);
		break;
	case PLACE_VVVV:
		put_gpr(t, insn->vvvv, sized(insn, f->size), true);
		break;
	case PLACE_RAX:
	case PLACE_RCX:
	case PLACE_RDX:
		put_fixed(t, insn, op);
		break;
	case PLACE_IMM:
		put_immediate(t, insn, number);
		break;
	case PLACE_MOFFS:
		put_memory(t, insn);
		break;
	default:
		put_rm(t, insn, op);
		break;
	}
}

static void put_operands(struct text *t, const struct insn *insn, u64 rip)
{
	const struct opcode_row *row = insn->row;
	/* ENTER and BOUND are written in Intel's order. */
	bool forward = row->op[0] == OP_Iw || (row->op[0] == OP_Gv && row->op[1] == OP_M &&
					       insn->map == MAP_1BYTE && insn->opcode == 0x62);
	unsigned n, i, last = ARRAY_LENGTH(row->op) - 1;
	bool rounding = (insn->flags & INSN_EVEX) && !(insn->flags & INSN_MEM) &&
			(insn->evex & INSN_EVEX_B) && (row->evex & (EVEX_ROUND | EVEX_SAE));
	char separator = ' ';

	for (n = 0; n <= last; n++) {
		i = forward ? n : last - n;
		if (row->op[i] == OP_NONE)
			continue;
		put_char(t, separator);
		/* Behind an immediate or a general register that is the source. */
		if (rounding && (i == 0 || !operand_facts[row->op[i]].place)) {
			put_rounding(t, insn);
			rounding = false;
		}
		put_operand(t, insn, i, rip);
		if (i == 0)
			put_mask(t, insn);
		separator = ',';
	}
}

/* ---- the mnemonic ---- */

static char size_letter(unsigned size)
{
	return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

/* A general register among the operands tells the size; a shift count and a port do not. */
static bool register_tells_size(const struct insn *insn)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(insn->row->op); i++) {
		u8 op = insn->row->op[i];

		switch (operand_facts[op].place) {
		case PLACE_REG:
		case PLACE_VVVV:
		case PLACE_LOW:
		case PLACE_RAX:
			return true;
		case PLACE_RM:
			if (!(insn->flags & INSN_MEM))
				return true;
			break;
		default:
			if (op == OP_Sw)
				return true;
			break;
		}
	}
	return false;
}

/* Whether the mnemonic needs a letter for the size of its memory operand. */
static bool wants_suffix(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	u8 op = row->op[0];
	bool string = op == OP_Xb || op == OP_Xv || op == OP_Yb || op == OP_Yv ||
		      row->op[1] == OP_Xb || row->op[1] == OP_Xv || row->op[1] == OP_Yb ||
		      row->op[1] == OP_Yv;

	if (row->class != CLASS_INTEGER && row->class != CLASS_SYSTEM)
		return false;
	if (string)
		return true;
	if (!(insn->flags & INSN_MEM) || register_tells_size(insn))
		return false;
	if (insn->map == MAP_0F && (insn->opcode & 0xf0) == 0x90)
		return false; /* SETcc has one size */
	return op == OP_Ev || op == OP_Eb;
}

/* Mnemonics that AT&T syntax forms of the sizes: conversions, and JCXZ of the address size. */
static bool put_sized_name(struct text *t, const struct insn *insn)
{
	static const char *const cbw[3] = { "cbtw", "cwtl", "cltq" };
	static const char *const cwd[3] = { "cwtd", "cltd", "cqto" };
	unsigned i = insn->opsize == 2 ? 0 : insn->opsize == 4 ? 1 : 2;

	if (insn->row->class != CLASS_INTEGER)
		return false;
	switch ((unsigned)insn->map << 8 | insn->opcode) {
	case 0x98:
		put(t, cbw[i]);
		return true;
	case 0x99:
		put(t, cwd[i]);
		return true;
	case 0xe3:
		put(t, insn->adsize == 2 ? "jcxz" : insn->adsize == 4 ? "jecxz" : "jrcxz");
		return true;
	case 0x63:
	case MAP_0F << 8 | 0xb6:
	case MAP_0F << 8 | 0xb7:
	case MAP_0F << 8 | 0xbe:
	case MAP_0F << 8 | 0xbf:
		if (insn->opcode == 0x63 && insn->opsize != 8)
			return false;
		put(t, insn->opcode == 0xb6 || insn->opcode == 0xb7 ? "movz" : "movs");
		put_char(t, size_letter(sized(insn, operand_facts[insn->row->op[1]].size)));
		put_char(t, size_letter(insn->opsize));
		return true;
	default:
		return false;
	}
}

/* Vector rows with a general operand that W widens leave the last letter of the name to it. */
static bool wants_vector_letter(const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	unsigned last = 0;

	if (row->class != CLASS_VECTOR || !row->name[0])
		return false;
	while (row->name[last + 1])
		last++;
	return (row->op[0] == OP_Ey || row->op[1] == OP_Ey || row->op[2] == OP_Ey) &&
	       (row->name[last] == 'v' || row->name[last] == 'r');
}

static void put_prefixes(struct text *t, const struct insn *insn)
{
	u32 flags = insn->row->flags;

	if (insn->flags & INSN_LOCK)
		put(t, "lock ");
	if ((flags & ROW_REP) && (insn->flags & (INSN_REP | INSN_REPNE)))
		put(t, "rep ");
	if ((flags & ROW_REPZ) && (insn->flags & INSN_REP))
		put(t, "repz ");
	if ((flags & ROW_REPZ) && (insn->flags & INSN_REPNE))
		put(t, "repnz ");
}

unsigned decode__print(const struct insn *insn, u64 rip, char *buf, unsigned size)
{
	struct text text = { .buf = buf, .size = size };
	struct text *t = &text;

	if (!size)
		return 0;
	put_prefixes(t, insn);
	if (!put_sized_name(t, insn)) {
		put(t, insn->row->name);
		if (wants_suffix(insn))
			put_char(t, size_letter(insn->opsize));
		else if (wants_vector_letter(insn))
			put_char(t, insn->flags & INSN_REX_W ? 'q' : 'd');
	}
	put_operands(t, insn, rip);
	buf[t->len] = 0;
	return t->len;
}
