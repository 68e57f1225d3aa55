/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry of all 256 vectors; TRY()'s marker; the ways into and out of user mode. */
#include "tests/guests/lib/long/machine.h"

	.text
	.balign 16
	.global trap_stubs
trap_stubs:
vector = 0
	.rept 256
	.balign 16
	/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX have an error code. */
	.if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || \
	      (vector == 21) || (vector == 29) || (vector == 30))
	pushq $0
	.endif
	pushq $vector
	jmp trap_entry
vector = vector + 1
	.endr

trap_entry:
	cld
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	call trap__dispatch
	movq %rbx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $16, %rsp
	.global trap_iretq
trap_iretq:
	iretq

	/* int trap__set(struct trap_jump *jump) */
	.global trap__set
trap__set:
	movq %rbx, 0(%rdi)
	movq %rbp, 8(%rdi)
	movq %r12, 16(%rdi)
	movq %r13, 24(%rdi)
	movq %r14, 32(%rdi)
	movq %r15, 40(%rdi)
	leaq 8(%rsp), %rax
	movq %rax, 48(%rdi)
	movq (%rsp), %rax
	movq %rax, 56(%rdi)
	pushfq
	popq 64(%rdi)
	movb $1, 72(%rdi)
	xorl %eax, %eax
	ret

	/* void user__enter(const struct user_state *state) */
	.global user__enter
user__enter:
	pushq 32(%rdi)
	pushq 24(%rdi)
	pushq 16(%rdi)
	pushq 8(%rdi)
	pushq 0(%rdi)
	movq 40(%rdi), %rdi
	iretq

	/* What user__call()'s function returns to. */
	.global user_return
user_return:
	int $USER_EXIT_VECTOR
	ud2
	.section .note.GNU-stack, "", @progbits
