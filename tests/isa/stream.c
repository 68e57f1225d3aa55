/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes streams of random instructions and what leads from one to another: branches, loops, calls, and
 * instructions that change others. Loops count in memory, which instructions of the stream seldom hit.
 */
#include <stdio.h>
#include <string.h>

#include "include/x86/exception.h"
#include "tests/isa/guest.h"
#include "tests/isa/random.h"
#include "tests/isa/stream_maker.h"

#define COUNTERS (DATA_LINEAR + 0x4800)

static void put_some(struct maker *m, unsigned n)
{
	while (n-- && !m->over)
		maker__put_random(m);
}

/* ---- branches ---- */

/* A condition, and what it jumps over. */
static void put_forward(struct maker *m)
{
	static u8 saved[DATA_BYTES];
	bool wide = random__one_in(3);
	u8 bytes[6] = { 0x0f, 0x80 | random__below(16) };
	struct isa_state taken;
	u32 at = m->end, size = wide ? 6 : 2, from = wide ? 2 : 1, displacement;
	bool is_taken;

	if (random__one_in(6)) { /* LOOPNE, LOOPE, LOOP, JRCXZ, by ECX also */
		wide = false;
		from = 1 + random__one_in(3);
		bytes[0] = 0x67;
		bytes[from - 1] = 0xe0 | random__below(4);
		size = from + 1;
	} else if (!wide) {
		bytes[0] = bytes[1] - 0x10;
	}
	bytes[from] = 16; /* somewhere else than the next one */
	maker__put(m, bytes, size);
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
	memcpy(m->s->code + at + from, &displacement, wide ? 4 : 1);
	guest__write_code(at, m->s->code + at, size);
	if (is_taken) {
		m->now = taken;
		m->now.rip = CODE_LINEAR + m->end;
		m->over = false;
		memcpy(guest_data, saved, DATA_BYTES);
	}
}

static void put_statement(struct maker *m);

/*
 * A count in memory, statements, SUB and JNZ back. If a later turn faults, there is one turn only, as a
 * rule: a stream should come to its end.
 */
static void put_loop(struct maker *m)
{
	static u8 saved[2][DATA_BYTES];
	u32 counter = COUNTERS + m->depth * 8, count = 2 + random__below(random__one_in(6) ? 40 : 8);
	u8 set[11] = { 0xc7, 0x04, 0x25 }, back[14] = { 0x83, 0x2c, 0x25 };
	unsigned n = 1 + random__below(8);
	struct isa_state now;
	u32 head, at;
	s32 displacement;

	memcpy(set + 3, &counter, 4);
	memcpy(set + 7, &count, 4);
	maker__put_and_run(m, set, sizeof(set));
	head = m->end;
	m->depth++;
	while (n-- && !m->over)
		put_statement(m);
	m->depth--;
	if (m->over)
		return;
	memcpy(back + 3, &counter, 4);
	back[7] = 1;
	back[8] = 0x0f;
	back[9] = 0x85;
	displacement = head - (m->end + sizeof(back));
	memcpy(back + 10, &displacement, 4);
	now = m->now;
	at = m->end;
	memcpy(saved[m->depth], guest_data, DATA_BYTES);
	maker__put(m, back, sizeof(back));
	if (m->over)
		return;
	maker__run_to(m, m->end);
	if (!m->over || random__one_in(8))
		return;
	m->over = false;
	m->now = now;
	m->now.rip = CODE_LINEAR + m->end;
	memcpy(guest_data, saved[m->depth], DATA_BYTES);
	memset(m->s->code + at, 0x90, sizeof(back));
	guest__write_code(at, m->s->code + at, sizeof(back));
}

/* Inside a page as a rule, else over its end. */
static u64 pick_stack(void)
{
	return random__below(4) ? DATA_LINEAR + 0x4400 + random__below(32) * 8 :
				  DATA_LINEAR + 0x1000 + random__below(16);
}

/* A function with a jump around it, called directly or by a register. It finds its return address. */
static void put_call(struct maker *m)
{
	u64 stack = pick_stack();
	u8 jump[5] = { 0xe9 }, call[5] = { 0xe8 }, ret = 0xc3, indirect[3] = { 0x41, 0xff };
	u32 at = m->end, body;
	s32 displacement = 64;
	struct isa_state now = m->now;
	unsigned reg;

	memcpy(jump + 1, &displacement, 4);
	maker__put(m, jump, sizeof(jump));
	body = m->end;
	m->now.rip = CODE_LINEAR + body;
	m->now.gpr[X86_RSP] = stack - (maker__is_64(m) ? 8 : 4);
	put_some(m, 1 + random__below(4));
	if (m->now.gpr[X86_RSP] != stack - (maker__is_64(m) ? 8 : 4))
		maker__load(m, X86_RSP, stack - (maker__is_64(m) ? 8 : 4));
	maker__put(m, &ret, 1);
	displacement = m->end - body;
	memcpy(m->s->code + at + 1, &displacement, 4);
	guest__write_code(at, m->s->code + at, sizeof(jump));
	if (m->over)
		return;
	/* The function was executed where it stands: the state is not what it will be, but of its kind. */
	now.rip = CODE_LINEAR + m->end;
	m->now = now;
	maker__load(m, X86_RSP, stack);
	if (random__one_in(2)) {
		displacement = body - (m->end + sizeof(call));
		memcpy(call + 1, &displacement, 4);
		maker__put_and_run(m, call, sizeof(call));
		return;
	}
	do
		reg = random__below(maker__is_64(m) ? 16 : 8);
	while (reg == X86_RSP);
	maker__load(m, reg, CODE_LINEAR + body);
	indirect[2] = 0xd0 | (reg & 7);
	if (reg < 8)
		maker__put_and_run(m, indirect + 1, 2);
	else
		maker__put_and_run(m, indirect, 3);
}

/* Adds to the immediate of a MOV, behind it or of before. */
static void put_patch(struct maker *m)
{
	u8 add[7] = { 0x83, 0x05 }, load[5];
	bool ahead = !m->last_imm || random__one_in(2);
	u32 place = ahead ? m->end + sizeof(add) + 1 : m->last_imm, address;
	unsigned reg;

	address = CODE_LINEAR + place;
	if (maker__is_64(m))
		address -= CODE_LINEAR + m->end + sizeof(add);
	memcpy(add + 2, &address, 4);
	add[6] = random__u64();
	maker__put(m, add, sizeof(add));
	do
		reg = random__below(8);
	while (reg == X86_RSP);
	load[0] = 0xb8 | reg;
	address = random__u64();
	memcpy(load + 1, &address, 4);
	if (ahead) {
		m->last_imm = place;
		memset(m->s->may_change + place, true, 4);
		maker__put(m, load, sizeof(load));
	}
	maker__run_to(m, m->end);
}

/* PUSH imm, POPF */
static void put_flags(struct maker *m)
{
	u32 flags = random__u64() & (RFLAGS_ARITH | RFLAGS_DF | RFLAGS_ID | RFLAGS_NT);
	u8 bytes[6] = { 0x68, flags, flags >> 8, flags >> 16, flags >> 24, 0x9d };

	maker__load(m, X86_RSP, pick_stack());
	maker__put_and_run(m, bytes, sizeof(bytes));
}

/* FS or GS based within user space: addresses relative to it are canonical with and without it. */
static void put_base(struct maker *m)
{
	u8 bytes[5] = { 0xf3, 0x48, 0x0f, 0xae, 0xd0 | random__below(2) << 3 };
	u8 reg = random__below(4); /* RAX to RBX */

	if (!maker__is_64(m))
		return;
	maker__load(m, reg, random__u64() >> 18);
	bytes[4] |= reg;
	maker__put_and_run(m, bytes, sizeof(bytes));
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
		maker__put_random(m);
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
