/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Near branches, and leaving a block. */
#include "engines/soft/translate/translate.h"

bool translate__is_conditional(const struct insn *insn)
{
	return (insn->map == MAP_1BYTE && (insn->opcode & 0xf0) == 0x70) ||
	       (insn->map == MAP_0F && (insn->opcode & 0xf0) == 0x80);
}

static bool is_64(const struct translation *t)
{
	return t->size_of_code == 8;
}

/* Field of the jump entry whose offset is in RAX. */
static struct host_mem jump_field(size_t field)
{
	return mem_indexed(H_RSP, H_RAX, 0, SOFT_AT(cache.jump) + (s32)field);
}

static u32 emit_canonical_check(struct emit *e)
{
	emit_mov(e, true, H_RAX, REG_ADDRESS);
	emit_rr(e, true, 0xc1, 4, H_RAX); /* shl $16, %rax */
	emit8(e, 16);
	emit_rr(e, true, 0xc1, 7, H_RAX); /* sar $16, %rax */
	emit8(e, 16);
	emit_rr(e, true, 0x39, H_RAX, REG_ADDRESS);
	return emit_jcc(e, CC_NE);
}

_Static_assert(sizeof(struct jump_entry) == 16, "an index is a shift by 4");

u32 translate__emit_table_jump(struct emit *e, bool clear_link)
{
	u32 miss;

	/* imul $..., %r14d, %eax */
	emit_rr(e, false, 0x69, H_RAX, REG_ADDRESS);
	emit32(e, SOFT_JUMP_FACTOR);
	emit_rr(e, false, 0xc1, 5, H_RAX);
	emit8(e, 32 - SOFT_JUMP_BITS - 4);
	emit8(e, 0x25);
	emit32(e, (SOFT_JUMP_ENTRIES - 1) * sizeof(struct jump_entry));
	emit_alu_mem(e, true, ALU_XOR, REG_ADDRESS, state_mem(SOFT_AT(jump_key)));
	emit_alu_mem(e, true, ALU_CMP, REG_ADDRESS, jump_field(offsetof(struct jump_entry, tag)));
	miss = emit_jcc(e, CC_NE);
	emit_alu_mem(e, true, ALU_XOR, REG_ADDRESS, state_mem(SOFT_AT(jump_key)));
	emit_alu_imm(e, true, ALU_AND, REG_ADDRESS, -(s32)PAGE_SIZE_4K);
	emit_store(e, REG_ADDRESS, state_mem(SOFT_AT(code_base)));
	if (clear_link) {
		emit_rm(e, false, 0xc7, 0, state_mem(SOFT_AT(link)));
		emit32(e, 0);
	}
	emit_rm(e, false, 0xff, 4, jump_field(offsetof(struct jump_entry, code)));
	return miss;
}

/*
 * To the linear address in REG_ADDRESS: by the table if it is there, else C code finds it. An address
 * that is not canonical stands in no table. Then, if `bad` is given, the stack pointer is put back by
 * `release` bytes and the executor raises what is due.
 */
static void go_to_linear_or(struct translation *t, struct cold *bad, s32 release)
{
	struct cold *cold = translate__cold(t, COLD_FIND, translate__emit_table_jump(&t->e, false));

	cold->release = release;
	cold->bad = bad && is_64(t) ? bad - t->cold : MAX_COLD;
}

static void go_to_linear(struct translation *t)
{
	go_to_linear_or(t, NULL, 0);
}

void translate__emit_find(struct translation *t, const struct cold *cold)
{
	struct emit *e = &t->e;
	u32 bad;

	emit_alu_mem(e, true, ALU_XOR, REG_ADDRESS, state_mem(SOFT_AT(jump_key)));
	if (cold->bad == MAX_COLD) {
		emit_jmp_to(e, t->soft->glue.find);
		return;
	}
	bad = emit_canonical_check(e);
	emit_jmp_to(e, t->soft->glue.find);
	emit_patch(e, bad, e->at);
	if (cold->release)
		emit_lea(e, true, t->home[X86_RSP], mem_at(t->home[X86_RSP], -cold->release));
	emit_jmp_to(e, t->cold[cold->bad].start);
}

/*
 * link__set() sets constants at these distances before a jump, whichever it is: where a jump is longer or shorter than others,
 * it would write over code.
 */
static void note_distance(struct translation *t, u32 *distance, u32 from, u32 to)
{
	t->e.overflow |= *distance && *distance != to - from;
	*distance = to - from;
}

/* Whether this is the context whose number link__set() sets at *constant; else to the cold code. */
static struct cold *compare_context(struct translation *t, enum cold_kind kind, u32 *constant)
{
	struct emit *e = &t->e;

	emit_rm(e, false, 0x81, 7, state_mem(SOFT_AT(context_id)));
	emit32(e, 0); /* no context's */
	*constant = e->at - 4;
	return translate__cold(t, kind, emit_jcc(e, CC_NE));
}

/*
 * An address in REG_ADDRESS that was read from where linkers put addresses of functions: mostly it is what it was the last time,
 * in the same context. Both are compared with constants that link__set() sets. The table of jumps takes longer: its
 * entries are all over the host's caches.
 */
static void go_to_read(struct translation *t, struct cold *bad)
{
	struct emit *e = &t->e;
	u32 site, target, context;
	struct cold *cold = compare_context(t, COLD_READ, &context);

	emit8(e, 0x48); /* movabs $..., %rax */
	emit8(e, 0xb8);
	emit64(e, 0);
	target = e->at - 8;
	emit_rr(e, true, 0x39, H_RAX, REG_ADDRESS);
	cold->from[cold->entries++] = emit_jcc(e, CC_NE);
	emit_alu_imm(e, true, ALU_AND, REG_ADDRESS, -(s32)PAGE_SIZE_4K);
	emit_store(e, REG_ADDRESS, state_mem(SOFT_AT(code_base)));
	site = emit_jmp(e);
	cold->site = site;
	cold->bad = bad ? bad - t->cold : MAX_COLD;
	note_distance(t, &t->soft->read_target, target, site);
	note_distance(t, &t->soft->read_context, context, site);
}

void translate__emit_read(struct translation *t, const struct cold *cold)
{
	struct emit *e = &t->e;

	if (cold->bad != MAX_COLD)
		emit_patch(e, emit_canonical_check(e), t->cold[cold->bad].start);
	emit_mov_imm32(e, H_RAX, cold->site | SOFT_LINK_READ);
	emit_jmp_to(e, t->soft->glue.read_link);
}

/*
 * To another page: directly, if this is where the jump led last time: the same context, from the same
 * linear page. Those are compared with constants that link__set() sets.
 */
static void go_far(struct translation *t, s64 target)
{
	struct emit *e = &t->e;
	u32 site, base, context;
	struct cold *cold = compare_context(t, COLD_FAR, &context);

	emit8(e, 0x49); /* movabs $..., %r14 */
	emit8(e, 0xbe);
	emit64(e, 0);
	base = e->at - 8;
	emit_alu_mem(e, true, ALU_CMP, REG_ADDRESS, state_mem(SOFT_AT(code_base)));
	cold->from[cold->entries++] = emit_jcc(e, CC_NE);
	/* As long as with REX.W, by a prefix that does nothing. */
	if (!is_64(t))
		emit8(e, 0x3e);
	emit_rm(e, is_64(t), 0x81, 0, state_mem(SOFT_AT(code_base)));
	emit32(e, target & PAGE_MASK_4K);
	site = emit_jmp(e);
	cold->target = target;
	cold->site = site;
	note_distance(t, &t->soft->far_base, base, site);
	note_distance(t, &t->soft->far_context, context, site);
}

/* Behind these may stand an instruction that is on the next page, too: it depends on the context. */
static bool is_near(s64 target)
{
	return target >= 0 && target <= PAGE_SIZE_4K - INSN_MAX_LENGTH;
}

void translate__go_to(struct translation *t, s64 target)
{
	struct cold *cold;

	translate__save_flags(t);
	x87__settle(t);
	if (!is_near(target)) {
		go_far(t, target);
		return;
	}
	/* A loop must lead over a look whether to leave; a way forwards need not. */
	cold = translate__cold(t, COLD_LINK, emit_jmp(&t->e));
	cold->target = target;
}

static s64 relative_target(const struct translation *t)
{
	return t->offset + t->insn->len + (s64)t->insn->imm;
}

bool translate__follows_jump(const struct translation *t)
{
	/* One that leads to the next instruction does so either way. */
	if (translate__is_conditional(t->insn) && !t->insn->imm)
		return false;
	return t->block->at && t->block->at[t->index + 1] == relative_target(t);
}

/* On with the block if it is not taken, or where a way follows it, if it is. A branch backwards is taken for a loop. */
static bool conditional(struct translation *t)
{
	bool follows = translate__follows_jump(t);
	s64 target = follows ? t->offset + t->insn->len : relative_target(t);
	bool near = is_near(target);
	struct cold *cold;

	translate__need_flags(t);
	if (loop__jump_back(t))
		return true;
	if (near && target <= t->offset)
		translate__save_flags(t);
	cold = translate__cold(t, near ? COLD_LINK : COLD_JUMP,
			       emit_jcc(&t->e, (t->insn->opcode & 15) ^ follows));
	cold->target = target;
	cold->save_flags = t->flags == FLAGS_HOST;
	return true;
}

/* The target of an indirect branch into REG_ADDRESS. */
static struct cold *take_target(struct translation *t)
{
	const struct insn *insn = t->insn;
	struct cold *cold;
	u8 from;

	translate__save_flags(t);
	if (insn->flags & INSN_MEM) {
		cold = translate__operand(t, insn->opsize, false, 1);
		if (!cold)
			return NULL;
		emit_rm(&t->e, is_64(t), OP_LOAD, REG_ADDRESS, mem_at(REG_ADDRESS, 0));
	} else {
		cold = translate__cold(t, COLD_EXECUTE, 0);
		cold->entries = 0;
		from = t->home[insn->rm];
		if (from == H_NONE)
			emit_load(&t->e, REG_ADDRESS, state_mem(GPR_AT(insn->rm)));
		else
			emit_mov(&t->e, is_64(t), REG_ADDRESS, from);
	}
	t->flags = FLAGS_MEMORY;
	return cold;
}

static bool reads_constant_place(const struct translation *t)
{
	return is_64(t) && (t->insn->flags & INSN_MEM) && t->insn->base == X86_SLOT_RIP;
}

static void push_return_address(struct translation *t)
{
	struct emit *e = &t->e;
	struct host_mem at;

	translate__save_flags(t);
	if (stack__push(t, &at)) {
		emit_load(e, REG_ADDRESS, state_mem(SOFT_AT(code_base)));
		emit_lea(e, true, REG_ADDRESS, mem_at(REG_ADDRESS, t->offset + t->insn->len));
		emit_store(e, REG_ADDRESS, at);
		stack__settle(t);
		return;
	}
	emit_lea(e, is_64(t), REG_ADDRESS, mem_at(t->home[X86_RSP], -(s32)t->insn->opsize));
	translate__look_up(t, t->insn->opsize, true, 1);
	emit_load(e, H_RAX, state_mem(SOFT_AT(code_base)));
	emit_lea(e, is_64(t), H_RAX, mem_at(H_RAX, t->offset + t->insn->len));
	emit_rm(e, is_64(t), OP_STORE, H_RAX, mem_at(REG_ADDRESS, 0));
	emit_lea(e, is_64(t), t->home[X86_RSP],
		 mem_at(t->home[X86_RSP], -(s32)t->insn->opsize));
}

static bool call_indirect(struct translation *t)
{
	struct cold *cold = take_target(t);

	if (!cold)
		return false;
	/* Before the return address is written. */
	if (is_64(t))
		cold->from[cold->entries++] = emit_canonical_check(&t->e);
	emit_store(&t->e, REG_ADDRESS, state_mem(SOFT_AT(scratch)));
	push_return_address(t);
	emit_load(&t->e, REG_ADDRESS, state_mem(SOFT_AT(scratch)));
	if (reads_constant_place(t))
		go_to_read(t, NULL);
	else
		go_to_linear(t);
	return true;
}

static void return_near(struct translation *t)
{
	struct emit *e = &t->e;
	s32 release = t->insn->opsize + (t->insn->opcode == 0xc2 ? (u16)t->insn->imm : 0);
	struct host_mem at;
	struct cold *cold;

	translate__save_flags(t);
	if (stack__pop(t, &at, release)) {
		cold = translate__cold(t, COLD_EXECUTE, 0);
		cold->entries = 0;
		cold->pending = 0;
		emit_load(e, REG_ADDRESS, at);
		stack__settle(t);
		go_to_linear_or(t, cold, release);
		return;
	}
	emit_mov(e, is_64(t), REG_ADDRESS, t->home[X86_RSP]);
	cold = translate__look_up(t, t->insn->opsize, false, 1);
	emit_rm(e, is_64(t), OP_LOAD, REG_ADDRESS, mem_at(REG_ADDRESS, 0));
	emit_lea(e, is_64(t), t->home[X86_RSP], mem_at(t->home[X86_RSP], release));
	go_to_linear_or(t, cold, release);
}

/*
 * LOOP and JrCXZ, by the host's JrCXZ, which leaves flags alone as they do: RCX stands in its own register. With CX as the counter
 * the executor does it.
 */
static bool by_counter(struct translation *t)
{
	const struct insn *insn = t->insn;
	bool is_loop = insn->row->forms == &forms_loop;
	struct emit *e = &t->e;
	u32 jump;

	if (insn->adsize == 2)
		return false;
	translate__save_flags(t);
	if (is_loop)
		emit_lea(e, insn->adsize == 8, H_RCX, mem_at(H_RCX, -1));
	if (insn->adsize == 4)
		emit8(e, 0x67);
	emit8(e, 0xe3);
	jump = e->at;
	emit8(e, 0);
	translate__go_to(t, is_loop ? relative_target(t) : t->offset + insn->len);
	emit_patch8(e, jump, e->at);
	translate__go_to(t, is_loop ? t->offset + insn->len : relative_target(t));
	return true;
}

bool translate__branch(struct translation *t, bool *ends)
{
	const struct insn *insn = t->insn;
	const struct exec_forms *forms = insn->row->forms;

	*ends = true;
	x87__settle(t);
	if (insn->row->class != CLASS_INTEGER || insn->opsize != t->size_of_code)
		return false;
	if (relative_target(t) != (s32)relative_target(t))
		return false;
	if (translate__is_conditional(insn)) {
		*ends = false;
		return conditional(t);
	}
	if (forms == &forms_jmp_rel && translate__follows_jump(t)) {
		*ends = false;
		return true;
	}
	if (forms == &forms_jmp_rel) {
		translate__go_to(t, relative_target(t));
		return true;
	}
	if (forms == &forms_call_rel) {
		push_return_address(t);
		translate__go_to(t, relative_target(t));
		return true;
	}
	if (forms == &forms_loop || forms == &forms_jcxz)
		return by_counter(t);
	if (forms == &forms_ret) {
		return_near(t);
		return true;
	}
	if (forms == &forms_jmp) {
		struct cold *cold = take_target(t);

		if (!cold)
			return false;
		if (reads_constant_place(t))
			go_to_read(t, cold);
		else
			go_to_linear_or(t, cold, 0);
		return true;
	}
	return forms == &forms_call && call_indirect(t);
}
