// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random streams of instructions with memory operands, and a stack, around a page boundary, interpreted in one
 * virtual machine and translated in another: registers, flags and memory must be the same at the end, which is
 * HLT or, where the second page can't be accessed, the instruction that faults (there is no IDT, so the
 * machine shuts down there).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/kvm.h>

#include <cmocka.h>

#include "base/types.h"
#include "hosts/user/trivet_kvm.h"

#define MEMORY_SIZE 0x100000u
#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define PT 0x4000u
#define CODE 0x10000u
#define DATA 0x20000u
#define BOUNDARY 0x21000u
#define DATA_SIZE 0x3000u
#define NR_STREAMS 4000 /* TRIVET_STREAMS in the environment: another number */
#define NR_INSNS 40

#define PRESENT 1u
#define WRITABLE 2u
#define FLAGS_COMPARED 0x8c5u /* CF PF ZF SF OF: AF is undefined behind logic */

struct machine {
	int kvm, vm, vcpu;
	u8 *memory;
	struct kvm_run *run;
};

static u64 seed;

static u32 random_below(u32 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % n;
}

static int request(int fd, unsigned long number, void *arg)
{
	return trivet_kvm_ioctl(fd, number, (unsigned long)arg);
}

static void put64(struct machine *m, u32 at, u64 value)
{
	memcpy(m->memory + at, &value, sizeof(value));
}

static void make_page_tables(struct machine *m)
{
	unsigned i;

	put64(m, PML4, PDPT | PRESENT | WRITABLE);
	put64(m, PDPT, PD | PRESENT | WRITABLE);
	put64(m, PD, PT | PRESENT | WRITABLE);
	for (i = 0; i < MEMORY_SIZE >> 12; i++)
		put64(m, PT + i * 8, (u64)i << 12 | PRESENT | WRITABLE);
}

static void set_long_mode(struct machine *m)
{
	struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1,
				    .s = 1, .l = 1, .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1,
				    .s = 1, .db = 1, .g = 1 };
	struct kvm_sregs s;

	assert_int_equal(request(m->vcpu, KVM_GET_SREGS, &s), 0);
	s.cs = code;
	s.ds = s.es = s.ss = data;
	s.cr0 = 0x80010033; /* PG WP NE MP PE */
	s.cr3 = PML4;
	s.cr4 = 0x620; /* PAE OSFXSR OSXMMEXCPT */
	s.efer = 0x500; /* LMA LME */
	s.idt.limit = 0;
	assert_int_equal(request(m->vcpu, KVM_SET_SREGS, &s), 0);
}

static void create(struct machine *m, const char *heat)
{
	struct kvm_userspace_memory_region slot = { .memory_size = MEMORY_SIZE };

	setenv("TRIVET_SOFT_HEAT", heat, 1);
	m->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	slot.userspace_addr = (u64)m->memory;
	m->kvm = trivet_kvm_open();
	m->vm = request(m->kvm, KVM_CREATE_VM, NULL);
	assert_int_equal(request(m->vm, KVM_SET_USER_MEMORY_REGION, &slot), 0);
	m->vcpu = request(m->vm, KVM_CREATE_VCPU, NULL);
	assert_true(m->vcpu >= 0);
	m->run = mmap(NULL, request(m->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL), PROT_READ | PROT_WRITE,
		      MAP_SHARED, m->vcpu, 0);
	make_page_tables(m);
}

static void destroy(struct machine *m)
{
	munmap(m->run, request(m->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL));
	trivet_kvm_close(m->vcpu);
	trivet_kvm_close(m->vm);
	trivet_kvm_close(m->kvm);
	munmap(m->memory, MEMORY_SIZE);
}

/* ---- streams ---- */

struct form {
	u8 prefix;    /* 0x66, 0xf3, 0xf2 or 0 */
	bool two;     /* 0F */
	u8 opcode;
	u8 reg;	      /* modrm.reg, or ANY */
	bool byte_reg; /* needs REX for the low byte registers */
	u8 imm;	      /* bytes */
};

#define ANY 0xff

static const struct form forms[] = {
	{ 0, false, 0x8b, ANY }, { 0, false, 0x8b, ANY }, { 0, false, 0x89, ANY },
	{ 0, false, 0x89, ANY }, { 0x66, false, 0x8b, ANY }, { 0x66, false, 0x89, ANY },
	{ 0, false, 0x8a, ANY, true }, { 0, false, 0x88, ANY, true }, { 0, false, 0x03, ANY },
	{ 0, false, 0x01, ANY }, { 0, false, 0x13, ANY }, { 0, false, 0x19, ANY },
	{ 0, false, 0x2b, ANY }, { 0, false, 0x33, ANY }, { 0, false, 0x21, ANY },
	{ 0, false, 0x3b, ANY }, { 0, false, 0x39, ANY }, { 0, false, 0x85, ANY },
	{ 0, false, 0x84, ANY, true }, { 0, false, 0xff, 0 }, { 0, false, 0xff, 1 },
	{ 0, false, 0xf7, 2 }, { 0, false, 0xf7, 3 }, { 0, false, 0xf7, 4 }, { 0, false, 0xf7, 5 },
	{ 0, false, 0xf7, 6 }, { 0, false, 0xf6, 7, true }, { 0, false, 0xd1, 4 }, { 0, false, 0xd1, 5 },
	{ 0, false, 0x83, 0, false, 1 }, { 0, false, 0x83, 7, false, 1 },
	{ 0, false, 0xc7, 0, false, 4 }, { 0, true, 0xb6, ANY, true }, { 0, true, 0xbe, ANY, true },
	{ 0, true, 0xb7, ANY }, { 0, true, 0x44, ANY }, { 0, true, 0x4c, ANY },
	{ 0, true, 0x92, 0, true }, { 0, true, 0x95, 0, true }, { 0, false, 0x87, ANY },
	{ 0, true, 0xc1, ANY }, { 0, false, 0x8d, ANY }, { 0xf3, true, 0x6f, ANY },
	{ 0xf3, true, 0x7f, ANY }, { 0, true, 0x10, ANY }, { 0, true, 0x11, ANY },
	{ 0x66, true, 0xd6, ANY }, { 0xf2, true, 0x10, ANY }, { 0xf2, true, 0x58, ANY },
	{ 0x66, true, 0x6f, ANY }, { 0x66, true, 0x7f, ANY }, { 0x66, true, 0xfe, ANY }, { 0x66, true, 0x6e, ANY }, { 0x66, true, 0x7e, ANY },
};

/* Of a stream: most operands have these as their base. RBX, RBP, RSI, R13, R10 (in memory). */
static const u8 bases[] = { 3, 5, 6, 13, 10 };
#define INDEX 15 /* small, and never written */

#define RSP 4

static u8 *put_modrm(u8 *p, u8 reg, u8 base, bool register_form, bool index)
{
	bool sib = (base & 7) == RSP;
	s32 disp;

	if (register_form) {
		*p++ = 0xc0 | (reg & 7) << 3 | (base & 7);
		return p;
	}
	if (index) {
		*p++ = 0x44 | (reg & 7) << 3;
		*p++ = random_below(4) << 6 | (INDEX & 7) << 3 | (base & 7);
		*p++ = random_below(8) * 8;
		return p;
	}
	disp = (s32)random_below(24) * 8 - 96 + (random_below(4) ? 0 : (s32)random_below(8));
	if (disp == (s8)disp) {
		*p++ = 0x40 | (reg & 7) << 3 | (base & 7);
		if (sib)
			*p++ = 0x24;
		*p++ = disp;
	} else {
		*p++ = 0x80 | (reg & 7) << 3 | (base & 7);
		if (sib)
			*p++ = 0x24;
		memcpy(p, &disp, 4);
		p += 4;
	}
	return p;
}

/* x87 instructions on registers: arithmetic, constants, comparisons into flags, conditional moves. */
static const u8 pairs[][2] = {
	{ 0xd8, 0xc1 }, { 0xd8, 0xca }, { 0xd8, 0xe1 }, { 0xdc, 0xc2 }, { 0xde, 0xc1 },
	{ 0xde, 0xc9 }, { 0xd9, 0xe8 }, { 0xd9, 0xeb }, { 0xd9, 0xee }, { 0xd9, 0xc9 },
	{ 0xd9, 0xc0 }, { 0xd9, 0xe0 }, { 0xd9, 0xfa }, { 0xdb, 0xe9 }, { 0xdf, 0xf1 },
	{ 0xda, 0xc1 }, { 0xdb, 0xd1 }, { 0xdf, 0xe0 }, { 0xdd, 0xd9 }, { 0xdb, 0xe2 },
};

/* FNSTENV among them shows the pointers, FLDCW unmasks exceptions. */
static u8 *put_x87(u8 *p, u8 base)
{
	u8 reg = random_below(8), opcode = 0xd8 + random_below(8);
	const u8 *pair;

	if (random_below(3)) {
		/* FLDENV and FRSTOR make everything unlike a program's, and FNSAVE empties the stack. */
		if ((opcode == 0xd9 && reg == 4) || (opcode == 0xdd && (reg == 4 || reg == 6)))
			reg = 0;
		if (opcode == 0xd9 && reg == 5 && random_below(4))
			reg = 0;
		if (base & 8)
			*p++ = 0x41;
		*p++ = opcode;
		return put_modrm(p, reg, base, false, false);
	}
	if (!random_below(8)) {
		*p++ = 0x9b;
		return p;
	}
	pair = pairs[random_below(sizeof(pairs) / sizeof(pairs[0]))];

	*p++ = pair[0];
	*p++ = pair[1];
	return p;
}

/* A register to compute with: now and then a base, never RSP. */
static u8 any_register(void)
{
	static const u8 others[] = { 0, 1, 2, 7, 8, 9, 11, 12, 14 };

	return random_below(48) ? others[random_below(sizeof(others))] : bases[random_below(5)];
}

static bool is_lea_or_store_only(const struct form *f)
{
	return !f->two && f->opcode == 0x8d;
}

/* PUSH, POP, and what else moves RSP or reads it. */
static u8 *put_stack_insn(u8 *p)
{
	u8 reg = any_register(), by = 8 * random_below(5);

	switch (random_below(9)) {
	case 0:
		*p++ = 0x6a; /* push $... */
		*p++ = random_below(256);
		return p;
	case 1:
		*p++ = 0x48; /* add, sub $..., %rsp */
		*p++ = 0x83;
		*p++ = random_below(2) ? 0xc4 : 0xec;
		*p++ = by;
		return p;
	case 2:
		*p++ = 0x48; /* lea ...(%rsp), %rsp */
		*p++ = 0x8d;
		*p++ = 0x64;
		*p++ = 0x24;
		*p++ = random_below(2) ? by : -by;
		return p;
	case 3:
		*p++ = 0x48 | (reg >> 3); /* mov %rsp, reg; rarely push %rsp, pop %rsp */
		*p++ = 0x89;
		*p++ = 0xe0 | (reg & 7);
		if (!random_below(4))
			*p++ = 0x54;
		if (!random_below(16))
			*p++ = 0x5c;
		return p;
	default:
		if (reg & 8)
			*p++ = 0x41;
		*p++ = (random_below(2) ? 0x50 : 0x58) | (reg & 7);
		return p;
	}
}

static u8 *put_insn(u8 *p, u8 base)
{
	const struct form *f = &forms[random_below(sizeof(forms) / sizeof(forms[0]))];
	bool vector = f->two && (f->opcode < 0x40 || (f->opcode > 0x4f && f->opcode < 0x80) ||
				 f->opcode >= 0xd0);
	bool lock_like = !f->two && f->opcode == 0x87;
	bool register_form = !random_below(5) && !is_lea_or_store_only(f) && !lock_like;
	u8 reg = f->reg != ANY ? f->reg : vector ? random_below(16) : any_register();
	u8 rm = register_form ? any_register() : random_below(8) ? base : bases[random_below(5)];
	u8 rex = 0x40 | (random_below(2) && !vector ? 8 : 0) | (reg & 8 ? 4 : 0) | (rm & 8 ? 1 : 0);
	bool index = !register_form && !random_below(6);
	unsigned i;

	if (index)
		rex |= 2;
	if (f->prefix == 0x66 && !f->two)
		rex &= ~8;
	if (f->prefix)
		*p++ = f->prefix;
	if (rex != 0x40 || f->byte_reg)
		*p++ = rex;
	if (f->two)
		*p++ = 0x0f;
	*p++ = f->opcode;
	p = put_modrm(p, reg, rm, register_form, index);
	for (i = 0; i < f->imm; i++)
		*p++ = random_below(256);
	return p;
}

/* A base moves on: ADD or SUB of a constant, LEA, INC; all keep what is known of addresses. */
static u8 *move_base(u8 *p, u8 base)
{
	u8 kind = random_below(4), by = (random_below(9) - 4) * 8;

	*p++ = 0x48 | (base & 8 && kind != 2 ? 1 : 0) | (base & 8 && kind == 2 ? 5 : 0);
	if (kind == 2) {
		*p++ = 0x8d;
		*p++ = 0x40 | (base & 7) << 3 | (base & 7);
		*p++ = by;
	} else if (kind == 3) {
		*p++ = 0xff;
		*p++ = 0xc0 | (base & 7);
	} else {
		*p++ = 0x83;
		*p++ = (kind ? 0xe8 : 0xc0) | (base & 7);
		*p++ = by;
	}
	return p;
}

/* MULX, ADCX, ADOX: of a chain in which two flags live. */
static u8 *put_chain(u8 *p, u8 base)
{
	u8 kind = random_below(3), reg = any_register(), other = any_register();
	bool memory = kind == 0 ? random_below(4) : !random_below(4);
	u8 rm = memory ? base : any_register();

	if (kind == 0) {
		*p++ = 0xc4;
		*p++ = (reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | 2;
		*p++ = 0x83 | (~other & 15) << 3;
	} else {
		*p++ = kind == 1 ? 0x66 : 0xf3;
		*p++ = 0x48 | (reg & 8 ? 4 : 0) | (rm & 8 ? 1 : 0);
		*p++ = 0x0f;
		*p++ = 0x38;
	}
	*p++ = 0xf6;
	return put_modrm(p, reg, rm, !memory, false);
}

/* Of one kind most: x87, chains, or all. */
static u8 *put_any_insn(u8 *p, u8 base, unsigned kind)
{
	if (base != RSP && !random_below(24))
		return move_base(p, base);
	if (kind && random_below(3))
		return kind == 1 ? put_x87(p, base) : put_chain(p, base);
	return put_insn(p, base);
}

/* Some of the streams work on the stack, and some jump over an instruction now and then. */
static void make_stream(struct machine *m)
{
	u8 *p = m->memory + CODE, base = bases[random_below(5)], *jump;
	bool stack = random_below(2), jumps = !random_below(3);
	unsigned i, kind = random_below(3);

	for (i = 0; i < NR_INSNS; i++) {
		jump = NULL;
		if (jumps && !random_below(6)) {
			*p++ = 0x70 | random_below(16);
			jump = p++;
		}
		if (stack && !random_below(2))
			p = random_below(2) ? put_stack_insn(p) : put_any_insn(p, RSP, kind);
		else
			p = put_any_insn(p, base, kind);
		if (jump)
			*jump = p - jump - 1;
	}
	*p = 0xf4;
}

static void set_state(struct machine *m, const u64 *values, u64 flags)
{
	struct kvm_regs regs;

	memcpy(&regs, values, 16 * sizeof(u64));
	regs.rip = CODE;
	regs.rflags = flags;
	assert_int_equal(request(m->vcpu, KVM_SET_REGS, &regs), 0);
}

static void reset_x87(struct machine *m)
{
	struct kvm_fpu fpu;

	request(m->vcpu, KVM_GET_FPU, &fpu);
	fpu.fcw = 0x37f;
	fpu.fsw = 0;
	fpu.ftwx = 0;
	fpu.last_opcode = 0;
	fpu.last_ip = 0;
	fpu.last_dp = 0;
	assert_int_equal(request(m->vcpu, KVM_SET_FPU, &fpu), 0);
}

static void prepare(struct machine *interpreted, struct machine *translated)
{
	static const u32 second[] = { PRESENT | WRITABLE, PRESENT | WRITABLE, PRESENT, 0 };
	u64 values[16], flags = 2 | (random_below(0x1000) & 0x8d5);
	/* In the order of struct kvm_regs: rax rbx rcx rdx rsi rdi rsp rbp r8 to r15. */
	static const u8 base_at[] = { 1, 4, 7, 10, 13 };
	u32 entry = second[random_below(4)];
	unsigned i;

	for (i = 0; i < DATA_SIZE; i++)
		interpreted->memory[DATA + i] = random_below(256);
	make_stream(interpreted);
	put64(interpreted, PT + (BOUNDARY >> 12) * 8, BOUNDARY | entry);
	memcpy(translated->memory, interpreted->memory, MEMORY_SIZE);
	for (i = 0; i < 16; i++)
		values[i] = (u64)random_below(~0u) << 32 | random_below(~0u);
	for (i = 0; i < 5; i++)
		values[base_at[i]] = BOUNDARY - 0x80 + random_below(32) * 8 - (random_below(3) ? 0 : 3);
	values[6] = random_below(2) ? DATA + 0x800 : BOUNDARY - 0x100 + random_below(0x200);
	values[INDEX] = random_below(32);
	set_long_mode(interpreted);
	set_long_mode(translated);
	reset_x87(interpreted);
	reset_x87(translated);
	set_state(interpreted, values, flags);
	set_state(translated, values, flags);
}

static bool same_x87(const struct kvm_fpu *f, const struct kvm_fpu *g)
{
	return !memcmp(f->fpr, g->fpr, sizeof(f->fpr)) && f->fcw == g->fcw && f->fsw == g->fsw &&
	       f->ftwx == g->ftwx && f->last_opcode == g->last_opcode && f->last_ip == g->last_ip &&
	       f->last_dp == g->last_dp;
}

static bool same(struct machine *a, struct machine *b)
{
	struct kvm_regs x, y;
	struct kvm_fpu f, g;

	request(a->vcpu, KVM_GET_REGS, &x);
	request(b->vcpu, KVM_GET_REGS, &y);
	request(a->vcpu, KVM_GET_FPU, &f);
	request(b->vcpu, KVM_GET_FPU, &g);
	return a->run->exit_reason == b->run->exit_reason && x.rip == y.rip &&
	       !memcmp(&x, &y, 16 * sizeof(u64)) && !((x.rflags ^ y.rflags) & FLAGS_COMPARED) &&
	       !memcmp(f.xmm, g.xmm, sizeof(f.xmm)) && same_x87(&f, &g) &&
	       !memcmp(a->memory + DATA, b->memory + DATA, DATA_SIZE);
}

static void explain(struct machine *a, struct machine *b, unsigned n)
{
	static const char *const names = "rax rbx rcx rdx rsi rdi rsp rbp r8  r9  r10 r11 r12 r13 r14 r15 ";
	struct kvm_regs x, y;
	struct kvm_fpu f, g;
	unsigned i;

	request(a->vcpu, KVM_GET_REGS, &x);
	request(b->vcpu, KVM_GET_REGS, &y);
	print_error("stream %u: exits %u/%u rip %llx/%llx flags %llx/%llx\n", n, a->run->exit_reason,
		    b->run->exit_reason, x.rip, y.rip, x.rflags, y.rflags);
	for (i = 0; i < 16; i++)
		if (((u64 *)&x)[i] != ((u64 *)&y)[i])
			print_error(" %.3s %llx/%llx\n", names + i * 4, (unsigned long long)((u64 *)&x)[i],
				    (unsigned long long)((u64 *)&y)[i]);
	request(a->vcpu, KVM_GET_FPU, &f);
	request(b->vcpu, KVM_GET_FPU, &g);
	if (!same_x87(&f, &g))
		print_error(" x87: fsw %x/%x fcw %x/%x op %x/%x ip %llx/%llx dp %llx/%llx\n", f.fsw, g.fsw,
			    f.fcw, g.fcw, f.last_opcode, g.last_opcode, f.last_ip, g.last_ip,
			    f.last_dp, g.last_dp);
	for (i = 0; i < DATA_SIZE; i++)
		if (a->memory[DATA + i] != b->memory[DATA + i])
			print_error(" [%x] %02x/%02x\n", DATA + i, a->memory[DATA + i],
				    b->memory[DATA + i]);
	for (i = 0; i < 400 && a->memory[CODE + i] != 0xf4; i++)
		print_error("%02x ", a->memory[CODE + i]);
	print_error("\n");
}

static void streams_end_alike(void **state)
{
	struct machine interpreted, translated;
	const char *wanted = getenv("TRIVET_STREAMS");
	unsigned n, halts = 0, faults = 0, count = wanted ? strtoul(wanted, NULL, 0) : NR_STREAMS;

	create(&interpreted, "4000000000");
	create(&translated, "0");
	for (n = 0; n < count; n++) {
		seed = n;
		prepare(&interpreted, &translated);
		assert_int_equal(request(interpreted.vcpu, KVM_RUN, NULL), 0);
		assert_int_equal(request(translated.vcpu, KVM_RUN, NULL), 0);
		if (!same(&interpreted, &translated)) {
			explain(&interpreted, &translated, n);
			fail();
		}
		halts += interpreted.run->exit_reason == KVM_EXIT_HLT;
		faults += interpreted.run->exit_reason == KVM_EXIT_SHUTDOWN;
	}
	/* Both kinds of end are there, or the streams are not what they should be. */
	assert_true(halts > count / 20);
	assert_true(faults > count / 20);
	destroy(&translated);
	destroy(&interpreted);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(streams_end_alike) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
