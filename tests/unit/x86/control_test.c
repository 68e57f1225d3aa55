/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control registers and EFER: what must be refused, and what a change must do. */
#include "tests/unit/x86/fakes.h"

static struct vcpu *const vcpu = &fake_vcpu[0];
static struct x86_cpu *const cpu = &fake_vcpu[0].cpu;

static void hide(enum x86_feature f)
{
	vcpu->cpuid.features[f / 64] &= ~BIT64(f % 64);
}

static void enter_long_mode(void)
{
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE), 0);
	assert_int_equal(x86__set_efer(vcpu, EFER_LME | EFER_NX), 0);
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_PG), 0);
}

static void cr0_refuses(void **state)
{
	assert_int_equal(x86__set_cr0(vcpu, BIT64(32)), 1);
	assert_int_equal(x86__set_cr0(vcpu, CR0_PG), 1);
	assert_int_equal(x86__set_cr0(vcpu, CR0_NW), 1);
	assert_int_equal(cpu->cr0, 0);
	assert_int_equal(x86__set_cr0(vcpu, CR0_NW | CR0_CD), 0);
}

static void cr0_ignores_undefined_bits(void **state)
{
	assert_int_equal(x86__set_cr0(vcpu, 0x1ffaffc0 | CR0_PE), 0);
	assert_int_equal(cpu->cr0, CR0_PE | CR0_ET | (0x1ffaffc0 & CR0_AM));
}

static void cr0_flushes_on_pg_and_wp(void **state)
{
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE), 0);
	assert_int_equal(fake_log.flush_all, 0);
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_WP), 0);
	assert_int_equal(fake_log.flush_all, 1);
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_WP | CR0_PG), 0);
	assert_int_equal(fake_log.flush_all, 2);
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_WP | CR0_PG | CR0_TS), 0);
	assert_int_equal(fake_log.flush_all, 2);
	assert_int_equal(fake_log.mode_changed, 4);
}

static void long_mode_needs_pae(void **state)
{
	assert_int_equal(x86__set_efer(vcpu, EFER_LME), 0);
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_PG), 1);
	assert_false(cpu->efer & EFER_LMA);
}

static void long_mode_refuses_long_cs(void **state)
{
	x86__set_cr4(vcpu, CR4_PAE);
	x86__set_efer(vcpu, EFER_LME);
	cpu->seg[X86_CS].l = true;
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_PG), 1);
	cpu->seg[X86_CS].l = false;
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_PG), 0);
	assert_true(cpu->efer & EFER_LMA);
	assert_int_equal(cpu->tr.type, 11);
}

static void long_mode_is_left_from_compatibility_code_only(void **state)
{
	enter_long_mode();
	cpu->seg[X86_CS].l = true;
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE), 1);
	cpu->seg[X86_CS].l = false;
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE), 0);
	assert_false(cpu->efer & EFER_LMA);
	assert_true(cpu->efer & EFER_LME);
}

static void efer_lme_is_fixed_while_paging(void **state)
{
	enter_long_mode();
	assert_int_equal(x86__set_efer(vcpu, EFER_NX), 1);
	/* LMA can't be written. */
	assert_int_equal(x86__set_efer(vcpu, EFER_LME | EFER_SCE), 0);
	assert_int_equal(cpu->efer, EFER_LME | EFER_LMA | EFER_SCE);
}

static void efer_refuses_reserved(void **state)
{
	assert_int_equal(x86__set_efer(vcpu, BIT64(1)), 1);
	assert_int_equal(x86__set_efer(vcpu, EFER_SVME), 1);
	assert_int_equal(x86__set_efer(vcpu, EFER_LMSLE), 1);
	assert_int_equal(x86__set_efer_host(vcpu, EFER_SVME), 1);
	hide(FEAT_NX);
	assert_int_equal(x86__set_efer(vcpu, EFER_NX), 1);
	assert_int_equal(x86__set_efer_host(vcpu, EFER_NX), 0);
	assert_int_equal(x86__set_efer(vcpu, EFER_AIBRSE), 0);
	hide(FEAT_AUTO_IBRS);
	assert_int_equal(x86__set_efer(vcpu, EFER_AIBRSE), 1);
	hide(FEAT_LM);
	assert_int_equal(x86__set_efer(vcpu, EFER_LME), 1);
}

static void efer_nx_flushes(void **state)
{
	assert_int_equal(x86__set_efer(vcpu, EFER_NX), 0);
	assert_int_equal(fake_log.flush_all, 1);
	assert_int_equal(x86__set_efer(vcpu, EFER_NX | EFER_SCE), 0);
	assert_int_equal(fake_log.flush_all, 1);
}

static void cr3_refuses_bits_beyond_the_address(void **state)
{
	vcpu->cpuid.max_phys_bits = 40;
	assert_int_equal(x86__set_cr3(vcpu, BIT64(40)), 1);
	assert_int_equal(x86__set_cr3(vcpu, CR3_NOFLUSH), 1);
	assert_int_equal(x86__set_cr3(vcpu, BIT64(40) - 4096), 0);
	assert_int_equal(cpu->cr3, BIT64(40) - 4096);
	assert_int_equal(fake_log.flush_non_global, 1);
}

static void cr3_noflush_needs_pcide(void **state)
{
	enter_long_mode();
	assert_int_equal(x86__set_cr3(vcpu, CR3_NOFLUSH | 0x5000), 1);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PCIDE), 0);
	assert_int_equal(x86__set_cr3(vcpu, CR3_NOFLUSH | 0x5007), 0);
	assert_int_equal(cpu->cr3, 0x5007);
	/* An untagged TLB must flush all the same. */
	assert_int_equal(fake_log.flush_non_global, 1);
}

static void pcide_rules(void **state)
{
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PCIDE), 1);
	enter_long_mode();
	x86__set_cr3(vcpu, 0x1018);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PCIDE), 1);
	x86__set_cr3(vcpu, 0x1000);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PCIDE), 0);
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE), 1);
	hide(FEAT_PCID);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PCIDE), 1);
}

static void cr4_refuses_what_cpuid_hides(void **state)
{
	static const struct {
		u64 bit;
		enum x86_feature feature;
	} rule[] = {
		{ CR4_SMEP, FEAT_SMEP }, { CR4_SMAP, FEAT_SMAP },	  { CR4_UMIP, FEAT_UMIP },
		{ CR4_LA57, FEAT_LA57 }, { CR4_FSGSBASE, FEAT_FSGSBASE }, { CR4_OSXSAVE, FEAT_XSAVE },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(rule); i++) {
		if (cpuid__has(&vcpu->cpuid, rule[i].feature))
			assert_int_equal(x86__set_cr4(vcpu, rule[i].bit), 0);
		assert_int_equal(x86__set_cr4(vcpu, 0), 0);
		hide(rule[i].feature);
		assert_int_equal(x86__set_cr4(vcpu, rule[i].bit), 1);
	}
	/* VMXE, SMXE, bit 15, PKE, CET, and all above: nobody's. */
	for (i = 13; i < 64; i++)
		if (i < 16 || i == 19 || i > 21)
			assert_int_equal(x86__set_cr4(vcpu, BIT64(i)), 1);
}

static void cr4_in_long_mode(void **state)
{
	enter_long_mode();
	assert_int_equal(x86__set_cr4(vcpu, 0), 1);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_LA57), 1);
	fake_log.flush_all = 0;
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PGE), 0);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PGE | CR4_SMAP), 0);
	assert_int_equal(fake_log.flush_all, 2);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PGE | CR4_SMAP | CR4_OSFXSR), 0);
	assert_int_equal(fake_log.flush_all, 2);
}

static void pae_pointers_are_loaded(void **state)
{
	x86__set_cr4(vcpu, CR4_PAE);
	fake_pdptes_bad = true;
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_PG), 1);
	fake_pdptes_bad = false;
	assert_int_equal(x86__set_cr0(vcpu, CR0_PE | CR0_PG), 0);
	assert_int_equal(fake_log.pdptes_loaded, 1);
	assert_int_equal(x86__set_cr3(vcpu, 0x2000), 0);
	assert_int_equal(fake_log.pdptes_loaded, 2);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PGE), 0);
	assert_int_equal(fake_log.pdptes_loaded, 3);
	assert_int_equal(x86__set_cr4(vcpu, CR4_PAE | CR4_PGE | CR4_OSFXSR), 0);
	assert_int_equal(fake_log.pdptes_loaded, 3);
	fake_pdptes_bad = true;
	assert_int_equal(x86__set_cr3(vcpu, 0x3000), 1);
	assert_int_equal(cpu->cr3, 0x2000);
}

static void cr8_takes_four_bits(void **state)
{
	assert_int_equal(x86__set_cr8(vcpu, 0x10), 1);
	assert_int_equal(x86__set_cr8(vcpu, 0xd), 0);
	assert_int_equal(x86__get_cr8(vcpu), 0xd);
}

static void xcr0_rules(void **state)
{
	vcpu->cpuid.xcr0_allowed = 7;
	assert_int_equal(x86__set_xcr0(vcpu, 0), 1);
	assert_int_equal(x86__set_xcr0(vcpu, 6), 1);
	assert_int_equal(x86__set_xcr0(vcpu, 5), 1);
	assert_int_equal(x86__set_xcr0(vcpu, 0xf), 1);
	assert_int_equal(x86__set_xcr0(vcpu, 7), 0);
	assert_int_equal(cpu->xcr0, 7);
	vcpu->cpuid.xcr0_allowed = 0;
	assert_int_equal(x86__set_xcr0(vcpu, 3), 1);
	assert_int_equal(x86__set_xcr0(vcpu, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake__setup, fake__teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cr0_refuses),
		TEST(cr0_ignores_undefined_bits),
		TEST(cr0_flushes_on_pg_and_wp),
		TEST(long_mode_needs_pae),
		TEST(long_mode_refuses_long_cs),
		TEST(long_mode_is_left_from_compatibility_code_only),
		TEST(efer_lme_is_fixed_while_paging),
		TEST(efer_refuses_reserved),
		TEST(efer_nx_flushes),
		TEST(cr3_refuses_bits_beyond_the_address),
		TEST(cr3_noflush_needs_pcide),
		TEST(pcide_rules),
		TEST(cr4_refuses_what_cpuid_hides),
		TEST(cr4_in_long_mode),
		TEST(pae_pointers_are_loaded),
		TEST(cr8_takes_four_bits),
		TEST(xcr0_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
