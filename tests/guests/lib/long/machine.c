/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GDT and TSS of each CPU, and the order of set-up before main(). */
#include "tests/guests/lib/long/machine.h"

void machine__start(void);

u64 gdt[(TSS_SELECTOR + 16 * MAX_CPUS) / 8] __attribute__((aligned(16)));
struct tss tss[MAX_CPUS] __attribute__((aligned(64)));
static u8 trap_stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(64)));
static u8 ist_stacks[MAX_CPUS][3][4096] __attribute__((aligned(64)));

unsigned cpu__index(void)
{
	u16 selector;

	__asm__ volatile("str %0" : "=r"(selector));
	return (selector - TSS_SELECTOR) / 16;
}

u64 segment__descriptor(u32 base, u32 limit, u16 attributes)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(attributes & 0xff) << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(attributes >> 12 & 0xf) << 52 |
	       (u64)(base >> 24) << 56;
}

static void make_gdt(void)
{
	gdt[KERNEL_CS / 8] = segment__descriptor(0, 0xfffff, 0xa09b);
	gdt[KERNEL_SS / 8] = segment__descriptor(0, 0xfffff, 0xc093);
	gdt[KERNEL_CS32 / 8] = segment__descriptor(0, 0xfffff, 0xc09b);
	gdt[USER_CS32 / 8] = segment__descriptor(0, 0xfffff, 0xc0fb);
	gdt[USER_SS / 8] = segment__descriptor(0, 0xfffff, 0xc0f3);
	gdt[USER_CS / 8] = segment__descriptor(0, 0xfffff, 0xa0fb);
	gdt[KERNEL_CS16 / 8] = segment__descriptor(0, 0xffff, 0x009b);
	gdt[KERNEL_DS16 / 8] = segment__descriptor(0, 0xffff, 0x0093);
}

static void load_segments(void)
{
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:\n\t"
			 "mov %1, %%ds; mov %1, %%es; mov %1, %%ss"
			 :
			 : "i"(KERNEL_CS), "r"(KERNEL_SS)
			 : "rax", "memory");
}

static void load_tss(unsigned cpu)
{
	struct tss *t = &tss[cpu];
	u64 base = (u64)t;
	unsigned i;

	t->rsp[0] = (u64)trap_stacks[cpu] + STACK_SIZE;
	for (i = 0; i < 3; i++)
		t->ist[i] = (u64)ist_stacks[cpu][i] + sizeof(ist_stacks[cpu][i]);
	t->io_map = sizeof(*t); /* behind the limit: no ports for user mode */
	gdt[TSS_SELECTOR / 8 + 2 * cpu] = segment__descriptor(base, sizeof(*t) - 1, 0x0089);
	gdt[TSS_SELECTOR / 8 + 2 * cpu + 1] = base >> 32;
	__asm__ volatile("ltr %0" : : "r"((u16)(TSS_SELECTOR + 16 * cpu)) : "memory");
}

void machine__load_tables(unsigned cpu)
{
	struct __attribute__((packed)) {
		u16 limit;
		u64 base;
	} gdtr = { sizeof(gdt) - 1, (u64)gdt }, idtr = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	load_segments();
	load_tss(cpu);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

void machine__start(void)
{
	unsigned i;

	options__read();
	make_gdt();
	for (i = 0; i < 256; i++)
		trap__set_gate(i, 0xe, 0, i == X86_DF ? 1 : 0);
	trap__set_gate(X86_BP, 0xe, 3, 0);
	trap__set_gate(X86_OF, 0xe, 3, 0);
	trap__set_gate(USER_EXIT_VECTOR, 0xe, 3, 0);
	machine__load_tables(0);
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	main();
	check__finish();
}
