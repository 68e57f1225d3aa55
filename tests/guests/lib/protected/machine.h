/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 32-bit guests' machine: flat segments, no paging at first, traps by a GDT and IDT of its own.
 *
 * At main(): protected mode, CPL 0, interrupts off, legacy interrupt controllers masked,
 * CR0 = PE MP ET NE WP, CR4 = 0. All of memory is reachable by user mode while paging is off.
 */
#ifndef GUEST_MACHINE32_H
#define GUEST_MACHINE32_H

#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_CS 0x1b
#define USER_DS 0x23
#define CS16 0x28 /* base 0x10000, 64 KiB: the page that real-mode code is copied to */
#define DS16 0x30
#define TSS_SELECTOR 0x38
#define SPARE_SELECTOR 0x40 /* descriptors from here to 0xff are the tests' */
#define GDT_SIZE 256

#define REAL_BASE 0x10000
#define USER_EXIT_VECTOR 0x80
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
	u32 gs, fs, es, ds;
	u32 edi, esi, ebp, esp_of_pusha, ebx, edx, ecx, eax;
	u32 vector, error;
	u32 eip, cs, eflags;
	u32 esp, ss;		   /* from an outer level */
	u32 v_es, v_ds, v_fs, v_gs; /* from virtual-8086 mode */
};

struct trap_jump {
	u32 ebx, esi, edi, ebp, esp, eip, eflags;
	u32 armed;
};

struct trap_record {
	u32 count;
	struct trap_frame frame;
	u32 cr2, dr6;
	u32 stack;
};

struct tss {
	u16 link, reserved0;
	u32 esp0;
	u16 ss0, reserved1;
	u32 esp1;
	u16 ss1, reserved2;
	u32 esp2;
	u16 ss2, reserved3;
	u32 cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, io_map;
	u8 redirection[32];
	u8 map[8192 + 1];
} __attribute__((packed));

struct gate {
	u16 offset0, selector;
	u8 count, type; /* type: the access byte */
	u16 offset1;
};

extern u64 gdt[GDT_SIZE / 8];
extern struct gate idt[256];
extern struct tss tss;
extern struct trap_record last_trap;
extern struct trap_jump trap_jump;
extern char image_end[];

typedef void trap_handler(struct trap_frame *frame);

void trap__handle(unsigned vector, trap_handler *handler);
void trap__resume(unsigned vector, bool resume);
/* type: 0xe interrupt gate, 0xf trap gate. */
void trap__set_gate(unsigned vector, unsigned type, unsigned dpl);
int trap__set(struct trap_jump *jump) __attribute__((returns_twice));

/* Executes statements; the vector of the (last) exception they met, or NO_TRAP. See trap(). */
#define TRY(...)                                                                                   \
	({                                                                                         \
		last_trap.frame.vector = NO_TRAP;                                                  \
		last_trap.count = 0;                                                               \
		if (!trap__set(&trap_jump)) {                                                      \
			__VA_ARGS__;                                                               \
		}                                                                                  \
		trap_jump.armed = false;                                                           \
		(unsigned)last_trap.frame.vector;                                                  \
	})

static inline struct trap_record *trap(void)
{
	return &last_trap;
}

static inline u64 trap__code(unsigned vector)
{
	return (u64)vector << 32 | (vector == NO_TRAP ? 0 : last_trap.frame.error);
}
#define TRAP(vector, error) ((u64)(vector) << 32 | (error))
#define NO_TRAP_CODE TRAP(NO_TRAP, 0)

struct user_state {
	u32 eip, cs, eflags, esp, ss;
	u32 es, ds, fs, gs; /* virtual-8086 mode only */
};

/* IRET to it; with VM in eflags to virtual-8086 mode. */
void user__enter(const struct user_state *state);
unsigned user__run(const struct user_state *state);
void user__state(struct user_state *state, void (*fn)(u32), u32 arg);
unsigned user__call(void (*fn)(u32), u32 arg);

void *page__alloc(void);

/* QEMU TCG, for the few checks it can't survive; the others are listed in known_wrong.py. */
static inline bool cpu__is_tcg(void)
{
	return cpuid(0x40000000, 0).ebx == 0x54474354; /* "TCGT" */
}

u64 segment__descriptor(u32 base, u32 limit, u16 attributes);
u64 segment__gate(u16 selector, u32 offset, u8 access, u8 count);
#define SPARE(n) (SPARE_SELECTOR + 8 * (n))
#define SPARE_DESCRIPTOR(n) gdt[SPARE(n) / 8]
#endif
#endif
