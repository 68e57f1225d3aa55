/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSRs: who may write what, validity rules, lists, hypercalls. */
#include "tests/unit/x86/fakes.h"
#include "include/x86/kvm_para.h"
#include "include/x86/msr.h"

static struct vcpu *const vcpu = &fake_vcpu[0];

static int wr(u32 msr, u64 value)
{
	return msr__write(vcpu, msr, false, value);
}

static u64 rd(u32 msr)
{
	u64 value;

	assert_int_equal(msr__read(vcpu, msr, false, &value), 0);
	return value;
}

static void every_listed_msr_exists(void **state)
{
	u32 count, i;
	const u32 *list = msr__index_list(&count);
	u64 value;

	for (i = 0; i < count; i++) {
		assert_int_equal(msr__read(vcpu, list[i], true, &value), 0);
		if (list[i] != MSR_TSC)
			assert_int_equal(msr__write(vcpu, list[i], true, value), 0);
	}
	list = msr__feature_list(&count);
	for (i = 0; i < count; i++) {
		assert_int_equal(msr__read_feature(list[i], &value), 0);
		assert_int_equal(msr__read(vcpu, list[i], true, &value), 0);
	}
	assert_int_equal(msr__read_feature(0x12345, &value), 1);
}

static void unknown_msrs_are_refused(void **state)
{
	static const u32 unknown[] = { 2, 0x60, 0x201 + 0x10, 0x480, 0x606, 0x7ff, 0x900, 0xd90,
				       0x4b564d09, 0xc0000085, 0xc0010299, 0xc0011030, ~0U };
	unsigned i;
	u64 value;

	for (i = 0; i < ARRAY_LENGTH(unknown); i++) {
		assert_int_equal(msr__read(vcpu, unknown[i], false, &value), 1);
		assert_int_equal(wr(unknown[i], 0), 1);
		assert_int_equal(msr__write(vcpu, unknown[i], true, 0), 1);
	}
	/* x2APIC registers without an APIC */
	assert_int_equal(msr__read(vcpu, 0x802, false, &value), 1);
}

static void read_only_is_relaxed_for_user_space(void **state)
{
	assert_int_equal(rd(MSR_MTRR_CAP), 0x508);
	assert_int_equal(wr(MSR_MTRR_CAP, 0x508), 1);
	assert_int_equal(msr__write(vcpu, MSR_MTRR_CAP, true, 0x508), 0);
	assert_int_equal(msr__write(vcpu, MSR_MTRR_CAP, true, 0x50a), 1);
	assert_int_equal(wr(MSR_UCODE_REV, 7), 0);
	assert_int_not_equal(rd(MSR_UCODE_REV), 7);
	assert_int_equal(msr__write(vcpu, MSR_UCODE_REV, true, 7), 0);
	assert_int_equal(rd(MSR_UCODE_REV), 7);
}

static void vendors_differ(void **state)
{
	u64 value;

	vcpu->cpuid.intel = true;
	assert_int_equal(msr__read(vcpu, MSR_VM_CR, false, &value), 1);
	assert_int_equal(rd(MSR_FEATURE_CONTROL), 0);
	assert_int_equal(wr(MSR_FEATURE_CONTROL, 1), 0);
	assert_int_equal(wr(MSR_FEATURE_CONTROL, 1), 1);
	assert_int_equal(wr(MSR_TSC_AUX, BIT64(32)), 1);
	vcpu->cpuid.intel = false;
	assert_int_equal(rd(MSR_VM_CR), VM_CR_SVM_DISABLE);
	assert_int_equal(msr__read(vcpu, MSR_FEATURE_CONTROL, false, &value), 1);
	assert_int_equal(msr__read(vcpu, MSR_FEATURE_CONTROL, true, &value), 0);
	assert_int_equal(wr(MSR_TSC_AUX, BIT64(32) | 5), 0);
	assert_int_equal(rd(MSR_TSC_AUX), 5);
	assert_true(rd(MSR_DE_CFG) & DE_CFG_LFENCE_SERIALIZE);
	assert_int_equal(wr(MSR_DE_CFG, 0), 1);
}

static void pat_types(void **state)
{
	assert_int_equal(rd(MSR_PAT), 0x0007040600070406ULL);
	assert_int_equal(wr(MSR_PAT, 0x0407050600070106ULL), 0);
	assert_int_equal(wr(MSR_PAT, 0x0407050600070102ULL), 1);
	assert_int_equal(wr(MSR_PAT, 0x0307050600070106ULL), 1);
	assert_int_equal(wr(MSR_PAT, 0x0807050600070106ULL), 1);
	assert_int_equal(rd(MSR_PAT), 0x0407050600070106ULL);
}

static void mtrr_rules(void **state)
{
	vcpu->cpuid.max_phys_bits = 40;
	assert_int_equal(wr(MSR_MTRR_DEF_TYPE, 0xc06), 0);
	assert_int_equal(wr(MSR_MTRR_DEF_TYPE, 0xc07), 1);
	assert_int_equal(wr(MSR_MTRR_DEF_TYPE, 0x1c06), 1);
	assert_int_equal(wr(MSR_MTRR_FIX_64K, 0x0605040100060606ULL), 0);
	assert_int_equal(wr(MSR_MTRR_FIX_64K, 0x0605040200060606ULL), 1);
	assert_int_equal(wr(MSR_MTRR_FIX_4K_F8000, 0x0505050505050505ULL), 0);
	assert_int_equal(rd(MSR_MTRR_FIX_4K_F8000), 0x0505050505050505ULL);
	assert_int_equal(wr(0x200, 0xc0000000 | 6), 0);
	assert_int_equal(wr(0x200, 0xc0000000 | 2), 1);
	assert_int_equal(wr(0x200, 0xc0000100 | 6), 1);
	assert_int_equal(wr(0x200, BIT64(40) | 6), 1);
	assert_int_equal(wr(0x201, 0xffc0000800ULL), 0);
	assert_int_equal(wr(0x201, 0xffc0000400ULL), 1);
	assert_int_equal(wr(0x20f, 0xffffff0800ULL), 0);
	assert_int_equal(rd(0x20f), 0xffffff0800ULL);
	assert_int_equal(rd(0x201), 0xffc0000800ULL);
	assert_int_equal(rd(MSR_MTRR_DEF_TYPE), 0xc06);
}

static void canonical_addresses(void **state)
{
	static const u32 refused[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_LSTAR,
				       MSR_CSTAR };
	unsigned i;

	vcpu->cpuid.features[FEAT_LA57 / 64] &= ~BIT64(FEAT_LA57 % 64);
	for (i = 0; i < ARRAY_LENGTH(refused); i++) {
		assert_int_equal(wr(refused[i], BIT64(47)), 1);
		assert_int_equal(wr(refused[i], 0xffff800000000000ULL), 0);
		assert_int_equal(rd(refused[i]), 0xffff800000000000ULL);
	}
	assert_int_equal(vcpu->cpu.seg[X86_GS].base, 0xffff800000000000ULL);
	vcpu->cpuid.intel = true;
	assert_int_equal(wr(MSR_SYSENTER_EIP, BIT64(47)), 1);
	assert_int_equal(msr__write(vcpu, MSR_SYSENTER_ESP, true, BIT64(47)), 1);
	vcpu->cpuid.intel = false;
	assert_int_equal(wr(MSR_SYSENTER_EIP, BIT64(47)), 0);
	assert_int_equal(rd(MSR_SYSENTER_EIP), 0xffff800000000000ULL);
}

/* The processor's width counts, not the paging mode. */
static void canonical_addresses_of_57_bits(void **state)
{
	vcpu->cpuid.features[FEAT_LA57 / 64] |= BIT64(FEAT_LA57 % 64);
	vcpu->cpuid.intel = false;
	for (vcpu->cpu.cr4 = 0;; vcpu->cpu.cr4 = CR4_LA57) {
		assert_int_equal(wr(MSR_LSTAR, BIT64(47)), 0);
		assert_int_equal(wr(MSR_FS_BASE, BIT64(55)), 0);
		assert_int_equal(wr(MSR_LSTAR, BIT64(56)), 1);
		assert_int_equal(wr(MSR_FS_BASE, BIT64(56)), 1);
		assert_int_equal(wr(MSR_SYSENTER_EIP, BIT64(56)), 0);
		assert_int_equal(rd(MSR_SYSENTER_EIP), 0xff00000000000000ULL);
		if (vcpu->cpu.cr4)
			break;
	}
}

static void machine_check_banks(void **state)
{
	u64 value;

	assert_int_equal(rd(MSR_MCG_CAP) & 0xff, 32);
	assert_int_equal(msr__read(vcpu, MSR_MCG_CTL, false, &value), 1);
	assert_int_equal(wr(MSR_MCG_CTL, 0), 1);
	vcpu->msrs.mcg_cap = 10 | MCG_CTL_P;
	assert_int_equal(wr(MSR_MCG_CTL, 5), 1);
	assert_int_equal(wr(MSR_MCG_CTL, ~0ULL), 0);
	vcpu->msrs.mc_ctl[0][0] = ~0ULL;
	assert_int_equal(rd(MSR_MCG_CTL), ~0ULL);
	assert_int_equal(rd(MSR_MC0_CTL), ~0ULL);
	assert_int_equal(wr(MSR_MC0_CTL, 3), 1);
	assert_int_equal(wr(MSR_MC0_CTL, 0), 0);
	assert_int_equal(wr(MSR_MC0_CTL + 1, 0), 0);
	assert_int_equal(wr(MSR_MC0_CTL + 1, 5), 1);
	assert_int_equal(msr__write(vcpu, MSR_MC0_CTL + 1, true, 5), 0);
	assert_int_equal(rd(MSR_MC0_CTL + 1), 5);
	assert_int_equal(msr__read(vcpu, MSR_MC0_CTL + 40, false, &value), 1);
	assert_int_equal(rd(MSR_MC0_CTL + 39), 0);
}

static void efer_by_msr(void **state)
{
	assert_int_equal(wr(MSR_EFER, EFER_SCE | EFER_NX), 0);
	assert_int_equal(rd(MSR_EFER), EFER_SCE | EFER_NX);
	assert_int_equal(wr(MSR_EFER, BIT64(3)), 1);
}

static void speculation_control_needs_cpuid(void **state)
{
	struct kvm_cpuid_entry2 e[] = {
		{ .function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .edx = BIT64(26) },
		{ .function = 7, .index = 2, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .edx = BIT64(4) },
	};
	u64 value;

	assert_int_equal(msr__read(vcpu, MSR_SPEC_CTRL, false, &value), 1);
	assert_int_equal(wr(MSR_PRED_CMD, 1), 1);
	assert_int_equal(cpuid__set(vcpu, e, 1), 0);
	assert_int_equal(wr(MSR_SPEC_CTRL, 1), 0);
	assert_int_equal(rd(MSR_SPEC_CTRL), 1);
	assert_int_equal(wr(MSR_SPEC_CTRL, 8), 1);
	assert_int_equal(wr(MSR_PRED_CMD, 1), 0);
	assert_int_equal(wr(MSR_PRED_CMD, 2), 1);
	assert_int_equal(msr__read(vcpu, MSR_PRED_CMD, false, &value), 1);
	assert_int_equal(wr(MSR_SPEC_CTRL, BIT64(10)), 1);
	assert_int_equal(cpuid__set(vcpu, e, 2), 0);
	assert_int_equal(wr(MSR_SPEC_CTRL, BIT64(10) | 1), 0);
	assert_int_equal(rd(MSR_SPEC_CTRL), BIT64(10) | 1);
}

static void hwcr_bits(void **state)
{
	assert_int_equal(rd(MSR_HWCR), HWCR_TSC_FREQ_SEL);
	assert_int_equal(wr(MSR_HWCR, HWCR_TSC_FREQ_SEL | 0x148), 0);
	assert_int_equal(rd(MSR_HWCR), HWCR_TSC_FREQ_SEL);
	assert_int_equal(wr(MSR_HWCR, BIT64(17)), 1);
}

static void init_keeps_most(void **state)
{
	wr(MSR_PAT, 0);
	wr(MSR_KVM_STEAL_TIME, 0x1001);
	wr(MSR_KVM_SYSTEM_TIME_NEW, 0x2001);
	msr__reset(vcpu, true);
	assert_int_equal(rd(MSR_PAT), 0);
	assert_int_equal(rd(MSR_KVM_STEAL_TIME), 0);
	assert_int_equal(rd(MSR_KVM_SYSTEM_TIME), 0);
	msr__reset(vcpu, false);
	assert_int_equal(rd(MSR_PAT), 0x0007040600070406ULL);
}

static void paravirtual_msr_rules(void **state)
{
	assert_int_equal(wr(MSR_KVM_STEAL_TIME, 0x1003), 1);
	assert_int_equal(wr(MSR_KVM_STEAL_TIME, 0x1041), 0);
	assert_true(fake_log.requests[0] & REQ_STEAL_UPDATE);
	assert_int_equal(wr(MSR_KVM_POLL_CONTROL, 2), 1);
	assert_int_equal(rd(MSR_KVM_POLL_CONTROL), 1);
	assert_int_equal(wr(MSR_KVM_ASYNC_PF_EN, 0x2001), 1);
	assert_int_equal(wr(MSR_KVM_SYSTEM_TIME, 0x2001), 0);
	assert_int_equal(rd(MSR_KVM_SYSTEM_TIME_NEW), 0x2001);
	assert_true(fake_log.requests[0] & REQ_CLOCK_UPDATE);
}

static u64 call(u64 number, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	cpu->gpr[X86_RAX] = number;
	cpu->gpr[X86_RBX] = a0;
	cpu->gpr[X86_RCX] = a1;
	cpu->gpr[X86_RDX] = a2;
	cpu->gpr[X86_RSI] = a3;
	assert_true(hypercall__execute(vcpu));
	return cpu->gpr[X86_RAX];
}

static void hypercalls(void **state)
{
	struct pv_clock_pairing *pairing = (void *)(fake_memory + 0x3000);

	vcpu->cpu.code_size = 8;
	assert_int_equal(call(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0), 0);
	assert_int_equal(call(999, 0, 0, 0, 0), (u64)-KVM_ENOSYS);
	assert_int_equal(call(KVM_HC_KICK_CPU, 0, 1, 0, 0), 0);
	assert_int_equal(fake_log.requests[1], REQ_UNHALT);
	assert_int_equal(call(KVM_HC_KICK_CPU, 0, 77, 0, 0), 0);
	assert_int_equal(call(KVM_HC_CLOCK_PAIRING, 0x3000, 1, 0, 0), (u64)-KVM_EOPNOTSUPP);
	assert_int_equal(call(KVM_HC_CLOCK_PAIRING, ~0xfffULL, 0, 0, 0), (u64)-KVM_EFAULT);
	assert_int_equal(call(KVM_HC_CLOCK_PAIRING, 0x3000, 0, 0, 0), 0);
	assert_int_equal(pairing->sec, 1700000000);
	assert_int_equal(pairing->nsec, 123456789);
	assert_in_range(pairing->tsc, 1, x86__guest_tsc(vcpu));
	vcpu->cpu.cpl = 3;
	assert_int_equal(call(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0), (u64)-KVM_EPERM);
}

static void narrow_hypercalls(void **state)
{
	vcpu->cpu.code_size = 4;
	assert_int_equal(call(999, 0, 0, 0, 0), (u32)-KVM_ENOSYS);
	vcpu->lapic = (struct lapic *)fake_memory;
	fake_ipi_result = 3;
	assert_int_equal(call(BIT64(40) | KVM_HC_SEND_IPI, BIT64(50) | 5, 6, 7, 8), 3);
	assert_int_equal(fake_ipi[0], 5 | 6ULL << 32);
	assert_int_equal(fake_ipi[1], 0);
	vcpu->cpu.code_size = 8;
	call(KVM_HC_SEND_IPI, BIT64(50) | 5, 6, 7, 8);
	assert_int_equal(fake_ipi[0], BIT64(50) | 5);
	assert_int_equal(fake_ipi[1], 6);
	vcpu->lapic = NULL;
}

static void user_space_hypercall(void **state)
{
	vcpu->cpu.code_size = 8;
	assert_int_equal(call(KVM_HC_MAP_GPA_RANGE, 0x1000, 1, 0, 0), (u64)-KVM_ENOSYS);
	fake_vm.hypercall_exits = BIT64(KVM_HC_MAP_GPA_RANGE);
	assert_int_equal(call(KVM_HC_MAP_GPA_RANGE, 0x1001, 1, 0, 0), (u64)-KVM_EINVAL);
	assert_int_equal(call(KVM_HC_MAP_GPA_RANGE, 0x1000, 0, 0, 0), (u64)-KVM_EINVAL);
	assert_int_equal(call(KVM_HC_MAP_GPA_RANGE, 0x1000, ~0ULL, 0, 0), (u64)-KVM_EINVAL);
	vcpu->cpu.gpr[X86_RAX] = KVM_HC_MAP_GPA_RANGE;
	vcpu->cpu.gpr[X86_RBX] = 0x1000;
	vcpu->cpu.gpr[X86_RCX] = 1;
	assert_false(hypercall__execute(vcpu));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake__setup, fake__teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_listed_msr_exists),
		TEST(unknown_msrs_are_refused),
		TEST(read_only_is_relaxed_for_user_space),
		TEST(vendors_differ),
		TEST(pat_types),
		TEST(mtrr_rules),
		TEST(canonical_addresses),
		TEST(canonical_addresses_of_57_bits),
		TEST(machine_check_banks),
		TEST(efer_by_msr),
		TEST(speculation_control_needs_cpuid),
		TEST(hwcr_bits),
		TEST(init_keeps_most),
		TEST(paravirtual_msr_rules),
		TEST(hypercalls),
		TEST(narrow_hypercalls),
		TEST(user_space_hypercall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
