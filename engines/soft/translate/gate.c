/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL and SYSRET between 64-bit levels 3 and 0 (APM vol. 3 under these names), in place of
 * glue.execute_system: called like it, with the instruction in R14 and its offset in EAX. They need not
 * look what comes next: an interrupt that waits, or flags that want single steps, is left to the
 * executor.
 */
#include "core/emulate/segload.h"
#include "engines/soft/translate/translate.h"

#define STAR_SYSCALL_SHIFT 32
#define STAR_SYSRET_SHIFT 48
/* As in core/emulate/syscall.c: all flags that exist but VM and RF. */
#define SYSRET_FLAGS 0x3c7fd5

#define MAX_REFUSALS 5

struct refusals {
	unsigned count;
	u32 from[MAX_REFUSALS];
};

static void refuse(struct emit *e, struct refusals *r, u8 condition)
{
	r->from[r->count++] = emit_jcc(e, condition);
}

static s32 segment_at(enum x86_segreg seg, size_t field)
{
	return VCPU_AT(cpu.seg) + (s32)(seg * sizeof(struct x86_segment) + field);
}

_Static_assert(sizeof(struct x86_segment) == 24, "three words");

/* All of a flat segment but its selector, which is in ECX or the like. */
static void emit_segment(struct emit *e, enum x86_segreg seg, unsigned dpl, bool code)
{
	struct x86_cpu cpu = { .zero = 0 };
	u64 word[3];
	unsigned i;

	segload__set_flat(&cpu.seg[seg], 0, dpl, code, code);
	if (!code)
		x86__segment_changed(&cpu, seg);
	memcpy(word, &cpu.seg[seg], sizeof(word));
	for (i = 0; i < ARRAY_LENGTH(word); i++) {
		emit_mov_imm64(e, H_RAX, word[i]);
		emit_store(e, H_RAX, state_mem(segment_at(seg, i * 8)));
	}
}

/* The selector in AX. */
static void emit_selector(struct emit *e, enum x86_segreg seg)
{
	emit8(e, 0x66);
	emit_rm(e, false, OP_STORE, H_RAX,
		state_mem(segment_at(seg, offsetof(struct x86_segment, selector))));
}

static void load_star(struct emit *e, unsigned shift)
{
	emit8(e, 0x0f); /* movzwl */
	emit_rm(e, false, 0xb7, H_RAX, state_mem(VCPU_AT(cpu.star) + (s32)shift / 8));
}

static void set_level(struct emit *e, u8 level)
{
	emit_rm(e, false, 0xc6, 0, state_mem(VCPU_AT(cpu.cpl)));
	emit8(e, level);
}

/* Keeps what the executor is called with, takes the return address away. */
static void begin(struct emit *e)
{
	emit_store(e, REG_ADDRESS, state_mem(SOFT_AT(scratch) + 8));
	emit_store32(e, H_RAX, state_mem(SOFT_AT(offset) + 8));
	emit_alu_imm(e, true, ALU_ADD, H_RSP, 8);
	/* testb $EFER_SCE, efer */
	emit_rm(e, false, 0xf6, 0, state_mem(VCPU_AT(cpu.efer)));
	emit8(e, EFER_SCE);
}

static void end(struct emit *e, const struct glue *glue, const struct refusals *r)
{
	unsigned i;

	for (i = 0; i < r->count; i++)
		emit_patch(e, r->from[i], e->at);
	emit_alu_imm(e, true, ALU_SUB, H_RSP, 8);
	emit_load(e, REG_ADDRESS, state_mem(SOFT_AT(scratch) + 8));
	emit_load32(e, H_RAX, state_mem(SOFT_AT(offset) + 8));
	emit_jmp_to(e, glue->execute_system);
}

/* The flags in RAX to memory. */
static void store_rflags(struct emit *e)
{
	translate__store_arith(e);
	emit_alu_imm(e, false, ALU_AND, H_RAX, ~(s32)RFLAGS_ARITH);
	emit_alu_imm(e, false, ALU_OR, H_RAX, RFLAGS_FIXED);
	emit_store(e, H_RAX, state_mem(VCPU_AT(cpu.sysflags)));
}

/* To the linear address in REG_ADDRESS. */
static void go_to_linear(struct emit *e, const struct glue *glue)
{
	u32 miss = translate__emit_table_jump(e, false);

	emit_patch(e, miss, e->at);
	emit_alu_mem(e, true, ALU_XOR, REG_ADDRESS, state_mem(SOFT_AT(jump_key)));
	emit_jmp_to(e, glue->find);
}

/* RCX, which the instruction overwrites, is free once nothing is refused any more. */
static void generate_syscall(struct emit *e, struct glue *glue)
{
	struct refusals r = { .count = 0 };

	glue->syscall = e->at;
	begin(e);
	refuse(e, &r, CC_E);
	translate__load_rflags(e);
	emit_load(e, REG_ADDRESS, state_mem(VCPU_AT(cpu.sfmask)));
	emit_rr(e, true, 0xf7, 2, REG_ADDRESS); /* not */
	emit_rr(e, true, 0x21, H_RAX, REG_ADDRESS);
	emit_rr(e, false, 0xf7, 0, REG_ADDRESS); /* test */
	emit32(e, RFLAGS_AC);
	refuse(e, &r, CC_NE);
	emit_store(e, H_RAX, state_mem(GPR_AT(X86_R11)));
	emit_mov(e, true, H_RAX, REG_ADDRESS);
	store_rflags(e);

	emit_load(e, REG_ADDRESS, state_mem(SOFT_AT(scratch)));
	emit8(e, 0x41); /* movzbl len(%r14), %ecx */
	emit8(e, 0x0f);
	emit8(e, 0xb6);
	emit_modrm_mem(e, H_RCX, mem_at(REG_ADDRESS, offsetof(struct insn, len)));
	emit_load32(e, H_RAX, state_mem(SOFT_AT(offset)));
	emit_rr(e, true, 0x01, H_RAX, H_RCX);
	emit_alu_mem(e, true, ALU_ADD, H_RCX, state_mem(SOFT_AT(code_base)));

	emit_segment(e, X86_CS, 0, true);
	emit_segment(e, X86_SS, 0, false);
	load_star(e, STAR_SYSCALL_SHIFT);
	emit_alu_imm(e, false, ALU_AND, H_RAX, -4);
	emit_selector(e, X86_CS);
	emit_alu_imm(e, false, ALU_ADD, H_RAX, 8);
	emit_selector(e, X86_SS);
	set_level(e, 0);
	translate__switch_mode(e, SOFT_MODE_KERNEL);
	emit_load(e, REG_ADDRESS, state_mem(VCPU_AT(cpu.lstar)));
	go_to_linear(e, glue);
	end(e, glue, &r);
}

/* Vendors differ in what they do with an address that is not canonical. */
static void refuse_not_canonical(struct emit *e, struct refusals *r)
{
	emit_mov(e, true, H_RAX, H_RCX);
	emit_rr(e, true, 0xc1, 4, H_RAX); /* shl $16; sar $16 */
	emit8(e, 16);
	emit_rr(e, true, 0xc1, 7, H_RAX);
	emit8(e, 16);
	emit_rr(e, true, 0x39, H_RAX, H_RCX);
	refuse(e, r, CC_NE);
}

static void generate_sysret(struct emit *e, struct glue *glue)
{
	struct refusals r = { .count = 0 };

	glue->sysret = e->at;
	begin(e);
	refuse(e, &r, CC_E);
	/* What CPL 0 is, and no interrupt waits: cpl | want_interrupt_window */
	emit8(e, 0x0f); /* movzbl */
	emit_rm(e, false, 0xb6, H_RAX, state_mem(VCPU_AT(cpu.cpl)));
	emit_rm(e, false, 0x0a, H_RAX, state_mem(SOFT_AT(want_interrupt_window)));
	refuse(e, &r, CC_NE);
	refuse_not_canonical(e, &r);
	emit_load(e, H_RAX, state_mem(GPR_AT(X86_R11)));
	emit8(e, 0x25); /* and $..., %eax */
	emit32(e, SYSRET_FLAGS);
	emit8(e, 0xa9); /* test $..., %eax */
	emit32(e, RFLAGS_TF | RFLAGS_AC);
	refuse(e, &r, CC_NE);
	store_rflags(e);

	emit_segment(e, X86_CS, 3, true);
	emit_segment(e, X86_SS, 3, false);
	load_star(e, STAR_SYSRET_SHIFT);
	emit_alu_imm(e, false, ALU_ADD, H_RAX, 8);
	emit_alu_imm(e, false, ALU_OR, H_RAX, 3);
	emit_selector(e, X86_SS);
	load_star(e, STAR_SYSRET_SHIFT);
	emit_alu_imm(e, false, ALU_ADD, H_RAX, 16);
	emit_alu_imm(e, false, ALU_OR, H_RAX, 3);
	emit_selector(e, X86_CS);
	set_level(e, 3);
	translate__switch_mode(e, SOFT_MODE_USER);
	emit_mov(e, true, REG_ADDRESS, H_RCX);
	go_to_linear(e, glue);
	end(e, glue, &r);
}

void gate__generate(struct emit *e, struct glue *glue)
{
	generate_syscall(e, glue);
	generate_sysret(e, glue);
}
