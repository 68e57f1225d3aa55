/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other CPUs: started by INIT and SIPI (MultiProcessor Specification B.4), then served work. */
#include "tests/guests/lib/long/irq.h"

#define TRAMPOLINE 0x8000

extern char ap_trampoline[], ap_trampoline_end[];
void smp__ap_main(unsigned cpu);

struct work {
	void (*fn)(u64);
	u64 arg;
	u32 apic_id;
	bool up;
};

static struct work work[MAX_CPUS];
static unsigned nr_up = 1;

void smp__ap_main(unsigned cpu)
{
	struct work *w = &work[cpu];

	machine__load_tables(cpu);
	apic__enable();
	w->apic_id = apic__id();
	__atomic_store_n(&w->up, true, __ATOMIC_SEQ_CST);
	for (;;) {
		void (*fn)(u64) = __atomic_load_n(&w->fn, __ATOMIC_ACQUIRE);

		if (!fn) {
			pause();
			continue;
		}
		fn(w->arg);
		__atomic_store_n(&w->fn, NULL, __ATOMIC_RELEASE);
	}
}

/* CPUs without a gap that are up. They come in any order. */
static unsigned count_up(void)
{
	unsigned n;

	for (n = 1; n < MAX_CPUS && __atomic_load_n(&work[n].up, __ATOMIC_ACQUIRE); n++)
		;
	return n;
}

unsigned smp__start(void)
{
	unsigned wait;

	memcpy((void *)TRAMPOLINE, ap_trampoline, ap_trampoline_end - ap_trampoline);
	apic__enable();
	work[0].apic_id = apic__id();
	apic__ipi(0, ICR_OTHERS | ICR_INIT | ICR_ASSERT);
	clock__wait_us(10000);
	apic__ipi(0, ICR_OTHERS | ICR_SIPI | ICR_ASSERT | TRAMPOLINE >> 12);
	clock__wait_us(1000);
	apic__ipi(0, ICR_OTHERS | ICR_SIPI | ICR_ASSERT | TRAMPOLINE >> 12);
	/* A busy host may not run one of them for long. */
	for (wait = 0; wait < 5000; wait++) {
		clock__wait_us(1000);
		if (count_up() >= 4)
			break;
	}
	nr_up = count_up();
	return nr_up;
}

void smp__run(unsigned cpu, void (*fn)(u64), u64 arg)
{
	smp__wait(cpu);
	work[cpu].arg = arg;
	__atomic_store_n(&work[cpu].fn, fn, __ATOMIC_RELEASE);
}

void smp__wait(unsigned cpu)
{
	while (__atomic_load_n(&work[cpu].fn, __ATOMIC_ACQUIRE))
		pause();
}

u32 smp__apic_id(unsigned cpu)
{
	return work[cpu].apic_id;
}

void smp__run_all(void (*fn)(u64))
{
	unsigned i;

	for (i = 1; i < nr_up; i++)
		smp__run(i, fn, i);
	fn(0);
	for (i = 1; i < nr_up; i++)
		smp__wait(i);
}

void smp__meet(void)
{
	static u32 arrived;
	u32 mine = __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST), last = mine - mine % nr_up + nr_up;

	while ((s32)(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) - last) < 0)
		pause();
}

/* ---- calls ---- */

static struct call {
	void (*fn)(u64);
	u64 arg;
	u32 done;
} calls[MAX_CPUS];

static void serve_call(struct trap_frame *frame)
{
	struct call *call = &calls[frame->vector - SMP_CALL_VECTOR];

	call->fn(call->arg);
	__atomic_add_fetch(&call->done, 1, __ATOMIC_SEQ_CST);
	apic__eoi();
}

void smp__call_others(void (*fn)(u64), u64 arg)
{
	unsigned cpu = cpu__index();
	struct call *call = &calls[cpu];

	trap__handle(SMP_CALL_VECTOR + cpu, serve_call);
	call->fn = fn;
	call->arg = arg;
	__atomic_store_n(&call->done, 0, __ATOMIC_SEQ_CST);
	apic__ipi(0, ICR_OTHERS | ICR_ASSERT | (SMP_CALL_VECTOR + cpu));
	while (__atomic_load_n(&call->done, __ATOMIC_SEQ_CST) < nr_up - 1)
		pause();
}
