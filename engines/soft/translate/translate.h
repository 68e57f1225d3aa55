/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator: a block of decoded instructions becomes host code.
 *
 * In generated code
 * - RSP is at soft_vcpu.stack's end, so that struct vcpu and struct soft_vcpu stand at constant
 *   distances from it. C code is called on that stack;
 * - R14 and RAX are scratch: an address, and an index or value;
 * - all guest registers but three live in the other thirteen, host_of[];
 * - guest vector state stands in the host's registers, as in all of the engine;
 * - arithmetic flags stand in EFLAGS, in memory (soft_vcpu.flags), in both, or nowhere as long as they
 *   can be worked out again (recipe.c); at a block's entry and at its exits in memory;
 * - nothing else of the processor's state changes, except by executors that are called.
 *
 * Code knows no linear address: RIP is soft_vcpu.code_base plus the offset in the page. So one
 * translation serves all mappings of a page.
 */
#ifndef ENGINES_SOFT_TRANSLATE_TRANSLATE_H
#define ENGINES_SOFT_TRANSLATE_TRANSLATE_H

#include "engines/soft/soft.h"
#include "core/decode/index.h"
#include "core/emulate/executors.h"
#include "core/emulate/system.h"
#include "core/emulate/vector.h"
#include "engines/soft/show.h"
#include "engines/soft/translate/emit.h"
#include "engines/soft/vector_stub.h"

#define REG_ADDRESS H_R14
#define REG_VALUE H_RAX

/* Where guest registers live; H_NONE: in memory. */
extern const u8 host_of[X86_NR_GPR];

#define VCPU_AT(field)                                                                             \
	((s32)offsetof(struct vcpu, field) - (s32)sizeof(struct vcpu) - SOFT_STACK_SIZE)
#define SOFT_AT(field) ((s32)offsetof(struct soft_vcpu, field) - SOFT_STACK_SIZE)
#define GPR_AT(reg) (VCPU_AT(cpu) + (s32)(reg) * 8)

static inline struct host_mem state_mem(s32 at)
{
	return mem_at(H_RSP, at);
}

enum flags_place {
	FLAGS_MEMORY, /* EFLAGS holds garbage */
	FLAGS_BOTH,
	FLAGS_HOST, /* memory is old */
	FLAGS_LATER, /* neither has them: translation.recipe works them out */
};

enum recipe_kind {
	RECIPE_NONE,
	RECIPE_ZERO,   /* the result is 0, whatever the operands were */
	RECIPE_RESULT, /* of logic: as if compared with 0 */
	RECIPE_TEST,
	RECIPE_COMPARE,
	RECIPE_ADD,
	RECIPE_SUBTRACT,
	RECIPE_NEGATE,
	RECIPE_SHIFT, /* operand 0 is what was shifted, kept; `imm` is the count and `op` the operation */
};

/*
 * How flags are worked out from what the registers hold behind the instruction that has set them: operand 0
 * is what it has compared, or its result; operand 1 what it has compared, added or subtracted.
 */
struct recipe {
	u8 kind;
	u8 size;     /* of the operation: 1, 2, 4 or 8 */
	u8 count;    /* operands that are registers; else the second is `imm` */
	u8 reg[2];   /* guest registers */
	bool kept[2]; /* what the register held stands in soft_vcpu.kept[] */
	s32 imm;
	u8 op; /* as in modrm.reg */
};

/* Early spans of a group, and late ones. */
#define GROUP_SPANS SOFT_GROUP_SPANS
#define GROUP_LATE_SPANS 12
#define GROUP_NO_SPAN 0xff

enum cold_kind {
	COLD_EXECUTE, /* the executor instead of the fast path, then back */
	COLD_LINK,    /* a direct exit that leads to no code yet */
	COLD_FAR,     /* a direct exit to another page that does not lead there yet, or not now */
	COLD_FIND,    /* an address that is not in the table of jumps */
	COLD_READ,    /* an address that was read, which is another than the last time */
	COLD_JUMP,    /* a taken branch to another page */
	COLD_LEAVE,   /* at a block's entry: something waits */
	COLD_VECTORS, /* at a block's entry: load the guest's vector state */
	COLD_STACK,   /* at a block's entry: the stack is elsewhere */
	COLD_LOOP,    /* at a block's entry: so is what its loop looks up */
	COLD_LOOP_MOVING, /* the same of what moves on from there: block->plain does the round */
	COLD_LOOP_END, /* at the beginning of a round: what moves on has come to the page's end */
};

#define COLD_ENTRIES (2 * SOFT_LOOP_SPANS + 1)

/* x87 instructions whose pointers are not written yet; NULL: memory has them. */
struct x87_pending {
	const struct insn *code; /* FIP, FOP */
	const struct insn *data; /* FDP */
};

/* What is known of RSP while a block is generated; see stack.c. */
struct stack_track {
	bool known;
	bool writes; /* the check is for writing */
	s32 low; /* the bytes it is for, from RSP at the block's entry */
	s32 high;
	s64 register_at; /* the host register, from there */
	s32 pending; /* RSP, from the register */
	bool moved; /* the instruction has changed `pending` */
	u32 delta_at; /* end of code behind which RAX still is tlb_stack.delta; 0: nowhere */
};

/* Code that stands apart from the block's, for what happens rarely. */
struct cold {
	u8 kind;
	u8 entries;
	bool save_flags; /* they are in EFLAGS only */
	bool load_flags; /* the fast path goes on with flags in EFLAGS */
	bool lends;	 /* it comes from a loop's round, and goes on there: loop__give_back(), loop__lend() */
	bool is_group;	 /* a look-up of a group failed */
	bool in_group;
	bool is_late;	 /* of a group: the look-up stands in its midst */
	bool is_apart;	 /* of a group: its instructions stand behind the block, each with its own look-up */
	u32 second;	 /* glue that the first entry tries before, a look-up in the TLB's second table; or 0 ... */
	u32 found;	 /* ... and where to go on if that finds the page */
	u16 writes;	 /* bits of entries: a look-up for writing, of a group */
	u32 retry;	 /* of a group: where its look-ups begin */
	u8 count;	 /* COLD_EXECUTE: instructions */
	s32 pending;	 /* COLD_EXECUTE: stack_track.pending here ... */
	s32 pending_back; /* ... and where it goes on */
	u32 from[COLD_ENTRIES]; /* displacements of the jumps that come here */
	u32 start;	 /* where it was put */
	u32 back;	 /* offset to go on at */
	s64 target;	 /* relative to the page; COLD_LINK, COLD_FAR, COLD_JUMP */
	u32 site;	 /* COLD_FAR, COLD_READ: the jump's displacement */
	s32 release;	 /* COLD_FIND: what RSP is to be put back by ... */
	u16 bad;	 /* ... before the cold code with this index, if the address is not canonical */
	const struct insn *insn;
	s64 offset; /* of insn in the page */
	struct x87_pending x87; /* before insn */
	struct recipe recipe; /* the flags', if they stand nowhere; else RECIPE_NONE */
	struct stack_track stack;
};

#define MAX_COLD (SOFT_BLOCK_INSNS * 8 + 8)

/*
 * Operands with the same registers and displacements close together, which one look-up serves. Displacements
 * are of the registers as they are where the group begins; for RIP-relative ones from the page's begin. Late
 * spans are those of registers that an instruction of the group has set: their look-up stands before the
 * first of their operands, and displacements are of the registers as they were set.
 */
struct group_span {
	u8 base, index, scale, seg;
	u16 base_version, index_version; /* which value since the group began */
	s16 step; /* of a loop: what a round adds to the address; 0: nothing */
	u16 reach; /* at this moment: what the farthest operand's distance adds to `high`; see stride.c */
	bool has_strides;
	u8 members;
	u8 first, last; /* of the members, as indices in the block */
	u8 slot; /* late: in soft_vcpu.spans, when it has been looked up */
	bool found; /* late: it has been */
	s64 bias; /* late: what was added to the registers since, up to the first member */
	bool write;
	bool spares_flags; /* one stands where a look-up would have to save flags and load them again */
	u8 alignment; /* of the operand with the displacement `anchor`, and of `low` */
	s64 anchor;
	s64 low;
	s64 high;
};

/* One of each instruction, of the early look-ups, and of each late one. */
#define GROUP_COLD (SOFT_BLOCK_INSNS + 1 + GROUP_LATE_SPANS)

/*
 * Instructions of a block whose operands were looked up ahead. The host addresses are kept in
 * soft_vcpu.spans, one of them in REG_ADDRESS besides. When a look-up or something else fails,
 * executors do the rest of the group.
 */
struct group {
	bool open;
	u8 resident;   /* the span whose address is in REG_ADDRESS, or GROUP_NO_SPAN */
	u8 nr_spans; /* early ones */
	u8 nr_late;
	u8 worth;      /* operands that need no look-up of their own */
	bool spares_flags;
	u8 owner[SOFT_GROUP_LATE]; /* the late span that has this slot, or GROUP_NO_SPAN */
	unsigned last; /* index in the block */
	u32 nr_cold;   /* cold code that ends where the group does ... */
	struct group_span span[GROUP_SPANS + GROUP_LATE_SPANS]; /* first the early ones */
	u32 cold[GROUP_COLD];
	u8 index[GROUP_COLD]; /* ... and the instruction that it begins with */
	u8 of[SOFT_BLOCK_INSNS];   /* the span of each instruction, or GROUP_NO_SPAN */
	s64 disp[SOFT_BLOCK_INSNS]; /* of its operand */
};

/* What group.resident says of the first of them. */
#define LOOP_FIRST_SPAN (GROUP_SPANS + GROUP_LATE_SPANS)

/* While a loop runs, a guest register that it does not use is in memory, and its host register holds something else. */
#define LOOP_LOANS 11
struct loan {
	u8 from;    /* the guest register */
	bool is_span;
	bool granted;
	u8 to;	    /* the guest register that lives in memory elsewhere, or the number of a loop_plan.span */
};

/* A block that ends with a jump to its beginning; see loop.c. */
struct loop_plan {
	bool jumps_back;
	bool is_closed; /* the way back to the next round has been generated */
	bool lends; /* while its rounds are generated: registers are where `loan` says */
	u8 nr_loans;
	struct loan loan[LOOP_LOANS];
	u32 round; /* where each round but the first begins, behind what is done once */
	u32 written; /* bits of the registers that a round writes */
	bool may_stride; /* there are operands at a distance that stays, see stride.c */
	u16 strides[4]; /* bits of the registers that are such distances, by scale */
	u8 limits; /* bits of the sizes of look-ups that ask how far these reach */
	u32 stride_site; /* the jump to where that is computed ... */
	u32 stride_back; /* ... and where the entry goes on */
	u32 cold; /* of the entry, as an index */
	u32 to_plain; /* where the entry's cold code goes on with block->plain */
	u8 nr_spans;
	struct group_span span[SOFT_LOOP_SPANS];
	u8 home[SOFT_LOOP_SPANS]; /* the host register that has its address, while `lends`; or H_NONE */
	u8 of[SOFT_BLOCK_INSNS];   /* the span of each instruction, or GROUP_NO_SPAN */
	s64 disp[SOFT_BLOCK_INSNS]; /* of its operand, as in struct group */
};

struct translation {
	struct emit e;
	struct vcpu *vcpu;
	struct soft_vcpu *soft;
	struct block *block;
	const struct insn *insn;
	s64 offset; /* of insn in its page */
	unsigned index; /* of insn in the block */
	struct host_mem operand; /* of the instruction, once it has been looked up */
	bool rax_is_taken; /* by that */
	u8 home[X86_NR_GPR]; /* host_of[], but for registers that a loop has borrowed */
	u32 size_of_code; /* 8 or 4 */
	u8 flags;   /* enum flags_place */
	struct recipe recipe; /* of the flags in EFLAGS, or of FLAGS_LATER */
	/* Operands of recipes that are kept before the instruction, by slot: guest register + 1, or 0. */
	u8 keeps[SOFT_BLOCK_INSNS][2];
	bool has_vectors;
	u32 entry_unchecked;
	u32 nr_faults;
	u32 nr_cold;
	bool plain; /* without knowledge of the stack */
	struct stack_track stack;
	/* RAX holds this guest register besides memory, while no code that may change RAX stands behind this place. */
	int cached;
	u32 cached_at;
	int in_place; /* which operand the instruction reads where the guest's register stands in memory, or -1 */
	bool stands[SOFT_BLOCK_INSNS]; /* whether the instruction may be one of a group */
	struct group group;
	struct loop_plan loop;
	u32 stack_site; /* the block's, if this becomes its code */
	u32 loop_site;
	u32 version_site;
	struct x87_pending x87;
	/* For show.c: where the block's code and that of each instruction begins. */
	u32 start;
	u32 end;
	u32 cold_start;
	u32 nr_insns;
	u32 insn_start[SOFT_BLOCK_INSNS];
	struct cold cold[MAX_COLD];
	/* Instructions that may raise a signal, and the cold code that stands for them then. */
	u32 fault_at[SOFT_BLOCK_FAULTS];
	u32 fault_cold[SOFT_BLOCK_FAULTS];
	/* When a look-up of a group has failed: where the instruction is executed, with flags in memory. */
	u32 executed_at[SOFT_BLOCK_INSNS];
};

/* translate.c: whether code of this mode is translated at all; the rest is interpreted. */
bool translate__takes_mode(u32 mode);
/*
 * Generates code for the block and sets block->code, or if `plain` block->plain, which stays NULL if it
 * comes out too long. SOFT_CODE_ROOM must be there. Owner thread, no guest code running.
 */
void translate__block(struct vcpu *vcpu, struct block *block, bool plain);

/* flags.c: into memory, if they stand elsewhere only; into EFLAGS, if they do not stand there. */
void translate__save_flags(struct translation *t);
void translate__load_flags(struct translation *t);
/* The same for code that stands apart: EFLAGS to memory and back. */
void translate__store_eflags(struct emit *e);
void translate__fetch_eflags(struct emit *e);
/* Before code that overwrites EFLAGS: makes sure that flags are not lost; and notes that it does so. */
void translate__clobber_flags(struct translation *t);
/* Whether EFLAGS holds the guest's. */
static inline bool translate__has_eflags(const struct translation *t)
{
	return t->flags == FLAGS_BOTH || t->flags == FLAGS_HOST;
}
/* Arithmetic flags that the instruction reads or leaves alone; those that it needs into EFLAGS. */
u16 translate__flags_needed(const struct insn *insn);
void translate__need_flags(struct translation *t);
/*
 * Whether the instructions of the block from number i on write all arithmetic flags before one that reads them, or that may
 * fault or leave the block: nobody sees the flags before.
 */
bool translate__overwrites_flags(const struct translation *t, unsigned i);
/* The instruction has written flags to EFLAGS, if it writes any. */
void translate__flags_written(struct translation *t);

/* recipe.c: how to work out the flags that t->insn has set. */
struct recipe recipe__of(const struct translation *t);
/* Before an instruction that overwrites an operand by which its flags may be worked out: keeps that, if it will be needed. */
void recipe__keep_original(struct translation *t);
/* Before each instruction: operands that it overwrites are kept, if they will be needed. */
void recipe__before(struct translation *t);
/* Whether flags that stand before t->insn, which something overwrites now, are better worked out later. */
bool recipe__pays(const struct translation *t);
/* The flags into EFLAGS; RAX is overwritten. */
void recipe__emit(struct translation *t, const struct recipe *r);
/* recipe__before() again, for this instruction in code that stands apart. */
void recipe__repeat_keeps(struct translation *t, unsigned index);
/* Whether the instruction, if it is translated, is known to leave the guest register as it is. */
bool translate__keeps_register(const struct translation *t, const struct insn *insn, u8 reg);
/* AH, CH, DH or BH as an operand: can't be named beside a REX prefix. */
bool translate__has_high_byte(const struct insn *insn);

/* state.c: cold code, executors. */
struct cold *translate__cold(struct translation *t, enum cold_kind kind, u32 from);
void translate__call_executor(struct translation *t);
void translate__emit_cold(struct translation *t);

/* group_plan.c: looks at the block before it is translated. */
void group__survey(struct translation *t);
/* Whether the instruction's memory operand is accessed. */
bool group__has_operand(const struct insn *insn);
/* Plans the group that begins with t->insn; false: it would be worth nothing. */
bool group__plan(struct translation *t);
/* Plans what the block's loop looks up ahead. */
void group__plan_loop(struct translation *t);
/* Whether the instruction's code, in a group, leaves something else in REG_ADDRESS. */
bool group__loses_address(const struct translation *t);
/* group.c: before an instruction: begins a group, if that is worth it. */
void group__begin(struct translation *t);
/* The look-up of a span alone: operands' host address into REG_ADDRESS. */
void group__look_up(struct translation *t, const struct group_span *span, struct cold *cold);
/* The operand's host address into REG_ADDRESS (and t->operand), if a group or the loop has it. */
bool group__operand(struct translation *t);
/* Cold code of an instruction: it ends behind it, or with the group. Call behind the instruction. */
void group__finish_cold(struct translation *t, struct cold *cold);
/* Behind the instruction `index`: ends the group if it was the last; `now`: in any case. */
void group__end(struct translation *t, unsigned index, bool now);

/* loop.c: before all instructions; at the end of the block's entry; the cold code of that. */
void loop__begin(struct translation *t);
void loop__emit_entry(struct translation *t);
void loop__emit_cold(struct translation *t);
void loop__emit_moving_cold(struct translation *t, const struct cold *cold);
/* Whether the operand was looked up before the first round; its host address into REG_ADDRESS then. */
bool loop__has_operand(const struct translation *t, const struct insn *insn);
bool loop__operand(struct translation *t);
/*
 * Registers as outside of the loop's rounds, and as inside, for code that leads out of them and back. They change no flags
 * and no scratch register. Only for code that comes from the rounds, or leads there: t->loop.lends, cold->lends.
 */
void loop__give_back(struct translation *t);
void loop__lend(struct translation *t);
/*
 * The conditional jump to the block's beginning, on its condition. Flags stand in EFLAGS, and in memory behind it unless the
 * next round overwrites them: t->flags tells. false: make another.
 */
bool loop__jump_back(struct translation *t);
/* The same for the end of a way that goes on with its beginning (block.at). */
void loop__close(struct translation *t);

/* An operand's address: a register that a loop moves, and one that it leaves alone. */
struct stride {
	u8 base;
	u8 index;
	u8 scale;
};
/* How far apart operands may be, with what the look-up itself is for. */
#define STRIDE_MAX (PAGE_SIZE_4K - 512)

/* stride.c: whether the operand is at a distance that stays; the distance at this moment; that it is shared in this way. */
bool stride__of(const struct translation *t, const struct insn *insn, struct stride *s);
u64 stride__now(const struct translation *t, const struct stride *s);
void stride__note(struct translation *t, const struct stride *s);
/* The greatest offset in its page of a look-up of so many bytes that others follow. Noted as asked for. */
struct host_mem stride__limit(struct translation *t, unsigned size);
/* At the end of a loop's entry, before registers are borrowed; behind its rounds. */
void stride__emit_entry(struct translation *t);
void stride__emit_limits(struct translation *t);

/* A field of the view's struct tlb_stack. */
#define STACK_FIELD(t, field) STACK_FIELD_AT(translate__view(t), field, 0)
#define STACK_FIELD_AT(view, field, pushed)                                                        \
	state_mem(VCPU_AT(tlb.stack) + (s32)((view) * sizeof(struct tlb_stack) +                   \
					     offsetof(struct tlb_stack, field)) + (pushed))

static inline unsigned translate__view(const struct translation *t)
{
	return (t->block->mode & MODE_VIEW) >> MODE_VIEW_SHIFT;
}

/* stack.c: before all instructions; the check at the block's entry, and its cold code. */
void stack__begin(struct translation *t);
void stack__emit_check(struct translation *t);
void stack__emit_cold(struct translation *t, const struct cold *cold);
/* Before and behind each instruction. */
void stack__prepare(struct translation *t);
void stack__finish(struct translation *t);
/* Makes the host register RSP. Changes no flags. */
void stack__settle(struct translation *t);
/*
 * Whether the instruction's memory operand needs no look-up; where it is then. RAX is part of that. The
 * same for what PUSH writes, and what POP and RET (which releases more) read, moving RSP. false: with a look-up.
 */
bool stack__is_operand(const struct translation *t, const struct insn *insn);
/* Whether the operand is found without a look-up where the instruction stands, on the stack or as the loop's. */
static inline bool translate__is_found(const struct translation *t, const struct insn *insn)
{
	return stack__is_operand(t, insn) || loop__has_operand(t, insn);
}
struct host_mem stack__operand(struct translation *t);
bool stack__push(struct translation *t, struct host_mem *at);
bool stack__pop(struct translation *t, struct host_mem *at, s32 release);
/* The access just emitted has left RAX, which the next one may use, and there is no way in between. */
static inline void stack__keep_delta(struct translation *t)
{
	t->stack.delta_at = t->e.at;
}

/* The code from `at` on leaves RAX alone, and there is no way into it or to its end: what was in RAX still is. */
static inline void translate__rax_stands(struct translation *t, u32 at)
{
	if (t->cached_at == at)
		t->cached_at = t->e.at;
	if (t->stack.delta_at == at)
		t->stack.delta_at = t->e.at;
}

/* integer.c, vector.c: whether the instruction, copied, may stand in a group. */
bool translate__is_copied(const struct translation *t, const struct insn *insn);
/* A power of two that the memory operand's address must be a multiple of. */
unsigned translate__alignment(const struct insn *insn);
/* encode.c: its general register operand i, or -1; whether it writes operand 0; scratch it needs. */
int translate__gpr_operand(const struct insn *insn, unsigned i);
bool translate__writes_first(const struct insn *insn);
bool translate__writes_second(const struct insn *insn);
unsigned translate__count_scratch(const struct translation *t, const struct insn *insn);
/* translate.c: advances vcpu->stats.insns, if that is asked for. */
void translate__count(struct translation *t);

/*
 * memory.c: the instruction's memory operand of size bytes, its host address into REG_ADDRESS;
 * alignment: a power of two it must be a multiple of. Jumps to the returned cold code where that
 * takes more than a look-up. NULL: not such an operand. Flags are in memory afterwards.
 */
struct cold *translate__operand(struct translation *t, unsigned size, bool write,
				unsigned alignment);
/* The same for the linear address in REG_ADDRESS. */
struct cold *translate__look_up(struct translation *t, unsigned size, bool write,
				unsigned alignment);
/* The same, with cold code that is there. `limit`: has the greatest offset in the page, if not `size` tells. */
void translate__check(struct translation *t, unsigned size, const struct host_mem *limit, bool write, unsigned alignment,
		      struct cold *cold);
/* From R14 and RAX as a failed look-up leaves them, the linear address into R14. */
void translate__unmatch(struct translation *t, bool write);
/* The operand's linear address into REG_ADDRESS; false if it can't be computed here. */
bool translate__linear(struct translation *t);
/* The index of the TLB entry for REG_ADDRESS, times its size, into RAX. */
void translate__emit_index(struct emit *e, bool bmi2);
/* A field of the entry whose index, times its size, is in RAX; `pushed` bytes are on the stack. */
static inline struct host_mem translate__entry_field(unsigned table, size_t field, s32 pushed)
{
	s32 at = VCPU_AT(tlb) + (s32)(table * TLB_ENTRIES * sizeof(struct tlb_entry) + field);

	return mem_indexed(H_RSP, H_RAX, 0, at + pushed);
}
/* The effective address alone; false if it can't be computed here. R14 and RAX are used. */
bool translate__address(struct translation *t);
/* The same into another register; w: 64 bits of it. */
bool translate__address_into(struct translation *t, u8 to, bool w);
/* integer.c: LEA uses not R14. */
bool translate__lea_keeps_address(const struct translation *t, const struct insn *insn);

/* integer.c, branch.c, vector.c: code for one instruction; false: call its executor. */
bool translate__integer(struct translation *t);
bool translate__vector(struct translation *t);
/* Whether the block's code executes this vector instruction itself. */
bool translate__is_vector(const struct translation *t, const struct insn *insn);
/* The instruction at `at` may raise a signal, for which this cold code stands. */
void translate__note_fault(struct translation *t, u32 at, struct cold *cold);
/* divide.c: DIV and IDIV; false: call the executor. */
bool translate__divide(struct translation *t);
/* x87.c: likewise for x87 instructions; whether the block's code executes this one itself. */
bool translate__x87(struct translation *t);
bool translate__is_x87(const struct translation *t, const struct insn *insn);
/* Before an instruction: writes pointers that it would make unknown; writes all; writes these. */
void x87__before(struct translation *t);
void x87__settle(struct translation *t);
void x87__store_pointers(struct translation *t, const struct x87_pending *pending);
/* system.c: the same for system instructions and the direction flag's; *ends as below. */
bool translate__system(struct translation *t, bool *ends);
void translate__direction(struct translation *t); /* CLD, STD */
/* The way to the executor of one behind which the mode may be another, as an offset in the area. */
u32 translate__way_to_change_mode(const struct translation *t, const struct insn *insn);
/* RFLAGS from memory into RAX; the arithmetic ones in EAX to memory; another mode's view and context. */
void translate__load_rflags(struct emit *e);
void translate__store_arith(struct emit *e);
void translate__switch_mode(struct emit *e, enum soft_mode_index mode);
/* byte.c: with AH, CH, DH or BH as a register operand and none in memory. */
bool translate__high_byte(struct translation *t);
/* bit.c: BT, BTS, BTR, BTC of memory whose address the bit's number moves. */
bool translate__bit_string(struct translation *t);
bool translate__is_conditional(const struct insn *insn);
/* Whether the block (block.at) goes on where this jump leads. */
bool translate__follows_jump(const struct translation *t);
/* A branch; *ends: nothing of the block comes behind it. */
bool translate__branch(struct translation *t, bool *ends);
/* Leaves the block for a target relative to the page. */
void translate__go_to(struct translation *t, s64 target);
/*
 * To the linear address in R14, if the table of jumps has it; else to where the returned displacement
 * is set to lead, with jump_key in R14's bits. clear_link: soft_vcpu.link becomes 0 on the way.
 */
u32 translate__emit_table_jump(struct emit *e, bool clear_link);
/* Code of a COLD_FIND, of a COLD_READ. */
void translate__emit_find(struct translation *t, const struct cold *cold);
void translate__emit_read(struct translation *t, const struct cold *cold);

/* encode.c: re-encodes an instruction with other registers. */
struct encoding_regs {
	u8 reg;	 /* modrm.reg, or the register in the opcode */
	u8 rm;	 /* modrm.rm; unless mem */
	u8 vvvv;
	bool mem;
	bool other_direction; /* of ADD and kin, MOV: the encoding "reg, r/m" in place of "r/m, reg" */
	struct host_mem at; /* the memory operand */
};

void translate__encode(struct translation *t, const struct encoding_regs *regs);
/* Gives each general register of the instruction a host register; false if there are too few. */
bool translate__take_registers(struct translation *t, struct encoding_regs *regs);
/* Writes back those that stand in memory. */
void translate__give_registers(struct translation *t);

/* Bytes of the instruction's memory operand. */
unsigned translate__access_size(const struct insn *insn);

/* gate.c: glue for SYSCALL and SYSRET, which changes the mode without C code. */
void gate__generate(struct emit *e, struct glue *glue);

/* glue.c: generates what all blocks share, at the start of the code area. */
void glue__generate(struct vcpu *vcpu);
/* Enters generated code; returns what ended it, with all state in struct vcpu. */
enum exec_result glue__enter(struct vcpu *vcpu, const u8 *code);

/* area.c: memory for code, mapped twice. 0 or -errno. */
int area__create(struct code_area *area, size_t size);
/* Has the pages there that code is written to next. */
void area__populate(struct code_area *area);
void area__destroy(struct code_area *area);

#endif
