/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "tests/isa/components.h"

/* No processor has it, and XCR0 can't. (62 is AMD's LWP, 63 no component.) */
#define NO_COMPONENT (1ULL << 61)
#define OFFSET_XSTATE_BV 512 /* XCOMP_BV follows */

static u64 beyond;

void components__setup(u64 offered)
{
	u32 lo, hi;

	if (!offered) /* perhaps the host has no XCR0 either */
		return;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	beyond = (lo | (u64)hi << 32) & ~offered;
}

static bool is_named(const struct instance *in, const char *name)
{
	return !in->undefined && !strcmp(in->row->name, name);
}

/* XSAVES and XRSTORS raise #GP in user mode, whatever is asked for. */
static bool takes_request(const struct instance *in)
{
	return is_named(in, "xsave") || is_named(in, "xsaveopt") || is_named(in, "xsavec") ||
	       is_named(in, "xrstor");
}

static bool is_address(const struct instance *in, unsigned gpr)
{
	return in->insn.base == gpr || in->insn.index == gpr;
}

bool components__are_more(void)
{
	return beyond;
}

bool components__are_in_address(const struct instance *in)
{
	const u64 *gpr = in->before.gpr;

	return takes_request(in) && ((is_address(in, X86_RAX) && (gpr[X86_RAX] & (u32)beyond)) ||
				     (is_address(in, X86_RDX) && (gpr[X86_RDX] & beyond >> 32)));
}

static void change_header(struct instance *in)
{
	u64 linear = instance__linear(in) + OFFSET_XSTATE_BV, header[2];
	unsigned i;

	/* In part only if the area is misaligned, and then it is not read. */
	if (!instance__peek(in, linear, header, sizeof(header)))
		return;
	for (i = 0; i < 2; i++)
		if (header[i] & beyond)
			header[i] = (header[i] & ~beyond) | NO_COMPONENT;
	instance__poke(in, linear, header, sizeof(header));
}

const struct instance *components__without(const struct instance *in)
{
	static struct instance copy;

	if (!beyond || !takes_request(in))
		return in;
	copy = *in;
	copy.before.gpr[X86_RAX] &= ~(u64)(u32)beyond;
	copy.before.gpr[X86_RDX] &= ~(beyond >> 32);
	if (is_named(in, "xrstor"))
		change_header(&copy);
	return &copy;
}

/* What has been changed and is still as it was changed to is put back: the rest was written. */
void components__put_back(const struct instance *in, const struct instance *executed,
			  struct isa_state *after, u8 *data)
{
	unsigned i;

	if (is_named(in, "xgetbv") && after->rip != in->before.rip) {
		after->gpr[X86_RAX] &= ~(u64)(u32)beyond;
		after->gpr[X86_RDX] &= ~(beyond >> 32);
	}
	if (executed == in)
		return;
	for (i = 0; i < 16; i++)
		if (after->gpr[i] == executed->before.gpr[i])
			after->gpr[i] = in->before.gpr[i];
	for (i = 0; i < DATA_BYTES; i++)
		if (data[i] == executed->data[i])
			data[i] = in->data[i];
}
