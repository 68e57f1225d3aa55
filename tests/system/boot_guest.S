/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that says on COM1 what it was handed at its start, then ends the machine through the
 * debug-exit port with 21H. It has a Multiboot 1 header and a PVH note, and is built as ELF32 and
 * as ELF64: 32-bit code both times, as both protocols start it.
 */
#define COM1 0x3f8
#define DEBUG_EXIT 0xf4

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00000003 /* aligned modules, memory information */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.code32
	.text
	.balign 4
	.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long pvh_start

	.bss
	.balign 16
	.skip 4096
stack_top:

	.data
zeroed_data:
	.long 0

	.text
/* Prints a text that is given in line. */
.macro say text
	.pushsection .rodata
1:	.asciz "\text"
	.popsection
	mov $1b, %esi
	call print
.endm

/* Prints a key and a number of 32 bits. */
.macro show key, value
	mov \value, %eax
	push %eax
	say "\key "
	pop %eax
	call print_hex
	say "\n"
.endm

	.globl _start
_start:	/* Multiboot: EAX has the magic number, EBX the information */
	mov $stack_top, %esp
	mov %eax, %ebp
	say "protocol multiboot\n"
	show "magic", %ebp
	call show_cpu
	say "loader "
	mov 64(%ebx), %esi
	call print
	say "\ncmdline "
	mov 16(%ebx), %esi
	call print
	say "\n"
	show "lower", 4(%ebx)
	show "upper", 8(%ebx)
	mov 48(%ebx), %edi	/* entries, each with the size of its rest before it */
	mov 44(%ebx), %ecx
	add %edi, %ecx
multiboot_map:
	cmp %ecx, %edi
	jae multiboot_module
	lea 4(%edi), %edx
	mov 20(%edi), %ebp
	call show_range
	add (%edi), %edi
	add $4, %edi
	jmp multiboot_map
multiboot_module:
	testl $8, (%ebx)
	jz done
	cmpl $1, 20(%ebx)
	jne done
	mov 24(%ebx), %edi
	say "string "
	mov 8(%edi), %esi
	call print
	say "\n"
	mov (%edi), %esi
	mov 4(%edi), %ecx
	sub %esi, %ecx
	call show_module
	jmp done

	.globl pvh_start
pvh_start: /* PVH: EBX has the start info */
	mov $stack_top, %esp
	say "protocol pvh\n"
	show "magic", (%ebx)
	show "version", 4(%ebx)
	call show_cpu
	say "cmdline "
	mov 24(%ebx), %esi
	call print
	say "\n"
	mov 32(%ebx), %edi	/* "RSD PTR " */
	show "rsdp", (%edi)
	mov 40(%ebx), %edi
	mov 48(%ebx), %ecx
pvh_map:
	jecxz pvh_module
	mov %edi, %edx
	mov 16(%edi), %ebp
	call show_range
	add $24, %edi
	dec %ecx
	jmp pvh_map
pvh_module:
	cmpl $1, 12(%ebx)
	jne done
	mov 16(%ebx), %edi
	mov (%edi), %esi
	mov 8(%edi), %ecx
	call show_module

done:
	cmpl $0, zeroed_data
	jne 1f
	say "end\n"
1:	mov $0x21, %eax
	out %eax, $DEBUG_EXIT
	hlt

/* CR0, flags, code and data selectors' limits. */
show_cpu:
	mov %cr0, %eax
	show "cr0", %eax
	pushf
	pop %eax
	show "eflags", %eax
	mov %cs, %eax
	lsl %eax, %eax
	show "code", %eax
	mov %ds, %eax
	lsl %eax, %eax
	show "data", %eax
	ret

/* EDX: start and size of 64 bits each; EBP: type. */
show_range:
	push %ecx
	say "map "
	mov 4(%edx), %eax
	call print_hex
	mov (%edx), %eax
	call print_hex
	say " "
	mov 12(%edx), %eax
	call print_hex
	mov 8(%edx), %eax
	call print_hex
	say " "
	mov %ebp, %eax
	call print_hex
	say "\n"
	pop %ecx
	ret

/* ESI: start, ECX: bytes. Says both, and the sum of the bytes. */
show_module:
	mov %esi, %edi
	show "module", %edi
	show "size", %ecx
	xor %eax, %eax
	xor %edx, %edx
2:	jecxz 3f
	mov (%edi), %al
	add %eax, %edx
	inc %edi
	dec %ecx
	jmp 2b
3:	show "sum", %edx
	ret

/* ESI: text with a NUL. */
print:
	push %edx
	mov $COM1, %edx
4:	lodsb
	test %al, %al
	jz 5f
	out %al, %dx
	jmp 4b
5:	pop %edx
	ret

/* EAX as eight digits. */
print_hex:
	push %ecx
	push %edx
	push %eax
	mov $8, %ecx
	mov $COM1, %edx
6:	roll $4, (%esp)
	mov (%esp), %eax
	and $15, %eax
	mov digits(%eax), %al
	out %al, %dx
	loop 6b
	pop %eax
	pop %edx
	pop %ecx
	ret

	.section .rodata
digits:	.ascii "0123456789abcdef"
	.section .note.GNU-stack, "", @progbits
