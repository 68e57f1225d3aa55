/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID: what is offered, what of it a guest is given, and the bits that follow its state. */
#include "tests/unit/x86/fakes.h"
#include "include/x86/cpuid.h"
#include "include/x86/kvm_para.h"

static struct vcpu *const vcpu = &fake_vcpu[0];
static struct kvm_cpuid_entry2 offer[CPUID_MAX_ENTRIES];
static u32 offered;

static int setup(void **state)
{
	offered = CPUID_MAX_ENTRIES;
	fake__setup(state);
	return cpuid__supported(offer, &offered);
}

static struct kvm_cpuid_entry2 *find(u32 leaf, u32 index)
{
	u32 i;

	for (i = 0; i < offered; i++)
		if (offer[i].function == leaf && offer[i].index == index)
			return &offer[i];
	return NULL;
}

static void set_offer(void)
{
	assert_int_equal(cpuid__set(vcpu, offer, offered), 0);
}

static u32 query(u32 leaf, u32 index, unsigned reg)
{
	u32 r[4];

	cpuid__query(vcpu, leaf, index, r);
	return r[reg];
}

static void too_small_a_buffer_is_e2big(void **state)
{
	struct kvm_cpuid_entry2 few[4], exact[CPUID_MAX_ENTRIES];
	u32 n = 3;

	few[3].function = 0xdeadbeef;
	assert_int_equal(cpuid__supported(few, &n), -E2BIG);
	assert_int_equal(few[3].function, 0xdeadbeef);
	n = offered;
	assert_int_equal(cpuid__supported(exact, &n), 0);
	n = offered - 1;
	assert_int_equal(cpuid__supported(exact, &n), -E2BIG);
	n = 2;
	assert_int_equal(cpuid__emulated(few, &n), -E2BIG);
}

static void no_leaf_is_offered_twice(void **state)
{
	u32 i, j;

	for (i = 0; i < offered; i++)
		for (j = 0; j < i; j++)
			assert_false(offer[i].function == offer[j].function &&
				     offer[i].index == offer[j].index);
}

static void nothing_unimplemented_is_offered(void **state)
{
	static const enum x86_feature never[] = { FEAT_MONITOR, FEAT_PKU, FEAT_SVM, FEAT_VMX };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(never); i++) {
		const struct x86_feature_bit *b = &x86_feature_bits[never[i]];
		struct kvm_cpuid_entry2 *e = find(b->leaf, b->subleaf);
		const u32 r[4] = { e->eax, e->ebx, e->ecx, e->edx };

		assert_false(r[b->reg] >> b->bit & 1);
		assert_false(cpuid__can_give(never[i]));
	}
	/* AVX512PF and ER, MPX, RTM, HLE; CET; AMX */
	assert_int_equal(find(7, 0)->ebx & (BIT64(26) | BIT64(27) | BIT64(14) | BIT64(11) | BIT64(4)), 0);
	assert_int_equal(find(7, 0)->ecx & BIT64(7), 0);
	assert_int_equal(find(7, 0)->edx & (BIT64(20) | BIT64(24)), 0);
	assert_int_equal(find(0xd, 0)->eax & ~0xe7U, 0);
}

/* AVX-512 is there with its state and what all of it builds on, or not at all. */
static void avx512_is_offered_as_a_whole(void **state)
{
	const u32 basis = 0xd0030000; /* F, DQ, CD, BW, VL */
	struct kvm_cpuid_entry2 *e = find(7, 0);
	u32 xcr0 = find(0xd, 0)->eax, i;

	if (!(xcr0 & 0xe0)) {
		assert_int_equal(e->ebx & (basis | BIT64(21)), 0);
		assert_int_equal(e->ecx & (BIT64(1) | BIT64(6) | BIT64(11) | BIT64(12) | BIT64(14)), 0);
		return;
	}
	assert_int_equal(xcr0 & 0xe7, 0xe7);
	assert_int_equal(e->ebx & basis, basis);
	for (i = 5; i <= 7; i++) {
		e = find(0xd, i);
		assert_int_equal(e->eax, i == 5 ? 64 : i == 6 ? 512 : 1024);
		assert_true(e->ebx >= 832 && e->ebx + e->eax <= find(0xd, 0)->ecx);
	}
}

static void software_features_are_offered_on_every_host(void **state)
{
	static const enum x86_feature always[] = {
		FEAT_X2APIC, FEAT_TSC_ADJUST, FEAT_SMEP, FEAT_SMAP, FEAT_UMIP,	 FEAT_PCID,
		FEAT_NX,     FEAT_LM,	      FEAT_LA57, FEAT_RDPID, FEAT_PDPE1GB,
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(always); i++) {
		const struct x86_feature_bit *b = &x86_feature_bits[always[i]];
		struct kvm_cpuid_entry2 *e = find(b->leaf, b->subleaf);
		const u32 r[4] = { e->eax, e->ebx, e->ecx, e->edx };

		assert_true(r[b->reg] >> b->bit & 1);
	}
	assert_true(find(1, 0)->ecx >> 31 & 1);
}

static void nothing_the_host_lacks_is_offered(void **state)
{
	u32 host[4];

	host__cpuid(1, 0, host);
	/* SSE3 PCLMUL SSSE3 FMA CX16 SSE4 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
	assert_int_equal(find(1, 0)->ecx & 0x76d83203 & ~host[CPUID_ECX], 0);
	assert_int_equal(find(1, 0)->eax, host[CPUID_EAX]);
}

static void deadline_timer_is_a_capability(void **state)
{
	assert_false(find(1, 0)->ecx >> 24 & 1);
	find(1, 0)->ecx |= BIT64(24);
	set_offer();
	assert_true(cpuid__has(&vcpu->cpuid, FEAT_TSC_DEADLINE));
}

static void features_are_set_and_givable(void **state)
{
	find(1, 0)->ecx |= BIT64(3); /* MONITOR */
	find(1, 0)->ecx &= ~BIT64(23); /* POPCNT */
	find(7, 0)->ecx |= BIT64(3); /* PKU */
	set_offer();
	assert_false(cpuid__has(&vcpu->cpuid, FEAT_MONITOR));
	assert_false(cpuid__has(&vcpu->cpuid, FEAT_PKU));
	assert_false(cpuid__has(&vcpu->cpuid, FEAT_POPCNT));
	assert_true(cpuid__has(&vcpu->cpuid, FEAT_SSE2));
	assert_true(cpuid__has(&vcpu->cpuid, FEAT_BASE));
	assert_true(fake_log.requests[0] & REQ_CODE_FLUSH);
	/* The guest still reads what was set. */
	assert_true(query(1, 0, CPUID_ECX) >> 3 & 1);
}

static void before_it_is_set_nothing_is_hidden(void **state)
{
	assert_true(cpuid__has(&vcpu->cpuid, FEAT_SSE2));
	assert_true(cpuid__has(&vcpu->cpuid, FEAT_LM));
	assert_int_equal(query(0, 0, CPUID_EAX), 0);
	assert_int_equal(query(1, 0, CPUID_EDX), 0);
	assert_in_range(vcpu->cpuid.max_phys_bits, 46, 52);
}

static void xcr0_is_cut_to_the_host(void **state)
{
	find(0xd, 0)->eax = ~0U;
	find(0xd, 0)->edx = ~0U;
	set_offer();
	assert_int_equal(vcpu->cpuid.xcr0_allowed, cpuid__supported_xcr0());
	find(1, 0)->ecx &= ~BIT64(26);
	set_offer();
	assert_int_equal(vcpu->cpuid.xcr0_allowed, 0);
}

static void physical_bits(void **state)
{
	struct kvm_cpuid_entry2 *e = find(0x80000008, 0);

	assert_in_range(e->eax & 0xff, 46, 52);
	e->eax = 39 | 48 << 8;
	set_offer();
	assert_int_equal(vcpu->cpuid.max_phys_bits, 39);
	e->eax = 255 | 48 << 8;
	set_offer();
	assert_int_equal(vcpu->cpuid.max_phys_bits, 52);
	e->eax = 40 | 50 << 8;
	assert_int_equal(cpuid__set(vcpu, offer, offered), -EINVAL);
	assert_int_equal(cpuid__set(vcpu, offer, 2), 0);
	assert_int_equal(vcpu->cpuid.max_phys_bits, 36);
}

static void setting_is_bounded_and_final(void **state)
{
	assert_int_equal(cpuid__set(vcpu, offer, CPUID_MAX_ENTRIES + 1), -E2BIG);
	set_offer();
	vcpu->first_run_done = true;
	assert_int_equal(cpuid__set(vcpu, offer, offered), 0);
	offer[1].ecx ^= 1;
	assert_int_equal(cpuid__set(vcpu, offer, offered), -EINVAL);
	assert_int_equal(cpuid__set(vcpu, offer, offered - 1), -EINVAL);
}

static void dynamic_bits(void **state)
{
	set_offer();
	assert_true(query(1, 0, CPUID_EDX) >> 9 & 1);
	fake_apic_base = 0xfee00000;
	assert_false(query(1, 0, CPUID_EDX) >> 9 & 1);
	if (!cpuid__has(&vcpu->cpuid, FEAT_XSAVE))
		return;
	assert_false(query(1, 0, CPUID_ECX) >> 27 & 1);
	vcpu->cpu.cr4 = CR4_OSXSAVE;
	assert_true(query(1, 0, CPUID_ECX) >> 27 & 1);
	vcpu->cpu.xcr0 = 1;
	assert_int_equal(query(0xd, 0, CPUID_EBX), 576);
	vcpu->cpu.xcr0 = 7;
	assert_int_equal(query(0xd, 0, CPUID_EBX), 832);
}

static void kvm_leaves(void **state)
{
	set_offer();
	assert_int_equal(query(0x40000000, 0, CPUID_EBX), 0x4b4d564b);
	assert_true(query(0x40000001, 0, CPUID_EAX) >> KVM_FEATURE_CLOCKSOURCE_STABLE_BIT & 1);
	assert_int_equal(vcpu->cpuid.kvm_features, find(0x40000001, 0)->eax);
	assert_true(query(0x40000001, 0, CPUID_EAX) >> KVM_FEATURE_PV_UNHALT & 1);
	fake_vm.hlt_in_guest = true;
	assert_false(query(0x40000001, 0, CPUID_EAX) >> KVM_FEATURE_PV_UNHALT & 1);
	/* Moved up behind another hypervisor's leaves. */
	find(0x40000000, 0)->function = 0x40000100;
	find(0x40000001, 0)->function = 0x40000101;
	set_offer();
	assert_int_not_equal(vcpu->cpuid.kvm_features, 0);
}

/* Two small CPUs, alike but for the vendor. */
static void set_small(u32 ebx, u32 ecx, u32 edx)
{
	const struct kvm_cpuid_entry2 small[] = {
		{ .function = 0, .eax = 0xb, .ebx = ebx, .ecx = ecx, .edx = edx },
		{ .function = 1, .eax = 0x111 },
		{ .function = 0xb, .index = 0, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 7,
		  .edx = 5 },
		{ .function = 0xb, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 9,
		  .edx = 5 },
		{ .function = 0x80000000, .eax = 0x80000001 },
		{ .function = 0x80000001, .eax = 0x222 },
	};

	assert_int_equal(cpuid__set(vcpu, small, ARRAY_LENGTH(small)), 0);
}

static void out_of_range_leaves(void **state)
{
	set_small(0x68747541, 0x444d4163, 0x69746e65); /* AuthenticAMD */
	assert_int_equal(query(0x20, 0, CPUID_EAX), 0);
	assert_int_equal(query(0x80000010, 0, CPUID_EAX), 0);
	set_small(0x756e6547, 0x6c65746e, 0x49656e69); /* GenuineIntel */
	assert_int_equal(query(0x20, 0, CPUID_EAX), 7);
	assert_int_equal(query(0x20, 1, CPUID_EAX), 9);
	assert_int_equal(query(0x80000010, 0, CPUID_EAX), 7);
	assert_int_equal(query(0x80000001, 0, CPUID_EAX), 0x222);
	assert_int_equal(query(5, 0, CPUID_EAX), 0); /* in range, absent */
}

static void undefined_topology_subleaves(void **state)
{
	set_small(0x68747541, 0x444d4163, 0x69746e65);
	assert_int_equal(query(0xb, 6, CPUID_EAX), 0);
	assert_int_equal(query(0xb, 6, CPUID_ECX), 6);
	assert_int_equal(query(0xb, 6, CPUID_EDX), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake__teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(too_small_a_buffer_is_e2big),
		TEST(no_leaf_is_offered_twice),
		TEST(nothing_unimplemented_is_offered),
		TEST(avx512_is_offered_as_a_whole),
		TEST(software_features_are_offered_on_every_host),
		TEST(nothing_the_host_lacks_is_offered),
		TEST(deadline_timer_is_a_capability),
		TEST(features_are_set_and_givable),
		TEST(before_it_is_set_nothing_is_hidden),
		TEST(xcr0_is_cut_to_the_host),
		TEST(physical_bits),
		TEST(setting_is_bounded_and_final),
		TEST(dynamic_bits),
		TEST(kvm_leaves),
		TEST(out_of_range_leaves),
		TEST(undefined_topology_subleaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
