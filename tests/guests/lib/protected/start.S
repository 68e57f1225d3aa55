/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the Multiboot entry to main(); the 256 stubs; ways into and out of user and v86 mode. */
#include "tests/guests/lib/protected/machine.h"

	.section .multiboot, "ax"
	.balign 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.global start
start:
	cli
	cld
	movl $boot_stack_end, %esp
	movl $0x10033, %eax	/* WP NE ET MP PE */
	movl %eax, %cr0
	xorl %eax, %eax
	movl %eax, %cr4
	xorl %ebp, %ebp
	call machine__start
	ud2

	.balign 16
	.global trap_stubs
trap_stubs:
vector = 0
	.rept 256
	.balign 16
	.if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17))
	pushl $0
	.endif
	pushl $vector
	jmp trap_entry
vector = vector + 1
	.endr

trap_entry:
	cld
	pushal
	pushl %ds
	pushl %es
	pushl %fs
	pushl %gs
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %esp, %ebx
	pushl %ebx
	call trap__dispatch
	movl %ebx, %esp
	popl %gs
	popl %fs
	popl %es
	popl %ds
	popal
	addl $8, %esp
	iretl

	/* int trap__set(struct trap_jump *jump) */
	.global trap__set
trap__set:
	movl 4(%esp), %eax
	movl %ebx, 0(%eax)
	movl %esi, 4(%eax)
	movl %edi, 8(%eax)
	movl %ebp, 12(%eax)
	leal 4(%esp), %ecx
	movl %ecx, 16(%eax)
	movl (%esp), %ecx
	movl %ecx, 20(%eax)
	pushfl
	popl 24(%eax)
	movl $1, 28(%eax)
	xorl %eax, %eax
	ret

	/* void trap__jump(struct trap_jump *jump): to where trap__set() was, on its stack */
	.global trap__jump
trap__jump:
	movl 4(%esp), %edx
	movl $KERNEL_DS, %eax
	movl %eax, %ss
	movl 16(%edx), %esp
	movl 0(%edx), %ebx
	movl 4(%edx), %esi
	movl 8(%edx), %edi
	movl 12(%edx), %ebp
	pushl 24(%edx)
	popfl
	movl $1, %eax
	jmp *20(%edx)

	/* void user__enter(const struct user_state *state) */
	.global user__enter
user__enter:
	movl 4(%esp), %eax
	testl $0x20000, 8(%eax)
	jz 1f
	pushl 32(%eax)
	pushl 28(%eax)
	pushl 24(%eax)
	pushl 20(%eax)
	jmp 2f
1:	movl $USER_DS, %ecx
	movl %ecx, %ds
	movl %ecx, %es
2:	pushl %ss:16(%eax)
	pushl %ss:12(%eax)
	pushl %ss:8(%eax)
	pushl %ss:4(%eax)
	pushl %ss:0(%eax)
	iretl

	.global user_return
user_return:
	int $USER_EXIT_VECTOR
	ud2

	.bss
	.balign 4096
boot_stack:
	.skip 4 * STACK_SIZE
boot_stack_end:
	.section .note.GNU-stack, "", @progbits
