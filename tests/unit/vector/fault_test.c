/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vector and x87 instructions refuse, and that a refused one has changed nothing. */
#include "tests/unit/vector/fake.h"

#define BASE_RBX(offset) (fake_vcpu.cpu.gpr[X86_RBX] = GUEST_BASE + (offset))

#define ADDPS_XMM0_MEM 0x0f, 0x58, 0x03		 /* addps (%rbx), %xmm0 */
#define ADDPS_XMM0_XMM1 0x0f, 0x58, 0xc1
#define DIVPS_XMM0_XMM1 0x0f, 0x5e, 0xc1
#define PADDB_MM0_MM1 0x0f, 0xfc, 0xc1
#define VADDPS_YMM0_YMM1_YMM2 0xc5, 0xf4, 0x58, 0xc2
#define VMOVUPS_YMM0_MEM 0xc5, 0xfc, 0x10, 0x03	 /* vmovups (%rbx), %ymm0 */
#define VMOVUPS_MEM_YMM0 0xc5, 0xfc, 0x11, 0x03
#define VMASKMOVPS_LOAD 0xc4, 0xe2, 0x75, 0x2c, 0x03 /* vmaskmovps (%rbx), %ymm1, %ymm0 */
#define VMASKMOVPS_STORE 0xc4, 0xe2, 0x75, 0x2e, 0x03 /* vmaskmovps %ymm0, %ymm1, (%rbx) */
#define MASKMOVDQU_XMM0_XMM1 0x66, 0x0f, 0xf7, 0xc1
#define VPGATHERDD 0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x0b /* vpgatherdd %ymm2, (%rbx,%ymm1), %ymm0 */
#define FLD1 0xd9, 0xe8
#define FLDZ 0xd9, 0xee
#define FDIVP 0xde, 0xf9
#define FSTP_M64 0xdd, 0x1b
#define FWAIT 0x9b
#define FNSTSW_AX 0xdf, 0xe0
#define FNCLEX 0xdb, 0xe2
#define FNINIT 0xdb, 0xe3
#define LDMXCSR 0x0f, 0xae, 0x13

static int reset(void **state)
{
	fake__reset();
	return 0;
}

static void set_mxcsr(u32 mxcsr)
{
	fake__image()->mxcsr = mxcsr;
	soft__vector_changed(&fake_vcpu);
}

static void set_fcw(u16 fcw)
{
	struct xsave_image *image = fake__image();

	image->fcw = fcw;
	image->xstate_bv |= XSTATE_X87;
	soft__vector_changed(&fake_vcpu);
}

static void set_xmm(unsigned reg, u32 a, u32 b, u32 c, u32 d)
{
	struct xsave_image *image = fake__image();
	u32 lanes[4] = { a, b, c, d };

	memcpy(image->xmm[reg], lanes, 16);
	memcpy(image->ymm_high[reg], lanes, 16);
	image->xstate_bv |= XSTATE_SSE | XSTATE_AVX;
	soft__vector_changed(&fake_vcpu);
}

static u32 xmm_lane(unsigned reg, unsigned lane)
{
	u32 value;

	memcpy(&value, fake__image()->xmm[reg] + 4 * lane, 4);
	return value;
}

/* ---- #UD and #NM ---- */

static void control_registers_disable_sse(void **state)
{
	fake_vcpu.cpu.cr4 &= ~CR4_OSFXSR;
	fake__assert_raised(EXECUTE(ADDPS_XMM0_XMM1), X86_UD, -1);
	fake__reset();
	fake_vcpu.cpu.cr0 |= CR0_EM;
	fake__assert_raised(EXECUTE(ADDPS_XMM0_XMM1), X86_UD, -1);
	fake__reset();
	fake_vcpu.cpu.cr0 |= CR0_TS;
	fake__assert_raised(EXECUTE(ADDPS_XMM0_XMM1), X86_NM, -1);
	/* #UD comes before #NM. */
	fake_vcpu.cpu.cr0 |= CR0_EM;
	fake__assert_raised(EXECUTE(ADDPS_XMM0_XMM1), X86_UD, -1);
}

static void mmx_needs_no_osfxsr(void **state)
{
	fake_vcpu.cpu.cr4 &= ~CR4_OSFXSR;
	assert_int_equal(EXECUTE(PADDB_MM0_MM1), EXEC_NEXT);
	fake_vcpu.cpu.cr0 |= CR0_EM;
	fake__assert_raised(EXECUTE(PADDB_MM0_MM1), X86_UD, -1);
}

static void avx_needs_xcr0(void **state)
{
	assert_int_equal(EXECUTE(VADDPS_YMM0_YMM1_YMM2), EXEC_NEXT);
	fake_vcpu.cpu.xcr0 = XSTATE_X87 | XSTATE_SSE;
	fake__assert_raised(EXECUTE(VADDPS_YMM0_YMM1_YMM2), X86_UD, -1);
	fake_vcpu.cpu.xcr0 = XSTATE_X87 | XSTATE_SSE | XSTATE_AVX;
	fake_vcpu.cpu.cr4 &= ~CR4_OSXSAVE;
	fake__assert_raised(EXECUTE(VADDPS_YMM0_YMM1_YMM2), X86_UD, -1);
	fake_vcpu.cpu.cr4 |= CR4_OSXSAVE;
	fake_vcpu.cpu.cr0 |= CR0_TS;
	fake__assert_raised(EXECUTE(VADDPS_YMM0_YMM1_YMM2), X86_NM, -1);
	fake_vcpu.cpu.cr0 ^= CR0_TS | CR0_EM; /* EM means nothing to AVX */
	assert_int_equal(EXECUTE(VADDPS_YMM0_YMM1_YMM2), EXEC_NEXT);
}

static void x87_is_emulated_or_switched(void **state)
{
	fake_vcpu.cpu.cr0 |= CR0_EM;
	fake__assert_raised(EXECUTE(FLD1), X86_NM, -1);
	assert_int_equal(EXECUTE(FWAIT), EXEC_NEXT);
	fake__reset();
	fake_vcpu.cpu.cr0 |= CR0_TS;
	fake__assert_raised(EXECUTE(FNSTSW_AX), X86_NM, -1);
	fake__assert_raised(EXECUTE(FWAIT), X86_NM, -1);
	fake_vcpu.cpu.cr0 &= ~CR0_MP;
	assert_int_equal(EXECUTE(FWAIT), EXEC_NEXT);
}

static void hidden_features_are_undefined(void **state)
{
	fake__hide_feature(FEAT_SSE41);
	fake__assert_raised(EXECUTE(0x66, 0x0f, 0x38, 0x17, 0xc1), X86_UD, -1); /* ptest */
	fake__hide_feature(FEAT_CMOV);
	fake__assert_raised(EXECUTE(0xdb, 0xf1), X86_UD, -1); /* fcomi */
}

/* ---- exceptions of the computation ---- */

static void unmasked_sse_exception_is_xm(void **state)
{
	set_xmm(0, 0x3f800000, 0, 0, 0);
	set_mxcsr(MXCSR_INIT & ~0x200); /* ZM */
	fake__assert_raised(EXECUTE(DIVPS_XMM0_XMM1), X86_XM, -1);
	assert_int_equal(xmm_lane(0, 0), 0x3f800000);
	assert_int_equal(fake__image()->mxcsr & 4, 4); /* ZE */
	/* Without CR4.OSXMMEXCPT it is #UD. */
	fake_vcpu.cpu.cr4 &= ~CR4_OSXMMEXCPT;
	fake__assert_raised(EXECUTE(DIVPS_XMM0_XMM1), X86_UD, -1);
	/* The thread can go on: the same, masked. */
	set_mxcsr(MXCSR_INIT);
	assert_int_equal(EXECUTE(DIVPS_XMM0_XMM1), EXEC_NEXT);
	assert_int_equal(xmm_lane(0, 0), 0x7f800000);
}

static void exception_with_general_register(void **state)
{
	set_xmm(1, 0x7fc00000, 0, 0, 0);
	set_mxcsr(MXCSR_INIT & ~0x80); /* IM */
	fake_vcpu.cpu.gpr[X86_RAX] = 0x1234;
	fake__assert_raised(EXECUTE(0xf3, 0x0f, 0x2d, 0xc1), X86_XM, -1); /* cvtss2si */
	assert_int_equal(fake_vcpu.cpu.gpr[X86_RAX], 0x1234);
	/* Flags too: ucomiss with a signalling NaN. */
	set_xmm(1, 0x7f800001, 0, 0, 0);
	fake_vcpu.cpu.arith = RFLAGS_CF;
	fake__assert_raised(EXECUTE(0x0f, 0x2e, 0xc1), X86_XM, -1);
	assert_int_equal(fake_vcpu.cpu.arith, RFLAGS_CF);
}

static void pending_x87_exception_is_mf(void **state)
{
	set_fcw(FCW_INIT & ~4); /* ZM */
	assert_int_equal(EXECUTE(FLD1), EXEC_NEXT);
	assert_int_equal(EXECUTE(FLDZ), EXEC_NEXT);
	assert_int_equal(EXECUTE(FDIVP), EXEC_NEXT); /* raised by the next that waits */
	fake__assert_raised(EXECUTE(FLD1), X86_MF, -1);
	fake__assert_raised(EXECUTE(FWAIT), X86_MF, -1);
	fake__assert_raised(EXECUTE(PADDB_MM0_MM1), X86_MF, -1);
	/* SSE does not wait, nor do the control instructions that say so. */
	assert_int_equal(EXECUTE(ADDPS_XMM0_XMM1), EXEC_NEXT);
	assert_int_equal(EXECUTE(FNSTSW_AX), EXEC_NEXT);
	assert_int_equal(fake_vcpu.cpu.gpr[X86_RAX] & 0x8084, 0x8084); /* B ES ZE */
	/* The registers are as they were before the division. */
	assert_int_equal(fake__image()->fsw >> 11 & 7, 6);
	BASE_RBX(0);
	fake__assert_raised(EXECUTE(0xd9, 0x23), X86_MF, -1); /* fldenv */
	assert_int_equal(EXECUTE(FNCLEX), EXEC_NEXT);
	assert_int_equal(EXECUTE(FLD1), EXEC_NEXT);
}

static void suppressed_x87_store_writes_nothing(void **state)
{
	enum page_kind kind;

	/* An overflow to 32 bits, unmasked, by the direct and the slow way. */
	for (kind = PAGE_FAST; kind <= PAGE_SLOW; kind++) {
		struct xsave_image *image = fake__image();
		u64 mantissa = BIT64(63);
		u16 exponent = 0x7000;

		fake__set_page(0, kind);
		image->fcw = FCW_INIT & ~8; /* OM */
		image->fsw = 0;
		image->ftw = 1;
		memcpy(image->st[0], &mantissa, 8);
		memcpy(image->st[0] + 8, &exponent, 2);
		image->xstate_bv |= XSTATE_X87;
		soft__vector_changed(&fake_vcpu);
		BASE_RBX(0x40);
		memset(fake_memory + 0x40, 0x77, 4);
		assert_int_equal(EXECUTE(0xd9, 0x13), EXEC_NEXT); /* fst m32 */
		assert_memory_equal(fake_memory + 0x40, "\x77\x77\x77\x77", 4);
		fake__assert_raised(EXECUTE(FWAIT), X86_MF, -1);
		fake__reset();
	}
}

/* ---- memory ---- */

static void alignment_by_encoding(void **state)
{
	BASE_RBX(8);
	fake__assert_raised(EXECUTE(ADDPS_XMM0_MEM), X86_GP, 0);
	assert_int_equal(EXECUTE(0x0f, 0x10, 0x03), EXEC_NEXT); /* movups */
	assert_int_equal(EXECUTE(0xc5, 0xf8, 0x58, 0x03), EXEC_NEXT); /* vaddps */
	fake__assert_raised(EXECUTE(0xc5, 0xf8, 0x28, 0x03), X86_GP, 0); /* vmovaps xmm */
	BASE_RBX(16);
	fake__assert_raised(EXECUTE(0xc5, 0xfc, 0x28, 0x03), X86_GP, 0); /* vmovaps ymm */
	/* Alignment comes before the page fault. */
	fake__set_page(0, PAGE_ABSENT);
	BASE_RBX(8);
	fake__assert_raised(EXECUTE(ADDPS_XMM0_MEM), X86_GP, 0);
}

static void misaligned_mode(void **state)
{
	u32 mxcsr = MXCSR_INIT | MXCSR_MM;

	if (!(fake__image()->mxcsr_mask & MXCSR_MM))
		skip();
	BASE_RBX(0);
	memcpy(fake_memory, &mxcsr, 4);
	assert_int_equal(EXECUTE(LDMXCSR), EXEC_NEXT);
	BASE_RBX(8);
	assert_int_equal(EXECUTE(ADDPS_XMM0_MEM), EXEC_NEXT);
	fake__assert_raised(EXECUTE(0x0f, 0x28, 0x03), X86_GP, 0); /* movaps all the same */
	fake__hide_feature(FEAT_MISALIGNSSE);
	BASE_RBX(0);
	fake__assert_raised(EXECUTE(LDMXCSR), X86_GP, 0);
}

static void load_from_absent_page(void **state)
{
	set_xmm(0, 1, 2, 3, 4);
	fake__set_page(1, PAGE_ABSENT);
	BASE_RBX(0xff0);
	fake__assert_raised(EXECUTE(VMOVUPS_YMM0_MEM), X86_PF, 0);
	assert_int_equal(fake_vcpu.exception.payload, GUEST_BASE + 0x1000);
	assert_int_equal(xmm_lane(0, 3), 4);
}

static void store_across_into_read_only_page(void **state)
{
	set_xmm(0, 1, 2, 3, 4);
	fake__set_page(1, PAGE_READ_ONLY);
	BASE_RBX(0xff0);
	fake__assert_raised(EXECUTE(VMOVUPS_MEM_YMM0), X86_PF, PFERR_WRITE);
	assert_int_equal(fake_memory[0xff0], 0);
}

static void faulting_pop_keeps_the_stack(void **state)
{
	assert_int_equal(EXECUTE(FLD1), EXEC_NEXT);
	fake__set_page(0, PAGE_READ_ONLY);
	BASE_RBX(0x20);
	fake__assert_raised(EXECUTE(FSTP_M64), X86_PF, PFERR_WRITE);
	assert_int_equal(fake__image()->fsw >> 11 & 7, 7);
	fake__set_page(0, PAGE_SLOW);
	assert_int_equal(EXECUTE(FSTP_M64), EXEC_NEXT);
	assert_memory_equal(fake_memory + 0x20, "\0\0\0\0\0\0\xf0\x3f", 8);
	assert_int_equal(fake__image()->fsw >> 11 & 7, 0);
}

static void masked_elements_do_not_fault(void **state)
{
	const u32 on = 0x80000000;

	fake__set_page(1, PAGE_ABSENT);
	BASE_RBX(0x1000 - 16); /* the upper half is not there */
	memset(fake_memory + 0xff0, 0x11, 16);
	set_xmm(1, on, 0, on, on);
	memset(fake__image()->ymm_high[1], 0, 16);
	soft__vector_changed(&fake_vcpu);
	assert_int_equal(EXECUTE(VMASKMOVPS_LOAD), EXEC_NEXT);
	assert_int_equal(xmm_lane(0, 0), 0x11111111);
	assert_int_equal(xmm_lane(0, 1), 0);
	set_xmm(0, 5, 6, 7, 8);
	assert_int_equal(EXECUTE(VMASKMOVPS_STORE), EXEC_NEXT);
	assert_memory_equal(fake_memory + 0xff0, "\5\0\0\0\x11\x11\x11\x11\7\0\0\0\10\0\0\0", 16);
	/* One element beyond the page: nothing happens at all. */
	set_xmm(1, on, on, on, on);
	set_xmm(0, 9, 9, 9, 9);
	fake__assert_raised(EXECUTE(VMASKMOVPS_STORE), X86_PF, PFERR_WRITE);
	assert_int_equal(fake_memory[0xff0], 5);
	fake__assert_raised(EXECUTE(VMASKMOVPS_LOAD), X86_PF, 0);
	assert_int_equal(xmm_lane(0, 0), 9);
}

static void masked_bytes_do_not_fault(void **state)
{
	/* On AMD's processors they do. */
	fake_vcpu.cpuid.intel = true;
	fake__set_page(1, PAGE_ABSENT);
	fake_vcpu.cpu.gpr[X86_RDI] = GUEST_BASE + 0x1000 - 8;
	set_xmm(0, 0x01020304, 0x05060708, 0, 0);
	set_xmm(1, 0x00800080, 0x80000000, 0, 0);
	assert_int_equal(EXECUTE(MASKMOVDQU_XMM0_XMM1), EXEC_NEXT);
	assert_memory_equal(fake_memory + 0xff8, "\4\0\2\0\0\0\0\5", 8);
	set_xmm(1, 0x00800080, 0, 0x80, 0);
	set_xmm(0, 0, 0, 0, 0);
	fake__assert_raised(EXECUTE(MASKMOVDQU_XMM0_XMM1), X86_PF, PFERR_WRITE);
	assert_int_equal(fake_memory[0xff8], 4);
	fake_vcpu.cpuid.intel = false;
	set_xmm(1, 0x80, 0, 0, 0);
	fake__assert_raised(EXECUTE(MASKMOVDQU_XMM0_XMM1), X86_PF, PFERR_WRITE);
	assert_int_equal(fake_memory[0xff8], 4);
}

static void gather_keeps_what_it_has(void **state)
{
	const u32 on = 0x80000000;
	u32 indices[4] = { 0, 4, 0x1000, 8 };

	fake__set_page(1, PAGE_ABSENT);
	BASE_RBX(0);
	memset(fake_memory, 0xaa, 16);
	set_xmm(0, 1, 2, 3, 4);
	set_xmm(1, indices[0], indices[1], indices[2], indices[3]);
	set_xmm(2, on, 0, on, on);
	fake__assert_raised(EXECUTE(VPGATHERDD), X86_PF, 0);
	assert_int_equal(fake_vcpu.exception.payload, GUEST_BASE + 0x1000);
	assert_int_equal(xmm_lane(0, 0), 0xaaaaaaaa); /* done, and marked so */
	assert_int_equal(xmm_lane(0, 1), 2);
	assert_int_equal(xmm_lane(0, 2), 3);
	assert_int_equal(xmm_lane(2, 0), 0);
	assert_int_equal(xmm_lane(2, 2), on);
	/* Restarted when the page has come. */
	fake__set_page(1, PAGE_FAST);
	memset(fake_memory + 0x1000, 0xbb, 4);
	assert_int_equal(EXECUTE(VPGATHERDD), EXEC_NEXT);
	assert_int_equal(xmm_lane(0, 2), 0xbbbbbbbb);
	assert_int_equal(xmm_lane(2, 2), 0);
}

static void gather_registers_must_differ(void **state)
{
	BASE_RBX(0);
	/* vpgatherdd %ymm2, (%rbx,%ymm2), %ymm0 */
	fake__assert_raised(EXECUTE(0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x13), X86_UD, -1);
}

static void reserved_mxcsr_bits(void **state)
{
	BASE_RBX(0);
	memcpy(fake_memory, "\x80\x1f\x01\0", 4);
	fake__assert_raised(EXECUTE(LDMXCSR), X86_GP, 0);
	assert_int_equal(fake__image()->mxcsr, MXCSR_INIT);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(control_registers_disable_sse),
		TEST(mmx_needs_no_osfxsr),
		TEST(avx_needs_xcr0),
		TEST(x87_is_emulated_or_switched),
		TEST(hidden_features_are_undefined),
		TEST(unmasked_sse_exception_is_xm),
		TEST(exception_with_general_register),
		TEST(pending_x87_exception_is_mf),
		TEST(suppressed_x87_store_writes_nothing),
		TEST(alignment_by_encoding),
		TEST(misaligned_mode),
		TEST(load_from_absent_page),
		TEST(store_across_into_read_only_page),
		TEST(faulting_pop_keeps_the_stack),
		TEST(masked_elements_do_not_fault),
		TEST(masked_bytes_do_not_fault),
		TEST(gather_keeps_what_it_has),
		TEST(gather_registers_must_differ),
		TEST(reserved_mxcsr_bits),
	};

	return cmocka_run_group_tests(tests, fake__setup, fake__teardown);
}
