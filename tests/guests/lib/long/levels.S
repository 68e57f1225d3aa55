/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between 4- and 5-level paging: CR4.LA57 changes outside of long mode only (SDM vol. 3, 2.5). */
#include "tests/guests/lib/long/machine.h"

	.text
	/* void paging__switch(u64 cr3, u64 cr4): code and stack are below 4 GiB, mapped as they are */
	.global paging__switch
paging__switch:
	/* Outside of 64-bit code upper halves of registers are not kept. */
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq $KERNEL_CS32
	leaq 1f(%rip), %rax
	pushq %rax
	lretq
	.code32
1:	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl %edi, %cr3
	movl %esi, %cr4
	orl $0x80000000, %eax
	movl %eax, %cr0
	ljmpl $KERNEL_CS, $2f
	.code64
2:	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
	.section .note.GNU-stack, "", @progbits
