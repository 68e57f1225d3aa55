/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few lines of machine code around the instruction load and store all registers. */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tests/unit/emulate/native.h"

#define CODE_SIZE 4096

static u8 *page;	     /* code, then on the next page its data */
static struct native_state *live; /* what the code loads and stores */
static u64 *host_rsp;
static sigjmp_buf out;

static u8 *emit(u8 *p, const void *bytes, unsigned n)
{
	memcpy(p, bytes, n);
	return p + n;
}

/* A MOV between a register and a 64-bit variable, RIP-relative. */
static u8 *emit_mov(u8 *p, bool load, unsigned reg, const void *variable)
{
	s32 displacement;

	*p++ = 0x48 | (reg >= 8 ? 4 : 0);
	*p++ = load ? 0x8b : 0x89;
	*p++ = 5 | (reg & 7) << 3;
	displacement = (const u8 *)variable - (p + 4);
	return emit(p, &displacement, 4);
}

static const u8 save_host[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
static const u8 restore_host[] = { 0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c,
				   0x5d, 0x5b, 0xc3 };

static void build64(const u8 *code, unsigned length)
{
	u8 *p = emit(page, save_host, sizeof(save_host));
	unsigned i;

	p = emit_mov(p, false, 4, host_rsp);
	p = emit_mov(p, true, 0, &live->flags);
	*p++ = 0x50; /* push %rax */
	*p++ = 0x9d; /* popfq */
	for (i = 0; i < 16; i++)
		p = emit_mov(p, true, i, &live->gpr[i]);
	p = emit(p, code, length);
	for (i = 0; i < 16; i++)
		p = emit_mov(p, false, i, &live->gpr[i]);
	p = emit_mov(p, true, 4, host_rsp);
	*p++ = 0x9c; /* pushfq */
	*p++ = 0x58; /* pop %rax */
	p = emit_mov(p, false, 0, &live->flags);
	emit(p, restore_host, sizeof(restore_host));
}

/* An instruction of one or two bytes with a 32-bit absolute operand. */
static u8 *emit_absolute(u8 *p, unsigned opcode, int modrm, const void *address)
{
	u32 value = (u64)address;

	*p++ = opcode;
	if (modrm >= 0)
		*p++ = modrm;
	return emit(p, &value, 4);
}

/* Linux's selectors for user code: 0x33 is 64-bit code, 0x2b data. */
static void build32(const u8 *code, unsigned length)
{
	/* push $NATIVE_CODE32; push %rax; lretq */
	static const u8 go_32[] = { 0x6a, NATIVE_CODE32, 0x50, 0x48, 0xcb };
	/* mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es */
	static const u8 set_data[] = { 0xb8, 0x2b, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0 };
	const u8 *scratch = page + 2 * CODE_SIZE - 64; /* a stack for PUSHF and POPF */
	u8 *p = emit(page, save_host, sizeof(save_host)), *patch;
	unsigned i;
	u32 value;

	p = emit_mov(p, false, 4, host_rsp);
	patch = p;
	p = emit_absolute(p, 0xb8, -1, NULL); /* mov $address, %eax */
	p = emit(p, go_32, sizeof(go_32));
	value = (u64)p;
	memcpy(patch + 1, &value, 4);
	p = emit(p, set_data, sizeof(set_data));
	p = emit_absolute(p, 0xbc, -1, scratch); /* mov $scratch, %esp */
	p = emit_absolute(p, 0xff, 0x35, &live->flags); /* pushl flags */
	*p++ = 0x9d; /* popf */
	for (i = 0; i < 8; i++)
		p = emit_absolute(p, 0x8b, 5 | i << 3, &live->gpr[i]);
	p = emit(p, code, length);
	for (i = 0; i < 8; i++)
		p = emit_absolute(p, 0x89, 5 | i << 3, &live->gpr[i]);
	p = emit_absolute(p, 0xbc, -1, scratch);
	*p++ = 0x9c; /* pushf */
	p = emit_absolute(p, 0x8f, 0x05, &live->flags); /* popl flags */
	p = emit_absolute(p, 0xea, -1, p + 7); /* ljmp $0x33, $next */
	*p++ = 0x33;
	*p++ = 0;
	p = emit_mov(p, true, 4, host_rsp);
	emit(p, restore_host, sizeof(restore_host));
}

static void handle(int signal)
{
	__asm__ volatile("cld");
	siglongjmp(out, signal);
}

void native__catch(void)
{
	static const int signals[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGTRAP };
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(signals); i++)
		sigaction(signals[i], &action, NULL);
}

void native__init(void)
{
	static u8 signal_stack[65536];
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };

	page = mmap(NULL, 2 * CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (page == MAP_FAILED || sigaltstack(&stack, NULL))
		abort();
	live = (struct native_state *)(page + CODE_SIZE);
	host_rsp = (u64 *)(live + 1);
}

int native__run(const u8 *code, unsigned length, unsigned code_size, struct native_state *state)
{
	void (*run)(void);
	int signal;

	*live = *state;
	if (code_size == 8)
		build64(code, length);
	else
		build32(code, length);
	*(void **)&run = page;
	signal = sigsetjmp(out, 1);
	if (signal)
		return signal;
	run();
	*state = *live;
	return 0;
}
