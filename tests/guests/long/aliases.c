/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page of code at several linear addresses, with other pages beside it at each: what it reaches by a
 * displacement (jumps, calls, operands relative to RIP, the way over its end, the second half of an instruction)
 * depends on where it runs. In user and kernel mode, and after each way to change what stands beside it.
 */
#include "tests/guests/lib/long/machine.h"

/* All below one entry of the top table. The first two are alike in the low bits of their page numbers. */
#define ALIASES 3
static const u64 bases[ALIASES] = { 0x20000001000, 0x20000101000, 0x20040007000 };
#define TOP_ENTRY (0x20000000000 >> 39 & 511)

/* The pages beside it: before it, and two behind it, for code and for data. */
#define BESIDE 3
static const s64 beside_at[BESIDE] = { -4096, 4096, 2 * 4096 };
#define SETS 4

#define TURNS 12 /* a multiple of SETS */
/* More than it takes until code is translated and jumps between pages are made direct, several times. */
#define ROUNDS 256
#define ROUNDS_OF_TURN 48
#define SWITCHES 24
#define ROUNDS_OF_SWITCH 16

/* ---- what runs ---- */

struct job {
	u64 at[ALIASES];
	u32 want[ALIASES];
	u32 start, rounds;
	u32 wrong; /* out */
};

static u32 call(u64 at)
{
	u64 result;

	__asm__ volatile("call *%1" : "=a"(result) : "r"(at) : "rcx", "rdx", "memory", "cc");
	return result;
}

/* Two by turns, three by turns, any, and each for a while. */
static unsigned choose(u32 i)
{
	switch (i >> 6 & 3) {
	case 0:
		return i & 1;
	case 1:
		return i % ALIASES;
	case 2:
		return (i * 2654435761u >> 24) % ALIASES;
	default:
		return (i >> 3) % ALIASES;
	}
}

/* At any level. */
static void run_job(u64 arg)
{
	struct job *job = (struct job *)arg;
	u32 i;

	for (i = job->start; i < job->start + job->rounds; i++) {
		unsigned alias = choose(i);

		job->wrong += call(job->at[alias]) != job->want[alias];
	}
}

/* ---- code ---- */

/*
 * Each begins with its own number in EAX, to which pages beside it add theirs: MARKER, in all of them, stands for
 * it. The page of code begins and ends where one falls from page to page.
 */
#define MARKER 0x11111111
#define ADD_MARKER "add $0x11111111, %eax\n"

extern u8 page_before[], page_code[], page_after[], page_data[];
__asm__(".text\n"
	".balign 4096\n"
	"page_before:\n"
	"before_add: " ADD_MARKER "ret\n"
	"before_pong: " ADD_MARKER "jmp before_ping\n"
	".org page_before + 4096 - 8, 0x90\n"
	"before_fall: nop; nop; nop;" ADD_MARKER

	"page_code: ret\n"
	"code_jump: mov $1, %eax; jmp after_add\n"
	"code_jz: mov $2, %eax; xor %edx, %edx; jz after_add; ud2\n"
	"code_jnz: mov $3, %eax; test %eax, %eax; jz after_wrong; jnz after_add; ud2\n"
	"code_last: mov $4, %eax; mov $20, %ecx; 1: dec %ecx; jz after_add; jmp 1b\n"
	"code_call: mov $5, %eax; call after_add; ret\n"
	"code_calls: mov $6, %eax; mov $25, %ecx; 1: call after_add; dec %ecx; jnz 1b; ret\n"
	"code_pong: mov $7, %eax; mov $25, %ecx; 1: jmp after_pong\n"
	"after_ping: dec %ecx; jnz 1b; ret\n"
	"code_before: mov $8, %eax; jmp before_add\n"
	"code_before_pong: mov $9, %eax; mov $25, %ecx; 1: jmp before_pong\n"
	"before_ping: dec %ecx; jnz 1b; ret\n"
	"code_both: mov $10, %eax; call before_add; call after_add; ret\n"
	"code_load: mov $11, %eax; add data_word(%rip), %eax; ret\n"
	"code_store: mov $12, %eax; mov %eax, data_scratch(%rip); mov data_word(%rip), %ecx\n"
	"	add %ecx, data_scratch(%rip); mov data_scratch(%rip), %eax; ret\n"
	"code_push: mov $13, %eax; pushq data_word(%rip); pop %rcx; add %ecx, %eax; ret\n"
	"code_lea: mov $14, %eax; lea after_add(%rip), %rcx; jmp *%rcx\n"
	"code_return: mov $15, %eax; call 1f; 1: pop %rcx; lea after_add - 1b(%rcx), %rcx; jmp *%rcx\n"
	"code_table: mov $16, %eax; movslq data_offset(%rip), %rcx; lea page_code(%rip), %rdx; add %rdx, %rcx\n"
	"	call *%rcx; ret\n"
	"code_vector: mov $17, %eax; movd data_word(%rip), %xmm0; movd %xmm0, %ecx; add %ecx, %eax; ret\n"
	"code_two: mov $18, %eax; mov data_word(%rip), %ecx; add data_other(%rip), %ecx; add %ecx, %eax; ret\n"
	"code_loads: mov $19, %eax; mov $25, %ecx; 1: add data_word(%rip), %eax; dec %ecx; jnz 1b; ret\n"
	"code_fall: mov $20, %eax; jmp code_end\n"
	"code_fall_in: mov $21, %eax; jmp before_fall\n"
	"code_jump_end: mov $22, %eax; jmp after_jump_end\n"
	"code_back: ret\n"
	".org page_code + 4096 - 9, 0x90\n"
	"code_end: nop; nop; nop; nop; nop; nop; add $0, %eax\n"

	"page_after: " ADD_MARKER "ret\n"
	"after_add: " ADD_MARKER "ret\n"
	"after_wrong: ud2\n"
	"after_pong: " ADD_MARKER "jmp after_ping\n"
	"after_jump_end: " ADD_MARKER "test %eax, %eax; jnz code_back; ud2\n"
	".org page_after + 4096, 0x90\n"

	"page_data:\n"
	"data_word: .long 0x11111111, 0\n"
	"data_other: .long 0x11111111\n"
	"data_scratch: .long 0\n"
	"data_offset: .long after_add - page_code\n"
	".org page_data + 4096, 0\n");

#define ENTRIES(X)                                                                                 \
	X(jump, 1, "jump") X(jz, 1, "JZ") X(jnz, 1, "JZ, JNZ") X(last, 1, "JZ at a loop's end")        \
	X(call, 1, "call") X(calls, 25, "calls") X(pong, 25, "jumps to and fro")                       \
	X(before, 1, "jump back") X(before_pong, 25, "jumps back and to") X(both, 2, "calls on both sides")    \
	X(load, 1, "load") X(store, 1, "store") X(push, 1, "PUSH") X(lea, 1, "LEA")                     \
	X(return, 1, "return address") X(table, 1, "call by a table") X(vector, 1, "MOVD")              \
	X(two, 2, "two loads") X(loads, 25, "loads") X(fall, 1, "over the end")                         \
	X(fall_in, 1, "over the start") X(jump_end, 1, "JNZ back")

#define DECLARE(id, factor, name) extern u8 code_##id[];
ENTRIES(DECLARE)

static const struct entry {
	const char *name;
	const u8 *code;
	u32 factor;
} entries[] = {
#define ROW(id, factor, name) { name, code_##id, factor },
	ENTRIES(ROW)
};

/*
 * Instructions over the end: so many bytes on the page of code, behind PROLOGUE; the rest and a RET begin the next
 * page, in two forms. V is a number of that page's own. The result: base + factor * V.
 */
#define V "\x5a"
/* mov $3, %eax; mov $25, %ecx; test %eax, %eax; movd %eax, %xmm0 */
#define PROLOGUE "\xb8\x03\x00\x00\x00\xb9\x19\x00\x00\x00\x85\xc0\x66\x0f\x6e\xc0"
#define ADD_V "\x05" V "\x00\x00\x00\xc3" /* add $V, %eax; ret */

static const struct split {
	const char *name, *first;
	struct {
		const char *rest;
		u32 length, base, factor;
	} form[2];
	u32 length; /* of first */
} splits[] = {
#define BYTES(bytes) bytes, sizeof(bytes) - 1
#define FIRST(bytes) .first = bytes, .length = sizeof(bytes) - 1
	{ "immediate over the end", FIRST("\xb8\x07\x00"),
	  .form = { { BYTES(V "\x00\xc3"), 7, 0x10000 }, { BYTES("\x01" V "\xc3"), 0x10007, 0x1000000 } } },
	{ "ADD or SUB over the end", FIRST("\x83"),
	  .form = { { BYTES("\xc0" V "\xc3"), 3, 1 }, { BYTES("\xe8" V "\xc3"), 3, -1 } } },
	{ "BSWAP or MOVZX over the end", FIRST("\x0f"),
	  .form = { { BYTES("\xc8" ADD_V), 0x3000000, 1 }, { BYTES("\xb6\xc0" ADD_V), 3, 1 } } },
	{ "prefix before the end", FIRST("\x48"),
	  .form = { { BYTES("\x83\xc0" V "\xc3"), 3, 1 }, { BYTES("\x83\xe8" V "\xc3"), 3, -1 } } },
	{ "jump over the end", FIRST("\xe9"),
	  .form = { { BYTES("\x00\x00\x00\x00" ADD_V), 3, 1 }, { BYTES("\x02\x00\x00\x00\x0f\x0b" ADD_V), 3, 1 } } },
	{ "JZ or JNZ over the end", FIRST("\x0f"),
	  .form = { { BYTES("\x85\x02\x00\x00\x00\x0f\x0b" ADD_V), 3, 1 }, { BYTES("\x84\x02\x00\x00\x00" ADD_V), 3, 1 } } },
	{ "call over the end", FIRST("\xe8"),
	  .form = { { BYTES("\x01\x00\x00\x00\xc3" ADD_V), 3, 1 },
		    { BYTES("\x03\x00\x00\x00\xff\xc0\xc3" ADD_V), 4, 1 } } },
	{ "load over the end", FIRST("\x8b\x05"),
	  .form = { { BYTES("\x01\x00\x00\x00\xc3" V "\x00\x00\x00"), 0, 1 },
		    { BYTES("\x03\x00\x00\x00\xc3\x90\x90" V "\x00\x00\x00"), 0, 1 } } },
	{ "load and its displacement over the end", FIRST("\x03\x05\x01"),
	  .form = { { BYTES("\x00\x00\x00\xc3" V "\x00\x00\x00"), 3, 1 },
		    { BYTES("\x00\x00\x00\xc3\x01" V "\x00\x00"), 4, 0x100 } } },
	{ "PADDD or PSUBD over the end", FIRST("\x66"),
	  .form = { { BYTES("\x0f\xfe\xc0\x66\x0f\x7e\xc0" ADD_V), 6, 1 },
		    { BYTES("\x0f\xfa\xc0\x66\x0f\x7e\xc0" ADD_V), 0, 1 } } },
	{ "loop over the end", FIRST("\x83"), /* ...; dec %ecx; jnz */
	  .form = { { BYTES("\xc0" V "\xff\xc9\x75\xf9\xc3"), 3, 25 },
		    { BYTES("\xe8" V "\xff\xc9\x75\xf9\xc3"), 3, -25 } } },
};

/* ---- pages ---- */

struct subject {
	const char *name;
	u64 offset;   /* where to call the page of code */
	u64 code[2];  /* pages with the same bytes */
	u64 beside[SETS][BESIDE];
	u32 result[SETS];
};

static u64 copy_of(const u8 *page, u32 marker)
{
	u8 *copy = page__alloc();
	unsigned i;

	memcpy(copy, page, PAGE_SIZE_4K);
	for (i = 0; i + 4 <= PAGE_SIZE_4K; i++) {
		u32 word;

		memcpy(&word, copy + i, 4);
		if (word == MARKER)
			memcpy(copy + i, &marker, 4);
	}
	return (u64)copy;
}

static void make_pages(struct subject *s)
{
	unsigned i;

	for (i = 0; i < SETS; i++) {
		u32 marker = (i + 1) << 12;

		s->beside[i][0] = copy_of(page_before, marker);
		s->beside[i][1] = copy_of(page_after, marker);
		s->beside[i][2] = copy_of(page_data, marker);
	}
	s->code[0] = copy_of(page_code, 0);
	s->code[1] = copy_of(page_code, 0);
}

static void choose_entry(struct subject *s, unsigned which)
{
	unsigned i;

	s->name = entries[which].name;
	s->offset = entries[which].code - page_code;
	for (i = 0; i < SETS; i++)
		s->result[i] = which + 1 + entries[which].factor * ((i + 1) << 12);
}

static void make_split(struct subject *s, const struct split *split)
{
	const unsigned prologue = sizeof(PROLOGUE) - 1;
	unsigned i, k;

	make_pages(s);
	s->name = split->name;
	s->offset = PAGE_SIZE_4K - split->length - prologue;
	for (i = 0; i < ARRAY_LENGTH(s->code); i++) {
		memcpy((u8 *)s->code[i] + s->offset, PROLOGUE, prologue);
		memcpy((u8 *)s->code[i] + PAGE_SIZE_4K - split->length, split->first, split->length);
	}
	for (i = 0; i < SETS; i++) {
		u32 number = i + 1, length = split->form[i & 1].length;
		u8 *at = (u8 *)s->beside[i][1];

		for (k = 0; k < length; k++) {
			u8 byte = split->form[i & 1].rest[k];

			at[k] = byte == V[0] ? number : byte;
		}
		s->result[i] = split->form[i & 1].base + split->form[i & 1].factor * number;
	}
}

/* ---- the ways to change what stands beside it ---- */

static bool is_user;
static u64 global; /* PTE_G for the page of code, or 0 */
static struct job job;

static unsigned set_of(unsigned alias, unsigned turn)
{
	return (alias + turn) % SETS;
}

static void expect(const struct subject *s, unsigned turn)
{
	unsigned alias;

	for (alias = 0; alias < ALIASES; alias++) {
		job.at[alias] = bases[alias] + s->offset;
		job.want[alias] = s->result[set_of(alias, turn)];
	}
}

/* Without the flush. */
static void enter(const struct subject *s, unsigned alias, unsigned turn)
{
	unsigned i;

	for (i = 0; i < BESIDE; i++)
		*paging__entry(bases[alias] + beside_at[i], 1) =
			s->beside[set_of(alias, turn)][i] | PTE_P | PTE_W | PTE_U;
}

static void invalidate(unsigned alias)
{
	unsigned i;

	for (i = 0; i < BESIDE; i++)
		invlpg((void *)(bases[alias] + beside_at[i]));
}

static void map_code(const struct subject *s, unsigned which)
{
	unsigned alias;

	for (alias = 0; alias < ALIASES; alias++)
		paging__map(bases[alias], s->code[which], 1, PTE_P | PTE_W | PTE_U | global);
}

static void run(u32 start, u32 rounds)
{
	job.start = start;
	job.rounds = rounds;
	if (!is_user)
		run_job((u64)&job);
	else if (user__call(run_job, USER((u64)&job)) != NO_TRAP)
		job.wrong++;
}

static void run_plain(struct subject *s, unsigned turn)
{
	unsigned alias;

	for (alias = 0; alias < ALIASES; alias++) {
		enter(s, alias, turn);
		invalidate(alias);
	}
	map_code(s, 0);
	expect(s, turn);
	run(0, ROUNDS);
}

static void run_invlpg(struct subject *s, unsigned turn)
{
	unsigned alias;

	for (alias = 0; alias < ALIASES; alias++) {
		enter(s, alias, turn);
		invalidate(alias);
	}
	expect(s, turn);
	run(turn << 6, ROUNDS_OF_TURN);
}

static void run_cr3(struct subject *s, unsigned turn)
{
	unsigned alias;

	for (alias = 0; alias < ALIASES; alias++)
		enter(s, alias, turn);
	flush_tlb();
	expect(s, turn);
	run(turn << 6, ROUNDS_OF_TURN);
}

/* The page of code moves, too. */
static void run_moved(struct subject *s, unsigned turn)
{
	map_code(s, turn & 1);
	run_invlpg(s, turn);
}

/* What stands beside it is written there: each set gets the next one's bytes. */
static void run_written(struct subject *s, unsigned turn)
{
	static u8 spare[PAGE_SIZE_4K];
	u32 result = s->result[0];
	unsigned i, k;

	for (k = 0; k < BESIDE; k++) {
		memcpy(spare, (void *)s->beside[0][k], PAGE_SIZE_4K);
		for (i = 0; i + 1 < SETS; i++)
			memcpy((void *)s->beside[i][k], (void *)s->beside[i + 1][k], PAGE_SIZE_4K);
		memcpy((void *)s->beside[SETS - 1][k], spare, PAGE_SIZE_4K);
	}
	for (i = 0; i + 1 < SETS; i++)
		s->result[i] = s->result[i + 1];
	s->result[SETS - 1] = result;
	expect(s, 0);
	run(turn << 6, ROUNDS_OF_TURN);
}

/* The same addresses in another address space. */
static u64 other_space;

static void run_spaces(struct subject *s, unsigned turn)
{
	u64 first = read_cr3();
	unsigned i;

	run_plain(s, turn);
	write_cr3(other_space);
	run_plain(s, turn + 2);
	for (i = 0; i < SWITCHES; i++) {
		write_cr3(i & 1 ? other_space : first);
		expect(s, i & 1 ? turn + 2 : turn);
		run(i << 6, ROUNDS_OF_SWITCH);
	}
	write_cr3(first);
}

static const struct way {
	const char *name;
	void (*run)(struct subject *s, unsigned turn);
	unsigned turns;
} ways[] = {
	{ "by turns", run_plain, 1 },	{ "written", run_written, TURNS },	 { "INVLPG", run_invlpg, TURNS },
	{ "CR3", run_cr3, TURNS },	{ "moved", run_moved, TURNS },		 { "address spaces", run_spaces, 1 },
};

static void check_subject(struct subject *s, const char *mode)
{
	unsigned i, turn;

	for (i = 0; i < ARRAY_LENGTH(ways); i++) {
		job.wrong = 0;
		for (turn = 0; turn < ways[i].turns; turn++)
			ways[i].run(s, turn);
		check__equal(job.wrong, 0, "%s, %s: %s", mode, s->name, ways[i].name);
	}
}

/* ---- all of it ---- */

static struct subject whole, halves[ARRAY_LENGTH(splits)];

static void check_all(const char *mode)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(entries); i++) {
		choose_entry(&whole, i);
		check_subject(&whole, mode);
	}
	for (i = 0; i < ARRAY_LENGTH(halves); i++)
		check_subject(&halves[i], mode);
}

static void make_other_space(void)
{
	u64 *top = page__alloc();

	memcpy(top, (void *)(read_cr3() & PAGE_MASK_4K), PAGE_SIZE_4K);
	top[TOP_ENTRY] = 0;
	other_space = (u64)top;
}

/* The guest's own code is global, as a kernel's is: then a write of CR3 concerns little of it. */
static void use_global_pages(void)
{
	u64 linear;

	for (linear = 0; linear < 1UL << 30; linear += 2UL << 20) {
		*paging__entry(linear, 2) |= PTE_G;
		*paging__entry(USER_ALIAS + linear, 2) |= PTE_G;
	}
	write_cr4(read_cr4() | CR4_PGE);
	global = PTE_G;
}

int main(void)
{
	unsigned i;

	make_pages(&whole);
	for (i = 0; i < ARRAY_LENGTH(halves); i++)
		make_split(&halves[i], &splits[i]);
	make_other_space();
	check_all("kernel");
	is_user = true;
	check_all("user");
	use_global_pages();
	check_all("user, global");
	is_user = false;
	check_all("kernel, global");
	return 0;
}
