/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user-space library that serves the same requests by software. */
#include "hosts/user/trivet_kvm.h"
#include "vmm/kvm/kvm.h"

#define FIELD(name) offsetof(struct kvm_options, name)

static const struct config_option options[] = {
	{ "memory", OPTION_SIZE, FIELD(memory), 0, TRIVET_KVM_MEMORY_LEAST, TRIVET_KVM_MEMORY_MOST,
	  "most memory for translated code, of all vCPUs together (1G)" },
	{ "stats", OPTION_STRING, FIELD(stats), 0, 0, 0,
	  "file for counters, - for standard error; written at the end and on SIGUSR1" },
	{ "check", OPTION_BOOL, FIELD(check), 0, 0, 0,
	  "compare translated code with the interpreter (off)" },
	{ "check-every", OPTION_U64, FIELD(check_every), 1, 1, 1000000,
	  "compare code that was compared 1000 times every so many times only (1: always)" },
	{ "dump", OPTION_U64, FIELD(dump), KVM_NO_DUMP, 0, UINT64_MAX,
	  "show each translation of the code at this guest address" },
	{ "perf-map", OPTION_BOOL, FIELD(perf_map), 0, 0, 0,
	  "name translated code for perf in /tmp/perf-PID.map (off)" },
	KVM_HALT_POLL_OPTION,
	{ NULL, 0, 0, 0, 0, 0, NULL },
};

static int open_library(const char *path, const struct kvm_options *asked)
{
	const struct trivet_kvm_options given = {
		.check = asked->check ? (unsigned)asked->check_every : 0,
		.perf_map = asked->perf_map,
		.has_dump = asked->dump != KVM_NO_DUMP,
		.dump = asked->dump,
		.memory = asked->memory,
	};

	return trivet_kvm_open_with(&given);
}

const struct kvm_backend kvm_backend_soft = {
	.name = "soft",
	.translates = true,
	.options = options,
	.open = open_library,
	.ioctl = trivet_kvm_ioctl,
	.close = trivet_kvm_close,
	.counters = trivet_kvm_counters,
};
