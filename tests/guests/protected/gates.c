/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments and gates in 32-bit protected mode: limits, call gates with change of privilege and
 * parameters, conforming code, outer returns, the query instructions (SDM vol. 3, chapter 5).
 */
#include "tests/guests/lib/protected/mark.h"

#define DATA(limit, attributes) segment__descriptor(0, limit, attributes)

static u32 word_at __attribute__((used));

static void check_limits(void)
{
	static u8 area[4096] __attribute__((aligned(4096)));
	u32 base = (u32)area;

	SPARE_DESCRIPTOR(0) = segment__descriptor(base, 0xff, 0x4093);
	__asm__ volatile("mov %0, %%fs" : : "r"(SPARE(0)));
	EXPECT_NONE("movl %%fs:0xfc, %%eax", "last dword in limit");
	EXPECT("movl %%fs:0xfd, %%eax", TRAP(X86_GP, 0), 0, "dword over the limit");
	EXPECT("movb %%al, %%fs:0x100", TRAP(X86_GP, 0), 0, "byte behind the limit");
	EXPECT("movl %%fs:0xffffffff, %%eax", TRAP(X86_GP, 0), 0, "offset -1");
	/* Expand-down: offsets above the limit, up to 4 GiB with B, 64 KiB without. */
	SPARE_DESCRIPTOR(0) = segment__descriptor(0, 0xffff, 0x4097);
	__asm__ volatile("mov %0, %%fs" : : "r"(SPARE(0)));
	EXPECT("movl %%fs:0xffff, %%eax", TRAP(X86_GP, 0), 0, "expand-down: at the limit");
	EXPECT_NONE("movl %%fs:0x10000, %%eax", "expand-down: above the limit");
	SPARE_DESCRIPTOR(0) = segment__descriptor(0, 0xfff, 0x0097);
	__asm__ volatile("mov %0, %%fs" : : "r"(SPARE(0)));
	EXPECT_NONE("movl %%fs:0xfffc, %%eax", "16-bit expand-down: last dword");
	EXPECT("movl %%fs:0xfffd, %%eax", TRAP(X86_GP, 0), 0, "16-bit expand-down: over 64 KiB");
	EXPECT("movl %%fs:0x10000, %%eax", TRAP(X86_GP, 0), 0, "16-bit expand-down: above 64 KiB");
	SPARE_DESCRIPTOR(0) = DATA(0xfffff, 0xc091);
	__asm__ volatile("mov %0, %%fs" : : "r"(SPARE(0)));
	EXPECT("movl %%eax, %%fs:word_at", TRAP(X86_GP, 0), 0, "write to a read-only segment");
	SPARE_DESCRIPTOR(0) = DATA(0xfffff, 0xc09b);
	__asm__ volatile("mov %0, %%fs" : : "r"(SPARE(0)));
	EXPECT_NONE("movl %%fs:word_at, %%eax", "read of a code segment");
	EXPECT("movl %%eax, %%fs:word_at", TRAP(X86_GP, 0), 0, "write to a code segment");
	EXPECT("movl %%eax, %%cs:word_at", TRAP(X86_GP, 0), 0, "write through CS");
	__asm__ volatile("mov %0, %%fs" : : "r"(0));
	EXPECT("movl %%fs:word_at, %%eax", TRAP(X86_GP, 0), 0, "use of a null segment");
}

static void check_null_and_types(void)
{
	EXPECT("movl $0x38, %%ecx; movl %%ecx, %%fs", TRAP(X86_GP, 0x38), 5, "system segment in FS");
	EXPECT("movl $0x8, %%ecx; movl %%ecx, %%ss", TRAP(X86_GP, 8), 5, "code segment in SS");
	EXPECT("xorl %%ecx, %%ecx; movl %%ecx, %%ss", TRAP(X86_GP, 0), 2, "null SS");
	EXPECT("movl $0x23, %%ecx; movl %%ecx, %%ss", TRAP(X86_GP, 0x20), 5, "outer SS");
	SPARE_DESCRIPTOR(0) = DATA(0xfffff, 0xc013);
	EXPECT("movl $0x40, %%ecx; movl %%ecx, %%gs", TRAP(X86_NP, 0x40), 5, "absent GS");
	EXPECT("movl $0x40, %%ecx; movl %%ecx, %%ss", TRAP(X86_SS_FAULT, 0x40), 5, "absent SS");
	EXPECT("ljmp $0x10, $0", TRAP(X86_GP, 0x10), 0, "far jump to data");
	EXPECT("ljmp $0, $0", TRAP(X86_GP, 0), 0, "far jump to null");
	EXPECT("ljmp $0x1b, $0", TRAP(X86_GP, 0x18), 0, "far jump to outer code");
	EXPECT("lcall $0x400, $0", TRAP(X86_GP, 0x400), 0, "far call behind the GDT");
	SPARE_DESCRIPTOR(0) = DATA(0xfffff, 0xc01b);
	EXPECT("ljmp $0x40, $0", TRAP(X86_NP, 0x40), 0, "far jump to absent code");
	SPARE_DESCRIPTOR(0) = DATA(0xff, 0x409b);
	EXPECT("ljmp $0x40, $0x100", TRAP(X86_GP, 0), 0, "far jump over the limit");
}

/* ---- call gates ---- */

static u32 seen[8] __attribute__((used));

/* Notes CS, SS, ESP and what lies on the stack, then returns over the parameters. */
extern char gate_entry[], gate_entry16[], conforming_entry[];
__asm__(".text\n"
	"gate_entry: mov %cs, %eax; mov %eax, %ss:seen; mov %ss, %eax; mov %eax, %ss:seen+4;"
	"mov %esp, %ss:seen+8; mov 4(%esp), %eax; mov %eax, %ss:seen+12; mov 8(%esp), %eax;"
	"mov %eax, %ss:seen+16; mov 12(%esp), %eax; mov %eax, %ss:seen+20; mov 20(%esp), %eax;"
	"mov %eax, %ss:seen+24; lret $8\n"
	"gate_entry16: mov %esp, %ss:seen; movzwl 2(%esp), %eax; mov %eax, %ss:seen+4; add $4, %esp;"
	"ljmp $0x08, $gate16_back\n"
	"conforming_entry: mov %cs, %eax; mov %eax, %ss:seen; lret\n");

static void user_call_gate(u32 arg)
{
	__asm__ volatile("push $0x11111111; push $0x22222222; lcall $0x43, $0x12345678"
			 : : : "eax", "memory");
}

static void user_call_conforming(u32 arg)
{
	__asm__ volatile("lcall $0x4b, $conforming_entry" : : : "eax", "memory");
}

static void user_jump_gate(u32 arg)
{
	__asm__ volatile("ljmp $0x43, $0" : : : "eax", "memory");
}

static void check_call_gates(void)
{
	memset(seen, 0, sizeof(seen));
	SPARE_DESCRIPTOR(0) = segment__gate(KERNEL_CS, (u32)gate_entry, 0xec, 2);
	check__equal(trap__code(user__call(user_call_gate, 0)), NO_TRAP_CODE, "call gate from CPL 3");
	check__equal(seen[0], KERNEL_CS, "call gate: CS");
	check__equal(seen[1], KERNEL_DS, "call gate: SS");
	check__equal(tss.esp0 - seen[2], 24, "call gate: stack from the TSS");
	check__equal(seen[3], USER_CS, "call gate: return CS");
	check__equal(seen[4], 0x22222222, "call gate: second parameter");
	check__equal(seen[5], 0x11111111, "call gate: first parameter");
	check__equal(seen[6], USER_DS, "call gate: outer SS");

	SPARE_DESCRIPTOR(0) = segment__gate(KERNEL_CS, (u32)gate_entry, 0x8c, 2);
	check__equal(trap__code(user__call(user_call_gate, 0)), TRAP(X86_GP, 0x40),
		     "call gate of DPL 0 from CPL 3");
	SPARE_DESCRIPTOR(0) = segment__gate(KERNEL_CS, (u32)gate_entry, 0x6c, 2);
	check__equal(trap__code(user__call(user_call_gate, 0)), TRAP(X86_NP, 0x40),
		     "absent call gate");
	SPARE_DESCRIPTOR(0) = segment__gate(KERNEL_DS, (u32)gate_entry, 0xec, 2);
	check__equal(trap__code(user__call(user_call_gate, 0)), TRAP(X86_GP, KERNEL_DS),
		     "call gate to data");
	SPARE_DESCRIPTOR(0) = segment__gate(0, (u32)gate_entry, 0xec, 2);
	check__equal(trap__code(user__call(user_call_gate, 0)), TRAP(X86_GP, 0), "call gate to null");
	SPARE_DESCRIPTOR(0) = segment__gate(KERNEL_CS, (u32)gate_entry, 0xec, 0);
	check__equal(trap__code(user__call(user_jump_gate, 0)), TRAP(X86_GP, KERNEL_CS),
		     "jump through a gate can't change the privilege");
	/* From CPL 0: no change of stack, no copy. */
	EXPECT_NONE("push $0; push $0; lcall $0x40, $0", "call gate at CPL 0");
	check__equal(seen[3], KERNEL_CS, "call gate at CPL 0: return CS");
	/* A 16-bit gate has 16 bits of offset: over a segment based where the code is. */
	SPARE_DESCRIPTOR(2) = segment__descriptor((u32)gate_entry16 & ~0xffffU, 0xfffff, 0xc09b);
	SPARE_DESCRIPTOR(0) = segment__gate(SPARE(2), (u32)gate_entry16 & 0xffff, 0x84, 0);
	/* It pushes 16-bit CS:IP, which the code returns over by itself. */
	__asm__ volatile("mov %%esp, mark; lcall $0x40, $0; .global gate16_back; gate16_back:" : : : MARK_CLOBBERS);
	check__equal(mark - seen[0], 4, "16-bit call gate pushes 4 bytes");
	check__equal(seen[1], KERNEL_CS, "16-bit call gate: return CS");
}

static void check_conforming(void)
{
	memset(seen, 0, sizeof(seen));
	SPARE_DESCRIPTOR(1) = DATA(0xfffff, 0xc09f); /* conforming, DPL 0 */
	check__equal(trap__code(user__call(user_call_conforming, 0)), NO_TRAP_CODE,
		     "conforming code from CPL 3");
	check__equal(seen[0], SPARE(1) | 3, "conforming code runs at the caller's level");
	SPARE_DESCRIPTOR(1) = DATA(0xfffff, 0xc0ff);
	EXPECT("lcall $0x48, $conforming_entry", TRAP(X86_GP, 0x48), 0,
	       "conforming code of an outer level");
}

/* A far return outwards nulls data segments the outer level must not have. */
static void check_outer_return(void)
{
	extern char outer_target[];
	unsigned vector;

	SPARE_DESCRIPTOR(0) = DATA(0xfffff, 0xc093);
	SPARE_DESCRIPTOR(1) = DATA(0xfffff, 0xc09f); /* conforming code stays */
	vector = TRY(__asm__ volatile("mov %0, %%fs; mov %1, %%gs; push %2; push %3; push %4; push %5;"
				      "mov %6, %%ds; mov %6, %%es; lret; .global outer_target;"
				      "outer_target: int $0x80"
				      : : "r"(SPARE(0)), "r"(SPARE(1)), "i"(USER_DS), "r"(tss.esp0 - 4096),
					"i"(USER_CS), "i"(outer_target), "r"(USER_DS)
				      : "memory"));
	check__equal(vector, USER_EXIT_VECTOR, "far return to CPL 3");
	check__equal(trap()->frame.cs, USER_CS, "far return: CS");
	check__equal(trap()->frame.fs, 0, "far return nulls an inner segment");
	check__equal(trap()->frame.gs, SPARE(1), "far return leaves conforming code");
	check__equal(trap()->frame.ds, USER_DS, "far return leaves an outer segment");
	__asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
}

static void check_queries(void)
{
	static const struct {
		u16 attributes;
		bool code, lar, read, write;
	} row[] = {
		{ 0xc093, false, true, true, true },   { 0xc091, false, true, true, false },
		{ 0xc09b, true, true, true, false },   { 0xc099, true, true, false, false },
		{ 0xc013, false, true, true, true },   { 0x0089, false, true, false, false },
		{ 0x008c, false, true, false, false }, { 0x008e, false, false, false, false },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(row); i++) {
		u32 rights = 0xdead, limit = 0xdead;
		u8 lar, lsl, verr, verw;

		SPARE_DESCRIPTOR(0) = DATA(0x12345, row[i].attributes);
		__asm__ volatile("lar %4, %0; setz %1; verr %w4; setz %2; verw %w4; setz %3"
				 : "+r"(rights), "=m"(lar), "=m"(verr), "=m"(verw)
				 : "r"(SPARE(0)) : "cc");
		__asm__ volatile("lsl %2, %0; setz %1" : "+r"(limit), "=m"(lsl) : "r"(SPARE(0)) : "cc");
		check__equal(lar, row[i].lar, "LAR of type %x", row[i].attributes);
		if (row[i].lar)
			check__equal(rights & 0xf0ff00, row[i].attributes << 8 & 0xf0ff00,
				     "LAR rights of type %x", row[i].attributes);
		check__equal(verr, row[i].read, "VERR of type %x", row[i].attributes);
		check__equal(verw, row[i].write, "VERW of type %x", row[i].attributes);
		check__equal(lsl, row[i].lar && row[i].attributes != 0x008c, "LSL of type %x",
			     row[i].attributes);
		if (lsl)
			check__equal(limit, row[i].attributes & 0x8000 ? 0x12345fff : 0x12345,
				     "LSL limit of type %x", row[i].attributes);
	}
	{
		u16 a = 0x10, b = 0x23;
		u8 zf;

		__asm__ volatile("arpl %w2, %w0; setz %1" : "+r"(a), "=m"(zf) : "r"(b) : "cc");
		check__equal(a | zf << 16, 0x10013, "ARPL raises RPL");
		__asm__ volatile("arpl %w2, %w0; setz %1" : "+r"(a), "=m"(zf) : "r"((u16)0x11) : "cc");
		check__equal(a | zf << 16, 0x13, "ARPL leaves RPL");
	}
}

static void user_iret(u32 arg)
{
	__asm__ volatile("pushf; push $0x8; push $user_return; iret" : : : "memory");
}

static void user_out(u32 port)
{
	__asm__ volatile("out %%al, %%dx" : : "d"(port), "a"(0));
}

static void user_out32(u32 port)
{
	__asm__ volatile("out %%eax, %%dx" : : "d"(port), "a"(0));
}

static void user_cli(u32 arg)
{
	__asm__ volatile("cli; sti");
}

static void check_user(void)
{
	struct user_state state;

	check__equal(trap__code(user__call(user_iret, 0)), TRAP(X86_GP, 8), "IRET to an inner level");
	check__equal(trap__code(user__call(user_out, 0x80)), TRAP(X86_GP, 0), "OUT, bitmap set");
	tss.map[0x80 / 8] &= ~1;
	check__equal(trap__code(user__call(user_out, 0x80)), NO_TRAP_CODE, "OUT, bitmap clear");
	check__equal(trap__code(user__call(user_out, 0x81)), TRAP(X86_GP, 0), "OUT, next port");
	check__equal(trap__code(user__call(user_out32, 0x80)), TRAP(X86_GP, 0),
		     "OUT of four ports, one clear");
	tss.map[0x80 / 8] = 0xf0;
	check__equal(trap__code(user__call(user_out32, 0x80)), NO_TRAP_CODE,
		     "OUT of four ports, all clear");
	tss.map[0x80 / 8] = 0x7f;
	tss.map[0x88 / 8] = 0xfe;
	check__equal(trap__code(user__call(user_out32, 0x87)), TRAP(X86_GP, 0),
		     "OUT of four ports over a byte of the bitmap");
	tss.map[0x80 / 8] = tss.map[0x88 / 8] = 0xff;
	user__state(&state, user_out, 0x80);
	state.eflags |= RFLAGS_IOPL;
	check__equal(trap__code(user__run(&state)), NO_TRAP_CODE, "OUT with IOPL 3");
	check__equal(trap__code(user__call(user_cli, 0)), TRAP(X86_GP, 0), "CLI with IOPL 0");
	user__state(&state, user_cli, 0);
	state.eflags |= RFLAGS_IOPL;
	check__equal(trap__code(user__run(&state)), NO_TRAP_CODE, "CLI with IOPL 3");
	tss.io_map = 0xffff;
	check__equal(trap__code(user__call(user_out, 0x80)), TRAP(X86_GP, 0),
		     "OUT, bitmap behind the limit");
	tss.io_map = offsetof(struct tss, map);
}

static void check_legacy_exceptions(void)
{
	static u32 bounds[2] __attribute__((used)) = { 5, 9 };

	EXPECT("movl $0x7fffffff, %%eax; addl $1, %%eax; into", TRAP(X86_OF, 0), 9, "INTO");
	EXPECT_NONE("xorl %%eax, %%eax; into", "INTO without overflow");
	__asm__ volatile("movl %0, word_at" : : "r"(bounds));
	EXPECT("movl word_at, %%ecx; movl $10, %%eax; bound %%eax, (%%ecx)", TRAP(X86_BR, 0), 11,
	       "BOUND above");
	EXPECT("movl word_at, %%ecx; movl $4, %%eax; bound %%eax, (%%ecx)", TRAP(X86_BR, 0), 11,
	       "BOUND below");
	EXPECT_NONE("movl word_at, %%ecx; movl $9, %%eax; bound %%eax, (%%ecx)", "BOUND at the end");
	EXPECT("xorl %%eax, %%eax; .byte 0xd4, 0", TRAP(X86_DE, 0), 2, "AAM by 0");
	EXPECT("int $0x31", TRAP(0x31, 0), 2, "INT 31H");
	idt[0x31].type = 0x0e;
	EXPECT("int $0x31", TRAP(X86_NP, 0x31 * 8 + 2), 0, "INT through an absent gate");
	idt[0x31].type = 0x8e;
}

int main(void)
{
	trap__set_gate(X86_DF, 0xe, 0);
	check_limits();
	check_null_and_types();
	check_call_gates();
	check_conforming();
	check_outer_return();
	check_queries();
	check_user();
	check_legacy_exceptions();
	return 0;
}
