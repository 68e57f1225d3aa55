/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GDT, IDT and TSS; what happens on a trap; calls into user mode. */
#include "tests/guests/lib/protected/machine.h"

extern char trap_stubs[], user_return[];
void trap__dispatch(struct trap_frame *frame);
void trap__jump(struct trap_jump *jump) __attribute__((noreturn));
void machine__start(void);

u64 gdt[GDT_SIZE / 8] __attribute__((aligned(16)));
struct gate idt[256] __attribute__((aligned(16)));
struct tss tss __attribute__((aligned(64)));
struct trap_record last_trap;
struct trap_jump trap_jump;
static trap_handler *handlers[256];
static bool resumes[256];
static u8 trap_stack[STACK_SIZE] __attribute__((aligned(64)));
static u8 user_stack[STACK_SIZE] __attribute__((aligned(64)));

void trap__handle(unsigned vector, trap_handler *handler)
{
	handlers[vector] = handler;
}

void trap__resume(unsigned vector, bool resume)
{
	resumes[vector] = resume;
}

u64 segment__descriptor(u32 base, u32 limit, u16 attributes)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(attributes & 0xff) << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(attributes >> 12 & 0xf) << 52 |
	       (u64)(base >> 24) << 56;
}

u64 segment__gate(u16 selector, u32 offset, u8 access, u8 count)
{
	return (offset & 0xffff) | (u64)selector << 16 | (u64)count << 32 | (u64)access << 40 |
	       (u64)(offset >> 16) << 48;
}

void trap__set_gate(unsigned vector, unsigned type, unsigned dpl)
{
	u32 offset = (u32)trap_stubs + 16 * vector;

	idt[vector] = (struct gate){ offset, KERNEL_CS, 0, 0x80 | dpl << 5 | type, offset >> 16 };
}

void trap__dispatch(struct trap_frame *f)
{
	/* The part of the frame that exists only from an outer level may lie behind the stack. */
	bool outer = (f->eflags & RFLAGS_VM) || (f->cs & 3);

	if (handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	last_trap.count++;
	memcpy(&last_trap.frame, f,
	       f->eflags & RFLAGS_VM ? sizeof(*f) : outer ? offsetof(struct trap_frame, v_es) :
							     offsetof(struct trap_frame, esp));
	last_trap.cr2 = read_cr2();
	last_trap.dr6 = read_dr6();
	last_trap.stack = (u32)f;
	if (resumes[f->vector])
		return;
	if (trap_jump.armed) {
		trap_jump.armed = false;
		trap__jump(&trap_jump);
	}
	guest__die("unexpected vector %u error %x at %x:%x, esp %x, cr2 %x", f->vector, f->error,
		   f->cs, f->eip, (u32)f, (u32)read_cr2());
}

void user__state(struct user_state *state, void (*fn)(u32), u32 arg)
{
	u32 *sp = (u32 *)(user_stack + sizeof(user_stack) - 64);

	*--sp = arg;
	*--sp = (u32)user_return;
	*state = (struct user_state){
		.eip = (u32)fn,
		.cs = USER_CS,
		.eflags = RFLAGS_FIXED,
		.esp = (u32)sp,
		.ss = USER_DS,
	};
}

unsigned user__run(const struct user_state *state)
{
	unsigned vector = TRY(user__enter(state));

	return vector == USER_EXIT_VECTOR ? NO_TRAP : vector;
}

unsigned user__call(void (*fn)(u32), u32 arg)
{
	struct user_state state;

	user__state(&state, fn, arg);
	return user__run(&state);
}

void *page__alloc(void)
{
	static u32 next;
	u32 page = next ? next : (u32)image_end;

	next = page + 4096;
	memset((void *)page, 0, 4096);
	return (void *)page;
}

static void load_tables(void)
{
	struct __attribute__((packed)) {
		u16 limit;
		u32 base;
	} gdtr = { sizeof(gdt) - 1, (u32)gdt }, idtr = { sizeof(idt) - 1, (u32)idt };

	__asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
	__asm__ volatile("ljmp %0, $1f; 1: mov %1, %%ds; mov %1, %%es; mov %1, %%ss;"
			 "mov %2, %%fs; mov %2, %%gs; ltr %w3"
			 : : "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0), "r"(TSS_SELECTOR) : "memory");
}

void machine__start(void)
{
	unsigned i;

	gdt[KERNEL_CS / 8] = segment__descriptor(0, 0xfffff, 0xc09b);
	gdt[KERNEL_DS / 8] = segment__descriptor(0, 0xfffff, 0xc093);
	gdt[USER_CS / 8] = segment__descriptor(0, 0xfffff, 0xc0fb);
	gdt[USER_DS / 8] = segment__descriptor(0, 0xfffff, 0xc0f3);
	gdt[CS16 / 8] = segment__descriptor(REAL_BASE, 0xffff, 0x009b);
	gdt[DS16 / 8] = segment__descriptor(REAL_BASE, 0xffff, 0x0093);
	tss.ss0 = KERNEL_DS;
	tss.esp0 = (u32)trap_stack + sizeof(trap_stack);
	tss.io_map = offsetof(struct tss, map);
	memset(tss.map, 0xff, sizeof(tss.map));
	gdt[TSS_SELECTOR / 8] = segment__descriptor((u32)&tss, sizeof(tss) - 1, 0x0089);
	for (i = 0; i < 256; i++)
		trap__set_gate(i, 0xe, 0);
	trap__set_gate(X86_BP, 0xe, 3);
	trap__set_gate(X86_OF, 0xe, 3);
	trap__set_gate(USER_EXIT_VECTOR, 0xe, 3);
	load_tables();
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	main();
	check__finish();
}
