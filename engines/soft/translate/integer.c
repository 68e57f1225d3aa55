/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer instructions: copied with other registers, or rewritten where registers are implied. */
#include "engines/soft/translate/translate.h"

/* ---- instructions copied with other registers ---- */

#define CONDITION_FORMS(cc) &forms_cmov_##cc, &forms_set_##cc,

static const struct exec_forms *const copied[] = {
	&forms_mov, &forms_add, &forms_or, &forms_adc, &forms_sbb, &forms_and, &forms_sub,
	&forms_xor, &forms_cmp, &forms_test, &forms_inc, &forms_dec, &forms_not, &forms_neg,
	&forms_rol, &forms_ror, &forms_rcl, &forms_rcr, &forms_shl, &forms_shr, &forms_sar,
	&forms_rol_cl, &forms_ror_cl, &forms_rcl_cl, &forms_rcr_cl, &forms_shl_cl, &forms_shr_cl,
	&forms_sar_cl, &forms_shld, &forms_shrd, &forms_shld_cl, &forms_shrd_cl, &forms_imul2,
	&forms_imul3, &forms_bt, &forms_bts, &forms_btr, &forms_btc, &forms_bsf, &forms_bsr,
	&forms_popcnt, &forms_lzcnt, &forms_tzcnt, &forms_crc32, &forms_andn, &forms_bextr,
	&forms_blsi, &forms_blsmsk, &forms_blsr, &forms_bzhi, &forms_mulx, &forms_pdep, &forms_pext,
	&forms_rorx, &forms_sarx, &forms_shlx, &forms_shrx, &forms_adcx, &forms_adox, &forms_movzx8,
	&forms_movzx16, &forms_movsx8, &forms_movsx16, &forms_movsxd, &forms_movbe, &forms_bswap,
	&forms_xchg, &forms_xadd, CONDITIONS(CONDITION_FORMS)
};

static bool is_copied(const struct exec_forms *forms)
{
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(copied); i++)
		if (copied[i] == forms)
			return true;
	return false;
}

static bool is_bit_operation(const struct exec_forms *forms)
{
	return forms == &forms_bt || forms == &forms_bts || forms == &forms_btr ||
	       forms == &forms_btc;
}

/* AH, CH, DH or BH: can't be named beside a REX prefix. */
bool translate__has_high_byte(const struct insn *insn)
{
	unsigned i;

	if (insn->flags & (INSN_REX | INSN_VEX))
		return false;
	for (i = 0; i < ARRAY_LENGTH(insn->row->op); i++) {
		const struct operand_facts *f = &operand_facts[insn->row->op[i]];

		if (f->size != 'b')
			continue;
		if ((f->place == PLACE_REG || f->place == PLACE_LOW) && insn->reg >= 4)
			return true;
		if (f->place == PLACE_RM && !(insn->flags & INSN_MEM) && insn->rm >= 4)
			return true;
	}
	return false;
}

/* What the host's encoding or processor would do in another way. */
static bool is_special(const struct translation *t, const struct insn *insn)
{
	const struct exec_forms *forms = insn->row->forms;
	const struct x86_cpuid *cpuid = &t->vcpu->cpuid;

	if (translate__has_high_byte(insn))
		return true;
	/* The bit's number moves the address. */
	if (is_bit_operation(forms) && (insn->flags & INSN_MEM) && insn->row->group == GROUP_ANY)
		return true;
	if (forms == &forms_lzcnt)
		return !cpuid__has(cpuid, FEAT_ABM);
	if (forms == &forms_tzcnt)
		return !cpuid__has(cpuid, FEAT_BMI1);
	if (forms == &forms_movsxd || forms == &forms_bswap)
		return insn->opsize == 2;
	return false;
}

/* The memory operand, if there is one. */
static bool take_operand(struct translation *t, struct cold **cold)
{
	const struct insn *insn = t->insn;
	bool write = insn->row->flags & (ROW_WRITES_MEM | ROW_RMW_MEM);

	*cold = NULL;
	if (!(insn->flags & INSN_MEM))
		return true;
	if (stack__is_operand(t, insn)) {
		t->operand = stack__operand(t);
		t->rax_is_taken = true;
		return true;
	}
	if (group__operand(t))
		return true;
	*cold = translate__operand(t, translate__access_size(insn), write, 1);
	return *cold;
}

bool translate__is_copied(const struct translation *t, const struct insn *insn)
{
	const struct opcode_row *row = insn->row;
	u8 first = operand_facts[row->op[0]].place;

	if (!row->forms || !is_copied(row->forms) || row->forms == &forms_xchg ||
	    row->forms == &forms_xadd || first == PLACE_RAX || is_special(t, insn))
		return false;
	return !((row->forms == &forms_inc || row->forms == &forms_dec) && first == PLACE_LOW);
}

static bool copy(struct translation *t)
{
	struct encoding_regs regs;
	struct cold *cold;
	u32 at;

	if (translate__has_high_byte(t->insn))
		return translate__high_byte(t);
	if (is_bit_operation(t->insn->row->forms) && is_special(t, t->insn))
		return translate__bit_string(t);
	if (is_special(t, t->insn))
		return false;
	/* Either may need RAX: the flags first, where the operand leaves them alone. */
	if (stack__is_operand(t, t->insn))
		translate__need_flags(t);
	if (!take_operand(t, &cold))
		return false;
	if (!t->rax_is_taken)
		translate__need_flags(t);
	at = t->e.at;
	if (!translate__take_registers(t, &regs))
		return false;
	recipe__keep_original(t);
	translate__encode(t, &regs);
	translate__give_registers(t);
	translate__flags_written(t);
	group__finish_cold(t, cold);
	if (t->rax_is_taken)
		stack__keep_delta(t);
	else if (!cold && !translate__count_scratch(t, t->insn))
		translate__rax_stands(t, at);
	return true;
}

/* ---- the accumulator ---- */

static void emit_operand_size(struct translation *t)
{
	if (t->insn->opsize == 2)
		emit8(&t->e, 0x66);
}

static void emit_immediate(struct translation *t)
{
	if (t->insn->opsize == 1)
		emit8(&t->e, t->insn->imm);
	else if (t->insn->opsize == 2)
		emit16(&t->e, t->insn->imm);
	else
		emit32(&t->e, t->insn->imm);
}

/* ADD and kin, TEST: accumulator and immediate. In the encoding of any register. */
static bool accumulator_immediate(struct translation *t)
{
	const struct insn *insn = t->insn;
	bool test = insn->row->forms == &forms_test, wide = insn->opsize != 1;

	translate__need_flags(t);
	emit_operand_size(t);
	emit_rr(&t->e, insn->opsize == 8, (test ? 0xf6 : 0x80) | wide,
		test ? 0 : insn->opcode >> 3 & 7, t->home[X86_RAX]);
	emit_immediate(t);
	translate__flags_written(t);
	return true;
}

static bool exchange_accumulator(struct translation *t)
{
	const struct insn *insn = t->insn;
	u8 other = t->home[insn->reg];

	if (other == H_NONE) {
		emit_load(&t->e, H_RAX, state_mem(GPR_AT(insn->reg)));
		other = H_RAX;
	}
	emit_operand_size(t);
	emit_rr(&t->e, insn->opsize == 8, 0x87, other, t->home[X86_RAX]);
	if (other == H_RAX)
		emit_store(&t->e, H_RAX, state_mem(GPR_AT(insn->reg)));
	return true;
}

/* INC and DEC in the encoding of 32-bit code, which is REX in 64-bit code. */
static bool increment_short(struct translation *t)
{
	translate__need_flags(t);
	emit_operand_size(t);
	emit_rr(&t->e, false, 0xff, t->insn->row->forms == &forms_dec, t->home[t->insn->reg & 7]);
	translate__flags_written(t);
	return true;
}

/* CBW, CWD and kin. */
static bool widen_accumulator(struct translation *t)
{
	emit_mov(&t->e, true, H_RAX, t->home[X86_RAX]);
	emit_operand_size(t);
	if (t->insn->opsize == 8)
		emit8(&t->e, 0x48);
	emit8(&t->e, t->insn->opcode);
	if (t->insn->row->forms == &forms_cbw)
		emit_mov(&t->e, true, t->home[X86_RAX], H_RAX);
	return true;
}

/* One operand that is no accumulator, in a pinned register or in memory; RAX in and out. */
static bool with_accumulator(struct translation *t, unsigned alignment)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	bool write = row->flags & ROW_RMW_MEM;
	struct encoding_regs regs = {
		.reg = row->group != GROUP_ANY ? row->group : t->home[insn->reg],
		.mem = insn->flags & INSN_MEM,
		.at = mem_at(REG_ADDRESS, 0),
	};
	unsigned size = row->exec == exec_cmpxchg16b ? 16 : translate__access_size(insn);
	struct cold *cold = NULL;

	if (translate__has_high_byte(insn) || regs.reg == H_NONE)
		return false;
	if (regs.mem && group__operand(t)) {
		regs.at = t->operand;
	} else if (regs.mem) {
		cold = translate__operand(t, size, write, alignment);
		if (!cold)
			return false;
	} else {
		regs.rm = t->home[insn->rm];
		/* CMPXCHG with the accumulator as its destination: RAX stands for it. */
		if (regs.rm == H_NONE || (write && insn->rm == X86_RAX))
			return false;
	}
	translate__need_flags(t);
	emit_mov(&t->e, true, H_RAX, t->home[X86_RAX]);
	translate__encode(t, &regs);
	emit_mov(&t->e, true, t->home[X86_RAX], H_RAX);
	translate__flags_written(t);
	group__finish_cold(t, cold);
	return true;
}

/* ---- LEA ---- */

bool translate__lea_keeps_address(const struct translation *t, const struct insn *insn)
{
	return t->home[insn->dst / 8] != H_NONE && insn->base != X86_SLOT_RIP &&
	       (insn->base >= X86_NR_GPR || t->home[insn->base] != H_NONE);
}

static bool load_address(struct translation *t)
{
	const struct insn *insn = t->insn;
	u8 to = t->home[insn->dst / 8];
	bool w = insn->opsize == 8 && insn->adsize == 8;

	if (insn->opsize == 2)
		return false;
	if (to != H_NONE)
		return translate__address_into(t, to, w);
	if (!translate__address_into(t, REG_ADDRESS, w))
		return false;
	emit_store(&t->e, REG_ADDRESS, state_mem(GPR_AT(insn->dst / 8)));
	return true;
}

/* ---- the stack ---- */

static void move_stack_pointer(struct translation *t, u8 from, s32 by)
{
	emit_lea(&t->e, t->size_of_code == 8, t->home[X86_RSP], mem_at(from, by));
}

/* What PUSH writes, to host memory; R14 or RAX is free. */
static void store_pushed(struct translation *t, struct host_mem at, u8 scratch)
{
	const struct insn *insn = t->insn;
	bool w = t->size_of_code == 8;
	u8 from = t->home[insn->dst / 8];

	if (operand_facts[insn->row->op[0]].place == PLACE_IMM) {
		emit_rm(&t->e, w, 0xc7, 0, at);
		emit32(&t->e, insn->imm);
		return;
	}
	if (from == H_NONE) {
		emit_load(&t->e, scratch, state_mem(GPR_AT(insn->dst / 8)));
		from = scratch;
	}
	emit_rm(&t->e, w, OP_STORE, from, at);
}

static bool push(struct translation *t)
{
	const struct insn *insn = t->insn;
	struct host_mem at;
	struct cold *cold;

	if (stack__push(t, &at)) {
		/* PUSH rSP pushes what it was: it has been settled. */
		store_pushed(t, at, REG_ADDRESS);
		stack__keep_delta(t);
		return true;
	}
	translate__clobber_flags(t);
	emit_lea(&t->e, t->size_of_code == 8, REG_ADDRESS,
		 mem_at(t->home[X86_RSP], -(s32)insn->opsize));
	cold = translate__look_up(t, insn->opsize, true, 1);
	store_pushed(t, mem_at(REG_ADDRESS, 0), H_RAX);
	move_stack_pointer(t, t->home[X86_RSP], -(s32)insn->opsize);
	group__finish_cold(t, cold);
	return true;
}

static void load_popped(struct translation *t, struct host_mem at, u8 scratch)
{
	u8 to = t->home[t->insn->dst / 8];

	emit_rm(&t->e, t->size_of_code == 8, OP_LOAD, to == H_NONE ? scratch : to, at);
	if (to == H_NONE)
		emit_store(&t->e, scratch, state_mem(GPR_AT(t->insn->dst / 8)));
}

static bool pop(struct translation *t)
{
	const struct insn *insn = t->insn;
	struct host_mem at;
	struct cold *cold;

	if (insn->dst / 8 != X86_RSP && stack__pop(t, &at, 8)) {
		load_popped(t, at, REG_ADDRESS);
		stack__keep_delta(t);
		return true;
	}
	translate__clobber_flags(t);
	emit_mov(&t->e, t->size_of_code == 8, REG_ADDRESS, t->home[X86_RSP]);
	cold = translate__look_up(t, insn->opsize, false, 1);
	/* POP rSP loads what was popped. */
	move_stack_pointer(t, t->home[X86_RSP], insn->opsize);
	load_popped(t, mem_at(REG_ADDRESS, 0), H_RAX);
	group__finish_cold(t, cold);
	return true;
}

static bool leave_frame(struct translation *t)
{
	bool w = t->size_of_code == 8;
	struct cold *cold;

	translate__clobber_flags(t);
	emit_mov(&t->e, w, REG_ADDRESS, t->home[X86_RBP]);
	cold = translate__look_up(t, t->insn->opsize, false, 1);
	move_stack_pointer(t, t->home[X86_RBP], t->insn->opsize);
	emit_rm(&t->e, w, OP_LOAD, t->home[X86_RBP], mem_at(REG_ADDRESS, 0));
	group__finish_cold(t, cold);
	return true;
}

static bool use_stack(struct translation *t)
{
	const struct insn *insn = t->insn;
	const struct exec_forms *forms = insn->row->forms;

	if (insn->opsize != t->size_of_code || (insn->flags & INSN_MEM))
		return false;
	if (forms == &forms_push)
		return push(t);
	if (forms == &forms_pop)
		return pop(t);
	if (forms == &forms_leave)
		return leave_frame(t);
	return false;
}

/* ---- all ---- */

bool translate__integer(struct translation *t)
{
	const struct insn *insn = t->insn;
	const struct opcode_row *row = insn->row;
	const struct exec_forms *forms = row->forms;
	u8 first = operand_facts[row->op[0]].place, second = operand_facts[row->op[1]].place;

	if (row->exec == exec_nop)
		return true;
	if (row->exec == exec_cld || row->exec == exec_std) {
		translate__direction(t);
		return true;
	}
	if (row->exec == exec_cmpxchg16b || row->exec == exec_cmpxchg8b)
		return with_accumulator(t, row->exec == exec_cmpxchg16b ? 16 : 1);
	if (row->exec == exec_lfence || row->exec == exec_mfence || row->exec == exec_sfence) {
		emit8(&t->e, 0x0f);
		emit8(&t->e, 0xae);
		emit8(&t->e, 0xc0 | row->group << 3);
		return true;
	}
	if (!forms)
		return false;
	if (forms == &forms_push || forms == &forms_pop || forms == &forms_leave)
		return use_stack(t);
	if (forms == &forms_lea)
		return load_address(t);
	if (forms == &forms_cbw || forms == &forms_cwd)
		return widen_accumulator(t);
	if (forms == &forms_mul || forms == &forms_imul || forms == &forms_cmpxchg)
		return with_accumulator(t, 1);
	if (forms == &forms_div || forms == &forms_idiv)
		return !translate__has_high_byte(insn) && translate__divide(t);
	if (forms == &forms_xchg && second == PLACE_RAX)
		return exchange_accumulator(t);
	if ((forms == &forms_inc || forms == &forms_dec) && first == PLACE_LOW)
		return increment_short(t);
	if (!is_copied(forms))
		return false;
	if (first == PLACE_RAX)
		return accumulator_immediate(t);
	return copy(t);
}
