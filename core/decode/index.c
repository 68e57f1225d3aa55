/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the opcode index over the row tables, and knows what each operand encoding implies. */
#include "core/decode/decode.h"
#include "core/decode/index.h"

struct candidate index_candidates[INDEX_MAX_CANDIDATES];
struct index_entry index_entries[NR_MAPS][256];

#define M TRAIT_MODRM
#define GPR(where, letter, more) { .place = where, .size = letter, .traits = more }
#define VECTOR(more) { .traits = M | (more) }

const struct operand_facts operand_facts[NR_OPERANDS] = {
	[OP_Eb] = GPR(PLACE_RM, 'b', M),
	[OP_Ew] = GPR(PLACE_RM, 'w', M),
	[OP_Ed] = GPR(PLACE_RM, 'd', M),
	[OP_Eq] = GPR(PLACE_RM, 'q', M),
	[OP_Ev] = GPR(PLACE_RM, 'v', M),
	[OP_Ey] = GPR(PLACE_RM, 'y', M | TRAIT_GPR_Y),
	[OP_Gb] = GPR(PLACE_REG, 'b', M),
	[OP_Gw] = GPR(PLACE_REG, 'w', M),
	[OP_Gd] = GPR(PLACE_REG, 'd', M),
	[OP_Gq] = GPR(PLACE_REG, 'q', M),
	[OP_Gv] = GPR(PLACE_REG, 'v', M),
	[OP_Gy] = GPR(PLACE_REG, 'y', M | TRAIT_GPR_Y),
	[OP_By] = GPR(PLACE_VVVV, 'y', TRAIT_GPR_Y),
	[OP_Rv] = GPR(PLACE_RM, 'v', M | TRAIT_REG),
	[OP_Ry] = GPR(PLACE_RM, 'y', M | TRAIT_REG | TRAIT_GPR_Y),
	[OP_M] = GPR(PLACE_RM, 0, M | TRAIT_MEM),
	[OP_Mb] = GPR(PLACE_RM, 'b', M | TRAIT_MEM),
	[OP_Mw] = GPR(PLACE_RM, 'w', M | TRAIT_MEM),
	[OP_Md] = GPR(PLACE_RM, 'd', M | TRAIT_MEM),
	[OP_Mq] = GPR(PLACE_RM, 'q', M | TRAIT_MEM),
	[OP_Mdq] = GPR(PLACE_RM, 0, M | TRAIT_MEM),
	[OP_Mqq] = GPR(PLACE_RM, 0, M | TRAIT_MEM),
	[OP_Mv] = GPR(PLACE_RM, 'v', M | TRAIT_MEM),
	[OP_My] = GPR(PLACE_RM, 'y', M | TRAIT_MEM | TRAIT_GPR_Y),
	[OP_Mp] = GPR(PLACE_RM, 'v', M | TRAIT_MEM),
	[OP_Ms] = GPR(PLACE_RM, 0, M | TRAIT_MEM),
	[OP_Zb] = GPR(PLACE_LOW, 'b', 0),
	[OP_Zv] = GPR(PLACE_LOW, 'v', 0),
	[OP_ALb] = GPR(PLACE_RAX, 'b', 0),
	[OP_rAXv] = GPR(PLACE_RAX, 'v', 0),
	[OP_eAXd] = GPR(PLACE_RAX, 'v', TRAIT_NO_W),
	[OP_CLb] = GPR(PLACE_RCX, 'b', 0),
	[OP_DXw] = GPR(PLACE_RDX, 'w', TRAIT_NO_W),
	[OP_1] = { .place = PLACE_IMM, .imm = IMM_ONE },
	[OP_Ib] = { .place = PLACE_IMM, .imm = IMM_U8 },
	[OP_Iw] = { .place = PLACE_IMM, .imm = IMM_U16 },
	[OP_Iz] = { .place = PLACE_IMM, .imm = IMM_Z, .size = 'z' },
	[OP_Iv] = { .place = PLACE_IMM, .imm = IMM_V, .size = 'v' },
	[OP_sIb] = { .place = PLACE_IMM, .imm = IMM_S8 },
	[OP_Jb] = { .place = PLACE_IMM, .imm = IMM_S8 },
	[OP_Jz] = { .place = PLACE_IMM, .imm = IMM_Z, .size = 'z' },
	[OP_Ap] = { .place = PLACE_IMM, .imm = IMM_FAR, .size = 'z' },
	[OP_Ob] = { .place = PLACE_MOFFS, .imm = IMM_MOFFS, .size = 'b' },
	[OP_Ov] = { .place = PLACE_MOFFS, .imm = IMM_MOFFS, .size = 'v' },
	[OP_Xb] = { .size = 'b' },
	[OP_Xv] = { .size = 'v' },
	[OP_Yb] = { .size = 'b' },
	[OP_Yv] = { .size = 'v' },
	[OP_Sw] = { .traits = M | TRAIT_SREG },
	[OP_Cy] = { .traits = M | TRAIT_CRDR | TRAIT_GPR_Y, .size = 'y' },
	[OP_Dy] = { .traits = M | TRAIT_CRDR | TRAIT_GPR_Y, .size = 'y' },
	[OP_Pq] = VECTOR(TRAIT_MMX_REG),
	[OP_Qq] = VECTOR(TRAIT_MMX_RM),
	[OP_Qd] = VECTOR(TRAIT_MMX_RM),
	[OP_Nq] = VECTOR(TRAIT_MMX_RM | TRAIT_REG),
	[OP_Vx] = VECTOR(0),
	[OP_Vdq] = VECTOR(0),
	[OP_Vq] = VECTOR(0),
	[OP_Vd] = VECTOR(0),
	[OP_Wx] = VECTOR(0),
	[OP_Wdq] = VECTOR(0),
	[OP_Wq] = VECTOR(0),
	[OP_Wd] = VECTOR(0),
	[OP_Ww] = VECTOR(0),
	[OP_Wb] = VECTOR(0),
	[OP_Wh] = VECTOR(0),
	[OP_Wqr] = VECTOR(0),
	[OP_Wer] = VECTOR(0),
	[OP_Ux] = VECTOR(TRAIT_REG),
	[OP_Udq] = VECTOR(TRAIT_REG),
	[OP_Lx] = { .imm = IMM_U8 },
	[OP_Vh] = VECTOR(0),
	[OP_Wqq] = VECTOR(0),
	[OP_Kg] = VECTOR(0),
	[OP_Ku] = VECTOR(TRAIT_REG | TRAIT_OPMASK_RM),
};

/*
 * 66 sizes an instruction with a v or z operand; with y operands and in vector code it does not
 * (it selects the row, or is ignored). Instructions without any of these take it (PUSHA, IRET).
 */
static bool takes_size_from_w(const struct opcode_row *row)
{
	bool has_y = false;
	unsigned i;

	if (row->flags & (ROW_SIZE_W | ROW_VEX))
		return true;
	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		char size = operand_facts[row->op[i]].size;

		if (size == 'v' || size == 'z')
			return false;
		has_y |= size == 'y';
	}
	return has_y || row->class == CLASS_VECTOR;
}

enum decode_kind index_kind;

static enum decode_kind kind_of_host(void)
{
	u32 leaf[4], family;

	host__cpuid(0, 0, leaf);
	if (leaf[1] != 0x68747541 && leaf[1] != 0x6f677948) /* "Auth"entic, "Hygo"n */
		return DECODE_AS_INTEL;
	/* The extended family counts where the family is 15 (APM vol. 3, CPUID Fn0000_0001_EAX). */
	host__cpuid(1, 0, leaf);
	family = leaf[0] >> 8 & 15;
	if (family == 15)
		family += leaf[0] >> 20 & 255;
	return family < 26 ? DECODE_AS_AMD : DECODE_AS_AMD_STRICT;
}

static bool is_opcode(const struct opcode_row *row, enum opcode_map map, u8 opcode)
{
	return row->map == map && row->opcode == opcode;
}

/* APM vol. 3: JMP, CALL and kin (near); JMP (far) and LSS; UD0, UD1; VPEXTRQ, VPINSRQ. */
static void work_out_amd(struct candidate *c, const struct opcode_row *row)
{
	unsigned i;

	if ((row->flags & ROW_BRANCH) && (row->flags & ROW_FORCE64))
		c->traits |= TRAIT_NEAR_16;
	for (i = 0; i < ARRAY_LENGTH(row->op); i++)
		if (row->op[i] == OP_Mp)
			c->traits |= TRAIT_NO_W;
	if ((row->flags & ROW_VEX) && index_kind == DECODE_AS_AMD)
		c->traits |= TRAIT_LOOSE;
	/* Found undefined before a ModRM byte is looked for. */
	if (is_opcode(row, MAP_0F, 0xb9) || is_opcode(row, MAP_0F, 0xff))
		c->traits &= ~TRAIT_MODRM;
	if ((row->flags & ROW_VEX) && !row->evex &&
	    (is_opcode(row, MAP_0F3A, 0x16) || is_opcode(row, MAP_0F3A, 0x22)))
		c->traits |= TRAIT_W_ONLY_64;
}

static void work_out(struct candidate *c, const struct opcode_row *row)
{
	unsigned i;

	c->row = row;
	c->traits = 0;
	c->imm = IMM_NONE;
	c->imm2 = IMM_NONE;
	for (i = 0; i < ARRAY_LENGTH(row->op); i++) {
		const struct operand_facts *f = &operand_facts[row->op[i]];

		c->traits |= f->traits;
		if (f->place == PLACE_RM && row->class == CLASS_VECTOR)
			c->traits |= TRAIT_GPR_RM;
		if (f->imm && !c->imm)
			c->imm = f->imm;
		else if (f->imm)
			c->imm2 = f->imm;
	}
	if (row->group != GROUP_ANY || (row->flags & (ROW_MODRM | ROW_REG_ONLY | ROW_MEM_ONLY)))
		c->traits |= TRAIT_MODRM;
	if (row->class == CLASS_X87)
		c->traits |= TRAIT_MODRM;
	if (row->flags & ROW_MEM_ONLY)
		c->traits |= TRAIT_MEM;
	if (c->traits & TRAIT_CRDR)
		c->traits &= ~TRAIT_REG;
	else if ((row->flags & ROW_REG_ONLY))
		c->traits |= TRAIT_REG;
	if (takes_size_from_w(row))
		c->traits |= TRAIT_SIZE_W;
	if (index_kind != DECODE_AS_INTEL)
		work_out_amd(c, row);
	else if (row->flags & ROW_VEX && (is_opcode(row, MAP_0F, 0x92) || is_opcode(row, MAP_0F, 0x93)))
		c->traits |= TRAIT_W_ONLY_64; /* KMOVQ between an opmask and a general register */
}

/* Tables in order of trial. */
static const struct row_table *const *tables(unsigned *count)
{
	static const struct row_table *const table[] = {
		&rows_system, &rows_integer, &rows_x87,	    &rows_sse,	     &rows_avx,
		&rows_opmask, &rows_evex_0f, &rows_evex_0f38, &rows_evex_0f3a,
	};

	*count = ARRAY_LENGTH(table);
	return table;
}

/* Calls fn for each opcode that each row stands for, in order of trial. */
static void for_each_opcode(void (*fn)(struct index_entry *entry, const struct opcode_row *row))
{
	unsigned nr_tables, t, i, opcode;
	const struct row_table *const *table = tables(&nr_tables);

	for (t = 0; t < nr_tables; t++) {
		for (i = 0; i < table[t]->count; i++) {
			const struct opcode_row *row = &table[t]->rows[i];
			unsigned end = row->opcode + (row->span ? row->span : 1);

			for (opcode = row->opcode; opcode < end && opcode < 256; opcode++)
				fn(&index_entries[row->map][opcode], row);
		}
	}
}

static void count_candidate(struct index_entry *entry, const struct opcode_row *row)
{
	entry->count++;
}

static void append_candidate(struct index_entry *entry, const struct opcode_row *row)
{
	struct candidate *c = &index_candidates[entry->first + entry->count];

	work_out(c, row);
	entry->modrm |= !!(c->traits & TRAIT_MODRM);
	entry->count++;
}

void decode__init_for(enum decode_kind wanted)
{
	unsigned map, opcode, next = 0;

	index_kind = wanted;
	memset(index_entries, 0, sizeof(index_entries));
	for_each_opcode(count_candidate);
	for (map = 0; map < NR_MAPS; map++) {
		for (opcode = 0; opcode < 256; opcode++) {
			struct index_entry *entry = &index_entries[map][opcode];

			entry->first = next;
			next += entry->count;
			entry->count = 0;
		}
	}
	if (next > INDEX_MAX_CANDIDATES) {
		host__log("decode: %u candidates, INDEX_MAX_CANDIDATES is too small", next);
		memset(index_entries, 0, sizeof(index_entries));
		return;
	}
	for_each_opcode(append_candidate);
}

void decode__init(void)
{
	decode__init_for(kind_of_host());
}
