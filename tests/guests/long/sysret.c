/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL and SYSRET over and over, so that translated code does it too, with what is rare among what is not:
 * flags, targets, widths, EFER.SCE, single steps, an interrupt that waits (APM vol. 3 and SDM vol. 2 under these
 * names). Guest syscall looks at what they do once.
 */
#include "tests/guests/lib/long/irq.h"

#define ROUNDS 240
#define VECTOR 0x61
#define STAR_VALUE ((u64)(USER_CS32) << 48 | (u64)KERNEL_CS << 32)
#define ABSENT 0x123450000000UL
/* What SYSRET takes from R11, and what user code can set of it. */
#define SYSRET_FLAGS 0x3c7fd5UL
#define USER_FLAGS 0x8d5UL
/* What Linux masks. */
#define MASK (RFLAGS_TF | RFLAGS_DF | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_AC | RFLAGS_NT)

static u8 entry_stack[256] __attribute__((aligned(16), used));

/* Notes what it sees, reads at an address, changes R11 and goes back. */
static struct {
	u64 rsp, flags, rcx, r11;
	u64 change; /* bits of R11 */
	void *probe;
} entered __attribute__((used)) = { .probe = entry_stack };
extern char entry_point[];
__asm__(".text\n"
	"entry_point: mov %rsp, entered(%rip); lea entry_stack+256(%rip), %rsp; pushf; popq entered+8(%rip)\n"
	"	mov %rcx, entered+16(%rip); mov %r11, entered+24(%rip)\n"
	"	mov entered+40(%rip), %rcx; mov (%rcx), %rcx; mov entered+16(%rip), %rcx; xor entered+32(%rip), %r11\n"
	"	mov entered(%rip), %rsp; sysretq\n");

/* To rip with flags, each by one instruction for all callers. */
void sysret_to(u64 rip, u64 flags);
void sysret32_to(u64 rip, u64 flags);
void stepped_sysret_to(u64 rip, u64 flags);
extern char sysret_insn[], sysret32_insn[], user_return[];
__asm__(".text\n"
	"sysret_to: mov %rdi, %rcx; mov %rsi, %r11\n"
	"sysret_insn: sysretq\n"
	"sysret32_to: mov %rdi, %rcx; mov %rsi, %r11\n"
	"sysret32_insn: sysretl\n"
	"stepped_sysret_to: mov %rdi, %rcx; mov %rsi, %r11; pushf; orl $0x100, (%rsp); popf; sysretq\n");

/* ---- there and back ---- */

/* The #DB traps since `count` was cleared. */
#define MAX_STEPS 8
static struct {
	volatile u64 count;
	u64 rip[MAX_STEPS], cs[MAX_STEPS], dr6[MAX_STEPS];
	u64 last; /* TF is cleared where user code comes here, and in the kernel */
} steps;

static void on_debug(struct trap_frame *f)
{
	u64 i = steps.count++;

	if (i < MAX_STEPS) {
		steps.rip[i] = f->rip;
		steps.cs[i] = f->cs;
		steps.dr6[i] = read_dr6() & ~DR6_FIXED;
	}
	write_dr6(DR6_FIXED);
	if (f->cs == KERNEL_CS || f->rip == steps.last || i >= MAX_STEPS)
		f->rflags &= ~RFLAGS_TF;
}

struct trips {
	u64 mask;
	bool is_stepped;
	u32 rcx, r11, kernel, back, traps; /* how many were wrong */
};

static u64 pattern(u32 i)
{
	u64 flags = i * 2654435761u >> 8 & (USER_FLAGS | RFLAGS_DF | RFLAGS_ID);

	/* Others than these are rare. */
	return flags | RFLAGS_FIXED | (i % 5 == 4 ? RFLAGS_AC : 0) | (i % 7 == 6 ? RFLAGS_NT : 0);
}

static void user_trips(u64 arg)
{
	const u64 own = USER_FLAGS | RFLAGS_DF | RFLAGS_ID | RFLAGS_AC | RFLAGS_NT;
	struct trips *t = (struct trips *)arg;
	u64 at, back, set;
	u32 i;

	for (i = 0; i < ROUNDS; i++) {
		steps.count = 0;
		set = pattern(i);
		__asm__ volatile("lea 1f(%%rip), %0; mov %0, %3; push %4; popf; syscall; 1: pushf; push %5; popf; pop %1;"
				 : "=&r"(at), "=&r"(back), "+m"(*t), "=m"(steps.last)
				 : "r"(set), "i"(RFLAGS_FIXED)
				 : "rcx", "r11", "cc", "memory");
		t->rcx += entered.rcx != at;
		t->r11 += ((entered.r11 ^ set) & own) || !(entered.r11 & RFLAGS_FIXED);
		t->kernel += entered.flags != ((entered.r11 & ~t->mask) | RFLAGS_FIXED);
		/* The handler has cleared TF. */
		t->back += back != (((entered.r11 ^ entered.change) & SYSRET_FLAGS & ~RFLAGS_TF) | RFLAGS_FIXED);
		t->traps += steps.count != t->is_stepped ||
			    (t->is_stepped && (steps.rip[0] != at || steps.cs[0] != USER_CS || steps.dr6[0] != DR6_BS));
	}
}

static void check_trips(const char *name, u64 mask, u64 change)
{
	static struct trips t;
	struct user_state state;

	t = (struct trips){ .mask = mask, .is_stepped = change & RFLAGS_TF };
	entered.change = change;
	wrmsr(MSR_SFMASK, mask);
	user__state(&state, user_trips, USER((u64)&t));
	state.rflags |= RFLAGS_IF;
	check__equal(user__run(&state), NO_TRAP, "%s", name);
	check__equal(t.rcx, 0, "%s: RCX", name);
	check__equal(t.r11, 0, "%s: R11", name);
	check__equal(t.kernel, 0, "%s: RFLAGS behind SYSCALL", name);
	check__equal(t.back, 0, "%s: RFLAGS behind SYSRET", name);
	check__equal(t.traps, 0, "%s: traps", name);
}

static void check_flags(void)
{
	check_trips("Linux's mask", MASK, 0);
	check_trips("no mask", 0, 0);
	check_trips("arithmetic mask", USER_FLAGS | RFLAGS_DF, 0);
	check_trips("all in the mask", 0xffffffff, 0);
	check_trips("SYSRET changes flags", MASK, USER_FLAGS | RFLAGS_DF | RFLAGS_ID | RFLAGS_AC | RFLAGS_NT);
	check_trips("SYSRET changes IF", MASK, RFLAGS_IF);
	check_trips("SYSRET changes IOPL", MASK, RFLAGS_IOPL);
	/* TF counts at the end of SYSRET: the trap comes in front of the next instruction. */
	check_trips("SYSRET sets TF", MASK, RFLAGS_TF);
	check_trips("SYSRET sets TF, no mask", 0, RFLAGS_TF);
	if (cpu__is_tcg()) {
		check__skip("QEMU takes them from R11", "SYSRET with RF, VM and reserved bits");
		return;
	}
	check_trips("SYSRET with RF and VM", MASK, RFLAGS_RF | RFLAGS_VM);
	check_trips("SYSRET with reserved bits", MASK, 0xffffffffffc08000 | RFLAGS_FIXED | 0x28);
	check_trips("SYSRET with RF and TF", MASK, RFLAGS_RF | RFLAGS_TF);
}

/* ---- single steps ---- */

/* popf with TF; nop; SYSCALL; nop: where SYSCALL and the end stand. */
static void user_stepped(u64 arg)
{
	u64 *at = (u64 *)arg;

	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, (%0); lea 2f(%%rip), %%rax; mov %%rax, 8(%0); mov %%rax, %1;"
			 "pushf; orl $0x100, (%%rsp); popf; nop; 1: syscall; nop; 2: nop"
			 : : "r"(at), "m"(steps.last) : "rax", "rcx", "r11", "memory", "cc");
}

static void check_stepped(const char *name, u64 mask)
{
	const u64 *rip = steps.rip;
	unsigned i, wrong = 0;
	static u64 at[2];

	wrmsr(MSR_SFMASK, mask);
	entered.change = 0;
	for (i = 0; i < ROUNDS; i++) {
		steps.count = 0;
		wrong += user__call(user_stepped, USER((u64)at)) != NO_TRAP;
		wrong += rip[0] != at[0];
		/* The kernel's own step, if TF is not masked. */
		if (!(mask & RFLAGS_TF)) {
			wrong += steps.count != 4 || rip[1] != (u64)entry_point || steps.cs[1] != KERNEL_CS;
			wrong += rip[2] != at[0] + 2 || steps.cs[2] != USER_CS || rip[3] != at[1];
		} else {
			wrong += steps.count != 3 || rip[1] != at[0] + 2 || steps.cs[1] != USER_CS || rip[2] != at[1];
		}
	}
	check__equal(wrong, 0, "%s", name);
}

static void check_steps(void)
{
	unsigned i, wrong = 0;

	check_stepped("SYSCALL is stepped over", MASK);
	check_stepped("SYSCALL is stepped into", MASK & ~RFLAGS_TF);
	for (i = 0; i < ROUNDS; i++) {
		steps.count = 0;
		wrong += TRY(stepped_sysret_to(USER((u64)user_return), RFLAGS_FIXED)) != USER_EXIT_VECTOR;
		wrong += steps.count || (trap()->frame.rflags & RFLAGS_TF);
	}
	check__equal(wrong, 0, "SYSRET clears TF: no trap behind it");
}

/* ---- targets ---- */

static bool arrives(void)
{
	return TRY(sysret_to(USER((u64)user_return), RFLAGS_FIXED)) == USER_EXIT_VECTOR &&
	       trap()->frame.cs == USER_CS && trap()->frame.ss == USER_SS &&
	       trap()->frame.rip == USER((u64)user_return) + 2;
}

static bool arrives32(void)
{
	return TRY(sysret32_to(USER((u64)user_return) | 0xabcd00000000, RFLAGS_FIXED)) == USER_EXIT_VECTOR &&
	       trap()->frame.cs == USER_CS32 && trap()->frame.ss == USER_SS &&
	       trap()->frame.rip == USER((u64)user_return) + 2;
}

static bool is_refused(void)
{
	static const u64 bad[] = { 0x800000000000, 0xffff7fffffffffff, 1UL << 62, 1UL << 63, 0xdeadbeef00000000 };
	static unsigned which;
	u64 rip = bad[which++ % ARRAY_LENGTH(bad)];
	unsigned vector = TRY(sysret_to(rip, RFLAGS_FIXED));

	/* Intel's processors check at CPL 0, AMD's fault at the target. */
	return vector == X86_GP && !trap()->frame.error &&
	       (cpu__is_amd() ? trap()->frame.cs == USER_CS && trap()->frame.rip == rip :
			   trap()->frame.cs == KERNEL_CS && trap()->frame.rip == (u64)sysret_insn);
}

static bool faults_at(u64 rip, u64 error)
{
	return trap__code(TRY(sysret_to(rip, RFLAGS_FIXED))) == TRAP(X86_PF, error) && trap()->cr2 == rip &&
	       trap()->frame.rip == rip && trap()->frame.cs == USER_CS;
}

static void user_syscall(u64 arg)
{
	__asm__ volatile("syscall" : : : "rcx", "r11", "memory");
}

static bool is_privileged(void)
{
	struct user_state state;

	user__state(&state, user_syscall, USER((u64)user_return));
	state.rip = USER((u64)sysret_to);
	return trap__code(user__run(&state)) == TRAP(X86_GP, 0) && trap()->frame.cs == USER_CS &&
	       trap()->frame.rip == USER((u64)sysret_insn);
}

static bool goes_and_comes(void)
{
	entered.rcx = 0;
	return user__call(user_syscall, 0) == NO_TRAP && entered.rcx;
}

/* SYSRET sets AC, or does not: then a misaligned access. */
static void user_misaligned(u64 arg)
{
	__asm__ volatile("syscall; mov 1(%0), %%eax; push %1; popf"
			 : : "r"(arg), "i"(RFLAGS_FIXED) : "rax", "rcx", "r11", "memory", "cc");
}

static bool checks_alignment(u64 flag)
{
	static u64 data[2];
	u64 code;

	entered.change = flag;
	write_cr0(read_cr0() | CR0_AM);
	code = trap__code(user__call(user_misaligned, USER((u64)data)));
	write_cr0(read_cr0() & ~CR0_AM);
	entered.change = 0;
	return code == (flag ? TRAP(X86_AC, 0) : TRAP(NO_TRAP, 0)) && (!flag || trap()->frame.cs == USER_CS);
}

static void user_syscall_with(u64 flags)
{
	__asm__ volatile("push %0; popf; syscall; push %1; popf"
			 : : "r"(flags), "i"(RFLAGS_FIXED) : "rcx", "r11", "memory", "cc");
}

/* With SMAP the kernel reads user mode's memory where SYSCALL has left AC set. */
static bool checks_access(u64 mask, u64 flags)
{
	bool is_readable = flags & ~mask & RFLAGS_AC;
	u64 code;

	wrmsr(MSR_SFMASK, mask);
	entered.probe = USER(&entry_stack[0]);
	write_cr4(read_cr4() | CR4_SMAP);
	code = trap__code(user__call(user_syscall_with, flags | RFLAGS_FIXED));
	write_cr4(read_cr4() & ~CR4_SMAP);
	entered.probe = entry_stack;
	wrmsr(MSR_SFMASK, MASK);
	if (is_readable)
		return code == TRAP(NO_TRAP, 0);
	return code == TRAP(X86_PF, PFERR_PRESENT) && trap()->frame.cs == KERNEL_CS &&
	       trap()->cr2 == USER((u64)entry_stack);
}

static bool is_disabled(void)
{
	bool right;

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SCE);
	right = trap__code(TRY(sysret_to(USER((u64)user_return), RFLAGS_FIXED))) == TRAP(X86_UD, 0) &&
		trap()->frame.rip == (u64)sysret_insn && trap()->frame.cs == KERNEL_CS;
	right &= trap__code(TRY(sysret32_to(USER((u64)user_return), RFLAGS_FIXED))) == TRAP(X86_UD, 0) &&
		 trap()->frame.rip == (u64)sysret32_insn;
	right &= user__call(user_syscall, 0) == X86_UD && trap()->frame.cs == USER_CS;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	return right;
}

static void check_targets(void)
{
	unsigned i, plain = 0, wide = 0, refused = 0, absent = 0, kernel = 0, outer = 0, disabled = 0, trips = 0;
	unsigned alignment = 0, access = 0;
	bool has_smap = cpu__has(7, 0, 1, 20);

	entered.change = 0;
	wrmsr(MSR_SFMASK, MASK);
	for (i = 0; i < ROUNDS; i++) {
		plain += !arrives();
		wide += i % 3 == 0 && !arrives32();
		refused += i % 3 == 1 && !is_refused();
		absent += i % 4 == 1 && !faults_at(ABSENT + (i << 12), PFERR_USER | PFERR_FETCH);
		kernel += i % 4 == 2 && !faults_at((u64)user_return, PFERR_USER | PFERR_FETCH | PFERR_PRESENT);
		outer += i % 4 == 3 && !is_privileged();
		trips += !goes_and_comes();
		alignment += !checks_alignment(i % 4 == 3 ? RFLAGS_AC : 0);
		if (has_smap)
			access += !checks_access(i % 3 ? MASK : MASK & ~RFLAGS_AC, i & 1 ? RFLAGS_AC : 0);
		disabled += i % 16 == 15 && !is_disabled();
	}
	check__equal(plain, 0, "SYSRETQ arrives");
	check__equal(wide, 0, "SYSRETL arrives, by ECX");
	check__equal(refused, 0, "SYSRETQ to addresses that are not canonical");
	check__equal(absent, 0, "SYSRETQ to absent pages");
	check__equal(kernel, 0, "SYSRETQ to a page of the supervisor");
	check__equal(outer, 0, "SYSRETQ at CPL 3");
	check__equal(trips, 0, "SYSCALL goes, SYSRET comes back");
	check__equal(alignment, 0, "alignment is checked where SYSRET sets AC");
	if (has_smap)
		check__equal(access, 0, "SMAP holds where SYSCALL clears AC");
	check__equal(disabled, 0, "both without EFER.SCE");
}

/* ---- an interrupt that waits ---- */

static volatile u64 taken, taken_at, taken_cs;

static void on_self(struct trap_frame *f)
{
	taken++;
	taken_at = f->rip;
	taken_cs = f->cs;
	apic__eoi();
}

static unsigned count_late(void (*to)(u64 rip, u64 flags), u64 cs)
{
	unsigned i, wrong = 0;

	for (i = 0; i < ROUNDS; i++) {
		taken = 0;
		if (i % 4 != 3)
			apic__make_pending(VECTOR);
		wrong += TRY(to(USER((u64)user_return), RFLAGS_FIXED | RFLAGS_IF)) != USER_EXIT_VECTOR;
		wrong += i % 4 != 3 ? taken != 1 || taken_at != USER((u64)user_return) || taken_cs != cs : taken;
	}
	return wrong;
}

static void check_interrupts(void)
{
	unsigned i, early = 0;

	apic__enable();
	trap__handle(VECTOR, on_self);
	check__equal(count_late(sysret_to, USER_CS), 0, "SYSRETQ sets IF: taken in front of the next instruction");
	check__equal(count_late(sysret32_to, USER_CS32), 0, "SYSRETL sets IF: taken in front of the next instruction");
	taken = 0;
	apic__make_pending(VECTOR);
	for (i = 0; i < ROUNDS; i++)
		early += !arrives() || !goes_and_comes() || taken;
	check__equal(early, 0, "none is taken while IF is clear");
	enable_interrupts();
	disable_interrupts();
	check__equal(taken, 1, "one when it is set");
}

int main(void)
{
	wrmsr(MSR_STAR, STAR_VALUE);
	wrmsr(MSR_LSTAR, (u64)entry_point);
	/* Also where RSP is user mode's. */
	trap__set_gate(X86_DB, 0xe, 0, 3);
	trap__handle(X86_DB, on_debug);
	check_flags();
	check_steps();
	check_targets();
	check_interrupts();
	return 0;
}
