/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list is to stay short: everything on it is a hole in the comparison. */
#include <string.h>

#include "tests/isa/components.h"
#include "tests/isa/exclude.h"
#include "tests/isa/native.h"

static const struct {
	const char *name;
	const char *why;
} rows[] = {
	{ "syscall", "would enter the host's kernel" },
	{ "sysenter", "would enter the host's kernel" },
	{ "vmcall", "a hypervisor below the host's kernel may answer it" },
	{ "vmmcall", "a hypervisor below the host's kernel may answer it" },
	{ "int1", "a hypervisor below the host's kernel may deliver it as a fault" },
	{ "sysexit", "AMD's processors of family 26 raise #UD first, others #GP" },
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

/* EVEX.X is ignored beside a general register in ModRM. */
static bool names_rsp_with_x(const struct instance *in)
{
	const u8 *p = in->bytes;

	if (!in->row->evex || !(in->candidate->traits & TRAIT_GPR_RM) ||
	    (in->insn.flags & INSN_MEM) || in->insn.rm != X86_RSP)
		return false;
	while (*p != 0x62)
		p++;
	return !(p[1] & 0x40);
}

const char *exclude__instance(const struct instance *in)
{
	if (in->undefined)
		return strcmp(in->row->name, "verw") ? NULL : "some microcode executes LOCK VERW";
	if (!strcmp(in->row->name, "int") && (u8)in->insn.imm == 0x80)
		return "INT 80H would enter the host's kernel";
	if (!strcmp(in->row->name, "clzero") && (in->insn.flags & (INSN_REP | INSN_REPNE)))
		return "AMD's processors of family 26 have no CLZERO with F2 or F3";
	if (native_is_deprived && !strcmp(in->row->name, "int") && (u8)in->insn.imm < 32)
		return "the hypervisor below the host's kernel answers it in its own way";
	if (native_is_deprived && !strcmp(in->row->name, "wrgsbase") &&
	    in->before.gpr[in->insn.rm] >> 47)
		return "the hypervisor below the host's kernel does not keep it";
	if (names_rsp_with_x(in))
		return "with EVEX.X set the processor takes an RSP from before the last PUSH or CALL";
	if (components__are_in_address(in))
		return "RAX or RDX, in the address, asks for components that guests don't have";
	return NULL;
}

#define GPR(reg) (1u << X86_##reg)

/*
 * State images are written and read in many pieces, in an order that differs from processor to
 * processor. A page fault must name a byte of the operand; the manuals don't say which.
 */
static bool is_state_image(const struct opcode_row *row)
{
	static const char *const names[] = { "fxsave", "fxrstor", "xsave", "xsaveopt", "xsavec",
					     "xrstor", "fldenv", "fnstenv", "frstor", "fnsave" };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(names); i++)
		if (!strcmp(row->name, names[i]))
			return true;
	return false;
}

struct varying exclude__varying(const struct instance *in)
{
	static const struct {
		const char *name;
		struct varying varying;
	} values[] = {
		{ "rdtsc", { GPR(RAX) | GPR(RDX), 0, false, false, "the time" } },
		{ "rdtscp", { GPR(RAX) | GPR(RDX) | GPR(RCX), 0, false, false,
			"the time and the CPU" } },
		{ "cpuid", { GPR(RAX) | GPR(RBX) | GPR(RCX) | GPR(RDX), 0,
			     false, false, "a guest is told other things" } },
	};
	unsigned i;

	if (in->undefined)
		return (struct varying){ 0 };
	for (i = 0; i < ARRAY_LENGTH(values); i++)
		if (!strcmp(in->row->name, values[i].name))
			return values[i].varying;
	if (!strcmp(in->row->name, "rdpid"))
		return (struct varying){ 1u << in->insn.rm, 0, false, false, "the CPU" };
	if (!strcmp(in->row->name, "rdrand") || !strcmp(in->row->name, "rdseed"))
		return (struct varying){ 1u << in->insn.rm, RFLAGS_CF, false, false,
					 "random numbers" };
	/* AMD family 25, models 1 and 17: the one begins with ES:rDI, the other with rSI. */
	if (!strcmp(in->row->name, "cmps"))
		return (struct varying){ .order = true, .why = "which of two operands is read first" };
	if (is_state_image(in->row))
		return (struct varying){ 0, 0, true, false, "the order of accesses to state images" };
	return (struct varying){ 0 };
}
