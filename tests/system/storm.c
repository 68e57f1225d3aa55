// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A storm in one process, for a guest's user space (it runs on any Linux): each of four threads gets a
 * timer's signal as near to 10 kHz as the kernel can, while it computes what it has computed before without
 * signals; changes its pages by mprotect, munmap and mmap, and looks that nobody writes them by what was
 * there before, while all threads use all pages; and rewrites a function that all threads call, which they
 * are told of by membarrier(2).
 *
 * usage: storm ROUNDS        The last line counts what went wrong; the status is 1 if anything did.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define THREADS 4
#define PAGES 4 /* of each thread */
#define PAGE 4096u
#define FRAMES (2 * THREADS * PAGES) /* two for each page */
#define PERIOD_NS 100000
#define CODE_BYTES 2048
#define COMPUTATIONS 4

struct thread {
	pthread_t thread;
	unsigned index;
	uint32_t seed;
	timer_t timer;
	unsigned long signals, faults, changes, calls, wrong_results, misplaced, wrong_calls;
	unsigned frame[PAGES]; /* which of the two is mapped */
	/* The function that this thread writes. */
	uint8_t *code_write, *code_run;
	uint32_t value; /* what it returns; 0: it is being written */
	uint32_t calling; /* this thread is in somebody's function */
	uint8_t buffer[2][3 * PAGE];
} __attribute__((aligned(64)));

static struct thread threads[THREADS];
static uint8_t *pages;	/* THREADS * PAGES, as they change */
static uint8_t *frames; /* all frames, always there */
static int frames_fd;
static uint64_t due[COMPUTATIONS];
static unsigned long rounds;
static pthread_barrier_t start;
static __thread struct thread *self;

static uint32_t next_random(struct thread *t)
{
	t->seed = t->seed * 1664525 + 1013904223;
	return t->seed >> 8;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- signals ---- */

/* Uses vector registers, which the kernel has saved. */
static void on_timer(int signal, siginfo_t *info, void *context)
{
	self->signals += 1 + info->si_overrun;
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; paddd %%xmm0, %%xmm1; xorps %%xmm15, %%xmm15;"
			 "fninit; fldpi" : : : "memory");
}

/* To behind the access: use_page() has its address in R11. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t at = (uintptr_t)info->si_addr - (uintptr_t)pages;

	if (at >= THREADS * PAGES * PAGE)
		_exit(3);
	self->faults++;
	uc->uc_mcontext.gregs[REG_RIP] = uc->uc_mcontext.gregs[REG_R11];
}

static void catch_signals(void)
{
	struct sigaction timer = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGRTMIN, &timer, NULL) || sigaction(SIGSEGV, &fault, NULL))
		fail("sigaction");
}

static void start_timer(struct thread *t)
{
	struct itimerspec period = { { 0, PERIOD_NS }, { 0, PERIOD_NS } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };

	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &t->timer) ||
	    timer_settime(t->timer, 0, &period, NULL))
		fail("timer");
}

/* ---- computations: always the same ---- */

static uint64_t mix(uint64_t digest, const void *data, size_t n)
{
	const uint8_t *byte = data;

	while (n--)
		digest = (digest ^ *byte++) * 0x100000001b3;
	return digest;
}

static uint64_t compute_integers(struct thread *t)
{
	uint64_t a = 1, b = 2, c = 3, n;

	for (n = 1; n < 3000; n++) {
		__asm__("add %1, %0; adc %2, %1; rcl $3, %2; sbb %0, %2" : "+r"(a), "+r"(b), "+r"(c) : : "cc");
		a = a % (n | 1) + b * n;
		b ^= c >> (n & 63);
	}
	return a ^ b ^ c;
}

static uint64_t compute_doubles(struct thread *t)
{
	double x[16], sum = 0;
	unsigned n, i;

	for (i = 0; i < 16; i++)
		x[i] = 1.0 + i / 7.0;
	for (n = 0; n < 200; n++)
		for (i = 0; i < 16; i++) {
			x[i] = x[i] * 1.000123 + x[(i + 5) % 16] / (x[(i + 3) % 16] + n);
			sum += x[i];
		}
	return mix(mix(1, x, sizeof(x)), &sum, sizeof(sum));
}

static uint64_t compute_x87(struct thread *t)
{
	long double x = 1, y = 2;
	uint8_t bytes[16] = { 0 };
	unsigned n;

	for (n = 1; n < 500; n++) {
		x = x * 1.01L + y / n;
		y = x / (y + n);
	}
	memcpy(bytes, &x, 10);
	return mix((uint64_t)(y * 1e6L), bytes, 10);
}

static uint64_t compute_strings(struct thread *t)
{
	uint8_t *a = t->buffer[0], *b = t->buffer[1];
	size_t n = sizeof(t->buffer[0]) - 100;
	void *from = a + 3, *to = b + 50;
	unsigned i;

	for (i = 0; i < sizeof(t->buffer[0]); i++) {
		a[i] = i * 7;
		b[i] = i >> 3;
	}
	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	from = a + 3;
	to = b + 50;
	b[9000] ^= 1;
	n = sizeof(t->buffer[0]) - 100;
	__asm__ volatile("repe cmpsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory", "cc");
	return mix(n, b, sizeof(t->buffer[1]));
}

static uint64_t (*const compute[COMPUTATIONS])(struct thread *) = {
	compute_integers, compute_doubles, compute_x87, compute_strings,
};

/* ---- pages ---- */

/* A counter per thread and page: counts if the page may be written. */
static void use_page(struct thread *t)
{
	unsigned n = next_random(t) % (THREADS * PAGES);
	uint32_t *counter = (uint32_t *)(pages + n * PAGE) + t->index;

	__asm__ volatile("lea 1f(%%rip), %%r11; lock incl (%0); 1:" : : "r"(counter)
			 : "r11", "memory", "cc");
}

static uint8_t *frame_of(unsigned page, unsigned which)
{
	return frames + (2 * page + which) * PAGE;
}

static void map_frame(unsigned page, unsigned which, int protection)
{
	if (mmap(pages + page * PAGE, PAGE, protection, MAP_SHARED | MAP_FIXED, frames_fd,
		 (2 * page + which) * PAGE) == MAP_FAILED)
		fail("mmap");
}

/* Nobody can write the frame now, by this address or any. */
static void watch(struct thread *t, const uint8_t *frame)
{
	uint32_t before[THREADS];
	unsigned i;

	memcpy(before, frame, sizeof(before));
	for (i = 0; i < 30; i++)
		use_page(t);
	t->misplaced += !!memcmp(before, frame, sizeof(before));
}

static void change_page(struct thread *t)
{
	unsigned own = next_random(t) % PAGES, page = t->index * PAGES + own;
	uint8_t *at = pages + page * PAGE, *frame = frame_of(page, t->frame[own]);

	t->changes++;
	switch (next_random(t) % 4) {
	case 0:
		if (mprotect(at, PAGE, PROT_READ))
			fail("mprotect");
		watch(t, frame);
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
		break;
	case 1:
		if (mprotect(at, PAGE, PROT_NONE))
			fail("mprotect");
		watch(t, frame);
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
		break;
	case 2:
		munmap(at, PAGE); /* nobody maps anything else meanwhile */
		watch(t, frame);
		map_frame(page, t->frame[own], PROT_READ | PROT_WRITE);
		break;
	default:
		t->frame[own] ^= 1;
		map_frame(page, t->frame[own], PROT_READ | PROT_WRITE);
		watch(t, frame);
	}
}

/* ---- code ---- */

/* Returns `value`, after a number of additions. */
static void write_function(struct thread *t, uint32_t value)
{
	unsigned n = next_random(t) % 100;
	uint32_t start = value;
	uint8_t *p = t->code_write;

	*p++ = 0xb8; /* mov $..., %eax */
	p += 4;
	while (n--) {
		uint32_t by = next_random(t) << 8;

		*p++ = 0x05; /* add $by, %eax */
		memcpy(p, &by, 4);
		p += 4;
		start -= by;
	}
	*p = 0xc3;
	memcpy(t->code_write + 1, &start, 4);
}

static void call_all(struct thread *t)
{
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		struct thread *owner = &threads[i];
		uint32_t value, got;

		__atomic_store_n(&t->calling, 1, __ATOMIC_SEQ_CST);
		value = __atomic_load_n(&owner->value, __ATOMIC_SEQ_CST);
		if (value) {
			got = ((uint32_t (*)(void))owner->code_run)();
			t->wrong_calls += got != value;
			t->calls++;
		}
		__atomic_store_n(&t->calling, 0, __ATOMIC_RELEASE);
	}
}

static void rewrite(struct thread *t, uint32_t value)
{
	unsigned i;

	__atomic_store_n(&t->value, 0, __ATOMIC_SEQ_CST);
	for (i = 0; i < THREADS; i++)
		while (&threads[i] != t && __atomic_load_n(&threads[i].calling, __ATOMIC_SEQ_CST))
			sched_yield();
	write_function(t, value);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0))
		fail("membarrier");
	__atomic_store_n(&t->value, value, __ATOMIC_SEQ_CST);
}

/* ---- the whole ---- */

static void *run(void *arg)
{
	struct thread *t = arg;
	cpu_set_t cpu;
	unsigned long i;

	self = t;
	CPU_ZERO(&cpu);
	CPU_SET(t->index, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu); /* or wherever there is room */
	pthread_barrier_wait(&start);
	start_timer(t);
	for (i = 0; i < rounds; i++) {
		t->wrong_results += compute[i % COMPUTATIONS](t) != due[i % COMPUTATIONS];
		change_page(t);
		rewrite(t, i + 1);
		call_all(t);
	}
	pthread_barrier_wait(&start); /* the others still use what is here */
	timer_delete(t->timer);
	return NULL;
}

static void prepare(void)
{
	int code_fd = memfd_create("code", 0);
	unsigned i;

	frames_fd = memfd_create("frames", 0);
	if (code_fd < 0 || frames_fd < 0 || ftruncate(frames_fd, FRAMES * PAGE) ||
	    ftruncate(code_fd, THREADS * CODE_BYTES))
		fail("memfd");
	frames = mmap(NULL, FRAMES * PAGE, PROT_READ, MAP_SHARED, frames_fd, 0);
	pages = mmap(NULL, THREADS * PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < THREADS * PAGES; i++)
		map_frame(i, 0, PROT_READ | PROT_WRITE);
	for (i = 0; i < THREADS; i++) {
		struct thread *t = &threads[i];

		t->index = i;
		t->seed = i;
		/* Two functions share a page. */
		t->code_write = mmap(NULL, THREADS * CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				     code_fd, 0);
		t->code_run = mmap(NULL, THREADS * CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED,
				   code_fd, 0);
		if (t->code_write == MAP_FAILED || t->code_run == MAP_FAILED)
			fail("mmap");
		t->code_write += i * CODE_BYTES;
		t->code_run += i * CODE_BYTES;
	}
	for (i = 0; i < COMPUTATIONS; i++)
		due[i] = compute[i](&threads[0]);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0))
		fail("membarrier");
}

static unsigned long report(void)
{
	unsigned long signals = 0, faults = 0, changes = 0, calls = 0, wrong;
	unsigned long results = 0, misplaced = 0, wrong_calls = 0;
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		signals += threads[i].signals;
		faults += threads[i].faults;
		changes += threads[i].changes;
		calls += threads[i].calls;
		results += threads[i].wrong_results;
		misplaced += threads[i].misplaced;
		wrong_calls += threads[i].wrong_calls;
	}
	printf("storm: %lu signals, %lu faults, %lu changes of pages, %lu calls\n", signals, faults,
	       changes, calls);
	wrong = results + misplaced + wrong_calls;
	printf("storm: %lu wrong: %lu results, %lu frames, %lu calls\n", wrong, results, misplaced,
	       wrong_calls);
	return wrong;
}

int main(int argc, char **argv)
{
	unsigned i;

	rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	if (!rounds) {
		fprintf(stderr, "usage: storm ROUNDS\n");
		return 2;
	}
	pthread_barrier_init(&start, NULL, THREADS);
	catch_signals();
	prepare();
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i].thread, NULL, run, &threads[i]))
			fail("pthread_create");
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i].thread, NULL);
	return report() ? 1 : 0;
}
