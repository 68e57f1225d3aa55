/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instruction of a stream: chosen among the rows that are fit for it, aimed at data with the registers
 * as they then are, and executed in the guest. If it faults there, another one is chosen, except now and
 * then, because a fault ends the stream.
 */
#include <stdio.h>
#include <string.h>

#include "include/x86/exception.h"
#include "tests/isa/components.h"
#include "tests/isa/exclude.h"
#include "tests/isa/guest.h"
#include "tests/isa/random.h"
#include "tests/isa/stream_maker.h"

#define MAX_ROWS 2048

enum family { FAMILY_INTEGER, FAMILY_SYSTEM, FAMILY_X87, FAMILY_VECTOR, FAMILY_EVEX, NR_FAMILIES };

static struct {
	const struct opcode_row *row[MAX_ROWS];
	unsigned count;
} families[NR_FAMILIES];

/* ---- rows ---- */

/* In no stream, by mnemonic. */
static const struct {
	const char *names, *why;
} left_out[] = {
	{ " hlt ud2 ud1 ud0 int3 int into ", "would end every stream" },
	{ " xgetbv ", "shows what the host's operating system has enabled" },
	{ " popf ", "may set AC, and not all vector operands raise #AC here: docs/quirks.md" },
	{ " lar lsl verr verw lds les lfs lgs lss ", "the host's descriptor tables have more" },
	{ " wrfsbase wrgsbase ", "a base may make an address canonical: docs/quirks.md" },
};

static bool is_left_out(const struct opcode_row *row)
{
	char name[24];
	unsigned i;

	/* Loads of segment registers: the host's descriptor tables have more. */
	if (row->class == CLASS_SYSTEM && (!strcmp(row->name, "pop") || row->op[0] == OP_Sw))
		return true;
	if (components__are_more() && (!strncmp(row->name, "xsave", 5) || !strncmp(row->name, "xrstor", 6)))
		return true;
	snprintf(name, sizeof(name), " %s ", row->name);
	for (i = 0; i < ARRAY_LENGTH(left_out); i++)
		if (strstr(left_out[i].names, name))
			return true;
	return false;
}

void stream__print_left_out(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(left_out); i++)
		printf("left out:%s(%s)\n", left_out[i].names, left_out[i].why);
	if (components__are_more())
		printf("left out: the XSAVE family (the host has enabled state that no guest is offered)\n");
	printf("left out: loads of segment registers (the host's descriptor tables have more)\n");
}

static bool is_fit(const struct opcode_row *row)
{
	struct instance in = { .row = row };
	struct varying varying;

	if ((row->flags & (ROW_BRANCH | ROW_CPL0)) || exclude__row(row) || !guest__has(row) ||
	    is_left_out(row))
		return false;
	varying = exclude__varying(&in);
	/* What varies would go into all that follows. */
	return !varying.gprs && !varying.flags && !varying.cr2 && candidate__of(row);
}

void stream__setup(void)
{
	static const struct {
		const struct row_table *table;
		enum family family;
	} tables[] = {
		{ &rows_integer, FAMILY_INTEGER }, { &rows_system, FAMILY_SYSTEM },
		{ &rows_x87, FAMILY_X87 },	   { &rows_sse, FAMILY_VECTOR },
		{ &rows_avx, FAMILY_VECTOR },	   { &rows_opmask, FAMILY_VECTOR },
		{ &rows_evex_0f, FAMILY_EVEX },	   { &rows_evex_0f38, FAMILY_EVEX },
		{ &rows_evex_0f3a, FAMILY_EVEX },
	};
	unsigned t, i;

	for (t = 0; t < ARRAY_LENGTH(tables); t++) {
		const struct row_table *table = tables[t].table;
		enum family family = tables[t].family;

		for (i = 0; i < table->count && families[family].count < MAX_ROWS; i++)
			if (is_fit(&table->rows[i]))
				families[family].row[families[family].count++] = &table->rows[i];
	}
}

static const struct opcode_row *pick_row(void)
{
	static const u8 of[] = { [0 ... 11] = FAMILY_INTEGER, FAMILY_SYSTEM, FAMILY_X87, FAMILY_VECTOR,
				 FAMILY_VECTOR, FAMILY_VECTOR, FAMILY_VECTOR, FAMILY_EVEX, FAMILY_EVEX,
				 FAMILY_EVEX };
	enum family family = of[random__below(ARRAY_LENGTH(of))];

	/* Where the processor has no AVX-512. */
	if (!families[family].count)
		family = FAMILY_VECTOR;
	return families[family].row[random__below(families[family].count)];
}

/* ---- putting and executing ---- */

void maker__put(struct maker *m, const u8 *bytes, unsigned n)
{
	struct stream *s = m->s;

	if (s->count == STREAM_INSNS || m->end + n > m->limit) {
		m->over = true;
		return;
	}
	memcpy(s->code + m->end, bytes, n);
	guest__write_code(m->end, bytes, n);
	s->at[s->count++] = m->end;
	m->end += n;
	s->at[s->count] = m->end;
}

void maker__run_to(struct maker *m, u32 target)
{
	unsigned steps = 0;

	while (!m->over && m->now.rip != CODE_LINEAR + target)
		m->over = steps++ == MAX_STEPS || guest__step(&m->now) != GUEST_DONE ||
			  m->now.vector != NO_VECTOR;
}

void maker__put_and_run(struct maker *m, const u8 *bytes, unsigned n)
{
	maker__put(m, bytes, n);
	maker__run_to(m, m->end);
}

void maker__load(struct maker *m, unsigned reg, u64 value)
{
	u8 bytes[10] = { 0x48 | reg >> 3, 0xb8 | (reg & 7) };
	unsigned n = maker__is_64(m) ? 8 : 4, at = maker__is_64(m) ? 2 : 1;

	if (!maker__is_64(m))
		bytes[0] = bytes[1];
	memcpy(bytes + at, &value, n);
	maker__put_and_run(m, bytes, at + n);
}

/* ---- one random instruction ---- */

static u64 pick_ea(struct instance *in, unsigned size)
{
	u64 ea = instance__pick_address(in, in->insn.seg, size, in->insn.adsize);

	if (size >= 16 && random__below(6))
		ea &= ~63ULL;
	return ea;
}

/* The displacement that leads to data with the registers as they are. */
static bool aim_by_displacement(struct instance *in, unsigned size)
{
	u64 here = instance__linear(in), page = here & ~0xfffULL;

	if (page - DATA_LINEAR < DATA_PAGES * 4096 || page - DATA_HIGH_LINEAR < DATA_PAGES * 4096)
		return true;
	return in->disp_size == 4 &&
	       instance__set_disp(in, (s64)(s32)(in->insn.disp + pick_ea(in, size) - here +
						 instance__segment_base(in, in->insn.seg)));
}

static bool aim_operand(struct maker *m, struct instance *in)
{
	const struct insn *insn = &in->insn;
	bool has_index = insn->index < 16 && !(in->row->flags & ROW_VSIB);
	unsigned size = instance__memory_size(in);
	u64 rest;

	if (in->candidate->imm == IMM_MOFFS) {
		instance__set_imm(in, pick_ea(in, size), 0);
		return true;
	}
	if (insn->base == X86_SLOT_RIP)
		return instance__set_disp(in, (s64)(s32)(pick_ea(in, size) -
							 (CODE_LINEAR + m->end + in->length)));
	if (random__below(4) && aim_by_displacement(in, size))
		return true;
	if (insn->base >= 16)
		return instance__set_disp(in, (s64)(s32)pick_ea(in, size));
	if (insn->base == X86_RSP && random__below(8))
		return false;
	if (has_index && insn->index == insn->base)
		return false;
	rest = pick_ea(in, size) - insn->disp;
	if (has_index) {
		u64 index = random__below(64);

		maker__load(m, insn->index, index);
		rest -= index << insn->scale;
	}
	maker__load(m, insn->base, rest);
	return true;
}

/* What string instructions, XLAT and masked stores find in registers. */
static void aim_implicit(struct maker *m, struct instance *in)
{
	const char *name = in->row->name;
	bool masked = !strncmp(name, "maskmov", 7) || !strncmp(name, "vmaskmovdq", 10);
	u64 *gpr = m->now.gpr;

	if (!instance__is_string(in) && !masked && strcmp(name, "xlat"))
		return;
	if (gpr[X86_RDI] - DATA_LINEAR >= 0x4000)
		maker__load(m, X86_RDI, instance__pick_address(in, X86_ES, 16, 4));
	if (instance__is_string(in) && gpr[X86_RSI] - DATA_LINEAR >= 0x4000)
		maker__load(m, X86_RSI, instance__pick_address(in, X86_DS, 16, 4));
	if (instance__is_string(in) && (in->insn.flags & (INSN_REP | INSN_REPNE)) &&
	    gpr[X86_RCX] > 64)
		maker__load(m, X86_RCX, random__below(40));
	if (!strcmp(name, "xlat"))
		maker__load(m, X86_RBX, instance__pick_address(in, X86_DS, 256, 4));
}

static bool choose(struct maker *m, struct instance *in)
{
	in->row = pick_row();
	in->candidate = candidate__of(in->row);
	in->code_size = m->s->code_size;
	if (in->code_size == 8 ? in->row->flags & ROW_NO64 : in->row->flags & ROW_ONLY64)
		return false;
	if (!instance__encode(in) || in->undefined || exclude__instance(in))
		return false;
	in->at = m->end;
	in->before = m->now;
	if (in->insn.flags & INSN_MEM)
		if (!aim_operand(m, in))
			return false;
	aim_implicit(m, in);
	return !in->undefined && in->insn.row == in->row;
}

/*
 * Undefined flags are not the same everywhere, and must not get into what follows: a comparison
 * behind the instruction defines them. It is one with it, so that neither is left out alone.
 */
static unsigned define_flags(const struct instance *in, u8 *bytes)
{
	memcpy(bytes, in->bytes, in->length);
	if (!in->row->undefined)
		return in->length;
	bytes[in->length] = 0x38 | random__below(4); /* CMP */
	bytes[in->length + 1] = 0xc0 | random__below(64);
	return in->length + 2;
}

void maker__put_random(struct maker *m)
{
	static struct instance in;
	static u8 saved[DATA_BYTES];
	struct isa_state now;
	u8 bytes[INSN_MAX_LENGTH + 2];
	unsigned attempt, n;

	for (attempt = 0; attempt < 40 && !m->over; attempt++) {
		if (!choose(m, &in) || m->over)
			continue;
		n = define_flags(&in, bytes);
		if (m->end + n > m->limit || m->s->count == STREAM_INSNS)
			break;
		memcpy(saved, guest_data, DATA_BYTES);
		now = m->now;
		maker__put_and_run(m, bytes, n);
		if (!m->over || random__one_in(400))
			return;
		m->over = false;
		m->now = now;
		m->s->at[--m->s->count] = m->end -= n;
		memcpy(guest_data, saved, DATA_BYTES);
		if (now.gpr[X86_RSP] - DATA_LINEAR - 64 > 0x3f00 && random__one_in(4))
			maker__load(m, X86_RSP, DATA_LINEAR + 0x4400 + random__below(32) * 8);
	}
}
