/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instruction is copied, a jump back put behind it, and everything loaded around it. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/vector/native.h"

extern void native_enter(void *code);
extern const u8 native_leave[];
struct native_state native_state;
u64 native_saved_rsp;

__asm__(".text\n"
	"native_enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	push %rdi\n"
	"	mov %rsp, native_saved_rsp(%rip)\n"
	"	mov $7, %eax\n"
	"	xor %edx, %edx\n"
	"	xrstor64 native_state+192(%rip)\n"
	"	push native_state+128(%rip)\n"
	"	popfq\n"
	"	mov native_state(%rip), %rax\n"
	"	mov native_state+8(%rip), %rcx\n"
	"	mov native_state+16(%rip), %rdx\n"
	"	mov native_state+24(%rip), %rbx\n"
	"	mov native_state+40(%rip), %rbp\n"
	"	mov native_state+48(%rip), %rsi\n"
	"	mov native_state+56(%rip), %rdi\n"
	"	mov native_state+64(%rip), %r8\n"
	"	mov native_state+72(%rip), %r9\n"
	"	mov native_state+80(%rip), %r10\n"
	"	mov native_state+88(%rip), %r11\n"
	"	mov native_state+96(%rip), %r12\n"
	"	mov native_state+104(%rip), %r13\n"
	"	mov native_state+112(%rip), %r14\n"
	"	mov native_state+120(%rip), %r15\n"
	"	jmp *(%rsp)\n"
	"native_leave:\n"
	"	mov native_saved_rsp(%rip), %rsp\n"
	"	mov %rax, native_state(%rip)\n"
	"	mov %rcx, native_state+8(%rip)\n"
	"	mov %rdx, native_state+16(%rip)\n"
	"	mov %rbx, native_state+24(%rip)\n"
	"	mov %rbp, native_state+40(%rip)\n"
	"	mov %rsi, native_state+48(%rip)\n"
	"	mov %rdi, native_state+56(%rip)\n"
	"	mov %r8, native_state+64(%rip)\n"
	"	mov %r9, native_state+72(%rip)\n"
	"	mov %r10, native_state+80(%rip)\n"
	"	mov %r11, native_state+88(%rip)\n"
	"	mov %r12, native_state+96(%rip)\n"
	"	mov %r13, native_state+104(%rip)\n"
	"	mov %r14, native_state+112(%rip)\n"
	"	mov %r15, native_state+120(%rip)\n"
	"	pushfq\n"
	"	pop native_state+128(%rip)\n"
	"	mov $7, %eax\n"
	"	xor %edx, %edx\n"
	"	xsave64 native_state+192(%rip)\n"
	"	fninit\n"
	"	pushq $0x1f80\n"
	"	ldmxcsr (%rsp)\n"
	"	vzeroupper\n"
	"	pop %rdi\n"
	"	pop %rdi\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

_Static_assert(offsetof(struct native_state, flags) == 128, "known to the code above");
_Static_assert(offsetof(struct native_state, image) == 192, "known to the code above");

static sigjmp_buf escape;

static void on_signal(int signal)
{
	siglongjmp(escape, signal);
}

int native__run(const u8 *bytes, unsigned length, struct native_state *state)
{
	static const int signals[] = { SIGILL, SIGFPE, SIGSEGV, SIGBUS };
	struct sigaction action = { .sa_handler = on_signal }, old[4];
	static u8 *code;
	const void *leave = native_leave;
	unsigned i;
	int met;

	if (!code)
		code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(code, bytes, length);
	memcpy(code + length, "\xff\x25\0\0\0\0", 6); /* jmp *0(%rip) */
	memcpy(code + length + 6, &leave, 8);
	native_state = *state;
	for (i = 0; i < 4; i++)
		sigaction(signals[i], &action, &old[i]);
	met = sigsetjmp(escape, 1);
	if (!met)
		native_enter(code);
	for (i = 0; i < 4; i++)
		sigaction(signals[i], &old[i], NULL);
	*state = native_state;
	return met;
}
