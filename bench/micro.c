/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Micro benchmarks: what single operations cost, by CLOCK_MONOTONIC, each checked for its result.
 *
 * usage: micro [--budget SECONDS] [--list] [ROW...]
 *
 * Each row first prints "ROW: start", then either "ROW: N UNIT SECONDS" or "ROW: bad REASON". N is
 * found by calibration, so that a row takes about the budget. The program is static and opens no
 * file, so it runs anywhere.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "bench/interpreter.h"

#define PAGE 4096UL
/* What fib(20) takes. */
#define FIB_CALLS 21891

struct row {
	const char *name;
	const char *unit;
	/* n is a multiple of this. */
	uint64_t step;
	/* Does the operation n times. Returns NULL, or what went wrong. */
	const char *(*run)(uint64_t n);
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void *map_pages(size_t size, int protection)
{
	void *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* The compiler must take memory as read and changed here. */
static inline void touch_memory(void *at)
{
	asm volatile("" : : "r"(at) : "memory");
}

/* System calls and processes. */

static const char *run_syscall(uint64_t n)
{
	long parent = getppid();

	while (n--)
		if (syscall(SYS_getppid) != parent)
			return "getppid changed its mind";
	return NULL;
}

static void echo_bytes(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1) {
		byte++;
		if (write(out, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

static const char *run_pipe(uint64_t n)
{
	const char *why = NULL;
	int there[2], back[2], status;
	pid_t child;
	char byte;

	if (pipe(there) || pipe(back))
		return "no pipe";
	child = fork();
	if (child < 0)
		return "no fork";
	if (!child) {
		close(there[1]);
		close(back[0]);
		echo_bytes(there[0], back[1]);
	}
	close(there[0]);
	close(back[1]);
	for (; n && !why; n--) {
		byte = n;
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			why = "the other process went away";
		else if (byte != (char)(n + 1))
			why = "wrong byte";
	}
	close(there[1]);
	close(back[0]);
	waitpid(child, &status, 0);
	return why;
}

static const char *reap_child(pid_t child, int expected)
{
	int status;

	if (child < 0)
		return "no fork";
	if (waitpid(child, &status, 0) != child)
		return "no child to wait for";
	return WIFEXITED(status) && WEXITSTATUS(status) == expected ? NULL : "wrong exit status";
}

static const char *run_fork(uint64_t n)
{
	const char *why = NULL;

	for (; n && !why; n--) {
		pid_t child = fork();

		if (!child)
			_exit(n & 0x7f);
		why = reap_child(child, n & 0x7f);
	}
	return why;
}

/* A program as small as one can be: exit(7). */
struct tiny {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	unsigned char code[12];
};

static int make_tiny_program(void)
{
	const struct tiny image = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			    .e_type = ET_EXEC,
			    .e_machine = EM_X86_64,
			    .e_version = EV_CURRENT,
			    .e_entry = 0x400000 + offsetof(struct tiny, code),
			    .e_phoff = offsetof(struct tiny, segment),
			    .e_ehsize = sizeof(Elf64_Ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD,
			     .p_flags = PF_R | PF_X,
			     .p_vaddr = 0x400000,
			     .p_filesz = sizeof(image),
			     .p_memsz = sizeof(image),
			     .p_align = PAGE },
		/* mov $7,%edi; mov $SYS_exit,%eax; syscall */
		.code = { 0xbf, 7, 0, 0, 0, 0xb8, SYS_exit, 0, 0, 0, 0x0f, 0x05 },
	};
	int fd = memfd_create("tiny", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, &image, sizeof(image)) != sizeof(image)) {
		close(fd);
		return -1;
	}
	return fd;
}

static const char *run_exec(uint64_t n)
{
	char *arguments[] = { "tiny", NULL };
	const char *why = NULL;
	int fd = make_tiny_program();

	if (fd < 0)
		return "no memory file";
	for (; n && !why; n--) {
		pid_t child = fork();

		if (!child) {
			syscall(SYS_execveat, fd, "", arguments, arguments + 1, AT_EMPTY_PATH);
			_exit(1);
		}
		why = reap_child(child, 7);
	}
	close(fd);
	return why;
}

/* Memory management. */

static const char *run_touch(uint64_t n)
{
	enum { PAGES = 4096 };

	while (n) {
		size_t now = n < PAGES ? n : PAGES, i;
		unsigned char *at = map_pages(PAGES * PAGE, PROT_READ | PROT_WRITE);

		if (!at)
			return "no memory";
		for (i = 0; i < now; i++) {
			if (at[i * PAGE + 8])
				return "a fresh page is not zero";
			at[i * PAGE] = 1;
		}
		munmap(at, PAGES * PAGE);
		n -= now;
	}
	return NULL;
}

static const char *run_mmap(uint64_t n)
{
	while (n--) {
		unsigned char *at = map_pages(16 * PAGE, PROT_READ | PROT_WRITE);

		if (!at)
			return "no memory";
		at[PAGE] = 1;
		munmap(at, 16 * PAGE);
	}
	return NULL;
}

static const char *run_mprotect(uint64_t n)
{
	volatile uint64_t *at = map_pages(PAGE, PROT_READ | PROT_WRITE);
	const char *why = NULL;

	if (!at)
		return "no memory";
	for (; n && !why; n--) {
		*at = n;
		if (mprotect((void *)at, PAGE, PROT_READ))
			why = "mprotect failed";
		else if (*at != n)
			why = "wrong value read";
		else if (mprotect((void *)at, PAGE, PROT_READ | PROT_WRITE))
			why = "mprotect failed";
	}
	munmap((void *)at, PAGE);
	return why;
}

/* Signals. */

static volatile uint64_t delivered;

static void count_signal(int signal)
{
	delivered++;
}

static void skip_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;

	/* movb (%rdi),%al has two bytes. */
	machine->uc_mcontext.gregs[REG_RIP] += 2;
	delivered++;
}

static const char *run_signal(uint64_t n)
{
	struct sigaction action = { .sa_handler = count_signal };
	pid_t self = getpid();
	uint64_t i;

	delivered = 0;
	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < n; i++)
		kill(self, SIGUSR1);
	return delivered == n ? NULL : "signals are missing";
}

static const char *run_fault(uint64_t n)
{
	struct sigaction action = { .sa_sigaction = skip_fault, .sa_flags = SA_SIGINFO };
	struct sigaction before;
	void *at = map_pages(PAGE, PROT_NONE);
	uint64_t i;

	if (!at)
		return "no memory";
	delivered = 0;
	sigaction(SIGSEGV, &action, &before);
	for (i = 0; i < n; i++)
		asm volatile(".byte 0x8a, 0x07" : : "D"(at) : "rax", "memory");
	sigaction(SIGSEGV, &before, NULL);
	munmap(at, PAGE);
	return delivered == n ? NULL : "faults are missing";
}

/* Code. */

static const char *run_interpreter(uint64_t n, uint32_t (*run)(uint32_t turns))
{
	uint32_t turns = n / INTERPRETER_TURN;

	return run(turns) == interpreter__expected(turns) ? NULL : "wrong result";
}

static const char *run_switch(uint64_t n)
{
	return run_interpreter(n, interpreter__switch);
}

static const char *run_goto(uint64_t n)
{
	return run_interpreter(n, interpreter__goto);
}

static const char *run_calls(uint64_t n)
{
	for (; n; n -= FIB_CALLS)
		if (interpreter__fib(20) != 6765)
			return "wrong result";
	return NULL;
}

/* movl $value,%eax; ret at one place after the other, each called at once. */
static const char *write_and_call(uint64_t n, size_t places)
{
	enum { PLACE = 64 };
	unsigned char *area = map_pages(places * PLACE, PROT_READ | PROT_WRITE | PROT_EXEC);
	const char *why = NULL;

	if (!area)
		return "no memory that is writable and executable";
	for (; n && !why; n--) {
		unsigned char *code = area + n % places * PLACE;
		uint32_t value = n;

		code[0] = 0xb8;
		memcpy(code + 1, &value, sizeof(value));
		code[5] = 0xc3;
		touch_memory(code);
		if (((uint32_t(*)(void))code)() != value)
			why = "an old version was executed";
	}
	munmap(area, places * PLACE);
	return why;
}

static const char *run_jit(uint64_t n)
{
	return write_and_call(n, 1024);
}

static const char *run_jit_same(uint64_t n)
{
	return write_and_call(n, 1);
}

/* Copies. */

static void copy_movsb(void *to, const void *from, size_t size)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void copy_libc(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	touch_memory(to);
}

/* n KiB, in pieces of `size` bytes. */
static const char *run_copy(uint64_t n, size_t size, void (*copy)(void *, const void *, size_t))
{
	unsigned char *from = map_pages(size, PROT_READ | PROT_WRITE);
	unsigned char *to = map_pages(size, PROT_READ | PROT_WRITE);
	const char *why = NULL;
	uint64_t done;
	size_t i;

	if (!from || !to)
		return "no memory";
	for (i = 0; i < size; i++)
		from[i] = i * 7 + i / 256;
	for (done = 0; done < n; done += size / 1024)
		copy(to, from, size);
	if (memcmp(to, from, size))
		why = "the copy is different";
	munmap(from, size);
	munmap(to, size);
	return why;
}

static const char *run_movsb(uint64_t n)
{
	return run_copy(n, 64 << 10, copy_movsb);
}

static const char *run_memcpy_4k(uint64_t n)
{
	return run_copy(n, 4 << 10, copy_libc);
}

static const char *run_memcpy_64k(uint64_t n)
{
	return run_copy(n, 64 << 10, copy_libc);
}

static const char *run_memcpy_1m(uint64_t n)
{
	return run_copy(n, 1 << 20, copy_libc);
}

static const struct row rows[] = {
	{ "syscall", "calls", 1, run_syscall },
	{ "pipe", "round-trips", 1, run_pipe },
	{ "fork", "processes", 1, run_fork },
	{ "exec", "processes", 1, run_exec },
	{ "touch", "pages", 1, run_touch },
	{ "mmap", "pairs", 1, run_mmap },
	{ "mprotect", "pairs", 1, run_mprotect },
	{ "signal", "signals", 1, run_signal },
	{ "fault", "faults", 1, run_fault },
	{ "switch", "bytecodes", INTERPRETER_TURN, run_switch },
	{ "goto", "bytecodes", INTERPRETER_TURN, run_goto },
	{ "calls", "calls", FIB_CALLS, run_calls },
	{ "jit", "functions", 1, run_jit },
	{ "jit-same", "functions", 1, run_jit_same },
	{ "movsb", "KiB", 64, run_movsb },
	{ "memcpy-4k", "KiB", 4, run_memcpy_4k },
	{ "memcpy-64k", "KiB", 64, run_memcpy_64k },
	{ "memcpy-1m", "KiB", 1024, run_memcpy_1m },
};

/* Looks for the number of turns that takes about the budget, and reports that. */
static int measure_row(const struct row *row, double budget)
{
	uint64_t n = row->step;

	printf("%s: start\n", row->name);
	fflush(stdout);
	for (;;) {
		double start = seconds_now(), took;
		const char *why = row->run(n);

		took = seconds_now() - start;
		if (why) {
			printf("%s: bad %s\n", row->name, why);
			fflush(stdout);
			return -EIO;
		}
		if (took >= budget / 2 || n >= 1ULL << 36) {
			printf("%s: %llu %s %.9f\n", row->name, (unsigned long long)n, row->unit,
			       took);
			fflush(stdout);
			return 0;
		}
		if (took < budget / 16)
			n *= 8;
		else
			n = n * budget / took + 1;
		n = (n + row->step - 1) / row->step * row->step;
	}
}

static const struct row *find_row(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

int main(int argc, char **argv)
{
	double budget = 0.3;
	int at = 1, failed = 0;
	size_t i;

	if (at + 1 < argc && !strcmp(argv[at], "--budget")) {
		budget = atof(argv[at + 1]);
		at += 2;
	}
	if (budget <= 0 || (at < argc && argv[at][0] == '-' && strcmp(argv[at], "--list"))) {
		fprintf(stderr, "usage: micro [--budget SECONDS] [--list] [ROW...]\n");
		return 2;
	}
	/* Huge pages come and go with the host's settings, and are not what the rows are about. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	for (i = 0; at == argc && i < sizeof(rows) / sizeof(rows[0]); i++)
		failed |= measure_row(&rows[i], budget);
	if (at < argc && !strcmp(argv[at], "--list")) {
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			printf("%s %s\n", rows[i].name, rows[i].unit);
		return 0;
	}
	for (; at < argc; at++) {
		if (!find_row(argv[at])) {
			fprintf(stderr, "micro: no row \"%s\"; --list shows them\n", argv[at]);
			return 2;
		}
		failed |= measure_row(find_row(argv[at]), budget);
	}
	return failed ? 1 : 0;
}
