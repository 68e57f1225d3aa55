/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four CPUs on the same bytes: every locked instruction, over cache lines and pages; memory order;
 * pages that come and go; code that others run (SDM vol. 3, 8.1-8.2, 4.10.5); IPIs to groups.
 */
#include "tests/guests/lib/long/irq.h"

#define CPUS 4
#define ROUNDS 1024
#define PAIR_VA 0x20000000000UL

static u32 gate_count;

/* ---- locked instructions ---- */

static u64 bits[ROUNDS / 64 + 1], bit_wins[CPUS], bit_losses[CPUS];
static u8 *where; /* the counter under test, at any alignment */

static void add_locked(u64 cpu)
{
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		u64 one = 1, old, want, zero = 0;

		switch (i & 3) {
		case 0:
			__asm__ volatile("lock xaddq %0, (%1)" : "+r"(one) : "r"(where) : "memory", "cc");
			break;
		case 1:
			__asm__ volatile("lock addq $1, (%0)" : : "r"(where) : "memory", "cc");
			break;
		case 2:
			__asm__ volatile("lock subq $-1, (%0)" : : "r"(where) : "memory", "cc");
			break;
		default:
			__asm__ volatile("lock xaddq %0, (%1)" : "+r"(zero) : "r"(where)
					 : "memory", "cc");
			old = zero;
			do {
				want = old;
				__asm__ volatile("lock cmpxchgq %2, (%1)"
						 : "+a"(old) : "r"(where), "r"(old + 1)
						 : "memory", "cc");
			} while (old != want);
		}
	}
}

static void check_add(u8 *at, const char *name)
{
	u64 total = 0;

	where = at;
	memset(at, 0, 8);
	smp__run_all(add_locked);
	memcpy(&total, at, 8);
	check__equal(total, CPUS * ROUNDS, "locked counting %s", name);
}

/* Each bit is won by one CPU only. */
static void set_bits(u64 cpu)
{
	u64 i;

	for (i = 0; i < ROUNDS; i++) {
		bool was;

		__asm__ volatile("lock btsq %2, %1; setc %0" : "=q"(was), "+m"(bits) : "r"(i) : "cc");
		*(was ? &bit_losses[cpu] : &bit_wins[cpu]) += 1;
	}
}

/* XCHG passes tokens round: none is lost or doubled. */
static u64 slot, tokens[CPUS];

static void pass_tokens(u64 cpu)
{
	u64 mine = 1ULL << 16 * cpu;
	unsigned i;

	for (i = 0; i < ROUNDS; i++)
		__asm__ volatile("xchgq %0, %1" : "+r"(mine), "+m"(slot) : : "memory");
	tokens[cpu] = mine;
}

/* Two halves that must always add up to 0, seen by locked and by plain 16-byte accesses. */
static u64 wide[2] __attribute__((aligned(16)));
static u64 torn[CPUS];

static void move_wide(u64 cpu)
{
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		u64 lo = 0, hi = 0;
		bool done;

		/* A comparison that fails reads all 16 bytes at once. */
		__asm__ volatile("lock cmpxchg16b %1; sete %0"
				 : "=q"(done), "+m"(wide), "+a"(lo), "+d"(hi) : "b"(0UL), "c"(0UL)
				 : "cc");
		torn[cpu] += !done && lo + hi != 0;
		do {
			u64 new_lo = lo + cpu + 1, new_hi = hi - cpu - 1;

			__asm__ volatile("lock cmpxchg16b %1; sete %0"
					 : "=q"(done), "+m"(wide), "+a"(lo), "+d"(hi)
					 : "b"(new_lo), "c"(new_hi) : "cc");
			torn[cpu] += !done && lo + hi != 0;
		} while (!done);
	}
}

static void check_locked(void)
{
	static u8 line[192] __attribute__((aligned(64)));
	u8 *pages[2] = { page__alloc(), NULL };
	u64 sum = 0, losses = 0, i, all_tokens;

	page__alloc(); /* the two are not neighbours */
	pages[1] = page__alloc();
	paging__map(PAIR_VA, (u64)pages[0], 1, PTE_P | PTE_W);
	paging__map(PAIR_VA + PAGE_SIZE_4K, (u64)pages[1], 1, PTE_P | PTE_W);
	check_add(line + 64, "aligned");
	check_add(line + 64 + 13, "misaligned");
	check_add(line + 64 - 3, "over a cache line");
	check_add((u8 *)PAIR_VA + PAGE_SIZE_4K - 5, "over a page");
	smp__run_all(set_bits);
	for (i = 0; i < CPUS; i++) {
		sum += bit_wins[i];
		losses += bit_losses[i];
	}
	check__equal(sum, ROUNDS, "LOCK BTS: each bit won once");
	check__equal(losses, (CPUS - 1) * ROUNDS, "LOCK BTS: and lost by the others");
	smp__run_all(pass_tokens);
	all_tokens = slot;
	for (i = 0; i < CPUS; i++)
		all_tokens += tokens[i];
	check__equal(all_tokens, 0x0001000100010001, "XCHG loses no token");
	smp__run_all(move_wide);
	for (i = sum = 0; i < CPUS; i++)
		sum += torn[i];
	check__equal(sum, 0, "CMPXCHG16B never sees half of another");
	check__equal(wide[0], ROUNDS * (1 + 2 + 3 + 4), "CMPXCHG16B: total");
}

/* ---- memory order ---- */

#define LITMUS 20000

/* A pair of variables for each time, so that the CPUs need to meet but once. */
static volatile u8 first_var[LITMUS] __attribute__((aligned(64))), second_var[LITMUS],
	first_seen[LITMUS], second_seen[LITMUS];
static unsigned flavour;

/* Store buffering: both may read 0 if nothing stands between the store and the load. */
static void store_buffering(u64 cpu)
{
	volatile u8 *mine = cpu ? second_var : first_var, *other = cpu ? first_var : second_var;
	volatile u8 *seen = cpu ? second_seen : first_seen;
	unsigned i;

	if (cpu > 1)
		return;
	__atomic_add_fetch(&gate_count, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&gate_count, __ATOMIC_SEQ_CST) < 2)
		pause();
	for (i = 0; i < LITMUS; i++) {
		u8 one = 1;

		switch (flavour) {
		case 0:
			mine[i] = 1;
			__asm__ volatile("" : : : "memory");
			break;
		case 1:
			mine[i] = 1;
			__asm__ volatile("mfence" : : : "memory");
			break;
		case 2:
			__asm__ volatile("xchgb %0, %1" : "+q"(one), "+m"(mine[i]) : : "memory");
			break;
		default:
			mine[i] = 1;
			__asm__ volatile("lock orl $0, -4(%%rsp)" : : : "memory", "cc");
		}
		seen[i] = other[i];
	}
}

static void check_order(void)
{
	static const char *const names[] = { "nothing", "MFENCE", "XCHG", "a locked OR" };
	unsigned i, both_zero;

	for (flavour = 0; flavour < 4; flavour++) {
		for (i = 0; i < LITMUS; i++)
			first_var[i] = second_var[i] = 0;
		gate_count = 0;
		smp__run_all(store_buffering);
		for (i = both_zero = 0; i < LITMUS; i++)
			both_zero += !first_seen[i] && !second_seen[i];
		if (flavour)
			check__equal(both_zero, 0, "store buffering with %s", names[flavour]);
		else /* allowed, so only told */
			console__print("  store buffering, no fence: %u of %u\n", both_zero, LITMUS);
	}
}

/* ---- pages that go ---- */

#define STORM_VECTOR 0x56
#define STORM_VA 0x20000200000UL
#define STORM_PAGES 8
#define STORMS 40

static volatile u32 acks, storm_over, storm_round, late[MAX_CPUS], faults[MAX_CPUS];
static u32 absent_since[STORM_PAGES]; /* round, 0: there */

static void on_storm(struct trap_frame *f)
{
	flush_tlb();
	__atomic_add_fetch(&acks, 1, __ATOMIC_SEQ_CST);
	apic__eoi();
}

/* Reads behind "901:"; a fault there is counted and skipped. */
static void on_storm_fault(struct trap_frame *f)
{
	faults[cpu__index()]++;
	f->rip = f->r11;
}

static void touch_pages(u64 cpu)
{
	unsigned page = cpu;

	enable_interrupts();
	while (!storm_over) {
		u32 since, now, before = faults[cpu];

		page = (page + 1) % STORM_PAGES;
		now = __atomic_load_n(&storm_round, __ATOMIC_SEQ_CST);
		since = __atomic_load_n(&absent_since[page], __ATOMIC_SEQ_CST);
		__asm__ volatile("lea 1f(%%rip), %%r11; movl (%0), %%eax; 1:"
				 : : "r"(STORM_VA + page * PAGE_SIZE_4K) : "r11", "rax", "memory");
		/* All had acknowledged that it was gone, before and after. */
		if (since && since <= now && faults[cpu] == before &&
		    __atomic_load_n(&absent_since[page], __ATOMIC_SEQ_CST) == since)
			late[cpu]++;
	}
	disable_interrupts();
}

static void check_storm(void)
{
	u8 *frame = page__alloc();
	u32 round, sum = 0, met = 0;
	unsigned i;

	trap__handle(STORM_VECTOR, on_storm);
	trap__handle(X86_PF, on_storm_fault);
	for (i = 0; i < STORM_PAGES; i++)
		paging__map(STORM_VA + i * PAGE_SIZE_4K, (u64)frame, 1, PTE_P | PTE_W);
	for (i = 1; i < CPUS; i++)
		smp__run(i, touch_pages, i);
	for (round = 1; round <= STORMS; round++) {
		unsigned page = round % STORM_PAGES;
		u64 *entry = paging__entry(STORM_VA + page * PAGE_SIZE_4K, 1);
		u64 end = rdtsc() + 20000 * clock__tsc_per_ms();

		__atomic_store_n(entry, 0, __ATOMIC_SEQ_CST);
		acks = 0;
		apic__ipi(0, ICR_OTHERS | ICR_ASSERT | STORM_VECTOR);
		while (acks < CPUS - 1 && rdtsc() < end)
			pause();
		if (acks < CPUS - 1)
			guest__die("shoot-down %u is not acknowledged", round);
		__atomic_store_n(&storm_round, round, __ATOMIC_SEQ_CST);
		__atomic_store_n(&absent_since[page], round, __ATOMIC_SEQ_CST);
		clock__wait_us(200);
		__atomic_store_n(&absent_since[page], 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(entry, (u64)frame | PTE_P | PTE_W, __ATOMIC_SEQ_CST);
	}
	storm_over = 1;
	for (i = 1; i < CPUS; i++) {
		smp__wait(i);
		sum += late[i];
		met += faults[i];
	}
	trap__handle(X86_PF, NULL);
	check__equal(sum, 0, "reads through entries that are gone");
	check__true(met > 0, "CPUs met absent pages");
}

/* ---- code ---- */

#define PATCHES 20

static u8 *code[CPUS];
static u32 wrong_code[CPUS];

static void write_function(u8 *at, u32 value)
{
	at[0] = 0xb8; /* MOV EAX, value; RET */
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

static u32 call(const u8 *at)
{
	u32 result;

	__asm__ volatile("call *%1" : "=a"(result) : "r"(at) : "memory");
	return result;
}

/* Each CPU rewrites its function, all run all four: SDM vol. 3, 8.1.3. */
static void patch_and_run(u64 cpu)
{
	u32 round;
	unsigned i;

	for (round = 1; round <= PATCHES; round++) {
		write_function(code[cpu], round * CPUS + cpu);
		smp__meet();
		cpuid(0, 0);
		for (i = 0; i < CPUS; i++)
			wrong_code[cpu] += call(code[i]) != round * CPUS + i;
		smp__meet();
	}
}

/* The INT3 protocol: others run the bytes all the time, and see old, INT3, or new. */
#define POKE_VECTOR 0x57

static volatile u32 poke_over, poked_wrong[MAX_CPUS], traps[MAX_CPUS], poke_acks;
static u8 *poked;

static void on_poke(struct trap_frame *f)
{
	/* IRET serialises. */
	__atomic_add_fetch(&poke_acks, 1, __ATOMIC_SEQ_CST);
	apic__eoi();
}

static void on_breakpoint(struct trap_frame *f)
{
	traps[cpu__index()]++;
	f->rax = 0;
	f->rip = (u64)poked + 5;
}

static void run_poked(u64 cpu)
{
	enable_interrupts();
	while (!poke_over) {
		u32 got = call(poked);

		if (got && got != 0x11111111 && got != 0x22222222)
			poked_wrong[cpu]++;
	}
	disable_interrupts();
}

static void sync_others(void)
{
	u64 end = rdtsc() + 20000 * clock__tsc_per_ms();

	poke_acks = 0;
	apic__ipi(0, ICR_OTHERS | ICR_ASSERT | POKE_VECTOR);
	while (poke_acks < CPUS - 1)
		if (rdtsc() > end)
			guest__die("no answer while patching");
}

static void check_code(void)
{
	u8 *page = page__alloc();
	u32 sum = 0, i, round;

	/* Two share a page and a cache line, one stands over a page end. */
	code[0] = page + 8;
	code[1] = page + 24;
	code[2] = page__alloc();
	code[3] = (u8 *)PAIR_VA + PAGE_SIZE_4K - 3;
	smp__run_all(patch_and_run);
	for (i = 0; i < CPUS; i++)
		sum += wrong_code[i];
	check__equal(sum, 0, "each CPU's code, run by all after it changed");

	poked = page + 128;
	write_function(poked, 0x11111111);
	trap__handle(POKE_VECTOR, on_poke);
	trap__handle(X86_BP, on_breakpoint);
	for (i = 1; i < CPUS; i++)
		smp__run(i, run_poked, i);
	for (round = 0; round < 20; round++) {
		u32 value = round & 1 ? 0x11111111 : 0x22222222;

		__atomic_store_n(poked, 0xcc, __ATOMIC_SEQ_CST);
		sync_others();
		memcpy(poked + 1, &value, 4);
		sync_others();
		__atomic_store_n(poked, 0xb8, __ATOMIC_SEQ_CST);
		sync_others();
	}
	poke_over = 1;
	for (i = 1, sum = 0; i < CPUS; i++) {
		smp__wait(i);
		sum += poked_wrong[i];
	}
	trap__handle(X86_BP, NULL);
	check__equal(sum, 0, "code patched by way of INT3 while others run it");
}

/* ---- IPIs to groups ---- */

#define GROUP_VECTOR 0x58

static volatile u32 heard[MAX_CPUS];
static volatile u32 listening, deaf;

static void on_group(struct trap_frame *f)
{
	__atomic_add_fetch(&heard[cpu__index()], 1, __ATOMIC_SEQ_CST);
	if (f->vector != X86_NMI)
		apic__eoi();
}

static void listen(u64 cpu)
{
	apic__write(APIC_DFR, 0xffffffff);
	apic__write(APIC_LDR, 1U << (24 + cpu));
	__atomic_add_fetch(&listening, 1, __ATOMIC_SEQ_CST);
	while (!deaf)
		__asm__ volatile("sti; nop; pause; cli" : : : "memory");
}

/* Sends; the CPUs of `mask` must each hear it once, or one of them if only_one. */
static void check_group(const char *name, u32 destination, u32 command, u32 mask, bool only_one)
{
	u32 i, got = 0, count = 0, want = only_one;
	u64 end = rdtsc() + 5000 * clock__tsc_per_ms();

	for (i = 0; i < CPUS; i++) {
		heard[i] = 0;
		want += !only_one && (mask >> i & 1);
	}
	apic__ipi(destination, ICR_ASSERT | command);
	do {
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		for (i = count = 0; i < CPUS; i++)
			count += heard[i];
	} while (count < want && rdtsc() < end);
	clock__wait_us(500);
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	for (i = count = 0; i < CPUS; i++) {
		count += heard[i];
		got |= !!heard[i] << i;
	}
	check__equal(count, want, "%s: CPUs that hear it", name);
	check__true(only_one ? (got & ~mask) == 0 : got == mask, "%s: the right ones (%x)", name, got);
}

static void check_groups(void)
{
	u32 i;

	trap__handle(GROUP_VECTOR, on_group);
	trap__handle(X86_NMI, on_group);
	for (i = 1; i < CPUS; i++)
		smp__run(i, listen, i);
	apic__write(APIC_DFR, 0xffffffff);
	apic__write(APIC_LDR, 1U << 24);
	while (listening < CPUS - 1)
		pause();
	check_group("physical", smp__apic_id(2), GROUP_VECTOR, 4, false);
	check_group("physical broadcast", 0xff, GROUP_VECTOR, 0xf, false);
	check_group("flat logical, one", 8, ICR_LOGICAL | GROUP_VECTOR, 8, false);
	check_group("flat logical, three", 0xb, ICR_LOGICAL | GROUP_VECTOR, 0xb, false);
	check_group("flat logical, none", 0x30, ICR_LOGICAL | GROUP_VECTOR, 0, false);
	check_group("lowest priority of two", 6, ICR_LOGICAL | ICR_LOWEST | GROUP_VECTOR, 6, true);
	check_group("all", 0, ICR_ALL | GROUP_VECTOR, 0xf, false);
	check_group("all others", 0, ICR_OTHERS | GROUP_VECTOR, 0xe, false);
	check_group("self", 0, ICR_SELF | GROUP_VECTOR, 1, false);
	check_group("NMI to two", 0xc, ICR_LOGICAL | ICR_NMI, 0xc, false);
	check_group("NMI to all others", 0, ICR_OTHERS | ICR_NMI, 0xe, false);
	deaf = 1;
	for (i = 1; i < CPUS; i++)
		smp__wait(i);
}

int main(void)
{
	if (!check__equal(smp__start(), CPUS, "CPUs that came up"))
		return 0;
	check_locked();
	check_order();
	check_storm();
	check_code();
	check_groups();
	return 0;
}
