/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random loops: pointers that move by constants or registers, indices, distances, side exits, flags that live over accesses; on pages in
 * another order than their addresses, one of them read-only, none before and behind. Prints for each loop a hash of what it left in
 * registers, flags, memory, and of its faults. It checks nothing: tests/guests/random_loops.py compares two runs.
 */
#include "tests/guests/lib/long/machine.h"

#define PAGES 8
#define READ_ONLY 6
#define AREA (24UL << 30)
#define RUNS 16
#define AGAIN 8 /* every fourth time, so that an engine makes code for what it has met */
#define ARITHMETIC 0x8d5

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

static u8 frames[PAGES][PAGE_SIZE_4K] __attribute__((aligned(PAGE_SIZE_4K)));
static u8 code[4 * PAGE_SIZE_4K] __attribute__((aligned(PAGE_SIZE_4K)));

struct registers {
	u64 r[16]; /* r[RSP]: RFLAGS */
	u8 fx[512] __attribute__((aligned(16)));
};
static struct registers in, out;
static u64 target, saved_rsp;

/* ---- chance ---- */

static u64 seed, hash;

static u64 any(void)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return seed >> 33;
}

static unsigned below(unsigned n)
{
	return any() % n;
}

static bool one_in(unsigned n)
{
	return !below(n);
}

static void mix(u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15;
	hash ^= hash >> 29;
}

/* ---- instructions ---- */

static u8 *at;

static void put8(u8 value)
{
	*at++ = value;
}

static void put32(u32 value)
{
	memcpy(at, &value, 4);
	at += 4;
}

#define NO_INDEX -1
struct operand {
	u8 base;
	int index;
	u8 scale;
	s32 disp;
};

/* A prefix or 0, opcodes of one byte or behind 0FH. */
static void put_rm(u8 prefix, bool wide, bool two_bytes, u8 opcode, u8 reg, struct operand m)
{
	u8 rex = (wide ? 8 : 0) | (reg & 8 ? 4 : 0) | (m.index >= 0 && (m.index & 8) ? 2 : 0) | (m.base & 8 ? 1 : 0);
	bool small = m.disp == (s8)m.disp, sib = m.index >= 0 || (m.base & 7) == RSP;

	if (prefix)
		put8(prefix);
	if (rex)
		put8(0x40 | rex);
	if (two_bytes)
		put8(0x0f);
	put8(opcode);
	put8((small ? 0x40 : 0x80) | (reg & 7) << 3 | (sib ? 4 : m.base & 7));
	if (sib)
		put8(m.scale << 6 | (m.index >= 0 ? m.index & 7 : 4) << 3 | (m.base & 7));
	if (small)
		put8(m.disp);
	else
		put32(m.disp);
}

static void put_rr(bool wide, bool two_bytes, u8 opcode, u8 reg, u8 rm)
{
	put8(0x40 | (wide ? 8 : 0) | (reg & 8 ? 4 : 0) | (rm & 8 ? 1 : 0));
	if (two_bytes)
		put8(0x0f);
	put8(opcode);
	put8(0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* ---- statements ---- */

static const u8 pointers[] = { RSI, RDI, RBX, R8, R10, R12, RBP, RAX };
static const u8 indices[] = { R9, R11, R13, RAX };
static const u8 data[] = { RDX, R14, R15, R11, RCX };
static u8 nr_pointers, nr_indices, nr_data;
static bool may_move[16], in_columns;

static u8 pick_pointer(void)
{
	return pointers[below(nr_pointers)];
}

static u8 pick_index(void)
{
	return indices[below(nr_indices)];
}

static u8 pick_data(void)
{
	return data[below(nr_data)];
}

static s32 pick_disp(void)
{
	switch (in_columns ? below(3) : below(6)) {
	case 0:
		return 0;
	case 1:
		return 8 * below(8);
	case 2:
		return (s32)below(256) - 128;
	case 3:
		return 16 * ((s32)below(32) - 8);
	case 4:
		return 64 * below(8);
	default:
		return (s32)below(1024) - 300;
	}
}

static struct operand pick_operand(void)
{
	struct operand m = { pick_pointer(), NO_INDEX, 0, pick_disp() };

	if (in_columns ? !one_in(4) : one_in(3)) {
		m.index = pick_index();
		m.scale = one_in(2) ? 0 : below(4);
	}
	return m;
}

static void move(u8 reg)
{
	static const s32 steps[] = { 8, 16, 64, -8, 1, 24, 128, 256, 512, 40, -64, -1, 520, 4096, 32, 48 };
	s32 step = steps[below(ARRAY_LENGTH(steps))];

	switch (below(8)) {
	case 0: /* LEA */
		put_rm(0, true, false, 0x8d, reg, (struct operand){ reg, NO_INDEX, 0, step });
		break;
	case 1: /* SUB */
		put_rr(true, false, 0x81, 5, reg);
		put32(-step);
		break;
	case 2: /* INC, DEC */
		put_rr(true, false, 0xff, one_in(2), reg);
		break;
	case 3:
		put_rr(true, false, 0x01, pick_index(), reg);
		break;
	default:
		put_rr(true, false, 0x81, 0, reg);
		put32(step);
	}
}

static void change_data(void)
{
	static const u8 operations[] = { 0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39, 0x85 };
	u8 reg = pick_data(), operation = operations[below(ARRAY_LENGTH(operations))];

	switch (below(8)) {
	case 0: /* of a register with itself */
		put_rr(one_in(2), false, operation, reg, reg);
		break;
	case 1: /* SHL, SHR */
		put_rr(one_in(2), false, 0xc1, 4 + below(2), reg);
		put8(1 + below(31));
		break;
	case 2: /* CMOVcc */
		put_rr(one_in(2), true, 0x40 + below(16), reg, pick_data());
		break;
	case 3: /* SETcc */
		put_rr(false, true, 0x90 + below(16), 0, reg);
		break;
	case 4: /* by a constant */
		put_rr(one_in(2), false, 0x81, below(8), reg);
		put32(any());
		break;
	case 5: /* NEG */
		put_rr(one_in(2), false, 0xf7, 3, reg);
		break;
	case 6:
		put_rr(one_in(2), false, 0xff, below(2), reg);
		break;
	default:
		put_rr(one_in(2), false, operation, reg, pick_data());
	}
}

static void access_memory(void)
{
	static const u8 operations[] = {
		0x03, 0x0b, 0x13, 0x1b, 0x23, 0x2b, 0x33, 0x3b, 0x8b, 0x8b, 0x8b, 0x8b, 0x89, 0x89, 0x01, 0x39, 0x11, 0x85,
	};
	struct operand m = pick_operand();

	switch (below(12)) {
	case 0: /* MOVUPS */
		put_rm(0, false, true, 0x10 + below(2), below(8), m);
		break;
	case 1: /* MOVAPS */
		put_rm(0, false, true, 0x28 + below(2), below(8), m);
		break;
	case 2: /* PADDQ */
		put_rm(0x66, false, true, 0xd4, below(8), m);
		break;
	case 3: /* MOVZX */
		put_rm(0, false, true, 0xb6, pick_data(), m);
		break;
	case 4: /* INC, DEC */
		put_rm(0, one_in(2), false, 0xff, below(2), m);
		break;
	case 5: /* FLD, FADD or FMUL, FSTP */
		put_rm(0, false, false, 0xdd, 0, m);
		put_rm(0, false, false, 0xdc, below(2), pick_operand());
		put_rm(0, false, false, 0xdd, 3, pick_operand());
		break;
	default:
		put_rm(0, !one_in(3), false, operations[below(ARRAY_LENGTH(operations))], pick_data(), m);
	}
	if (one_in(2))
		return;
	m.disp += 8 * below(4);
	put_rm(0, true, false, operations[below(ARRAY_LENGTH(operations))], pick_data(), m);
}

static void put_statement(void)
{
	u8 reg = one_in(2) ? pick_pointer() : pick_index();

	switch (below(10)) {
	case 0:
	case 1:
		change_data();
		break;
	case 2:
	case 3:
		if (may_move[reg])
			move(reg);
		break;
	default:
		access_memory();
	}
}

/* ---- loops ---- */

#define EXITS 3

static void pick_registers(void)
{
	unsigned i;

	in_columns = one_in(3);
	nr_pointers = 1 + below(in_columns ? 3 : ARRAY_LENGTH(pointers));
	nr_indices = 1 + below(ARRAY_LENGTH(indices));
	nr_data = 2 + below(3);
	for (i = 0; i < ARRAY_LENGTH(may_move); i++)
		may_move[i] = one_in(2);
	for (i = 0; in_columns && i < ARRAY_LENGTH(indices); i++)
		may_move[indices[i]] = one_in(12);
}

/* RCX counts; the jump back is near or short, by LOOP, or one over another. */
static void put_end(u8 *head)
{
	put_rr(true, false, 0xff, 1, RCX);
	if (one_in(8)) {
		put8(0x75);
		put8(5);
		put8(0xe9);
		put32(5);
		put8(0xe9);
		put32(head - (at + 4));
		return;
	}
	if (one_in(10) && at - head < 100) {
		put_rr(true, false, 0xff, 0, RCX);
		put8(0xe2);
		put8(head - (at + 1));
		return;
	}
	put8(0x0f);
	put8(0x85);
	put32(head - (at + 4));
}

/* A third lies over a page's end. */
static u64 make(void)
{
	u8 *start = one_in(3) ? code + PAGE_SIZE_4K - below(220) : code + below(4000), *exits[EXITS], *over;
	unsigned i, n = 1 + below(one_in(8) ? 40 : 12), nr_exits = 0;
	u32 displacement;

	memset(code, 0xcc, sizeof(code));
	pick_registers();
	at = start;
	for (i = 0; i < n; i++) {
		put_statement();
		if (one_in(12) && nr_exits < EXITS) {
			put8(0x0f);
			put8(0x80 + below(16));
			put32(0);
			exits[nr_exits++] = at;
		}
		if (one_in(16)) {
			put8(0x70 + below(16));
			put8(0);
			over = at;
			change_data();
			over[-1] = at - over;
		}
	}
	put_end(start);
	while (nr_exits--) {
		displacement = at - exits[nr_exits];
		memcpy(exits[nr_exits] - 4, &displacement, 4);
	}
	put8(0xc3);
	return (u64)start;
}

/* ---- execution ---- */

/* Words of the x87 environment (SDM vol. 1, figure 8-9). */
#define ENV_FIP 3
#define ENV_FDP 5

static u64 pick_address(void)
{
	u64 page = AREA + below(PAGES) * PAGE_SIZE_4K;

	switch (below(5)) {
	case 0:
		return page + 8 * below(512);
	case 1:
		return page + below(4096);
	case 2:
		return page + 4096 - 8 * below(16);
	case 3:
		return page + 16 * below(256);
	default:
		return page + 4096 - below(64);
	}
}

static u64 pick_distance(void)
{
	static const s64 some[] = { 0, 8, 16, 64, 256, 512, 1024, 2048, 4096, -8, -64, 3584, 3500, 24, 4000, 1, 4080, 320 };

	return one_in(5) ? below(4096) : (u64)some[below(ARRAY_LENGTH(some))];
}

static void pick_state(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(in.r); i++)
		in.r[i] = one_in(2) ? below(256) : any() << 32 | any();
	for (i = 0; i < ARRAY_LENGTH(pointers); i++)
		in.r[pointers[i]] = pick_address();
	for (i = 0; i < ARRAY_LENGTH(indices); i++)
		in.r[indices[i]] = pick_distance();
	in.r[RCX] = 1 + below(one_in(4) ? 300 : 40);
}

#define LOAD(at, reg) "mov " #at "(%%rax), %%" #reg ";"
#define STORE(at, reg) "mov %%" #reg ", " #at "(%%rax);"
#define ALL(f)                                                                                      \
	f(8, rcx) f(16, rdx) f(24, rbx) f(40, rbp) f(48, rsi) f(56, rdi) f(64, r8) f(72, r9) f(80, r10)   \
	f(88, r11) f(96, r12) f(104, r13) f(112, r14) f(120, r15)

static __attribute__((noinline)) void call_target(void)
{
	__asm__ volatile("push %%rbp; push %%rbx; push %%r12; push %%r13; push %%r14; push %%r15; mov %%rsp, %[rsp];"
			 "lea %[in], %%rax; fxrstor 128(%%rax);" ALL(LOAD) "mov (%%rax), %%rax; test $1, %%al; call *%[target];"
			 "push %%rax; lea %[out], %%rax;" ALL(STORE) "pop %%rcx; mov %%rcx, (%%rax); pushfq; pop 32(%%rax);"
			 "mov %[rsp], %%rsp; pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbx; pop %%rbp"
			 : [rsp] "=m"(saved_rsp), [out] "=m"(out)
			 : [in] "m"(in), [target] "m"(target)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

static void execute(void)
{
	unsigned vector = TRY(call_target()), i;
	const u64 *saved = vector == NO_TRAP ? out.r : &trap()->frame.r15;
	u32 environment[7];

	/* FXSAVE of some processors has no pointers unless an exception waits. */
	__asm__ volatile("fxsave %0; fnstenv %1; fninit" : "=m"(out.fx), "=m"(environment));
	mix(vector);
	if (vector == NO_TRAP) {
		out.r[RSP] &= ARITHMETIC;
	} else {
		mix(trap()->frame.rflags & ARITHMETIC);
		mix(trap()->frame.rip);
		mix(trap()->frame.error);
		mix(trap()->cr2);
	}
	for (i = 0; i < 15; i++)
		mix(saved[i]);
	for (i = 0; i < 160 + 256; i += 8)
		mix(*(u64 *)(out.fx + i));
	mix((u64)environment[ENV_FIP] << 32 | environment[ENV_FDP]);
}

static void fill(void)
{
	u64 *word = (u64 *)frames, i;

	for (i = 0; i < sizeof(frames) / 8; i++)
		word[i] = one_in(2) ? any() & 0xfff : any() << 33 ^ any();
}

static void do_loop(u64 number)
{
	u64 *word = (u64 *)frames, i, k;

	seed = number * 0x9e3779b97f4a7c15;
	any();
	any();
	hash = 0;
	target = make();
	fill();
	for (i = 0; i < RUNS; i++) {
		pick_state();
		for (k = 0; k < (i % 4 ? 1 : AGAIN); k++)
			execute();
	}
	for (i = 0; i < sizeof(frames) / 8; i++)
		mix(word[i]);
	console__print("loop %d: %lx\n", (int)number, hash);
}

int main(void)
{
	u64 first = guest__option("first", 1), count = guest__option("count", 1000), i;

	__asm__ volatile("fninit; fxsave %0" : "=m"(in.fx));
	for (i = 0; i < PAGES; i++) {
		paging__map(AREA + i * PAGE_SIZE_4K, (u64)frames[i * 5 % PAGES], 1, i == READ_ONLY ? PTE_P : PTE_P | PTE_W);
		invlpg((void *)(AREA + i * PAGE_SIZE_4K));
	}
	for (i = first; i < first + count; i++)
		do_loop(i);
	return 0;
}
