/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The slow paths to memory operands: segmentation, device memory, page crossings, split locks. */
#include "core/emulate/operand.h"
#include "core/vm/vm.h"

enum exec_result operand__linear_at(struct vcpu *vcpu, const struct insn *insn, u64 ea,
				    unsigned size, bool write, u64 *linear)
{
	ea &= mask_of(insn->adsize);
	if (likely(insn->flags & INSN_NO_SEG)) {
		*linear = ea;
		return EXEC_NEXT;
	}
	return segment__linear(vcpu, &vcpu->cpu, insn->seg, ea, size, write, linear);
}

enum exec_result operand__read_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				    operand_fn *fn)
{
	enum exec_result result;
	u64 linear, copy[2] __attribute__((aligned(16)));
	void *p;

	result = emulate__operand(vcpu, insn, size, false, &linear);
	if (unlikely(result != EXEC_NEXT))
		return result;
	p = tlb__read(vcpu->view, linear, size);
	if (likely(p))
		return fn(vcpu, insn, p);
	result = access__read(vcpu, linear, copy, size, operand__how(insn));
	if (result != EXEC_NEXT)
		return result;
	return fn(vcpu, insn, copy);
}

enum exec_result operand__write_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				     u64 value)
{
	enum exec_result result;
	u64 linear;
	void *p;

	result = emulate__operand(vcpu, insn, size, true, &linear);
	if (unlikely(result != EXEC_NEXT))
		return result;
	p = tlb__write(vcpu->view, linear, size);
	if (unlikely(!p))
		return access__write(vcpu, linear, &value, size, operand__how(insn));
	if (size == 8)
		*(volatile u64 *)p = value;
	else if (size == 4)
		*(volatile u32 *)p = value;
	else if (size == 2)
		*(volatile u16 *)p = value;
	else
		*(volatile u8 *)p = value;
	return EXEC_NEXT;
}

/* Runs fn; undoes what it did to the registers unless everything came out well. */
static enum exec_result modify_copy(struct vcpu *vcpu, const struct insn *insn, u64 linear,
				    unsigned size, operand_fn *fn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result result;
	u64 gpr[X86_NR_GPR];
	u64 arith = cpu->arith;
	u64 copy[2] __attribute__((aligned(16))) = { 0 };

	/* Both halves of a page crossing must be writable before a device sees the read. */
	result = access__probe_write(vcpu, linear, size, operand__how(insn));
	if (result == EXEC_NEXT)
		result = access__read(vcpu, linear, copy, size, operand__how(insn));
	if (result != EXEC_NEXT)
		return result;
	memcpy(gpr, cpu->gpr, sizeof(gpr));
	result = fn(vcpu, insn, copy);
	if (result == EXEC_NEXT)
		result = access__write(vcpu, linear, copy, size, operand__how(insn));
	if (result != EXEC_NEXT) {
		memcpy(cpu->gpr, gpr, sizeof(gpr));
		cpu->arith = arith;
	}
	return result;
}

/*
 * Without one host pointer a locked operation is made atomic by stopping everybody else. While
 * this vCPU waited for its turn, another stopper may have changed the memory map and asked for a
 * flush: then the request must be taken before the TLB is used again.
 */
static enum exec_result modify_copy_alone(struct vcpu *vcpu, const struct insn *insn, u64 linear,
					  unsigned size, operand_fn *fn)
{
	const u64 flushes = REQ_TLB_FLUSH | REQ_TLB_FLUSH_WRITES | REQ_CODE_FLUSH;
	enum exec_result result;

	vm__stop_all(vcpu->vm, vcpu);
	if (__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & flushes)
		result = EXEC_AGAIN;
	else
		result = modify_copy(vcpu, insn, linear, size, fn);
	vm__resume_all(vcpu->vm, vcpu);
	return result;
}

static enum exec_result modify_linear(struct vcpu *vcpu, const struct insn *insn, u64 linear,
				      unsigned size, bool locked, operand_fn *fn)
{
	enum exec_result result;
	void *p;

	p = tlb__write(vcpu->view, linear, size);
	if (likely(p))
		return fn(vcpu, insn, p);
	if (insn->code == 8 && insn->seg == X86_SS &&
	    !(linear_is_canonical(&vcpu->cpu, linear) &&
	      linear_is_canonical(&vcpu->cpu, linear + size - 1)))
		return x86__raise_error(vcpu, X86_SS_FAULT, 0);
	result = access__rmw(vcpu, linear, size, &p);
	if (result != EXEC_NEXT)
		return result;
	if (p)
		return fn(vcpu, insn, p);
	if (locked)
		return modify_copy_alone(vcpu, insn, linear, size, fn);
	return modify_copy(vcpu, insn, linear, size, fn);
}

enum exec_result operand__modify_slow(struct vcpu *vcpu, const struct insn *insn, unsigned size,
				      operand_fn *fn)
{
	return operand__modify_at(vcpu, insn, insn__effective_address(&vcpu->cpu, insn), size, fn);
}

enum exec_result operand__modify_at(struct vcpu *vcpu, const struct insn *insn, u64 ea,
				    unsigned size, operand_fn *fn)
{
	bool locked = insn->flags & INSN_LOCK || size & OPERAND_LOCKED;
	enum exec_result result;
	u64 linear;

	size &= ~OPERAND_LOCKED;
	result = operand__linear_at(vcpu, insn, ea, size, true, &linear);
	if (unlikely(result != EXEC_NEXT))
		return result;
	return modify_linear(vcpu, insn, linear, size, locked, fn);
}
