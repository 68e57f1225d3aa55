/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executors: one function (or one set of forms) per instruction, exact and atomic with respect to
 * faults. Each row of the tables names its executor.
 *
 * An executor commits nothing to registers, flags or memory before the last access that can fault.
 * `insn` is constant and shared. All run on the vCPU's own thread.
 */
#ifndef CORE_EMULATE_EMULATE_H
#define CORE_EMULATE_EMULATE_H

#include "core/decode/decode.h"
#include "core/engine.h"
#include "core/memory/access.h"
#include "core/vm/vcpu.h"
#include "core/x86/exception.h"
#include "core/x86/segment.h"

/*
 * Checks what the bytes do not tell: the row's CPUID feature, ROW_PROT, VEX outside of protected
 * mode. EXEC_NEXT, or EXEC_FAULT with #UD recorded. It depends on the guest's CPUID, CR0.PE and
 * RFLAGS.VM only, so a cache keyed by these asks once per decoded instruction. ROW_CPL0 is checked
 * by the executors of system instructions themselves, after their #UD conditions.
 */
enum exec_result emulate__check(struct vcpu *vcpu, const struct insn *insn);

/*
 * Decodes and executes exactly one instruction at RIP, advancing RIP on EXEC_NEXT and EXEC_STOP.
 * For the slow paths: single step, completing device accesses, hardware engines.
 */
enum exec_result emulate__one(struct vcpu *vcpu);

/* Fetches and decodes the instruction at RIP; it may cross a page. As emulate__one() for errors. */
enum exec_result emulate__fetch(struct vcpu *vcpu, struct insn *insn);

#define GPR8(cpu, off) (*(u8 *)((u8 *)(cpu)->gpr + (off)))
#define GPR16(cpu, off) (*(u16 *)((u8 *)(cpu)->gpr + (off)))
#define GPR32(cpu, off) (*(u32 *)((u8 *)(cpu)->gpr + (off)))
#define GPR64(cpu, off) (*(u64 *)((u8 *)(cpu)->gpr + (off)))

/* The linear address of the instruction's memory operand of size bytes. */
static __always_inline enum exec_result emulate__operand(struct vcpu *vcpu,
							 const struct insn *insn, unsigned size,
							 bool write, u64 *linear)
{
	u64 ea = insn__effective_address(&vcpu->cpu, insn);

	if (likely(insn->flags & INSN_NO_SEG)) {
		*linear = ea;
		return EXEC_NEXT;
	}
	return segment__linear(vcpu, &vcpu->cpu, insn->seg, ea, size, write, linear);
}

/* Port I/O through the TSS bitmap, in-kernel devices, ioeventfds, then user space. */
enum exec_result io__port_in(struct vcpu *vcpu, u16 port, unsigned size, u32 *value);
enum exec_result io__port_out(struct vcpu *vcpu, u16 port, unsigned size, u32 value);
/* Device memory: in-kernel devices, ioeventfds, coalesced ranges, then user space. size 1 to 8. */
enum exec_result io__mmio_read(struct vcpu *vcpu, u64 gpa, unsigned size, void *data);
enum exec_result io__mmio_write(struct vcpu *vcpu, u64 gpa, unsigned size, const void *data);

#endif
