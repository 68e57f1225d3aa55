/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the CPUID feature bits (APM vol. 3 appendix E; SDM vol. 2, CPUID). */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "vmm/cli/cpu_features.h"

enum cpuid_register { EAX, EBX, ECX, EDX };

struct feature_word {
	uint32_t leaf, subleaf;
	enum cpuid_register reg;
	const char *names[32]; /* by bit; NULL: no name, or not a feature */
};

static const struct feature_word words[] = {
	{ 1, 0, EDX,
	  { "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep", "mtrr",
	    "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush", NULL, "dts", "acpi", "mmx", "fxsr",
	    "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe" } },
	{ 1, 0, ECX,
	  { "pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2", "ssse3",
	    "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid", "dca", "sse4_1", "sse4_2",
	    "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes", "xsave", "osxsave", "avx",
	    "f16c", "rdrand", "hypervisor" } },
	{ 7, 0, EBX,
	  { "fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep", "bmi2", "erms",
	    "invpcid", "rtm", "cqm", NULL, "mpx", "rdt_a", "avx512f", "avx512dq", "rdseed", "adx",
	    "smap", "avx512ifma", NULL, "clflushopt", "clwb", "intel_pt", "avx512pf", "avx512er",
	    "avx512cd", "sha_ni", "avx512bw", "avx512vl" } },
	{ 7, 0, ECX,
	  { NULL, "avx512vbmi", "umip", "pku", "ospke", "waitpkg", "avx512_vbmi2", NULL, "gfni",
	    "vaes", "vpclmulqdq", "avx512_vnni", "avx512_bitalg", "tme", "avx512_vpopcntdq", NULL,
	    "la57", NULL, NULL, NULL, NULL, NULL, "rdpid" } },
	{ 7, 0, EDX,
	  { NULL, NULL, NULL, NULL, "fsrm", [26] = "spec_ctrl", [28] = "flush_l1d",
	    [29] = "arch_capabilities", [31] = "ssbd" } },
	{ 7, 1, EAX, { [5] = "avx512_bf16" } },
	{ 0xd, 1, EAX, { "xsaveopt", "xsavec", "xgetbv1", "xsaves" } },
	{ 0x80000001, 0, EDX,
	  { [11] = "syscall", [19] = "mp", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt",
	    [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow" } },
	{ 0x80000001, 0, ECX,
	  { "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse",
	    "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", NULL, "lwp", "fma4", "tce",
	    [21] = "tbm", [22] = "topoext" } },
	{ 0x80000007, 0, EDX, { [8] = "constant_tsc" } },
	{ 0x80000008, 0, EBX,
	  { "clzero", "irperf", "xsaveerptr", [9] = "wbnoinvd", [12] = "ibpb", [14] = "ibrs",
	    [15] = "stibp", [24] = "ssbd" } },
	{ 0x40000001, 0, EAX,
	  { "kvmclock", "kvm_nopiodelay", NULL, "kvmclock2", "kvm_asyncpf", "kvm_steal_time",
	    "kvm_pv_eoi", "kvm_pv_unhalt", NULL, "kvm_pv_tlb_flush", "kvm_asyncpf_vmexit",
	    "kvm_pv_ipi", "kvm_poll_control", "kvm_pv_sched_yield", "kvm_asyncpf_int",
	    "kvm_msi_ext_dest_id", [24] = "kvmclock_stable" } },
};

static const struct kvm_cpuid_entry2 *find_leaf(const struct kvm_cpuid2 *cpuid, uint32_t leaf,
						uint32_t subleaf)
{
	uint32_t i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == leaf && cpuid->entries[i].index == subleaf)
			return &cpuid->entries[i];
	return NULL;
}

static void print_vendor(const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = find_leaf(cpuid, 0, 0);
	char vendor[13] = "";

	if (!e)
		return;
	memcpy(vendor, &e->ebx, 4);
	memcpy(vendor + 4, &e->edx, 4);
	memcpy(vendor + 8, &e->ecx, 4);
	e = find_leaf(cpuid, 1, 0);
	printf("  vendor %s, signature %#x\n", vendor, e ? e->eax : 0);
}

void cpu_features__print(const struct kvm_cpuid2 *cpuid)
{
	unsigned column = 0, i, bit;

	print_vendor(cpuid);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct feature_word *word = &words[i];
		const struct kvm_cpuid_entry2 *e = find_leaf(cpuid, word->leaf, word->subleaf);
		uint32_t value;

		if (!e)
			continue;
		value = word->reg == EAX ? e->eax : word->reg == EBX ? e->ebx
					 : word->reg == ECX ? e->ecx : e->edx;
		for (bit = 0; bit < 32; bit++) {
			const char *name = word->names[bit];

			if (!(value >> bit & 1) || !name)
				continue;
			if (column + strlen(name) > 90) {
				putchar('\n');
				column = 0;
			}
			column += printf("%s%s", column ? " " : "  ", name);
		}
	}
	putchar('\n');
}
