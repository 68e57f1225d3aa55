/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID of the guest: what the hypervisor supports, with the machine's topology in place of the
 * host's: one package, one thread per core, APIC identifier = vCPU number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vmm/vcpu/vcpu.h"

#define LEAF1_ECX_X2APIC (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF1_EDX_HTT (1u << 28)
#define EXT1_ECX_CMP_LEGACY (1u << 1)

#define TOPOLOGY_LEVEL_SMT 1u
#define TOPOLOGY_LEVEL_CORE 2u
#define TOPOLOGY_ENTRIES 3u

#define VENDOR_AMD_EBX 0x68747541u   /* "Auth" */
#define VENDOR_HYGON_EBX 0x6f677948u /* "Hygo" */

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index)
{
	unsigned i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}

/* Bits that number `count` things. */
static unsigned width_of(unsigned count)
{
	unsigned bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static bool is_amd(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *leaf = find(cpuid, 0, 0);

	return leaf && (leaf->ebx == VENDOR_AMD_EBX || leaf->ebx == VENDOR_HYGON_EBX);
}

static void set_features(struct kvm_cpuid2 *cpuid, const struct kvm_system *system, unsigned cpus)
{
	struct kvm_cpuid_entry2 *leaf = find(cpuid, 1, 0);

	if (!leaf)
		return;
	leaf->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC; /* the APICs are the hypervisor's */
	leaf->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
	if (kvm_system__extension(system, KVM_CAP_TSC_DEADLINE_TIMER))
		leaf->ecx |= LEAF1_ECX_TSC_DEADLINE;
	/* Identifiers of the package, eight bits. */
	leaf->ebx = (leaf->ebx & 0xff00ffff) | MIN_OF(1u << width_of(cpus), 255u) << 16;
	leaf->edx &= ~LEAF1_EDX_HTT;
	if (cpus > 1)
		leaf->edx |= LEAF1_EDX_HTT;
}

/* Leaf 4 (Intel) and 8000001DH (AMD): who shares a cache; the last level is everybody's. */
static void set_caches(struct kvm_cpuid2 *cpuid, unsigned cpus)
{
	uint32_t identifiers = 1u << width_of(cpus);
	unsigned i;

	for (i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &cpuid->entries[i];
		uint32_t sharing = (leaf->eax >> 5 & 7) >= 3 ? identifiers - 1 : 0;

		if ((leaf->function != 4 && leaf->function != 0x8000001d) || !(leaf->eax & 31))
			continue;
		leaf->eax = (leaf->eax & 0x3fff) | sharing << 14;
		if (leaf->function == 4)
			leaf->eax |= (identifiers - 1 < 63 ? identifiers - 1 : 63) << 26;
	}
}

/* AMD's topology leaves (APM vol. 3, appendix E). */
static void set_amd_topology(struct kvm_cpuid2 *cpuid, unsigned cpus)
{
	struct kvm_cpuid_entry2 *leaf = find(cpuid, 0x80000008, 0);

	if (leaf)
		leaf->ecx = is_amd(cpuid) ? (cpus - 1) | width_of(cpus) << 12 : 0;
	leaf = find(cpuid, 0x80000001, 0);
	if (leaf && is_amd(cpuid)) {
		leaf->ecx &= ~EXT1_ECX_CMP_LEGACY;
		if (cpus > 1)
			leaf->ecx |= EXT1_ECX_CMP_LEGACY;
	}
}

/* Removes a leaf with all its subleaves. */
static void drop(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	unsigned i, kept = 0;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function != function)
			cpuid->entries[kept++] = cpuid->entries[i];
	cpuid->nent = kept;
}

/* Leaf BH. The entries are appended; the caller made room. Leaf 1FH would say no more. */
static void set_extended_topology(struct kvm_cpuid2 *cpuid, unsigned cpus)
{
	const struct kvm_cpuid_entry2 *first = find(cpuid, 0, 0);
	struct kvm_cpuid_entry2 *leaf;

	drop(cpuid, 0x1f);
	drop(cpuid, 0xb);
	if (!first || first->eax < 0xb)
		return;
	leaf = &cpuid->entries[cpuid->nent];
	memset(leaf, 0, TOPOLOGY_ENTRIES * sizeof(*leaf));
	leaf[0] = (struct kvm_cpuid_entry2){ .function = 0xb, .index = 0, .ebx = 1,
					     .ecx = 0 | TOPOLOGY_LEVEL_SMT << 8 };
	leaf[1] = (struct kvm_cpuid_entry2){ .function = 0xb, .index = 1, .eax = width_of(cpus),
					     .ebx = cpus, .ecx = 1 | TOPOLOGY_LEVEL_CORE << 8 };
	leaf[2] = (struct kvm_cpuid_entry2){ .function = 0xb, .index = 2, .ecx = 2 };
	leaf[0].flags = leaf[1].flags = leaf[2].flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	cpuid->nent += TOPOLOGY_ENTRIES;
}

int vcpu_cpuid__build(const struct kvm_system *system, unsigned cpus, struct kvm_cpuid2 **out)
{
	struct kvm_cpuid2 *cpuid, *bigger;
	int err = kvm_system__supported_cpuid(system, &cpuid);

	if (err)
		return err;
	bigger = realloc(cpuid, sizeof(*cpuid) +
					(cpuid->nent + TOPOLOGY_ENTRIES) * sizeof(cpuid->entries[0]));
	if (!bigger) {
		free(cpuid);
		return -ENOMEM;
	}
	cpuid = bigger;
	set_features(cpuid, system, cpus);
	set_caches(cpuid, cpus);
	set_amd_topology(cpuid, cpus);
	set_extended_topology(cpuid, cpus);
	vcpu_cpuid__set_id(cpuid, 0);
	*out = cpuid;
	return 0;
}

void vcpu_cpuid__set_id(struct kvm_cpuid2 *cpuid, unsigned id)
{
	unsigned i;

	for (i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &cpuid->entries[i];

		switch (leaf->function) {
		case 1:
			leaf->ebx = (leaf->ebx & 0x00ffffff) | (id & 0xff) << 24;
			break;
		case 0xb:
			leaf->edx = id;
			break;
		case 0x8000001e: /* APIC, core and node identifiers; one node, one thread per core */
			leaf->eax = id;
			leaf->ebx = id & 0xff;
			leaf->ecx = 0;
			break;
		}
	}
}

void vcpu_cpuid__limit_physical_bits(struct kvm_cpuid2 *cpuid, unsigned most)
{
	struct kvm_cpuid_entry2 *leaf = find(cpuid, 0x80000008, 0);

	if (leaf && (leaf->eax & 0xff) > most)
		leaf->eax = (leaf->eax & ~0xffu) | most;
}

unsigned vcpu_cpuid__physical_bits(const struct kvm_cpuid2 *cpuid)
{
	unsigned i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 0x80000008)
			return cpuid->entries[i].eax & 0xff;
	return 36; /* APM vol. 3, Fn8000_0008: what a CPU without the leaf has */
}
