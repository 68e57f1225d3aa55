/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands of a loop that lie at distances from each other that it leaves alone: p[0], p[n], p[2 * n], where p moves on from
 * round to round: columns of a matrix, planes of a picture. They share a look-up of p. How far they reach is known before
 * the first round: the look-up of p compares its offset in the page with what that leaves of it.
 */
#include "engines/soft/translate/translate.h"

/* Bytes that the first of the limits is for; each other one is for twice those of the one before. */
#define LEAST_LIMIT 4u

/* A register, and one that no round writes. */
static bool is_constant(const struct translation *t, u8 slot)
{
	return slot < X86_NR_GPR && !(t->loop.written >> slot & 1);
}

/* While it lasts the register is in the host's of its own. */
static bool is_distance(const struct translation *t, u8 slot)
{
	return is_constant(t, slot) && host_of[slot] != H_NONE && slot != X86_RSP;
}

bool stride__of(const struct translation *t, const struct insn *insn, struct stride *s)
{
	*s = (struct stride){ .base = insn->base, .index = insn->index, .scale = insn->scale };
	/* Where sharing has failed, this is what fails most easily. */
	if (!t->loop.jumps_back || t->block->retries || t->block->straddles || translate__alignment(insn) > 1)
		return false;
	if (insn->base >= X86_NR_GPR || insn->index >= X86_NR_GPR)
		return false;
	if (!is_distance(t, s->index)) {
		if (s->scale || !is_distance(t, s->base))
			return false;
		s->base = insn->index;
		s->index = insn->base;
	}
	return s->base != X86_RSP && !is_constant(t, s->base) && stride__now(t, s) <= STRIDE_MAX;
}

u64 stride__now(const struct translation *t, const struct stride *s)
{
	return t->vcpu->cpu.gpr[s->index] << s->scale;
}

void stride__note(struct translation *t, const struct stride *s)
{
	t->loop.strides[s->scale] |= 1u << s->index;
}

static unsigned class_of(unsigned size)
{
	unsigned class = 0;

	while (LEAST_LIMIT << class < size)
		class++;
	return class;
}

static struct host_mem limit_of(unsigned class)
{
	return state_mem(SOFT_AT(stride_limits) + (s32)(class * sizeof(u64)));
}

struct host_mem stride__limit(struct translation *t, unsigned size)
{
	unsigned class = class_of(size);

	t->loop.limits |= 1u << class;
	return limit_of(class);
}

void stride__emit_entry(struct translation *t)
{
	struct loop_plan *loop = &t->loop;

	if (!loop->may_stride)
		return;
	loop->stride_site = emit_jmp(&t->e);
	loop->stride_back = t->e.at;
	emit_patch(&t->e, loop->stride_site, t->e.at);
}

/* The greatest distance into REG_ADDRESS. Returns how many jumps lead away from a distance beyond `most`. */
static unsigned emit_reach(struct translation *t, u32 most, u32 beyond[4 * X86_NR_GPR])
{
	struct emit *e = &t->e;
	unsigned reg, scale, count = 0;

	emit_rr(e, false, 0x31, REG_ADDRESS, REG_ADDRESS);
	for (scale = 0; scale < ARRAY_LENGTH(t->loop.strides); scale++) {
		for (reg = 0; reg < X86_NR_GPR; reg++) {
			if (!(t->loop.strides[scale] >> reg & 1))
				continue;
			emit_mov(e, true, H_RAX, host_of[reg]);
			if (scale) {
				emit_rr(e, true, 0xc1, 4, H_RAX); /* shl */
				emit8(e, scale);
			}
			emit_alu_imm(e, true, ALU_CMP, H_RAX, most);
			beyond[count++] = emit_jcc(e, CC_A);
			emit_rr(e, true, 0x39, REG_ADDRESS, H_RAX);
			emit8(e, 0x4c); /* cmova %rax, %r14 */
			emit8(e, 0x0f);
			emit8(e, 0x47);
			emit8(e, 0xc0 | (REG_ADDRESS & 7) << 3 | H_RAX);
		}
	}
	return count;
}

void stride__emit_limits(struct translation *t)
{
	struct loop_plan *loop = &t->loop;
	struct cold *cold = &t->cold[loop->cold];
	u32 beyond[4 * X86_NR_GPR];
	struct emit *e = &t->e;
	unsigned class, i, count;

	if (!loop->limits)
		return;
	emit_patch(e, loop->stride_site, e->at);
	class = 31 - __builtin_clz(loop->limits);
	count = emit_reach(t, PAGE_SIZE_4K - (LEAST_LIMIT << class), beyond);
	for (i = 0; i <= class; i++) {
		if (!(loop->limits >> i & 1))
			continue;
		emit_mov_imm32(e, H_RAX, PAGE_SIZE_4K - (LEAST_LIMIT << i));
		emit_rr(e, true, 0x29, REG_ADDRESS, H_RAX);
		emit_store(e, H_RAX, limit_of(i));
	}
	emit_jmp_to(e, loop->stride_back);
	/* REG_ADDRESS is less than a page, as where operands are on two pages: loop__emit_cold() makes another version for this, too. */
	for (i = 0; i < count; i++)
		emit_patch(e, beyond[i], e->at);
	cold->from[cold->entries++] = emit_jmp(e);
}
