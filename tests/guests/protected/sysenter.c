/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSENTER and SYSEXIT of 32-bit protected mode: selectors by arithmetic, flat segments whatever
 * the GDT says, flags, every mode they can be in (SDM vol. 2 under these names; vol. 3, 5.8.7).
 */
#include "tests/guests/lib/protected/mark.h"
#include "tests/guests/lib/protected/real.h"

struct entry_record {
	u32 cs, ss, esp, flags;
};
static struct entry_record entered __attribute__((used));
static u8 entry_stack[1024] __attribute__((aligned(64)));
static u8 user_area[1024] __attribute__((aligned(64)));

/* Notes where it is; #UD ends the run. DS is whatever it was: written through SS. */
extern char sysenter_entry[];
__asm__(".text\n"
	"sysenter_entry: mov %cs, %eax; mov %eax, %ss:entered; mov %ss, %eax;"
	"mov %eax, %ss:entered+4; mov %esp, %ss:entered+8; pushf; pop %eax; mov %eax, "
	"%ss:entered+12;"
	"ud2\n");

static void user_sysenter(u32 arg)
{
	__asm__ volatile("sysenter" : : : MARK_CLOBBERS);
}

static void user_sysexit(u32 arg)
{
	__asm__ volatile("sysexit" : : : MARK_CLOBBERS);
}

static void prepare(u32 cs)
{
	memset(&entered, 0, sizeof(entered));
	wrmsr(MSR_SYSENTER_CS, cs);
	wrmsr(MSR_SYSENTER_EIP, (u32)sysenter_entry);
	wrmsr(MSR_SYSENTER_ESP, (u32)entry_stack + 512);
}

static void check_enter(void)
{
	struct user_state state;

	prepare(KERNEL_CS);
	check__equal(rdmsr(MSR_SYSENTER_CS), KERNEL_CS, "SYSENTER_CS reads back");
	check__equal(rdmsr(MSR_SYSENTER_EIP), (u32)sysenter_entry, "SYSENTER_EIP reads back");
	check__equal(rdmsr(MSR_SYSENTER_ESP), (u32)entry_stack + 512, "SYSENTER_ESP reads back");
	user__state(&state, user_sysenter, 0);
	state.eflags |= RFLAGS_IF | RFLAGS_CF | RFLAGS_DF | RFLAGS_ID | RFLAGS_NT | RFLAGS_IOPL;
	check__equal(user__run(&state), X86_UD, "SYSENTER from CPL 3");
	check__equal(entered.cs, KERNEL_CS, "SYSENTER: CS");
	check__equal(entered.ss, KERNEL_CS + 8, "SYSENTER: SS");
	check__equal(entered.esp, (u32)entry_stack + 512, "SYSENTER: ESP");
	check__equal(entered.flags, state.eflags & ~RFLAGS_IF, "SYSENTER: only IF is cleared");
	check__equal(trap()->frame.cs, KERNEL_CS, "SYSENTER: at CPL 0");

	prepare(KERNEL_CS);
	check__equal(TRY(__asm__ volatile("sysenter"
					  :
					  :
					  : MARK_CLOBBERS)),
		     X86_UD, "SYSENTER from CPL 0");
	check__equal(entered.esp, (u32)entry_stack + 512, "SYSENTER from CPL 0: ESP");

	prepare(KERNEL_CS | 3);
	check__equal(user__call(user_sysenter, 0), X86_UD, "SYSENTER, RPL 3 in the MSR");
	check__equal(entered.cs, KERNEL_CS, "SYSENTER, RPL 3 in the MSR: CS");
	check__equal(entered.ss, KERNEL_CS + 8, "SYSENTER, RPL 3 in the MSR: SS");
}

static void check_flat(void)
{
	/* What the table has there is not looked at: a short code segment, an absent stack. */
	SPARE_DESCRIPTOR(0) = segment__descriptor(0x12345, 0xff, 0x00fb);
	SPARE_DESCRIPTOR(1) = 0;
	prepare(SPARE(0));
	check__equal(user__call(user_sysenter, 0), X86_UD, "SYSENTER is to flat segments");
	check__equal(entered.cs, SPARE(0), "SYSENTER to flat segments: CS");
	check__equal(entered.ss, SPARE(1), "SYSENTER to flat segments: SS");
	check__equal(SPARE_DESCRIPTOR(0), segment__descriptor(0x12345, 0xff, 0x00fb),
		     "SYSENTER does not write the table");
	/* Behind the end of the table. */
	prepare(0x7f00);
	check__equal(user__call(user_sysenter, 0), X86_UD, "SYSENTER to a selector behind the GDT");
	check__equal(entered.cs, 0x7f00, "SYSENTER to a selector behind the GDT: CS");
}

static void check_null(void)
{
	u32 value;

	for (value = 0; value < 4; value += 3) {
		prepare(value);
		check__equal(trap__code(user__call(user_sysenter, 0)), TRAP(X86_GP, 0),
			     "SYSENTER with CS %x", value);
		check__equal(trap()->frame.cs, USER_CS, "SYSENTER with CS %x: at CPL 3", value);
		check__equal(trap()->frame.eip - (u32)user_sysenter < 16, 1,
			     "SYSENTER with CS %x: saved EIP", value);
		EXPECT("sysenter", TRAP(X86_GP, 0), 0, "SYSENTER with a null CS at CPL 0");
		/* Where it must not go there is code, for processors that get this wrong. */
		EXPECT("movl $user_return, %%edx; movl %%esp, %%ecx; sysexit", TRAP(X86_GP, 0), 7,
		       "SYSEXIT with a null CS");
	}
	prepare(KERNEL_CS);
	check__equal(trap__code(user__call(user_sysexit, 0)), TRAP(X86_GP, 0), "SYSEXIT at CPL 3");
}

/* SYSEXIT to user_return with some ESP; what stopped it there. */
static unsigned sysexit(u32 esp, u32 flags)
{
	extern char user_return[];

	return TRY(__asm__ volatile("push %2; popf; sysexit"
				    :
				    : "d"(user_return), "c"(esp), "r"(flags)
				    : "memory", "cc"));
}

static void check_exit(void)
{
	extern char user_return[];
	u32 esp = (u32)user_area + 512;

	prepare(KERNEL_CS);
	check__equal(sysexit(esp, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_NT), USER_EXIT_VECTOR,
		     "SYSEXIT arrives");
	check__equal(trap()->frame.cs, (KERNEL_CS + 16) | 3, "SYSEXIT: CS");
	check__equal(trap()->frame.ss, (KERNEL_CS + 24) | 3, "SYSEXIT: SS");
	check__equal(trap()->frame.eip, (u32)user_return + 2, "SYSEXIT: EIP");
	check__equal(trap()->frame.esp, esp, "SYSEXIT: ESP");
	check__equal(trap()->frame.eflags, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_NT,
		     "SYSEXIT: flags stay");
	prepare(KERNEL_CS | 3);
	check__equal(sysexit(esp, RFLAGS_FIXED), USER_EXIT_VECTOR, "SYSEXIT, RPL 3 in the MSR");
	check__equal(trap()->frame.cs, (KERNEL_CS + 16) | 3, "SYSEXIT, RPL 3 in the MSR: CS");
	SPARE_DESCRIPTOR(2) = segment__descriptor(0x54321, 0xff, 0x009b);
	SPARE_DESCRIPTOR(3) = 0;
	prepare(SPARE(0));
	check__equal(sysexit(esp, RFLAGS_FIXED), USER_EXIT_VECTOR, "SYSEXIT is to flat segments");
	check__equal(trap()->frame.cs, SPARE(2) | 3, "SYSEXIT to flat segments: CS");
	check__equal(trap()->frame.ss, SPARE(3) | 3, "SYSEXIT to flat segments: SS");
	check__equal(trap()->frame.eip, (u32)user_return + 2, "SYSEXIT to flat segments: EIP");
}

static void check_other_modes(void)
{
	static const u8 code[] = {0x0f, 0x34}, exit_code[] = {0x0f, 0x35};
	struct user_state state = {
		.cs = REAL_SEGMENT,
		.eflags = RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IF | RFLAGS_IOPL,
		.esp = 0x1000,
		.ss = REAL_STACK,
	};
	struct real_result result;

	/* Flat segments also from virtual-8086 mode, and no VM. */
	prepare(KERNEL_CS);
	memcpy((void *)REAL_BASE, code, sizeof(code));
	check__equal(TRY(user__enter(&state)), X86_UD, "SYSENTER from virtual-8086 mode");
	check__equal(entered.cs, KERNEL_CS, "SYSENTER from virtual-8086 mode: CS");
	check__equal(entered.esp, (u32)entry_stack + 512, "SYSENTER from virtual-8086 mode: ESP");
	check__equal(entered.flags & (RFLAGS_VM | RFLAGS_IF | RFLAGS_IOPL), RFLAGS_IOPL,
		     "SYSENTER from virtual-8086 mode: VM and IF are cleared");
	memcpy((void *)REAL_BASE, exit_code, sizeof(exit_code));
	check__equal(trap__code(TRY(user__enter(&state))), TRAP(X86_GP, 0),
		     "SYSEXIT in virtual-8086 mode");
	real__run(code, sizeof(code), &result);
	check__equal(result.vector, X86_GP, "SYSENTER in real mode");
	check__equal(result.ip, REAL_CODE, "SYSENTER in real mode: IP");
	real__run(exit_code, sizeof(exit_code), &result);
	check__equal(result.vector, X86_GP, "SYSEXIT in real mode");
	check__equal(result.ip, REAL_CODE, "SYSEXIT in real mode: IP");
}

/* From and to 16-bit code the pointers have 32 bits all the same. */
static void check_16bit(void)
{
	static const u8 code[] = {0x0f, 0x34};
	struct user_state state;

	prepare(KERNEL_CS);
	memcpy((void *)REAL_BASE, code, sizeof(code));
	SPARE_DESCRIPTOR(4) = segment__descriptor(REAL_BASE, 0xffff, 0x00fb);
	user__state(&state, user_sysenter, 0);
	state.eip = 0;
	state.cs = SPARE(4) | 3;
	check__equal(user__run(&state), X86_UD, "SYSENTER from 16-bit code");
	check__equal(entered.cs, KERNEL_CS, "SYSENTER from 16-bit code: CS");
	check__equal(entered.esp, (u32)entry_stack + 512, "SYSENTER from 16-bit code: ESP");
}

int main(void)
{
	if (!(cpuid(1, 0).edx >> 11 & 1)) {
		check__skip("not in CPUID", "SYSENTER");
		check__true(true, "nothing else to check");
		return 0;
	}
	check_enter();
	check_flat();
	check_null();
	check_exit();
	check_other_modes();
	check_16bit();
	return 0;
}
