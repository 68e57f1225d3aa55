/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What integer instructions leave behind when they fault, cross pages, meet devices, or run into
 * limits: all that a comparison with one process's CPU can't show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/emulate/guest.h"

#define EXECUTE(...)                                                                               \
	({                                                                                         \
		static const u8 code_[] = { __VA_ARGS__ };                                         \
		guest__execute(code_, sizeof(code_));                                              \
	})

static struct x86_cpu *cpu;

static void start(unsigned code_size)
{
	guest__reset(code_size);
	memset(guest_ram, 0, GUEST_RAM_SIZE);
	cpu = &guest_vcpu->cpu;
	cpu->rip = 0x1000;
}

/* Paging on, with page 5 of RAM not present. */
static void start_with_hole(void)
{
	start(8);
	guest__enable_paging();
	guest__set_page(5, 0);
}

static void assert_exception(enum x86_vector vector, u32 error)
{
	assert_true(guest_vcpu->exception.pending);
	assert_int_equal(guest_vcpu->exception.vector, vector);
	assert_int_equal(guest_vcpu->exception.error, error);
}

static void assert_page_fault(u64 address, u32 error)
{
	assert_exception(X86_PF, error);
	assert_int_equal(guest_vcpu->exception.payload, address);
}

static void push_that_faults_keeps_rsp(void **state)
{
	start_with_hole();
	cpu->gpr[X86_RSP] = guest__page(6);
	assert_int_equal(EXECUTE(0x50), EXEC_FAULT); /* push %rax */
	assert_int_equal(cpu->gpr[X86_RSP], guest__page(6));
	assert_page_fault(guest__page(6) - 8, PFERR_WRITE);
}

static void call_that_faults_keeps_rip(void **state)
{
	start_with_hole();
	cpu->gpr[X86_RSP] = guest__page(6);
	assert_int_equal(EXECUTE(0xe8, 0, 1, 0, 0), EXEC_FAULT);
	assert_int_equal(cpu->gpr[X86_RSP], guest__page(6));
	assert_int_equal(cpu->rip, 0x1000);
}

static void pop_to_memory_that_faults_keeps_rsp(void **state)
{
	start_with_hole();
	cpu->gpr[X86_RSP] = guest__page(4);
	cpu->gpr[X86_RBX] = guest__page(5) + 16;
	assert_int_equal(EXECUTE(0x8f, 0x03), EXEC_FAULT); /* pop (%rbx) */
	assert_int_equal(cpu->gpr[X86_RSP], guest__page(4));
	assert_page_fault(guest__page(5) + 16, PFERR_WRITE);
}

static void pop_is_addressed_with_the_new_rsp(void **state)
{
	u64 value = 0x1122334455667788;

	start(8);
	cpu->gpr[X86_RSP] = guest__page(4);
	memcpy((void *)guest__page(4), &value, 8);
	assert_int_equal(EXECUTE(0x8f, 0x44, 0x24, 0x10), EXEC_NEXT); /* pop 16(%rsp) */
	assert_int_equal(cpu->gpr[X86_RSP], guest__page(4) + 8);
	assert_memory_equal((void *)(guest__page(4) + 24), &value, 8);
}

static void enter_that_faults_keeps_registers(void **state)
{
	start_with_hole();
	cpu->gpr[X86_RSP] = guest__page(6) + 16;
	cpu->gpr[X86_RBP] = guest__page(8);
	assert_int_equal(EXECUTE(0xc8, 0x20, 0x00, 0x00), EXEC_FAULT); /* enter $32, $0 */
	assert_int_equal(cpu->gpr[X86_RSP], guest__page(6) + 16);
	assert_int_equal(cpu->gpr[X86_RBP], guest__page(8));
	assert_page_fault(guest__page(6) - 24, PFERR_WRITE);
}

static void modification_across_a_hole_changes_nothing(void **state)
{
	start_with_hole();
	memset((void *)guest__page(4), 0x55, PAGE_SIZE_4K);
	cpu->gpr[X86_RBX] = guest__page(5) - 2;
	cpu->gpr[X86_RAX] = ~0ULL;
	cpu->arith = RFLAGS_CF;
	assert_int_equal(EXECUTE(0x01, 0x03), EXEC_FAULT); /* add %eax, (%rbx) */
	assert_page_fault(guest__page(5), PFERR_WRITE);
	assert_int_equal(*(u16 *)(guest__page(5) - 2), 0x5555);
	assert_int_equal(cpu->arith, RFLAGS_CF);
	assert_int_equal(EXECUTE(0xf0, 0x0f, 0xc1, 0x03), EXEC_FAULT); /* lock xadd */
	assert_int_equal(cpu->gpr[X86_RAX], ~0ULL);
}

static void modification_of_a_read_only_page_faults(void **state)
{
	start_with_hole();
	guest__set_page(5, guest__page(5) | PTE_P | PTE_U);
	cpu->gpr[X86_RBX] = guest__page(5);
	assert_int_equal(EXECUTE(0x8b, 0x03), EXEC_NEXT); /* mov (%rbx), %eax */
	assert_int_equal(EXECUTE(0x01, 0x03), EXEC_FAULT);
	assert_page_fault(guest__page(5), PFERR_WRITE | PFERR_PRESENT);
	/* A comparison that fails writes as well. */
	assert_int_equal(EXECUTE(0x0f, 0xb1, 0x0b), EXEC_FAULT); /* cmpxchg %ecx, (%rbx) */
}

static void locked_operation_may_cross_a_page(void **state)
{
	u64 value = 5;

	start(8);
	memcpy((void *)(guest__page(5) - 3), &value, 8);
	cpu->gpr[X86_RBX] = guest__page(5) - 3;
	cpu->gpr[X86_RAX] = 7;
	assert_int_equal(EXECUTE(0xf0, 0x48, 0x0f, 0xc1, 0x03), EXEC_NEXT); /* lock xadd */
	assert_int_equal(cpu->gpr[X86_RAX], 5);
	memcpy(&value, (void *)(guest__page(5) - 3), 8);
	assert_int_equal(value, 12);
	assert_int_equal(EXECUTE(0x48, 0x87, 0x03), EXEC_NEXT); /* xchg */
	assert_int_equal(cpu->gpr[X86_RAX], 12);
}

/* Executes until it is finished or faults. */
static enum exec_result execute_all(const u8 *code, unsigned length, unsigned *times)
{
	enum exec_result result;

	*times = 0;
	do {
		result = guest__execute(code, length);
		++*times;
	} while (result == EXEC_AGAIN && *times < 10000);
	return result;
}

static void repeated_copy_stops_exactly_at_a_fault(void **state)
{
	static const u8 rep_movsw[] = { 0xf3, 0x66, 0xa5 };
	unsigned times, i;

	start_with_hole();
	for (i = 0; i < PAGE_SIZE_4K; i++)
		guest_ram[3 * PAGE_SIZE_4K + i] = i * 7;
	cpu->gpr[X86_RSI] = guest__page(3) + 1;
	cpu->gpr[X86_RDI] = guest__page(5) - 101;
	cpu->gpr[X86_RCX] = 1000;
	assert_int_equal(execute_all(rep_movsw, 3, &times), EXEC_FAULT);
	assert_page_fault(guest__page(5), PFERR_WRITE);
	/* The 51st word straddles the hole. */
	assert_int_equal(cpu->gpr[X86_RCX], 950);
	assert_int_equal(cpu->gpr[X86_RSI], guest__page(3) + 101);
	assert_int_equal(cpu->gpr[X86_RDI], guest__page(5) - 1);
	assert_memory_equal((void *)(guest__page(5) - 101), (void *)(guest__page(3) + 1), 100);
	assert_int_equal(guest_ram[5 * PAGE_SIZE_4K - 1], 0);
}

static void repeated_copy_downwards_stops_exactly_at_a_fault(void **state)
{
	static const u8 rep_movsb[] = { 0xf3, 0xa4 };
	unsigned times;

	start_with_hole();
	cpu->sysflags |= RFLAGS_DF;
	cpu->gpr[X86_RSI] = guest__page(6) + 9;
	cpu->gpr[X86_RDI] = guest__page(8);
	cpu->gpr[X86_RCX] = 100;
	assert_int_equal(execute_all(rep_movsb, 2, &times), EXEC_FAULT);
	assert_page_fault(guest__page(6) - 1, 0);
	assert_int_equal(cpu->gpr[X86_RCX], 90);
	assert_int_equal(cpu->gpr[X86_RDI], guest__page(8) - 10);
}

static void long_copies_are_done_in_few_executions(void **state)
{
	static const u8 rep_movsq[] = { 0xf3, 0x48, 0xa5 };
	unsigned times;

	start(8);
	cpu->gpr[X86_RSI] = guest__page(0);
	cpu->gpr[X86_RDI] = guest__page(6);
	cpu->gpr[X86_RCX] = 6 * PAGE_SIZE_4K / 8;
	assert_int_equal(execute_all(rep_movsq, 3, &times), EXEC_NEXT);
	assert_int_equal(cpu->gpr[X86_RCX], 0);
	assert_true(times <= 8);
}

static void repeated_copy_counts_ecx_with_32_bit_addresses(void **state)
{
	static const u8 rep_stosb[] = { 0x67, 0xf3, 0xaa };
	unsigned times;

	start(8);
	cpu->gpr[X86_RDI] = guest__page(4) | 0xffff00000000;
	cpu->gpr[X86_RCX] = 0x100000003;
	cpu->gpr[X86_RAX] = 0xee;
	assert_int_equal(execute_all(rep_stosb, 3, &times), EXEC_NEXT);
	assert_int_equal(cpu->gpr[X86_RCX], 0);
	assert_int_equal(cpu->gpr[X86_RDI], guest__page(4) + 3);
	assert_int_equal(guest_ram[4 * PAGE_SIZE_4K + 2], 0xee);
	assert_int_equal(guest_ram[4 * PAGE_SIZE_4K + 3], 0);
}

/* Of what Intel's processors clear even if nothing is done, and AMD's leave as it was. */
static void upper_halves_of_repetition_registers(void **state)
{
	static const u8 rep_movsb[] = { 0x67, 0xf3, 0xa4 }, rep_lodsb[] = { 0x67, 0xf3, 0xac };
	const u64 high = 0x1200000000;
	unsigned times, intel;

	for (intel = 0; intel < 2; intel++) {
		u64 kept = intel ? 0 : high;

		start_with_hole();
		guest_vcpu->cpuid.intel = intel;
		cpu->gpr[X86_RSI] = high | guest__page(6);
		cpu->gpr[X86_RDI] = high | guest__page(5);
		cpu->gpr[X86_RCX] = high;
		assert_int_equal(execute_all(rep_movsb, 3, &times), EXEC_NEXT);
		assert_int_equal(cpu->gpr[X86_RSI], kept | guest__page(6));
		assert_int_equal(cpu->gpr[X86_RDI], kept | guest__page(5));
		assert_int_equal(cpu->gpr[X86_RCX], kept);
		cpu->gpr[X86_RSI] = high | guest__page(5);
		cpu->gpr[X86_RCX] = high | 7;
		assert_int_equal(execute_all(rep_lodsb, 3, &times), EXEC_FAULT);
		assert_int_equal(cpu->gpr[X86_RSI], high | guest__page(5));
		assert_int_equal(cpu->gpr[X86_RCX], kept | 7);
	}
}

/* At a fault in the middle: Intel's processors have the flags from before, AMD's of the last comparison. */
static void flags_of_a_comparison_that_faults(void **state)
{
	static const u8 repz_scasb[] = { 0xf3, 0xae };
	unsigned times, intel;

	for (intel = 0; intel < 2; intel++) {
		start_with_hole();
		guest_vcpu->cpuid.intel = intel;
		cpu->gpr[X86_RDI] = guest__page(5) - 10;
		cpu->gpr[X86_RCX] = 20;
		cpu->arith = RFLAGS_CF | RFLAGS_OF;
		assert_int_equal(execute_all(repz_scasb, 2, &times), EXEC_FAULT);
		assert_page_fault(guest__page(5), 0);
		assert_int_equal(cpu->gpr[X86_RCX], 10);
		assert_int_equal(cpu->arith & RFLAGS_ARITH,
				 intel ? RFLAGS_CF | RFLAGS_OF : RFLAGS_ZF | RFLAGS_PF);
		/* At its end both have those of the last. */
		cpu->gpr[X86_RDI] = guest__page(4);
		cpu->gpr[X86_RCX] = 20;
		assert_int_equal(execute_all(repz_scasb, 2, &times), EXEC_NEXT);
		assert_int_equal(cpu->arith & RFLAGS_ARITH, RFLAGS_ZF | RFLAGS_PF);
	}
}

/* Below the stack pointer the return address stands on Intel's processors. */
static void call_to_no_address(void **state)
{
	unsigned intel;

	for (intel = 0; intel < 2; intel++) {
		start_with_hole();
		guest_vcpu->cpuid.intel = intel;
		cpu->gpr[X86_RSP] = guest__page(7);
		cpu->gpr[X86_RAX] = 0x800000000000;
		assert_int_equal(EXECUTE(0xff, 0xd0), EXEC_FAULT); /* call *%rax */
		assert_exception(X86_GP, 0);
		assert_int_equal(cpu->gpr[X86_RSP], guest__page(7));
		assert_int_equal(*(u64 *)(guest__page(7) - 8), intel ? cpu->rip + 2 : 0);
	}
}

static void single_step_sees_each_iteration(void **state)
{
	static const u8 rep_stosb[] = { 0xf3, 0xaa };
	unsigned times;

	start(8);
	cpu->sysflags |= RFLAGS_TF;
	cpu->gpr[X86_RDI] = guest__page(4);
	cpu->gpr[X86_RCX] = 5;
	assert_int_equal(execute_all(rep_stosb, 2, &times), EXEC_NEXT);
	assert_true(times >= 5);
}

/* Where no slot is, there is a device of user space. */
static void repeated_store_to_a_device_writes_one_by_one(void **state)
{
	static const u8 rep_stosw[] = { 0xf3, 0x66, 0xab };

	start(8);
	cpu->gpr[X86_RDI] = 0xd0000000;
	cpu->gpr[X86_RAX] = 0xabcd;
	cpu->gpr[X86_RCX] = 2;
	assert_int_equal(guest__execute(rep_stosw, 3), EXEC_AGAIN);
	assert_int_equal(cpu->gpr[X86_RCX], 1);
	assert_int_equal(cpu->gpr[X86_RDI], 0xd0000002);
	assert_int_equal(guest_vcpu->io.nr_writes, 1);
	assert_int_equal(guest_vcpu->io.write[0].address, 0xd0000000);
	assert_int_equal(guest_vcpu->io.write[0].size, 2);
	assert_memory_equal(guest_vcpu->io.write[0].data, "\xcd\xab", 2);
}

static void load_from_a_device_waits_for_its_answer(void **state)
{
	struct vcpu_io *io = &guest_vcpu->io;

	start(8);
	cpu->gpr[X86_RSI] = 0xd0000010;
	cpu->gpr[X86_RCX] = 3;
	assert_int_equal(EXECUTE(0xf3, 0xad), EXEC_EXIT); /* rep lodsl */
	assert_int_equal(cpu->gpr[X86_RCX], 3);
	assert_int_equal(io->want.kind, IO_MMIO);
	assert_int_equal(io->want.address, 0xd0000010);
	assert_int_equal(io->want.size, 4);
	io->answer[0] = io->want;
	memcpy(io->answer[0].data, "\x78\x56\x34\x12", 4);
	io->nr_answers = 1;
	io->next = 0;
	io->want.kind = IO_NONE;
	assert_int_equal(EXECUTE(0xf3, 0xad), EXEC_AGAIN);
	assert_int_equal(cpu->gpr[X86_RAX], 0x12345678);
	assert_int_equal(cpu->gpr[X86_RCX], 2);
}

static void non_canonical_addresses(void **state)
{
	start_with_hole();
	cpu->gpr[X86_RBX] = cpu->gpr[X86_RBP] = cpu->gpr[X86_RSP] = 0x8000000000000000;
	assert_int_equal(EXECUTE(0x8b, 0x03), EXEC_FAULT); /* (%rbx) */
	assert_exception(X86_GP, 0);
	assert_int_equal(EXECUTE(0x8b, 0x45, 0x00), EXEC_FAULT); /* (%rbp) */
	assert_exception(X86_SS_FAULT, 0);
	assert_int_equal(EXECUTE(0x01, 0x45, 0x00), EXEC_FAULT);
	assert_exception(X86_SS_FAULT, 0);
	assert_int_equal(EXECUTE(0x50), EXEC_FAULT); /* push */
	assert_exception(X86_SS_FAULT, 0);
	cpu->gpr[X86_RSP] = guest__page(4);
	assert_int_equal(EXECUTE(0xff, 0xd3), EXEC_FAULT); /* call *%rbx */
	assert_exception(X86_GP, 0);
	assert_int_equal(cpu->gpr[X86_RSP], guest__page(4));
}

/* Real-mode segments: base 16 times the selector, limit 64 KiB - 1. */
static void start_real_mode(void)
{
	unsigned i;

	start(2);
	cpu->cr0 = 0;
	for (i = 0; i < X86_NR_SEG; i++) {
		cpu->seg[i].base = (u64)guest_ram;
		cpu->seg[i].limit = 0xffff;
		cpu->seg[i].db = false;
		cpu->seg[i].g = false;
		x86__segment_changed(cpu, i);
	}
}

static void branches_stay_within_the_code_segment(void **state)
{
	start_real_mode();
	cpu->seg[X86_CS].limit = 0x1fff;
	assert_int_equal(EXECUTE(0xe9, 0x00, 0x20), EXEC_FAULT); /* jmp +0x2000 */
	assert_exception(X86_GP, 0);
	assert_int_equal(cpu->rip, 0x1000);
	cpu->gpr[X86_RCX] = 5;
	cpu->rip = 0x1fff;
	assert_int_equal(EXECUTE(0xe2, 0x10), EXEC_FAULT); /* loop */
	assert_int_equal(cpu->gpr[X86_RCX], 5);
	cpu->rip = 0x10;
	assert_int_equal(EXECUTE(0xeb, 0x80), EXEC_FAULT); /* jmp -128: wraps to FF92 */
	cpu->seg[X86_CS].limit = 0xffff;
	assert_int_equal(EXECUTE(0xeb, 0x80), EXEC_JUMP);
	assert_int_equal(cpu->rip, 0xff92);
}

static void sixteen_bit_stack_wraps(void **state)
{
	start_real_mode();
	cpu->gpr[X86_RSP] = 0xaaaa0000;
	cpu->gpr[X86_RAX] = 0x1234;
	assert_int_equal(EXECUTE(0x50), EXEC_NEXT); /* push %ax */
	assert_int_equal(cpu->gpr[X86_RSP], 0xaaaafffe);
	assert_int_equal(*(u16 *)(guest_ram + 0xfffe), 0x1234);
	cpu->gpr[X86_RSP] = 1;
	assert_int_equal(EXECUTE(0x50), EXEC_FAULT); /* a word at FFFF */
	assert_exception(X86_SS_FAULT, 0);
	assert_int_equal(cpu->gpr[X86_RSP], 1);
}

static void string_indices_wrap_at_64k(void **state)
{
	static const u8 rep_stosb[] = { 0xf3, 0xaa };
	unsigned times;

	start_real_mode();
	cpu->gpr[X86_RDI] = 0x5555fffe;
	cpu->gpr[X86_RCX] = 0x66660004;
	cpu->gpr[X86_RAX] = 0x99;
	assert_int_equal(execute_all(rep_stosb, 2, &times), EXEC_NEXT);
	assert_int_equal(cpu->gpr[X86_RDI], 0x55550002);
	assert_int_equal(cpu->gpr[X86_RCX], 0x66660000);
	assert_int_equal(guest_ram[0xffff], 0x99);
	assert_int_equal(guest_ram[1], 0x99);
	assert_int_equal(guest_ram[2], 0);
}

static void fetch_touches_the_second_page_only_if_it_must(void **state)
{
	/* mov $imm32, %eax */
	static const u8 code[] = { 0xb8, 1, 2, 3, 4 };
	struct insn insn;

	start_with_hole();
	memcpy((void *)(guest__page(5) - 5), code, 5);
	cpu->rip = guest__page(5) - 5;
	assert_int_equal(emulate__fetch(guest_vcpu, &insn), EXEC_NEXT);
	assert_int_equal(insn.len, 5);
	memcpy((void *)(guest__page(5) - 3), code, 3);
	cpu->rip = guest__page(5) - 3;
	assert_int_equal(emulate__fetch(guest_vcpu, &insn), EXEC_FAULT);
	assert_int_equal(guest_vcpu->exception.vector, X86_PF);
	assert_int_equal(guest_vcpu->exception.payload, guest__page(5));
	guest__set_page(5, guest__page(5) | PTE_P | PTE_U);
	memcpy((void *)guest__page(5), code + 3, 2);
	assert_int_equal(emulate__one(guest_vcpu), EXEC_NEXT);
	assert_int_equal(cpu->gpr[X86_RAX], 0x04030201);
	assert_int_equal(cpu->rip, guest__page(5) + 2);
}

static void fetch_beyond_limits_is_gp(void **state)
{
	struct insn insn;

	start_real_mode();
	guest_ram[0xffff] = 0xb8;
	cpu->rip = 0xffff;
	assert_int_equal(emulate__fetch(guest_vcpu, &insn), EXEC_FAULT);
	assert_exception(X86_GP, 0);
	start_with_hole();
	cpu->rip = 0x800000000000;
	assert_int_equal(emulate__fetch(guest_vcpu, &insn), EXEC_FAULT);
	assert_exception(X86_GP, 0);
	/* Fifteen prefixes and an opcode. */
	memset((void *)guest__page(4), 0x66, 15);
	cpu->rip = guest__page(4);
	assert_int_equal(emulate__fetch(guest_vcpu, &insn), EXEC_FAULT);
	assert_exception(X86_GP, 0);
}

static void hidden_features_are_undefined(void **state)
{
	static const u8 popcnt[] = { 0xf3, 0x0f, 0xb8, 0xc1 };
	static const u8 andn[] = { 0xc4, 0xe2, 0x60, 0xf2, 0xc1 };
	u64 *word = &guest_vcpu->cpuid.features[FEAT_POPCNT / 64];
	struct insn insn;

	start(8);
	*word |= BIT64(FEAT_POPCNT % 64);
	assert_int_equal(decode__insn(popcnt, sizeof(popcnt), 8, &insn), DECODE_OK);
	assert_int_equal(emulate__check(guest_vcpu, &insn), EXEC_NEXT);
	*word &= ~BIT64(FEAT_POPCNT % 64);
	assert_int_equal(emulate__check(guest_vcpu, &insn), EXEC_FAULT);
	assert_exception(X86_UD, 0);
	guest_vcpu->cpuid.features[FEAT_BMI1 / 64] |= BIT64(FEAT_BMI1 % 64);
	assert_int_equal(decode__insn(andn, sizeof(andn), 4, &insn), DECODE_OK);
	start(4);
	assert_int_equal(emulate__check(guest_vcpu, &insn), EXEC_NEXT);
	cpu->sysflags |= RFLAGS_VM;
	assert_int_equal(emulate__check(guest_vcpu, &insn), EXEC_FAULT);
}

static int set_up(void **state)
{
	guest__init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(push_that_faults_keeps_rsp),
		cmocka_unit_test(call_that_faults_keeps_rip),
		cmocka_unit_test(pop_to_memory_that_faults_keeps_rsp),
		cmocka_unit_test(pop_is_addressed_with_the_new_rsp),
		cmocka_unit_test(enter_that_faults_keeps_registers),
		cmocka_unit_test(modification_across_a_hole_changes_nothing),
		cmocka_unit_test(modification_of_a_read_only_page_faults),
		cmocka_unit_test(locked_operation_may_cross_a_page),
		cmocka_unit_test(repeated_copy_stops_exactly_at_a_fault),
		cmocka_unit_test(repeated_copy_downwards_stops_exactly_at_a_fault),
		cmocka_unit_test(long_copies_are_done_in_few_executions),
		cmocka_unit_test(repeated_copy_counts_ecx_with_32_bit_addresses),
		cmocka_unit_test(upper_halves_of_repetition_registers),
		cmocka_unit_test(flags_of_a_comparison_that_faults),
		cmocka_unit_test(call_to_no_address),
		cmocka_unit_test(single_step_sees_each_iteration),
		cmocka_unit_test(repeated_store_to_a_device_writes_one_by_one),
		cmocka_unit_test(load_from_a_device_waits_for_its_answer),
		cmocka_unit_test(non_canonical_addresses),
		cmocka_unit_test(branches_stay_within_the_code_segment),
		cmocka_unit_test(sixteen_bit_stack_wraps),
		cmocka_unit_test(string_indices_wrap_at_64k),
		cmocka_unit_test(fetch_touches_the_second_page_only_if_it_must),
		cmocka_unit_test(fetch_beyond_limits_is_gp),
		cmocka_unit_test(hidden_features_are_undefined),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
