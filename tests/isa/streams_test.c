/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of random instructions of user mode, executed by the processor that runs the test and by
 * Trivet's translator, and all that comes out compared. See README.md here.
 *
 * They are executed in child processes, some hundreds in each: what a wrong one breaks ends with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/x86/exception.h"
#include "tests/isa/compare.h"
#include "tests/isa/components.h"
#include "tests/isa/exclude.h"
#include "tests/isa/guest.h"
#include "tests/isa/native.h"
#include "tests/isa/random.h"
#include "tests/isa/stream.h"

#define SKIPPED 77 /* meson's */
#define BATCH 512  /* streams in one process */

static struct {
	u64 seed;
	u64 count;
	u64 seconds;
	u64 show;
} options = { .seed = 1, .count = 12000, .show = 10 };

/* Shared with the children. */
static struct {
	u64 at; /* the stream that is being executed */
	u64 compared, insns, to_end, faults[32], skipped, disagreed;
	char skip[100];
} *tally;

enum verdict { SAME, DIFFERENT, NOT_COMPARED };

static struct stream stream;
static struct comparison c;
static const struct opcode_row any_row = { .name = "stream" };

static void set_up_native(void)
{
	memcpy(native_data, stream.data, DATA_BYTES);
	memcpy(native_code, stream.code, CODE_BYTES);
}

static enum guest_result run_here(struct isa_state *here)
{
	memcpy(guest_data, stream.data, DATA_BYTES);
	guest__write_code(0, stream.code, CODE_BYTES);
	*here = stream.before;
	return guest__run(here);
}

/*
 * Where the processor would find memory of this process, and the guest nothing. At the end of user
 * space operating systems keep a page for reasons of their own.
 */
static bool meets_the_process(const struct isa_state *here)
{
	if (here->vector == X86_PF && here->cr2 >> 12 == 0x7ffffffff)
		return true;
	return (here->vector == X86_PF && native__is_mapped(here->cr2)) ||
	       (here->rip - CODE_LINEAR > CODE_BYTES && native__is_mapped(here->rip));
}

/* It has made other instructions than those that were chosen for it; some would enter the host. */
static bool has_other_code(void)
{
	unsigned i;

	for (i = 0; i < CODE_BYTES; i++)
		if (guest_code[i] != stream.code[i] && !stream.may_change[i])
			return true;
	return false;
}

static void mark_starts(bool *starts)
{
	struct insn insn;
	u32 at;

	memset(starts, false, CODE_BYTES);
	for (at = stream.at[0]; at < stream.at[stream.count]; at += insn.len) {
		starts[at] = true;
		if (decode__insn(stream.code + at, INSN_MAX_LENGTH, stream.code_size, &insn) != DECODE_OK)
			return;
	}
}

/*
 * It has written its return address and gone on in the middle of an instruction: there may be one that
 * is left out, or one whose undefined flags nothing defines. Asked if outcomes differ.
 */
static bool goes_astray(void)
{
	static bool starts[CODE_BYTES];
	static struct isa_state now;
	unsigned steps;

	mark_starts(starts);
	memcpy(guest_data, stream.data, DATA_BYTES);
	guest__write_code(0, stream.code, CODE_BYTES);
	now = stream.before;
	for (steps = 0; steps < 100000; steps++) {
		u64 at = now.rip - CODE_LINEAR;

		if (at < stream.at[0] || at >= stream.at[stream.count])
			return false;
		if (!starts[at])
			return true;
		if (guest__step(&now) != GUEST_DONE || now.vector != NO_VECTOR)
			return false;
	}
	return false;
}

/* The instruction that has raised a fault, if what it raises differs between processors. */
static void find_fault(const struct isa_state *after, struct instance *in)
{
	u64 at = after->rip - CODE_LINEAR;
	struct varying varying;

	in->row = &any_row;
	in->code_size = stream.code_size;
	in->before.rip = after->rip;
	if (after->vector == NO_VECTOR || at > CODE_BYTES - INSN_MAX_LENGTH ||
	    decode__insn(stream.code + at, INSN_MAX_LENGTH, stream.code_size, &in->insn) != DECODE_OK)
		return;
	in->row = in->insn.row;
	varying = exclude__varying(in);
	if (!varying.order && !varying.faults && !varying.cr2)
		in->row = &any_row;
}

static bool agree(const struct isa_state *native, const struct isa_state *here)
{
	static struct instance in;

	c.text[0] = 0;
	c.length = 0;
	find_fault(native, &in);
	if (compare__is_of_no_use(&in, native, here))
		return true;
	find_fault(here, &in);
	if (compare__is_of_no_use(&in, native, here))
		return true;
	in.before.rip = ~0ULL;
	memcpy(in.data, stream.data, DATA_BYTES);
	compare__outcomes(&in, native, here, &c);
	compare__data(&in, native_data, guest_data, &c);
	if (!c.text[0] && memcmp(native_code, guest_code, CODE_BYTES))
		snprintf(c.text, sizeof(c.text), "    the code they left differs\n");
	return !c.text[0];
}

static enum verdict compare_stream(struct isa_state *here)
{
	static struct isa_state native;
	unsigned i;

	enum guest_result result = run_here(here);

	if (has_other_code())
		return NOT_COMPARED;
	if (result != GUEST_DONE) {
		/* A counter was hit, or it got stuck in a repetition. */
		if (!strcmp(guest__why(), "event"))
			return NOT_COMPARED;
		snprintf(c.text, sizeof(c.text), "    here it got stuck: %s\n", guest__why());
		return DIFFERENT;
	}
	if (meets_the_process(here))
		return NOT_COMPARED;
	for (i = 0; i < NATIVE_ATTEMPTS; i++) {
		enum native_result ended;

		native__wait(i);
		do {
			set_up_native();
			native = stream.before;
			ended = native__run(&native);
		} while (ended == NATIVE_AGAIN);
		if (ended == NATIVE_HUNG) {
			snprintf(c.text, sizeof(c.text), "    the processor does not end\n");
			return DIFFERENT;
		}
		if (agree(&native, here))
			return SAME;
	}
	return goes_astray() ? NOT_COMPARED : DIFFERENT;
}

/* Makes NOPs of all instructions that are not needed to disagree. */
static void reduce(void)
{
	static u8 saved[CODE_BYTES];
	static struct isa_state here;
	unsigned i;

	for (i = stream.count; i-- > 0;) {
		memcpy(saved, stream.code, CODE_BYTES);
		memset(stream.code + stream.at[i], 0x90, stream.at[i + 1] - stream.at[i]);
		if (compare_stream(&here) != DIFFERENT)
			memcpy(stream.code, saved, CODE_BYTES);
	}
}

static void report(u64 seed)
{
	static struct isa_state here;
	static struct instance in;
	unsigned i;

	printf("DISAGREE --seed %llu --count 1, %u-bit code, TRIVET_SOFT_HEAT=%s TRIVET_SOFT_FOLLOW=%s\n%s",
	       (unsigned long long)seed, stream.code_size * 8, getenv("TRIVET_SOFT_HEAT"), getenv("TRIVET_SOFT_FOLLOW"), c.text);
	reduce();
	if (compare_stream(&here) != DIFFERENT) {
		printf("  and not when executed again\n");
		stream__print(&stream);
		return;
	}
	printf("  reduced:\n");
	stream__print(&stream);
	printf("%s    here: vector %u, error code %x, cr2 %llx, rip %llx\n", c.text, here.vector,
	       here.error, (unsigned long long)here.cr2, (unsigned long long)here.rip);
	in.row = &any_row;
	in.code_size = stream.code_size;
	in.before = stream.before;
	in.undefined = true;
	memcpy(in.data, stream.data, DATA_BYTES);
	instance__print(&in);
	for (i = 0; i < 16; i++)
		printf("%s%016llx%016llx", i % 4 ? " " : "\n  xmm ",
		       (unsigned long long)((u64 *)stream.before.fp.xmm[i])[1],
		       (unsigned long long)((u64 *)stream.before.fp.xmm[i])[0]);
	printf("\n");
}

static void compare_one(u64 seed)
{
	static struct isa_state here;

	random__seed(seed);
	stream__make(&stream, random__one_in(4) && native_has_code32 ? 4 : 8);
	switch (compare_stream(&here)) {
	case SAME:
		tally->compared++;
		tally->insns += stream.count;
		if (here.rip == CODE_LINEAR + stream.at[stream.count])
			tally->to_end++;
		else
			tally->faults[here.vector & 31]++;
		break;
	case DIFFERENT:
		if (++tally->disagreed <= options.show)
			report(seed);
		break;
	case NOT_COMPARED:
		tally->skipped++;
	}
}

/* Most of the time all is translated at once; else when it has been interpreted once or twice. */
static const char *heat_of(u64 batch)
{
	static const char *const heats[] = { "0", "0", "0", "1", "0", "0", "0", "2" };

	return heats[batch % ARRAY_LENGTH(heats)];
}

static int run_batch(u64 from, u64 to)
{
	const char *why;

	setenv("TRIVET_SOFT_HEAT", heat_of(from / BATCH), 1);
	setenv("TRIVET_SOFT_FOLLOW", from / BATCH % 3 ? "0" : "1", 1);
	if (guest__setup()) {
		fprintf(stderr, "isa: can't set the guest up\n");
		return 1;
	}
	why = native__setup();
	if (!why && !native__make_code_writable())
		why = "this host forbids memory that may be written and executed";
	if (why) {
		snprintf(tally->skip, sizeof(tally->skip), "%s", why);
		return SKIPPED;
	}
	guest__make_code_writable();
	guest__do_without(!native_has_ldt, !native_has_code32, !native_has_fsgsbase);
	components__setup(guest__components());
	stream__setup();
	for (tally->at = from; tally->at < to; tally->at++)
		compare_one(tally->at);
	fflush(stdout);
	return 0;
}

/* Streams from..to - 1; false if it makes no sense to go on. */
static bool run_child(u64 from, u64 to)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(run_batch(from, to));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFSIGNALED(status)) {
		printf("DISAGREE --seed %llu: the process ended by signal %d\n",
		       (unsigned long long)tally->at, WTERMSIG(status));
		tally->disagreed++;
		return tally->disagreed < options.show;
	}
	return !WEXITSTATUS(status);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void run_all(void)
{
	double end = seconds(CLOCK_MONOTONIC) + options.seconds;
	u64 from = options.seed, last = options.seed + options.count;

	while (options.seconds ? seconds(CLOCK_MONOTONIC) < end : from < last) {
		u64 to = (from / BATCH + 1) * BATCH;

		if (!options.seconds)
			to = MIN_OF(to, last);
		if (!run_child(from, to))
			return;
		from = to;
	}
}

static bool parse(int argc, char **argv)
{
	static const struct {
		const char *name;
		u64 *value;
	} names[] = {
		{ "--seed", &options.seed }, { "--count", &options.count },
		{ "--seconds", &options.seconds }, { "--show", &options.show },
	};
	unsigned n;
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		for (n = 0; n < ARRAY_LENGTH(names) && strcmp(argv[i], names[n].name); n++)
			;
		if (n == ARRAY_LENGTH(names))
			return false;
		*names[n].value = strtoull(argv[i + 1], NULL, 0);
	}
	return i == argc;
}

static void summarise(double elapsed)
{
	unsigned i;

	stream__print_left_out();
	printf("%llu streams of %llu instructions compared, %llu skipped, %.0f s; the last seed was %llu\n",
	       (unsigned long long)tally->compared, (unsigned long long)tally->insns,
	       (unsigned long long)tally->skipped, elapsed, (unsigned long long)tally->at - 1);
	printf("ended: %llu behind the last instruction", (unsigned long long)tally->to_end);
	for (i = 0; i < ARRAY_LENGTH(tally->faults); i++)
		if (tally->faults[i])
			printf(", %llu by exception %u", (unsigned long long)tally->faults[i], i);
	printf("\n%llu disagreements\n", (unsigned long long)tally->disagreed);
}

int main(int argc, char **argv)
{
	double start = seconds(CLOCK_MONOTONIC);

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: isa_streams [--seed N] [--count N | --seconds N] [--show N]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		return 1;
	run_all();
	if (tally->skip[0]) {
		printf("isa: skipped: %s\n", tally->skip);
		return SKIPPED;
	}
	summarise(seconds(CLOCK_MONOTONIC) - start);
	/* Most go on for long, or they are not what they should be. */
	return tally->disagreed || !tally->compared ||
	       (options.count > BATCH && tally->to_end < tally->compared / 4);
}
