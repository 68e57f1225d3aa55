/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers that locate descriptor tables: GDTR, IDTR, LDTR and TR. */
#include "core/emulate/segload.h"
#include "core/emulate/system.h"

/* User-mode instruction prevention: SGDT, SIDT, SLDT, SMSW and STR are privileged then. */
static bool is_prevented(const struct x86_cpu *cpu)
{
	return cpu->cpl && (cpu->cr4 & CR4_UMIP);
}

enum exec_result system__sldt(struct vcpu *vcpu, const struct insn *insn)
{
	if (is_prevented(&vcpu->cpu))
		return x86__raise_gp(vcpu, 0);
	return system__write_ew(vcpu, insn, vcpu->cpu.ldtr.selector);
}

enum exec_result system__str(struct vcpu *vcpu, const struct insn *insn)
{
	if (is_prevented(&vcpu->cpu))
		return x86__raise_gp(vcpu, 0);
	return system__write_ew(vcpu, insn, vcpu->cpu.tr.selector);
}

/* Reads the LDT or TSS descriptor that LLDT or LTR names, 16 bytes in 64-bit code. */
static enum exec_result read_system(struct vcpu *vcpu, u16 selector, struct descriptor *d)
{
	enum exec_result r;

	if (selector & SELECTOR_TI)
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	r = segload__read(vcpu, selector, X86_GP, d);
	if (r != EXEC_NEXT || vcpu->cpu.code_size != 8)
		return r;
	r = segload__read_high(vcpu, selector, X86_GP, d);
	if (r != EXEC_NEXT)
		return r;
	/* The upper half has a type field of its own, which must be 0 (APM vol. 2, 4.8.3). */
	if ((d->high >> 40 & 0x1f) || !cpuid__is_canonical(&vcpu->cpuid, descriptor__base(d)))
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	return EXEC_NEXT;
}

enum exec_result system__lldt(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor d;
	enum exec_result r;
	u16 selector;

	SYSTEM_NEED_CPL0(vcpu);
	r = system__read_ew(vcpu, insn, &selector);
	if (r != EXEC_NEXT)
		return r;
	if (selector__is_null(selector)) {
		segload__set_null(&cpu->ldtr, selector);
		return EXEC_NEXT;
	}
	r = read_system(vcpu, selector, &d);
	if (r != EXEC_NEXT)
		return r;
	if (descriptor__is_segment(d.low) || descriptor__type(d.low) != SYSTEM_LDT)
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	if (!descriptor__is_present(d.low))
		return x86__raise_error(vcpu, X86_NP, SELECTOR_ERROR(selector));
	segload__unpack(&cpu->ldtr, selector, &d);
	return EXEC_NEXT;
}

static bool is_available_tss(const struct x86_cpu *cpu, u64 low)
{
	unsigned type = descriptor__type(low);

	if (descriptor__is_segment(low))
		return false;
	return type == SYSTEM_TSS || (type == SYSTEM_TSS16 && !cpu->long_mode);
}

enum exec_result system__ltr(struct vcpu *vcpu, const struct insn *insn)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor d;
	enum exec_result r;
	u16 selector;

	SYSTEM_NEED_CPL0(vcpu);
	r = system__read_ew(vcpu, insn, &selector);
	if (r != EXEC_NEXT)
		return r;
	if (selector__is_null(selector))
		return x86__raise_gp(vcpu, 0);
	r = read_system(vcpu, selector, &d);
	if (r != EXEC_NEXT)
		return r;
	if (!is_available_tss(cpu, d.low))
		return x86__raise_gp(vcpu, SELECTOR_ERROR(selector));
	if (!descriptor__is_present(d.low))
		return x86__raise_error(vcpu, X86_NP, SELECTOR_ERROR(selector));
	r = segload__set_busy(vcpu, &d, true);
	if (r == EXEC_NEXT)
		segload__unpack(&cpu->tr, selector, &d);
	return r;
}

static enum exec_result store_table(struct vcpu *vcpu, const struct insn *insn,
				    const struct x86_dtable *table)
{
	unsigned size = vcpu->cpu.code_size == 8 ? 10 : 6;
	u64 base = table->base, linear;
	enum exec_result r;
	u8 image[10];

	if (is_prevented(&vcpu->cpu))
		return x86__raise_gp(vcpu, 0);
	if (size == 6 && insn->opsize == 2)
		base &= 0xffffff;
	memcpy(image, &table->limit, 2);
	memcpy(image + 2, &base, 8);
	r = emulate__operand(vcpu, insn, size, true, &linear);
	return r == EXEC_NEXT ? access__write(vcpu, linear, image, size,
						     system__operand_how(insn)) : r;
}

enum exec_result system__sgdt(struct vcpu *vcpu, const struct insn *insn)
{
	return store_table(vcpu, insn, &vcpu->cpu.gdt);
}

enum exec_result system__sidt(struct vcpu *vcpu, const struct insn *insn)
{
	return store_table(vcpu, insn, &vcpu->cpu.idt);
}

static enum exec_result load_table(struct vcpu *vcpu, const struct insn *insn,
				   struct x86_dtable *table)
{
	unsigned size = vcpu->cpu.code_size == 8 ? 10 : 6;
	u64 base = 0, linear;
	enum exec_result r;
	u8 image[10];

	SYSTEM_NEED_CPL0(vcpu);
	r = emulate__operand(vcpu, insn, size, false, &linear);
	if (r == EXEC_NEXT)
		r = access__read(vcpu, linear, image, size, system__operand_how(insn));
	if (r != EXEC_NEXT)
		return r;
	memcpy(&base, image + 2, size - 2);
	if (size == 6 && insn->opsize == 2)
		base &= 0xffffff;
	if (size == 10 && !cpuid__is_canonical(&vcpu->cpuid, base))
		return x86__raise_gp(vcpu, 0);
	memcpy(&table->limit, image, 2);
	table->base = base;
	return EXEC_NEXT;
}

enum exec_result system__lgdt(struct vcpu *vcpu, const struct insn *insn)
{
	return load_table(vcpu, insn, &vcpu->cpu.gdt);
}

enum exec_result system__lidt(struct vcpu *vcpu, const struct insn *insn)
{
	return load_table(vcpu, insn, &vcpu->cpu.idt);
}
