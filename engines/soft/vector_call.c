/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way into a stub and out of it: in assembly, because registers and flags must be exact.
 *
 * An exception inside a stub makes the signal handler (vector_fault.c) continue at the _fault
 * label that belongs to the stub's return address, with the vector in EAX and RSP as in the stub.
 */
#include "engines/soft/vector_stub.h"

#define OFFSET_MEM 0
#define OFFSET_GPR_IN 8
#define OFFSET_GPR_OUT 16
#define OFFSET_RAX 24
#define OFFSET_RCX 32
#define OFFSET_RDX 40
#define OFFSET_ARITH 48

#define CHECK(field, offset)                                                                       \
	_Static_assert(offsetof(struct vector_call, field) == offset, "known to the code below")
CHECK(mem, OFFSET_MEM);
CHECK(gpr_in, OFFSET_GPR_IN);
CHECK(gpr_out, OFFSET_GPR_OUT);
CHECK(rax, OFFSET_RAX);
CHECK(rcx, OFFSET_RCX);
CHECK(rdx, OFFSET_RDX);
CHECK(arith, OFFSET_ARITH);

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define FIELD(name) TEXT(OFFSET_##name) "(%rbx)"
#define GLOBAL(name) ".globl " #name "\n.type " #name ", @function\n" #name ":\n"

__asm__(".pushsection .text\n"
	/* EDI: memory operand, RSI: stub */
	GLOBAL(stub__call_plain)
	"	sub $8, %rsp\n"
	"	call *%rsi\n"
	GLOBAL(stub__plain_return)
	"	xor %eax, %eax\n"
	"	add $8, %rsp\n"
	"	ret\n"
	GLOBAL(stub__plain_fault)
	"	add $16, %rsp\n"
	"	ret\n"
	/* RDI: struct vector_call, RSI: stub. Flags are loaded only if any are given. */
	GLOBAL(stub__call_full)
	"	push %rbx\n"
	"	mov %rdi, %rbx\n"
	"	mov " FIELD(ARITH) ", %rax\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	push %rax\n"
	"	popfq\n"
	"1:	mov " FIELD(GPR_IN) ", %rcx\n"
	"	mov " FIELD(RAX) ", %rax\n"
	"	mov " FIELD(RDX) ", %rdx\n"
	"	mov " FIELD(MEM) ", %rdi\n"
	"	call *%rsi\n"
	GLOBAL(stub__full_return)
	"	pushfq\n"
	"	pop " FIELD(ARITH) "\n"
	"	mov %rax, " FIELD(RAX) "\n"
	"	mov %rcx, " FIELD(GPR_OUT) "\n"
	"	mov %rcx, " FIELD(RCX) "\n"
	"	xor %eax, %eax\n"
	"	pop %rbx\n"
	"	ret\n"
	GLOBAL(stub__full_fault)
	"	add $8, %rsp\n"
	"	pop %rbx\n"
	"	ret\n"
	".popsection\n");
