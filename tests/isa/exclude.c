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

/* AC comes with the flags. */
static bool returns_to_alignment_checks(const struct instance *in)
{
	u64 linear = instance__stack(in) + 2 * in->insn.opsize, flags = 0;

	return instance__peek(in, linear, &flags, in->insn.opsize) && flags & RFLAGS_AC;
}

const char *exclude__instance(const struct instance *in)
{
	if (!native_is_amd && in->code_size != 8 && !strcmp(in->row->name, "kmovq") && !(in->insn.flags & INSN_MEM))
		return "invalid by the manual outside of 64-bit code, executed as KMOVD";
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
	if (!native_is_amd && in->code_size == 8 && !strcmp(in->row->name, "iret") && returns_to_alignment_checks(in))
		return "Intel's processors check its own stack by the AC it loads, and Linux takes that #AC for a split lock";
	if (names_rsp_with_x(in))
		return "with EVEX.X set the processor takes an RSP from before the last PUSH or CALL";
	if (components__are_in_address(in))
		return "RAX or RDX, in the address, asks for components that guests don't have";
	return NULL;
}


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

static bool begins(const char *name, const char *const *beginnings, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}

/*
 * Where Intel's processors differ from AMD's in the order of what they do. They enter the MMX state, clear the
 * mask and upper halves of a gather's registers, and set MXCSR before a page fault; store nothing, so don't fault,
 * for x87 instructions that raise an unmasked exception; look at bytes that a mask leaves out; and touch only those
 * parts of a state image that are asked for.
 */
static bool varies_on_intel(const struct instance *in)
{
	static const char *const rows[] = {
		"maskmov", "vmaskmov", "vpmaskmov", "vpgather", "vgather", "fst", "fist", "fbstp", "vcvtps2ph", "pcmpestr", "pcmpistr",
		"vpcmpestr", "vpcmpistr", "bound",
	};
	const struct opcode_row *row = in->row;

	return is_state_image(row) || begins(row->name, rows, ARRAY_LENGTH(rows)) ||
	       ((row->flags & ROW_WRITES_MEM) && (row->op[1] == OP_Pq || row->op[0] == OP_Qq));
}

/* Of masked elements in memory CR2 may name the first, or the first that takes part. */
static bool is_masked(const struct instance *in)
{
	return in->row->evex && in->insn.evex & INSN_EVEX_MASK;
}

#define GPR(reg) (1u << X86_##reg)

struct varying exclude__varying(const struct instance *in)
{
	static const struct {
		const char *name;
		struct varying varying;
	} values[] = {
		{ "rdtsc", { GPR(RAX) | GPR(RDX), 0, .why = "the time" } },
		{ "rdtscp", { GPR(RAX) | GPR(RDX) | GPR(RCX), 0, .why = "the time and the CPU" } },
		{ "cpuid", { GPR(RAX) | GPR(RBX) | GPR(RCX) | GPR(RDX), 0,
			     .why = "a guest is told other things" } },
	};
	unsigned i;

	if (in->undefined)
		return (struct varying){ 0 };
	for (i = 0; i < ARRAY_LENGTH(values); i++)
		if (!strcmp(in->row->name, values[i].name))
			return values[i].varying;
	if (!strcmp(in->row->name, "rdpid"))
		return (struct varying){ 1u << in->insn.rm, 0, .why = "the CPU" };
	if (!strcmp(in->row->name, "rdrand") || !strcmp(in->row->name, "rdseed"))
		return (struct varying){ 1u << in->insn.rm, RFLAGS_CF, .why = "random numbers" };
	/* AMD family 25, models 1 and 17: the one begins with ES:rDI, the other with rSI. */
	if (!strcmp(in->row->name, "cmps"))
		return (struct varying){ .order = true, .why = "which of two operands is read first" };
	if (!native_is_amd && varies_on_intel(in))
		return (struct varying){ .faults = true, .why = "what faults come first and leave" };
	if (!native_is_amd && is_masked(in))
		return (struct varying){ .cr2 = true, .order = true, .why = "which of masked bytes is looked at first" };
	if (is_state_image(in->row))
		return (struct varying){ .cr2 = true, .why = "the order of accesses to state images" };
	return (struct varying){ 0 };
}
