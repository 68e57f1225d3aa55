/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IDT, and what happens on a trap: a handler, a record, the way back to TRY(). */
#include "tests/guests/lib/long/machine.h"

extern char trap_stubs[];
void trap__dispatch(struct trap_frame *frame);

struct gate idt[256];
static struct trap_state states[MAX_CPUS];
static trap_handler *handlers[256];
static bool resumes[256];

struct trap_state *trap__state(void)
{
	return &states[cpu__index()];
}

void trap__handle(unsigned vector, trap_handler *handler)
{
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_SEQ_CST);
}

void trap__resume(unsigned vector, bool resume)
{
	resumes[vector] = resume;
}

void trap__set_gate(unsigned vector, unsigned type, unsigned dpl, unsigned ist)
{
	u64 offset = (u64)trap_stubs + 16 * vector;

	idt[vector] = (struct gate){
		.offset0 = offset,
		.selector = KERNEL_CS,
		.ist = ist,
		.type = 0x80 | dpl << 5 | type,
		.offset1 = offset >> 16,
		.offset2 = offset >> 32,
	};
}

static void jump_back(struct trap_frame *f, struct trap_jump *jump)
{
	jump->armed = false;
	f->rbx = jump->rbx;
	f->rbp = jump->rbp;
	f->r12 = jump->r12;
	f->r13 = jump->r13;
	f->r14 = jump->r14;
	f->r15 = jump->r15;
	f->rsp = jump->rsp;
	f->rip = jump->rip;
	f->rflags = jump->rflags;
	f->cs = KERNEL_CS;
	f->ss = KERNEL_SS;
	f->rax = 1;
	/* Compatibility-mode code may have left anything here. */
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(KERNEL_SS));
}

void trap__dispatch(struct trap_frame *f)
{
	struct trap_state *t = trap__state();

	if (handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	t->last.count++;
	t->last.frame = *f;
	t->last.cr2 = read_cr2();
	t->last.dr6 = read_dr6();
	t->last.stack = (u64)f;
	if (resumes[f->vector])
		return;
	if (t->jump.armed) {
		jump_back(f, &t->jump);
		return;
	}
	guest__die("unexpected vector %u error %lx at %lx:%lx, rsp %lx, cr2 %lx", (unsigned)f->vector,
		   f->error, f->cs, f->rip, f->rsp, (u64)read_cr2());
}
