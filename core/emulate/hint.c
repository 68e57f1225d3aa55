/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints, fences, cache lines, random numbers, BOUND, and the undefined opcodes. */
#include "core/emulate/operand.h"

enum exec_result exec_nop(struct vcpu *vcpu, const struct insn *insn)
{
	return EXEC_NEXT;
}

enum exec_result exec_pause(struct vcpu *vcpu, const struct insn *insn)
{
	__asm__ volatile("pause");
	return EXEC_NEXT;
}

enum exec_result exec_ud(struct vcpu *vcpu, const struct insn *insn)
{
	return x86__raise_ud(vcpu);
}

enum exec_result exec_lfence(struct vcpu *vcpu, const struct insn *insn)
{
	__asm__ volatile("lfence" ::: "memory");
	return EXEC_NEXT;
}

enum exec_result exec_mfence(struct vcpu *vcpu, const struct insn *insn)
{
	__asm__ volatile("mfence" ::: "memory");
	return EXEC_NEXT;
}

enum exec_result exec_sfence(struct vcpu *vcpu, const struct insn *insn)
{
	__asm__ volatile("sfence" ::: "memory");
	return EXEC_NEXT;
}

/* The host's caches are coherent; only the faults of a byte's load remain. */
enum exec_result exec_clflush(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result result;
	u64 linear;

	result = emulate__operand(vcpu, insn, 1, false, &linear);
	if (result != EXEC_NEXT)
		return result;
	return access__probe_read(vcpu, linear, 1, operand__how(insn));
}

/* Zeroes the line that rAX points into (APM vol. 3, CLZERO). */
enum exec_result exec_clzero(struct vcpu *vcpu, const struct insn *insn)
{
	static const u8 zeroes[64];
	enum exec_result result;
	u64 linear;

	/* The line is one of linear addresses: a segment's base need not be aligned. */
	result = operand__linear_at(vcpu, insn, vcpu->cpu.gpr[X86_RAX], 1, true, &linear);
	if (result != EXEC_NEXT)
		return result;
	linear &= ~63ULL;
	return access__write(vcpu, linear, zeroes, sizeof(zeroes), operand__how(insn));
}

/* CF says that a number was there; the other flags are cleared (APM vol. 3, RDRAND). */
static enum exec_result set_random(struct vcpu *vcpu, const struct insn *insn, u64 value)
{
	struct x86_cpu *cpu = &vcpu->cpu;

	if (insn->opsize == 2)
		SET_GPR16(cpu, insn->dst, value);
	else if (insn->opsize == 4)
		SET_GPR32(cpu, insn->dst, value);
	else
		SET_GPR64(cpu, insn->dst, value);
	cpu->arith = RFLAGS_CF;
	return EXEC_NEXT;
}

/* Bits of random_sources. */
#define HOST_RDRAND 1
#define HOST_RDSEED 2
#define HOST_ASKED 4

/* Which of the instructions the host has. Asked once: CPUID is slow in a virtual machine. */
static unsigned host_random_sources(void)
{
	static unsigned sources;
	unsigned found = __atomic_load_n(&sources, __ATOMIC_RELAXED);
	u32 leaf[4];

	if (found)
		return found;
	found = HOST_ASKED;
	host__cpuid(1, 0, leaf);
	if (leaf[2] & 1u << 30)
		found |= HOST_RDRAND;
	host__cpuid(0, 0, leaf);
	if (leaf[0] >= 7) {
		host__cpuid(7, 0, leaf);
		if (leaf[1] & 1u << 18)
			found |= HOST_RDSEED;
	}
	__atomic_store_n(&sources, found, __ATOMIC_RELAXED);
	return found;
}

static u64 random_from_host(void)
{
	u64 value;

	host__random(&value, sizeof(value));
	return value;
}

enum exec_result exec_rdrand(struct vcpu *vcpu, const struct insn *insn)
{
	bool there = false;
	u64 value;

	if (host_random_sources() & HOST_RDRAND)
		__asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(there));
	return set_random(vcpu, insn, there ? value : random_from_host());
}

enum exec_result exec_rdseed(struct vcpu *vcpu, const struct insn *insn)
{
	bool there = false;
	u64 value;

	if (host_random_sources() & HOST_RDSEED)
		__asm__ volatile("rdseed %0" : "=r"(value), "=@ccc"(there));
	return set_random(vcpu, insn, there ? value : random_from_host());
}

/* #BR unless the signed index is within the pair of bounds in memory. */
static enum exec_result bound_rm16(struct vcpu *vcpu, const struct insn *insn)
{
	s16 index = GPR16(&vcpu->cpu, insn->dst), bound[2];
	enum exec_result result;
	u64 linear;

	result = emulate__operand(vcpu, insn, sizeof(bound), false, &linear);
	if (result == EXEC_NEXT)
		result = access__read(vcpu, linear, bound, sizeof(bound), 0);
	if (result == EXEC_NEXT && (index < bound[0] || index > bound[1]))
		result = x86__raise(vcpu, X86_BR);
	return result;
}

static enum exec_result bound_rm32(struct vcpu *vcpu, const struct insn *insn)
{
	s32 index = GPR32(&vcpu->cpu, insn->dst), bound[2];
	enum exec_result result;
	u64 linear;

	result = emulate__operand(vcpu, insn, sizeof(bound), false, &linear);
	if (result == EXEC_NEXT)
		result = access__read(vcpu, linear, bound, sizeof(bound), 0);
	if (result == EXEC_NEXT && (index < bound[0] || index > bound[1]))
		result = x86__raise(vcpu, X86_BR);
	return result;
}

const struct exec_forms forms_bound = { .fn = {
	[FORM_RM] = { NULL, bound_rm16, bound_rm32 },
} };
