/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software engine: runs guest code with no virtualization hardware.
 *
 * Guest code is decoded once into blocks of struct insn. A block is executed through the
 * instructions' executors at first; one that is met often is translated to host code (translate/).
 * Blocks are kept per vCPU, keyed by guest-physical address and mode.
 */
#ifndef ENGINES_SOFT_SOFT_H
#define ENGINES_SOFT_SOFT_H

#include "core/emulate/emulate.h"
#include "core/engine.h"
#include "core/vm/vm.h"
#include "engines/soft/check.h"
#include "engines/soft/room.h"
#include "engines/soft/tunables.h"
#include "engines/soft/vector.h"

extern const struct engine_ops soft_engine;

struct block;

/* Where a block was left to last time: followed while address and context are the same. */
struct block_link {
	u64 rip;
	u64 context;
	struct block *block;
};

/* Where the general registers pointed in their pages when groups of a block had operands on two pages. */
struct straddle_moments {
	const struct block *block;
	u16 offset[SOFT_STRADDLE_MOMENTS][X86_NR_GPR];
};

enum block_way { WAY_NEXT, WAY_JUMP, NR_WAYS };

/* A run of decoded instructions within one guest page, the last one possibly a branch. */
struct block {
	/* First what finding it looks at. */
	u64 gpa;	 /* of the first instruction */
	u32 *code_word;	 /* the page's word in its memory slot ... */
	u32 code_value;	 /* ... and its value when the block was decoded: differs, block is stale */
	u32 mode;	 /* MODE_* the instructions were decoded for */
	const u8 *code;	 /* its translation, or NULL */
	struct block *next; /* in the hash chain */
	struct code_page *page; /* NULL: BLOCK_ONCE */
	struct code_page *next_page; /* that its instruction ends on: crossing.c; else NULL */
	u32 heat;	 /* times it was interpreted */
	u32 checks;	 /* times it came to be checked */
	u32 verified;	 /* of BLOCK_SHORT: soft_vcpu.outside when it was last compared with memory */
	u32 stack_site;	 /* in `code`: displacement of the jump to `plain` ... */
	u32 loop_site;	 /* ... and of the one where look-ups before a loop fail; 0: there is none: of its last version */
	u32 version_site; /* displacement of the jump to the next version of the loop */
	u16 count;	 /* instructions */
	u16 bytes;	 /* of guest code, on its page; a copy of all stands behind the instructions */
	/* What `code` has to know of the stack: bytes from RSP, for reading or writing. */
	s16 stack_low;
	u16 stack_span;
	bool stack_writes;
	bool is_too_long; /* there is no translation of it */
	u8 retries;	  /* translations of it given up because of such; see SOFT_GROUP_APART: */
	u8 versions;	  /* of a loop, besides `code`: each for operands that are on two pages somewhere else */
	u8 straddles;	  /* translations of it for operands on two pages: soft_vcpu.straddling */
	u8 tries;	  /* to record a loop's way from here */
	u8 misses;	  /* look-ups for several operands that failed ... */
	u64 missed_since; /* ... since this time stamp */
	const u8 *plain; /* the same for when the stack is not where `code` needs it, or NULL */
	struct block *page_next; /* of the same page: those that are not BLOCK_SHORT */
	/* trace.c. A loop's way over two pages from here, or NULL. Of such a way: the block that begins there. */
	struct block *trace;
	/*
	 * Offsets of its instructions from the page's begin, and of what comes behind the last one: of such a way, where that is its
	 * beginning, and of a block that goes on where jumps within the page lead to; the last one's may lead to another page. NULL: they
	 * stand one behind the other.
	 */
	s32 *at;
	struct block_link link[NR_WAYS];
	struct insn insn[];
};

/* What decoding and static checks depend on, besides the bytes. */
#define MODE_CODE_SIZE 0x0f /* 2, 4 or 8 */
#define MODE_REAL_LIKE 0x10 /* real or virtual-8086 mode */
#define MODE_USER 0x20	    /* CPL 3: only fetching depends on it */
/* What translations depend on besides. */
#define MODE_VIEW_SHIFT 6 /* enum tlb_view, or TLB_NR_VIEWS while alignment is checked */
#define MODE_VIEW (3u << MODE_VIEW_SHIFT)
#define MODE_X87 0x100	/* x87 and MMX instructions may execute: CR0.EM and CR0.TS are 0 */
#define MODE_SSE 0x200	/* and SSE instructions: CR4.OSFXSR */
#define MODE_AVX 0x400	/* and AVX instructions: CR4.OSXSAVE, XCR0 */
#define MODE_FLAT 0x800 /* not in 64-bit code: CS, DS, ES and SS are flat */
#define MODE_AVX512 0x1000 /* and AVX-512 instructions: XCR0 */
#define MODE_BLOCK                                                                                 \
	(MODE_CODE_SIZE | MODE_REAL_LIKE | MODE_VIEW | MODE_X87 | MODE_SSE | MODE_AVX | MODE_FLAT | \
	 MODE_AVX512)
#define MODE_BITS 13
/* Of a block alone: the instruction crosses a page. Found by other ways than others of its address. */
#define MODE_CROSSING 0x80000000u

/*
 * A guest-physical page with blocks. Direct jumps within a page are not looked at again, so all
 * blocks of a page are compared with memory together. Direct jumps to other pages are good in one
 * context.
 */
struct code_page {
	u64 gpa;
	u32 code_value; /* the page's word when its blocks were decoded */
	/* The linear page that its blocks were last entered at, and whether there was another. */
	u64 linear;
	bool has_linear;
	bool has_more_linear;
	bool is_rewritten; /* code of it was changed that had been translated */
	bool has_guests; /* blocks that begin on other pages end here: nothing but a change of the context stops these */
	/* Of soft_vcpu.links, those to its blocks: 1 + the first one's index, or 0; while it is that round there. */
	u32 first_link;
	u32 links_round;
	u64 verified; /* soft_vcpu.outside when its blocks were last compared */
	struct block *blocks;
	struct code_page *next; /* in the hash chain */
};

/* Memory for generated code: one memory object, mapped for writing and for execution. */
struct code_area {
	u8 *write;
	const u8 *execute;
	size_t size;
	u32 used; /* from the beginning */
	u32 cold; /* the first free byte of the code that stands apart, from SOFT_HOT_SIZE on */
	/* Up to where the host has been asked for the pages of both, in both mappings. */
	u32 used_populated;
	u32 cold_populated;
};

static inline u32 code__bytes(const struct code_area *area)
{
	return area->used + area->cold - SOFT_HOT_SIZE;
}

/* Linear address to code, valid in one context. */
struct jump_entry {
	u64 tag; /* the address ^ soft_vcpu.jump_key; 0: empty */
	const u8 *code; /* the block's, or what goes on without it; never NULL */
};

/* A jump to another page, and the next of those to the same page: 1 + its index, or 0. */
struct link {
	u32 link; /* where it is, and SOFT_LINK_READ */
	u32 next;
};

/* A context and its number. */
struct context_id {
	u64 context;
	u32 id;
};

/* Linear code page to guest-physical page and host pointer, valid in one context. */
struct fetch_entry {
	u64 page;
	u64 context;
	u64 gpa;
	const u8 *host;
};

/* A bucket of a hash of blocks, found by address and mode. */
struct bucket {
	u32 first; /* of its chain: 1 + the distance from the begin of the blocks' memory in BLOCK_UNIT; 0: none */
	u32 filter; /* one bit for each that was added: most that are not here are not looked for in the chain */
};

struct block_cache {
	/*
	 * Those to be translated, and pages. Filled from the bottom, emptied as a whole, with the
	 * generated code.
	 */
	u8 *arena; /* ROOM_BLOCKS */
	size_t used;
	struct bucket hash[SOFT_HASH_ENTRIES];
	/* BLOCK_SHORT. Emptied as a whole, alone: what is executed again is decoded again. */
	u8 *young; /* ROOM_YOUNG */
	size_t young_used;
	struct bucket young_hash[SOFT_YOUNG_ENTRIES];
	/* The BLOCK_ONCE of now. */
	struct block *once;
	struct code_page *pages[SOFT_PAGE_HASH_ENTRIES];
	struct jump_entry jump[SOFT_JUMP_ENTRIES];
	struct block *jump_block[SOFT_JUMP_ENTRIES]; /* of the entries that are not empty */
	struct fetch_entry fetch[SOFT_FETCH_ENTRIES];
	u64 seen[SOFT_SEEN_BITS / 64]; /* addresses of code that was executed once, hashed */
};

/* An instruction that crosses a page, decoded. */
struct crossing {
	u64 linear;
	u64 context;
	u32 *code_word[2]; /* as in struct block, of both pages */
	u32 code_value[2];
	u64 gpa[2]; /* of its first byte, and of the other page */
	u32 heat;   /* times that generated code has come to it */
	u32 flushes; /* soft_vcpu.flushes when `block` was found */
	struct block *block; /* its translation, or NULL */
	struct insn insn;
};

/* What the instructions that only change the privilege level or RFLAGS.AC lead to, in 64-bit code. */
enum soft_mode_index {
	SOFT_MODE_USER,	     /* CPL 3 */
	SOFT_MODE_KERNEL,    /* CPL 0 with AC clear */
	SOFT_MODE_KERNEL_AC, /* CPL 0 with AC set */
	NR_SOFT_MODES,
};

struct soft_mode {
	struct tlb_entry *view;
	u64 context;
	u64 fetch_context;
	u64 jump_key;
	u32 context_id;
};

enum pulse_state { PULSE_IDLE, PULSE_SET, PULSE_DUE };

enum soft_injection { INJECT_NONE, INJECT_INTERRUPT, INJECT_SOFT_INTERRUPT, INJECT_NMI };

/* Of one translation: each instruction may stand in it twice. */
#define SOFT_BLOCK_FAULTS (2 * SOFT_BLOCK_INSNS)

/* An instruction in generated code that may raise SIGFPE or SIGILL, and where to go on then. */
struct code_fault {
	u32 at;
	u32 go_on;
};

/* 1, 2, 4, ... 64 bytes. */
#define SOFT_SECOND_SIZES 7

/* Offsets in the code area of what all blocks share. */
struct glue {
	u32 enter;
	u32 execute; /* an executor for one instruction */
	u32 execute_vectors; /* the same, then loads the guest's vector state */
	u32 execute_system; /* the same for one behind which the mode may be another */
	u32 syscall; /* the same for SYSCALL at CPL 3, SYSRET to 64-bit code */
	u32 sysret;
	u32 load_vectors;
	/* For writing: [1]. The page of a stack beside the TLB; above: it can't be. */
	u32 fill_stack[TLB_NR_VIEWS][2];
	/*
	 * By the logarithm of the access' size: the page in the view's second table, for what was driven out of the first. R14 and
	 * RAX as a failed look-up leaves them; "below or equal" and the host address in R14, or "above". For writing: [1].
	 */
	u32 second[TLB_NR_VIEWS][2][SOFT_SECOND_SIZES];
	u32 straddled; /* ZF: a group goes on apart where it often did, or some group did so for some time; R14 and RAX as a failed look-up leaves them */
	u32 group_missed; /* soft__group_missed() for the block in RAX (and its bits), the address in R14 */
	u32 other_stack; /* on with the block in R14, whose stack is elsewhere (bit 0: or what its loop looked up) */
	u32 leave; /* out, to the offset in R14 */
	u32 link;  /* to the offset in R14, making the jump at soft_vcpu.link a direct one */
	u32 far_link; /* to the linear address in R14, sometimes making the jump at EAX direct */
	u32 read_link; /* the same, more rarely */
	u32 find;  /* to the linear address in R14 */
	u32 find_again; /* to that of the jump entry whose offset is in RAX */
};

/* The engine's own of a machine: vm->engine_vm. */
struct soft_vm {
	struct engine_config config;
	struct room_bound room;
	struct check_turns turns;
};

static inline struct soft_vm *soft__vm(struct vm *vm)
{
	return vm->engine_vm;
}

struct soft_vcpu {
	/* Generated code, and C code that it calls, runs on this stack. Must be the first member. */
	u8 stack[SOFT_STACK_SIZE] __attribute__((aligned(64)));
	/* First what generated code needs most: at the first 128 bytes its instructions are shorter. */
	u64 code_base; /* linear address of the page that is executing */
	/* While generated code runs, in place of cpu.arith: OF as 0 or 1; the other arithmetic flags << 8, as LAHF gives them. */
	u16 flags;
	u16 above_flags; /* 0: constants are written to both */
	bool inlines_vectors; /* not where C code may use vector registers: instrumented builds */
	u32 context_id;
	u64 jump_key; /* of the context; see soft__refresh_context() */
	u64 spans[SOFT_GROUP_SPANS + SOFT_GROUP_LATE]; /* host addresses, while generated code needs them */
	u64 kept[2]; /* operands that flags are worked out from: translate/recipe.c */
	u64 scratch;
	u64 more_scratch;
	u64 loop_spans[SOFT_LOOP_SPANS]; /* as spans, from one round of a loop to the next */
	u64 loop_ends[SOFT_LOOP_SPANS]; /* of those that move on: the last host address in the page */
	u64 stride_limits[SOFT_STRIDE_LIMITS]; /* greatest offsets in a page, likewise: translate/stride.c */
	u32 offset; /* in the page, of the instruction that `scratch` keeps: gate.c */
	u32 second_countdown; /* accesses found in the TLB's second table until one is treated as missed */
	s32 far_countdown; /* far jumps that are not direct yet, until one of them is made so */
	s32 read_countdown; /* the same of jumps to addresses that were read, which may be others each time */
	u32 link; /* offset in the code area of the displacement to set | SOFT_LINK_*, or 0 */
	u32 found; /* enum exec_result: what soft__find_code() has executed on the way, if it found none */
	u64 host_stack;
	bool follows; /* for tests: conditional jumps are followed, whatever was seen of them */
	bool groups_apart; /* for tests: blocks begin with retries == SOFT_GROUP_APART */
	bool counts; /* generated code advances vcpu->stats.insns, for tests */
	bool host_has_bmi2;
	/* The block that look-ups were made to succeed for last, how many, and when. */
	const struct block *refilled;
	u32 refills;
	u64 refilled_at;
	/* Where a group went on apart last, in a form of its own, and how often more until that is looked at. */
	u64 straddled_at;
	u32 straddle_countdown;
	/* The same wherever it was, and since when; and loops that could not begin. */
	u32 straddles_left;
	u32 loop_straddles_left;
	u64 straddles_since;
	struct straddle_moments straddling[SOFT_STRADDLE_BLOCKS];
	u32 heat_limit; /* interpretations before a block is translated */
	struct code_area area;
	struct glue glue;
	u32 glue_size;
	u32 check_size; /* of the look whether to leave, with which all code begins */
	/* From a far jump's displacement back to the constants that it compares. */
	u32 far_base;
	u32 far_context;
	/* The same of a jump to an address that was read. */
	u32 read_target;
	u32 read_context;
	struct link links[SOFT_LINKS];
	u32 nr_links; /* that have been in use ... */
	u32 free_link; /* ... and are not any more: 1 + the first one's index, or 0 */
	u32 links_round; /* advanced when all are forgotten */
	u32 links_since; /* what bears the number of this context or a later one is known (0 is no context's) */
	struct translation *translation; /* scratch of the translator */
	struct code_fault *faults; /* in order of their place; SOFT_FAULT_ENTRIES */
	u32 nr_faults;
	u32 flushes; /* of the block cache as a whole */
	u32 young_flushes; /* of BLOCK_SHORT alone */
	bool shut_down; /* found is EXEC_FAIL because no exception could be delivered */
	bool full;   /* generated code: the loop is to flush the cache */
	struct host_timer pulse; /* makes guest code look up from its work now and then */
	u8 pulse_state;		 /* enum pulse_state, atomic */
	/*
	 * TLB generation and MODE_* of the code being executed; see soft__refresh_context(). It
	 * also changes when the block cache is flushed, so that no link to a block survives, and
	 * with `outside`, so that every block is found and compared with its code again.
	 */
	u64 context;
	u64 fetch_context; /* the same without `outside` */
	/*
	 * Numbers of contexts, by their modes. A number is not given again before jump entries and
	 * direct jumps that bear it are gone.
	 */
	struct context_id contexts[SOFT_CONTEXTS];
	u32 last_context_id;
	u32 renumberings;
	u64 key_secret;
	bool la57;
	struct soft_mode mode[NR_SOFT_MODES]; /* computed with them */
	/*
	 * Times at which somebody may have written guest memory from outside: user space between
	 * two KVM_RUNs, a device before its interrupt.
	 */
	u64 outside;
	u64 revivals; /* look-ups of stale blocks that were good again */
	u32 device_events; /* vm->device_events when last looked at */
	u64 others; /* times that another vCPU had written code */
	bool code_flat; /* linear is RIP: 64-bit code, or CS with base 0 and limit 4 GiB */
	bool want_interrupt_window;
	bool want_nmi_window;
	u8 injection; /* enum soft_injection, delivered when guest code is entered */
	u8 injection_vector;
	/* The block at whose address the loop is to record, that address, and `flushes` then; or NULL. */
	struct block *trace_head;
	u64 trace_linear;
	u32 trace_flushes;
	/* The BLOCK_ONCE that generated code has come to, for the loop. */
	struct block *once;
	u64 once_linear;
	u64 once_context;
	struct block_cache cache;
	struct crossing crossings[SOFT_CROSSINGS];
	struct soft_vectors vectors;
	u32 evictions; /* flushes because there was no room */
	u32 loop_versions; /* made for operands on two pages: missed.c */
	u32 ways; /* of loops over two pages, translated: trace.c */
	u32 code_writes; /* looks at ways to code after a page with cached code was written */
	u64 exits[ENGINE_EXIT_NESTED_FAULT + 1]; /* by reason */
	struct room room[NR_ROOMS];
	struct check *check; /* check.h; NULL: blocks are not executed twice */
};

/* Recomputes soft->context and code_flat. Call when mode, CPL, CS or the TLB may have changed. */
void soft__refresh_context(struct vcpu *vcpu);

/* context.c: no context has a number any more, no jump entry leads anywhere. */
void context__renumber(struct soft_vcpu *soft);

/* cache.c: 0 or -ENOMEM; freeing; forgetting all blocks, or the short ones. Both change the context. */
int block_cache__init(struct block_cache *cache);
void block_cache__destroy(struct block_cache *cache);
void block_cache__flush(struct vcpu *vcpu);
void block_cache__flush_young(struct vcpu *vcpu);

/* Forgets the ways of generated code to a page that was written. */
void block_cache__forget_jumps(struct soft_vcpu *soft, u64 page_gpa);

/*
 * The block at RIP, decoding it if need be. NULL: no block can be had; *result is then EXEC_FAULT
 * (fetching faulted), EXEC_NEXT (the instruction at RIP must be executed by emulate__one(): it
 * crosses a page, or CS's limit is near) or EXEC_FAIL (code in device memory).
 */
struct block *block_cache__get(struct vcpu *vcpu, enum exec_result *result);

/* The block at a linear address has code, which jumps there may go to if `may_enter`. */
void block_cache__note_code(struct soft_vcpu *soft, u64 linear, struct block *block, bool may_enter);

/* The same of an instruction that crosses a page. */
void block_cache__note_crossing(struct soft_vcpu *soft, u64 linear, struct block *block);

/* The block there if it has code and no more than its page's mapping is to be looked up; or NULL. */
struct block *block_cache__find_code(struct soft_vcpu *soft, u64 linear);

/* block.code_value that no page's word has: its first bit is 0. */
#define BLOCK_DEAD 0xfffffffeu

/* The record of a page, made if need be; the arena must have room for it. */
struct code_page *block_cache__page(struct vcpu *vcpu, u64 gpa);
/* The block is one of its page's from now on. It is no BLOCK_SHORT. */
void block_cache__put_on_page(struct vcpu *vcpu, struct block *block);

/* The bytes that its instructions were decoded from, one behind the other. */
static inline u8 *block__code(const struct block *block)
{
	return (u8 *)&block->insn[block->count];
}

/* Offset from the page's begin of where the way leads behind instruction number i, which stands at `offset`. */
static inline s64 block__next_offset(const struct block *block, unsigned i, s64 offset)
{
	return block->at ? block->at[i + 1] : offset + block->insn[i].len;
}

/* A loop's way over two pages: trace.c. */
static inline bool block__is_trace(const struct block *block)
{
	return block->at && block->next_page;
}

/* Whether the code has been written since the block was decoded. */
static __always_inline bool block__is_stale(const struct block *block)
{
	return __atomic_load_n(block->code_word, __ATOMIC_ACQUIRE) != block->code_value;
}

/*
 * BLOCK_ONCE: not kept, good until the next one is built: most code is executed once only.
 * BLOCK_SHORT: to the first branch. BLOCK_LONG: for translation, goes on behind conditional branches.
 */
enum block_kind { BLOCK_ONCE, BLOCK_SHORT, BLOCK_LONG };

/* Blocks begin at multiples of it, bytes. */
#define BLOCK_UNIT 16
/* Bytes of memory that a block may take, and the records of its pages. */
#define BLOCK_MOST                                                                                 \
	(sizeof(struct block) + SOFT_BLOCK_INSNS * (sizeof(struct insn) + INSN_MAX_LENGTH) +       \
	 (SOFT_BLOCK_INSNS + 1) * sizeof(s32) + 2 * sizeof(struct code_page) + 96)

/*
 * build.c: decodes a block at guest-physical address gpa. NULL if no whole instruction stands there
 * before the page ends, or no memory any more. `decoded`: a block that was found there, of this mode, in whose place
 * this one comes, or NULL.
 */
struct block *block__build(struct vcpu *vcpu, u64 gpa, u32 mode, enum block_kind kind, const struct block *decoded);
/*
 * The same for an instruction that crosses a page, already decoded, with its bytes: code_word and code_value
 * are those of the first page, gpa[1] is on the other one. Never NULL; it may empty the cache.
 */
struct block *block__build_crossing(struct vcpu *vcpu, const struct crossing *crossing, const u8 *bytes, u32 mode);
/*
 * A block for instructions of the block's page and of the one at gpa `next`, without any yet. It is the arena's next one until BLOCK_MOST
 * is added to what is used. NULL: there is no room now.
 */
struct block *block__begin_trace(struct vcpu *vcpu, struct block *head, u64 next);
/*
 * trace.c: where a jump from the page at `from` to this block, at RIP, is to lead: there, or to a loop's way over both pages.
 * It may ask the loop to record that.
 */
struct block *trace__of(struct vcpu *vcpu, struct block *head, u64 from);
/* Executes a round of the loop at RIP, as the loop was asked to; how the last instruction ended, with RIP advanced. */
enum exec_result trace__record(struct vcpu *vcpu);
/* cache.c: a block of this kind and mode, which may have become stale on the second page; or NULL. */
struct block *block_cache__find_crossing(struct vcpu *vcpu, u64 gpa, u32 mode);
/* cache.c: puts a block before others of its kind and address. */
void block_cache__add(struct block_cache *cache, struct block *block, enum block_kind kind);
/* Whether there is a translation of this address. */
bool block_cache__has_code(struct block_cache *cache, u64 gpa, u32 mode);
/* The BLOCK_SHORT that begins at this address, or NULL. */
const struct block *block_cache__short_at(struct block_cache *cache, u64 gpa, u32 mode);

/* translate/system.c: an instruction of CLASS_SYSTEM behind which the loop need not look at anything. */
bool soft__keeps_mode(const struct insn *insn);
/* The same in generated code alone, which looks itself at what might have to be done. */
bool soft__keeps_mode_translated(const struct insn *insn);

/* crossing.c: whether the instruction at RIP is kept there. */
bool crossing__is_known(const struct soft_vcpu *soft, u64 rip);
/*
 * crossing.c: the translation of the instruction at RIP, which is known, if it is hot; else NULL. Only ways that are
 * good in one context may lead there.
 */
struct block *crossing__code(struct vcpu *vcpu);
/* crossing.c: executes the instruction at RIP, which stands in no block, as emulate__one(). */
enum exec_result crossing__execute(struct vcpu *vcpu);

/*
 * run.c: an executor that generated code has called gave EXEC_JUMP or EXEC_STOP, with RIP at the
 * next instruction: the code to go on with, or NULL if the loop has to look, with the result in
 * soft->found.
 */
const u8 *soft__resume(struct vcpu *vcpu);
/* The same where it gave EXEC_FAULT: the exception is delivered. NULL: soft->found is the result. */
const u8 *soft__deliver(struct vcpu *vcpu);
/* Whether the loop has nothing to do between two instructions; the context is then up to date. */
bool soft__may_go_on(struct vcpu *vcpu);

/* link.c: makes the jump whose displacement is at `site` in the code area go to code. */
void soft__set_jump(struct soft_vcpu *soft, u32 site, const u8 *code);
/* The jump that asked (SOFT_LINK_*), in the linear page `base`, leads directly to the block at RIP from now on. */
void link__set(struct vcpu *vcpu, u32 link, u64 base, struct block *block);
/* Jumps of other pages' code to the page's blocks are not followed any more. */
void link__take_back(struct soft_vcpu *soft, struct code_page *page);
/* There is no code any more, or no jump to another page that is good. */
void link__emptied(struct soft_vcpu *soft);

/*
 * find.c: where the code of a block goes on whose stack is elsewhere (bit 0 of the pointer: or what its loop looked up is);
 * NULL: back to the loop. Jumps that lead to where `code` can't go on lead to block->plain from now on.
 */
const u8 *soft__other_stack(struct vcpu *vcpu, u64 block);
void soft__lead_to_plain(struct soft_vcpu *soft, const struct block *block);
/* Whether branches from there may lead to addresses that are not canonical. */
bool soft__is_near_edge(u64 rip);
/* Room for another translation; else the loop is to make some. */
bool soft__has_room(struct vcpu *vcpu);
/*
 * missed.c: a look-up for several operands, of this linear address, has failed. true: the TLB has it now.
 * Else they are on two pages, most likely; where that happens often the block (or `plain`, for bit 0) is
 * translated again for the addresses of this time, or at last without such look-ups. Bit 1: the look-ups before a loop found
 * operands on two pages.
 */
/* Where the block's are kept; they may be another's. */
static inline struct straddle_moments *soft__straddling(struct soft_vcpu *soft, const struct block *block)
{
	return &soft->straddling[((u64)block >> 4 ^ (u64)block >> 10) & (SOFT_STRADDLE_BLOCKS - 1)];
}

bool soft__group_missed(struct vcpu *vcpu, u64 block, u64 linear);
/* find.c: where generated code goes on at cpu.rip; NULL: back to the loop, with soft->found. */
const u8 *soft__find_code(struct vcpu *vcpu);
/*
 * The code of the block at cpu.rip, translating it if it is hot, which makes another block of it; NULL:
 * it is to be interpreted.
 */
const u8 *soft__code_of(struct vcpu *vcpu, struct block **found);

static inline u32 soft__jump_index(u64 linear)
{
	return ((u32)linear * SOFT_JUMP_FACTOR) >> (32 - SOFT_JUMP_BITS);
}

static inline struct jump_entry *soft__jump_slot(struct soft_vcpu *soft, u64 linear)
{
	return &soft->cache.jump[soft__jump_index(linear)];
}

/* run.c: the timer that makes guest code look up; engine_ops.run. */
void soft__pulse(struct host_timer *timer);
void soft__run(struct vcpu *vcpu, struct engine_exit *exit);

#endif
