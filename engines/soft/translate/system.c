/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System instructions that kernels execute all the time: flags, time, control registers, SWAPGS, STAC
 * and CLAC. What is rare about them (privilege, an interrupt that waits) is left to their executors.
 */
#include "engines/soft/translate/translate.h"

static exec_fn *const keeping_mode[] = {
	system__cli, system__swapgs, system__rdtsc, system__rdtscp, system__rdmsr, system__cpuid,
	system__pushf, system__in, system__out, system__verr, system__verw, system__lar, system__lsl,
	system__rdfsbase, system__rdgsbase, system__wrfsbase, system__wrgsbase, system__rdpid,
	system__rdpmc, system__xgetbv, system__mov_from_cr, system__mov_from_dr,
	system__mov_from_sreg, system__sgdt, system__sidt, system__sldt, system__str, system__smsw,
};

bool soft__keeps_mode(const struct insn *insn)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(keeping_mode); i++)
		if (insn->exec == keeping_mode[i])
			return true;
	return false;
}

bool soft__keeps_mode_translated(const struct insn *insn)
{
	return insn->exec == system__sti || insn->exec == system__popf;
}

/* ---- pieces ---- */

/* 81 or F7 on a 32-bit word of the state; op is modrm.reg. */
static void emit_word_imm(struct emit *e, u8 opcode, u8 op, s32 at, u32 imm)
{
	emit_rm(e, false, opcode, op, state_mem(at));
	emit32(e, imm);
}

static void set_bits(struct emit *e, s32 at, u32 bits)
{
	emit_word_imm(e, 0x81, ALU_OR, at, bits);
}

static void clear_bits(struct emit *e, s32 at, u32 bits)
{
	emit_word_imm(e, 0x81, ALU_AND, at, ~bits);
}

static void test_bits(struct emit *e, s32 at, u32 bits)
{
	emit_word_imm(e, 0xf7, 0, at, bits);
}

static void enter_cold(struct cold *cold, u32 from)
{
	cold->from[cold->entries++] = from;
}

/* The executor, for what is not done in line. Flags are in memory from here on. */
static struct cold *begin(struct translation *t)
{
	struct cold *cold;

	translate__save_flags(t);
	cold = translate__cold(t, COLD_EXECUTE, 0);
	cold->entries = 0;
	t->flags = FLAGS_MEMORY;
	return cold;
}

static void need_level_0(struct translation *t, struct cold *cold)
{
	emit_rm(&t->e, false, 0x80, 7, state_mem(VCPU_AT(cpu.cpl)));
	emit8(&t->e, 0);
	enter_cold(cold, emit_jcc(&t->e, CC_NE));
}

/* No interrupt waits for the flag: what sets it must let the loop look otherwise. */
static void need_no_interrupt(struct translation *t, struct cold *cold)
{
	emit_rm(&t->e, false, 0x80, 7, state_mem(SOFT_AT(want_interrupt_window)));
	emit8(&t->e, 0);
	enter_cold(cold, emit_jcc(&t->e, CC_NE));
}

/* A guest register from RAX, 4 or 8 bytes. */
static void put_register(struct translation *t, unsigned reg, unsigned size)
{
	if (t->home[reg] != H_NONE) {
		emit_mov(&t->e, size == 8, t->home[reg], H_RAX);
		return;
	}
	if (size == 4)
		emit_mov(&t->e, false, H_RAX, H_RAX);
	emit_store(&t->e, H_RAX, state_mem(GPR_AT(reg)));
}

void translate__load_rflags(struct emit *e)
{
	/* movzwl flags, %eax; shl $3, %al; rol $8, %ax; and $..., %eax; or sysflags, %rax */
	emit8(e, 0x0f);
	emit_rm(e, false, 0xb7, H_RAX, state_mem(SOFT_AT(flags)));
	emit_rr(e, false, 0xc0, 4, H_RAX);
	emit8(e, 3);
	emit8(e, 0x66);
	emit_rr(e, false, 0xc1, 0, H_RAX);
	emit8(e, 8);
	emit_alu_imm(e, false, ALU_AND, H_RAX, RFLAGS_ARITH);
	emit_alu_mem(e, true, ALU_OR, H_RAX, state_mem(VCPU_AT(cpu.sysflags)));
}

void translate__store_arith(struct emit *e)
{
	/* movb %al, flags + 1; bt $11, %eax; setc flags */
	emit_rm(e, false, 0x88, H_RAX, state_mem(SOFT_AT(flags) + 1));
	emit8(e, 0x0f);
	emit8(e, 0xba);
	emit8(e, 0xe0);
	emit8(e, 11);
	emit8(e, 0x0f);
	emit_rm(e, false, 0x92, 0, state_mem(SOFT_AT(flags)));
}

void translate__switch_mode(struct emit *e, enum soft_mode_index mode)
{
	s32 at = SOFT_AT(mode) + (s32)(mode * sizeof(struct soft_mode));

	emit_load(e, H_RAX, state_mem(at + (s32)offsetof(struct soft_mode, view)));
	emit_store(e, H_RAX, state_mem(VCPU_AT(view)));
	emit_load(e, H_RAX, state_mem(at + (s32)offsetof(struct soft_mode, context)));
	emit_store(e, H_RAX, state_mem(SOFT_AT(context)));
	emit_load(e, H_RAX, state_mem(at + (s32)offsetof(struct soft_mode, fetch_context)));
	emit_store(e, H_RAX, state_mem(SOFT_AT(fetch_context)));
	emit_load(e, H_RAX, state_mem(at + (s32)offsetof(struct soft_mode, jump_key)));
	emit_store(e, H_RAX, state_mem(SOFT_AT(jump_key)));
	emit_load32(e, H_RAX, state_mem(at + (s32)offsetof(struct soft_mode, context_id)));
	emit_store32(e, H_RAX, state_mem(SOFT_AT(context_id)));
}

/* ---- flags ---- */

static bool clear_interrupt_flag(struct translation *t)
{
	struct cold *cold;

	if (translate__view(t) == TLB_USER)
		return false;
	cold = begin(t);
	need_level_0(t, cold);
	clear_bits(&t->e, VCPU_AT(cpu.sysflags), RFLAGS_IF);
	group__finish_cold(t, cold);
	return true;
}

/*
 * The shadow need not be seen if no interrupt waits and the next instruction is executed before
 * anybody looks: it stands in the same block.
 */
static bool set_interrupt_flag(struct translation *t)
{
	struct cold *cold;

	if (translate__view(t) == TLB_USER || t->index + 1 >= t->block->count)
		return false;
	cold = begin(t);
	need_level_0(t, cold);
	need_no_interrupt(t, cold);
	set_bits(&t->e, VCPU_AT(cpu.sysflags), RFLAGS_IF);
	group__finish_cold(t, cold);
	return true;
}

void translate__direction(struct translation *t)
{
	translate__save_flags(t);
	if (t->insn->row->exec == exec_std)
		set_bits(&t->e, VCPU_AT(cpu.sysflags), RFLAGS_DF);
	else
		clear_bits(&t->e, VCPU_AT(cpu.sysflags), RFLAGS_DF);
	t->flags = FLAGS_MEMORY;
}

static struct host_mem stack_pointer(const struct translation *t, s32 by)
{
	return mem_at(t->home[X86_RSP], by * (s32)t->insn->opsize);
}

/* Neither VM nor RF is ever set here. */
static bool push_flags(struct translation *t)
{
	const struct insn *insn = t->insn;
	bool w = t->size_of_code == 8;
	struct cold *cold;

	if (insn->opsize != t->size_of_code)
		return false;
	translate__save_flags(t);
	emit_lea(&t->e, w, REG_ADDRESS, stack_pointer(t, -1));
	cold = translate__look_up(t, insn->opsize, true, 1);
	translate__load_rflags(&t->e);
	emit_rm(&t->e, w, OP_STORE, H_RAX, mem_at(REG_ADDRESS, 0));
	emit_lea(&t->e, w, t->home[X86_RSP], stack_pointer(t, -1));
	group__finish_cold(t, cold);
	return true;
}

/* Where only IF, DF and arithmetic flags differ from what they are. */
static bool pop_flags(struct translation *t)
{
	const struct insn *insn = t->insn;
	bool w = t->size_of_code == 8;
	struct emit *e = &t->e;
	struct cold *cold;

	if (translate__view(t) == TLB_USER || insn->opsize != t->size_of_code)
		return false;
	translate__save_flags(t);
	emit_mov(e, w, REG_ADDRESS, t->home[X86_RSP]);
	cold = translate__look_up(t, insn->opsize, false, 1);
	need_level_0(t, cold);
	need_no_interrupt(t, cold);
	emit_load32(e, H_RAX, mem_at(REG_ADDRESS, 0));
	emit_mov(e, false, REG_ADDRESS, H_RAX);
	emit_alu_mem(e, false, ALU_XOR, REG_ADDRESS, state_mem(VCPU_AT(cpu.sysflags)));
	emit_rr(e, false, 0xf7, 0, REG_ADDRESS);
	emit32(e, RFLAGS_TF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID);
	enter_cold(cold, emit_jcc(e, CC_NE));
	emit_alu_imm(e, false, ALU_AND, REG_ADDRESS, RFLAGS_IF | RFLAGS_DF);
	emit_rm(e, false, 0x31, REG_ADDRESS, state_mem(VCPU_AT(cpu.sysflags)));
	translate__store_arith(e);
	emit_lea(e, w, t->home[X86_RSP], stack_pointer(t, 1));
	t->flags = FLAGS_MEMORY;
	group__finish_cold(t, cold);
	return true;
}

/* Where SMAP makes a difference another view goes on: other code of the same bytes. */
static bool change_alignment_flag(struct translation *t, bool set, bool *ends)
{
	bool other_view = translate__view(t) == (set ? TLB_KERNEL : TLB_KERNEL_AC);
	struct emit *e = &t->e;
	struct cold *cold;

	if (translate__view(t) == TLB_USER || t->size_of_code != 8)
		return false;
	cold = begin(t);
	need_level_0(t, cold);
	if (translate__view(t) == TLB_KERNEL_AC && !set) {
		test_bits(e, VCPU_AT(cpu.cr4), CR4_SMAP);
		enter_cold(cold, emit_jcc(e, CC_E));
	}
	if (set)
		set_bits(e, VCPU_AT(cpu.sysflags), RFLAGS_AC);
	else
		clear_bits(e, VCPU_AT(cpu.sysflags), RFLAGS_AC);
	if (other_view)
		translate__switch_mode(e, set ? SOFT_MODE_KERNEL_AC : SOFT_MODE_KERNEL);
	group__finish_cold(t, cold);
	translate__go_to(t, t->offset + t->insn->len);
	*ends = true;
	return true;
}

/* ---- registers ---- */

static bool swap_gs(struct translation *t)
{
	s32 base = VCPU_AT(cpu.seg) + (s32)(X86_GS * sizeof(struct x86_segment) +
					    offsetof(struct x86_segment, base));
	struct emit *e = &t->e;
	struct cold *cold;

	if (translate__view(t) == TLB_USER)
		return false;
	cold = begin(t);
	need_level_0(t, cold);
	emit_load(e, H_RAX, state_mem(base));
	emit_load(e, REG_ADDRESS, state_mem(VCPU_AT(cpu.kernel_gs_base)));
	emit_store(e, REG_ADDRESS, state_mem(base));
	emit_store(e, H_RAX, state_mem(VCPU_AT(cpu.kernel_gs_base)));
	group__finish_cold(t, cold);
	return true;
}

static bool read_time(struct translation *t)
{
	struct emit *e = &t->e;
	struct cold *cold = begin(t);

	test_bits(e, VCPU_AT(cpu.cr4), CR4_TSD);
	enter_cold(cold, emit_jcc(e, CC_NE));
	emit8(e, 0x0f); /* rdtsc */
	emit8(e, 0x31);
	emit_rr(e, true, 0xc1, 4, H_RDX);
	emit8(e, 32);
	emit_rr(e, true, 0x09, H_RDX, H_RAX);
	emit_alu_mem(e, true, ALU_ADD, H_RAX, state_mem(VCPU_AT(msrs.tsc_offset)));
	put_register(t, X86_RAX, 4);
	emit_mov(e, true, t->home[X86_RDX], H_RAX);
	emit_rr(e, true, 0xc1, 5, t->home[X86_RDX]);
	emit8(e, 32);
	if (t->insn->exec == system__rdtscp)
		emit_load32(e, t->home[X86_RCX], state_mem(VCPU_AT(cpu.tsc_aux)));
	group__finish_cold(t, cold);
	return true;
}

static bool read_control_register(struct translation *t)
{
	static const s32 at[] = { [0] = VCPU_AT(cpu.cr0), [2] = VCPU_AT(cpu.cr2),
				  [3] = VCPU_AT(cpu.cr3), [4] = VCPU_AT(cpu.cr4) };
	const struct insn *insn = t->insn;
	struct cold *cold;

	if (translate__view(t) == TLB_USER || (insn->flags & INSN_LOCK) || insn->reg > 4 || insn->reg == 1)
		return false;
	cold = begin(t);
	need_level_0(t, cold);
	emit_load(&t->e, H_RAX, state_mem(at[insn->reg]));
	put_register(t, insn->rm, t->size_of_code);
	group__finish_cold(t, cold);
	return true;
}

static bool read_segment_register(struct translation *t)
{
	const struct insn *insn = t->insn;
	unsigned seg = insn->modrm >> 3 & 7;
	s32 at = VCPU_AT(cpu.seg) + (s32)(seg * sizeof(struct x86_segment) +
					  offsetof(struct x86_segment, selector));
	struct cold *cold = NULL;

	if (seg > X86_GS)
		return false;
	if (insn->flags & INSN_MEM) {
		cold = translate__operand(t, 2, true, 1);
		if (!cold)
			return false;
	} else if (insn->opsize == 2) {
		return false;
	}
	emit8(&t->e, 0x0f); /* movzwl */
	emit_rm(&t->e, false, 0xb7, H_RAX, state_mem(at));
	if (cold) {
		emit8(&t->e, 0x66);
		emit_rm(&t->e, false, OP_STORE, H_RAX, mem_at(REG_ADDRESS, 0));
		group__finish_cold(t, cold);
	} else {
		put_register(t, insn->rm, 4);
	}
	return true;
}

bool translate__system(struct translation *t, bool *ends)
{
	exec_fn *exec = t->insn->exec;

	/* What they leave to the loop, an interpreted block does not. */
	if (t->soft->check)
		return false;
	if (exec == system__cli)
		return clear_interrupt_flag(t);
	if (exec == system__sti)
		return set_interrupt_flag(t);
	if (exec == system__pushf)
		return push_flags(t);
	if (exec == system__popf)
		return pop_flags(t);
	if (exec == system__clac || exec == system__stac)
		return change_alignment_flag(t, exec == system__stac, ends);
	if (exec == system__swapgs)
		return swap_gs(t);
	if (exec == system__rdtsc || exec == system__rdtscp)
		return read_time(t);
	if (exec == system__mov_from_cr)
		return read_control_register(t);
	return exec == system__mov_from_sreg && read_segment_register(t);
}

u32 translate__way_to_change_mode(const struct translation *t, const struct insn *insn)
{
	const struct glue *glue = &t->soft->glue;

	if (t->size_of_code != 8 || t->soft->check)
		return glue->execute_system;
	if (insn->exec == system__syscall && translate__view(t) == TLB_USER)
		return glue->syscall;
	if (insn->exec == system__sysret && translate__view(t) != TLB_USER && insn->opsize == 8)
		return glue->sysret;
	return glue->execute_system;
}
