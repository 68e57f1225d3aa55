/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PC's firmware sets before it hands over, and a kernel that is loaded directly would miss:
 * memory types, fast strings, the virtual wire to the 8259s.
 */
#include <errno.h>
#include <string.h>

#include "vmm/memory/guest_memory.h"
#include "vmm/vcpu/vcpu.h"

#define MSR_MISC_ENABLE 0x1a0
#define MISC_ENABLE_FAST_STRING 1ull
#define MSR_MTRR_BASE0 0x200
#define MSR_MTRR_MASK0 0x201
#define MSR_MTRR_FIX64K_00000 0x250
#define MSR_MTRR_FIX16K_80000 0x258
#define MSR_MTRR_FIX16K_A0000 0x259
#define MSR_MTRR_FIX4K_C0000 0x268
#define MSR_MTRR_FIX4K_F8000 0x26f
#define MSR_MTRR_DEF_TYPE 0x2ff

#define LEAF1_EDX_MTRR (1u << 12)

/* Memory types, one per byte in the fixed-range registers (APM vol. 2, 7.7). */
#define ALL_BYTES(type) (0x0101010101010101ull * (type))
#define TYPE_UC 0u
#define TYPE_WP 5u
#define TYPE_WB 6u
#define DEF_TYPE_ENABLE 0xc00ull /* variable and fixed ranges */
#define MASK_VALID 0x800ull

#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define LVT_EXTINT 0x700u
#define LVT_NMI 0x400u

static bool has_mtrr(const struct kvm_cpuid2 *cpuid)
{
	unsigned i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			return cpuid->entries[i].edx & LEAF1_EDX_MTRR;
	return false;
}

/* A hypervisor that does not have the MSR leaves its guests as they are. */
static int set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	int err = kvm_vcpu__set_msr(&vcpu->kvm, index, value);

	return err == -ENOENT ? 0 : err;
}

/* Everything is write-back but the VGA hole, the ROM area and the device hole below 4 GiB. */
static int set_memory_types(struct vcpu *vcpu, unsigned physical_bits)
{
	uint64_t all = physical_bits < 64 ? (1ull << physical_bits) - 1 : ~0ull;
	uint64_t hole = GUEST_HIGH_RAM_START - GUEST_LOW_RAM_END;
	uint32_t msr;
	int err;

	if ((err = set_msr(vcpu, MSR_MTRR_FIX64K_00000, ALL_BYTES(TYPE_WB))) ||
	    (err = set_msr(vcpu, MSR_MTRR_FIX16K_80000, ALL_BYTES(TYPE_WB))) ||
	    (err = set_msr(vcpu, MSR_MTRR_FIX16K_A0000, ALL_BYTES(TYPE_UC))))
		return err;
	for (msr = MSR_MTRR_FIX4K_C0000; msr <= MSR_MTRR_FIX4K_F8000 && !err; msr++)
		err = set_msr(vcpu, msr, ALL_BYTES(TYPE_WP));
	if (!err)
		err = set_msr(vcpu, MSR_MTRR_BASE0, GUEST_LOW_RAM_END | TYPE_UC);
	if (!err)
		err = set_msr(vcpu, MSR_MTRR_MASK0, (~(hole - 1) & all) | MASK_VALID);
	if (!err)
		err = set_msr(vcpu, MSR_MTRR_DEF_TYPE, DEF_TYPE_ENABLE | TYPE_WB);
	return err;
}

static void put_register(struct kvm_lapic_state *lapic, unsigned offset, uint32_t value)
{
	memcpy(&lapic->regs[offset], &value, sizeof(value));
}

/* MultiProcessor Specification 1.4, 3.6.2.2: virtual wire mode through the boot CPU's APIC. */
static int set_virtual_wire(struct vcpu *vcpu)
{
	struct kvm_lapic_state lapic;
	int err = kvm_vcpu__get_lapic(&vcpu->kvm, &lapic);

	if (err)
		return err;
	put_register(&lapic, APIC_LVT_LINT0, LVT_EXTINT);
	put_register(&lapic, APIC_LVT_LINT1, LVT_NMI);
	return kvm_vcpu__set_lapic(&vcpu->kvm, &lapic);
}

int vcpu__set_firmware_state(struct vcpu *vcpu, const struct kvm_cpuid2 *cpuid)
{
	uint64_t misc_enable;
	int err = 0;

	if (has_mtrr(cpuid))
		err = set_memory_types(vcpu, vcpu_cpuid__physical_bits(cpuid));
	if (!err && !kvm_vcpu__get_msr(&vcpu->kvm, MSR_MISC_ENABLE, &misc_enable))
		err = set_msr(vcpu, MSR_MISC_ENABLE, misc_enable | MISC_ENABLE_FAST_STRING);
	if (!err && vcpu->id == 0)
		err = set_virtual_wire(vcpu);
	return err;
}
