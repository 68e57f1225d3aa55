/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU features of a CPUID table, by the names that Linux shows in /proc/cpuinfo. */
#ifndef VMM_CLI_CPU_FEATURES_H
#define VMM_CLI_CPU_FEATURES_H

#include <linux/kvm.h>

/* Prints vendor, model and the features on standard output, wrapped and indented. */
void cpu_features__print(const struct kvm_cpuid2 *cpuid);

#endif
