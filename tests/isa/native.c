/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state goes in by rt_sigreturn(2) of a frame made for the purpose, and comes out in the frame
 * of the signal that the next exception becomes. So all registers, flags, selectors and vector
 * state can be chosen, for 64-bit, 32-bit and 16-bit code alike, and nothing of the test stands
 * between them and the instruction.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/host.h"
#include "tests/host_segment.h"
#include "tests/isa/native.h"

u8 *native_data;
u8 *native_code;
bool native_has_ldt, native_has_code32, native_has_fsgsbase, native_is_deprived, native_is_amd;

const struct ldt_description ldt_descriptions[NR_LDT_ENTRIES] = {
	[LDT_CODE16] = { CODE_LINEAR, 0xffff, .contents = 2 },
	[LDT_LIMITED] = { DATA_LINEAR, 0x27ff, .big = 1 },
	[LDT_EXPAND_DOWN] = { DATA_LINEAR, 0x17ff, .big = 1, .contents = 1 },
	[LDT_READ_ONLY] = { 0, 0xfffff, .big = 1, .read_exec_only = 1, .limit_in_pages = 1 },
	[LDT_NOT_PRESENT] = { 0, 0xfffff, .big = 1, .limit_in_pages = 1, .not_present = 1 },
	[LDT_CODE32] = { 0, 0xfffff, .big = 1, .contents = 2, .limit_in_pages = 1 },
	[LDT_EXECUTE_ONLY] = { 0, 0xfffff, .big = 1, .contents = 2, .read_exec_only = 1,
			       .limit_in_pages = 1 },
	/* Linux makes no conforming code segments that are present. */
	[LDT_CONFORMING] = { 0, 0xfffff, .big = 1, .contents = 3, .limit_in_pages = 1,
			     .not_present = 1 },
	[LDT_OFFSET] = { DATA_LINEAR, 0xfffff, .big = 1, .limit_in_pages = 1 },
};

/* ---- in and out ---- */

/* Known to the code below by name. */
u32 native_active, native_keeps_fsgsbase;
u64 native_host_rsp, native_host_fs, native_host_gs;
u64 native_fs, native_gs;
u16 native_sel[X86_NR_SEG];
u32 native_signal;
u64 native_context;

extern void native__enter(ucontext_t *frame);
extern void native__signal(int signal, siginfo_t *info, void *context);
void native__pass_on(int signal, siginfo_t *info, void *context);

/*
 * native__enter() returns when a signal came while native_active was set, with native_signal and
 * native_context set. The order of selectors is ES CS SS DS FS GS; loading FS and GS changes their
 * bases, so these come after. Where the kernel does not know of WRFSBASE it forgets what that has set, and arch_prctl(2) sets and tells them;
 * code is 0x1001 to set GS, 0x1002 to set FS, 0x1003 to get FS, 0x1004 to get GS.
 */
#define ARCH_PRCTL(code)                                                                           \
	"	mov $158, %eax\n"                                                                   \
	"	mov $" #code ", %edi\n"                                                             \
	"	syscall\n"
#define SET_BASE(insn, code, value)                                                                \
	"	mov " #value "(%rip), %rsi\n"                                                       \
	"	cmpl $0, native_keeps_fsgsbase(%rip)\n"                                               \
	"	je 2f\n"                                                                            \
	"	" #insn " %rsi\n"                                                                   \
	"	jmp 3f\n"                                                                           \
	"2:\n" ARCH_PRCTL(code) "3:\n"
#define GET_BASE(insn, code, value)                                                                \
	"	cmpl $0, native_keeps_fsgsbase(%rip)\n"                                               \
	"	je 2f\n"                                                                            \
	"	" #insn " %rsi\n"                                                                   \
	"	mov %rsi, " #value "(%rip)\n"                                                       \
	"	jmp 3f\n"                                                                           \
	"2:	lea " #value "(%rip), %rsi\n" ARCH_PRCTL(code) "3:\n"
__asm__(".text\n"
	".globl native__enter, native__signal\n"
	"native__enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, native_host_rsp(%rip)\n"
	"	movl $1, native_active(%rip)\n"
	"	mov %rdi, %rbx\n"
	"	mov native_sel+0(%rip), %es\n"
	"	mov native_sel+6(%rip), %ds\n"
	"	mov native_sel+8(%rip), %fs\n"
	"	mov native_sel+10(%rip), %gs\n"
	"	testw $0xfffc, native_sel+8(%rip)\n"
	"	jnz 1f\n"
	SET_BASE(wrfsbase, 0x1002, native_fs)
	"1:	testw $0xfffc, native_sel+10(%rip)\n"
	"	jnz 1f\n"
	SET_BASE(wrgsbase, 0x1001, native_gs)
	"1:	mov %rbx, %rsp\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n"
	"	ud2\n"
	"native__signal:\n"
	"	cmpl $0, native_active(%rip)\n"
	"	je native__pass_on\n"
	"	movl $0, native_active(%rip)\n"
	"	mov %edi, native_signal(%rip)\n"
	"	mov %rdx, native_context(%rip)\n"
	GET_BASE(rdfsbase, 0x1003, native_fs)
	GET_BASE(rdgsbase, 0x1004, native_gs)
	"	mov %es, native_sel+0(%rip)\n"
	"	mov %ds, native_sel+6(%rip)\n"
	"	mov %fs, native_sel+8(%rip)\n"
	"	mov %gs, native_sel+10(%rip)\n"
	"	xor %eax, %eax\n"
	"	mov %eax, %es\n"
	"	mov %eax, %ds\n"
	"	mov %eax, %fs\n"
	"	mov %eax, %gs\n"
	SET_BASE(wrfsbase, 0x1002, native_host_fs)
	SET_BASE(wrgsbase, 0x1001, native_host_gs)
	"	mov native_host_rsp(%rip), %rsp\n"
	"	pushq $0x202\n"
	"	popfq\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static struct sigaction old_action[NSIG];

void native__pass_on(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *old = &old_action[signal];

	if (old->sa_flags & SA_SIGINFO) {
		old->sa_sigaction(signal, info, context);
	} else if (old->sa_handler == SIG_DFL) {
		struct sigaction dfl = { .sa_handler = SIG_DFL };

		sigaction(signal, &dfl, NULL); /* it repeats */
	} else if (old->sa_handler != SIG_IGN) {
		old->sa_handler(signal);
	}
}

/* ---- the frame ---- */

#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
#define FRAME_SIZE 32768
#define SW_RESERVED_SIZE 468 /* offset of the extended size in the FXSAVE area */

static u8 frame_area[FRAME_SIZE] __attribute__((aligned(64)));
static ucontext_t *frame = (ucontext_t *)frame_area;
static u8 *frame_fp = frame_area + 2048;
static u64 frame_components;

/* Any frame that the kernel made is the pattern: it has what other components need. */
static void take_pattern(int signal, siginfo_t *info, void *arg)
{
	const ucontext_t *context = arg;
	const u8 *fp = (const u8 *)context->uc_mcontext.fpregs;
	u32 size = 512;

	memcpy(frame, context, sizeof(*frame));
	if (*(const u32 *)(fp + 464) == 0x46505853) /* FP_XSTATE_MAGIC1 */
		size = *(const u32 *)(fp + SW_RESERVED_SIZE);
	if (size > FRAME_SIZE - 2048)
		abort();
	memcpy(frame_fp, fp, size);
	frame->uc_mcontext.fpregs = (void *)frame_fp;
	frame->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	sigemptyset(&frame->uc_sigmask);
	frame_components = *(const u64 *)(fp + 512);
}

/* REG_RAX and so on in the order of the instruction encoding. */
static const u8 greg_of[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				REG_R12, REG_R13, REG_R14, REG_R15 };

/* The components of a state, to or from the kernel's frame. */
static void copy_components(struct xsave_image *to, const struct xsave_image *from)
{
	const struct xstate_component *c = xstate__components();
	unsigned i;

	for (i = XSTATE_FIRST; i < XSTATE_COUNT; i++)
		if (xstate__supported() >> i & 1)
			memcpy((u8 *)to + c[i].offset, (const u8 *)from + c[i].offset, c[i].size);
}

static void fill_frame(const struct isa_state *s)
{
	greg_t *regs = frame->uc_mcontext.gregs;
	struct xsave_image *fp = (struct xsave_image *)frame_fp;
	unsigned i;

	for (i = 0; i < 16; i++)
		regs[greg_of[i]] = s->gpr[i];
	regs[REG_RIP] = s->rip;
	regs[REG_EFL] = s->flags;
	regs[REG_CSGSFS] = s->sel[X86_CS] | (u64)s->sel[X86_SS] << 48;
	memcpy(fp, &s->fp, offsetof(struct xsave_image, reserved1));
	fp->xstate_bv = (frame_components & ~XSTATE_ALL) | xstate__supported();
	copy_components(fp, &s->fp);
	memcpy(native_sel, s->sel, sizeof(native_sel));
	native_fs = s->fs_base;
	native_gs = s->gs_base;
}

static void read_frame(struct isa_state *s)
{
	const ucontext_t *context = (const ucontext_t *)native_context;
	const greg_t *regs = context->uc_mcontext.gregs;
	const struct xsave_image *fp = (const struct xsave_image *)context->uc_mcontext.fpregs;
	unsigned i;

	for (i = 0; i < 16; i++)
		s->gpr[i] = regs[greg_of[i]];
	s->rip = regs[REG_RIP];
	s->flags = regs[REG_EFL];
	memcpy(s->sel, native_sel, sizeof(native_sel));
	s->sel[X86_CS] = regs[REG_CSGSFS];
	s->sel[X86_SS] = (u64)regs[REG_CSGSFS] >> 48;
	s->fs_base = native_fs;
	s->gs_base = native_gs;
	memcpy(&s->fp, fp, XSTATE_HEADER_END);
	copy_components(&s->fp, fp);
	isa_state__normalise(s);
	s->vector = regs[REG_TRAPNO];
	s->error = regs[REG_ERR];
	s->cr2 = regs[REG_CR2];
}

void isa_state__normalise(struct isa_state *s)
{
	const struct xstate_component *c = xstate__components();
	struct xsave_image *fp = &s->fp;
	unsigned i;

	if (!(fp->xstate_bv & XSTATE_X87)) {
		memset(fp, 0, offsetof(struct xsave_image, mxcsr));
		memset(fp->st, 0, sizeof(fp->st));
		fp->fcw = FCW_INIT;
	}
	if (!(fp->xstate_bv & XSTATE_SSE))
		memset(fp->xmm, 0, sizeof(fp->xmm));
	for (i = XSTATE_FIRST; i < XSTATE_COUNT; i++)
		if ((xstate__supported() & ~fp->xstate_bv) >> i & 1)
			memset((u8 *)fp + c[i].offset, 0, c[i].size);
}

enum native_result native__run(struct isa_state *state)
{
	static unsigned alarms;

	fill_frame(state);
	native__enter(frame);
	if (native_signal == SIGALRM)
		return ++alarms > 3 ? NATIVE_HUNG : NATIVE_AGAIN;
	alarms = 0;
	read_frame(state);
	return NATIVE_DONE;
}

/* ---- set-up ---- */

#define MAX_RANGES 256
static struct {
	u64 start;
	u64 end;
} ranges[MAX_RANGES];
static unsigned nr_ranges;
#define SLACK (64 << 20) /* heap and stack may grow */

static bool is_ours(u64 start)
{
	return start >> 16 == DATA_LINEAR >> 16 || start >> 16 == DATA_HIGH_LINEAR >> 16 ||
	       start >> 16 == CODE_LINEAR >> 16 || start < 0x10000;
}

static void read_ranges(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps) && nr_ranges < MAX_RANGES) {
		if (sscanf(line, "%llx-%llx", &start, &end) != 2 || is_ours(start))
			continue;
		ranges[nr_ranges].start = start > SLACK ? start - SLACK : 0;
		if (start < 1 << 28) /* below the heap nothing grows down */
			ranges[nr_ranges].start = start - 65536;
		ranges[nr_ranges].end = end + SLACK;
		nr_ranges++;
	}
	if (maps)
		fclose(maps);
}

void native__wait(unsigned attempt)
{
	if (attempt >= 3)
		usleep(1000);
}

bool native__is_mapped(u64 linear)
{
	unsigned i;

	for (i = 0; i < nr_ranges; i++)
		if (linear >= ranges[i].start && linear < ranges[i].end)
			return true;
	return false;
}

static bool map_at(u64 linear, int protection, int fd, unsigned page)
{
	void *p = mmap((void *)linear, 4096, protection,
		       MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, fd, page * 4096);

	return p == (void *)linear;
}

static bool map_data(int fd, u64 linear)
{
	return map_at(linear, PROT_READ | PROT_WRITE, fd, 0) &&
	       map_at(linear + 0x1000, PROT_READ | PROT_WRITE, fd, 1) &&
	       map_at(linear + 0x2000, PROT_READ, fd, 2) &&
	       map_at(linear + 0x4000, PROT_READ | PROT_WRITE, fd, 3);
}

static bool map_memory(void)
{
	int fd = memfd_create("isa", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, DATA_BYTES + CODE_BYTES))
		return false;
	native_data = mmap(NULL, DATA_BYTES + CODE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, fd, 0);
	if (native_data == MAP_FAILED)
		return false;
	native_code = native_data + DATA_BYTES;
	memset(native_code, CODE_FILL, CODE_BYTES);
	return map_data(fd, DATA_LINEAR) && map_data(fd, DATA_LOW_LINEAR) &&
	       map_data(fd, DATA_HIGH_LINEAR) &&
	       map_at(CODE_LINEAR, PROT_READ | PROT_EXEC, fd, DATA_FRAMES) &&
	       map_at(CODE_LINEAR + 0x1000, PROT_READ | PROT_EXEC, fd, DATA_FRAMES + 1) &&
	       !mlock(native_data, DATA_BYTES + CODE_BYTES);
}

bool native__make_code_writable(void)
{
	return !mprotect((void *)CODE_LINEAR, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static bool make_ldt(void)
{
	unsigned i;

	for (i = 0; i < NR_LDT_ENTRIES; i++) {
		const struct ldt_description *d = &ldt_descriptions[i];
		struct user_desc u = {
			.entry_number = i,
			.base_addr = d->base,
			.limit = d->limit,
			.seg_32bit = d->big,
			.contents = d->contents,
			.read_exec_only = d->read_exec_only,
			.limit_in_pages = d->limit_in_pages,
			.seg_not_present = d->not_present,
		};

		if (syscall(SYS_modify_ldt, 0x11, &u, sizeof(u)))
			return false;
	}
	return true;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM };
	struct sigaction action = {
		.sa_sigaction = native__signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};
	unsigned i;

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGALRM);
	for (i = 0; i < ARRAY_LENGTH(signals); i++)
		sigaction(signals[i], &action, &old_action[signals[i]]);
}

/* Whether an instruction of these bytes, with this RSP, raises nothing. */
static bool completes(const void *insn, unsigned length, u64 rsp)
{
	struct isa_state s = {
		.rip = CODE_LINEAR,
		.flags = RFLAGS_FIXED | RFLAGS_IF,
		.gpr[X86_RSP] = rsp,
		.sel[X86_CS] = SEL_USER_CODE,
		.sel[X86_SS] = SEL_USER_DATA,
		.fp.mxcsr = 0x1f80,
		.fp.fcw = FCW_INIT,
	};
	enum native_result result;

	memcpy(native_code, insn, length);
	do
		result = native__run(&s);
	while (result == NATIVE_AGAIN);
	memset(native_code, CODE_FILL, length);
	return s.rip == CODE_LINEAR + length;
}

const char *native__setup(void)
{
	struct sigaction pattern = { .sa_sigaction = take_pattern,
				     .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct itimerval second = { { 1, 0 }, { 1, 0 } };
	stack_t stack = { .ss_size = 65536 };
	sigset_t alarm;
	u32 leaf[4];

	if (!map_memory())
		return "can't map memory at the test's addresses (vm.mmap_min_addr?)";
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL))
		return "no memory";
	host__cpuid(0, 0, leaf);
	native_is_amd = leaf[1] == 0x68747541 || leaf[1] == 0x6f677948; /* "Auth", "Hygo" */
	native_keeps_fsgsbase = getauxval(AT_HWCAP2) & 2; /* HWCAP2_FSGSBASE */
	native_has_ldt = make_ldt() && host_segment__is_code(SEL_LDT(LDT_CODE32));
	native_has_code32 = host_segment__is_code(SEL_USER32_CODE);
	sigaction(SIGUSR1, &pattern, NULL);
	raise(SIGUSR1);
	/* The alarm is let in while an instruction executes, only. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	catch_signals();
	syscall(SYS_arch_prctl, ARCH_GET_FS, &native_host_fs);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &native_host_gs);
	native_is_deprived = !completes("\x90", 1, 1ULL << 62); /* NOP */
	native_has_fsgsbase = completes("\xf3\x0f\xae\xc0", 4, DATA_LINEAR); /* RDFSBASE EAX */
	setitimer(ITIMER_REAL, &second, NULL);
	read_ranges();
	return NULL;
}
