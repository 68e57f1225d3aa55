/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State images (FXSAVE, XSAVE, FNSAVE families), and guest state across calls into libc. */
#include <stdio.h>

#include "tests/unit/vector/fake.h"
#include "tests/unit/vector/native.h"

#define AREA 0x1000 /* offset of the guest's area */
#define FXSAVE 0x0f, 0xae, 0x03
#define FXSAVE64 0x48, 0x0f, 0xae, 0x03
#define FXRSTOR 0x0f, 0xae, 0x0b
#define FXRSTOR64 0x48, 0x0f, 0xae, 0x0b
#define XSAVE 0x0f, 0xae, 0x23
#define XSAVE64 0x48, 0x0f, 0xae, 0x23
#define XSAVEOPT 0x0f, 0xae, 0x33
#define XSAVEC64 0x48, 0x0f, 0xc7, 0x23
#define XSAVES64 0x48, 0x0f, 0xc7, 0x2b
#define XRSTOR64 0x48, 0x0f, 0xae, 0x2b
#define XRSTORS64 0x48, 0x0f, 0xc7, 0x1b
#define FNSTENV 0xd9, 0x33
#define FLDENV 0xd9, 0x23
#define FNSAVE 0xdd, 0x33
#define FRSTOR 0xdd, 0x23
#define FLD1 0xd9, 0xe8
#define FLD_M32 0xd9, 0x03

static struct xsave_image *area(void)
{
	return (struct xsave_image *)(fake_memory + AREA);
}

static int reset(void **state)
{
	fake__reset();
	fake_vcpu.cpu.gpr[X86_RBX] = GUEST_BASE + AREA;
	fake_vcpu.cpu.gpr[X86_RAX] = 7;
	return 0;
}

/* ---- compared with the processor ---- */

/*
 * Executes the instruction here and natively from the same registers and memory, and compares
 * registers and area. skip: bytes of the area that hold pointers.
 */
static void compare(const u8 *bytes, unsigned length, const struct xsave_image *before,
		    const u8 *memory, unsigned skip_from, unsigned skip_to)
{
	static u8 native_area[2048] __attribute__((aligned(64)));
	struct native_state native = { .image = *before, .flags = RFLAGS_FIXED };
	const struct xsave_image *after;
	unsigned i;

	fake__set_image(before);
	memcpy(native_area, memory, sizeof(native_area));
	memcpy(fake_memory + AREA, memory, sizeof(native_area));
	native.gpr[X86_RBX] = (u64)native_area;
	native.gpr[X86_RAX] = fake_vcpu.cpu.gpr[X86_RAX];
	assert_int_equal(native__run(bytes, length, &native), 0);
	assert_int_equal(fake__execute(bytes, length), EXEC_NEXT);
	for (i = 0; i < sizeof(native_area); i++)
		if (fake_memory[AREA + i] != native_area[i] && !(i >= skip_from && i < skip_to))
			fail_msg("byte %u of the area is %02x, not %02x", i, fake_memory[AREA + i],
				 native_area[i]);
	after = fake__image();
	assert_int_equal(after->fcw, native.image.fcw);
	assert_int_equal(after->fsw, native.image.fsw);
	assert_int_equal(after->ftw, native.image.ftw);
	for (i = 0; i < 8; i++)
		assert_memory_equal(after->st[i], native.image.st[i], 10);
	assert_int_equal(after->mxcsr, native.image.mxcsr);
	assert_memory_equal(after->xmm, native.image.xmm, sizeof(after->xmm));
	assert_memory_equal(after->ymm_high, native.image.ymm_high, sizeof(after->ymm_high));
}

#define COMPARE(before, memory, from, to, ...)                                                     \
	compare((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }), before, memory,  \
		from, to)

static void fill(u8 *memory, unsigned size)
{
	unsigned i;

	for (i = 0; i < size; i++)
		memory[i] = fake__random();
}

static void saves_agree_with_the_processor(void **state)
{
	struct xsave_image before;
	u8 memory[4096];
	unsigned n;

	for (n = 0; n < 40; n++) {
		fake__random_image(&before);
		before.xstate_bv = n % 8;
		fill(memory, sizeof(memory));
		fake_vcpu.cpu.gpr[X86_RAX] = n < 20 ? 7 : fake__random() & 7;
		COMPARE(&before, memory, 6, 24, FXSAVE);
		COMPARE(&before, memory, 6, 24, FXSAVE64);
		COMPARE(&before, memory, 6, 24, XSAVE);
		COMPARE(&before, memory, 6, 24, XSAVE64);
		COMPARE(&before, memory, 6, 24, XSAVEOPT);
		COMPARE(&before, memory, 6, 24, XSAVEC64);
		COMPARE(&before, memory, 12, 26, FNSTENV);
		COMPARE(&before, memory, 12, 26, FNSAVE);
		COMPARE(&before, memory, 6, 14, 0x66, FNSTENV);
		COMPARE(&before, memory, 6, 14, 0x66, FNSAVE);
	}
}

static void restores_agree_with_the_processor(void **state)
{
	struct xsave_image before;
	u8 memory[4096];
	unsigned n;

	for (n = 0; n < 40; n++) {
		struct xsave_image *source = (struct xsave_image *)memory;

		fake_vcpu.cpu.gpr[X86_RAX] = n < 20 ? 7 : fake__random() & 7;
		fill(memory, sizeof(memory));
		fake__random_image(source);
		fake__random_image(&before);
		COMPARE(&before, memory, 0, 0, FXRSTOR);
		COMPARE(&before, memory, 0, 0, FXRSTOR64);
		source->xstate_bv = n % 8;
		COMPARE(&before, memory, 0, 0, XRSTOR64);
		source->xcomp_bv = XCOMP_COMPACT | source->xstate_bv | (fake__random() & 7);
		COMPARE(&before, memory, 0, 0, XRSTOR64);
		fill(memory, sizeof(memory));
		memory[0] |= 0x3f; /* masked: nothing is pending behind it */
		COMPARE(&before, memory, 0, 0, FLDENV);
		COMPARE(&before, memory, 0, 0, FRSTOR);
		COMPARE(&before, memory, 0, 0, 0x66, FLDENV);
		COMPARE(&before, memory, 0, 0, 0x66, FRSTOR);
	}
}

/* ---- pointers ---- */

static void environment_shows_guest_pointers(void **state)
{
	bool selectors = soft__x87_has_selectors();
	u32 env[7];

	fake_vcpu.cpu.seg[X86_CS].selector = 0x33;
	fake_vcpu.cpu.seg[X86_DS].selector = 0x2b;
	fake_vcpu.cpu.rip = 0x12345678;
	assert_int_equal(EXECUTE(FLD_M32), EXEC_NEXT);
	fake_vcpu.cpu.rip = 0x1234567a;
	assert_int_equal(EXECUTE(0xdb, 0xe2), EXEC_NEXT); /* fnclex is not shown */
	assert_int_equal(EXECUTE(FNSTENV), EXEC_NEXT);
	memcpy(env, area(), sizeof(env));
	assert_int_equal(env[3], 0x12345678);
	assert_int_equal(env[4] & 0xffff, selectors ? 0x33 : 0);
	assert_int_equal(env[4] >> 16, soft__x87_keeps_opcode() ? 0 : 0x103); /* D9 03 */
	assert_int_equal(env[5], soft__x87_keeps_data() ? 0 : GUEST_BASE + AREA);
	assert_int_equal(env[6] & 0xffff, selectors && !soft__x87_keeps_data() ? 0x2b : 0);
	assert_int_equal(EXECUTE(0xdb, 0xe3), EXEC_NEXT); /* fninit forgets them */
	assert_int_equal(EXECUTE(FNSTENV), EXEC_NEXT);
	memcpy(env, area(), sizeof(env));
	assert_int_equal(env[3] | env[5] | (env[6] & 0xffff), 0);
}

/* Of the last instruction, or on processors that keep these of the last one that raised an unmasked exception. */
static void pointers_are_those_of_the_processor(void **state)
{
	bool keeps = soft__x87_keeps_opcode();
	u32 env[7];

	assert_int_equal(EXECUTE(FLD1), EXEC_NEXT);
	fake__image()->fcw = 0x37b; /* division by zero is not masked */
	soft__vector_changed(&fake_vcpu);
	assert_int_equal(EXECUTE(0xd9, 0xee), EXEC_NEXT); /* fldz */
	fake_vcpu.cpu.rip = 0x2000;
	assert_int_equal(EXECUTE(0xd8, 0xf9), EXEC_NEXT); /* fdivr %st(1), %st: by zero */
	assert_int_equal(EXECUTE(0xdb, 0xe2), EXEC_NEXT); /* fnclex */
	fake_vcpu.cpu.rip = 0x3000;
	assert_int_equal(EXECUTE(FLD_M32), EXEC_NEXT);
	assert_int_equal(EXECUTE(FNSTENV), EXEC_NEXT);
	memcpy(env, area(), sizeof(env));
	assert_int_equal(env[3], 0x3000);
	assert_int_equal(env[4] >> 16, keeps ? 0x0f9 : 0x103);
	/* The one that raised it has no operand in memory. */
	assert_int_equal(env[5], soft__x87_keeps_data() ? 0 : GUEST_BASE + AREA);
}

static void real_mode_environment_is_linear(void **state)
{
	u16 env[7];

	fake__set_code_size(2);
	fake_vcpu.cpu.cr0 &= ~CR0_PE;
	fake_vcpu.cpu.seg[X86_CS].selector = 0x1234;
	fake_vcpu.cpu.rip = 0x10;
	assert_int_equal(EXECUTE(FLD1), EXEC_NEXT);
	fake_vcpu.cpu.gpr[X86_RSI] = 0;
	fake_vcpu.cpu.seg[X86_DS].flat = false;
	fake_vcpu.cpu.seg[X86_DS].base = GUEST_BASE;
	assert_int_equal(EXECUTE(0xd9, 0x34), EXEC_NEXT); /* fnstenv (%si) */
	memcpy(env, fake_memory, sizeof(env));
	assert_int_equal(env[3], soft__x87_has_selectors() ? 0x2350 : 0x0010);
	/* bits 19:16, and D9 E8 */
	assert_int_equal(env[4], (soft__x87_has_selectors() ? 0x1000 : 0) | (soft__x87_keeps_opcode() ? 0 : 0x1e8));
}

static void images_hold_no_host_pointers(void **state)
{
	fake_vcpu.cpu.rip = 0x7fff00001111;
	assert_int_equal(EXECUTE(FLD_M32), EXEC_NEXT);
	assert_int_equal(EXECUTE(FXSAVE64), EXEC_NEXT);
	if (vector__is_amd(&fake_vcpu)) /* nothing is pending */
		assert_int_equal(area()->fip | area()->fdp | area()->fop, 0);
	else
		assert_int_equal(area()->fip, 0x7fff00001111);
	/* With an exception pending every processor shows them. */
	fake__image()->fcw = 0x340;
	soft__vector_changed(&fake_vcpu);
	fake_vcpu.cpu.rip = 0x7fff00002222;
	assert_int_equal(EXECUTE(0xd9, 0xfa), EXEC_NEXT); /* fsqrt of what is there */
	assert_int_equal(EXECUTE(0xd9, 0xee), EXEC_NEXT); /* fldz */
	fake_vcpu.cpu.rip = 0x7fff00003333;
	assert_int_equal(EXECUTE(0xd8, 0xf0), EXEC_NEXT); /* fdiv: 0 / 0 */
	assert_int_equal(EXECUTE(FXSAVE64), EXEC_NEXT);
	assert_int_equal(area()->fip, 0x7fff00003333);
	assert_int_equal(area()->fdp, soft__x87_keeps_data() ? 0 : GUEST_BASE + AREA);
	assert_int_equal(area()->fop, 0x0f0);
}

/* ---- what is refused ---- */

static void areas_must_be_aligned(void **state)
{
	fake_vcpu.cpu.gpr[X86_RBX] += 8;
	fake__assert_raised(EXECUTE(FXSAVE), X86_GP, 0);
	fake_vcpu.cpu.gpr[X86_RBX] += 8;
	assert_int_equal(EXECUTE(FXSAVE), EXEC_NEXT);
	fake__assert_raised(EXECUTE(XSAVE), X86_GP, 0);
	fake__assert_raised(EXECUTE(XRSTOR64), X86_GP, 0);
}

static void headers_are_checked(void **state)
{
	memset(area(), 0, sizeof(*area()));
	area()->mxcsr = MXCSR_INIT;
	assert_int_equal(EXECUTE(XRSTOR64), EXEC_NEXT);
	area()->xstate_bv = 8;
	fake__assert_raised(EXECUTE(XRSTOR64), X86_GP, 0);
	area()->xstate_bv = 0;
	area()->reserved3[0] = 1;
	fake__assert_raised(EXECUTE(XRSTOR64), X86_GP, 0);
	area()->reserved3[0] = 0;
	area()->xcomp_bv = 1;
	fake__assert_raised(EXECUTE(XRSTOR64), X86_GP, 0);
	area()->xcomp_bv = XCOMP_COMPACT | 3;
	assert_int_equal(EXECUTE(XRSTOR64), EXEC_NEXT);
	area()->xstate_bv = 4; /* not in XCOMP_BV */
	fake__assert_raised(EXECUTE(XRSTOR64), X86_GP, 0);
	area()->xstate_bv = 0;
	area()->reserved3[5] = 1;
	fake__assert_raised(EXECUTE(XRSTOR64), X86_GP, 0);
	area()->reserved3[5] = 0;
	area()->xcomp_bv = 0;
	area()->mxcsr = 0xffffffff;
	fake__assert_raised(EXECUTE(XRSTOR64), X86_GP, 0);
	fake__assert_raised(EXECUTE(FXRSTOR), X86_GP, 0);
	/* XRSTORS takes the compacted form only. */
	area()->mxcsr = MXCSR_INIT;
	fake__assert_raised(EXECUTE(XRSTORS64), X86_GP, 0);
}

static void supervisor_forms_need_cpl_0(void **state)
{
	assert_int_equal(EXECUTE(XSAVES64), EXEC_NEXT);
	assert_int_equal(EXECUTE(XRSTORS64), EXEC_NEXT);
	fake_vcpu.cpu.cpl = 3;
	fake__assert_raised(EXECUTE(XSAVES64), X86_GP, 0);
	fake__assert_raised(EXECUTE(XRSTORS64), X86_GP, 0);
}

static void xsave_needs_cr4(void **state)
{
	fake_vcpu.cpu.cr4 &= ~CR4_OSXSAVE;
	fake__assert_raised(EXECUTE(XSAVE), X86_UD, -1);
	fake_vcpu.cpu.cr4 |= CR4_OSXSAVE;
	fake_vcpu.cpu.cr0 |= CR0_TS;
	fake__assert_raised(EXECUTE(XSAVE), X86_NM, -1);
}

static void faulting_save_writes_nothing(void **state)
{
	fake__set_page(2, PAGE_READ_ONLY);
	fake_vcpu.cpu.gpr[X86_RBX] = GUEST_BASE + 0x2000 - 768;
	memset(fake_memory, 0x55, sizeof(fake_memory));
	fake__assert_raised(EXECUTE(XSAVE), X86_PF, PFERR_WRITE);
	assert_int_equal(fake_memory[0x2000 - 768], 0x55);
	/* Without the AVX component it ends before that page. */
	fake_vcpu.cpu.gpr[X86_RAX] = 3;
	assert_int_equal(EXECUTE(XSAVE), EXEC_NEXT);
}

static void fxsave_in_32bit_code_has_8_registers(void **state)
{
	struct xsave_image image;

	fake__random_image(&image);
	fake__set_image(&image);
	fake__set_code_size(4);
	memset(fake_memory, 0x55, sizeof(fake_memory));
	assert_int_equal(EXECUTE(FXSAVE), EXEC_NEXT);
	assert_memory_equal(area()->xmm[7], image.xmm[7], 16);
	assert_int_equal(area()->xmm[8][0], 0x55);
	memset(area()->xmm, 0x11, sizeof(area()->xmm));
	assert_int_equal(EXECUTE(FXRSTOR), EXEC_NEXT);
	assert_int_equal(fake__image()->xmm[7][0], 0x11);
	assert_memory_equal(fake__image()->xmm[8], image.xmm[8], 16);
}

/* ---- registers shared with the host ---- */

static void overwrite_registers(void)
{
	static const u32 mxcsr = 0x1fbf;

	__asm__ volatile("vpcmpeqb %%ymm0, %%ymm0, %%ymm0\n\t"
			 "vmovdqa %%ymm0, %%ymm1\n\t"
			 "vmovdqa %%ymm0, %%ymm7\n\t"
			 "vmovdqa %%ymm0, %%ymm15\n\t"
			 "fldpi\n\t"
			 "fldpi\n\t"
			 "ldmxcsr %0"
			 :
			 : "m"(mxcsr));
}

static u32 host_mxcsr(void)
{
	u32 value;

	__asm__ volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static enum exec_result execute_live(const u8 *bytes, unsigned length)
{
	struct insn insn;

	assert_int_equal(decode__insn(bytes, length, 8, &insn), DECODE_OK);
	return insn.exec(&fake_vcpu, &insn);
}

#define EXECUTE_LIVE(...)                                                                          \
	execute_live((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static void state_survives_what_the_host_does(void **state)
{
	struct xsave_image image;
	u16 fcw, tags[14];
	unsigned n;

	fake__random_image(&image);
	image.mxcsr = 0x7f80; /* round to zero */
	image.fcw = 0xf7f;
	image.fsw = 0;
	image.ftw = 0xff;
	fake__set_image(&image);
	for (n = 0; n < 100; n++) {
		assert_int_equal(EXECUTE_LIVE(0xc5, 0xfc, 0x28, 0xd2), EXEC_NEXT); /* vmovaps */
		soft__park_vectors();
		assert_int_equal(host_mxcsr() & ~0x3f, MXCSR_INIT);
		__asm__ volatile("fnstcw %0\n\tfnstenv %1\n\tfldcw %0" : "=m"(fcw), "=m"(tags));
		assert_int_equal(fcw, FCW_INIT);
		assert_int_equal(tags[4], 0xffff); /* the stack is empty */
		overwrite_registers();
		soft__park_vectors(); /* nothing is live: must not take these for the guest's */
		__asm__ volatile("fninit\n\tldmxcsr %0" : : "m"((const u32){ MXCSR_INIT }));
	}
	assert_memory_equal(fake__image()->xmm, image.xmm, sizeof(image.xmm));
	assert_memory_equal(fake__image()->ymm_high, image.ymm_high, sizeof(image.ymm_high));
	assert_int_equal(fake__image()->mxcsr, 0x7f80);
	assert_int_equal(fake__image()->fcw, 0xf7f);
	assert_int_equal(fake__image()->ftw, 0xff);
}

static void state_is_per_vcpu(void **state)
{
	soft__vectors_put(&fake_vcpu);
	/* Outside of KVM_RUN an instruction loads and puts for itself. */
	fake__image()->mxcsr = 0x7f80;
	soft__vector_changed(&fake_vcpu);
	assert_int_equal(EXECUTE_LIVE(0x0f, 0x58, 0xc1), EXEC_NEXT);
	assert_int_equal(host_mxcsr() & ~0x3f, MXCSR_INIT);
	assert_int_equal(fake__image()->mxcsr & ~0x3f, 0x7f80);
	soft__vectors_load(&fake_vcpu);
}

static void stubs_may_run_out(void **state)
{
	unsigned reg, rm, imm;

	/* More encodings than there is room for: pshufd with each register pair and immediate. */
	for (reg = 0; reg < 16; reg++) {
		for (rm = 0; rm < 16; rm++) {
			for (imm = 0; imm < 256; imm++) {
				u8 bytes[] = { 0x66, 0x40 | (reg >> 3) << 2 | rm >> 3, 0x0f, 0x70,
					       0xc0 | (reg & 7) << 3 | (rm & 7), imm };

				assert_int_equal(execute_live(bytes, sizeof(bytes)), EXEC_NEXT);
			}
		}
	}
	/* New ones still work: vpermilps $n, %xmm1, %xmm0 reverses. */
	memcpy(fake__image()->xmm[1], "\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0", 16);
	fake__image()->xstate_bv |= XSTATE_SSE;
	soft__vector_changed(&fake_vcpu);
	assert_int_equal(EXECUTE(0xc4, 0xe3, 0x79, 0x04, 0xc1, 0x1b), EXEC_NEXT);
	assert_memory_equal(fake__image()->xmm[0], "\3\0\0\0\2\0\0\0\1\0\0\0\0\0\0\0", 16);
	assert_int_equal(EXECUTE(0xc4, 0xe3, 0x79, 0x04, 0xc1, 0x00), EXEC_NEXT);
	assert_memory_equal(fake__image()->xmm[0], "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(saves_agree_with_the_processor),
		TEST(restores_agree_with_the_processor),
		TEST(environment_shows_guest_pointers),
		TEST(pointers_are_those_of_the_processor),
		TEST(real_mode_environment_is_linear),
		TEST(images_hold_no_host_pointers),
		TEST(areas_must_be_aligned),
		TEST(headers_are_checked),
		TEST(supervisor_forms_need_cpl_0),
		TEST(xsave_needs_cr4),
		TEST(faulting_save_writes_nothing),
		TEST(fxsave_in_32bit_code_has_8_registers),
		TEST(state_survives_what_the_host_does),
		TEST(state_is_per_vcpu),
		TEST(stubs_may_run_out),
	};

	return cmocka_run_group_tests(tests, fake__setup, fake__teardown);
}
