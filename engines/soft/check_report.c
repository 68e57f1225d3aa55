/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a developer needs to know of a block whose two executions differ. */
#include "core/decode/decode.h"
#include "engines/soft/show.h"
#include "engines/soft/soft.h"

#define STDERR 2

/* A part of the state, and its name. */
struct field {
	const char *name;
	u32 offset;
	u32 size; /* up to 32 bytes */
};

#define CPU_FIELD(member)                                                                          \
	{                                                                                          \
		#member, offsetof(struct x86_cpu, member), sizeof(((struct x86_cpu *)0)->member)   \
	}
#define SEGMENT_FIELD(text, member)                                                                \
	{                                                                                          \
		text, offsetof(struct x86_cpu, member), sizeof(struct x86_segment)                 \
	}
#define GPR_FIELD(text, reg)                                                                       \
	{                                                                                          \
		text, offsetof(struct x86_cpu, gpr) + (reg) * 8, 8                                 \
	}

static const struct field cpu_fields[] = {
	GPR_FIELD("rax", X86_RAX), GPR_FIELD("rcx", X86_RCX), GPR_FIELD("rdx", X86_RDX),
	GPR_FIELD("rbx", X86_RBX), GPR_FIELD("rsp", X86_RSP), GPR_FIELD("rbp", X86_RBP),
	GPR_FIELD("rsi", X86_RSI), GPR_FIELD("rdi", X86_RDI), GPR_FIELD("r8", X86_R8),
	GPR_FIELD("r9", X86_R9), GPR_FIELD("r10", X86_R10), GPR_FIELD("r11", X86_R11),
	GPR_FIELD("r12", X86_R12), GPR_FIELD("r13", X86_R13), GPR_FIELD("r14", X86_R14),
	GPR_FIELD("r15", X86_R15),
	CPU_FIELD(rip), CPU_FIELD(sysflags),
	SEGMENT_FIELD("es", seg[X86_ES]), SEGMENT_FIELD("cs", seg[X86_CS]),
	SEGMENT_FIELD("ss", seg[X86_SS]), SEGMENT_FIELD("ds", seg[X86_DS]),
	SEGMENT_FIELD("fs", seg[X86_FS]), SEGMENT_FIELD("gs", seg[X86_GS]),
	SEGMENT_FIELD("ldtr", ldtr), SEGMENT_FIELD("tr", tr),
	CPU_FIELD(gdt), CPU_FIELD(idt), CPU_FIELD(cr0), CPU_FIELD(cr2), CPU_FIELD(cr3),
	CPU_FIELD(cr4), CPU_FIELD(efer), CPU_FIELD(xcr0), CPU_FIELD(dr), CPU_FIELD(dr6),
	CPU_FIELD(dr7), CPU_FIELD(pdpte), CPU_FIELD(cpl), CPU_FIELD(code_size),
	CPU_FIELD(long_mode), CPU_FIELD(shadow), CPU_FIELD(nmi_masked), CPU_FIELD(star),
	CPU_FIELD(lstar), CPU_FIELD(cstar), CPU_FIELD(sfmask), CPU_FIELD(kernel_gs_base),
	CPU_FIELD(sysenter_cs), CPU_FIELD(sysenter_esp), CPU_FIELD(sysenter_eip),
	CPU_FIELD(tsc_aux),
};

#define VECTOR_FIELD(member)                                                                       \
	{                                                                                          \
		#member, offsetof(struct xsave_image, member),                                     \
			sizeof(((struct xsave_image *)0)->member)                                  \
	}

static const struct field vector_fields[] = {
	VECTOR_FIELD(fcw), VECTOR_FIELD(fsw), VECTOR_FIELD(ftw), VECTOR_FIELD(fop),
	VECTOR_FIELD(fip), VECTOR_FIELD(fdp), VECTOR_FIELD(mxcsr), VECTOR_FIELD(fcs),
	VECTOR_FIELD(fds),
};

/* Most significant byte first, as numbers are written. */
static void print_number(char *to, const u8 *bytes, u32 size)
{
	static const char digits[] = "0123456789abcdef";

	while (size--) {
		*to++ = digits[bytes[size] >> 4];
		*to++ = digits[bytes[size] & 15];
	}
	*to = 0;
}

static void say(const char *name, const void *before, const void *a, const void *b, u32 size)
{
	char text[3][2 * 64 + 1];

	print_number(text[0], before, size);
	print_number(text[1], a, size);
	print_number(text[2], b, size);
	host__print(STDERR, "  %-14s interpreted %s  translated %s  before %s\n", name, text[1], text[2],
		    text[0]);
}

/* Those below offset `most`. */
static void compare_fields(const struct field *field, unsigned count, u32 most, const void *before,
			   const void *a, const void *b)
{
	for (; count && field->offset < most; count--, field++)
		if (memcmp((const u8 *)a + field->offset, (const u8 *)b + field->offset, field->size))
			say(field->name, (const u8 *)before + field->offset,
			    (const u8 *)a + field->offset, (const u8 *)b + field->offset, field->size);
}

/* Registers of `size` bytes, the first of them with this number. */
static void compare_registers(const struct check *check, const char *name, size_t offset,
			      unsigned size, unsigned first, unsigned count)
{
	const u8 *before = (const u8 *)&check->before.vectors + offset;
	const u8 *a = (const u8 *)&check->interpreted.vectors + offset;
	const u8 *b = (const u8 *)&check->translated.vectors + offset;
	unsigned i;
	char text[16];

	for (i = first; i < first + count; i++, before += size, a += size, b += size) {
		unsigned length = 0;

		if (!memcmp(a, b, size))
			continue;
		for (; name[length]; length++)
			text[length] = name[length];
		if (i >= 10)
			text[length++] = '0' + i / 10;
		text[length++] = '0' + i % 10;
		text[length] = 0;
		say(text, before, a, b, size);
	}
}

static void compare_vectors(const struct check *check)
{
	const struct xstate_component *c = xstate__components();

	if (!check->has_vectors)
		return;
	compare_fields(vector_fields, ARRAY_LENGTH(vector_fields), sizeof(struct xsave_image),
		       &check->before.vectors, &check->interpreted.vectors, &check->translated.vectors);
	compare_registers(check, "st", offsetof(struct xsave_image, st), 16, 0, 8);
	compare_registers(check, "xmm", offsetof(struct xsave_image, xmm), 16, 0, 16);
	compare_registers(check, "ymm_high", offsetof(struct xsave_image, ymm_high), 16, 0, 16);
	if (!(xstate__supported() & XSTATE_AVX512))
		return;
	compare_registers(check, "k", c[XSTATE_OPMASK_NUMBER].offset, 8, 0, 8);
	compare_registers(check, "zmm_high", c[XSTATE_ZMM_HIGH_NUMBER].offset, 32, 0, 16);
	compare_registers(check, "zmm", c[XSTATE_ZMM_MORE_NUMBER].offset, 64, 16, 16);
}

static void compare_flags(const struct check *check)
{
	u64 defined = RFLAGS_ARITH & ~check->undefined;
	u64 before = check->before.cpu.arith & RFLAGS_ARITH;
	u64 a = check->interpreted.cpu.arith & defined, b = check->translated.cpu.arith & defined;

	if (a == b)
		return;
	say("flags", &before, &a, &b, 2);
	if (check->undefined)
		host__print(STDERR, "  %-14s %04x are undefined here and not compared\n", "",
			    check->undefined);
}

static void compare_endings(const struct check *check)
{
	static const char *const names[] = {
		[EXEC_NEXT] = "goes on", [EXEC_STOP] = "goes on",    [EXEC_JUMP] = "goes on",
		[EXEC_AGAIN] = "repeats", [EXEC_FAULT] = "faults",   [EXEC_EXIT] = "meets a device",
		[EXEC_FAIL] = "can't go on",
	};
	const struct check_outcome *a = &check->interpreted, *b = &check->translated;
	const struct vcpu_exception *x = &a->exception, *y = &b->exception;

	if (a->result != b->result)
		host__print(STDERR, "  %-14s interpreted %s  translated %s\n", "then it",
			    names[a->result], names[b->result]);
	if (x->pending && y->pending && (x->vector != y->vector || x->error != y->error ||
					 x->payload != y->payload))
		host__print(STDERR,
			    "  %-14s interpreted %u (error %x, %llx)  translated %u (error %x, %llx)\n",
			    "exception", x->vector, x->error, (unsigned long long)x->payload, y->vector,
			    y->error, (unsigned long long)y->payload);
	if (a->breakpoint_hits != b->breakpoint_hits)
		say("breakpoints", &check->before.breakpoint_hits, &a->breakpoint_hits,
		    &b->breakpoint_hits, 8);
}

static void compare_memory(const struct check *check)
{
	const struct journal *journal = &check->journal;
	const u8 *kept = check->written;
	unsigned i;

	for (i = 0; i < journal->nr_records; i++) {
		const struct journal_record *r = &journal->record[i];
		const u8 *window;
		u32 size, j;

		if (r->extra) {
			host__print(STDERR,
				    "  memory         %llx, %u bytes: only the translation writes them\n",
				    (unsigned long long)r->gpa, r->size);
			continue;
		}
		window = check__window(r, &size);
		for (j = 0; j < size; j++)
			if (window[j] != kept[j])
				host__print(STDERR,
					    "  memory %-12llx interpreted %02x  translated %02x%s\n",
					    (unsigned long long)(r->gpa + (window + j - r->host)),
					    kept[j], window[j],
					    journal__has(journal, window + j) ? "" :
					    "  (beside what is to be written)");
		kept += size;
	}
}

void check__report(struct vcpu *vcpu, const struct block *block)
{
	const struct check *check = vcpu->soft->check;
	u64 rip = check->before.cpu.rip;

	host__print(STDERR,
		    "engine soft: check: vCPU %u: a translation differs from the interpreter: %s\n"
		    "  block at linear %llx, physical %llx; %u of its %u instructions were executed:\n",
		    vcpu->id, show__mode(block->mode), (unsigned long long)rip,
		    (unsigned long long)block->gpa, check->insns, block->count);
	show__guest_code(STDERR, block, rip);
	compare_endings(check);
	compare_fields(cpu_fields, ARRAY_LENGTH(cpu_fields),
		       check->has_system ? sizeof(struct x86_cpu) : CHECK_PLAIN_BYTES, &check->before.cpu,
		       &check->interpreted.cpu, &check->translated.cpu);
	compare_flags(check);
	compare_vectors(check);
	compare_memory(check);
	host__print(STDERR, "  dump=0x%llx shows its translation; the state is that before the block\n",
		    (unsigned long long)block->gpa);
}
