/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Caches, address translations, waiting, and calls to the world outside. */
#include "core/emulate/system.h"
#include "core/vm/vm.h"
#include "include/x86/cpuid.h"

/* Guest memory is coherent: there is nothing to write back or to drop. */
enum exec_result system__invd(struct vcpu *vcpu, const struct insn *insn)
{
	SYSTEM_NEED_CPL0(vcpu);
	return EXEC_NEXT;
}

static void flush_engine(struct vcpu *vcpu, enum engine_flush kind, u64 linear)
{
	if (vcpu->vm->engine->flush)
		vcpu->vm->engine->flush(vcpu, kind, linear);
}

static void flush_page(struct vcpu *vcpu, u64 linear)
{
	tlb__flush_page(vcpu, linear);
	flush_engine(vcpu, ENGINE_FLUSH_PAGE, linear);
}

enum exec_result system__invlpg(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 linear = insn__effective_address(cpu, insn);

	SYSTEM_NEED_CPL0(vcpu);
	/* No access is made, so nothing is checked; a non-canonical address does nothing. */
	if (cpu->code_size != 8)
		linear = (u32)(cpu->seg[insn->seg].base + linear);
	else if (insn->seg >= X86_FS)
		linear += cpu->seg[insn->seg].base;
	if (!cpu->long_mode || system__is_canonical(cpu, linear))
		flush_page(vcpu, linear);
	/* The code behind it may have been fetched through the translation that is gone. */
	return EXEC_STOP;
}

enum invpcid_type { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL, INVPCID_ALL_NON_GLOBAL };

/* The TLB holds translations of the current PCID only: those of others are never stale. */
enum exec_result system__invpcid(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 type = cpu->gpr[insn->reg], linear;
	struct {
		u64 pcid;
		u64 address;
	} d;
	enum exec_result r;

	SYSTEM_NEED_CPL0(vcpu);
	if (cpu->code_size != 8)
		type = (u32)type;
	r = emulate__operand(vcpu, insn, 16, false, &linear);
	if (r == EXEC_NEXT)
		r = access__read(vcpu, linear, &d, 16, system__operand_how(insn));
	if (r != EXEC_NEXT)
		return r;
	if (type > INVPCID_ALL_NON_GLOBAL || d.pcid > CR3_PCID_MASK)
		return x86__raise_gp(vcpu, 0);
	if (type <= INVPCID_CONTEXT && d.pcid && !(cpu->cr4 & CR4_PCIDE))
		return x86__raise_gp(vcpu, 0);
	if (type == INVPCID_ADDRESS) {
		if (!cpuid__is_canonical(&vcpu->cpuid, d.address))
			return x86__raise_gp(vcpu, 0);
		flush_page(vcpu, d.address);
	} else if (type == INVPCID_ALL) {
		tlb__flush_all(vcpu);
		flush_engine(vcpu, ENGINE_FLUSH_ALL, 0);
	} else {
		tlb__flush_non_global(vcpu);
		flush_engine(vcpu, ENGINE_FLUSH_NON_GLOBAL, 0);
	}
	return EXEC_STOP;
}

enum exec_result system__hlt(struct vcpu *vcpu, const struct insn *insn)
{
	SYSTEM_NEED_CPL0(vcpu);
	__atomic_store_n(&vcpu->mp_state, KVM_MP_STATE_HALTED, __ATOMIC_SEQ_CST);
	return EXEC_STOP;
}

/*
 * MONITOR and MWAIT: a wait may end at any time for any reason (SDM vol. 2, MWAIT), so waiting not
 * at all is right. Guests that CPUID does not offer them to may use them all the same, unless user
 * space switches that off (api.rst, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS).
 */
static bool has_monitor(struct vcpu *vcpu)
{
	u32 leaf[4];

	if (!(vcpu->vm->disabled_quirks & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS))
		return true;
	cpuid__query(vcpu, CPUID_FEATURES, 0, leaf);
	return leaf[CPUID_ECX] >> CPUID_1_ECX_MONITOR & 1;
}

enum exec_result system__monitor(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 mask = insn->adsize == 8 ? ~0ULL : insn->adsize == 4 ? 0xffffffffULL : 0xffffULL;
	enum exec_result r;
	u64 linear;
	u8 byte;

	if (cpu->cpl || !has_monitor(vcpu))
		return x86__raise_ud(vcpu);
	if ((u32)cpu->gpr[X86_RCX])
		return x86__raise_gp(vcpu, 0);
	r = segment__linear(vcpu, cpu, insn->seg, cpu->gpr[X86_RAX] & mask, 1, false, &linear);
	return r == EXEC_NEXT ? access__read8(vcpu, vcpu->view, linear, &byte) : r;
}

enum exec_result system__mwait(struct vcpu *vcpu, const struct insn *insn)
{
	if (vcpu->cpu.cpl || !has_monitor(vcpu))
		return x86__raise_ud(vcpu);
	if ((u32)vcpu->cpu.gpr[X86_RCX] & ~1u) /* bit 0: interrupts end it though IF is 0 */
		return x86__raise_gp(vcpu, 0);
	return EXEC_STOP;
}

/* VMCALL and VMMCALL: guests made for the other vendor's CPUs find their own, too. */
enum exec_result system__hypercall(struct vcpu *vcpu, const struct insn *insn)
{
	if (!hypercall__execute(vcpu)) {
		/* User space does it: the run loop hands it out, and puts the answer into RAX. */
		vcpu->hypercall_in_flight = true;
		vcpu__request_quietly(vcpu, REQ_EVENT);
	}
	return EXEC_STOP;
}

/* System-management mode is not offered: there is nothing to resume from. */
enum exec_result system__rsm(struct vcpu *vcpu, const struct insn *insn)
{
	return vcpu->smm ? EXEC_FAIL : x86__raise_ud(vcpu);
}
