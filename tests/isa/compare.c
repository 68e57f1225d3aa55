/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Differences of outcomes, by name. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/host.h"
#include "include/x86/exception.h"
#include "tests/isa/compare.h"
#include "tests/isa/exclude.h"
#include "tests/isa/native.h"

static const char *const gpr_names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					   "r8",  "r9",	 "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const seg_names[X86_NR_SEG] = { "es", "cs", "ss", "ds", "fs", "gs" };

static __attribute__((format(printf, 2, 3))) void note(struct comparison *c, const char *format, ...)
{
	va_list args;
	int n;

	if (c->length > sizeof(c->text) - 200)
		return;
	va_start(args, format);
	n = vsnprintf(c->text + c->length, sizeof(c->text) - c->length, format, args);
	va_end(args);
	if (n > 0)
		c->length += n;
}

static void differ(struct comparison *c, const char *name, u64 native, u64 here)
{
	if (native != here)
		note(c, "    %s: processor %llx, here %llx\n", name, (unsigned long long)native,
		     (unsigned long long)here);
}

static void differ_bytes(struct comparison *c, const char *name, unsigned index, const u8 *native,
			 const u8 *here, unsigned n)
{
	unsigned i;

	if (!memcmp(native, here, n))
		return;
	note(c, "    %s%u: processor ", name, index);
	for (i = n; i-- > 0;)
		note(c, "%02x", native[i]);
	note(c, ", here ");
	for (i = n; i-- > 0;)
		note(c, "%02x", here[i]);
	note(c, "\n");
}

/*
 * The x87 pointers: AMD's processors show them in a state image only while an exception is
 * pending (APM vol. 2, 11.5.10: RstrFpErrPtrs).
 */
static bool pointers_are_shown(const struct xsave_image *native)
{
	return !native_is_amd || (native->fsw & FSW_ES);
}

/* Intel's processors keep as many bits of the x87 pointers as their addresses have, 48 or 57. */
static u64 as_kept(u64 pointer)
{
	return native_is_amd ? pointer : pointer << 16;
}

static void compare_component(const struct xsave_image *a, const struct xsave_image *b,
			      const char *name, unsigned component, unsigned n, unsigned first,
			      struct comparison *c)
{
	unsigned size = xstate__components()[component].size / n, i;

	if (component == XSTATE_OPMASK_NUMBER)
		size = 8;
	for (i = 0; i < n; i++)
		differ_bytes(c, name, first + i, xsave_image__at(a, component) + i * size,
			     xsave_image__at(b, component) + i * size, size);
}

static void compare_avx512(const struct xsave_image *a, const struct xsave_image *b,
			   struct comparison *c)
{
	compare_component(a, b, "k", XSTATE_OPMASK_NUMBER, 8, 0, c);
	compare_component(a, b, "zmm_high", XSTATE_ZMM_HIGH_NUMBER, 16, 0, c);
	compare_component(a, b, "zmm", XSTATE_ZMM_MORE_NUMBER, 16, 16, c);
}

static void compare_fp(const struct xsave_image *a, const struct xsave_image *b,
		       struct comparison *c)
{
	unsigned i;

	if (pointers_are_shown(a)) {
		differ(c, "fop", a->fop, b->fop);
		differ(c, "fip", as_kept(a->fip), as_kept(b->fip));
		differ(c, "fdp", as_kept(a->fdp), as_kept(b->fdp));
	}
	differ(c, "fcw", a->fcw, b->fcw);
	differ(c, "fsw", a->fsw, b->fsw);
	differ(c, "ftw", a->ftw, b->ftw);
	differ(c, "mxcsr", a->mxcsr, b->mxcsr);
	for (i = 0; i < 8; i++)
		differ_bytes(c, "st", i, a->st[i], b->st[i], 10);
	for (i = 0; i < 16; i++) {
		differ_bytes(c, "xmm", i, a->xmm[i], b->xmm[i], 16);
		differ_bytes(c, "ymm_high", i, a->ymm_high[i], b->ymm_high[i], 16);
	}
	if (xstate__supported() & XSTATE_AVX512)
		compare_avx512(a, b, c);
}

static bool is_of_operand(u32 vector)
{
	return vector == X86_SS_FAULT || vector == X86_GP || vector == X86_PF || vector == X86_AC;
}

/* Only what both know: in the step's outcome no exception that follows. */
static void compare_exception(const struct isa_state *native, const struct isa_state *here,
			      bool any_cr2, struct comparison *c)
{
	u64 mask = ~0ULL;

	differ(c, "vector", native->vector, here->vector);
	if (native->vector != here->vector) {
		note(c, "    error codes %x and %x, cr2 %llx and %llx\n", native->error, here->error,
		     (unsigned long long)native->cr2, (unsigned long long)here->cr2);
		return;
	}
	/* Linux shows no user which kernel addresses are mapped. */
	if (here->vector == X86_PF && here->cr2 >> 47)
		mask = ~PFERR_PRESENT;
	/* Of an operand that spans pages of different kinds either may be met first. */
	if (any_cr2 && here->vector == X86_PF) {
		if (native->cr2 - here->cr2 + 4096 > 8192)
			differ(c, "cr2", native->cr2, here->cr2);
		mask &= ~PFERR_PRESENT;
	} else if (here->vector == X86_PF) {
		differ(c, "cr2", native->cr2, here->cr2);
	}
	if (here->vector == X86_PF || here->error)
		differ(c, "error code", native->error & mask, here->error & mask);
}

/*
 * An operand that begins in the last bytes of 4 GiB, in a segment with that limit: whether the limit is violated is up
 * to the processor, and "may vary from one execution to another" (SDM vol. 3, 5.3).
 */
static bool wraps_around(const struct instance *in, const struct isa_state *native, const struct isa_state *here)
{
	return in->code_size != 8 && native->vector == X86_PF && native->cr2 >> 6 == 0xffffffffU >> 6 &&
	       (here->vector == X86_SS_FAULT || here->vector == X86_GP);
}

bool compare__is_of_no_use(const struct instance *in, const struct isa_state *native,
			   const struct isa_state *here)
{
	if (!exclude__varying(in).faults)
		return wraps_around(in, native, here);
	return is_of_operand(here->vector) ||
	       (native->rip == in->before.rip && is_of_operand(native->vector));
}

void compare__outcomes(const struct instance *in, const struct isa_state *native,
		       const struct isa_state *here, struct comparison *c)
{
	struct varying varying = exclude__varying(in);
	u64 undefined = in->undefined ? 0 : in->row->undefined;
	u64 mask = ~(undefined | varying.flags), registers = ~0ULL;
	unsigned i;

	/* Where either of two faults may be met first, that both are some is all that is known. */
	if (here->vector != NO_VECTOR &&
	    !(varying.order && is_of_operand(native->vector) && is_of_operand(here->vector)))
		compare_exception(native, here, varying.cr2, c);
	if (here->vector == NO_VECTOR)
		mask &= ~RFLAGS_RF; /* the exception that followed set it */
	if (here->vector == NO_VECTOR && native->rip == in->before.rip && here->rip != native->rip)
		note(c, "    processor raises %u, error code %x, cr2 %llx, here nothing\n",
		     native->vector, native->error, (unsigned long long)native->cr2);
	/* SDM vol. 1, 3.4.1.1: upper halves are not preserved over a change of the code size. */
	if (in->code_size != 8 || native->sel[X86_CS] != SEL_USER_CODE)
		registers = 0xffffffff;
	for (i = 0; i < 16; i++)
		if (!(varying.gprs >> i & 1))
			differ(c, gpr_names[i], native->gpr[i] & registers,
			       here->gpr[i] & registers);
	differ(c, "rip", native->rip, here->rip);
	differ(c, "flags", native->flags & mask, here->flags & mask);
	/* Linux's return to user mode clears the RPL of null selectors. */
	for (i = 0; i < X86_NR_SEG; i++)
		if (native->sel[i] > 3 || here->sel[i] > 3)
			differ(c, seg_names[i], native->sel[i], here->sel[i]);
	differ(c, "fs base", native->fs_base, here->fs_base);
	differ(c, "gs base", native->gs_base, here->gs_base);
	compare_fp(&native->fp, &here->fp, c);
	c->undefined_differ |= !!((native->flags ^ here->flags) & undefined);
}

void compare__data(const struct instance *in, const u8 *native, const u8 *here,
		   struct comparison *c)
{
	unsigned i, shown = 0;

	if (!memcmp(native, here, DATA_BYTES))
		return;
	for (i = 0; i < DATA_BYTES; i++)
		if (native[i] != here[i] && shown++ < 16)
			note(c, "    data[%x]: was %02x, processor %02x, here %02x\n", i,
			     in->data[i], native[i], here[i]);
	note(c, "    %u bytes of data differ\n", shown);
}

static void print_fp(const struct xsave_image *fp)
{
	unsigned i, j;

	printf("  fcw %04x fsw %04x ftw %02x fop %03x fip %llx fdp %llx mxcsr %08x\n", fp->fcw, fp->fsw, fp->ftw,
	       fp->fop, (unsigned long long)fp->fip, (unsigned long long)fp->fdp, fp->mxcsr);
	for (i = 0; i < 8; i++) {
		printf("  st%u ", i);
		for (j = 10; j-- > 0;)
			printf("%02x", fp->st[i][j]);
	}
	for (i = 0; i < 16; i++) {
		printf("%s  ymm%u ", i % 2 ? "" : "\n", i);
		for (j = 16; j-- > 0;)
			printf("%02x", fp->ymm_high[i][j]);
		printf(":");
		for (j = 16; j-- > 0;)
			printf("%02x", fp->xmm[i][j]);
	}
	printf("\n");
	if (!(xstate__supported() & XSTATE_AVX512))
		return;
	for (i = 0; i < 8; i++)
		printf("  k%u %llx", i,
		       (unsigned long long)((u64 *)xsave_image__at(fp, XSTATE_OPMASK_NUMBER))[i]);
	printf("\n");
}

/* The operand's first bytes, or an XSAVE area's header. */
static void print_operand(const struct instance *in)
{
	u64 linear = instance__linear(in);
	bool area = strstr(in->row->name, "xrstor");
	unsigned from = area ? 512 : 0, i;
	u8 bytes[576];

	if (!instance__peek(in, linear, bytes, area ? sizeof(bytes) : 32))
		return;
	if (area)
		printf("  mxcsr %08x header", *(const u32 *)(bytes + 24));
	else
		printf("  operand");
	for (i = from; i < from + (area ? 64 : 32); i++)
		printf(" %02x", bytes[i]);
	printf("\n");
}

static void print_stack(const struct instance *in)
{
	u8 bytes[40];
	unsigned i;

	if (!instance__peek(in, instance__stack(in), bytes, sizeof(bytes)))
		return;
	printf("  stack");
	for (i = 0; i < sizeof(bytes); i++)
		printf(" %02x", bytes[i]);
	printf("\n");
}

void instance__print(const struct instance *in)
{
	const struct isa_state *s = &in->before;
	char text[100] = "(undefined)";
	unsigned i;

	if (!in->undefined)
		decode__print(&in->insn, s->rip, text, sizeof(text));
	printf("  %u-bit code %llx:", in->code_size * 8, (unsigned long long)s->rip);
	for (i = 0; i < in->length; i++)
		printf(" %02x", in->bytes[i]);
	printf("   %s\n ", text);
	for (i = 0; i < 16; i++)
		printf(" %s %llx", gpr_names[i], (unsigned long long)s->gpr[i]);
	printf("\n  flags %llx", (unsigned long long)s->flags);
	for (i = 0; i < X86_NR_SEG; i++)
		printf(" %s %x", seg_names[i], s->sel[i]);
	printf(" fs base %llx gs base %llx", (unsigned long long)s->fs_base,
	       (unsigned long long)s->gs_base);
	if (!in->undefined && (in->insn.flags & INSN_MEM))
		printf(" operand at %llx", (unsigned long long)instance__linear(in));
	printf("\n");
	if (in->row->class == CLASS_VECTOR || in->row->class == CLASS_X87)
		print_fp(&s->fp);
	if (!in->undefined && (in->insn.flags & INSN_MEM))
		print_operand(in);
	if (in->row->flags & ROW_BRANCH)
		print_stack(in);
}
