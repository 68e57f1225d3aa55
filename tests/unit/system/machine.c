/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU without an engine, in every mode of the processor. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tests/unit/system/machine.h"

u8 *machine_ram;
struct vcpu *machine_vcpu;

static const struct engine_ops no_engine = { .name = "none" };

int machine__setup(void **state)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct memory_slot *slot;

	machine_ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
	machine_vcpu = aligned_alloc(64, ALIGN_UP_TO(sizeof(*machine_vcpu), 64));
	if (machine_ram == MAP_FAILED || !vm || !machine_vcpu)
		return -1;
	memset(machine_vcpu, 0, sizeof(*machine_vcpu));
	vm->engine = &no_engine;
	vm->map = calloc(1, sizeof(*vm->map));
	vm->map->count = 1;
	slot = &vm->map->slot[0];
	slot->pages = RAM_SIZE / PAGE_SIZE_4K;
	slot->hva = (u64)machine_ram;
	slot->host = machine_ram;
	slot->code = calloc(slot->pages, sizeof(u32));
	machine_vcpu->vm = vm;
	machine_vcpu->run = calloc(1, 4096);
	machine_vcpu->external_vector = -1;
	machine_vcpu->cpuid.max_phys_bits = 40;
	memset(machine_vcpu->cpuid.features, 0xff, sizeof(machine_vcpu->cpuid.features));
	decode__init();
	return 0;
}

int machine__teardown(void **state)
{
	struct vm *vm = machine_vcpu->vm;

	free(vm->map->slot[0].code);
	free(vm->map);
	free(vm);
	free(machine_vcpu->run);
	free(machine_vcpu);
	munmap(machine_ram, RAM_SIZE);
	return 0;
}

u64 machine__read(u64 address, unsigned size)
{
	u64 value = 0;

	memcpy(&value, machine_ram + address, size);
	return value;
}

void machine__write(u64 address, unsigned size, u64 value)
{
	memcpy(machine_ram + address, &value, size);
}

u64 machine__descriptor(u32 base, u32 limit, u64 attributes)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | attributes << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(base >> 24) << 56;
}

void machine__set_descriptor(u16 selector, u64 descriptor)
{
	machine__write(AT_GDT + (selector & 0xfff8), 8, descriptor);
}

u64 machine__get_descriptor(u16 selector)
{
	return machine__read(AT_GDT + (selector & 0xfff8), 8);
}

void machine__set_gate(u8 vector, u16 selector, unsigned type, unsigned dpl, unsigned ist)
{
	u32 offset = AT_HANDLER + vector * 16;
	u64 gate = (offset & 0xffff) | (u64)selector << 16 | (u64)ist << 32 |
		   (u64)(0x80 | dpl << 5 | type) << 40 | (u64)(offset >> 16) << 48;

	if (machine_vcpu->cpu.long_mode) {
		machine__write(AT_IDT + vector * 16, 8, gate);
		machine__write(AT_IDT + vector * 16 + 8, 8, 0);
	} else {
		machine__write(AT_IDT + vector * 8, 8, gate);
	}
}

/* Identity-mapped 4 KiB pages, all of them for users, one of them missing. */
static void make_page_tables(void)
{
	machine__write(0x1000, 8, 0x2007);
	machine__write(0x2000, 8, 0x3007);
	machine__write(0x3000, 8, 0xf0007);
	for (u64 page = 0; page < RAM_SIZE / PAGE_SIZE_4K; page++)
		machine__write(0xf0000 + page * 8, 8, page << PAGE_SHIFT_4K | 7);
	machine__write(0xf0000 + (NOT_MAPPED >> PAGE_SHIFT_4K) * 8, 8, 0);
}

static void make_tables(bool long_mode)
{
	u64 code = D_CODE | D_PAGES | (long_mode ? D_LONG : D_BIG);
	u64 data = D_DATA | D_PAGES | D_BIG;

	machine__set_descriptor(KERNEL_CODE, machine__descriptor(0, 0xfffff, code));
	machine__set_descriptor(KERNEL_DATA, machine__descriptor(0, 0xfffff, data));
	machine__set_descriptor(USER_CODE32, machine__descriptor(0, 0xfffff, D_CODE | D_PAGES |
									D_BIG | D_DPL(3)));
	machine__set_descriptor(USER_DATA, machine__descriptor(0, 0xfffff, data | D_DPL(3)));
	machine__set_descriptor(USER_CODE, machine__descriptor(0, 0xfffff, code | D_DPL(3)));
	machine__set_descriptor(TSS_SELECTOR, machine__descriptor(AT_TSS, 0xff, 0x8b));
	machine__set_descriptor(CONFORMING_CODE, machine__descriptor(0, 0xfffff, code | 4));
	if (long_mode) {
		machine__set_descriptor(TSS_SELECTOR + 8, 0);
		machine__write(AT_TSS + 4, 8, TSS_STACK + 8); /* to be aligned down */
		machine__write(AT_TSS + 36, 8, IST_STACK);
	} else {
		machine__set_descriptor(TSS2_SELECTOR, machine__descriptor(AT_TSS2, 0xff, 0x89));
		machine__write(AT_TSS + 4, 4, TSS_STACK);
		machine__write(AT_TSS + 8, 2, KERNEL_DATA);
	}
	for (unsigned vector = 0; vector < 64; vector++)
		machine__set_gate(vector, KERNEL_CODE, SYSTEM_INT, 0, 0);
}

static void load(enum x86_segreg seg, u16 selector)
{
	struct descriptor d = { .low = machine__get_descriptor(selector) };

	segload__unpack(&machine_vcpu->cpu.seg[seg], selector, &d);
}

static void load_segments(unsigned cpl)
{
	struct x86_cpu *cpu = &machine_vcpu->cpu;
	struct descriptor tss = { .low = machine__get_descriptor(TSS_SELECTOR) };
	u16 data = cpl ? USER_DATA | 3 : KERNEL_DATA;

	load(X86_CS, cpl ? USER_CODE | 3 : KERNEL_CODE);
	load(X86_SS, data);
	load(X86_DS, data);
	load(X86_ES, data);
	load(X86_FS, data);
	load(X86_GS, data);
	segload__unpack(&cpu->tr, TSS_SELECTOR, &tss);
	segload__set_null(&cpu->ldtr, 0);
	cpu->gpr[X86_RSP] = cpl ? USER_STACK : KERNEL_STACK;
}

static void load_real_segments(void)
{
	struct x86_cpu *cpu = &machine_vcpu->cpu;

	for (unsigned seg = 0; seg < X86_NR_SEG; seg++) {
		segload__set_v86(&cpu->seg[seg], 0);
		cpu->seg[seg].dpl = 0;
	}
	cpu->idt.base = 0;
	cpu->gpr[X86_RSP] = 0xf000;
}

void machine__start(enum machine_mode mode, unsigned cpl)
{
	struct x86_cpu *cpu = &machine_vcpu->cpu;

	memset(machine_ram, 0, RAM_SIZE);
	memset(cpu, 0, sizeof(*cpu));
	memset(&machine_vcpu->exception, 0, sizeof(machine_vcpu->exception));
	memset(&machine_vcpu->io, 0, sizeof(machine_vcpu->io));
	machine_vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	cpu->gdt = (struct x86_dtable){ AT_GDT, 0x7ff };
	cpu->idt = (struct x86_dtable){ AT_IDT, 0x3ff };
	cpu->cr0 = CR0_ET;
	cpu->dr6 = DR6_FIXED;
	cpu->dr7 = DR7_FIXED;
	cpu->sysflags = RFLAGS_FIXED | RFLAGS_IF;
	cpu->rip = AT_CODE;
	if (mode != MODE_REAL)
		cpu->cr0 |= CR0_PE;
	if (mode == MODE_LONG) {
		cpu->cr0 |= CR0_PG | CR0_WP;
		cpu->cr3 = 0x1000;
		cpu->cr4 = CR4_PAE;
		cpu->efer = EFER_LME | EFER_LMA | EFER_SCE;
		cpu->long_mode = true;
		make_page_tables();
	}
	make_tables(mode == MODE_LONG);
	if (mode == MODE_REAL)
		load_real_segments();
	else
		load_segments(cpl);
	x86__mode_changed(machine_vcpu);
	tlb__flush_all(machine_vcpu);
}

void machine__start_v86(unsigned iopl)
{
	struct x86_cpu *cpu = &machine_vcpu->cpu;

	machine__start(MODE_PROTECTED, 0);
	for (unsigned seg = 0; seg < X86_NR_SEG; seg++)
		segload__set_v86(&cpu->seg[seg], 0x100 * seg);
	cpu->gpr[X86_RSP] = 0x800;
	cpu->rip = 0x100;
	x86__set_rflags(machine_vcpu, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_VM |
					      (u64)iopl << RFLAGS_IOPL_SHIFT);
}

enum exec_result machine__execute(const void *bytes, unsigned size)
{
	struct x86_cpu *cpu = &machine_vcpu->cpu;
	u64 linear = cpu->rip + (cpu->code_size == 8 ? 0 : cpu->seg[X86_CS].base);

	memcpy(machine_ram + linear, bytes, size);
	machine_vcpu->exception.pending = false;
	return emulate__one(machine_vcpu);
}

u32 machine__fault(void)
{
	const struct vcpu_exception *e = &machine_vcpu->exception;

	return e->pending ? FAULT(e->vector, e->error) : 0;
}
