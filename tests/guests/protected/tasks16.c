/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task switches to and from 16-bit TSSs: their layout and busy types, what of the state is saved
 * and loaded, inner stacks, and the faults on the way (SDM vol. 3, 7.6 and 7.2.2).
 */
#include "tests/guests/lib/protected/mark.h"

#define OTHER SPARE(0) /* the 16-bit TSS */
#define GATE SPARE(1)  /* a task gate to it */
#define CODE SPARE(2)  /* its code, 16 bits, based at its entry */
#define STACK SPARE(3) /* its stack, 16 bits */
#define THIRD SPARE(4) /* a 32-bit TSS */
#define LDT SPARE(5)
#define TYPE_OF(selector) (gdt[(selector) / 8] >> 40 & 0xf)
#define FILLING 0xa5
#define LOW_STACK 0xf000 /* free memory that a 16-bit pointer reaches */

struct tss16 {
	u16 link, sp0, ss0, sp1, ss1, sp2, ss2;
	u16 ip, flags, ax, cx, dx, bx, sp, bp, si, di;
	u16 es, cs, ss, ds, ldt;
	u8 behind[20];
} __attribute__((packed));

static struct tss16 other __attribute__((used));
static struct tss third;
static u8 stack[512] __attribute__((aligned(16))), third_stack[512] __attribute__((aligned(16)));
static u32 seen[8] __attribute__((used));

extern char task_iret[], task_jump[], task_nest[], task_fault[], task_third[];
/* 16-bit code, each piece entered at IP 0; DS is flat. */
__asm__(".text\n.code16\n.balign 16\n"
	"task_iret: addr32 movw %ax, seen; pushfw; popw %ax; addr32 movw %ax, seen+4; str %ax;"
	"addr32 movw %ax, seen+8; smsw %ax; addr32 movw %ax, seen+12; addr32 movw %sp, seen+16;"
	"addr32 movw %bp, seen+20; movw $0x77, %bx; movl $0x12345678, %esi; iretw;"
	"addr32 incl seen+24; iretw\n.balign 16\n"
	"task_jump: str %ax; addr32 movw %ax, seen+8; ljmpw $0x38, $0\n.balign 16\n"
	"task_nest: movl $0xabcd1111, %ebx; lcallw $0x60, $0; addr32 movw %bx, seen+4; str %ax;"
	"addr32 movw %ax, seen+8; iretw\n.balign 16\n"
	/* Takes the error code and makes the faulting task skip two bytes. */
	"task_fault: addr32 movw %sp, seen; popw %ax; addr32 movw %ax, seen+4;"
	"addr32 addl $2, tss+32; iretw\n"
	".code32\n"
	"task_third: incl seen; xor %eax, %eax; str %ax; mov %eax, seen+12; mov third, %eax;"
	"mov %eax, seen+16; iret; jmp task_third\n");

static void prepare(void *entry)
{
	memset(&other, 0, sizeof(other));
	memset(other.behind, FILLING, sizeof(other.behind));
	memset(seen, 0, sizeof(seen));
	other.flags = RFLAGS_FIXED;
	other.ax = 0x1234;
	other.bp = 0x4321;
	other.sp = sizeof(stack);
	other.cs = CODE;
	other.ss = STACK;
	other.ds = other.es = KERNEL_DS;
	gdt[OTHER / 8] = segment__descriptor((u32)&other, 0x2b, 0x0081);
	gdt[GATE / 8] = segment__gate(OTHER, 0, 0x85, 0);
	gdt[CODE / 8] = segment__descriptor((u32)entry, 0xffff, 0x009b);
	gdt[STACK / 8] = segment__descriptor((u32)stack, 0xffff, 0x0093);
}

static u32 task_register(void)
{
	u32 tr = 0;

	__asm__ volatile("str %w0" : "+r"(tr));
	return tr;
}

/* FS and GS are not in a 16-bit TSS; what they are afterwards is the processor's own. */
#define SWITCH_CLOBBERS "eax", "ecx", "edx", "esi", "edi", "memory", "cc"

static void check_call(void)
{
	u32 ebx = 0x55667788;
	unsigned i, touched = 0;

	prepare(task_iret);
	__asm__ volatile("mov $0x11112222, %%ecx; lcall $0x40, $0" : "+b"(ebx) : : SWITCH_CLOBBERS);
	check__equal(seen[0], 0x1234, "CALL TSS: AX loaded");
	check__equal(seen[5], 0x4321, "CALL TSS: BP loaded");
	check__equal(seen[4], sizeof(stack), "CALL TSS: SP loaded");
	check__equal(seen[1] & RFLAGS_NT, RFLAGS_NT, "CALL TSS: NT set");
	check__equal(seen[2], OTHER, "CALL TSS: TR");
	check__equal(seen[3] & CR0_TS, CR0_TS, "CALL TSS: CR0.TS set");
	check__equal(other.link, TSS_SELECTOR, "CALL TSS: back link");
	check__equal(tss.ecx, 0x11112222, "CALL TSS: the 32-bit task's ECX saved");
	check__equal(ebx, 0x55667788, "IRET to a 32-bit task: all of EBX back");
	check__equal(task_register(), TSS_SELECTOR, "IRET: TR back");
	check__equal(TYPE_OF(OTHER), 1, "IRET: left task available");
	check__equal(TYPE_OF(TSS_SELECTOR), 11, "IRET: this task busy");
	check__equal(other.bx, 0x77, "IRET: BX saved");
	check__equal(other.si, 0x5678, "IRET: 16 bits of ESI saved");
	check__equal(other.di, 0, "IRET: DI behind it saved");
	check__equal(other.flags & RFLAGS_NT, 0, "IRET: NT saved as 0");
	check__equal(other.cs | other.ss << 16, CODE | STACK << 16, "IRET: CS and SS saved");
	check__equal(other.es | other.ds << 16, KERNEL_DS | KERNEL_DS << 16,
		     "IRET: ES and DS saved");
	for (i = 0; i < sizeof(other.behind); i++)
		touched += other.behind[i] != FILLING;
	check__equal(touched, 0, "IRET: nothing written behind the TSS");
	check__equal(other.sp0 | other.ss0 | other.ss2 | other.ldt, 0,
		     "IRET: the static fields stay");
	check__equal(read_flags() & RFLAGS_NT, 0, "IRET: NT clear here");
	__asm__ volatile("clts; lcall $0x40, $0; clts" : : : SWITCH_CLOBBERS, "ebx");
	check__equal(seen[6], 1, "CALL TSS again: goes on behind its IRET");
	prepare(task_iret);
	__asm__ volatile("lcall $0x48, $0; clts" : : : SWITCH_CLOBBERS, "ebx");
	check__equal(seen[2], OTHER, "CALL through a task gate");
}

static void check_jump(void)
{
	prepare(task_jump);
	__asm__ volatile("ljmp $0x40, $0; clts" : : : SWITCH_CLOBBERS, "ebx");
	check__equal(seen[2], OTHER, "JMP TSS: TR");
	check__equal(other.link, 0, "JMP TSS: no back link");
	check__equal(TYPE_OF(OTHER), 1, "JMP TSS: left task available");
	check__equal(TYPE_OF(TSS_SELECTOR), 11, "JMP TSS: this task busy");
	check__equal(other.flags & RFLAGS_NT, 0, "JMP TSS: no NT");
}

/* From the 16-bit task one level deeper: there it is the task that is left. */
static void check_nested(void)
{
	prepare(task_nest);
	memset(&third, 0, sizeof(third));
	third.eip = (u32)task_third;
	third.esp = (u32)third_stack + sizeof(third_stack);
	third.eflags = RFLAGS_FIXED;
	third.cs = KERNEL_CS;
	third.ss = third.ds = third.es = KERNEL_DS;
	gdt[THIRD / 8] = segment__descriptor((u32)&third, sizeof(third) - 1, 0x0089);
	__asm__ volatile("lcall $0x40, $0; clts" : : : SWITCH_CLOBBERS, "ebx");
	check__equal(seen[0], 1, "CALL from a 16-bit task");
	check__equal(seen[3], THIRD, "CALL from a 16-bit task: TR");
	check__equal(seen[4] & 0xffff, OTHER, "CALL from a 16-bit task: back link");
	check__equal(seen[1], 0x1111, "IRET to a 16-bit task: BX back");
	check__equal(seen[2], OTHER, "IRET to a 16-bit task: TR back");
	check__equal(TYPE_OF(OTHER), 1, "IRET out of both: 16-bit task available");
	check__equal(TYPE_OF(THIRD), 9, "IRET out of both: 32-bit task available");
	check__equal(task_register(), TSS_SELECTOR, "IRET out of both: TR");
}

static void check_interrupt(void)
{
	struct gate saved = idt[X86_GP];

	prepare(task_iret);
	idt[0x40] = (struct gate){0, OTHER, 0, 0x85, 0};
	__asm__ volatile(MARK "int $0x40; clts" : : : SWITCH_CLOBBERS, "ebx");
	check__equal(seen[2], OTHER, "INT through a task gate: TR");
	check__equal(seen[1] & RFLAGS_NT, RFLAGS_NT, "INT through a task gate: NT");
	check__equal(seen[4], sizeof(stack), "INT through a task gate: nothing pushed");
	check__equal(tss.eip - mark, 2, "INT through a task gate: EIP behind INT saved");

	prepare(task_fault);
	idt[X86_GP] = (struct gate){0, OTHER, 0, 0x85, 0};
	__asm__ volatile("mov $0x3f8, %%ecx;" MARK "mov %%ecx, %%fs" : : : SWITCH_CLOBBERS, "ebx");
	idt[X86_GP] = saved;
	__asm__ volatile("clts");
	check__equal(seen[1], 0x3f8, "#GP through a task gate: error code");
	check__equal(sizeof(stack) - seen[0], 2, "#GP through a task gate: error code of 16 bits");
	check__equal(tss.eip - mark, 2, "#GP through a task gate: EIP as the task left it");
}

static void check_errors(void)
{
	prepare(task_iret);
	gdt[OTHER / 8] = segment__descriptor((u32)&other, 0x2b, 0x0083);
	EXPECT("lcall $0x40, $0", TRAP(X86_GP, OTHER), 0, "CALL of a busy TSS");
	EXPECT("ljmp $0x48, $0", TRAP(X86_GP, OTHER), 0, "JMP to a busy TSS by a task gate");
	gdt[OTHER / 8] = segment__descriptor((u32)&other, 0x2b, 0x0001);
	EXPECT("lcall $0x40, $0", TRAP(X86_NP, OTHER), 0, "CALL of an absent TSS");
	gdt[OTHER / 8] = segment__descriptor((u32)&other, 0x2a, 0x0081);
	EXPECT("lcall $0x40, $0", TRAP(X86_TS, OTHER), 0, "CALL of a short TSS");
	check__equal(TYPE_OF(OTHER), 1, "CALL of a short TSS: not busy");
	gdt[OTHER / 8] = segment__descriptor((u32)&other, 0x2b, 0x0081);
	tss.link = OTHER;
	EXPECT("pushf; orl $0x4000, (%%esp); popf; iret", TRAP(X86_TS, OTHER), 9,
	       "IRET with NT to an available TSS");
	write_flags(RFLAGS_FIXED);
}

/* Past the commit point: TR is the new task's. Home again without its help. */
static void go_home(void)
{
	gdt[TSS_SELECTOR / 8] &= ~BIT64(41);
	__asm__ volatile("ltr %w0; clts" : : "r"(TSS_SELECTOR) : "memory");
	write_flags(RFLAGS_FIXED);
}

static void check_new_task_faults(void)
{
	static const struct {
		u16 offset; /* of the selector in the TSS */
		u16 selector;
		u64 want;
		const char *name;
	} row[] = {
		{offsetof(struct tss16, ds), TSS_SELECTOR, TRAP(X86_TS, TSS_SELECTOR),
		 "a TSS in DS"},
		{offsetof(struct tss16, es), 0x3f8, TRAP(X86_TS, 0x3f8), "ES behind the GDT"},
		{offsetof(struct tss16, ss), 0, TRAP(X86_TS, 0), "a null SS"},
		{offsetof(struct tss16, cs), 0, TRAP(X86_TS, 0), "a null CS"},
		{offsetof(struct tss16, cs), KERNEL_DS, TRAP(X86_TS, KERNEL_DS), "data in CS"},
		{offsetof(struct tss16, ldt), KERNEL_DS, TRAP(X86_TS, KERNEL_DS), "data in LDTR"},
		{offsetof(struct tss16, ldt), LDT, TRAP(X86_TS, LDT), "an absent LDT"},
	};
	struct gate saved = idt[X86_TS];
	unsigned i;

	gdt[LDT / 8] = segment__descriptor(0, 0xff, 0x0002);
	/* The new task's stack is of no use to C. */
	gdt[THIRD / 8] = segment__descriptor((u32)&third, sizeof(third) - 1, 0x0089);
	for (i = 0; i < ARRAY_LENGTH(row); i++) {
		prepare(task_iret);
		memcpy((u8 *)&other + row[i].offset, &row[i].selector, 2);
		memset(&third, 0, sizeof(third));
		third.eip = saved.offset0 | (u32)saved.offset1 << 16;
		third.eflags = RFLAGS_FIXED;
		third.esp = (u32)page__alloc() + 4096;
		third.cs = KERNEL_CS;
		third.ss = third.ds = third.es = KERNEL_DS;
		gdt[THIRD / 8] = segment__descriptor((u32)&third, sizeof(third) - 1, 0x0089);
		idt[X86_TS] = (struct gate){0, THIRD, 0, 0x85, 0};
		TRY(__asm__ volatile("ljmp $0x40, $0" : : : SWITCH_CLOBBERS, "ebx"));
		idt[X86_TS] = saved;
		check__equal(TRAP(last_trap.frame.vector, last_trap.frame.error), row[i].want,
			     "switch to a task with %s", row[i].name);
		check__equal(other.ip, 0, "switch to a task with %s: IP is its own", row[i].name);
		check__equal(task_register(), THIRD, "switch to a task with %s: handled by a task",
			     row[i].name);
		check__equal(third.link, OTHER, "switch to a task with %s: in the new task",
			     row[i].name);
		go_home();
	}
}

static void user_out(u32 port)
{
	__asm__ volatile("out %%al, %%dx" : : "d"(port), "a"(0));
}

static void user_nothing(u32 arg)
{
}

/* The inner stack is two 16-bit fields; there is no port bitmap. */
static void check_inner_stack(void)
{
	prepare(task_iret);
	other.sp0 = LOW_STACK;
	other.ss0 = KERNEL_DS;
	gdt[OTHER / 8] = segment__descriptor((u32)&other, sizeof(other) - 1, 0x0081);
	__asm__ volatile("ltr %w0" : : "r"(OTHER) : "memory");
	check__equal(TYPE_OF(OTHER), 3, "LTR makes it busy");
	memset(other.behind, 0, sizeof(other.behind));
	check__equal(trap__code(user__call(user_nothing, 0)), NO_TRAP_CODE, "INT from CPL 3");
	check__equal(LOW_STACK - trap()->stack, offsetof(struct trap_frame, v_es),
		     "INT from CPL 3: SP0 and SS0 of the TSS");
	check__equal(trap__code(user__call(user_out, 0x80)), TRAP(X86_GP, 0),
		     "OUT from CPL 3: no bitmap in a 16-bit TSS");
	go_home();
}

int main(void)
{
	check_call();
	check_jump();
	check_nested();
	check_interrupt();
	check_errors();
	check_new_task_faults();
	check_inner_stack();
	return 0;
}
