/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four CPUs, each rewriting code that the others run, in the ways that the manuals allow or operating
 * systems use (SDM vol. 3, 8.1.3; APM vol. 2, 7.6.1; Linux's text_poke): INT3 and serialisation, one
 * byte, eight aligned bytes, a displacement, another page behind an address, and bodies that all wait
 * for. Every execution sees one of the values that are current while it runs; once all CPUs have been
 * told, it is the last one.
 */
#include "tests/guests/lib/long/irq.h"

#define CPUS 4
#define ALIAS 0x20000000000UL	    /* a page per CPU: the code again */
#define LARGE 0x20040000000UL	    /* and in a large page */
#define REMAPPED 0x20000100000UL    /* a page per CPU, whose frame changes */
#define TRAPPED 0xffffffffu
#define NR_TARGETS 16
#define NR_BODIES 8

/* Code that one CPU changes. Its value goes up by one with each change. */
struct site {
	u32 at;	     /* offset in the code pages */
	u32 least;   /* what all CPUs have been told of */
	u32 most;    /* what may be seen already */
};

struct kind {
	const char *name;
	void (*make)(struct site *s, unsigned cpu);
	void (*change)(struct site *s, unsigned cpu, u32 value);
	u32 (*result)(unsigned cpu, u32 value); /* of the code */
	bool remaps;
};

static u8 *code; /* two pages */
static u8 *bodies[NR_BODIES];
static struct site sites[CPUS];
static const struct kind *kind;
static u32 wrong[CPUS], runs[CPUS], traps[CPUS], rounds;

static u32 call(u64 at)
{
	u32 result;

	__asm__ volatile("call *%1"
			 : "=a"(result)
			 : "r"(at)
			 : "rcx", "rdx", "rsi", "rdi", "memory", "cc");
	return result;
}

static void serialise(u64 arg)
{
	cpuid(0, 0);
}

static void tell(void)
{
	smp__call_others(serialise, 0);
	serialise(0);
}

/* MOV EAX, value; RET */
static void write_function(u8 *at, u32 value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

/* ---- INT3, the rest, the first byte ---- */

static void make_poked(struct site *s, unsigned cpu)
{
	/* Two in one cache line, one over two lines, one over the page end. */
	static const u32 at[CPUS] = { 0x108, 0x118, 0x13d, 0x1000 - 3 };

	s->at = at[cpu];
	write_function(code + s->at, 0);
}

static void change_poked(struct site *s, unsigned cpu, u32 value)
{
	__atomic_store_n(code + s->at, 0xcc, __ATOMIC_SEQ_CST);
	tell();
	memcpy(code + s->at + 1, &value, 4);
	tell();
	__atomic_store_n(code + s->at, 0xb8, __ATOMIC_SEQ_CST);
}

static u32 same_value(unsigned cpu, u32 value)
{
	return value;
}

/* To the RET behind the instruction, by whichever address it was reached. */
static void on_breakpoint(struct trap_frame *f)
{
	traps[cpu__index()]++;
	f->rax = TRAPPED;
	f->rip += 4;
}

/* ---- one byte ---- */

/* XCHG of EAX (0) with a register, or NOP. */
static const u8 opcodes[] = { 0x90, 0x91, 0x92, 0x96, 0x97 };
static const u8 exchanged[] = { 0, 11, 12, 16, 17 };

static void make_byte(struct site *s, unsigned cpu)
{
	/* xor %eax, %eax; mov $11, %ecx; $12, %edx; $16, %esi; $17, %edi; nop; ret */
	static const u8 bytes[] = { 0x31, 0xc0, 0xb9, 11, 0, 0, 0, 0xba, 12, 0, 0, 0, 0xbe, 16,
				    0, 0, 0, 0xbf, 17, 0, 0, 0, 0x90, 0xc3 };

	s->at = 0x200 + cpu * 0x28;
	memcpy(code + s->at, bytes, sizeof(bytes));
}

static void change_byte(struct site *s, unsigned cpu, u32 value)
{
	__atomic_store_n(code + s->at + 22, opcodes[value % sizeof(opcodes)], __ATOMIC_SEQ_CST);
}

static u32 result_of_byte(unsigned cpu, u32 value)
{
	return exchanged[value % sizeof(opcodes)];
}

/* ---- a jump in eight aligned bytes, a call's displacement ---- */

/* Some in each page, forwards and backwards of the jumps. */
static u32 target_of(unsigned n)
{
	return n % 3 ? 0x40 + n * 8 : 0x1100 + n * 8;
}

static void make_targets(void)
{
	unsigned i;

	for (i = 0; i < NR_TARGETS; i++)
		write_function(code + target_of(i), 100 + i);
}

/* JMP, NOP, NOP, NOP */
static void change_jump(struct site *s, unsigned cpu, u32 value)
{
	s32 displacement = target_of(value % NR_TARGETS) - (s->at + 5);

	__atomic_store_n((u64 *)(code + s->at), 0x9090900000000000 | (u64)(u32)displacement << 8 | 0xe9,
			 __ATOMIC_SEQ_CST);
}

static void make_jump(struct site *s, unsigned cpu)
{
	make_targets();
	s->at = 0x300 + cpu * 0x10;
	change_jump(s, cpu, 0);
}

static void change_displacement(struct site *s, unsigned cpu, u32 value)
{
	s32 displacement = target_of(value % NR_TARGETS) - (s->at + 5);

	__atomic_store_n((s32 *)(code + s->at + 1), displacement, __ATOMIC_SEQ_CST);
}

static void make_displacement(struct site *s, unsigned cpu)
{
	make_targets();
	s->at = 0x407 + cpu * 0x18; /* the displacement is aligned */
	code[s->at] = 0xe8;
	change_displacement(s, cpu, 0);
	code[s->at + 5] = 0xc3;
}

static u32 result_of_target(unsigned cpu, u32 value)
{
	return 100 + value % NR_TARGETS;
}

/* ---- other pages behind an address ---- */

static void drop(u64 linear)
{
	invlpg((void *)linear);
}

static void change_page(struct site *s, unsigned cpu, u32 value)
{
	u64 linear = REMAPPED + cpu * PAGE_SIZE_4K;

	__atomic_store_n(paging__entry(linear, 1), (u64)bodies[value % NR_BODIES] | PTE_P,
			 __ATOMIC_SEQ_CST);
	drop(linear);
	smp__call_others(drop, linear);
}

static void make_page(struct site *s, unsigned cpu)
{
	unsigned i;

	for (i = 0; i < NR_BODIES; i++)
		write_function(bodies[i] + 0x80 + cpu * 16, 200 + i + cpu * 100);
	s->at = 0x80 + cpu * 16;
	paging__map(REMAPPED + cpu * PAGE_SIZE_4K, (u64)bodies[0], 1, PTE_P);
}

static u32 result_of_page(unsigned cpu, u32 value)
{
	return 200 + value % NR_BODIES + cpu * 100;
}

/* ---- all of these ---- */

static const struct kind kinds[] = {
	{ "INT3, the rest, the first byte", make_poked, change_poked, same_value, false },
	{ "one byte", make_byte, change_byte, result_of_byte, false },
	{ "a jump in eight aligned bytes", make_jump, change_jump, result_of_target, false },
	{ "the displacement of a call", make_displacement, change_displacement, result_of_target,
	  false },
	{ "another page behind the address", make_page, change_page, result_of_page, true },
};

/* Where this CPU runs a site: the addresses take turns. */
static u64 address_of(const struct site *s, unsigned cpu, u32 turn)
{
	if (kind->remaps)
		return REMAPPED + (s - sites) * PAGE_SIZE_4K + s->at;
	switch (turn % 3) {
	case 0:
		return (u64)code + s->at;
	case 1:
		return ALIAS + 2 * cpu * PAGE_SIZE_4K + s->at;
	default:
		return LARGE + ((u64)code & 0x1fffff) + s->at;
	}
}

static bool may_be(unsigned owner, u32 got, u32 least, u32 most)
{
	u32 value;

	if (got == TRAPPED)
		return least != most;
	for (value = least; value <= most; value++)
		if (got == kind->result(owner, value))
			return true;
	return false;
}

static void run_sites(unsigned cpu, u32 turn)
{
	unsigned owner;

	for (owner = 0; owner < CPUS; owner++) {
		struct site *s = &sites[owner];
		u32 least = __atomic_load_n(&s->least, __ATOMIC_SEQ_CST);
		u32 got = call(address_of(s, cpu, turn + owner));

		wrong[cpu] += !may_be(owner, got, least,
				      __atomic_load_n(&s->most, __ATOMIC_SEQ_CST));
		runs[cpu]++;
	}
}

/*
 * Data in the pages of the code, which only this CPU writes. Not in all rounds: such writes make engines
 * look at the code, too.
 */
static void write_data(unsigned cpu, u32 turn)
{
	volatile u32 *word = (u32 *)(code + 0x800 + cpu * 64), *far = word + 0x1000 / 4;

	wrong[cpu] += *word != turn || *far != ~turn;
	*word = turn + 1;
	*far = ~(turn + 1);
}

static void change_and_run(u64 cpu)
{
	struct site *s = &sites[cpu];
	u32 round, turn = 0, written = 0, i;

	*(u32 *)(code + 0x800 + cpu * 64) = 0;
	*(u32 *)(code + 0x1800 + cpu * 64) = ~0u;
	smp__meet();
	enable_interrupts();
	for (round = 1; round <= rounds; round++) {
		__atomic_store_n(&s->most, round, __ATOMIC_SEQ_CST);
		kind->change(s, cpu, round);
		if (!kind->remaps)
			tell();
		__atomic_store_n(&s->least, round, __ATOMIC_SEQ_CST);
		for (i = 0; i < 20; i++, turn++) {
			run_sites(cpu, turn);
			if (round % 4 == 0)
				write_data(cpu, written++);
		}
	}
	/* With interrupts on: others still wait for answers. */
	smp__meet();
	run_sites(cpu, 0);
	disable_interrupts();
}

static void check_kind(const struct kind *k)
{
	u32 sum = 0, total = 0;
	unsigned i;

	kind = k;
	for (i = 0; i < CPUS; i++) {
		sites[i] = (struct site){ 0 };
		wrong[i] = runs[i] = traps[i] = 0;
		k->make(&sites[i], i);
	}
	smp__run_all(change_and_run);
	for (i = 0; i < CPUS; i++) {
		sum += wrong[i];
		total += runs[i];
	}
	check__equal(sum, 0, "%s: %u changes by each", k->name, rounds);
	console__print("  %u runs, %u met INT3\n", total, traps[0] + traps[1] + traps[2] + traps[3]);
}

/* ---- whole bodies ---- */

#define BODY_MAX 400 /* instructions */

static u32 body_ready, body_expected, body_seed;
static u64 body_at;

static u32 random(void)
{
	body_seed = body_seed * 1664525 + 1013904223;
	return body_seed >> 8;
}

/* ADD, XOR, ROL and IMUL on EAX, and NOPs; what comes out. */
static u32 write_body(u8 *p)
{
	u32 value = 0, n = 1 + random() % BODY_MAX, imm;

	for (*p++ = 0x31, *p++ = 0xc0; n--;) {
		imm = random() << 9 ^ random();
		switch (random() % 5) {
		case 0:
			*p++ = 0x05;
			value += imm;
			break;
		case 1:
			*p++ = 0x35;
			value ^= imm;
			break;
		case 2:
			*p++ = 0x69;
			*p++ = 0xc0;
			value *= imm;
			break;
		case 3:
			*p++ = 0xc1;
			*p++ = 0xc0;
			*p++ = 7;
			value = value << 7 | value >> 25;
			continue;
		default:
			*p++ = 0x90;
			continue;
		}
		memcpy(p, &imm, 4);
		p += 4;
	}
	*p = 0xc3;
	return value;
}

/* The CPUs take turns in writing; the others wait, execute CPUID, and run it at their addresses. */
static void write_or_wait(u64 cpu)
{
	u32 round;

	for (round = 1; round <= rounds * 2; round++) {
		if (round % CPUS == cpu) {
			u32 at = round & 4 ? random() % 64 : 0x1000 - random() % 200;

			body_expected = write_body((round & 8 ? code : (u8 *)ALIAS) + at);
			body_at = at;
			__atomic_store_n(&body_ready, round, __ATOMIC_RELEASE);
		}
		while (__atomic_load_n(&body_ready, __ATOMIC_ACQUIRE) != round)
			pause();
		serialise(0);
		wrong[cpu] += call((round & 1 ? ALIAS + 2 * cpu * PAGE_SIZE_4K : (u64)code) +
				   body_at) != body_expected;
		smp__meet();
	}
}

static void check_bodies(void)
{
	u32 sum = 0;
	unsigned i;

	for (i = 0; i < CPUS; i++)
		wrong[i] = 0;
	smp__run_all(write_or_wait);
	for (i = 0; i < CPUS; i++)
		sum += wrong[i];
	check__equal(sum, 0, "%u bodies, rewritten while the others wait", rounds * 2);
}

int main(void)
{
	unsigned i;

	if (!check__equal(smp__start(), CPUS, "CPUs that came up"))
		return 0;
	rounds = 50 * guest__option("scale", 1);
	code = page__alloc_aligned(2 * PAGE_SIZE_4K);
	for (i = 0; i < NR_BODIES; i++)
		bodies[i] = page__alloc();
	for (i = 0; i < 2 * CPUS; i++)
		paging__map(ALIAS + i * PAGE_SIZE_4K, (u64)code + i % 2 * PAGE_SIZE_4K, 1, PTE_P | PTE_W);
	paging__map(LARGE, (u64)code & ~0x1fffffUL, 2, PTE_P | PTE_W);
	trap__handle(X86_BP, on_breakpoint);
	for (i = 0; i < ARRAY_LENGTH(kinds); i++)
		check_kind(&kinds[i]);
	check_bodies();
	return 0;
}
