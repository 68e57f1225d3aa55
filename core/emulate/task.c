/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hardware task switches of legacy protected mode (APM vol. 2, ch. 12; SDM vol. 3, ch. 7). */
#include "core/emulate/far.h"
#include "core/emulate/frame.h"
#include "core/emulate/system.h"

struct tss16 {
	u16 link, sp0, ss0, sp1, ss1, sp2, ss2;
	u16 ip, flags;
	u16 gpr[8];
	u16 es, cs, ss, ds;
	u16 ldt;
};

struct tss32 {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2;
	u32 cr3;
	u32 eip, eflags;
	u32 gpr[8];
	u32 es, cs, ss, ds, fs, gs;
	u32 ldt;
	u16 trap, io_map;
};

_Static_assert(sizeof(struct tss16) == 44, "16-bit TSS");
_Static_assert(sizeof(struct tss32) == 104, "32-bit TSS");

#define TSS_TRAP_BIT 1

/* A task's state, whichever TSS it came from. */
struct task {
	u32 eip, eflags, cr3;
	u32 gpr[8];
	u16 seg[X86_NR_SEG];
	u16 ldt;
	bool wide; /* 32-bit TSS */
	bool trap;
};

static bool is_wide(u64 low)
{
	return descriptor__type(low) & 8;
}

/* ---- the two layouts ---- */

static void unpack16(const struct tss16 *tss, struct task *t)
{
	*t = (struct task){ .eip = tss->ip, .eflags = tss->flags, .ldt = tss->ldt };
	/* A 16-bit task leaves the upper halves of registers undefined: here all ones (386). */
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = tss->gpr[i] | 0xffff0000;
	t->seg[X86_ES] = tss->es;
	t->seg[X86_CS] = tss->cs;
	t->seg[X86_SS] = tss->ss;
	t->seg[X86_DS] = tss->ds;
}

static void unpack32(const struct tss32 *tss, struct task *t)
{
	*t = (struct task){
		.eip = tss->eip,
		.eflags = tss->eflags,
		.cr3 = tss->cr3,
		.ldt = tss->ldt,
		.wide = true,
		.trap = tss->trap & TSS_TRAP_BIT,
	};
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = tss->gpr[i];
	t->seg[X86_ES] = tss->es;
	t->seg[X86_CS] = tss->cs;
	t->seg[X86_SS] = tss->ss;
	t->seg[X86_DS] = tss->ds;
	t->seg[X86_FS] = tss->fs;
	t->seg[X86_GS] = tss->gs;
}

static enum exec_result read_task(struct vcpu *vcpu, const struct descriptor *d, struct task *t)
{
	u64 base = descriptor__base(d);
	enum exec_result r;

	if (is_wide(d->low)) {
		struct tss32 tss;

		r = access__read(vcpu, base, &tss, sizeof(tss), ACCESS_IMPLICIT);
		if (r == EXEC_NEXT)
			unpack32(&tss, t);
	} else {
		struct tss16 tss;

		r = access__read(vcpu, base, &tss, sizeof(tss), ACCESS_IMPLICIT);
		if (r == EXEC_NEXT)
			unpack16(&tss, t);
	}
	return r;
}

/* The dynamic part of a TSS: from the instruction pointer to the last segment selector. */
static enum exec_result save16(struct vcpu *vcpu, u64 rip, u64 flags, bool probe)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	u64 at = cpu->tr.base + offsetof(struct tss16, ip);
	struct tss16 tss = {
		.ip = rip,
		.flags = flags,
		.es = cpu->seg[X86_ES].selector,
		.cs = cpu->seg[X86_CS].selector,
		.ss = cpu->seg[X86_SS].selector,
		.ds = cpu->seg[X86_DS].selector,
	};
	unsigned size = offsetof(struct tss16, ldt) - offsetof(struct tss16, ip);

	if (probe)
		return access__probe_write(vcpu, at, size, ACCESS_IMPLICIT);
	for (unsigned i = 0; i < 8; i++)
		tss.gpr[i] = cpu->gpr[i];
	return access__write(vcpu, at, &tss.ip, size, ACCESS_IMPLICIT);
}

static enum exec_result save32(struct vcpu *vcpu, u64 rip, u64 flags, bool probe)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	u64 at = cpu->tr.base + offsetof(struct tss32, eip);
	struct tss32 tss = {
		.eip = rip,
		.eflags = flags,
		.es = cpu->seg[X86_ES].selector,
		.cs = cpu->seg[X86_CS].selector,
		.ss = cpu->seg[X86_SS].selector,
		.ds = cpu->seg[X86_DS].selector,
		.fs = cpu->seg[X86_FS].selector,
		.gs = cpu->seg[X86_GS].selector,
	};
	unsigned size = offsetof(struct tss32, ldt) - offsetof(struct tss32, eip);

	if (probe)
		return access__probe_write(vcpu, at, size, ACCESS_IMPLICIT);
	for (unsigned i = 0; i < 8; i++)
		tss.gpr[i] = cpu->gpr[i];
	return access__write(vcpu, at, &tss.eip, size, ACCESS_IMPLICIT);
}

/* Saves the outgoing task, or only checks that this will succeed. */
static enum exec_result save_task(struct vcpu *vcpu, u64 rip, u64 flags, bool probe)
{
	const struct x86_segment *tr = &vcpu->cpu.tr;
	bool wide = tr->type & 8;
	u32 last = wide ? offsetof(struct tss32, ldt) - 1 : offsetof(struct tss16, ldt) - 1;

	if (tr->limit < last)
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(tr->selector));
	return wide ? save32(vcpu, rip, flags, probe) : save16(vcpu, rip, flags, probe);
}

/* ---- before the commit point ---- */

static enum exec_result read_tss_descriptor(struct vcpu *vcpu, u16 selector, enum task_cause cause,
					    struct descriptor *d)
{
	bool back = cause == TASK_IRET;
	enum x86_vector vector = back ? X86_TS : X86_GP;
	enum exec_result r;
	unsigned type;

	if (selector__is_null(selector) || (selector & SELECTOR_TI))
		return x86__raise_error(vcpu, vector, SELECTOR_ERROR(selector));
	r = segload__read(vcpu, selector, vector, d);
	if (r != EXEC_NEXT)
		return r;
	/* The way back leads to a busy task, all others to an available one. */
	type = descriptor__type(d->low);
	if (back)
		type ^= SYSTEM_TYPE_BUSY;
	if (descriptor__is_segment(d->low) || (type != SYSTEM_TSS && type != SYSTEM_TSS16))
		return x86__raise_error(vcpu, vector, SELECTOR_ERROR(selector));
	if (!descriptor__is_present(d->low))
		return x86__raise_error(vcpu, X86_NP, SELECTOR_ERROR(selector));
	if (descriptor__limit(d->low) <
	    (is_wide(d->low) ? sizeof(struct tss32) : sizeof(struct tss16)) - 1)
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(selector));
	return EXEC_NEXT;
}

/* The descriptor of the outgoing task; *found is false if TR holds none that can be found. */
static enum exec_result read_old_descriptor(struct vcpu *vcpu, struct descriptor *d, bool *found)
{
	const struct x86_cpu *cpu = &vcpu->cpu;

	*found = !cpu->tr.unusable && !selector__is_null(cpu->tr.selector) &&
		 segload__locate(cpu, cpu->tr.selector, &d->linear);
	if (!*found)
		return EXEC_NEXT;
	d->high = 0;
	return access__read(vcpu, d->linear, &d->low, 8, ACCESS_IMPLICIT);
}

static bool nests(enum task_cause cause)
{
	return cause == TASK_CALL || cause == TASK_INTERRUPT;
}

/* Everything in memory that the switch will write, checked before the first write. */
static enum exec_result probe_switch(struct vcpu *vcpu, const struct descriptor *new_tss,
				     const struct descriptor *old_tss, bool old_found,
				     enum task_cause cause)
{
	enum exec_result r = save_task(vcpu, 0, 0, true);

	if (r == EXEC_NEXT && nests(cause))
		r = access__probe_write(vcpu, descriptor__base(new_tss), 2, ACCESS_IMPLICIT);
	if (r == EXEC_NEXT && cause != TASK_IRET)
		r = access__probe_write(vcpu, new_tss->linear + 4, 4, ACCESS_IMPLICIT);
	if (r == EXEC_NEXT && old_found && !nests(cause))
		r = access__probe_write(vcpu, old_tss->linear + 4, 4, ACCESS_IMPLICIT);
	return r;
}

/* Busy bits, the outgoing state, the backlink. */
static enum exec_result write_switch(struct vcpu *vcpu, struct descriptor *new_tss,
				     struct descriptor *old_tss, bool old_found,
				     enum task_cause cause, u64 return_rip)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	u64 flags = x86__rflags(cpu);
	enum exec_result r;
	u16 link = cpu->tr.selector;

	if (cause == TASK_IRET)
		flags &= ~RFLAGS_NT;
	r = save_task(vcpu, return_rip, flags, false);
	if (r == EXEC_NEXT && nests(cause))
		r = access__write(vcpu, descriptor__base(new_tss), &link, 2, ACCESS_IMPLICIT);
	if (r == EXEC_NEXT && old_found && !nests(cause))
		r = segload__set_busy(vcpu, old_tss, false);
	if (r == EXEC_NEXT && cause != TASK_IRET)
		r = segload__set_busy(vcpu, new_tss, true);
	return r;
}

/* ---- the new task ---- */

/* Selectors first: a fault about one of them is the new task's, at its privilege. */
static void load_registers(struct vcpu *vcpu, const struct task *t)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	bool v86 = t->eflags & RFLAGS_VM;
	unsigned cpl = t->seg[X86_CS] & SELECTOR_RPL;

	for (unsigned i = 0; i < 8; i++)
		cpu->gpr[i] = t->gpr[i];
	cpu->rip = t->eip;
	for (unsigned seg = 0; seg < X86_NR_SEG; seg++) {
		if (v86)
			segload__set_v86(&cpu->seg[seg], t->seg[seg]);
		else
			segload__set_null(&cpu->seg[seg], t->seg[seg]);
	}
	if (!v86)
		cpu->seg[X86_SS].dpl = cpl; /* where the CPL stands */
	segload__set_null(&cpu->ldtr, t->ldt);
	cpu->dr7 &= ~0x155ULL; /* L0-L3 and LE are the task's own */
	x86__set_rflags(vcpu, t->eflags);
}

static enum exec_result load_ldt(struct vcpu *vcpu, u16 selector)
{
	struct descriptor d;
	enum exec_result r;

	if (selector__is_null(selector))
		return EXEC_NEXT;
	if (selector & SELECTOR_TI)
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(selector));
	r = segload__read(vcpu, selector, X86_TS, &d);
	if (r != EXEC_NEXT)
		return r;
	if (descriptor__is_segment(d.low) || descriptor__type(d.low) != SYSTEM_LDT ||
	    !descriptor__is_present(d.low))
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(selector));
	segload__unpack(&vcpu->cpu.ldtr, selector, &d);
	return EXEC_NEXT;
}

static enum exec_result load_code(struct vcpu *vcpu, u16 selector)
{
	unsigned rpl = selector & SELECTOR_RPL, dpl;
	struct descriptor d;
	enum exec_result r;

	if (selector__is_null(selector))
		return x86__raise_error(vcpu, X86_TS, 0);
	r = segload__read(vcpu, selector, X86_TS, &d);
	if (r != EXEC_NEXT)
		return r;
	dpl = descriptor__dpl(d.low);
	if (!descriptor__is_code(d.low) ||
	    (descriptor__is_conforming(d.low) ? dpl > rpl : dpl != rpl))
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(selector));
	r = far__check_code(vcpu, selector, d.low, X86_TS);
	if (r == EXEC_NEXT)
		r = segload__set_accessed(vcpu, &d);
	if (r == EXEC_NEXT)
		segload__unpack(&vcpu->cpu.seg[X86_CS], selector, &d);
	return r;
}

static enum exec_result load_stack(struct vcpu *vcpu, u16 selector)
{
	struct x86_segment ss;
	enum exec_result r;

	r = segload__stack(vcpu, selector, vcpu->cpu.cpl, false, X86_TS, &ss);
	if (r == EXEC_NEXT)
		segload__commit(&vcpu->cpu, X86_SS, &ss);
	return r;
}

static enum exec_result load_data(struct vcpu *vcpu, enum x86_segreg seg, u16 selector)
{
	struct x86_segment segment;
	enum exec_result r = segload__data(vcpu, seg, selector, &segment);

	if (r == EXEC_NEXT) {
		segload__commit(&vcpu->cpu, seg, &segment);
	} else if (r == EXEC_FAULT && vcpu->exception.vector == X86_GP) {
		/* The same conditions as for MOV, reported as the task's. */
		vcpu->exception.vector = X86_TS;
	}
	return r;
}

static enum exec_result load_segments(struct vcpu *vcpu, const struct task *t)
{
	static const u8 data[] = { X86_ES, X86_DS, X86_FS, X86_GS };
	enum exec_result r = load_ldt(vcpu, t->ldt);

	if (r != EXEC_NEXT || (t->eflags & RFLAGS_VM))
		return r;
	r = load_code(vcpu, t->seg[X86_CS]);
	if (r == EXEC_NEXT)
		r = load_stack(vcpu, t->seg[X86_SS]);
	for (unsigned i = 0; r == EXEC_NEXT && i < ARRAY_LENGTH(data); i++)
		r = load_data(vcpu, data[i], t->seg[data[i]]);
	return r;
}

static enum exec_result push_error(struct vcpu *vcpu, const struct task *t, u32 error)
{
	struct frame_stack stack = frame__current(&vcpu->cpu);
	u64 item = error;
	enum exec_result r = frame__push(vcpu, &stack, &item, 1, t->wide ? 4 : 2);

	if (r == EXEC_NEXT)
		frame__set_sp(&vcpu->cpu, stack.size, stack.sp);
	return r;
}

/* Everything past the commit point: what faults here faults in the new task. */
static enum exec_result enter_task(struct vcpu *vcpu, const struct task *t,
				   const struct interrupt_event *event)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	enum exec_result r;

	if (t->wide && (cpu->cr0 & CR0_PG) && x86__set_cr3(vcpu, t->cr3))
		r = x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(cpu->tr.selector));
	else
		r = EXEC_NEXT;
	load_registers(vcpu, t);
	if (r == EXEC_NEXT)
		r = load_segments(vcpu, t);
	x86__mode_changed(vcpu);
	if (r == EXEC_NEXT && event && event->has_error)
		r = push_error(vcpu, t, event->error);
	if (r == EXEC_NEXT && cpu->rip > cpu->seg[X86_CS].limit)
		r = x86__raise_gp(vcpu, 0);
	if (r == EXEC_NEXT && t->trap)
		r = x86__raise_debug(vcpu, DR6_BT);
	return r == EXEC_NEXT ? EXEC_JUMP : r;
}

enum exec_result task__switch(struct vcpu *vcpu, u16 selector, enum task_cause cause,
			      u64 return_rip, const struct interrupt_event *event)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	struct descriptor new_tss, old_tss = { 0 };
	enum exec_result r;
	bool old_found = false;
	struct task t = { 0 };

	r = read_tss_descriptor(vcpu, selector, cause, &new_tss);
	if (r == EXEC_NEXT)
		r = read_task(vcpu, &new_tss, &t);
	if (r == EXEC_NEXT)
		r = read_old_descriptor(vcpu, &old_tss, &old_found);
	if (r == EXEC_NEXT)
		r = probe_switch(vcpu, &new_tss, &old_tss, old_found, cause);
	if (r == EXEC_NEXT)
		r = write_switch(vcpu, &new_tss, &old_tss, old_found, cause, return_rip);
	if (r != EXEC_NEXT)
		return r;
	if (nests(cause))
		t.eflags |= RFLAGS_NT;
	segload__unpack(&cpu->tr, selector, &new_tss);
	cpu->cr0 |= CR0_TS;
	return enter_task(vcpu, &t, event);
}

enum exec_result task__through_gate(struct vcpu *vcpu, u64 gate, enum task_cause cause,
				    u64 return_rip, const struct interrupt_event *event)
{
	return task__switch(vcpu, descriptor__gate_selector(gate), cause, return_rip, event);
}

enum exec_result task__return(struct vcpu *vcpu, u64 return_rip)
{
	const struct x86_segment *tr = &vcpu->cpu.tr;
	enum exec_result r;
	u16 link;

	if (tr->limit < 1)
		return x86__raise_error(vcpu, X86_TS, SELECTOR_ERROR(tr->selector));
	r = access__read(vcpu, tr->base, &link, 2, ACCESS_IMPLICIT);
	if (r == EXEC_NEXT)
		r = task__switch(vcpu, link, TASK_IRET, return_rip, NULL);
	if (r == EXEC_JUMP)
		vcpu->cpu.nmi_masked = false;
	return r;
}
