/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions in 64-bit code: vector, error code, saved RIP and what they leave alone
 * (SDM vol. 3, chapter 6; APM vol. 2, chapter 8).
 */
#include "tests/guests/lib/long/mark.h"

static void check_divide(void)
{
	EXPECT("xor %%ecx, %%ecx; 901: div %%ecx", TRAP(X86_DE, 0), 2, "DIV by zero");
	EXPECT("mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idivl %%ecx", TRAP(X86_DE, 0), 11,
	       "IDIV overflow");
	EXPECT("mov $0xffff, %%eax; mov $1, %%cl; divb %%cl", TRAP(X86_DE, 0), 7, "DIV 8-bit overflow");
	EXPECT("xor %%eax, %%eax; mov $1, %%edx; mov $1, %%ecx; divq %%rcx", TRAP(X86_DE, 0), 12,
	       "DIV 64-bit overflow");
}

static void check_undefined(void)
{
	EXPECT("ud2", TRAP(X86_UD, 0), 0, "UD2");
	EXPECT(".byte 0x06", TRAP(X86_UD, 0), 0, "PUSH ES in 64-bit code");
	EXPECT(".byte 0x27", TRAP(X86_UD, 0), 0, "DAA in 64-bit code");
	EXPECT(".byte 0x60", TRAP(X86_UD, 0), 0, "PUSHA in 64-bit code");
	EXPECT(".byte 0xce", TRAP(X86_UD, 0), 0, "INTO in 64-bit code");
	EXPECT(".byte 0xd6", TRAP(X86_UD, 0), 0, "SALC in 64-bit code");
	EXPECT(".byte 0xd4, 0x0a", TRAP(X86_UD, 0), 0, "AAM in 64-bit code");
	EXPECT(".byte 0x9a,0,0,0,0,0,0", TRAP(X86_UD, 0), 0, "direct far CALL in 64-bit code");
	EXPECT(".byte 0xea,0,0,0,0,0,0", TRAP(X86_UD, 0), 0, "direct far JMP in 64-bit code");
	EXPECT(".byte 0x82,0xc0,0x00", TRAP(X86_UD, 0), 0, "opcode 82H in 64-bit code");
	EXPECT(".byte 0xf0, 0x90", TRAP(X86_UD, 0), 0, "LOCK NOP");
	EXPECT(".byte 0xf0, 0x01, 0xc8", TRAP(X86_UD, 0), 0, "LOCK ADD register");
	EXPECT(".byte 0xf0, 0x8b, 0x04, 0x24", TRAP(X86_UD, 0), 0, "LOCK MOV");
	EXPECT(".byte 0x0f, 0x0b", TRAP(X86_UD, 0), 0, "0F 0B");
	EXPECT(".byte 0x0f, 0xff, 0xc0", TRAP(X86_UD, 0), 0, "UD0");
	EXPECT(".byte 0x0f, 0xb9, 0xc0", TRAP(X86_UD, 0), 0, "UD1");
	EXPECT(".byte 0x0f, 0x20, 0xc8", TRAP(X86_UD, 0), 0, "MOV from CR1");
	EXPECT(".byte 0x0f, 0x22, 0xe8", TRAP(X86_UD, 0), 0, "MOV to CR5");
	EXPECT(".byte 0x8e, 0xc8", TRAP(X86_UD, 0), 0, "MOV to CS");
	EXPECT(".byte 0x8e, 0xf0", TRAP(X86_UD, 0), 0, "MOV to segment register 6");
	EXPECT(".byte 0xc7, 0xc8, 0, 0, 0, 0", TRAP(X86_UD, 0), 0, "group 11 /1");
	EXPECT(".byte 0x8d, 0xc0", TRAP(X86_UD, 0), 0, "LEA of a register");
	EXPECT(".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90",
	       TRAP(X86_GP, 0), 0, "instruction of 16 bytes");
	EXPECT_NONE(".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90",
		    "instruction of 15 bytes");
}

/* Impossible values, most of which would end long mode if they were taken. */
static void check_control_registers(void)
{
	if (cpu__is_tcg()) {
		check__skip("QEMU has few checks there and can't go on", "bits of control registers");
		return;
	}
	EXPECT("mov %%cr0, %%rcx; btc $0, %%rcx; mov %%rcx, %%cr0", TRAP(X86_GP, 0), 8,
	       "CR0: PG without PE");
	EXPECT("mov %%cr4, %%rcx; btr $5, %%rcx; mov %%rcx, %%cr4", TRAP(X86_GP, 0), 8,
	       "CR4: PAE clear in long mode");
	EXPECT("mov $0xc0000080, %%ecx; rdmsr; btr $8, %%eax; wrmsr", TRAP(X86_GP, 0), 11,
	       "EFER: LME cleared with paging on");
	EXPECT("mov %%cr0, %%rcx; btr $31, %%rcx; mov %%rcx, %%cr0", TRAP(X86_GP, 0), 8,
	       "CR0: PG cleared in 64-bit code");
	EXPECT("mov %%cr0, %%rcx; bts $29, %%rcx; btr $30, %%rcx; mov %%rcx, %%cr0",
	       TRAP(X86_GP, 0), 13, "CR0: NW without CD");
	EXPECT("mov %%cr0, %%rcx; bts $32, %%rcx; mov %%rcx, %%cr0", TRAP(X86_GP, 0), 8,
	       "CR0: bit 32");
	EXPECT("mov %%cr4, %%rcx; bts $31, %%rcx; mov %%rcx, %%cr4", TRAP(X86_GP, 0), 8,
	       "CR4: reserved bit 31");
	EXPECT("mov %%cr3, %%rcx; bts $62, %%rcx; mov %%rcx, %%cr3", TRAP(X86_GP, 0), 8,
	       "CR3: reserved bit 62");
}

static void check_general_protection(void)
{
	check_control_registers();
	EXPECT("mov $16, %%ecx; mov %%rcx, %%cr8", TRAP(X86_GP, 0), 5, "CR8: 16");
	EXPECT("mov $0xc0000080, %%ecx; rdmsr; or $2, %%eax; wrmsr", TRAP(X86_GP, 0), 10,
	       "EFER: reserved bit 1");
	EXPECT("mov $0x12345678, %%ecx; rdmsr", TRAP(X86_GP, 0), 5, "RDMSR of no MSR");
	EXPECT("mov $0x0f50, %%ecx; mov %%ecx, %%ds", TRAP(X86_GP, 0xf50), 5,
	       "selector behind the GDT");
	EXPECT("mov $0x0f57, %%ecx; mov %%ecx, %%ds", TRAP(X86_GP, 0xf54), 5, "selector, no LDT");
	EXPECT("mov $0x08, %%ecx; mov %%ecx, %%ss", TRAP(X86_GP, 8), 5, "code segment in SS");
	EXPECT("mov $0x33, %%ecx; mov %%ecx, %%ss", TRAP(X86_GP, 0x30), 5, "SS with RPL 3 at CPL 0");
	EXPECT("mov $0x100, %%ecx; mov %%ecx, %%es", TRAP(X86_GP, 0x100), 5, "TSS in ES");
	EXPECT("mov $3, %%ecx; mov %%ecx, %%ss", TRAP(X86_GP, 0), 5, "null SS with RPL 3 at CPL 0");
	EXPECT_NONE("xor %%ecx, %%ecx; mov %%ss, %%edx; mov %%ecx, %%ss; mov %%edx, %%ss",
		    "null SS at CPL 0");
	EXPECT_NONE("mov $3, %%ecx; mov %%ecx, %%ds; xor %%ecx, %%ecx; mov %%ecx, %%ds", "null DS");
	EXPECT("mov $0x100, %%ecx; ltr %%cx", TRAP(X86_GP, 0x100), 5, "LTR of a busy TSS");
	EXPECT("mov $0x10, %%ecx; ltr %%cx", TRAP(X86_GP, 0x10), 5, "LTR of a data segment");
	EXPECT("mov $0x10, %%ecx; lldt %%cx", TRAP(X86_GP, 0x10), 5, "LLDT of a data segment");
	if (cpu__is_tcg())
		check__skip("QEMU takes it and can't go on", "LTR of null");
	else
		EXPECT("xor %%ecx, %%ecx; ltr %%cx", TRAP(X86_GP, 0), 2, "LTR of null");
	EXPECT_NONE("xor %%ecx, %%ecx; lldt %%cx", "LLDT of null");
	EXPECT("mov $1, %%ecx; mov %%rcx, %%dr0; mov %%ecx, %%edx; shl $32, %%rdx; mov %%rdx, %%dr7",
	       TRAP(X86_GP, 0), 14, "DR7: bit 32");
	EXPECT("mov $1, %%ecx; shl $33, %%rcx; mov %%rcx, %%dr6", TRAP(X86_GP, 0), 9, "DR6: bit 33");
}

static void check_segments(void)
{
	u64 *spare = &gdt[SPARE_SELECTOR / 8];

	*spare = segment__descriptor(0, 0xfffff, 0xc013); /* absent data */
	EXPECT("mov $0x50, %%ecx; mov %%ecx, %%ds", TRAP(X86_NP, 0x50), 5, "absent DS");
	EXPECT("mov $0x53, %%ecx; mov %%ecx, %%ds", TRAP(X86_GP, 0x50), 5, "DS with RPL over DPL");
	EXPECT("mov $0x50, %%ecx; mov %%ecx, %%ss", TRAP(X86_SS_FAULT, 0x50), 5, "absent SS");
	*spare = segment__descriptor(0, 0xfffff, 0xc091); /* read-only */
	EXPECT("mov $0x50, %%ecx; mov %%ecx, %%ss", TRAP(X86_GP, 0x50), 5, "read-only SS");
	EXPECT_NONE("mov $0x50, %%ecx; mov %%ecx, %%es", "read-only ES");
	*spare = segment__descriptor(0, 0xfffff, 0xa099); /* execute-only */
	EXPECT("mov $0x50, %%ecx; mov %%ecx, %%es", TRAP(X86_GP, 0x50), 5, "execute-only ES");
	*spare = segment__descriptor(0, 0xfffff, 0xc092);
	EXPECT_NONE("mov $0x50, %%ecx; mov %%ecx, %%es", "data ES");
	check__equal(*spare >> 40 & 0xff, 0x93, "loading sets the accessed bit");
	__asm__ volatile("mov %0, %%es" : : "r"(0));
	*spare = segment__descriptor(0, 0xfffff, 0xe09b);
	EXPECT("push $0x50; lea 1f(%%rip), %%rcx; push %%rcx; lretq; 1:", TRAP(X86_GP, 0x50), 10,
	       "far return to CS with L and D");
	*spare = segment__descriptor(0, 0xfffff, 0xa01b);
	EXPECT("push $0x50; lea 1f(%%rip), %%rcx; push %%rcx; lretq; 1:", TRAP(X86_NP, 0x50), 10,
	       "far return to absent CS");
	EXPECT("push $0; lea 1f(%%rip), %%rcx; push %%rcx; lretq; 1:", TRAP(X86_GP, 0), 10,
	       "far return to null CS");
	EXPECT("push $0x10; lea 1f(%%rip), %%rcx; push %%rcx; lretq; 1:", TRAP(X86_GP, 0x10), 10,
	       "far return to a data segment");
	*spare = 0;
}

static void check_software_interrupts(void)
{
	u64 before;

	EXPECT("int3", TRAP(X86_BP, 0), 1, "INT3");
	EXPECT(".byte 0xcd, 3", TRAP(X86_BP, 0), 2, "INT 3");
	EXPECT("int $4", TRAP(X86_OF, 0), 2, "INT 4");
	before = idt[0x30].type;
	idt[0x30].type &= 0x7f;
	EXPECT("int $0x30", TRAP(X86_NP, 0x182), 0, "INT through an absent gate");
	idt[0x30].type = 0x85;
	EXPECT("int $0x30", TRAP(X86_GP, 0x182), 0, "INT through a task gate");
	idt[0x30].type = 0x8c;
	EXPECT("int $0x30", TRAP(X86_GP, 0x182), 0, "INT through a call gate");
	idt[0x30].type = before;
	idt[0x30].selector = 0x10;
	EXPECT("int $0x30", TRAP(X86_GP, 0x10), 0, "gate to a data segment");
	idt[0x30].selector = 0;
	EXPECT("int $0x30", TRAP(X86_GP, 0), 0, "gate to null");
	idt[0x30].selector = KERNEL_CS32;
	EXPECT("int $0x30", TRAP(X86_GP, KERNEL_CS32), 0, "gate to 32-bit code");
	idt[0x30].selector = USER_CS & ~3;
	EXPECT("int $0x30", TRAP(X86_GP, USER_CS & ~3), 0, "gate to outer code");
	idt[0x30].selector = KERNEL_CS;
}

/* Vector 13 by INT has no error code: the stub reads RIP as one. Vector 0x31 serves instead. */
static void check_gate_flags(void)
{
	unsigned type;

	for (type = 0xe; type <= 0xf; type++) {
		static volatile u64 flags;
		extern char flag_gate[];
		struct gate saved = idt[0x31];
		u64 offset = (u64)flag_gate;

		idt[0x31].offset0 = offset;
		idt[0x31].offset1 = offset >> 16;
		idt[0x31].type = 0x80 | type;
		__asm__ volatile("sti; stc; pushf; orl $0x4000, (%%rsp); popf; int $0x31; pushf;"
				 "andl $~0x4200, (%%rsp); popf; jmp 1f;"
				 ".global flag_gate; flag_gate: pushf; pop %%rax; mov %%rax, %0; iretq; 1:"
				 : "=m"(flags)
				 :
				 : "rax", "memory", "cc");
		check__equal(flags & (RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_CF),
			     (type == 0xf ? RFLAGS_IF : 0) | RFLAGS_CF, "flags in a %s gate's handler",
			     type == 0xf ? "trap" : "interrupt");
		idt[0x31] = saved;
	}
}

/* Faults while an event is delivered: their error codes and what becomes of two of them. */
static void check_delivery(void)
{
	u8 np = idt[X86_NP].type, gp = idt[X86_GP].type, pf = idt[X86_PF].type;
	u8 ud = idt[X86_UD].type, bp = idt[X86_BP].type;

	idt[X86_UD].type &= 0x7f;
	EXPECT("ud2", TRAP(X86_NP, X86_UD * 8 + 3), 0, "#UD through an absent gate");
	idt[X86_NP].type &= 0x7f;
	EXPECT("ud2", TRAP(X86_DF, 0), 0, "#UD, #NP, #NP");
	idt[X86_NP].type = np;
	idt[X86_UD].type = ud;
	idt[X86_BP].type &= 0x7f;
	EXPECT("int3", TRAP(X86_NP, X86_BP * 8 + 2), 0, "INT3 through an absent gate");
	EXPECT(".byte 0xcd, 3", TRAP(X86_NP, X86_BP * 8 + 2), 0, "INT 3 through an absent gate");
	idt[X86_BP].type = bp;
	idt[X86_GP].type &= 0x7f;
	EXPECT("mov $0xf50, %%ecx; mov %%ecx, %%ds", TRAP(X86_DF, 0), 5, "#GP, #NP");
	idt[X86_GP].type = gp;
	idt[X86_PF].type &= 0x7f;
	EXPECT("mov $0x40000000, %%ecx; mov (%%rcx), %%ecx", TRAP(X86_DF, 0), 5, "#PF, #NP");
	check__equal(read_cr2(), 0x40000000, "CR2 after #PF, #NP");
	idt[X86_PF].type = pf;
	/* A stack that faults: #PF with IST on the handler, then without. */
	trap__set_gate(X86_PF, 0xe, 0, 2);
	EXPECT("mov %%rsp, %%rbx; mov $0x40001000, %%ecx; mov %%rcx, %%rsp; ud2; mov %%rbx, %%rsp",
	       TRAP(X86_PF, PFERR_WRITE), 11, "#UD on an absent stack");
	check__equal(read_cr2(), 0x40001000 - 8, "CR2 of a push by event delivery");
	trap__set_gate(X86_PF, 0xe, 0, 0);
	EXPECT("mov %%rsp, %%rbx; mov $0x40001000, %%ecx; mov %%rcx, %%rsp; ud2; mov %%rbx, %%rsp",
	       TRAP(X86_DF, 0), 11, "#UD, #PF, #PF");
	EXPECT("mov %%rsp, %%rbx; mov $0x40001000, %%ecx; mov %%rcx, %%rsp; push %%rax; mov %%rbx, "
	       "%%rsp",
	       TRAP(X86_DF, 0), 11, "#PF on an absent stack");
	trap__set_gate(X86_SS_FAULT, 0xe, 0, 2);
	/* Intel's manual says EXT here, AMD's an error code of 0. */
	check__equal(TRY(__asm__ volatile("mov %%rsp, %%rbx; mov $1, %%ecx; shl $63, %%rcx;"
					  "mov %%rcx, %%rsp; ud2; mov %%rbx, %%rsp"
					  : : : MARK_CLOBBERS)),
		     X86_SS_FAULT, "#UD on a non-canonical stack");
	trap__set_gate(X86_SS_FAULT, 0xe, 0, 0);
}

static void check_stacks(void)
{
	unsigned ist;
	u64 stack;

	for (ist = 1; ist <= 3; ist++) {
		trap__set_gate(X86_UD, 0xe, 0, ist);
		EXPECT("ud2", TRAP(X86_UD, 0), 0, "#UD with IST");
		stack = trap()->stack + sizeof(struct trap_frame);
		check__equal(stack, tss[0].ist[ist - 1] & ~15UL, "frame on IST %u", ist);
	}
	tss[0].ist[1] -= 5;
	trap__set_gate(X86_UD, 0xe, 0, 2);
	EXPECT("ud2", TRAP(X86_UD, 0), 0, "#UD with odd IST");
	check__equal(trap()->stack + sizeof(struct trap_frame), tss[0].ist[1] & ~15UL,
		     "IST aligned down to 16");
	tss[0].ist[1] += 5;
	trap__set_gate(X86_UD, 0xe, 0, 0);
	/* Without a stack switch RSP is aligned, too, and SS:RSP saved as they were. */
	EXPECT("mov %%rsp, %%rbx; sub $13, %%rsp; ud2; mov %%rbx, %%rsp", TRAP(X86_UD, 0), 7,
	       "#UD on an odd stack");
	check__equal(trap()->stack & 15, 0, "frame aligned to 16");
	check__equal(trap()->frame.rsp - trap()->stack < 13 * 8 + 200, 1, "RSP saved");
	check__equal(trap()->frame.rsp & 15, (trap()->frame.rbx - 13) & 15, "odd RSP saved");
	check__equal(trap()->frame.ss, KERNEL_SS, "SS saved");
}

static void user_int_high(u64 arg)
{
	__asm__ volatile("int $0x40");
}

static void user_int3(u64 arg)
{
	__asm__ volatile("int3");
}

static void user_icebp(u64 arg)
{
	__asm__ volatile(".byte 0xf1");
}

#define USER_INSN(name, insn)                                                                      \
	static void user_##name(u64 arg)                                                           \
	{                                                                                          \
		__asm__ volatile(insn : : : "rax", "rcx", "rdx", "memory");                        \
	}

USER_INSN(hlt, "hlt")
USER_INSN(cli, "cli")
USER_INSN(sti, "sti")
USER_INSN(in, "in $0x80, %%al")
USER_INSN(outsb, "mov $0x80, %%edx; outsb")
USER_INSN(cr0, "mov %%cr0, %%rax")
USER_INSN(dr7, "mov %%dr7, %%rax")
USER_INSN(clts, "clts")
USER_INSN(invlpg, "invlpg (%%rsp)")
USER_INSN(lgdt, "lgdt -16(%%rsp)")
USER_INSN(ltr, "xor %%eax, %%eax; ltr %%ax")
USER_INSN(rdmsr, "mov $0x1b, %%ecx; rdmsr")
USER_INSN(wbinvd, "wbinvd")
USER_INSN(sysret, "sysretq")
USER_INSN(swapgs, "swapgs")
USER_INSN(sidt, "sidt -16(%%rsp)")
USER_INSN(rdtsc, "rdtsc")
USER_INSN(popf, "pushf; orl $0x3200, (%%rsp); popf")
USER_INSN(smsw, "smsw %%eax")
USER_INSN(load_kernel_ds, "mov $0x10, %%eax; mov %%eax, %%ds")
USER_INSN(load_null_ss, "xor %%eax, %%eax; mov %%eax, %%ss")
USER_INSN(cr8, "mov %%cr8, %%rax")
USER_INSN(xsetbv, "xor %%ecx, %%ecx; xor %%edx, %%edx; mov $1, %%eax; xsetbv")
USER_INSN(monitor, "mov %%rsp, %%rax; xor %%ecx, %%ecx; xor %%edx, %%edx; monitor")
USER_INSN(rdpmc, "xor %%ecx, %%ecx; rdpmc")

static void check_privilege(void)
{
	static const struct {
		const char *name;
		void (*fn)(u64);
		u64 want;
	} row[] = {
		{ "HLT", user_hlt, TRAP(X86_GP, 0) },
		{ "CLI", user_cli, TRAP(X86_GP, 0) },
		{ "STI", user_sti, TRAP(X86_GP, 0) },
		{ "IN", user_in, TRAP(X86_GP, 0) },
		{ "OUTSB", user_outsb, TRAP(X86_GP, 0) },
		{ "MOV CR0", user_cr0, TRAP(X86_GP, 0) },
		{ "MOV CR8", user_cr8, TRAP(X86_GP, 0) },
		{ "MOV DR7", user_dr7, TRAP(X86_GP, 0) },
		{ "CLTS", user_clts, TRAP(X86_GP, 0) },
		{ "INVLPG", user_invlpg, TRAP(X86_GP, 0) },
		{ "LGDT", user_lgdt, TRAP(X86_GP, 0) },
		{ "LTR", user_ltr, TRAP(X86_GP, 0) },
		{ "RDMSR", user_rdmsr, TRAP(X86_GP, 0) },
		{ "WBINVD", user_wbinvd, TRAP(X86_GP, 0) },
		{ "SYSRET", user_sysret, TRAP(X86_GP, 0) },
		{ "SWAPGS", user_swapgs, TRAP(X86_GP, 0) },
		{ "RDPMC", user_rdpmc, TRAP(X86_GP, 0) },
		{ "load of a kernel DS", user_load_kernel_ds, TRAP(X86_GP, 0x10) },
		{ "load of a null SS", user_load_null_ss, TRAP(X86_GP, 0) },
		{ "INT to a DPL 0 gate", user_int_high, TRAP(X86_GP, 0x40 * 8 + 2) },
		{ "INT3 to a DPL 3 gate", user_int3, TRAP(X86_BP, 0) },
		{ "INT1 whatever the DPL", user_icebp, TRAP(X86_DB, 0) },
		{ "SIDT without UMIP", user_sidt, (u64)NO_TRAP << 32 },
		{ "SMSW without UMIP", user_smsw, (u64)NO_TRAP << 32 },
		{ "RDTSC without TSD", user_rdtsc, (u64)NO_TRAP << 32 },
		{ "POPF of IF and IOPL", user_popf, (u64)NO_TRAP << 32 },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row); i++)
		check__equal(trap__code(user__call(row[i].fn, 0)), row[i].want, "CPL 3: %s",
			     row[i].name);
	check__equal(trap()->frame.rflags & (RFLAGS_IF | RFLAGS_IOPL), 0, "POPF changed neither");
	check__equal(trap__code(user__call(user_monitor, 0)), TRAP(X86_UD, 0), "CPL 3: MONITOR");
	write_cr4(read_cr4() | CR4_TSD);
	check__equal(trap__code(user__call(user_rdtsc, 0)), TRAP(X86_GP, 0), "CPL 3: RDTSC with TSD");
	EXPECT_NONE("rdtsc", "CPL 0: RDTSC with TSD");
	write_cr4(read_cr4() & ~CR4_TSD);
	check__equal(trap__code(user__call(user_xsetbv, 0)), TRAP(X86_UD, 0),
		     "CPL 3: XSETBV without OSXSAVE");
	if (!cpu__has(7, 0, 2, 2)) {
		check__skip("not in CPUID", "UMIP");
		return;
	}
	write_cr4(read_cr4() | CR4_UMIP);
	check__equal(trap__code(user__call(user_sidt, 0)), TRAP(X86_GP, 0), "CPL 3: SIDT with UMIP");
	check__equal(trap__code(user__call(user_smsw, 0)), TRAP(X86_GP, 0), "CPL 3: SMSW with UMIP");
	write_cr4(read_cr4() & ~CR4_UMIP);
}

static void check_user_stack_switch(void)
{
	u64 saved = gdt[TSS_SELECTOR / 8], rsp0 = tss[0].rsp[0];

	check__equal(trap__code(user__call(user_hlt, 0)), TRAP(X86_GP, 0), "stack switch to RSP0");
	check__equal(trap()->stack + sizeof(struct trap_frame), rsp0, "frame on RSP0");
	check__equal(trap()->frame.ss, USER_SS, "user SS saved");
	check__equal(trap()->frame.cs, USER_CS, "user CS saved");
	tss[0].rsp[0] = 0x8000000000000000;
	trap__set_gate(X86_SS_FAULT, 0xe, 0, 2);
	check__equal(user__call(user_int3, 0), X86_SS_FAULT,
		     "stack switch to a non-canonical RSP0");
	tss[0].rsp[0] = rsp0;
	trap__set_gate(X86_SS_FAULT, 0xe, 0, 0);
	/* TSS too short for RSP0: #TS with its selector; LTR needs it available. */
	gdt[TSS_SELECTOR / 8] = (saved & ~0xf00000000ffffUL & ~BIT64(41)) | 7;
	__asm__ volatile("ltr %0" : : "r"((u16)TSS_SELECTOR));
	trap__set_gate(X86_TS, 0xe, 0, 0);
	gdt[TSS_SELECTOR / 8] = saved & ~BIT64(41);
	__asm__ volatile("ltr %0" : : "r"((u16)TSS_SELECTOR));
}

static void user_misaligned(u64 arg)
{
	u64 space[2];

	__asm__ volatile("mov %%eax, 1(%0)" : : "r"(space) : "rax", "memory");
}

static void user_aligned(u64 arg)
{
	u64 space[2];

	__asm__ volatile("mov %%eax, 4(%0)" : : "r"(space) : "rax", "memory");
}

static void user_misaligned_word(u64 arg)
{
	u64 space[2];

	__asm__ volatile("mov %%ax, 3(%0)" : : "r"(space) : "rax", "memory");
}

static void user_misaligned_movups(u64 arg)
{
	u64 space[4];

	__asm__ volatile("movups %%xmm0, 1(%0)" : : "r"(space) : "memory");
}

static void check_alignment(void)
{
	struct user_state state;

	write_cr0(read_cr0() | CR0_AM);
	user__state(&state, user_misaligned, 0);
	check__equal(trap__code(user__run(&state)), (u64)NO_TRAP << 32, "misaligned, AM, AC clear");
	user__state(&state, user_misaligned, 0);
	state.rflags |= RFLAGS_AC;
	check__equal(trap__code(user__run(&state)), TRAP(X86_AC, 0), "misaligned, AM and AC");
	user__state(&state, user_misaligned_word, 0);
	state.rflags |= RFLAGS_AC;
	check__equal(trap__code(user__run(&state)), TRAP(X86_AC, 0), "misaligned word, AM and AC");
	user__state(&state, user_misaligned_movups, 0);
	state.rflags |= RFLAGS_AC;
	check__true(user__run(&state) != X86_GP, "misaligned MOVUPS is no #GP");
	user__state(&state, user_aligned, 0);
	state.rflags |= RFLAGS_AC;
	check__equal(trap__code(user__run(&state)), (u64)NO_TRAP << 32, "aligned, AM and AC");
	write_cr0(read_cr0() & ~CR0_AM);
	user__state(&state, user_misaligned, 0);
	state.rflags |= RFLAGS_AC;
	check__equal(trap__code(user__run(&state)), (u64)NO_TRAP << 32, "misaligned, AM clear");
	write_cr0(read_cr0() | CR0_AM);
	EXPECT_NONE("pushf; orl $0x40000, (%%rsp); popf; mov -31(%%rsp), %%eax; pushf; andl $~0x40000, "
		    "(%%rsp); popf",
		    "misaligned at CPL 0");
	write_cr0(read_cr0() & ~CR0_AM);
}

static void check_compat(void)
{
	/* 32-bit code at CPL 0: BOUND and INTO exist, addresses and operands are 32 bits wide. */
	static u32 bounds[2] __attribute__((used)) = { 5, 9 };
	u64 code;

	code = trap__code(TRY(__asm__ volatile(
		"push $0x18; lea 1f(%%rip), %%rax; push %%rax; lretq; .code32; 1: mov $0x7fffffff, %%eax;"
		"add $1, %%eax; into; ud2; .code64" : : : MARK_CLOBBERS)));
	check__equal(code, TRAP(X86_OF, 0), "INTO in compatibility mode");
	check__equal(trap()->frame.cs, KERNEL_CS32, "CS of INTO in compatibility mode");
	code = trap__code(TRY(__asm__ volatile(
		"push $0x18; lea 1f(%%rip), %%rax; push %%rax; lretq; .code32; 1: mov $10, %%eax;"
		"bound %%eax, %c0; ud2; .code64" : : "i"(bounds) : MARK_CLOBBERS)));
	check__equal(code, TRAP(X86_BR, 0), "BOUND in compatibility mode");
}

int main(void)
{
	check_divide();
	check_undefined();
	check_general_protection();
	check_segments();
	check_gate_flags();
	check_software_interrupts();
	check_delivery();
	check_stacks();
	check_privilege();
	check_user_stack_switch();
	check_alignment();
	check_compat();
	return 0;
}
