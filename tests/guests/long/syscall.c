/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT, the FS and GS bases, and the MSRs behind them (APM vol. 3 and
 * SDM vol. 2 under these names).
 */
#include "tests/guests/lib/long/mark.h"

/* What the entry point saw. */
struct entry {
	u64 rcx, r11, rsp, cs, ss, flags;
};
static struct entry entered;
static u8 entry_stack[1024] __attribute__((aligned(16), used));

extern char syscall_entry[];
__asm__(".text\nsyscall_entry:\n\t"
	"mov %rcx, entered(%rip)\n\tmov %r11, entered+8(%rip)\n\tmov %rsp, entered+16(%rip)\n\t"
	"mov %cs, %eax\n\tmov %rax, entered+24(%rip)\n\tmov %ss, %eax\n\tmov %rax, entered+32(%rip)\n\t"
	"lea entry_stack+1024(%rip), %rsp\n\tpushf\n\tpop %rax\n\tmov %rax, entered+40(%rip)\n\tud2");

#define STAR_VALUE ((u64)(USER_CS32) << 48 | (u64)KERNEL_CS << 32)

static void user_syscall(u64 arg)
{
	__asm__ volatile(MARK "syscall" : : : MARK_CLOBBERS, "r11");
}

static void user_sysenter(u64 arg)
{
	__asm__ volatile("sysenter" : : : MARK_CLOBBERS);
}

static void check_syscall(void)
{
	struct user_state state;
	u64 mask = RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT;

	wrmsr(MSR_STAR, STAR_VALUE);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_SFMASK, mask);
	user__state(&state, user_syscall, 0);
	state.rflags |= RFLAGS_IF | RFLAGS_DF | RFLAGS_AC | RFLAGS_ZF | RFLAGS_ID;
	check__equal(user__run(&state), X86_UD, "SYSCALL comes to LSTAR");
	check__equal(entered.rcx, mark + 2, "SYSCALL: RCX");
	check__equal(entered.r11, state.rflags, "SYSCALL: R11");
	check__equal(entered.cs, KERNEL_CS, "SYSCALL: CS");
	check__equal(entered.ss, KERNEL_SS, "SYSCALL: SS");
	check__equal(entered.flags, state.rflags & ~mask, "SYSCALL: RFLAGS");
	check__equal(entered.rsp - state.rsp < 64 || state.rsp - entered.rsp < 64, 1, "SYSCALL: RSP stays");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SCE);
	check__equal(user__call(user_syscall, 0), X86_UD, "SYSCALL without SCE");
	check__equal(trap()->frame.cs, USER_CS, "SYSCALL without SCE: at CPL 3");
	EXPECT("sysretq", TRAP(X86_UD, 0), 0, "SYSRET without SCE");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_SFMASK, 0);
	user__state(&state, user_syscall, 0);
	state.rflags |= RFLAGS_AC | RFLAGS_CF;
	user__run(&state);
	check__equal(entered.flags & (RFLAGS_AC | RFLAGS_CF), RFLAGS_AC | RFLAGS_CF,
		     "SYSCALL: empty mask");
	/* From CPL 0 it works just the same. */
	check__equal(TRY(__asm__ volatile("syscall" : : : MARK_CLOBBERS, "r11")), X86_UD,
		     "SYSCALL at CPL 0");
}

/* SYSRET to 32-bit code at rip; what stopped it there. */
static unsigned sysret32(u64 rip, u64 flags)
{
	return TRY(__asm__ volatile("mov %1, %%r11; sysretl" : : "c"(rip), "r"(flags)
				    : "memory", "r11"));
}

static void check_sysret(void)
{
	extern char user_return[];
	u64 at = USER((u64)user_return), bad = 0x800000000000;
	unsigned vector;

	wrmsr(MSR_STAR, STAR_VALUE);
	vector = TRY(__asm__ volatile("mov %1, %%r11; sysretq"
				      : : "c"(at), "r"(RFLAGS_FIXED | RFLAGS_ZF | RFLAGS_RF | RFLAGS_VM |
						       RFLAGS_NT)
				      : "memory", "r11"));
	check__equal(vector, USER_EXIT_VECTOR, "SYSRETQ arrives");
	check__equal(trap()->frame.cs, USER_CS, "SYSRETQ: CS");
	check__equal(trap()->frame.ss, USER_SS, "SYSRETQ: SS");
	check__equal(trap()->frame.rflags, RFLAGS_FIXED | RFLAGS_ZF | RFLAGS_NT,
		     "SYSRETQ: flags without RF and VM");
	check__equal(sysret32(at, RFLAGS_FIXED), USER_EXIT_VECTOR, "SYSRETL arrives");
	check__equal(trap()->frame.cs, USER_CS32, "SYSRETL: CS");
	check__equal(trap()->frame.ss, USER_SS, "SYSRETL: SS");
	check__equal(trap()->frame.rip, (u32)at + 2, "SYSRETL: RIP");
	vector = TRY(__asm__ volatile("mov $2, %%r11d; sysretl" : : "c"(at | 0xabcd00000000)
				      : "memory", "r11"));
	check__equal(vector, USER_EXIT_VECTOR, "SYSRETL takes ECX");
	/* A base with RPL 0: both selectors get RPL 3 (Intel) or CS only (AMD). */
	wrmsr(MSR_STAR, (u64)(USER_CS32 & ~3) << 48 | (u64)KERNEL_CS << 32);
	vector = TRY(__asm__ volatile("mov $2, %%r11d; sysretq" : : "c"(at) : "memory", "r11"));
	check__equal(vector, USER_EXIT_VECTOR, "SYSRETQ with RPL 0 in STAR");
	check__equal(trap()->frame.cs, USER_CS, "SYSRETQ with RPL 0 in STAR: CS");
	wrmsr(MSR_STAR, STAR_VALUE);
	/* Intel checks at CPL 0, AMD's processors fault at the target. */
	trap__set_gate(X86_GP, 0xe, 0, 2);
	vector = TRY(__asm__ volatile("mov $2, %%r11d; sysretq" : : "c"(bad) : "memory", "r11"));
	check__equal(vector, X86_GP, "SYSRETQ to a non-canonical address");
	check__equal(trap()->frame.cs & 3, cpu__is_amd() ? 3 : 0, "SYSRETQ to a non-canonical address: CPL");
	trap__set_gate(X86_GP, 0xe, 0, 0);
}

static void check_sysenter(void)
{
	struct user_state state;

	wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
	wrmsr(MSR_SYSENTER_EIP, (u64)syscall_entry);
	wrmsr(MSR_SYSENTER_ESP, (u64)entry_stack + 512);
	memset(&entered, 0, sizeof(entered));
	user__state(&state, user_sysenter, 0);
	state.rflags |= RFLAGS_IF | RFLAGS_CF;
	check__equal(user__run(&state), X86_UD, "SYSENTER");
	if (cpu__is_amd()) {
		/* AMD's processors have none in long mode. */
		check__equal(trap()->frame.cs, USER_CS, "SYSENTER in long mode: #UD");
		return;
	}
	check__equal(entered.cs, KERNEL_CS, "SYSENTER: CS");
	check__equal(entered.ss, KERNEL_SS, "SYSENTER: SS");
	check__equal(entered.rsp, (u64)entry_stack + 512, "SYSENTER: RSP");
	check__equal(entered.flags & (RFLAGS_IF | RFLAGS_CF), RFLAGS_CF, "SYSENTER: flags");
	wrmsr(MSR_SYSENTER_CS, 0);
	check__equal(trap__code(user__call(user_sysenter, 0)), TRAP(X86_GP, 0),
		     "SYSENTER with a null CS");
	EXPECT("sysexitl", TRAP(X86_GP, 0), 0, "SYSEXIT with a null CS");
}

static void check_compat_syscall(void)
{
	struct user_state state;

	wrmsr(MSR_CSTAR, (u64)syscall_entry);
	memset(&entered, 0, sizeof(entered));
	user__state(&state, user_syscall, 0);
	/* Two bytes that are SYSCALL in 32-bit code, too. */
	{
		static const u8 insn[] __attribute__((aligned(16))) = { 0x0f, 0x05, 0x0f, 0x0b };

		state.rip = USER((u64)insn);
		state.cs = USER_CS32;
		check__equal(user__run(&state), X86_UD, "SYSCALL in compatibility mode");
		if (!cpu__is_amd()) {
			check__equal(trap()->frame.cs, USER_CS32, "SYSCALL in compatibility mode: #UD");
			return;
		}
		check__equal(entered.rcx, USER((u64)insn) + 2, "SYSCALL to CSTAR: RCX");
		check__equal(entered.cs, KERNEL_CS, "SYSCALL to CSTAR: CS");
	}
}

static void check_msrs(void)
{
	static const u32 bases[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_LSTAR,
				     MSR_CSTAR, MSR_SYSENTER_EIP, MSR_SYSENTER_ESP };
	/* As many bits as the processor has, whatever the paging mode. */
	u64 bad = BIT64((cpuid(0x80000008, 0).eax >> 8 & 0xff) - 1);
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(bases); i++) {
		u64 old = rdmsr(bases[i]);

		wrmsr(bases[i], 0xffff800012345678);
		check__equal(rdmsr(bases[i]), 0xffff800012345678, "MSR %x holds 64 bits", bases[i]);
		if (!(cpu__is_amd() && bases[i] >= MSR_SYSENTER_ESP && bases[i] <= MSR_SYSENTER_EIP))
			check__equal(trap__code(TRY(wrmsr(bases[i], bad))),
				     TRAP(X86_GP, 0), "MSR %x non-canonical", bases[i]);
		wrmsr(bases[i], old);
	}
	check__equal(trap__code(TRY(wrmsr(MSR_PAT, 0x0707070707070702))), TRAP(X86_GP, 0),
		     "PAT with a reserved type");
	check__equal(rdmsr(MSR_EFER) & (EFER_LMA | EFER_LME), EFER_LMA | EFER_LME, "EFER: LMA");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_LMA);
	check__equal(rdmsr(MSR_EFER) & EFER_LMA, EFER_LMA, "EFER: LMA is read-only");
	if (cpu__has(0x80000001, 0, 3, 27)) {
		u32 aux;

		wrmsr(MSR_TSC_AUX, 0x1234);
		__asm__ volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
		check__equal(aux, 0x1234, "RDTSCP gives TSC_AUX");
		/* AMD's processors ignore the upper half. */
		if (!cpu__is_amd())
			check__equal(trap__code(TRY(wrmsr(MSR_TSC_AUX, 0x100000000))),
				     TRAP(X86_GP, 0), "TSC_AUX has 32 bits");
	}
}

static void check_bases(void)
{
	static u64 there[2] = { 0x1111, 0x2222 };
	u64 value;

	wrmsr(MSR_GS_BASE, (u64)&there[0]);
	wrmsr(MSR_KERNEL_GS_BASE, (u64)&there[1]);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	check__equal(value, 0x1111, "GS base");
	__asm__ volatile("swapgs; mov %%gs:0, %0" : "=r"(value));
	check__equal(value, 0x2222, "SWAPGS");
	check__equal(rdmsr(MSR_KERNEL_GS_BASE), (u64)&there[0], "SWAPGS puts the old one away");
	__asm__ volatile("swapgs");
	gdt[SPARE_SELECTOR / 8] = segment__descriptor((u32)(u64)&there[1], 0xfffff, 0xc093);
	__asm__ volatile("mov %1, %%fs; mov %%fs:0, %0; mov %2, %%fs"
			 : "=&r"(value) : "r"(SPARE_SELECTOR), "r"(0));
	check__equal(value, 0x2222, "FS load takes the descriptor's base");
	wrmsr(MSR_FS_BASE, 0xffff800000000000);
	__asm__ volatile("mov %0, %%fs" : : "r"(SPARE_SELECTOR));
	check__equal(rdmsr(MSR_FS_BASE), (u32)(u64)&there[1], "FS load clears the upper half");
	__asm__ volatile("mov %0, %%fs" : : "r"(0));
	gdt[SPARE_SELECTOR / 8] = 0;
	EXPECT("rdfsbase %%rcx", TRAP(X86_UD, 0), 0, "RDFSBASE without CR4.FSGSBASE");
	if (!cpu__has(7, 0, 1, 0)) {
		check__skip("not in CPUID", "FSGSBASE");
		return;
	}
	write_cr4(read_cr4() | CR4_FSGSBASE);
	__asm__ volatile("wrgsbase %1; mov %%gs:0, %0" : "=r"(value) : "r"(&there[1]));
	check__equal(value, 0x2222, "WRGSBASE");
	__asm__ volatile("rdgsbase %0" : "=r"(value));
	check__equal(value, (u64)&there[1], "RDGSBASE");
	__asm__ volatile("wrfsbase %k0" : : "r"(0xffffffff80000001));
	check__equal(rdmsr(MSR_FS_BASE), 0x80000001, "WRFSBASE of 32 bits");
	EXPECT("mov $1, %%ecx; shl $62, %%rcx; wrfsbase %%rcx", TRAP(X86_GP, 0), 9,
	       "WRFSBASE non-canonical");
	write_cr4(read_cr4() & ~CR4_FSGSBASE);
}

/* CPUID agrees with itself and with the registers that it mirrors. */
static void check_cpuid(void)
{
	struct cpuid r = cpuid(1, 0);

	check__true(cpuid(0, 0).eax >= 7, "CPUID: highest leaf");
	check__true(cpuid(0x80000000, 0).eax >= 0x80000008, "CPUID: highest extended leaf");
	check__equal(r.ecx >> 27 & 1, 0, "CPUID: OSXSAVE follows CR4");
	if (r.ecx >> 26 & 1) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		check__equal(cpuid(1, 0).ecx >> 27 & 1, 1, "CPUID: OSXSAVE follows CR4 up");
		write_cr4(read_cr4() & ~CR4_OSXSAVE);
	}
	check__equal(r.edx & 0x07808111, 0x07808111, "CPUID: what long mode implies");
	check__equal(cpuid(0x80000001, 0).edx >> 29 & 1, 1, "CPUID: long mode");
	r = cpuid(0x80000008, 0);
	check__true((r.eax & 0xff) >= 36 && (r.eax & 0xff) <= 52, "CPUID: physical address bits");
	check__true((r.eax >> 8 & 0xff) == 48 || (r.eax >> 8 & 0xff) == 57,
		    "CPUID: linear address bits");
	__asm__ volatile("mov $-1, %%rax; mov $-1, %%rbx; mov $-1, %%rcx; mov $-1, %%rdx; xor %%eax, %%eax;"
			 "cpuid; mov %%rbx, %0" : "=m"(mark) : : "rax", "rbx", "rcx", "rdx");
	check__equal(mark >> 32, 0, "CPUID clears the upper halves");
}

int main(void)
{
	check_cpuid();
	check_syscall();
	check_sysret();
	check_sysenter();
	check_compat_syscall();
	check_msrs();
	check_bases();
	return 0;
}
