/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 64-bit guests' machine: segments, stacks, traps, calls into user mode.
 *
 * At main(): long mode, 4-level tables, CPL 0, interrupts off, legacy interrupt controllers
 * masked; CR0 = PE MP ET NE WP PG, CR4 = PAE OSFXSR OSXMMEXCPT, EFER = LME LMA NXE SCE.
 * Linear addresses: 0-1 GiB and 3-4 GiB identical to physical, supervisor; USER_ALIAS shows the
 * first GiB again to user mode; the rest is the tests' own.
 */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

/* ---- shared with assembly ---- */
#define MAX_CPUS 8
#define USER_ALIAS 0x80000000

#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define KERNEL_CS32 0x18
#define USER_CS32 0x2b
#define USER_SS 0x33
#define USER_CS 0x3b
#define KERNEL_CS16 0x40
#define KERNEL_DS16 0x48
#define SPARE_SELECTOR 0x50 /* descriptors from here to 0xff are the tests' */
#define TSS_SELECTOR 0x100  /* of CPU 0; 16 bytes each */

#define USER_EXIT_VECTOR 0x80 /* INT from user mode: end of user__call() */
#define NO_TRAP 256

#define STACK_SIZE 16384

#ifndef __ASSEMBLER__
#include "include/x86/exception.h"
#include "include/x86/msr.h"
#include "include/x86/paging.h"
#include "include/x86/regs.h"
#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/guest.h"

struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/* Where TRY() resumes after a trap. */
struct trap_jump {
	u64 rbx, rbp, r12, r13, r14, r15, rsp, rip, rflags;
	bool armed;
};

struct trap_record {
	u64 count;
	struct trap_frame frame;
	u64 cr2, dr6;
	u64 stack; /* where the handler's frame stood */
};

struct trap_state {
	struct trap_record last;
	struct trap_jump jump;
};

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* [0] is IST1 */
	u64 reserved2;
	u16 reserved3, io_map; /* offset of the I/O map */
	u8 map[8192 + 1];
} __attribute__((packed));

struct gate {
	u16 offset0, selector;
	u8 ist, type;
	u16 offset1;
	u32 offset2, reserved;
};

extern u64 gdt[(TSS_SELECTOR + 16 * MAX_CPUS) / 8];
extern struct gate idt[256];
extern struct tss tss[MAX_CPUS];
extern char image_end[];

typedef void trap_handler(struct trap_frame *frame);

/* Takes the command line, before anything is put where a loader may have left it. */
void options__read(void);
/* NUMBER of "name=NUMBER" on the command line, decimal. */
u64 guest__option(const char *name, u64 otherwise);

unsigned cpu__index(void);
void machine__load_tables(unsigned cpu);

struct trap_state *trap__state(void);
/* The handler for a vector instead of recording; NULL: record. Shared by all CPUs. */
void trap__handle(unsigned vector, trap_handler *handler);
/* Traps of this vector are recorded and execution goes on at the saved RIP. */
void trap__resume(unsigned vector, bool resume);
/* type: 0xe interrupt gate, 0xf trap gate. */
void trap__set_gate(unsigned vector, unsigned type, unsigned dpl, unsigned ist);
int trap__set(struct trap_jump *jump) __attribute__((returns_twice));

/* Executes statements; the vector of the (last) exception they met, or NO_TRAP. See trap(). */
#define TRY(...)                                                                                   \
	({                                                                                         \
		struct trap_state *try_ = trap__state();                                           \
		try_->last.frame.vector = NO_TRAP;                                                 \
		try_->last.count = 0;                                                              \
		if (!trap__set(&try_->jump)) {                                                     \
			__VA_ARGS__;                                                               \
		}                                                                                  \
		try_->jump.armed = false;                                                          \
		(unsigned)try_->last.frame.vector;                                                 \
	})

/* What the last exception left. */
static inline struct trap_record *trap(void)
{
	return &trap__state()->last;
}

/* vector and error code in one number, for checks: vector << 32 | error. */
static inline u64 trap__code(unsigned vector)
{
	return (u64)vector << 32 | (vector == NO_TRAP ? 0 : trap()->frame.error);
}
#define TRAP(vector, error) ((u64)(vector) << 32 | (error))

/* ---- user mode ---- */

struct user_state {
	u64 rip, cs, rflags, rsp, ss, rdi;
};

void user__enter(const struct user_state *state);
/* Runs fn(arg) at CPL 3 in the alias; NO_TRAP if it came back, else the vector that stopped it. */
unsigned user__call(void (*fn)(u64), u64 arg);
/* The same with other flags or selectors; state from user__state(). */
void user__state(struct user_state *state, void (*fn)(u64), u64 arg);
unsigned user__run(const struct user_state *state);
/* What user code can use of the guest's own memory. */
#define USER(pointer) ((__typeof__(pointer))((u64)(pointer) + USER_ALIAS))

/* ---- page tables ---- */

void *page__alloc(void); /* 4 KiB, zero */
void *page__alloc_aligned(u64 size); /* naturally aligned, zero */
/* The entry for an address at a level (1 = 4 KiB), its tables made as needed, all-permissive. */
u64 *paging__entry(u64 linear, unsigned level);
void paging__map(u64 linear, u64 physical, unsigned level, u64 flags);
/* Loads both with paging off: the way into and out of 5-level paging. The top table: below 4 GiB. */
void paging__switch(u64 cr3, u64 cr4);

/* ---- segments ---- */
u64 segment__descriptor(u32 base, u32 limit, u16 attributes);

/* QEMU TCG, for the few checks it can't survive; the others are listed in known_wrong.py. */
static inline bool cpu__is_tcg(void)
{
	return cpuid(0x40000000, 0).ebx == 0x54474354; /* "TCGT" */
}

static inline bool cpu__has(u32 leaf, u32 subleaf, unsigned reg, unsigned bit)
{
	struct cpuid r = cpuid(leaf, subleaf);
	const u32 word_of[4] = { r.eax, r.ebx, r.ecx, r.edx };

	if (cpuid(leaf & 0x80000000U, 0).eax < leaf)
		return false;
	return word_of[reg] >> bit & 1;
}

/* The processor says AMD or Hygon: some corners differ from Intel's. */
static inline bool cpu__is_amd(void)
{
	u32 vendor = cpuid(0, 0).ebx;

	return vendor == 0x68747541 || vendor == 0x6f677948; /* "Auth", "Hygo" */
}
#endif
#endif
