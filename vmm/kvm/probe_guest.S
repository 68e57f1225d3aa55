/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the start-up probe lets a guest execute. Both pieces are copied to PROBE_CODE and report
 * 32-bit values through PROBE_PORT; probe.c knows what has to come.
 */
#define PROBE_PORT 0xf1
#define PROBE_CODE 0x6000
#define PROBE_STACK 0x8000

	.section .rodata

/* 32-bit protected mode with paging: a loop, memory, a stack. Reports the sum. */
	.globl probe_guest_32, probe_guest_32_end
	.code32
probe_guest_32:
	movl $PROBE_STACK, %esp
	xorl %eax, %eax
	movl $1000, %ecx
1:	addl %ecx, %eax
	pushl %eax
	popl %edx
	loop 1b
	movl %edx, %eax
	outl %eax, $PROBE_PORT
	hlt
probe_guest_32_end:

/*
 * Long mode: to CPL 3 with SYSRETQ, back with SYSCALL; reports CS and SS of either side. Then
 * 10,000 times around an ALU loop between two reports, as often as the host wants.
 */
	.globl probe_guest_64, probe_guest_64_end
	.code64
probe_guest_64:
	movl $PROBE_STACK, %esp
	movl $0xc0000081, %ecx		/* STAR: SYSRET base 0x30, SYSCALL base 0x08 */
	xorl %eax, %eax
	movl $0x00300008, %edx
	wrmsr
	movl $0xc0000082, %ecx		/* LSTAR */
	movl $(PROBE_CODE + kernel_entry - probe_guest_64), %eax
	xorl %edx, %edx
	wrmsr
	movl $0xc0000084, %ecx		/* SFMASK: nothing */
	xorl %eax, %eax
	wrmsr
	movl $(PROBE_CODE + user_entry - probe_guest_64), %ecx
	movl $2, %r11d
	sysretq
user_entry:
	movl %cs, %r8d
	movl %ss, %r9d
	syscall
kernel_entry:
	movl %cs, %r10d
	movl %ss, %ebx
	movl %r8d, %eax
	outl %eax, $PROBE_PORT
	movl %r9d, %eax
	outl %eax, $PROBE_PORT
	movl %r10d, %eax
	outl %eax, $PROBE_PORT
	movl %ebx, %eax
	outl %eax, $PROBE_PORT
2:	xorl %eax, %eax
	outl %eax, $PROBE_PORT
	movl $10000, %ecx
3:	addl %ecx, %eax
	xorl $0x55, %eax
	decl %ecx
	jnz 3b
	movl $1, %eax
	outl %eax, $PROBE_PORT
	jmp 2b
probe_guest_64_end:

	.section .note.GNU-stack, "", @progbits
