/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the Multiboot entry, and from SIPI, to long mode. */
#include "tests/guests/lib/long/machine.h"

	.section .multiboot, "ax"
	.balign 4
	.long 0x1badb002, 0, -0x1badb002

	.code32
	.global start
start:
	cli
	cld
	movl $boot_stack_end, %esp
	movl %ebx, multiboot_info
	call make_boot_tables
	movl $boot_pml4, %eax
	call enter_long
	ljmpl $KERNEL_CS, $start_long

	/* Four 2 MiB-page directories: see machine.h for the map. */
make_boot_tables:
	movl $boot_directory, %edi
	xorl %ecx, %ecx
1:	movl %ecx, %eax
	shll $21, %eax
	movl %ecx, %edx
	shrl $9, %edx
	cmpl $1, %edx
	je 2f			/* 1-2 GiB: nothing */
	orl $0x83, %eax
	cmpl $2, %edx
	jne 3f
	andl $0x3fffffff, %eax	/* 2-3 GiB: the alias */
	orl $0x87, %eax
	jmp 3f
2:	xorl %eax, %eax
3:	movl %eax, (%edi,%ecx,8)
	incl %ecx
	cmpl $2048, %ecx
	jb 1b
	movl $boot_directory + 7, %eax
	xorl %ecx, %ecx
4:	movl %eax, boot_pdpt(,%ecx,8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 4b
	movl $boot_pdpt + 7, boot_pml4
	ret

	/* EAX: the top table. */
enter_long:
	movl %eax, %cr3
	movl $0x620, %eax	/* PAE OSFXSR OSXMMEXCPT */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	movl $0x901, %eax	/* NXE LME SCE */
	xorl %edx, %edx
	wrmsr
	movl $0x80010033, %eax	/* PG WP NE ET MP PE */
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ret

	.code64
start_long:
	call set_segments
	xorl %ebp, %ebp
	call machine__start
	ud2

set_segments:
	movl $KERNEL_SS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	ret

	.global ap_long
ap_long:
	movl $1, %eax
	lock xaddl %eax, ap_next
	movl %eax, %edi
	imulq $STACK_SIZE, %rax, %rax
	leaq ap_stacks(%rax), %rsp
	/* On its own stack: the next one may have the small one. */
	movl $0, ap_small_stack_lock
	call set_segments
	xorl %ebp, %ebp
	call smp__ap_main
	ud2

	/* Copied to the SIPI page; CS base is its address. */
	.code16
	.global ap_trampoline, ap_trampoline_end
ap_trampoline:
	cli
	movw %cs, %ax
	movw %ax, %ds
	lgdtl ap_gdt_pointer - ap_trampoline
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $KERNEL_CS32, $ap_protected
ap_gdt_pointer:
	.word TSS_SELECTOR - 1
	.long boot_gdt
ap_trampoline_end:

	.code32
ap_protected:
	movl $KERNEL_SS, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl $boot_pml4, %eax
	movl $ap_small_stack_end, %esp
	lock btsl $0, ap_small_stack_lock
	jc ap_protected
	call enter_long
	ljmpl $KERNEL_CS, $ap_long

	.data
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
	.quad 0x00cf9b000000ffff	/* 32-bit code */
boot_gdt_pointer:
	.word 31
	.quad boot_gdt
	.global multiboot_info
multiboot_info:
	.long 0
	.balign 4
	.global ap_next
ap_next:
	.long 1
ap_small_stack_lock:
	.long 0

	.bss
	.balign 4096
	.global boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_directory:
	.skip 4 * 4096
boot_stack:
	.skip 4 * STACK_SIZE
boot_stack_end:
	/* CPU n's stack ends at ap_stacks + n * STACK_SIZE. */
ap_stacks:
	.skip MAX_CPUS * STACK_SIZE
	.skip 64
ap_small_stack_end:
	.skip 16
	.section .note.GNU-stack, "", @progbits
