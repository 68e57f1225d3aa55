/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of the instruction tables, executed with random operands by the processor that runs
 * the test and by Trivet, and all that comes out compared. See README.md here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/x86/exception.h"
#include "tests/isa/compare.h"
#include "tests/isa/components.h"
#include "tests/isa/exclude.h"
#include "tests/isa/guest.h"
#include "tests/isa/native.h"
#include "tests/isa/random.h"

#define SKIPPED 77 /* meson's */

static struct {
	u64 seed;
	u64 count; /* instances per row and code size */
	u64 seconds;
	const char *row;
	unsigned code_size;
	s64 instance;
	unsigned show; /* disagreements shown per row */
} options = { .seed = 1, .count = 250, .instance = -1, .show = 2 };

struct tally {
	u64 compared;
	u64 completed; /* of these: without an exception */
	u64 undefined; /* #UD was due */
	u64 skipped;
	u64 disagreed;
	u64 undefined_flags; /* instances in which an undefined flag differs */
};

#define MAX_ROWS 4096
static struct {
	const struct opcode_row *row;
	struct tally tally[3]; /* code of 64, 32, 16 bits */
} rows[MAX_ROWS];
static unsigned nr_rows;
static const unsigned code_sizes[3] = { 8, 4, 2 };

/* Instances that exclude.c left out, by name and reason. */
static struct {
	const char *name;
	const char *why;
	u64 count;
} left_out[32];

static void leave_out(const struct instance *in, const char *why)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(left_out); i++) {
		if (!left_out[i].why) {
			left_out[i].name = in->row->name;
			left_out[i].why = why;
		}
		if (left_out[i].why == why && !strcmp(left_out[i].name, in->row->name)) {
			left_out[i].count++;
			return;
		}
	}
}

static void collect_rows(void)
{
	const struct row_table *const tables[] = { &rows_integer, &rows_system, &rows_x87,
						   &rows_sse, &rows_avx, &rows_opmask,
						   &rows_evex_0f, &rows_evex_0f38,
						   &rows_evex_0f3a };
	unsigned t, i;

	for (t = 0; t < ARRAY_LENGTH(tables); t++)
		for (i = 0; i < tables[t]->count && nr_rows < MAX_ROWS; i++)
			rows[nr_rows++].row = &tables[t]->rows[i];
}

static void set_memory(const struct instance *in, u8 *data)
{
	memcpy(data, in->data, DATA_BYTES);
}

static void write_code(const struct instance *in, bool clear)
{
	static const u8 fill[INSN_MAX_LENGTH] = { [0 ... INSN_MAX_LENGTH - 1] = CODE_FILL };
	unsigned n = MIN_OF(in->length, CODE_BYTES - in->at);
	const u8 *bytes = clear ? fill : in->bytes;

	memcpy(native_code + in->at, bytes, n);
	guest__write_code(in->at, bytes, n);
}

/* Addresses at which the processor finds this process's memory and the guest nothing. */
static bool meets_the_process(const struct instance *in, const struct isa_state *step)
{
	u64 rip = step->rip;

	if (step->vector == X86_PF)
		return native__is_mapped(step->cr2);
	if (step->sel[X86_CS] & 4)
		rip = (u32)(rip + ldt_descriptions[step->sel[X86_CS] >> 3].base);
	/* Within itself it would execute bytes that were not chosen. */
	if (step->vector == NO_VECTOR && rip - CODE_LINEAR - in->at < in->length)
		return true;
	return native__is_mapped(rip);
}

static void report(const struct instance *in, unsigned index, unsigned number, const char *how,
		   const char *text)
{
	printf("DISAGREE row %u %s, %s, --seed %llu --code %u --instance %u\n", index,
	       in->row->name, how, (unsigned long long)options.seed, in->code_size * 8, number);
	instance__print(in);
	printf("%s", text);
}

static bool check(const struct instance *in, const struct isa_state *native,
		  const u8 *native_after, const struct isa_state *here, enum guest_result result,
		  struct comparison *c)
{
	c->text[0] = 0;
	c->length = 0;
	if (result == GUEST_STUCK) {
		snprintf(c->text, sizeof(c->text), "    here it got stuck: %s\n", guest__why());
		return false;
	}
	if (compare__is_of_no_use(in, native, here))
		return true;
	compare__outcomes(in, native, here, c);
	compare__data(in, native_after, guest_data, c);
	return !c->text[0];
}

static enum native_result run_native(const struct instance *in, struct isa_state *native)
{
	const struct instance *executed = components__without(in);
	enum native_result result;

	do {
		set_memory(executed, native_data);
		*native = executed->before;
		result = native__run(native);
	} while (result == NATIVE_AGAIN);
	if (result == NATIVE_DONE)
		components__put_back(in, executed, native, native_data);
	return result;
}

/* Whether `here` is what the processor does, when it was not at first. */
static bool check_again(const struct instance *in, struct isa_state *native,
			const struct isa_state *here, enum guest_result result,
			struct comparison *c)
{
	unsigned i;

	for (i = 1; i < NATIVE_ATTEMPTS; i++) {
		native__wait(i);
		if (run_native(in, native) == NATIVE_HUNG)
			return false;
		if (check(in, native, native_data, here, result, c))
			return true;
	}
	return false;
}

/* Executes the instance three times: by emulate__one(), natively, in the engine's blocks. */
static void compare_instance(const struct instance *in, unsigned index, unsigned number,
			     struct tally *t)
{
	static u8 step_data[DATA_BYTES];
	static struct isa_state step, native, run;
	static struct comparison c;
	enum guest_result step_result, run_result;
	const char *why;
	bool ok;

	c.undefined_differ = false;
	write_code(in, false);
	memcpy(guest_data, in->data, DATA_BYTES);
	step = in->before;
	step_result = guest__step(&step);
	memcpy(step_data, guest_data, DATA_BYTES);
	why = exclude__instance(in);
	if (why)
		leave_out(in, why);
	if (why || (step_result == GUEST_DONE && meets_the_process(in, &step))) {
		t->skipped++;
		write_code(in, true);
		return;
	}
	if (run_native(in, &native) == NATIVE_HUNG) {
		report(in, index, number, "processor", "    does not end\n");
		t->disagreed++;
		write_code(in, true);
		return;
	}
	ok = check(in, &native, native_data, &step, step_result, &c) ||
	     check_again(in, &native, &step, step_result, &c);
	if (!ok && t->disagreed < options.show)
		report(in, index, number, "one step", c.text);
	if (ok) {
		memcpy(guest_data, in->data, DATA_BYTES);
		run = in->before;
		run_result = guest__run(&run);
		ok = check(in, &native, native_data, &run, run_result, &c) ||
		     check_again(in, &native, &run, run_result, &c);
		if (!ok && t->disagreed < options.show)
			report(in, index, number, "in a block", c.text);
	}
	write_code(in, true);
	t->disagreed += !ok;
	t->undefined_flags += c.undefined_differ;
	if (in->undefined)
		t->undefined++;
	else
		t->compared++;
	t->completed += !in->undefined && step.vector == NO_VECTOR;
}

#define NO_CODE32 "the host has no segment for 32-bit code"

static const char *why_not(const struct opcode_row *row, unsigned code_size)
{
	if (!guest__has(row))
		return "the host lacks the feature";
	if (code_size == 8 ? row->flags & ROW_NO64 : row->flags & ROW_ONLY64)
		return "not in this code size";
	if (code_size == 4 && !native_has_code32)
		return NO_CODE32;
	if (code_size == 2 && !native_has_ldt)
		return "the host has no segments for 16-bit code";
	return exclude__row(row);
}

static void compare_row(unsigned index, unsigned size_index, u64 from, u64 to)
{
	static struct instance in;
	const struct opcode_row *row = rows[index].row;
	unsigned code_size = code_sizes[size_index], attempt;
	u64 n;

	if (why_not(row, code_size) || (options.code_size && options.code_size != code_size * 8))
		return;
	for (n = from; n < to; n++) {
		if (options.instance >= 0 && n != options.instance)
			continue;
		random__seed(options.seed << 40 ^ (u64)index << 26 ^ (u64)size_index << 24 ^ n);
		for (attempt = 0; attempt < 200; attempt++)
			if (instance__make(&in, row, code_size))
				break;
		if (attempt < 200)
			compare_instance(&in, index, n, &rows[index].tally[size_index]);
	}
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void compare_all(void)
{
	double end = seconds(CLOCK_MONOTONIC) + options.seconds;
	u64 from = 0, to = options.count;
	unsigned index, i;

	if (options.instance >= 0)
		to = options.instance + 1;
	do {
		for (index = 0; index < nr_rows; index++) {
			if (options.row && strcmp(rows[index].row->name, options.row))
				continue;
			for (i = 0; i < 3; i++)
				compare_row(index, i, from, to);
		}
		from = to;
		to += options.count;
	} while (options.seconds && seconds(CLOCK_MONOTONIC) < end);
}

/* ---- the result ---- */

static void print_row(unsigned index, const char *what)
{
	const struct opcode_row *row = rows[index].row;
	unsigned i;

	printf("%-10s %4u %-12s map %u opcode %02x", what, index, row->name, row->map, row->opcode);
	if (row->group != GROUP_ANY)
		printf(" /%u", row->group);
	for (i = 0; i < 3; i++) {
		const struct tally *t = &rows[index].tally[i];

		printf("  %u-bit: %llu compared, %llu completed, %llu #UD, %llu skipped, %llu bad;",
		       code_sizes[i] * 8, (unsigned long long)t->compared,
		       (unsigned long long)t->completed, (unsigned long long)t->undefined,
		       (unsigned long long)t->skipped, (unsigned long long)t->disagreed);
	}
	printf("\n");
}

/* Rows that are left out, by reason. Returns how many should have been executed and were not. */
static unsigned summarise_rows(struct tally *sum)
{
	unsigned index, i, idle = 0, excluded = 0, lacking = 0, executed = 0;

	for (index = 0; index < nr_rows; index++) {
		const struct opcode_row *row = rows[index].row;
		struct tally all = { 0 };

		if (options.row && strcmp(row->name, options.row))
			continue;
		for (i = 0; i < 3; i++) {
			const struct tally *t = &rows[index].tally[i];

			all.compared += t->compared;
			all.completed += t->completed;
			all.undefined += t->undefined;
			all.skipped += t->skipped;
			all.disagreed += t->disagreed;
			all.undefined_flags += t->undefined_flags;
		}
		sum->compared += all.compared;
		sum->completed += all.completed;
		sum->undefined += all.undefined;
		sum->skipped += all.skipped;
		sum->disagreed += all.disagreed;
		sum->undefined_flags += all.undefined_flags;
		if (all.disagreed)
			print_row(index, "disagrees");
		else if (options.row)
			print_row(index, "row");
		if (exclude__row(row)) {
			printf("excluded   %4u %s: %s\n", index, row->name, exclude__row(row));
			excluded++;
		} else if (!guest__has(row)) {
			printf("skipped    %4u %s: this processor lacks it\n", index, row->name);
			lacking++;
		} else if (row->flags & ROW_NO64 && !native_has_code32 && !all.compared) {
			printf("skipped    %4u %s: %s\n", index, row->name, NO_CODE32);
			lacking++;
		} else if (!all.compared) {
			print_row(index, "never run");
			idle++;
		} else {
			executed++;
		}
	}
	printf("rows: %u executed, %u excluded with a reason, %u lacking on this host, "
	       "%u never run\n", executed, excluded, lacking, idle);
	return idle;
}

static void print_left_out(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(left_out) && left_out[i].why; i++)
		printf("excluded   %llu instances of %s: %s\n",
		       (unsigned long long)left_out[i].count, left_out[i].name, left_out[i].why);
}

static bool parse(int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];

		if (!strcmp(argv[i], "--seed"))
			options.seed = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--count"))
			options.count = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--seconds"))
			options.seconds = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--row"))
			options.row = value;
		else if (!strcmp(argv[i], "--code"))
			options.code_size = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--instance"))
			options.instance = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--show"))
			options.show = strtoull(value, NULL, 0);
		else
			return false;
	}
	return i == argc;
}

int main(int argc, char **argv)
{
	struct tally sum = { 0 };
	const char *why;
	unsigned idle;
	double cpu;

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: isa_test [--seed N] [--count N] [--seconds N] [--row NAME]\n"
				"       [--code 64|32|16] [--instance N] [--show N]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (guest__setup()) {
		fprintf(stderr, "isa: can't set the guest up\n");
		return 1;
	}
	collect_rows();
	components__setup(guest__components());
	why = native__setup();
	if (why) {
		printf("isa: skipped: %s\n", why);
		return SKIPPED;
	}
	guest__do_without(!native_has_ldt, !native_has_code32, !native_has_fsgsbase);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	compare_all();
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	idle = summarise_rows(&sum);
	print_left_out();
	if (native_is_deprived)
		printf("excluded   RSPs that are not canonical: the host's kernel does not go on with them\n");
	printf("%llu instances compared (%llu without exception), %llu undefined ones, "
	       "%llu skipped, undefined flags differ in %llu, %.1f s, %.0f/s\n",
	       (unsigned long long)sum.compared, (unsigned long long)sum.completed,
	       (unsigned long long)sum.undefined, (unsigned long long)sum.skipped,
	       (unsigned long long)sum.undefined_flags, cpu, (sum.compared + sum.undefined) / cpu);
	printf("%llu disagreements\n", (unsigned long long)sum.disagreed);
	return sum.disagreed || idle ? 1 : 0;
}
