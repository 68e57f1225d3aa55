/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 5-level paging in use: the fifth table's entries, addresses of 57 bits wherever an address can
 * stand, and what counts as canonical with and without it (SDM vol. 3, 4.5; APM vol. 2, 5.3).
 */
#include "tests/guests/lib/long/mark.h"

/* The part of the address space behind an entry of the top table. */
#define PART(index) ((u64)((s64)((u64)(index) << 55) >> 7))
#define HIGH PART(128)	/* with all that is in the lowest part, like the next one */
#define BELOW PART(300) /* in the upper half */
#define VA 0x10000000000UL
#define FIRST_BAD BIT64(56) /* the lower half ends here */
#define LAST_BAD (0xff00000000000000UL - 8)

static u8 *frame;
static u64 value_of[8] __attribute__((used));
static u8 high_stack[1024] __attribute__((aligned(64)));

static u64 read_code(u64 at)
{
	return trap__code(TRY(__asm__ volatile("mov (%0), %%rax" : : "r"(at) : "rax", "memory")));
}

static u64 write_code(u64 at)
{
	return trap__code(TRY(__asm__ volatile("movl $1, (%0)" : : "r"(at) : "memory")));
}

static u64 call_code(u64 at)
{
	return trap__code(TRY(__asm__ volatile("call *%0" : : "r"(at) : MARK_CLOBBERS)));
}

static u64 wrmsr_code(u32 msr, u64 value)
{
	return trap__code(TRY(wrmsr(msr, value)));
}

#define GP0 TRAP(X86_GP, 0)
#define NONE TRAP(NO_TRAP, 0)

/* ---- in both modes ---- */

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

/* Loads a base and puts the old one back; nothing looks at the table in between. */
static u64 lgdt_code(u64 base)
{
	static struct table_register old, new;

	__asm__ volatile("sgdt %0" : "=m"(old));
	new = (struct table_register){old.limit, base};
	return trap__code(TRY(__asm__ volatile("lgdt %0; lgdt %1" : : "m"(new), "m"(old))));
}

static u64 lidt_code(u64 base)
{
	static struct table_register old, new;

	__asm__ volatile("sidt %0" : "=m"(old));
	new = (struct table_register){old.limit, base};
	return trap__code(TRY(__asm__ volatile("lidt %0; lidt %1" : : "m"(new), "m"(old))));
}

static u64 invpcid_code(u64 address)
{
	const u64 d[2] = {0, address};

	return trap__code(TRY(__asm__ volatile("invpcid %0, %1" : : "m"(d), "r"(0UL) : "memory")));
}

/* What registers take depends on the processor, not on the mode it is in. */
static void check_registers(const char *mode)
{
	static const u32 msr[] = {MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_LSTAR,
				  MSR_CSTAR};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(msr); i++) {
		check__equal(wrmsr_code(msr[i], HIGH), NONE, "%s: MSR %x of 57 bits", mode, msr[i]);
		check__equal(rdmsr(msr[i]), HIGH, "%s: MSR %x reads back", mode, msr[i]);
		check__equal(wrmsr_code(msr[i], FIRST_BAD), GP0, "%s: MSR %x of 58 bits", mode,
			     msr[i]);
		wrmsr(msr[i], 0);
	}
	check__equal(lgdt_code(HIGH), NONE, "%s: LGDT of 57 bits", mode);
	check__equal(lgdt_code(FIRST_BAD), GP0, "%s: LGDT of 58 bits", mode);
	check__equal(lidt_code(HIGH), NONE, "%s: LIDT of 57 bits", mode);
	check__equal(lidt_code(LAST_BAD), GP0, "%s: LIDT of 58 bits", mode);
	/* Of a TSS of such a base, only whether it is refused. */
	gdt[SPARE_SELECTOR / 8] = segment__descriptor(0, 0x67, 0x0082);
	gdt[SPARE_SELECTOR / 8 + 1] = HIGH >> 32;
	check__equal(trap__code(TRY(__asm__ volatile("lldt %w0"
						     :
						     : "r"(SPARE_SELECTOR)))),
		     NONE, "%s: LLDT with a base of 57 bits", mode);
	gdt[SPARE_SELECTOR / 8 + 1] = FIRST_BAD >> 32;
	check__equal(trap__code(TRY(__asm__ volatile("lldt %w0"
						     :
						     : "r"(SPARE_SELECTOR)))),
		     TRAP(X86_GP, SPARE_SELECTOR), "%s: LLDT with a base of 58 bits", mode);
	__asm__ volatile("lldt %w0" : : "r"(0));
	if (cpu__has(7, 0, 1, 10)) {
		check__equal(invpcid_code(HIGH), NONE, "%s: INVPCID of 57 bits", mode);
		check__equal(invpcid_code(FIRST_BAD), GP0, "%s: INVPCID of 58 bits", mode);
	}
	check__equal(TRY(invlpg((void *)HIGH); invlpg((void *)FIRST_BAD)), NO_TRAP,
		     "%s: INVLPG takes anything", mode);
	if (cpu__has(7, 0, 1, 0)) {
		write_cr4(read_cr4() | CR4_FSGSBASE);
		check__equal(trap__code(TRY(__asm__ volatile("wrfsbase %0"
							     :
							     : "r"(HIGH)))),
			     cpu__is_amd() || (read_cr4() & CR4_LA57) ? NONE : GP0,
			     "%s: WRFSBASE of 57 bits", mode);
		check__equal(trap__code(TRY(__asm__ volatile("wrfsbase %0"
							     :
							     : "r"(FIRST_BAD)))),
			     GP0, "%s: WRFSBASE of 58 bits", mode);
		write_cr4(read_cr4() & ~CR4_FSGSBASE);
		wrmsr(MSR_FS_BASE, 0);
	}
}

static void check_four_levels(const char *when)
{
	check__equal(read_cr4() & CR4_LA57, 0, "%s: LA57 is clear", when);
	check__equal(read_code(HIGH), GP0, "%s: read of 57 bits", when);
	check__equal(write_code(BELOW + VA), GP0, "%s: write of 57 bits", when);
	check__equal(call_code(HIGH + (u64)read_code), GP0, "%s: call of 57 bits", when);
	wrmsr(MSR_FS_BASE, HIGH);
	check__equal(trap__code(TRY(__asm__ volatile("mov %%fs:0, %%eax"
						     :
						     :
						     : "rax"))),
		     GP0, "%s: read through a base of 57 bits", when);
	wrmsr(MSR_FS_BASE, 0);
	check__equal(trap__code(TRY(write_cr4(read_cr4() | CR4_LA57))), GP0,
		     "%s: LA57 can't be set in long mode", when);
}

/* ---- with five levels ---- */

static void check_mode(void)
{
	check__equal(read_cr4() & CR4_LA57, CR4_LA57, "LA57 is set");
	check__equal(trap__code(TRY(write_cr4(read_cr4() & ~CR4_LA57))), GP0,
		     "LA57 can't be cleared in long mode");
	check__equal(cpuid(0x80000008, 0).eax >> 8 & 0xff, 57, "CPUID: linear address bits");
}

/* Addresses that differ in the upper 9 bits only are different ones. */
static void check_parts(void)
{
	static const u16 index[] = {1, 2, 255, 256, 301, 511};
	u8 *page[ARRAY_LENGTH(index)];
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(index); i++) {
		page[i] = page__alloc();
		paging__map(PART(index[i]) + VA, (u64)page[i], 1, PTE_P | PTE_W | PTE_U);
	}
	for (i = 0; i < ARRAY_LENGTH(index); i++)
		*(volatile u32 *)(PART(index[i]) + VA + 16) = 0x1000 + i;
	for (i = 0; i < ARRAY_LENGTH(index); i++) {
		u64 *top = paging__entry(PART(index[i]) + VA, 5);

		check__equal(*(u32 *)(page[i] + 16), 0x1000 + i, "part %u: written", index[i]);
		check__equal(*(volatile u32 *)(PART(index[i]) + VA + 16), 0x1000 + i,
			     "part %u: read", index[i]);
		check__equal(*top & (PTE_A | PTE_D), PTE_A, "part %u: accessed, not dirty",
			     index[i]);
	}
	check__equal(read_code(PART(3) + VA), TRAP(X86_PF, 0), "part without a table");
	check__equal(trap()->cr2, PART(3) + VA, "part without a table: CR2");
	check__equal(write_code(PART(400) + VA), TRAP(X86_PF, PFERR_WRITE),
		     "part without a table in the upper half");
	check__equal(trap()->cr2, PART(400) + VA, "part without a table in the upper half: CR2");
	/* Changed entries of the top table take effect. */
	*paging__entry(PART(1) + VA, 5) = *paging__entry(PART(2) + VA, 5);
	flush_tlb();
	check__equal(*(volatile u32 *)(PART(1) + VA + 16), 0x1001, "part under another table");
}

static void check_large_pages(void)
{
	u8 *big = page__alloc_aligned(0x200000);

	*(u32 *)(big + 0x12340) = 0x5678;
	paging__map(PART(5), (u64)big, 2, PTE_P | PTE_W);
	check__equal(*(volatile u32 *)(PART(5) + 0x12340), 0x5678, "page of 2 MiB");
	if (cpu__has(0x80000001, 0, 3, 26)) {
		paging__map(PART(6), 0, 3, PTE_P | PTE_W);
		check__equal(*(volatile u32 *)(PART(6) + (u64)big + 0x12340), 0x5678,
			     "page of 1 GiB");
	}
}

static void user_read(u64 at)
{
	__asm__ volatile("mov (%0), %%eax" : : "r"(at) : "rax", "memory");
}

/* One bit of the top entry at a time; everything below allows everything. */
static void check_top_entry(void)
{
	u64 at = PART(7) + VA, *top, good, bits = cpuid(0x80000008, 0).eax & 0xff;
	unsigned level;

	paging__map(at, (u64)frame, 1, PTE_P | PTE_W | PTE_U);
	frame[0] = 0xc3;
	top = paging__entry(at, 5);
	good = *top;
#define WITH(entry)                                                                                \
	do {                                                                                       \
		*top = (entry);                                                                    \
		flush_tlb();                                                                       \
	} while (0)
	check__equal(call_code(at), NONE, "top entry that allows all: fetch");
	check__equal(trap__code(user__call(user_read, at)), NONE,
		     "top entry that allows all: user");
	WITH(good & ~PTE_W);
	check__equal(read_code(at), NONE, "top entry without W: read");
	check__equal(write_code(at), TRAP(X86_PF, PFERR_PRESENT | PFERR_WRITE),
		     "top entry without W: write");
	check__equal(trap()->cr2, at, "top entry without W: CR2");
	WITH(good & ~PTE_U);
	check__equal(read_code(at), NONE, "top entry without U: supervisor");
	check__equal(trap__code(user__call(user_read, at)),
		     TRAP(X86_PF, PFERR_PRESENT | PFERR_USER), "top entry without U: user");
	WITH(good | PTE_NX);
	check__equal(read_code(at), NONE, "top entry with NX: read");
	check__equal(call_code(at), TRAP(X86_PF, PFERR_PRESENT | PFERR_FETCH),
		     "top entry with NX: fetch");
	WITH(good | PTE_PS);
	check__equal(read_code(at), TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD), "top entry with PS");
	if (bits < 52) {
		WITH(good | BIT64(51));
		check__equal(read_code(at), TRAP(X86_PF, PFERR_PRESENT | PFERR_RSVD),
			     "top entry with address bit 51");
	}
	/* Bits for software. */
	WITH(good | BIT64(9) | BIT64(11) | BIT64(52) | BIT64(62) | PTE_G);
	check__equal(read_code(at), NONE, "top entry with ignored bits");
	WITH(good & ~PTE_A);
	check__equal(read_code(at), NONE, "top entry without A");
	check__equal(*top & (PTE_A | PTE_D), PTE_A, "a read sets A and not D there");
	WITH(good);
	for (level = 5; level >= 1; level--) {
		u64 *entry = paging__entry(at, level), old = *entry;

		*entry &= ~PTE_P;
		flush_tlb();
		check__equal(write_code(at), TRAP(X86_PF, PFERR_WRITE), "absent at level %u",
			     level);
		check__equal(trap()->cr2, at, "absent at level %u: CR2", level);
		*entry = old;
	}
	flush_tlb();
}

/* The ends of both halves. */
static void check_ends(void)
{
	paging__map(FIRST_BAD - 4096, (u64)frame, 1, PTE_P | PTE_W);
	paging__map(LAST_BAD + 8, (u64)frame, 1, PTE_P | PTE_W);
	memset(frame, 0x90, 4096);
	check__equal(read_code(FIRST_BAD - 8), NONE, "last quadword of the lower half");
	check__equal(read_code(FIRST_BAD - 4), GP0, "quadword over the end of the lower half");
	check__equal(read_code(FIRST_BAD), GP0, "behind the lower half");
	check__equal(write_code(FIRST_BAD), GP0, "write behind the lower half");
	check__equal(read_code(LAST_BAD), GP0, "before the upper half");
	check__equal(read_code(LAST_BAD + 7), GP0, "quadword over the start of the upper half");
	check__equal(read_code(LAST_BAD + 8), NONE, "first quadword of the upper half");
	check__equal(call_code(FIRST_BAD), GP0, "call behind the lower half");
	trap__set_gate(X86_SS_FAULT, 0xe, 0, 2);
	trap__set_gate(X86_GP, 0xe, 0, 2);
	check__equal(trap__code(TRY(__asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push %%rax;"
						     "mov %%rbx, %%rsp"
						     :
						     : "r"(LAST_BAD + 8)
						     : MARK_CLOBBERS))),
		     TRAP(X86_SS_FAULT, 0), "push before the upper half");
	trap__set_gate(X86_SS_FAULT, 0xe, 0, 0);
	trap__set_gate(X86_GP, 0xe, 0, 0);
	check__equal(call_code(FIRST_BAD - 1), GP0, "running over the end of the lower half");
	check__equal(trap()->frame.rip, FIRST_BAD, "running over the end of the lower half: RIP");
	check__equal(trap__code(TRY(__asm__ volatile(
			     "push %0; push %1; pushf; push %2; push %3; iretq"
			     :
			     : "i"(KERNEL_SS), "r"(FIRST_BAD), "i"(KERNEL_CS), "r"(FIRST_BAD)
			     : "memory"))),
		     GP0, "IRET behind the lower half");
}

/* ---- code, stacks and tables in the upper parts ---- */

extern char where[], entry57[];
struct entry_record {
	u64 rip, rcx, rsp;
};
static struct entry_record entered __attribute__((used));
__asm__(".text\n"
	"where: lea where(%rip), %rax; ret\n"
	"entry57: lea entry57(%rip), %rax; mov %rax, entered(%rip); mov %rcx, entered+8(%rip);"
	"mov %rsp, entered+16(%rip); lea high_stack+512(%rip), %rsp; ud2\n");

static void user_syscall(u64 arg)
{
	__asm__ volatile(MARK "syscall" : : : MARK_CLOBBERS, "r11");
}

static void check_code(void)
{
	u64 rip;

	__asm__ volatile("call *%1" : "=a"(rip) : "r"(HIGH + (u64)where));
	check__equal(rip, HIGH + (u64)where, "code in the lower half");
	__asm__ volatile("call *%1" : "=a"(rip) : "r"(BELOW + (u64)where));
	check__equal(rip, BELOW + (u64)where, "code in the upper half");
	/* A stack there, too: the return address has 57 bits as well. */
	__asm__ volatile(
		"mov %%rsp, %%rbx; mov %2, %%rsp; mov %1, %%rax; lea 1f(%%rip), %%rdx;"
		"add %3, %%rdx; jmp *%%rdx; 1: call *%%rax; mov -8(%%rsp), %%rcx;"
		"mov %%rcx, value_of(%%rip); lea 2f(%%rip), %%rcx; mov %%rcx, value_of+8(%%rip);"
		"lea 2f(%%rip), %%rdx; sub %3, %%rdx; jmp *%%rdx; 2: mov %%rbx, %%rsp"
		: "=a"(rip)
		: "r"(BELOW + (u64)where), "r"(BELOW + (u64)high_stack + 1024), "r"(HIGH)
		: "rbx", "rcx", "rdx", "memory");
	check__equal(rip, BELOW + (u64)where, "call from one half to the other");
	check__equal(value_of[0] >> 48, HIGH >> 48,
		     "call from one half to the other: return address");
	check__equal(value_of[1] >> 48, HIGH >> 48, "call from one half to the other: back");
}

static void check_user(void)
{
	extern char user_return[];
	struct user_state state;
	unsigned vector;

	wrmsr(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, BELOW + (u64)entry57);
	wrmsr(MSR_SFMASK, 0);
	user__state(&state, user_syscall, 0);
	state.rip += HIGH;
	state.rsp += HIGH;
	memset(&entered, 0, sizeof(entered));
	check__equal(user__run(&state), X86_UD, "SYSCALL from the lower to the upper half");
	check__equal(entered.rip, BELOW + (u64)entry57, "SYSCALL: RIP");
	check__equal(entered.rcx, mark + 2, "SYSCALL: RCX");
	check__equal(entered.rcx >> 48, HIGH >> 48, "SYSCALL: RCX has 57 bits");
	check__equal(entered.rsp >> 48, HIGH >> 48, "SYSCALL: RSP has 57 bits");
	vector = TRY(__asm__ volatile("mov $2, %%r11d; sysretq"
				      :
				      : "c"(BELOW + USER((u64)user_return))
				      : "memory", "r11"));
	check__equal(vector, USER_EXIT_VECTOR, "SYSRET to the upper half");
	check__equal(trap()->frame.rip, BELOW + USER((u64)user_return) + 2, "SYSRET: RIP");
	/* Intel checks at CPL 0, AMD's processors fault at the target, where the stack is bad. */
	trap__set_gate(X86_GP, 0xe, 0, 2);
	vector = TRY(__asm__ volatile("mov $2, %%r11d; sysretq"
				      :
				      : "c"(FIRST_BAD)
				      : "memory", "r11"));
	trap__set_gate(X86_GP, 0xe, 0, 0);
	check__equal(vector, X86_GP, "SYSRET behind the lower half");
}

/* Through a gate of 57 bits, onto a stack of 57 bits. */
static void check_delivery(void)
{
	struct user_state state;
	struct gate saved = idt[X86_UD];
	static const u8 ud2[] __attribute__((aligned(16))) = {0x0f, 0x0b};

	idt[X86_UD].offset2 = BELOW >> 32;
	tss[0].rsp[0] += HIGH;
	user__state(&state, user_read, 0);
	state.rip = BELOW + USER((u64)ud2);
	state.rsp += BELOW;
	check__equal(trap__code(user__run(&state)), TRAP(X86_UD, 0), "#UD in the upper half");
	idt[X86_UD] = saved;
	tss[0].rsp[0] -= HIGH;
	check__equal(trap()->frame.rip, state.rip, "#UD in the upper half: RIP");
	check__equal(trap()->frame.rsp, state.rsp, "#UD in the upper half: RSP");
	check__equal(tss[0].rsp[0] + HIGH - trap()->stack, sizeof(struct trap_frame),
		     "#UD in the upper half: stack of the handler");
	idt[X86_UD].offset2 = FIRST_BAD >> 32;
	check__equal(TRY(__asm__ volatile("ud2")), X86_GP, "gate behind the lower half");
	idt[X86_UD] = saved;
}

static void check_tables(void)
{
	struct table_register old, new;
	u64 value;

	__asm__ volatile("sgdt %0" : "=m"(old));
	new = (struct table_register){old.limit, BELOW + old.base};
	gdt[SPARE_SELECTOR / 8] = segment__descriptor(0, 0xfffff, 0xc092);
	__asm__ volatile("lgdt %0; mov %2, %%gs; lgdt %1"
			 :
			 : "m"(new), "m"(old), "r"(SPARE_SELECTOR)
			 : "memory");
	check__equal(gdt[SPARE_SELECTOR / 8] >> 40 & 1, 1, "GDT in the upper half");
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	__asm__ volatile("sidt %0" : "=m"(old));
	new = (struct table_register){old.limit, HIGH + old.base};
	__asm__ volatile("lidt %0" : : "m"(new));
	check__equal(TRY(__asm__ volatile("ud2")), X86_UD, "IDT in the lower half");
	__asm__ volatile("lidt %0" : : "m"(old));
	value_of[2] = 0x1234567890abcdef;
	wrmsr(MSR_FS_BASE, BELOW + (u64)value_of);
	__asm__ volatile("mov %%fs:16, %0" : "=r"(value));
	check__equal(value, value_of[2], "FS base in the upper half");
	wrmsr(MSR_FS_BASE, 0);
}

int main(void)
{
	u64 four = read_cr3(), *top = page__alloc();

	frame = page__alloc();
	if (!cpu__has(7, 0, 2, 16)) {
		check__skip("not in CPUID", "5-level paging");
		check__equal(trap__code(TRY(write_cr4(read_cr4() | CR4_LA57))), GP0,
			     "LA57 is reserved without the feature");
		return 0;
	}
	check_four_levels("before");
	check_registers("4 levels");
	top[0] = top[128] = top[300] = four | PTE_P | PTE_W | PTE_U;
	paging__switch((u64)top, read_cr4() | CR4_LA57);
	check_mode();
	check_registers("5 levels");
	check_parts();
	check_large_pages();
	check_top_entry();
	check_ends();
	check_code();
	check_user();
	check_delivery();
	check_tables();
	check__equal(wrmsr_code(MSR_LSTAR, HIGH), NONE, "LSTAR for later");
	paging__switch(four, read_cr4() & ~CR4_LA57);
	check_four_levels("after");
	check__equal(rdmsr(MSR_LSTAR), HIGH, "LSTAR stays");
	return 0;
}
