/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To real mode and back (SDM vol. 3, 9.9): the part that is copied to REAL_BASE, and its callers. */
#include "tests/guests/lib/protected/machine.h"

	.text
	.code32
	.global real__enter
	/* void real__enter(void): runs what stands at REAL_BASE + 1000H */
real__enter:
	pushal
	sidt saved_idt
	movl %esp, saved_esp
	lidt real_idt
	ljmp $CS16, $real_start - real_blob

back32:
	cld
	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl saved_esp, %esp
	lidt saved_idt
	popal
	ret

	.code16
	.global real_blob, real_blob_end, real_stubs, real_record
real_blob:
real_start:
	movw $DS16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmpw $(REAL_BASE >> 4), $1f - real_blob
1:	movw $(REAL_BASE >> 4), %ax
	movw %ax, %ds
	movw %ax, %es
	movw $0x2000, %ax
	movw %ax, %ss
	movw $0xf000, %sp
	xorl %eax, %eax
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	pushw $2
	popfw
	jmpw *%cs:code_pointer - real_blob
code_pointer:
	.word 0x1000

	/* One CALL of three bytes for each vector; the return address tells which. */
real_stubs:
	.rept 256
	callw real_common
	.endr
real_common:
	movl %eax, %cs:result_eax - real_blob
	movl %ebx, %cs:result_eax + 4 - real_blob
	movl %ecx, %cs:result_eax + 8 - real_blob
	movl %edx, %cs:result_eax + 12 - real_blob
	popw %cs:real_record - real_blob
	popw %cs:real_record + 2 - real_blob
	popw %cs:real_record + 4 - real_blob
	popw %cs:real_record + 6 - real_blob
	movw %sp, %cs:real_record + 8 - real_blob
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $KERNEL_CS, $back32
	.balign 4
real_record: /* stub's return address, IP, CS, flags, SP */
	.word 0, 0, 0, 0, 0, 0
result_eax:
	.long 0, 0, 0, 0
real_blob_end:

	.data
	.balign 4
real_idt:
	.word 0x3ff
	.long 0
saved_idt:
	.word 0
	.long 0
	.balign 4
saved_esp:
	.long 0
	.section .note.GNU-stack, "", @progbits
