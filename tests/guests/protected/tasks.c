/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task switches: JMP, CALL and INT to TSS descriptors and task gates, IRET with NT, busy bits,
 * links, what is saved and loaded, and the faults on the way (SDM vol. 3, chapter 7).
 */
#include "tests/guests/lib/protected/mark.h"

#define OTHER SPARE(0)	/* a TSS */
#define GATE SPARE(1)	/* a task gate */
#define TYPE_OF(selector) (gdt[(selector) / 8] >> 40 & 0xf)

static struct tss other;
static u8 stack[4096] __attribute__((aligned(16)));
static u32 seen[8] __attribute__((used));

extern char task_iret[], task_jump[];
/* Entered by switches: notes EAX, flags, TR, CR0; then back by IRET, or by JMP. */
__asm__(".text\n"
	"task_iret: mov %eax, seen; pushf; pop %eax; mov %eax, seen+4; xor %eax, %eax; str %ax;"
	"mov %eax, seen+8; mov %cr0, %eax; mov %eax, seen+12; mov $0x77, %ebx; iret;"
	"incl seen+16; iret; jmp task_iret\n"
	"task_jump: mov %eax, seen; xor %eax, %eax; str %ax; mov %eax, seen+8; ljmp $0x38, $0;"
	"jmp task_jump\n");

static void prepare(void *entry)
{
	memset(&other, 0, sizeof(other));
	memset(seen, 0, sizeof(seen));
	other.eip = (u32)entry;
	other.esp = (u32)stack + sizeof(stack);
	other.eflags = RFLAGS_FIXED;
	other.eax = 0xabcd1234;
	other.cs = KERNEL_CS;
	other.ss = other.ds = other.es = KERNEL_DS;
	other.ss0 = KERNEL_DS;
	other.esp0 = other.esp;
	other.io_map = sizeof(other);
	gdt[OTHER / 8] = segment__descriptor((u32)&other, sizeof(other) - 1, 0x0089);
	gdt[GATE / 8] = segment__gate(OTHER, 0, 0x85, 0);
}

static u32 task_register(void)
{
	u32 tr = 0;

	__asm__ volatile("str %w0" : "+r"(tr));
	return tr;
}

#define ALL_CLOBBERS "eax", "ecx", "edx", "esi", "edi", "memory", "cc"

static void check_call(void)
{
	u32 ebx = 0x55;

	prepare(task_iret);
	__asm__ volatile("mov $0x1111, %%ecx; lcall $0x40, $0" : "+b"(ebx) : : ALL_CLOBBERS);
	check__equal(seen[0], 0xabcd1234, "CALL TSS: EAX loaded");
	check__equal(seen[1] & RFLAGS_NT, RFLAGS_NT, "CALL TSS: NT set");
	check__equal(seen[2], OTHER, "CALL TSS: TR");
	check__equal(seen[3] & CR0_TS, CR0_TS, "CALL TSS: CR0.TS set");
	check__equal(other.link, TSS_SELECTOR, "CALL TSS: back link");
	check__equal(ebx, 0x55, "CALL TSS: EBX back");
	check__equal(tss.ecx, 0x1111, "CALL TSS: ECX saved");
	check__equal(tss.cs | tss.ss << 16, KERNEL_CS | KERNEL_DS << 16, "CALL TSS: selectors saved");
	check__equal(task_register(), TSS_SELECTOR, "IRET with NT: TR back");
	check__equal(TYPE_OF(OTHER), 9, "IRET with NT: left task available");
	check__equal(TYPE_OF(TSS_SELECTOR), 11, "IRET with NT: this task busy");
	check__equal(other.ebx, 0x77, "IRET with NT: state saved");
	check__equal(other.eflags & RFLAGS_NT, 0, "IRET with NT: NT saved as 0");
	check__equal(read_flags() & RFLAGS_NT, 0, "IRET with NT: NT clear here");
	__asm__ volatile("clts");
	/* It goes on where it left off, one more time. */
	__asm__ volatile("lcall $0x40, $0" : : : ALL_CLOBBERS, "ebx");
	check__equal(seen[4], 1, "CALL TSS again: goes on behind its IRET");
	__asm__ volatile("clts");
	prepare(task_iret);
	__asm__ volatile("lcall $0x48, $0" : : : ALL_CLOBBERS, "ebx");
	check__equal(seen[2], OTHER, "CALL through a task gate");
	__asm__ volatile("clts");
}

static void check_jump(void)
{
	prepare(task_jump);
	__asm__ volatile("ljmp $0x40, $0" : : : ALL_CLOBBERS, "ebx");
	check__equal(seen[2], OTHER, "JMP TSS: TR");
	check__equal(other.link, 0, "JMP TSS: no back link");
	check__equal(TYPE_OF(OTHER), 9, "JMP TSS: left task available");
	check__equal(TYPE_OF(TSS_SELECTOR), 11, "JMP TSS: this task busy");
	check__equal(other.eflags & RFLAGS_NT, 0, "JMP TSS: no NT");
	__asm__ volatile("clts");
}

static void check_interrupt(void)
{
	prepare(task_iret);
	idt[0x40] = (struct gate){ 0, OTHER, 0, 0x85, 0 };
	__asm__ volatile(MARK "int $0x40" : : : ALL_CLOBBERS, "ebx");
	check__equal(seen[2], OTHER, "INT through a task gate: TR");
	check__equal(seen[1] & RFLAGS_NT, RFLAGS_NT, "INT through a task gate: NT");
	check__equal(tss.eip - mark, 2, "INT through a task gate: EIP behind INT saved");
	__asm__ volatile("clts");
}

extern char fault_task[];
/* With the error code on its stack; makes the faulting task skip two bytes. */
__asm__(".text\nfault_task: mov (%esp), %eax; mov %eax, seen; mov tss+32, %eax; mov %eax, seen+4;"
	"mov %esp, seen+8; addl $2, tss+32; add $4, %esp; iret; jmp fault_task\n");

static void check_fault(void)
{
	struct gate saved = idt[X86_GP], double_fault = idt[X86_DF];

	prepare(fault_task);
	idt[X86_GP] = (struct gate){ 0, OTHER, 0, 0x85, 0 };
	__asm__ volatile("mov $0x3f8, %%ecx;" MARK "mov %%ecx, %%fs" : : : ALL_CLOBBERS, "ebx");
	idt[X86_GP] = saved;
	check__equal(seen[0], 0x3f8, "#GP through a task gate: error code pushed");
	check__equal(seen[1] - mark, 0, "#GP through a task gate: EIP of the instruction");
	check__equal((u32)stack + sizeof(stack) - seen[2], 4, "#GP through a task gate: its stack");
	__asm__ volatile("clts");

	/* A double fault saves a broken stack when it has a task of its own. */
	prepare(fault_task);
	idt[X86_GP].type = 0;
	idt[X86_DF] = (struct gate){ 0, OTHER, 0, 0x85, 0 };
	__asm__ volatile("mov $0x3f8, %%ecx;" MARK "mov %%ecx, %%fs" : : : ALL_CLOBBERS, "ebx");
	idt[X86_GP] = saved;
	idt[X86_DF] = double_fault;
	check__equal(seen[1] - mark, 0, "#DF through a task gate: EIP");
	check__equal(seen[0], 0, "#DF through a task gate: error code 0");
	__asm__ volatile("clts");
}

static void check_errors(void)
{
	prepare(task_iret);
	gdt[OTHER / 8] = segment__descriptor((u32)&other, sizeof(other) - 1, 0x008b);
	EXPECT("lcall $0x40, $0", TRAP(X86_GP, OTHER), 0, "CALL of a busy TSS");
	gdt[OTHER / 8] = segment__descriptor((u32)&other, sizeof(other) - 1, 0x0009);
	EXPECT("lcall $0x40, $0", TRAP(X86_NP, OTHER), 0, "CALL of an absent TSS");
	gdt[OTHER / 8] = segment__descriptor((u32)&other, 102, 0x0089);
	EXPECT("lcall $0x40, $0", TRAP(X86_TS, OTHER), 0, "CALL of a short TSS");
	gdt[OTHER / 8] = segment__descriptor((u32)&other, 103, 0x0089);
	gdt[GATE / 8] = segment__gate(KERNEL_CS, 0, 0x85, 0);
	EXPECT("lcall $0x48, $0", TRAP(X86_GP, KERNEL_CS), 0, "task gate to a code segment");
	gdt[GATE / 8] = segment__gate(OTHER, 0, 0x05, 0);
	EXPECT("lcall $0x48, $0", TRAP(X86_NP, GATE), 0, "absent task gate");
	tss.link = KERNEL_CS;
	EXPECT("pushf; orl $0x4000, (%%esp); popf; iret", TRAP(X86_TS, KERNEL_CS), 9,
	       "IRET with NT to no TSS");
	write_flags(RFLAGS_FIXED);
	tss.link = OTHER;
	EXPECT("pushf; orl $0x4000, (%%esp); popf; iret", TRAP(X86_TS, OTHER), 9,
	       "IRET with NT to an available TSS");
	write_flags(RFLAGS_FIXED);
}

/* A data segment that can't be loaded faults in the new task, whose stack is there already. */
static void check_new_task_fault(void)
{
	u64 code;

	prepare(task_iret);
	other.ds = TSS_SELECTOR;
	code = trap__code(TRY(__asm__ volatile("ljmp $0x40, $0" : : : ALL_CLOBBERS, "ebx")));
	check__equal(code, TRAP(X86_TS, TSS_SELECTOR), "switch to a task with a TSS in DS");
	check__equal(trap()->frame.eip, (u32)task_iret, "EIP is the new task's");
	check__equal(task_register(), OTHER, "TR is the new task's");
	/* Home again. */
	gdt[TSS_SELECTOR / 8] &= ~BIT64(41);
	__asm__ volatile("ltr %w0; clts" : : "r"(TSS_SELECTOR));
}

static void check_debug_trap(void)
{
	prepare(task_iret);
	other.trap = 1;
	trap__resume(X86_DB, true);
	last_trap.count = 0;
	write_dr6(DR6_FIXED);
	__asm__ volatile("lcall $0x40, $0" : : : ALL_CLOBBERS, "ebx");
	trap__resume(X86_DB, false);
	check__equal(last_trap.count, 1, "T bit: #DB in the new task");
	check__equal(last_trap.dr6 & DR6_BT, DR6_BT, "T bit: DR6.BT");
	check__equal(last_trap.frame.eip, (u32)task_iret, "T bit: before its first instruction");
	write_dr6(DR6_FIXED);
	__asm__ volatile("clts");
}

static void user_jump(u32 arg)
{
	__asm__ volatile("ljmp $0x43, $0" : : : "memory");
}

static void user_call_gate(u32 arg)
{
	__asm__ volatile("lcall $0x4b, $0" : : : "memory");
}

static void check_user(void)
{
	prepare(task_iret);
	check__equal(trap__code(user__call(user_jump, 0)), TRAP(X86_GP, OTHER),
		     "JMP to a DPL 0 TSS from CPL 3");
	gdt[GATE / 8] = segment__gate(OTHER, 0, 0xe5, 0);
	check__equal(trap__code(user__call(user_call_gate, 0)), NO_TRAP_CODE,
		     "CALL through a DPL 3 task gate from CPL 3");
	check__equal(seen[2], OTHER, "and TR there");
	check__equal(tss.cs, USER_CS, "and CS saved");
	__asm__ volatile("clts");
}

int main(void)
{
	check_call();
	check_jump();
	check_interrupt();
	check_fault();
	check_errors();
	check_debug_trap();
	check_user();
	check_new_task_fault();
	return 0;
}
