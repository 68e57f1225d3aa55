/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several stack items pushed or popped as one: what calls, gates, interrupts and returns need. */
#ifndef CORE_EMULATE_FRAME_H
#define CORE_EMULATE_FRAME_H

#include "core/emulate/emulate.h"

#define FRAME_MAX_ITEMS 40 /* a call gate copies 31 parameters besides SS, SP, CS and IP */

/* A stack to push on, which need not be the current one yet. */
struct frame_stack {
	const struct x86_segment *ss; /* not looked at when size is 8 */
	u64 sp;
	u8 size;   /* of the stack pointer in bytes: 2, 4 or 8 */
	u8 how;	   /* ACCESS_* */
	u32 error; /* of the #SS that a limit violation raises */
};

/* The stack pointer's size in the current mode; SS.B decides outside of 64-bit code. */
static inline unsigned frame__stack_size(const struct x86_cpu *cpu)
{
	return cpu->code_size == 8 ? 8 : cpu->seg[X86_SS].db ? 4 : 2;
}

static inline u64 frame__mask(unsigned size)
{
	return size == 8 ? ~0ULL : size == 4 ? 0xffffffffULL : 0xffffULL;
}

/* Writes a stack pointer of size bytes: 16 bits leave the rest of RSP as it was. */
static inline void frame__set_sp(struct x86_cpu *cpu, unsigned size, u64 sp)
{
	if (size == 2)
		cpu->gpr[X86_RSP] = (cpu->gpr[X86_RSP] & ~0xffffULL) | (sp & 0xffff);
	else
		cpu->gpr[X86_RSP] = sp & frame__mask(size);
}

/* The current stack. */
static inline struct frame_stack frame__current(const struct x86_cpu *cpu)
{
	return (struct frame_stack){
		.ss = &cpu->seg[X86_SS],
		.sp = cpu->gpr[X86_RSP],
		.size = frame__stack_size(cpu),
		.how = ACCESS_STACK,
	};
}

/*
 * Pushes count items of width bytes, item[0] first, all or none. On EXEC_NEXT stack->sp is the new
 * stack pointer; no register is touched.
 */
enum exec_result frame__push(struct vcpu *vcpu, struct frame_stack *stack, const u64 *item,
			     unsigned count, unsigned width);

/*
 * Reads count items of width bytes from the current stack, beginning offset bytes above the stack
 * pointer, zero-extended. No register is touched.
 */
enum exec_result frame__peek(struct vcpu *vcpu, u64 offset, u64 *item, unsigned count,
			     unsigned width);

#endif
