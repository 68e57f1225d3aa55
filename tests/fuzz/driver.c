/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target without libFuzzer, on pseudo-random inputs and mutated seeds, so that the
 * ordinary build and `make check` keep every target alive.
 *
 *	fuzz-TARGET [--ms TIME] [--runs N] [--seed S] [--first N] [FILE...]
 *
 * The same seed makes the same inputs; a finding names its input, and --first N --runs 1 repeats
 * it. With files, these are run instead.
 */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT 2048
#define HANG_SECONDS 20

static u64 random_state;
static u64 seed = 1;
static u64 current;

static u64 next_random(void)
{
	/* splitmix64 */
	u64 z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static u8 random_byte(void)
{
	static const u8 edges[] = { 0x00, 0xff, 0x01, 0x7f, 0x80, 0x66, 0x0f, 0xf0 };
	u64 r = next_random();

	return r & 0x700 ? r : edges[r & 7];
}

static size_t random_input(u8 *buf)
{
	size_t size = 1 + next_random() % (next_random() & 1 ? 64 : MAX_INPUT), i;

	for (i = 0; i < size; i++)
		buf[i] = random_byte();
	return size;
}

static unsigned count_seeds(u8 *buf)
{
	unsigned n = 0;

	while (fuzz__seed(n, buf, MAX_INPUT))
		n++;
	return n;
}

static size_t mutated_seed(u8 *buf, unsigned seeds)
{
	size_t size = fuzz__seed(next_random() % seeds, buf, MAX_INPUT);
	unsigned changes = next_random() % 16;

	while (changes--) {
		size_t at = next_random() % size;

		switch (next_random() % 4) {
		case 0:
			buf[at] ^= 1 << next_random() % 8;
			break;
		case 1: /* append */
			if (size < MAX_INPUT)
				buf[size++] = random_byte();
			break;
		case 2: /* cut */
			if (next_random() % 8 == 0)
				size = at + 1;
			break;
		default:
			buf[at] = random_byte();
		}
	}
	return size;
}

static void run_number(u64 n, unsigned seeds)
{
	static u8 buf[MAX_INPUT];
	u8 *exact;
	size_t size;

	current = n;
	random_state = seed << 32 ^ n * 0x9e3779b97f4a7c15ULL;
	size = seeds && next_random() % 4 ? mutated_seed(buf, seeds) : random_input(buf);
	/* Of its own size, so that tools notice a read beyond it. */
	exact = malloc(size);
	if (!exact)
		abort();
	memcpy(exact, buf, size);
	alarm(HANG_SECONDS);
	LLVMFuzzerTestOneInput(exact, size);
	alarm(0);
	free(exact);
}

static void on_fatal(int signal)
{
	char text[160];
	int n = snprintf(text, sizeof(text),
			 "%s: signal %d in input %llu; again with --seed %llu --first %llu "
			 "--runs 1\n", signal == SIGALRM ? "hang" : "finding", signal,
			 (unsigned long long)current, (unsigned long long)seed,
			 (unsigned long long)current);

	if (write(2, text, n) != n)
		_exit(1);
	_exit(1);
}

static void watch_signals(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGALRM };
	struct sigaction action = { .sa_handler = on_fatal };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(signals); i++)
		sigaction(signals[i], &action, NULL);
}

static int run_file(const char *path)
{
	static u8 buf[1 << 20];
	FILE *file = fopen(path, "r");
	size_t size;

	if (!file) {
		perror(path);
		return 1;
	}
	size = fread(buf, 1, sizeof(buf), file);
	fclose(file);
	LLVMFuzzerTestOneInput(buf, size);
	return 0;
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	u64 ms = 1000, runs = ~0ULL, first = 0, n, end;
	static u8 scratch[MAX_INPUT];
	unsigned seeds;
	int i;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		u64 value = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--ms"))
			ms = value;
		else if (!strcmp(argv[i], "--runs"))
			runs = value;
		else if (!strcmp(argv[i], "--seed"))
			seed = value;
		else if (!strcmp(argv[i], "--first"))
			first = value;
		else
			return 2;
	}
	if (i < argc) {
		int failed = 0;

		for (; i < argc; i++)
			failed |= run_file(argv[i]);
		return failed;
	}
	watch_signals();
	seeds = count_seeds(scratch);
	end = now_ms() + ms;
	for (n = 0; n < runs && now_ms() < end; n++)
		run_number(first + n, seeds);
	printf("%llu inputs\n", (unsigned long long)n);
	return 0;
}
