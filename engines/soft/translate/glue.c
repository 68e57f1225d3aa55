/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all generated code shares: the way in, the ways out, and calls of C functions. */
#include "engines/soft/translate/translate.h"

/* Callee-saved registers of the host's calling convention. */
static const u8 saved[] = { H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15 };

/* Of the scratch register of the functions below: a guest register's, spilled before. */
#define REG_SPARE H_RCX

/* pushed: bytes on the stack. */
static struct host_mem at(s32 displacement, s32 pushed)
{
	return state_mem(displacement + pushed);
}

static void spill(struct emit *e, s32 pushed)
{
	unsigned i;

	for (i = 0; i < X86_NR_GPR; i++)
		if (host_of[i] != H_NONE)
			emit_store(e, host_of[i], at(GPR_AT(i), pushed));
}

static void reload(struct emit *e, s32 pushed)
{
	unsigned i;

	for (i = 0; i < X86_NR_GPR; i++)
		if (host_of[i] != H_NONE)
			emit_load(e, host_of[i], at(GPR_AT(i), pushed));
}

/* rol $8, %cx */
static void swap_bytes(struct emit *e)
{
	emit8(e, 0x66);
	emit_rr(e, false, 0xc1, 0, REG_SPARE);
	emit8(e, 8);
}

/* cpu.arith, where OF is bit 3 of the second byte, from soft_vcpu.flags; and back. */
static void flags_to_arith(struct emit *e, s32 pushed)
{
	/* movzwl flags, %ecx; shl $3, %cl; rol $8, %cx; movw %cx, arith */
	emit8(e, 0x0f);
	emit_rm(e, false, 0xb7, REG_SPARE, at(SOFT_AT(flags), pushed));
	emit_rr(e, false, 0xc0, 4, REG_SPARE);
	emit8(e, 3);
	swap_bytes(e);
	emit8(e, 0x66);
	emit_store32(e, REG_SPARE, at(VCPU_AT(cpu.arith), pushed));
}

static void flags_from_arith(struct emit *e, s32 pushed)
{
	/* movzwl arith, %ecx; rol $8, %cx; shr $3, %cl; and $1, %cl; movw %cx, flags */
	emit8(e, 0x0f);
	emit_rm(e, false, 0xb7, REG_SPARE, at(VCPU_AT(cpu.arith), pushed));
	swap_bytes(e);
	emit_rr(e, false, 0xc0, 5, REG_SPARE);
	emit8(e, 3);
	emit_rr(e, false, 0x80, ALU_AND, REG_SPARE);
	emit8(e, 1);
	emit8(e, 0x66);
	emit_store32(e, REG_SPARE, at(SOFT_AT(flags), pushed));
}

/* The first argument: struct vcpu. */
static void vcpu_argument(struct emit *e, s32 pushed)
{
	emit_lea(e, true, H_RDI, at(-(s32)sizeof(struct vcpu) - SOFT_STACK_SIZE, pushed));
}

static void call_c(struct emit *e, const void *function)
{
	emit_mov_imm64(e, H_RAX, (u64)function);
	emit8(e, 0xff);
	emit8(e, 0xd0); /* call *%rax */
}

/* A comparison of a byte or 32-bit word of the state with 0. */
static void compare_zero(struct emit *e, bool byte, s32 where, s32 pushed)
{
	emit_rm(e, false, byte ? 0x80 : 0x83, 7, at(where, pushed));
	emit8(e, 0);
}

/* enum exec_result enter(stack end, code) */
static void generate_enter(struct emit *e, struct glue *glue)
{
	unsigned i;

	glue->enter = e->at;
	for (i = 0; i < ARRAY_LENGTH(saved); i++) {
		if (saved[i] & 8)
			emit8(e, 0x41);
		emit8(e, 0x50 | (saved[i] & 7));
	}
	emit_store(e, H_RSP, mem_at(H_RDI, SOFT_AT(host_stack)));
	emit_mov(e, true, H_RSP, H_RDI);
	emit_mov(e, true, H_RAX, H_RSI);
	flags_from_arith(e, 0);
	reload(e, 0);
	emit8(e, 0xff);
	emit8(e, 0xe0); /* jmp *%rax */
}

/* Back to the caller of enter with the result in EAX; guest registers are spilled. */
static u32 generate_end(struct emit *e)
{
	u32 start = e->at;
	int i;

	emit_load(e, H_RSP, at(SOFT_AT(host_stack), 0));
	for (i = ARRAY_LENGTH(saved) - 1; i >= 0; i--) {
		if (saved[i] & 8)
			emit8(e, 0x41);
		emit8(e, 0x58 | (saved[i] & 7));
	}
	emit8(e, 0xc3);
	return start;
}

/*
 * What follows an executor that has not simply retired. `left` comes here with EXEC_NEXT because
 * something waits, or with EXEC_STOP: RIP is put behind the instruction; `other` with the rest.
 */
static void finish_execute(struct emit *e, u32 end, u32 other, u32 left)
{
	u32 stop, tail, loop, jump, resume, fault, delivered;

	emit_patch(e, left, e->at);
	stop = e->at;
	emit8(e, 0x0f);
	emit_rm(e, false, 0xb6, H_RCX, mem_at(H_RBX, offsetof(struct insn, len)));
	emit_rm(e, true, 0x01, H_RCX, at(VCPU_AT(cpu.rip), 16));
	emit_rr(e, false, 0x85, H_RAX, H_RAX);
	resume = emit_jcc(e, CC_NE);
	tail = e->at;
	emit_alu_imm(e, true, ALU_ADD, H_RSP, 16);
	emit_jmp_to(e, end);
	emit_patch(e, other, e->at);
	emit_alu_imm(e, false, ALU_CMP, H_RAX, EXEC_STOP);
	emit_patch(e, emit_jcc(e, CC_E), stop);
	emit_alu_imm(e, false, ALU_CMP, H_RAX, EXEC_FAULT);
	fault = emit_jcc(e, CC_E);
	emit_alu_imm(e, false, ALU_CMP, H_RAX, EXEC_JUMP);
	emit_patch(e, emit_jcc(e, CC_NE), tail);

	/* On with other code, if nothing but that is to be done. */
	emit_patch(e, resume, e->at);
	vcpu_argument(e, 16);
	call_c(e, soft__resume);
	delivered = e->at;
	emit_rr(e, true, 0x85, H_RAX, H_RAX);
	jump = emit_jcc(e, CC_NE);
	emit_load32(e, H_RAX, at(SOFT_AT(found), 16));
	loop = emit_jmp(e);
	emit_patch(e, fault, e->at);
	vcpu_argument(e, 16);
	call_c(e, soft__deliver);
	emit_jmp_to(e, delivered);
	emit_patch(e, loop, tail);
	emit_patch(e, jump, e->at);
	emit_alu_imm(e, true, ALU_ADD, H_RSP, 16);
	flags_from_arith(e, 0);
	reload(e, 0);
	emit8(e, 0xff);
	emit8(e, 0xe0); /* jmp *%rax */
}

/* Called with the instruction in R14 and its offset in EAX. */
enum execute_kind { EXECUTE_PLAIN, EXECUTE_VECTORS, EXECUTE_SYSTEM };

static void generate_execute(struct emit *e, u32 end, enum execute_kind kind)
{
	u32 other, left, have;

	spill(e, 8);
	flags_to_arith(e, 8);
	emit_alu_mem(e, true, ALU_ADD, H_RAX, at(SOFT_AT(code_base), 8));
	emit_store(e, H_RAX, at(VCPU_AT(cpu.rip), 8));
	emit_alu_imm(e, true, ALU_SUB, H_RSP, 8);
	emit_mov(e, true, H_RBX, H_R14);
	vcpu_argument(e, 16);
	emit_mov(e, true, H_RSI, H_R14);
	emit8(e, 0x41);
	emit8(e, 0xff);
	emit_modrm_mem(e, 2, mem_at(H_R14, offsetof(struct insn, exec))); /* call *exec(%r14) */
	emit_rr(e, false, 0x85, H_RAX, H_RAX);
	other = emit_jcc(e, CC_NE);
	if (kind == EXECUTE_SYSTEM) {
		emit_mov_imm32(e, H_RAX, EXEC_STOP);
		finish_execute(e, end, other, emit_jmp(e));
		return;
	}
	compare_zero(e, false, VCPU_AT(leave), 16);
	left = emit_jcc(e, CC_NE);
	if (kind == EXECUTE_VECTORS) {
		compare_zero(e, true, SOFT_AT(vectors.live), 16);
		have = emit_jcc(e, CC_NE);
		vcpu_argument(e, 16);
		call_c(e, soft__vectors_make_live);
		emit_patch(e, have, e->at);
	}
	emit_alu_imm(e, true, ALU_ADD, H_RSP, 8);
	flags_from_arith(e, 8);
	reload(e, 8);
	emit8(e, 0xc3);
	finish_execute(e, end, other, left);
}

static void generate_load_vectors(struct emit *e, struct glue *glue)
{
	glue->load_vectors = e->at;
	spill(e, 8);
	emit_alu_imm(e, true, ALU_SUB, H_RSP, 8);
	vcpu_argument(e, 16);
	call_c(e, soft__vectors_make_live);
	emit_alu_imm(e, true, ALU_ADD, H_RSP, 8);
	reload(e, 8);
	emit8(e, 0xc3);
}

/* Offset and entry of the TLB together are compared with those of the last time. Changes no register. */
static void generate_straddled(struct emit *e, struct glue *glue)
{
	struct host_mem scratch = at(SOFT_AT(scratch), 8), last = at(SOFT_AT(straddled_at), 8);
	struct host_mem left = at(SOFT_AT(straddle_countdown), 8);
	u32 other;

	glue->straddled = e->at;
	emit_store(e, H_R14, scratch);
	emit_lea(e, true, H_R14, mem_indexed(H_R14, H_RAX, 3, 0));
	emit_alu_mem(e, true, ALU_CMP, H_R14, last);
	emit_store(e, H_R14, last);
	emit_load(e, H_R14, scratch);
	other = emit_jcc(e, CC_NE);
	emit_rm(e, false, 0x83, ALU_SUB, left);
	emit8(e, 1);
	emit8(e, 0xc3); /* ret */
	emit_patch(e, other, e->at);
	emit_rm(e, false, 0xc7, 0, left);
	emit32(e, SOFT_STRADDLES);
	emit_rm(e, false, 0x83, ALU_SUB, at(SOFT_AT(straddles_left), 8));
	emit8(e, 1);
	emit8(e, 0xc3);
}

/* Called with the block in RAX and an address in R14; EAX: what soft__group_missed() says. */
static void generate_group_missed(struct emit *e, struct glue *glue)
{
	glue->group_missed = e->at;
	spill(e, 8);
	emit_alu_imm(e, true, ALU_SUB, H_RSP, 8);
	vcpu_argument(e, 16);
	emit_mov(e, true, H_RSI, H_RAX);
	emit_mov(e, true, H_RDX, H_R14);
	call_c(e, soft__group_missed);
	emit_alu_imm(e, true, ALU_ADD, H_RSP, 8);
	reload(e, 8);
	emit8(e, 0xc3);
}

static u32 generate_second(struct emit *e, unsigned view, bool write, unsigned size)
{
	size_t tag = write ? offsetof(struct tlb_entry, write) : offsetof(struct tlb_entry, read);
	u32 start = e->at, miss, due;

	emit_rm(e, false, 0xff, 1, at(SOFT_AT(second_countdown), 8)); /* dec */
	due = emit_jcc(e, CC_E);
	emit_alu_mem(e, true, ALU_XOR, H_R14, translate__entry_field(view, tag, 8));
	emit_alu_mem(e, true, ALU_XOR, H_R14, translate__entry_field(TLB_SECOND(view), tag, 8));
	emit_alu_imm(e, true, ALU_CMP, H_R14, PAGE_SIZE_4K - size);
	miss = emit_jcc(e, CC_A);
	emit_alu_mem(e, true, ALU_ADD, H_R14,
		     translate__entry_field(TLB_SECOND(view), offsetof(struct tlb_entry, host), 8));
	emit_rr(e, false, 0x31, H_RAX, H_RAX);
	emit_patch(e, miss, e->at);
	emit8(e, 0xc3);
	/* "Above": the executor, which changes the tables where the page is there. */
	emit_patch(e, due, e->at);
	emit_rm(e, false, 0xc7, 0, at(SOFT_AT(second_countdown), 8));
	emit32(e, SOFT_SECOND_PERIOD);
	emit_rr(e, true, 0x85, H_RSP, H_RSP);
	emit8(e, 0xc3);
	return start;
}

static void generate_seconds(struct emit *e, struct glue *glue)
{
	unsigned view, write, i;

	for (view = 0; view < TLB_NR_VIEWS; view++)
		for (write = 0; write < 2; write++)
			for (i = 0; i < SOFT_SECOND_SIZES; i++)
				glue->second[view][write][i] = generate_second(e, view, write, 1u << i);
}

/*
 * EAX: the greatest offset in the page; R14: the address of the access ^ the tag that did not match. Back
 * with "above" if the TLB does not have it.
 */
static void generate_fill_stack(struct emit *e, struct soft_vcpu *soft, unsigned view, bool write)
{
	s32 entry = VCPU_AT(tlb) + (s32)(view * TLB_ENTRIES * sizeof(struct tlb_entry)) + 8;
	struct host_mem scratch = at(SOFT_AT(scratch), 8), address = at(SOFT_AT(more_scratch), 8);
	struct host_mem stack_read = STACK_FIELD_AT(view, read, 8);
	struct host_mem stack_write = STACK_FIELD_AT(view, write, 8);
	s32 entry_read = entry + (s32)offsetof(struct tlb_entry, read);
	s32 entry_write = entry + (s32)offsetof(struct tlb_entry, write);
	u32 miss, writable, done;

	soft->glue.fill_stack[view][write] = e->at;
	emit_store(e, H_RAX, scratch);
	emit_alu_mem(e, true, ALU_XOR, H_R14, write ? stack_write : stack_read);
	emit_store(e, H_R14, address);
	translate__emit_index(e, soft->host_has_bmi2);
	emit_alu_mem(e, true, ALU_XOR, H_R14,
		     mem_indexed(H_RSP, H_RAX, 0, write ? entry_write : entry_read));
	emit_alu_mem(e, true, ALU_CMP, H_R14, scratch);
	miss = emit_jcc(e, CC_A);
	emit_load(e, H_R14, address);
	emit_alu_imm(e, true, ALU_AND, H_R14, -(s32)PAGE_SIZE_4K);
	emit_store(e, H_R14, stack_read);
	if (!write) {
		emit_alu_mem(e, true, ALU_CMP, H_R14,
			     mem_indexed(H_RSP, H_RAX, 0, entry_write));
		writable = emit_jcc(e, CC_E);
		emit_load(e, H_R14, at(VCPU_AT(tlb.stack_none), 8));
		emit_store(e, H_R14, stack_write);
		emit_load(e, H_R14, stack_read);
		done = emit_jmp(e);
		emit_patch(e, writable, e->at);
		emit_store(e, H_R14, stack_write);
		emit_patch(e, done, e->at);
	} else {
		emit_store(e, H_R14, stack_write);
	}
	emit_load(e, H_RAX, mem_indexed(H_RSP, H_RAX, 0,
					entry + (s32)offsetof(struct tlb_entry, host)));
	emit_rr(e, true, 0x29, H_R14, H_RAX); /* sub %r14, %rax */
	emit_store(e, H_RAX, STACK_FIELD_AT(view, delta, 8));
	emit_rr(e, false, 0x39, H_RAX, H_RAX);
	emit_patch(e, miss, e->at);
	emit8(e, 0xc3);
}

static void generate_leave(struct emit *e, struct glue *glue, u32 end)
{
	glue->leave = e->at;
	emit_alu_mem(e, true, ALU_ADD, H_R14, at(SOFT_AT(code_base), 0));
	emit_store(e, H_R14, at(VCPU_AT(cpu.rip), 0));
	spill(e, 0);
	flags_to_arith(e, 0);
	emit_rr(e, false, 0x31, H_RAX, H_RAX);
	emit_jmp_to(e, end);
}

/* EAX: the displacement to set. Returns the jump for when it is time to set it. */
static u32 count_down_link(struct emit *e, s32 countdown)
{
	emit_store32(e, H_RAX, at(SOFT_AT(link), 0));
	emit_rm(e, false, 0x83, ALU_SUB, at(countdown, 0));
	emit8(e, 1);
	return emit_jcc(e, CC_S);
}

static void generate_find(struct emit *e, struct glue *glue, u32 end)
{
	u32 none, find, due, read_due, by_table, miss, found;

	glue->link = e->at;
	emit_store32(e, H_RAX, at(SOFT_AT(link), 0));
	emit_alu_mem(e, true, ALU_ADD, H_R14, at(SOFT_AT(code_base), 0));
	find = emit_jmp(e);
	glue->read_link = e->at;
	read_due = count_down_link(e, SOFT_AT(read_countdown));
	by_table = emit_jmp(e);
	glue->far_link = e->at;
	due = count_down_link(e, SOFT_AT(far_countdown));
	emit_patch(e, by_table, e->at);
	miss = translate__emit_table_jump(e, true);
	emit_patch(e, miss, e->at);
	emit_alu_mem(e, true, ALU_XOR, H_R14, at(SOFT_AT(jump_key), 0));
	emit_patch(e, find, e->at);
	emit_patch(e, due, e->at);
	emit_patch(e, read_due, e->at);
	glue->find = e->at;
	emit_store(e, H_R14, at(VCPU_AT(cpu.rip), 0));
	spill(e, 0);
	flags_to_arith(e, 0);
	vcpu_argument(e, 0);
	call_c(e, soft__find_code);
	found = e->at;
	emit_rr(e, true, 0x85, H_RAX, H_RAX);
	none = emit_jcc(e, CC_E);
	/* An instruction that crosses a page may have been executed there. */
	flags_from_arith(e, 0);
	reload(e, 0);
	emit8(e, 0xff);
	emit8(e, 0xe0); /* jmp *%rax */
	emit_patch(e, none, e->at);
	emit_load32(e, H_RAX, at(SOFT_AT(found), 0));
	emit_jmp_to(e, end);
	glue->find_again = e->at;
	emit_load(e, H_R14, mem_indexed(H_RSP, H_RAX, 0, SOFT_AT(cache.jump) +
					(s32)offsetof(struct jump_entry, tag)));
	emit_alu_mem(e, true, ALU_XOR, H_R14, at(SOFT_AT(jump_key), 0));
	emit_jmp_to(e, glue->find);

	glue->other_stack = e->at;
	spill(e, 0);
	flags_to_arith(e, 0);
	vcpu_argument(e, 0);
	emit_mov(e, true, H_RSI, H_R14);
	call_c(e, soft__other_stack);
	emit_jmp_to(e, found);
}

void glue__generate(struct vcpu *vcpu)
{
	struct soft_vcpu *soft = vcpu->soft;
	struct glue *glue = &soft->glue;
	struct emit e = { .start = soft->area.write, .size = SOFT_CODE_ROOM };
	unsigned view;
	u32 end;

	/* Offset 0 is nothing: soft_vcpu.link. */
	emit8(&e, 0xcc);
	generate_enter(&e, glue);
	end = generate_end(&e);
	soft->second_countdown = SOFT_SECOND_PERIOD;
	glue->execute = e.at;
	generate_execute(&e, end, EXECUTE_PLAIN);
	glue->execute_vectors = e.at;
	generate_execute(&e, end, EXECUTE_VECTORS);
	glue->execute_system = e.at;
	generate_execute(&e, end, EXECUTE_SYSTEM);
	generate_load_vectors(&e, glue);
	generate_seconds(&e, glue);
	generate_straddled(&e, glue);
	generate_group_missed(&e, glue);
	for (view = 0; view < TLB_NR_VIEWS; view++) {
		generate_fill_stack(&e, soft, view, false);
		generate_fill_stack(&e, soft, view, true);
	}
	generate_leave(&e, glue, end);
	generate_find(&e, glue, end);
	gate__generate(&e, glue);
	soft->glue_size = ALIGN_UP_TO(e.at, 64);
	soft->area.used = soft->glue_size;
	soft->area.cold = SOFT_HOT_SIZE;
	stub__serialize();
}

enum exec_result glue__enter(struct vcpu *vcpu, const u8 *code)
{
	struct soft_vcpu *soft = vcpu->soft;
	enum exec_result (*enter)(u8 *stack_end, const u8 *code) =
		(void *)(soft->area.execute + soft->glue.enter);

	return enter(soft->stack + SOFT_STACK_SIZE, code);
}
