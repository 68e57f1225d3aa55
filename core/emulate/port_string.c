/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INS and OUTS. With REP, devices in the core are looped over; user space gets one item a time. */
#include "core/emulate/system.h"

/* How many items one execution moves before it lets the loop look for events. */
#define STRING_BATCH 256

static u64 address_mask(const struct insn *insn)
{
	return insn->adsize == 8 ? ~0ULL : insn->adsize == 4 ? 0xffffffffULL : 0xffffULL;
}

static void add_to(struct x86_cpu *cpu, unsigned reg, const struct insn *insn, u64 n)
{
	system__write_gpr(cpu, reg, insn->adsize, cpu->gpr[reg] + n);
}

static u64 stride(const struct x86_cpu *cpu, unsigned size)
{
	return cpu->sysflags & RFLAGS_DF ? -(u64)size : size;
}

/* One item from the port to ES:rDI. The destination is probed before the device is read. */
static enum exec_result input(struct vcpu *vcpu, const struct insn *insn, u16 port, unsigned size)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 ea = cpu->gpr[X86_RDI] & address_mask(insn), linear;
	enum exec_result r;
	u32 value;

	r = segment__linear(vcpu, cpu, X86_ES, ea, size, true, &linear);
	if (r == EXEC_NEXT)
		r = access__probe_write(vcpu, linear, size, 0);
	if (r == EXEC_NEXT)
		r = port__read(vcpu, port, size, &value);
	if (r == EXEC_NEXT)
		r = access__write(vcpu, linear, &value, size, 0);
	if (r == EXEC_NEXT)
		add_to(cpu, X86_RDI, insn, stride(cpu, size));
	return r;
}

/* One item from DS:rSI, or the segment that a prefix names, to the port. */
static enum exec_result output(struct vcpu *vcpu, const struct insn *insn, u16 port, unsigned size)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 ea = cpu->gpr[X86_RSI] & address_mask(insn), linear;
	enum exec_result r;
	u32 value = 0;

	r = segment__linear(vcpu, cpu, insn->seg, ea, size, false, &linear);
	if (r == EXEC_NEXT)
		r = access__read(vcpu, linear, &value, size, system__operand_how(insn));
	if (r == EXEC_NEXT)
		r = port__write(vcpu, port, size, value);
	if (r == EXEC_NEXT)
		add_to(cpu, X86_RSI, insn, stride(cpu, size));
	return r;
}

/* Whether user space took part in the item that was just moved. */
static bool involved_user(const struct vcpu *vcpu)
{
	return vcpu->io.next || vcpu->io.nr_writes;
}

typedef enum exec_result item_fn(struct vcpu *vcpu, const struct insn *insn, u16 port,
				 unsigned size);

static enum exec_result repeat(struct vcpu *vcpu, const struct insn *insn, item_fn *move)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned size = insn->opsize == 8 ? 4 : insn->opsize;
	u16 port = cpu->gpr[X86_RDX];
	enum exec_result r;

	if (!(insn->flags & (INSN_REP | INSN_REPNE))) {
		r = port__check(vcpu, port, size);
		if (r == EXEC_NEXT)
			r = move(vcpu, insn, port, size);
		return r == EXEC_NEXT && vcpu->io.nr_writes ? EXEC_STOP : r;
	}
	/* Whether the port may be used is asked even if there is nothing to move. */
	r = port__check(vcpu, port, size);
	if (r == EXEC_NEXT && !(cpu->gpr[X86_RCX] & address_mask(insn)))
		return EXEC_NEXT;
	for (unsigned i = 0; r == EXEC_NEXT && i < STRING_BATCH; i++) {
		r = move(vcpu, insn, port, size);
		if (r == EXEC_EXIT && i) {
			/* Items were moved: end here, and ask user space at the next execution. */
			vcpu->io.want.kind = IO_NONE;
			return EXEC_AGAIN;
		}
		if (r != EXEC_NEXT)
			return r;
		add_to(cpu, X86_RCX, insn, -1);
		if (!(cpu->gpr[X86_RCX] & address_mask(insn)))
			return vcpu->io.nr_writes ? EXEC_STOP : EXEC_NEXT;
		if (involved_user(vcpu) || vcpu->leave)
			break;
	}
	return r == EXEC_NEXT ? EXEC_AGAIN : r;
}

enum exec_result system__ins(struct vcpu *vcpu, const struct insn *insn)
{
	return repeat(vcpu, insn, input);
}

enum exec_result system__outs(struct vcpu *vcpu, const struct insn *insn)
{
	return repeat(vcpu, insn, output);
}
