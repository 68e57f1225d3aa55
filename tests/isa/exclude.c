/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list is to stay short: everything on it is a hole in the comparison. */
#include <string.h>

#include "tests/isa/exclude.h"

static const struct {
	const char *name;
	const char *why;
} rows[] = {
	{ "syscall", "would enter the host's kernel" },
	{ "sysenter", "would enter the host's kernel" },
	{ "vmcall", "a hypervisor below the host's kernel may answer it" },
	{ "vmmcall", "a hypervisor below the host's kernel may answer it" },
	{ "sgdt", "UMIP: the host's kernel answers in place of the processor" },
	{ "sidt", "UMIP: the host's kernel answers in place of the processor" },
	{ "sldt", "UMIP: the host's kernel answers in place of the processor" },
	{ "str", "UMIP: the host's kernel answers in place of the processor" },
	{ "smsw", "UMIP: the host's kernel answers in place of the processor" },
};

const char *exclude__row(const struct opcode_row *row)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(rows); i++)
		if (!strcmp(row->name, rows[i].name))
			return rows[i].why;
	return NULL;
}

const char *exclude__instance(const struct instance *in)
{
	if (in->undefined)
		return NULL;
	if (!strcmp(in->row->name, "int") && (u8)in->insn.imm == 0x80)
		return "INT 80H would enter the host's kernel";
	return NULL;
}

#define GPR(reg) (1u << X86_##reg)

struct varying exclude__varying(const struct instance *in)
{
	static const struct {
		const char *name;
		struct varying varying;
	} values[] = {
		{ "rdtsc", { GPR(RAX) | GPR(RDX), 0, "the time" } },
		{ "rdtscp", { GPR(RAX) | GPR(RDX) | GPR(RCX), 0, "the time and the CPU" } },
		{ "cpuid", { GPR(RAX) | GPR(RBX) | GPR(RCX) | GPR(RDX), 0,
			     "a guest is told other things" } },
	};
	unsigned i;

	if (in->undefined)
		return (struct varying){ 0 };
	for (i = 0; i < ARRAY_LENGTH(values); i++)
		if (!strcmp(in->row->name, values[i].name))
			return values[i].varying;
	if (!strcmp(in->row->name, "rdpid"))
		return (struct varying){ 1u << in->insn.rm, 0, "the CPU" };
	if (!strcmp(in->row->name, "rdrand") || !strcmp(in->row->name, "rdseed"))
		return (struct varying){ 1u << in->insn.rm, RFLAGS_CF, "random numbers" };
	return (struct varying){ 0 };
}
