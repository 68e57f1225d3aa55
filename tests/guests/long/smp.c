/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Four CPUs: start-up, atomics, IPIs, TLB shoot-downs, memory order, common time. */
#include "tests/guests/lib/long/irq.h"

#define CPUS 4
#define ROUNDS 3000

static unsigned cpus;

static struct {
	u64 xadd, inc, cmpxchg, bits, unlocked[CPUS];
	u64 wide[2] __attribute__((aligned(16)));
	u8 pad[64];
	u64 crossing[3]; /* used misaligned, over a cache line */
} __attribute__((aligned(64))) counters;

static void hammer(u64 cpu)
{
	u64 *crossing = (u64 *)((u8 *)ALIGN_UP_TO((u64)counters.pad, 64) - 4);
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		u64 one = 1, old, lo, hi;
		bool done;

		__asm__ volatile("lock xadd %0, %1" : "+r"(one), "+m"(counters.xadd));
		__asm__ volatile("lock incq %0" : "+m"(counters.inc));
		do {
			old = *(volatile u64 *)&counters.cmpxchg;
			__asm__ volatile("lock cmpxchg %3, %1; sete %0"
					 : "=q"(done), "+m"(counters.cmpxchg), "+a"(old)
					 : "r"(old + 1));
		} while (!done);
		lo = *(volatile u64 *)&counters.wide[0];
		hi = *(volatile u64 *)&counters.wide[1];
		do {
			u64 new_lo = lo + 1, new_hi = hi - 1;

			__asm__ volatile("lock cmpxchg16b %1; sete %0"
					 : "=q"(done), "+m"(counters.wide), "+a"(lo), "+d"(hi)
					 : "b"(new_lo), "c"(new_hi));
		} while (!done);
		if (!(i & 63))
			__asm__ volatile("lock incq %0" : "+m"(*crossing));
		counters.unlocked[cpu]++;
	}
}

static void check_atomics(void)
{
	u64 want = (u64)cpus * ROUNDS, crossing;

	smp__run_all(hammer);
	check__equal(counters.xadd, want, "LOCK XADD");
	check__equal(counters.inc, want, "LOCK INC");
	check__equal(counters.cmpxchg, want, "LOCK CMPXCHG");
	check__equal(counters.wide[0], want, "LOCK CMPXCHG16B, low half");
	check__equal(counters.wide[1], -want, "LOCK CMPXCHG16B, high half");
	memcpy(&crossing, (u8 *)ALIGN_UP_TO((u64)counters.pad, 64) - 4, 8);
	check__equal(crossing, cpus * (u64)((ROUNDS + 63) / 64), "LOCK INC over a cache line");
}

static u32 spin_word;
static u64 guarded[2];

static void spin(u64 cpu)
{
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		u32 taken = 1;

		for (;;) {
			taken = 1;
			__asm__ volatile("xchg %0, %1" : "+r"(taken), "+m"(spin_word) : : "memory");
			if (!taken)
				break;
			pause();
		}
		guarded[0]++;
		guarded[1] += 3;
		__atomic_store_n(&spin_word, 0, __ATOMIC_RELEASE);
	}
}

static void check_lock(void)
{
	smp__run_all(spin);
	check__equal(guarded[0], (u64)cpus * ROUNDS, "XCHG lock: first");
	check__equal(guarded[1], 3 * (u64)cpus * ROUNDS, "XCHG lock: second");
}

/* ---- IPIs ---- */

#define PING_VECTOR 0x55
#define PINGS 300

static volatile u32 pings[MAX_CPUS];

static void on_ping(struct trap_frame *f)
{
	__atomic_add_fetch(&pings[cpu__index()], 1, __ATOMIC_SEQ_CST);
	apic__eoi();
}

/* Halts until its count reaches PINGS, answering each with a ping to CPU 0. */
static void answer_pings(u64 cpu)
{
	u32 answered = 0;

	while (answered < PINGS) {
		disable_interrupts();
		if (__atomic_load_n(&pings[cpu], __ATOMIC_SEQ_CST) == answered) {
			__asm__ volatile("sti; hlt" : : : "memory");
			continue;
		}
		enable_interrupts();
		answered++;
		apic__ipi(smp__apic_id(0), ICR_ASSERT | PING_VECTOR);
	}
	disable_interrupts();
}

static void check_ping_pong(void)
{
	u64 end;
	u32 i;

	trap__handle(PING_VECTOR, on_ping);
	smp__run(1, answer_pings, 1);
	enable_interrupts();
	end = rdtsc() + 20000 * clock__tsc_per_ms();
	for (i = 0; i < PINGS; i++) {
		apic__ipi(smp__apic_id(1), ICR_ASSERT | PING_VECTOR);
		while (pings[0] == i && rdtsc() < end)
			pause();
		if (pings[0] == i)
			break;
	}
	disable_interrupts();
	if (check__equal(i, PINGS, "IPI ping-pong between halting CPUs"))
		smp__wait(1);
	else
		guest__die("a CPU does not answer");
}

/* ---- TLB shoot-down ---- */

#define SHOOT_VECTOR 0x56
#define SHOOT_VA 0x10000000000UL
#define SHOTS 60

static volatile u32 shot_round, shot_acks, shot_stop, stale[MAX_CPUS];
static volatile u64 reads[MAX_CPUS];

static void on_shoot(struct trap_frame *f)
{
	invlpg((void *)SHOOT_VA);
	__atomic_add_fetch(&shot_acks, 1, __ATOMIC_SEQ_CST);
	apic__eoi();
}

/* What is read must never be older than the round that all have acknowledged. */
static void read_mapping(u64 cpu)
{
	enable_interrupts();
	while (!shot_stop) {
		u32 known = __atomic_load_n(&shot_round, __ATOMIC_SEQ_CST);
		u64 value = *(volatile u64 *)SHOOT_VA;

		if (value < known)
			stale[cpu]++;
		reads[cpu]++;
	}
	disable_interrupts();
}

static void check_shoot_down(void)
{
	u64 *pages[2] = { page__alloc(), page__alloc() };
	unsigned i, cpu, wrong = 0;

	trap__handle(SHOOT_VECTOR, on_shoot);
	paging__map(SHOOT_VA, (u64)pages[0], 1, PTE_P | PTE_W);
	for (cpu = 1; cpu < cpus; cpu++)
		smp__run(cpu, read_mapping, cpu);
	for (i = 1; i <= SHOTS; i++) {
		u64 end = rdtsc() + 5000 * clock__tsc_per_ms();

		*(volatile u64 *)pages[i & 1] = i;
		shot_acks = 0;
		__atomic_store_n(paging__entry(SHOOT_VA, 1), (u64)pages[i & 1] | PTE_P | PTE_W,
				 __ATOMIC_SEQ_CST);
		invlpg((void *)SHOOT_VA);
		apic__ipi(0, ICR_OTHERS | ICR_ASSERT | SHOOT_VECTOR);
		while (shot_acks < cpus - 1 && rdtsc() < end)
			pause();
		if (shot_acks < cpus - 1)
			guest__die("shoot-down %u: %u of %u CPUs acknowledged", i, shot_acks, cpus - 1);
		__atomic_store_n(&shot_round, i, __ATOMIC_SEQ_CST);
		/* The old page is wrong from now on: make it say so. */
		*(volatile u64 *)pages[(i & 1) ^ 1] = 0;
	}
	shot_stop = 1;
	for (cpu = 1; cpu < cpus; cpu++) {
		smp__wait(cpu);
		wrong += stale[cpu];
		check__true(reads[cpu] > 0, "CPU %u has read during shoot-downs", cpu);
	}
	check__equal(wrong, 0, "stale reads after acknowledged shoot-downs");
}

/* ---- memory order ---- */

#define LITMUS_ROUNDS 100

static struct {
	volatile u32 x __attribute__((aligned(64))), y __attribute__((aligned(64)));
	volatile u32 seen[2] __attribute__((aligned(64)));
	volatile u32 gate[2] __attribute__((aligned(64)));
} litmus;

static void meet(unsigned who, u32 round)
{
	__atomic_store_n(&litmus.gate[who], round, __ATOMIC_SEQ_CST);
	while ((s32)(__atomic_load_n(&litmus.gate[!who], __ATOMIC_SEQ_CST) - round) < 0)
		pause();
}

static u32 both_zero, reordered;

static void store_buffering(u64 who)
{
	volatile u32 *mine = who ? &litmus.y : &litmus.x, *other = who ? &litmus.x : &litmus.y;
	u32 round;

	for (round = 1; round <= LITMUS_ROUNDS; round++) {
		*mine = 0;
		meet(who, 3 * round);
		*mine = 1;
		__asm__ volatile("mfence" : : : "memory");
		litmus.seen[who] = *other;
		meet(who, 3 * round + 1);
		if (!who && !litmus.seen[0] && !litmus.seen[1])
			both_zero++;
		meet(who, 3 * round + 2);
	}
}

/* Stores become visible in order; loads are done in order. */
static void message_passing(u64 who)
{
	u32 i;

	for (i = 1; i <= 500 * LITMUS_ROUNDS; i++) {
		if (who) {
			litmus.x = i;
			__asm__ volatile("" : : : "memory");
			litmus.y = i;
		} else {
			u32 flag = litmus.y, data;

			__asm__ volatile("" : : : "memory");
			data = litmus.x;
			if (data < flag)
				reordered++;
		}
	}
}

static void check_memory_order(void)
{
	smp__run(1, store_buffering, 1);
	store_buffering(0);
	smp__wait(1);
	check__equal(both_zero, 0, "store buffering with MFENCE");
	litmus.x = litmus.y = 0;
	smp__run(1, message_passing, 1);
	message_passing(0);
	smp__wait(1);
	check__equal(reordered, 0, "message passing");
}

/* ---- time ---- */

static u64 tsc_last __attribute__((aligned(64)));
static u32 tsc_lock, backwards;

static void read_tsc(u64 cpu)
{
	unsigned i;

	for (i = 0; i < 1000; i++) {
		u64 now;

		while (__atomic_exchange_n(&tsc_lock, 1, __ATOMIC_ACQUIRE))
			pause();
		__asm__ volatile("lfence" : : : "memory");
		now = rdtsc();
		if (now < tsc_last)
			backwards++;
		tsc_last = now;
		__atomic_store_n(&tsc_lock, 0, __ATOMIC_RELEASE);
	}
}

static void check_time(void)
{
	smp__run_all(read_tsc);
	check__equal(backwards, 0, "TSC never goes back from CPU to CPU");
}

static void check_ids(void)
{
	unsigned i, j;

	for (i = 0; i < cpus; i++)
		for (j = 0; j < i; j++)
			check__true(smp__apic_id(i) != smp__apic_id(j),
				    "CPU %u and %u have different APIC IDs", i, j);
}

/* INIT to a CPU that runs, then a new start. */
static volatile u32 endless;

static void run_endless(u64 arg)
{
	for (;;)
		__atomic_add_fetch(&endless, 1, __ATOMIC_SEQ_CST);
}

static void check_init(void)
{
	u32 before;

	smp__run(cpus - 1, run_endless, 0);
	while (!endless)
		pause();
	apic__ipi(smp__apic_id(cpus - 1), ICR_INIT | ICR_ASSERT | ICR_LEVEL);
	clock__wait_us(20000);
	before = endless;
	clock__wait_us(20000);
	check__equal(endless, before, "INIT stops a CPU");
}

int main(void)
{
	cpus = smp__start();
	if (!check__equal(cpus, CPUS, "CPUs that came up"))
		return 0;
	check_ids();
	check_atomics();
	check_lock();
	check_ping_pong();
	check_shoot_down();
	check_memory_order();
	check_time();
	check_init();
	return 0;
}
