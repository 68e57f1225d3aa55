/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that raise an interrupt or exception themselves: INT n, INT3, INTO, INT1. */
#include "core/emulate/interrupt.h"
#include "core/emulate/system.h"

static enum exec_result deliver(struct vcpu *vcpu, const struct insn *insn, u8 vector,
				enum event_source source)
{
	const struct interrupt_event event = {
		.vector = vector,
		.source = source,
		.rip = system__next_rip(&vcpu->cpu, insn),
	};

	bool stepped = vcpu->cpu.sysflags & RFLAGS_TF;
	enum exec_result r = interrupt__deliver(vcpu, &event);

	/* The gate has cleared TF: the handler's first instruction is not stepped to. */
	if (r == EXEC_JUMP && stepped)
		vcpu->cpu.shadow |= X86_SHADOW_STEP;
	return r;
}

/*
 * The bit for this vector in the software interrupt redirection bitmap, the 32 bytes below the I/O
 * permission bitmap of the TSS (SDM vol. 3, 20.3.2).
 */
static enum exec_result read_redirection(struct vcpu *vcpu, u8 vector, bool *to_monitor)
{
	const struct x86_segment *tr = &vcpu->cpu.tr;
	enum exec_result r;
	u16 io_map;
	u32 at;
	u8 bits;

	if (tr->limit < 103)
		return x86__raise_gp(vcpu, 0);
	r = access__read(vcpu, tr->base + 102, &io_map, 2, ACCESS_IMPLICIT);
	if (r != EXEC_NEXT)
		return r;
	if (io_map < 32 || (at = io_map - 32 + vector / 8) > tr->limit)
		return x86__raise_gp(vcpu, 0);
	r = access__read(vcpu, tr->base + at, &bits, 1, ACCESS_IMPLICIT);
	*to_monitor = bits >> (vector & 7) & 1;
	return r;
}

static enum exec_result interrupt_v86(struct vcpu *vcpu, const struct insn *insn, u8 vector)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	bool to_monitor = true;

	if (cpu->cr4 & CR4_VME) {
		enum exec_result r = read_redirection(vcpu, vector, &to_monitor);

		if (r != EXEC_NEXT)
			return r;
	}
	if (!to_monitor)
		return interrupt__redirect_v86(vcpu, vector, system__next_rip(cpu, insn));
	if (x86__iopl(cpu) < 3)
		return x86__raise_gp(vcpu, 0);
	return deliver(vcpu, insn, vector, EVENT_SOFT_INT);
}

enum exec_result system__int(struct vcpu *vcpu, const struct insn *insn)
{
	if (x86__is_v86(&vcpu->cpu))
		return interrupt_v86(vcpu, insn, insn->imm);
	return deliver(vcpu, insn, insn->imm, EVENT_SOFT_INT);
}

enum exec_result system__int3(struct vcpu *vcpu, const struct insn *insn)
{
	return deliver(vcpu, insn, X86_BP, EVENT_SOFT_INT);
}

enum exec_result system__into(struct vcpu *vcpu, const struct insn *insn)
{
	if (!(vcpu->cpu.arith & RFLAGS_OF))
		return EXEC_NEXT;
	return deliver(vcpu, insn, X86_OF, EVENT_SOFT_INT);
}

/* ICEBP: no privilege check of the gate, and DR6 tells no cause (SDM vol. 2, INT1). */
enum exec_result system__int1(struct vcpu *vcpu, const struct insn *insn)
{
	enum exec_result r = deliver(vcpu, insn, X86_DB, EVENT_TRAP);

	if (r == EXEC_JUMP)
		vcpu->cpu.dr7 &= ~DR7_GD;
	return r;
}
