/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes streams. An instruction is chosen, aimed and executed in the guest; if it faults there,
 * another is chosen, except now and then, because a fault ends the stream. Loops count in memory,
 * which instructions of the stream seldom hit.
 */
#include <stdio.h>
#include <string.h>

#include "include/x86/exception.h"
#include "tests/isa/exclude.h"
#include "tests/isa/guest.h"
#include "tests/isa/random.h"
#include "tests/isa/stream.h"

#define MAX_ROWS 2048
#define COUNTERS (DATA_LINEAR + 0x4800)
#define MAX_STEPS 4000 /* of one loop or call, while the stream is made */

enum family { FAMILY_INTEGER, FAMILY_SYSTEM, FAMILY_X87, FAMILY_VECTOR, NR_FAMILIES };

static struct {
	const struct opcode_row *row[MAX_ROWS];
	unsigned count;
} families[NR_FAMILIES];

struct maker {
	struct stream *s;
	struct isa_state now;
	u32 end;      /* where the next instruction goes */
	u32 limit;
	unsigned depth; /* of loops */
	bool over;    /* what follows is not reached */
	u32 last_imm; /* the immediate of an instruction that the stream may change, or 0 */
};

/* ---- rows ---- */

/* Why a row is in no stream, or NULL. */
static const char *unfit(const struct opcode_row *row)
{
	static const struct {
		const char *names, *why;
	} reasons[] = {
		{ " hlt ud2 ud1 ud0 int3 int into ", "would end every stream" },
		{ " xgetbv ", "shows what the host's operating system has enabled" },
		{ " popf ", "may set AC, and not all vector operands raise #AC here: docs/quirks.md" },
		{ " lar lsl verr verw lds les lfs lgs lss ", "the host's descriptor tables have more" },
		{ " wrfsbase wrgsbase ", "a base that makes an address canonical: docs/quirks.md" },
	};
	char name[24];
	unsigned i;

	if (row->class == CLASS_SYSTEM && (!strcmp(row->name, "pop") || row->op[0] == OP_Sw))
		return "loads a segment register: the host's descriptor tables have more";
	snprintf(name, sizeof(name), " %s ", row->name);
	for (i = 0; i < ARRAY_LENGTH(reasons); i++)
		if (strstr(reasons[i].names, name))
			return reasons[i].why;
	return NULL;
}

static bool is_fit(const struct opcode_row *row)
{
	struct instance in = { .row = row };
	struct varying varying;

	if ((row->flags & (ROW_BRANCH | ROW_CPL0)) || exclude__row(row) || !guest__has(row) ||
	    unfit(row))
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
		{ &rows_avx, FAMILY_VECTOR },
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
				 FAMILY_VECTOR, FAMILY_VECTOR, FAMILY_VECTOR };
	enum family family = of[random__below(ARRAY_LENGTH(of))];

	return families[family].row[random__below(families[family].count)];
}

/* ---- putting and executing ---- */

static bool is_64(const struct maker *m)
{
	return m->s->code_size == 8;
}

static void put(struct maker *m, const u8 *bytes, unsigned n)
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

/* Over what has been put: executes until RIP is there. */
static void run_to(struct maker *m, u32 target)
{
	unsigned steps = 0;

	while (!m->over && m->now.rip != CODE_LINEAR + target)
		m->over = steps++ == MAX_STEPS || guest__step(&m->now) != GUEST_DONE ||
			  m->now.vector != NO_VECTOR;
}

static void put_and_run(struct maker *m, const u8 *bytes, unsigned n)
{
	put(m, bytes, n);
	run_to(m, m->end);
}

/* mov $value, %reg: all of it */
static void put_load(struct maker *m, unsigned reg, u64 value)
{
	u8 bytes[10] = { 0x48 | reg >> 3, 0xb8 | (reg & 7) };
	unsigned n = is_64(m) ? 8 : 4, at = is_64(m) ? 2 : 1;

	if (!is_64(m))
		bytes[0] = bytes[1];
	memcpy(bytes + at, &value, n);
	put_and_run(m, bytes, at + n);
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

		put_load(m, insn->index, index);
		rest -= index << insn->scale;
	}
	put_load(m, insn->base, rest);
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
		put_load(m, X86_RDI, instance__pick_address(in, X86_ES, 16, 4));
	if (instance__is_string(in) && gpr[X86_RSI] - DATA_LINEAR >= 0x4000)
		put_load(m, X86_RSI, instance__pick_address(in, X86_DS, 16, 4));
	if (instance__is_string(in) && (in->insn.flags & (INSN_REP | INSN_REPNE)) &&
	    gpr[X86_RCX] > 64)
		put_load(m, X86_RCX, random__below(40));
	if (!strcmp(name, "xlat"))
		put_load(m, X86_RBX, instance__pick_address(in, X86_DS, 256, 4));
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

/* Puts one that does not fault, as a rule. */
static void put_random(struct maker *m)
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
		put_and_run(m, bytes, n);
		if (!m->over || random__one_in(60))
			return;
		m->over = false;
		m->now = now;
		m->s->at[--m->s->count] = m->end -= n;
		memcpy(guest_data, saved, DATA_BYTES);
		if (now.gpr[X86_RSP] - DATA_LINEAR - 64 > 0x3f00 && random__one_in(4))
			put_load(m, X86_RSP, DATA_LINEAR + 0x4400 + random__below(32) * 8);
	}
}

static void put_some(struct maker *m, unsigned n)
{
	while (n-- && !m->over)
		put_random(m);
}

/* ---- branches ---- */

/* A condition, and what it jumps over. */
static void put_forward(struct maker *m)
{
	static u8 saved[DATA_BYTES];
	bool wide = random__one_in(3);
	u8 bytes[6] = { 0x0f, 0x80 | random__below(16) };
	struct isa_state taken;
	u32 at = m->end, size = wide ? 6 : 2, displacement;
	bool is_taken;

	if (random__one_in(12)) { /* JRCXZ */
		bytes[0] = 0xe3;
		wide = false;
		size = 2;
	} else if (!wide) {
		bytes[0] = bytes[1] - 0x10;
	}
	bytes[wide ? 2 : 1] = 16; /* somewhere else than the next one */
	put(m, bytes, size);
	if (m->over || guest__step(&m->now) != GUEST_DONE || m->now.vector != NO_VECTOR) {
		m->over = true;
		return;
	}
	is_taken = m->now.rip != CODE_LINEAR + m->end;
	m->now.rip = CODE_LINEAR + m->end;
	if (is_taken) {
		taken = m->now;
		memcpy(saved, guest_data, DATA_BYTES);
	}
	put_some(m, 1 + random__below(5));
	displacement = m->end - at - size;
	if (!wide && displacement > 127) {
		m->over = true;
		displacement = 0;
	}
	memcpy(m->s->code + at + (wide ? 2 : 1), &displacement, wide ? 4 : 1);
	guest__write_code(at, m->s->code + at, size);
	if (is_taken) {
		m->now = taken;
		m->now.rip = CODE_LINEAR + m->end;
		m->over = false;
		memcpy(guest_data, saved, DATA_BYTES);
	}
}

static void put_statement(struct maker *m);

/* A count in memory, statements, SUB and JNZ back. */
static void put_loop(struct maker *m)
{
	u32 counter = COUNTERS + m->depth * 8, count = 2 + random__below(random__one_in(6) ? 40 : 8);
	u8 set[11] = { 0xc7, 0x04, 0x25 }, step[8] = { 0x83, 0x2c, 0x25 }, back[6] = { 0x0f, 0x85 };
	unsigned n = 1 + random__below(8);
	u32 head;
	s32 displacement;

	memcpy(set + 3, &counter, 4);
	memcpy(set + 7, &count, 4);
	put_and_run(m, set, sizeof(set));
	head = m->end;
	m->depth++;
	while (n-- && !m->over)
		put_statement(m);
	m->depth--;
	memcpy(step + 3, &counter, 4);
	step[7] = 1;
	put(m, step, sizeof(step));
	displacement = head - (m->end + sizeof(back));
	memcpy(back + 2, &displacement, 4);
	put_and_run(m, back, sizeof(back));
}

/* A function with a jump around it, called directly or by a register. */
static void put_call(struct maker *m)
{
	u8 jump[5] = { 0xe9 }, call[5] = { 0xe8 }, ret = 0xc3, indirect[3] = { 0x41, 0xff };
	u32 at = m->end, body;
	s32 displacement = 64;
	struct isa_state now = m->now;
	unsigned reg;

	memcpy(jump + 1, &displacement, 4);
	put(m, jump, sizeof(jump));
	body = m->end;
	m->now.rip = CODE_LINEAR + body;
	put_some(m, 1 + random__below(4));
	put(m, &ret, 1);
	displacement = m->end - body;
	memcpy(m->s->code + at + 1, &displacement, 4);
	guest__write_code(at, m->s->code + at, sizeof(jump));
	if (m->over)
		return;
	/* The function was executed where it stands: the state is not what it will be, but of its kind. */
	now.rip = CODE_LINEAR + m->end;
	m->now = now;
	if (random__one_in(2)) {
		displacement = body - (m->end + sizeof(call));
		memcpy(call + 1, &displacement, 4);
		put_and_run(m, call, sizeof(call));
		return;
	}
	do
		reg = random__below(is_64(m) ? 16 : 8);
	while (reg == X86_RSP);
	put_load(m, reg, CODE_LINEAR + body);
	indirect[2] = 0xd0 | (reg & 7);
	if (reg < 8)
		put_and_run(m, indirect + 1, 2);
	else
		put_and_run(m, indirect, 3);
}

/* Adds to the immediate of a MOV, behind it or of before. */
static void put_patch(struct maker *m)
{
	u8 add[7] = { 0x83, 0x05 }, load[5];
	bool ahead = !m->last_imm || random__one_in(2);
	u32 place = ahead ? m->end + sizeof(add) + 1 : m->last_imm, address;
	unsigned reg;

	address = CODE_LINEAR + place;
	if (is_64(m))
		address -= CODE_LINEAR + m->end + sizeof(add);
	memcpy(add + 2, &address, 4);
	add[6] = random__u64();
	put(m, add, sizeof(add));
	do
		reg = random__below(8);
	while (reg == X86_RSP);
	load[0] = 0xb8 | reg;
	address = random__u64();
	memcpy(load + 1, &address, 4);
	if (ahead) {
		m->last_imm = place;
		memset(m->s->may_change + place, true, 4);
		put(m, load, sizeof(load));
	}
	run_to(m, m->end);
}

/* PUSH imm, POPF */
static void put_flags(struct maker *m)
{
	u32 flags = random__u64() & (RFLAGS_ARITH | RFLAGS_DF | RFLAGS_ID | RFLAGS_NT);
	u8 bytes[6] = { 0x68, flags, flags >> 8, flags >> 16, flags >> 24, 0x9d };

	put_and_run(m, bytes, sizeof(bytes));
}

/* FS or GS based within user space: addresses relative to it are canonical with and without it. */
static void put_base(struct maker *m)
{
	u8 bytes[5] = { 0xf3, 0x48, 0x0f, 0xae, 0xd0 | random__below(2) << 3 };
	u8 reg = random__below(4); /* RAX to RBX */

	if (!is_64(m))
		return;
	put_load(m, reg, random__u64() >> 18);
	bytes[4] |= reg;
	put_and_run(m, bytes, sizeof(bytes));
}

static void put_statement(struct maker *m)
{
	switch (random__below(16)) {
	case 0:
	case 1:
		put_forward(m);
		break;
	case 2:
		if (m->depth < 2)
			put_loop(m);
		break;
	case 3:
		put_call(m);
		break;
	case 4:
		put_patch(m);
		break;
	case 5:
		if (random__one_in(3))
			put_flags(m);
		else if (random__one_in(6))
			put_base(m);
		break;
	default:
		put_random(m);
	}
}

/* ---- the whole ---- */

static void choose_state(struct stream *s)
{
	struct isa_state *b = &s->before;
	unsigned i;

	memset(b, 0, sizeof(*b));
	random__fp(&b->fp, random__one_in(8));
	for (i = 0; i < X86_NR_SEG; i++)
		b->sel[i] = SEL_USER_DATA;
	b->sel[X86_CS] = s->code_size == 8 ? SEL_USER_CODE : SEL_USER32_CODE;
	if (s->code_size == 8) {
		b->sel[X86_FS] = b->sel[X86_GS] = 0;
		b->fs_base = random__below(1 << 20);
		b->gs_base = random__u64() >> 18;
	}
	for (i = 0; i < (s->code_size == 8 ? 16 : 8); i++) {
		b->gpr[i] = random__integer();
		if (random__one_in(2))
			b->gpr[i] = DATA_LINEAR + random__below(0x3000) +
				    (s->code_size == 8 && random__one_in(2) ?
						    DATA_HIGH_LINEAR - DATA_LINEAR : 0);
		if (s->code_size != 8)
			b->gpr[i] = (u32)b->gpr[i];
	}
	b->gpr[X86_RSP] = DATA_LINEAR + (random__one_in(2) ? 0x1000 : 0x4400) + random__below(64) * 8;
	b->flags = (random__u64() & RFLAGS_ARITH) | RFLAGS_FIXED | RFLAGS_IF;
	b->vector = NO_VECTOR;
}

void stream__make(struct stream *s, unsigned code_size)
{
	struct maker m = { .s = s, .limit = CODE_BYTES - 64 };
	unsigned n = 10 + random__below(40), i;

	s->code_size = code_size;
	s->count = 0;
	memset(s->code, CODE_FILL, CODE_BYTES);
	memset(s->may_change, false, CODE_BYTES);
	guest__write_code(0, s->code, CODE_BYTES);
	for (i = 0; i < DATA_BYTES; i += 32)
		random__operand(s->data + i, 32);
	memcpy(guest_data, s->data, DATA_BYTES);
	choose_state(s);
	/* Half of them cross into the second page. */
	m.end = random__one_in(2) ? 64 + random__below(1024) : 4096 - random__below(400);
	s->at[0] = m.end;
	s->before.rip = CODE_LINEAR + m.end;
	m.now = s->before;
	while (n-- && !m.over)
		put_statement(&m);
	/* What was tried and taken back. */
	memset(s->code + m.end, CODE_FILL, CODE_BYTES - m.end);
}

static void print_insns(const struct stream *s, u32 at, u32 end)
{
	struct insn insn;
	char text[100];
	u32 i;

	for (; at < end; at += insn.len) {
		if (decode__insn(s->code + at, INSN_MAX_LENGTH, s->code_size, &insn) != DECODE_OK) {
			printf("  %llx: ?\n", CODE_LINEAR + at);
			return;
		}
		decode__print(&insn, CODE_LINEAR + at, text, sizeof(text));
		if (!strcmp(text, "nop") && s->code[at] == 0x90)
			continue;
		printf("  %llx:", CODE_LINEAR + at);
		for (i = 0; i < insn.len; i++)
			printf(" %02x", s->code[at + i]);
		printf("   %s\n", text);
	}
}

void stream__print(const struct stream *s)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		print_insns(s, s->at[i], s->at[i + 1]);
}
