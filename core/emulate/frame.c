/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several stack items pushed or popped as one: what calls, gates, interrupts and returns need. */
#include "core/emulate/frame.h"

/* The linear address of `bytes` bytes at sp, within the limit of the stack to push on. */
static enum exec_result stack_linear(struct vcpu *vcpu, const struct frame_stack *stack, u64 sp,
				     unsigned bytes, u64 *linear)
{
	const struct x86_segment *ss = stack->ss;
	bool usable;

	*linear = sp;
	if (stack->size == 8)
		return EXEC_NEXT;
	usable = x86__is_real_like(&vcpu->cpu) || (ss->present && !ss->unusable);
	if (!usable || !segment__in_limit(ss, sp, bytes))
		return x86__raise_error(vcpu, X86_SS_FAULT, stack->error);
	*linear = (u32)(ss->base + sp);
	return EXEC_NEXT;
}

/* Whether pushing so many bytes stays in one piece: the pointer does not wrap on the way. */
static bool is_contiguous(const struct frame_stack *stack, unsigned bytes)
{
	u64 sp = stack->sp & frame__mask(stack->size);

	return stack->size == 8 || !sp || sp >= bytes;
}

/* Checks that the pushes would succeed, in their order: CR2 tells which was the first to fail. */
static enum exec_result probe_push(struct vcpu *vcpu, const struct frame_stack *stack,
				   unsigned count, unsigned width)
{
	u64 mask = frame__mask(stack->size), sp = stack->sp, linear;

	for (unsigned i = 0; i < count; i++) {
		enum exec_result r;

		sp = (sp - width) & mask;
		r = stack_linear(vcpu, stack, sp, width, &linear);
		if (r == EXEC_NEXT)
			r = access__probe_write(vcpu, linear, width, stack->how);
		if (r != EXEC_NEXT)
			return r;
	}
	return EXEC_NEXT;
}

static enum exec_result push_wrapped(struct vcpu *vcpu, struct frame_stack *stack, const u64 *item,
				     unsigned count, unsigned width)
{
	u64 mask = frame__mask(stack->size), sp = stack->sp, linear;
	enum exec_result r = probe_push(vcpu, stack, count, width);

	for (unsigned i = 0; i < count && r == EXEC_NEXT; i++) {
		sp = (sp - width) & mask;
		r = stack_linear(vcpu, stack, sp, width, &linear);
		if (r == EXEC_NEXT)
			r = access__write(vcpu, linear, &item[i], width, stack->how);
	}
	if (r == EXEC_NEXT)
		stack->sp = sp;
	return r;
}

enum exec_result frame__push(struct vcpu *vcpu, struct frame_stack *stack, const u64 *item,
			     unsigned count, unsigned width)
{
	u8 buf[FRAME_MAX_ITEMS * 8];
	unsigned bytes = count * width;
	u64 sp = (stack->sp - bytes) & frame__mask(stack->size), linear;
	enum exec_result r;

	if (unlikely(!is_contiguous(stack, bytes)))
		return push_wrapped(vcpu, stack, item, count, width);
	for (unsigned i = 0; i < count; i++) {
		u8 *to = buf + bytes - (i + 1) * width;

		if (width == 8)
			*(u64 *)to = item[i];
		else if (width == 4)
			*(u32 *)to = item[i];
		else
			*(u16 *)to = item[i];
	}
	r = stack_linear(vcpu, stack, sp, bytes, &linear);
	if (r == EXEC_NEXT)
		r = access__write(vcpu, linear, buf, bytes, stack->how);
	if (r == EXEC_NEXT)
		stack->sp = sp;
	else if (r == EXEC_FAULT)
		probe_push(vcpu, stack, count, width); /* raises the fault of the first that fails */
	return r;
}

static u64 load_item(const u8 *from, unsigned width)
{
	if (width == 8)
		return *(const u64 *)from;
	return width == 4 ? *(const u32 *)from : *(const u16 *)from;
}

static enum exec_result peek_item(struct vcpu *vcpu, u64 sp, u64 *item, unsigned width)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result r;
	u64 linear;
	u8 buf[8];

	r = segment__linear(vcpu, cpu, X86_SS, sp & frame__mask(frame__stack_size(cpu)), width,
			    false, &linear);
	if (r == EXEC_NEXT)
		r = access__read(vcpu, linear, buf, width, ACCESS_STACK);
	if (r == EXEC_NEXT)
		*item = load_item(buf, width);
	return r;
}

/*
 * Item by item, in an order that CR2 shows: flags, CS, IP of an interrupted state, CS and IP of a
 * far return, SS and SP of either.
 */
static enum exec_result peek_singly(struct vcpu *vcpu, u64 sp, u64 *item, unsigned count,
				    unsigned width)
{
	unsigned group = MIN_OF(count, 3u), i;
	enum exec_result r = EXEC_NEXT;

	for (i = group; i-- > 0 && r == EXEC_NEXT;)
		r = peek_item(vcpu, sp + i * width, &item[i], width);
	for (i = MIN_OF(count, 5u); i-- > group && r == EXEC_NEXT;)
		r = peek_item(vcpu, sp + i * width, &item[i], width);
	for (i = 5; i < count && r == EXEC_NEXT; i++)
		r = peek_item(vcpu, sp + i * width, &item[i], width);
	return r;
}

enum exec_result frame__peek(struct vcpu *vcpu, u64 offset, u64 *item, unsigned count,
			     unsigned width)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 mask = frame__mask(frame__stack_size(cpu)), linear;
	u64 sp = (cpu->gpr[X86_RSP] + offset) & mask;
	unsigned bytes = count * width;
	u8 buf[FRAME_MAX_ITEMS * 8];
	enum exec_result r;

	/* One read where the pointer does not wrap and nothing faults, else item by item. */
	if (unlikely(mask - sp < bytes - 1))
		return peek_singly(vcpu, sp, item, count, width);
	r = segment__linear(vcpu, cpu, X86_SS, sp, bytes, false, &linear);
	if (r == EXEC_NEXT)
		r = access__read(vcpu, linear, buf, bytes, ACCESS_STACK);
	if (unlikely(r == EXEC_FAULT))
		return peek_singly(vcpu, sp, item, count, width);
	for (unsigned i = 0; i < count && r == EXEC_NEXT; i++)
		item[i] = load_item(buf + i * width, width);
	return r;
}
