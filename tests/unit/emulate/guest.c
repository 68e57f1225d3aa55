/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest virtual machine that executors can run in. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tests/unit/emulate/guest.h"

#define LARGE_PAGE (2ULL << 20)

u8 *guest_ram;
struct vcpu *guest_vcpu;

/* All features of the host's CPU. */
static void offer_features(struct x86_cpuid *cpuid)
{
	unsigned i;

	for (i = 1; i < NR_FEATURES; i++) {
		const struct x86_feature_bit *bit = &x86_feature_bits[i];
		u32 leaf[4];

		host__cpuid(bit->leaf, bit->subleaf, leaf);
		if (leaf[bit->reg] >> bit->bit & 1)
			cpuid->features[i / 64] |= BIT64(i % 64);
	}
}

void guest__init(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct memory_slot *slot;

	/* One page table maps it all: it lies within 2 MiB. */
	guest_ram = mmap(NULL, 2 * LARGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	guest_vcpu = aligned_alloc(64, ALIGN_UP_TO(sizeof(*guest_vcpu), 64));
	if (guest_ram == MAP_FAILED || !vm || !guest_vcpu)
		abort();
	guest_ram = (u8 *)ALIGN_UP_TO((u64)guest_ram, LARGE_PAGE);
	memset(guest_vcpu, 0, sizeof(*guest_vcpu));
	vm->map = calloc(1, sizeof(*vm->map));
	vm->map->count = 1;
	slot = &vm->map->slot[0];
	slot->gpa = (u64)guest_ram;
	slot->pages = GUEST_RAM_SIZE / PAGE_SIZE_4K;
	slot->hva = slot->gpa;
	slot->host = guest_ram;
	slot->code = calloc(slot->pages, sizeof(u32));
	guest_vcpu->vm = vm;
	host__mutex_init(&vm->stop_lock);
	host__mutex_init(&vm->exclusive_lock);
	host__cond_init(&vm->stop_cond);
	offer_features(&guest_vcpu->cpuid);
	decode__init();
}

void guest__reset(unsigned code_size)
{
	struct vcpu *vcpu = guest_vcpu;
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned i;

	memset(cpu, 0, sizeof(*cpu));
	memset(&vcpu->exception, 0, sizeof(vcpu->exception));
	memset(&vcpu->io, 0, sizeof(vcpu->io));
	vcpu->leave = 0;
	cpu->code_size = code_size;
	cpu->long_mode = code_size == 8;
	cpu->cr0 = CR0_PE;
	cpu->sysflags = RFLAGS_FIXED;
	for (i = 0; i < X86_NR_SEG; i++) {
		struct x86_segment *seg = &cpu->seg[i];

		seg->selector = 8;
		seg->limit = 0xffffffff;
		seg->type = SEG_TYPE_ACCESSED | SEG_TYPE_WRITABLE;
		if (i == X86_CS)
			seg->type |= SEG_TYPE_CODE;
		seg->s = true;
		seg->present = true;
		seg->db = code_size == 4;
		seg->g = true;
		x86__segment_changed(cpu, i);
	}
	vcpu->view = vcpu->tlb.entry[TLB_KERNEL];
	tlb__flush_all(vcpu);
}

static u64 *table(unsigned level)
{
	return (u64 *)(guest_ram + (GUEST_TABLES + level) * PAGE_SIZE_4K);
}

void guest__enable_paging(void)
{
	u64 address = (u64)guest_ram;
	unsigned level, i;

	for (level = 0; level < 4; level++)
		memset(table(level), 0, PAGE_SIZE_4K);
	for (level = 3; level > 0; level--)
		table(level)[address >> (12 + 9 * level) & 511] =
			(u64)table(level - 1) | PTE_P | PTE_W | PTE_U;
	for (i = 0; i < GUEST_RAM_SIZE / PAGE_SIZE_4K; i++)
		table(0)[i] = (address + i * PAGE_SIZE_4K) | PTE_P | PTE_W | PTE_U;
	guest_vcpu->cpu.cr0 |= CR0_PG | CR0_WP;
	guest_vcpu->cpu.cr4 |= CR4_PAE;
	guest_vcpu->cpu.efer |= EFER_LME | EFER_LMA;
	guest_vcpu->cpu.cr3 = (u64)table(3);
	tlb__flush_all(guest_vcpu);
}

void guest__set_page(unsigned page, u64 entry)
{
	table(0)[page] = entry;
	tlb__flush_all(guest_vcpu);
}

u64 guest__page(unsigned page)
{
	return (u64)guest_ram + page * PAGE_SIZE_4K;
}

enum exec_result guest__execute(const void *code, unsigned length)
{
	struct insn insn;

	if (decode__insn(code, length, guest_vcpu->cpu.code_size, &insn) != DECODE_OK)
		return EXEC_FAIL;
	return insn.exec(guest_vcpu, &insn);
}
