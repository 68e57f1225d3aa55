/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of the vector and x87 tables against the processor that runs the tests: random
 * registers, memory operands at aligned, misaligned, slow and page-crossing addresses, in 64-bit
 * and 32-bit code. What the processor refuses with #GP must be refused, too.
 */
#include <signal.h>
#include <stdio.h>

#include "core/x86/cpuid.h"
#include "tests/unit/vector/encode.h"
#include "tests/unit/vector/fake.h"
#include "tests/unit/vector/native.h"

#define TRIALS 12
#define MIDDLE 0x1800 /* of the memory: page 1 */
/* What an operand may touch, from its offset on (gathers go both ways). */
#define WINDOW_BEFORE 1024
#define WINDOW_SIZE 2560

enum place { FAST, SLOW, MISALIGNED, MISALIGNED_SLOW, CROSSING, NR_PLACES };

static u8 native_memory[GUEST_PAGES * 4096] __attribute__((aligned(4096)));

/* Images and state: those have tests of their own (state_test.c). */
static bool is_state_row(const struct opcode_row *row)
{
	static exec_fn *const fn[] = { exec_fxsave, exec_fxrstor, exec_xsave,	exec_xsaveopt,
				       exec_xsavec, exec_xsaves,  exec_xrstor,	exec_xrstors,
				       exec_fldenv, exec_fnstenv, exec_frstor,	exec_fnsave };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(fn); i++)
		if (row->exec == fn[i])
			return true;
	return false;
}

static bool host_has(enum x86_feature feature)
{
	const struct x86_feature_bit *bit = &x86_feature_bits[feature];
	u32 regs[4];

	if (feature == FEAT_BASE)
		return true;
	host__cpuid(bit->leaf, bit->subleaf, regs);
	return regs[bit->reg] >> bit->bit & 1;
}

static bool uses_rdi(const struct opcode_row *row)
{
	return row->exec == exec_maskmovq || row->exec == exec_maskmovdqu ||
	       row->exec == exec_avx_maskmovdqu;
}

/* Both sides start the same, but for the base register. */
struct trial {
	struct variant v;
	struct encoded e;
	enum place place;
	unsigned offset; /* of the operand in memory */
	struct native_state before;
	struct native_state native;
	int signal;
	enum exec_result result;
};

static void choose_place(struct trial *t)
{
	fake__set_page(1, t->place == SLOW || t->place == MISALIGNED_SLOW ? PAGE_SLOW : PAGE_FAST);
	t->offset = MIDDLE;
	if (t->place == MISALIGNED || t->place == MISALIGNED_SLOW)
		t->offset += 1 + fake__random() % 63;
	else if (t->place == CROSSING)
		t->offset = 0x2000 - 1 - fake__random() % 31;
}

static void limit_indices(struct trial *t)
{
	u8 *halves[2] = { t->before.image.xmm[t->e.index], t->before.image.ymm_high[t->e.index] };
	unsigned size = t->v.row->opcode & 1 ? 8 : 4, i, h;

	for (h = 0; h < 2; h++) {
		for (i = 0; i < 16 / size; i++) {
			s64 index = (s64)(fake__random() % 200) - 100;

			memcpy(halves[h] + i * size, &index, size);
		}
	}
}

static void start(struct trial *t)
{
	struct x86_cpu *cpu = &fake_vcpu.cpu;
	unsigned i, base = uses_rdi(t->v.row) ? X86_RDI : X86_RBX;

	fake__random_image(&t->before.image);
	if (t->v.row->flags & ROW_VSIB)
		limit_indices(t);
	for (i = 0; i < 16; i++)
		t->before.gpr[i] = fake__random() >> fake__random() % 60;
	if (t->v.code_size != 8)
		for (i = 0; i < 16; i++)
			t->before.gpr[i] = (u32)t->before.gpr[i];
	t->before.flags = (fake__random() & RFLAGS_ARITH) | RFLAGS_FIXED | RFLAGS_IF;
	for (i = 0; i < WINDOW_SIZE; i += 8) {
		u64 value = fake__random();

		memcpy(native_memory + t->offset - WINDOW_BEFORE + i, &value, 8);
	}
	/* LDMXCSR: mostly values it takes */
	if (t->v.row->exec == exec_ldmxcsr || t->v.row->exec == exec_avx_ldmxcsr)
		memset(native_memory + t->offset + 2, fake__random() % 4 == 0, 2);
	memcpy(fake_memory + t->offset - WINDOW_BEFORE, native_memory + t->offset - WINDOW_BEFORE,
	       WINDOW_SIZE);

	t->native = t->before;
	for (i = 0; i < 16; i++)
		cpu->gpr[i] = t->before.gpr[i];
	if (t->v.mem || uses_rdi(t->v.row)) {
		s64 disp = uses_rdi(t->v.row) ? 0 : t->e.disp;

		t->native.gpr[base] = (u64)native_memory + t->offset - disp;
		cpu->gpr[base] = GUEST_BASE + t->offset - disp;
		t->before.gpr[base] = cpu->gpr[base];
	}
	cpu->arith = t->before.flags;
	fake__set_image(&t->before.image);
}

static const char *difference(const struct trial *t)
{
	const struct xsave_image *a = fake__image(), *b = &t->native.image;
	unsigned base = uses_rdi(t->v.row) ? X86_RDI : X86_RBX, i;

	if (a->fcw != b->fcw || a->fsw != b->fsw || a->ftw != b->ftw)
		return "x87 control, status or tags";
	for (i = 0; i < 8; i++)
		if (memcmp(a->st[i], b->st[i], 10))
			return "x87 registers";
	if (a->mxcsr != b->mxcsr)
		return "MXCSR";
	if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)))
		return "XMM registers";
	if (memcmp(a->ymm_high, b->ymm_high, sizeof(a->ymm_high)))
		return "upper halves of YMM registers";
	for (i = 0; i < 16; i++) {
		u64 want = t->native.gpr[i];

		if (i == X86_RSP || (i == base && (t->v.mem || uses_rdi(t->v.row))))
			want = t->before.gpr[i];
		/* A load into its own base register. */
		if (i == base && t->v.mem && variant__has_operand(t->v.row, OP_Gb, OP_Gy) &&
		    t->e.reg == base)
			want = t->native.gpr[i];
		if (fake_vcpu.cpu.gpr[i] != want)
			return "general registers";
	}
	if ((fake_vcpu.cpu.arith ^ t->native.flags) & RFLAGS_ARITH)
		return "flags";
	if (memcmp(fake_memory + t->offset - WINDOW_BEFORE,
		   native_memory + t->offset - WINDOW_BEFORE, WINDOW_SIZE))
		return "memory";
	return NULL;
}

static const char *check(struct trial *t)
{
	if (t->signal == SIGILL)
		return "the processor does not know it";
	if (t->signal == SIGSEGV || t->signal == SIGBUS) {
		if (t->result != EXEC_FAULT || fake_vcpu.exception.vector != X86_GP)
			return "should have raised #GP";
		t->native = t->before;
		return difference(t);
	}
	if (t->signal)
		return "unexpected signal";
	if (t->result != EXEC_NEXT)
		return "raised an exception";
	return difference(t);
}

static unsigned run_trial(struct trial *t)
{
	const char *text;
	unsigned i;

	variant__encode(&t->v, &t->e);
	choose_place(t);
	start(t);
	t->signal = native__run(t->e.bytes, t->e.length, &t->native);
	t->result = fake__execute(t->e.bytes, t->e.length);
	text = check(t);
	if (!text)
		return 0;
	printf("%s: %s (place %d, %u-bit code, signal %d, result %d):", t->v.row->name, text,
	       t->place, 8 * t->v.code_size, t->signal, t->result);
	for (i = 0; i < t->e.length; i++)
		printf(" %02x", t->e.bytes[i]);
	printf("\n");
	return 1;
}

static unsigned run_variant(const struct variant *v)
{
	unsigned failed = 0, n;
	enum place place;

	fake__set_code_size(v->code_size);
	for (place = FAST; place < NR_PLACES; place++) {
		if (place != FAST && !v->mem && !uses_rdi(v->row))
			break;
		for (n = 0; n < TRIALS && !failed; n++) {
			struct trial t = { .v = *v, .place = place };

			failed += run_trial(&t);
		}
	}
	return failed;
}

static unsigned run_row(const struct opcode_row *row)
{
	unsigned failed = 0, bits;

	for (bits = 0; bits < 16; bits++) {
		struct variant v = { .row = row, .code_size = bits & 1 ? 4 : 8,
				     .mem = bits & 2, .l = bits & 4, .w = bits & 8 };

		/* Natively it is always 64-bit code, which has twice the registers to clear. */
		if (v.code_size != 8 && row->exec == exec_avx_zero)
			continue;
		if (variant__exists(&v))
			failed += run_variant(&v);
	}
	return failed;
}

static void run_table(const struct row_table *table)
{
	unsigned failed = 0, i;

	fake__reset();
	for (i = 0; i < table->count; i++) {
		const struct opcode_row *row = &table->rows[i];

		if (!is_state_row(row) && host_has(row->feature))
			failed += run_row(row);
	}
	fake__reset();
	assert_int_equal(failed, 0);
}

static void sse_rows_agree_with_the_processor(void **state)
{
	run_table(&rows_sse);
}

static void avx_rows_agree_with_the_processor(void **state)
{
	if (!host_has(FEAT_AVX))
		skip();
	run_table(&rows_avx);
}

static void x87_rows_agree_with_the_processor(void **state)
{
	run_table(&rows_x87);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sse_rows_agree_with_the_processor),
		cmocka_unit_test(avx_rows_agree_with_the_processor),
		cmocka_unit_test(x87_rows_agree_with_the_processor),
	};

	return cmocka_run_group_tests(tests, fake__setup, fake__teardown);
}
