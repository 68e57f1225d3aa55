/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest: page tables, descriptor tables and handlers at the lower end of its memory. Compiled
 * for general registers only, because the guest's vector state may stand in the others.
 */
#include "core/host.h"
#include <sys/mman.h>

#include "core/emulate/segload.h"
#include "core/x86/cpuid.h"
#include "engines/soft/soft.h"
#include "tests/isa/guest.h"

#define RAM_SIZE (1u << 20)
/* Kernel linear addresses are guest-physical ones from here on. */
#define KERNEL_LINEAR 0xffff800000000000ULL

/* Guest-physical addresses. */
#define AT_PML4 0x1000
#define AT_PDPT 0x2000
#define AT_PD 0x3000
#define AT_PT_LOW 0x4000
#define AT_PT_DATA 0x5000
#define AT_PT_CODE 0x6000
#define AT_PDPT_HIGH 0x7000
#define AT_PD_HIGH 0x8000
#define AT_PDPT_KERNEL 0x9000
#define AT_PD_KERNEL 0xa000
#define AT_PT_KERNEL 0xb000
#define AT_GDT 0xc000
#define AT_LDT 0xd000
#define AT_IDT 0xe000
#define AT_TSS 0xf000
#define AT_STACK_TOP 0x12000
#define AT_HANDLERS 0x13000 /* one HLT every 16 bytes */
#define AT_DATA 0x20000
#define AT_CODE 0x30000

#define SEL_TSS 0x40
#define SEL_LDT_DESCRIPTOR 0x50
#define GDT_LIMIT 127

u8 *guest_data;
u8 *guest_code;

static u8 *ram;
static struct vm *vm;
static struct vcpu *vcpu;
static struct x86_cpu template;
static const char *why = "";

const char *guest__why(void)
{
	return why;
}

static void put64(u64 gpa, u64 value)
{
	*(u64 *)(ram + gpa) = value;
}

/* ---- page tables ---- */

#define USER_TABLE (PTE_P | PTE_W | PTE_U)

static void map_data_pages(u64 table, u64 linear)
{
	unsigned page;

	for (page = 0; page < DATA_PAGES; page++) {
		int frame = data__frame(page);
		u64 entry = table + ((linear >> 12) + page) % 512 * 8;

		if (frame >= 0)
			put64(entry, (AT_DATA + frame) | PTE_P | PTE_U | PTE_NX |
					     (page == 2 ? 0 : PTE_W));
	}
}

static u64 index_of(u64 linear, unsigned level)
{
	return (linear >> (12 + 9 * level) & 511) * 8;
}

static void make_page_tables(void)
{
	unsigned page;

	put64(AT_PML4, AT_PDPT | USER_TABLE);
	put64(AT_PDPT, AT_PD | USER_TABLE);
	put64(AT_PD, AT_PT_LOW | USER_TABLE);
	put64(AT_PD + index_of(DATA_LINEAR, 1), AT_PT_DATA | USER_TABLE);
	put64(AT_PD + index_of(CODE_LINEAR, 1), AT_PT_CODE | USER_TABLE);
	map_data_pages(AT_PT_LOW, DATA_LOW_LINEAR);
	map_data_pages(AT_PT_DATA, DATA_LINEAR);
	put64(AT_PML4 + index_of(DATA_HIGH_LINEAR, 3), AT_PDPT_HIGH | USER_TABLE);
	put64(AT_PDPT_HIGH + index_of(DATA_HIGH_LINEAR, 2), AT_PD_HIGH | USER_TABLE);
	put64(AT_PD_HIGH + index_of(DATA_HIGH_LINEAR, 1), AT_PT_DATA | USER_TABLE);
	for (page = 0; page < CODE_BYTES / 4096; page++)
		put64(AT_PT_CODE + page * 8, (AT_CODE + page * 4096) | PTE_P | PTE_U);
	put64(AT_PML4 + index_of(KERNEL_LINEAR, 3), AT_PDPT_KERNEL | PTE_P | PTE_W);
	put64(AT_PDPT_KERNEL, AT_PD_KERNEL | PTE_P | PTE_W);
	put64(AT_PD_KERNEL, AT_PT_KERNEL | PTE_P | PTE_W);
	for (page = 0; page < RAM_SIZE / 4096; page++)
		put64(AT_PT_KERNEL + page * 8, page * 4096 | PTE_P | PTE_W);
}

/* ---- descriptor tables ---- */

static u64 make_descriptor(u64 base, u32 limit, u32 attributes)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (u64)attributes << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
}

static void make_system_descriptor(u16 selector, u64 base, u32 limit, u32 type)
{
	put64(AT_GDT + selector, make_descriptor(base, limit, 0x80 | type));
	put64(AT_GDT + selector + 8, base >> 32);
}

static void make_gdt(void)
{
	static const struct {
		u16 selector;
		u16 attributes;
	} segments[] = {
		{ SEL_KERNEL32_CODE, 0xc09b }, { SEL_KERNEL_CODE, 0xa09b },
		{ SEL_KERNEL_DATA, 0xc093 },   { SEL_USER32_CODE, 0xc0fb },
		{ SEL_USER_DATA, 0xc0f3 },     { SEL_USER_CODE, 0xa0fb },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(segments); i++)
		put64(AT_GDT + (segments[i].selector & ~7),
		      make_descriptor(0, 0xfffff, segments[i].attributes));
	make_system_descriptor(SEL_TSS, KERNEL_LINEAR + AT_TSS, 0x67, SYSTEM_TSS_BUSY);
	make_system_descriptor(SEL_LDT_DESCRIPTOR, KERNEL_LINEAR + AT_LDT, NR_LDT_ENTRIES * 8 - 1,
			       SYSTEM_LDT);
}

/* As Linux's fill_ldt(): DPL 3, accessed. */
static void make_ldt(void)
{
	unsigned i;

	for (i = 0; i < NR_LDT_ENTRIES; i++) {
		const struct ldt_description *d = &ldt_descriptions[i];
		u32 attributes = 0x71 | !d->read_exec_only << 1 | d->contents << 2 |
				 !d->not_present << 7 | d->big << 14 | d->limit_in_pages << 15;

		put64(AT_LDT + 8 * i, make_descriptor(d->base, d->limit, attributes));
	}
}

static void make_idt(void)
{
	unsigned vector;

	for (vector = 0; vector < 256; vector++) {
		u64 handler = KERNEL_LINEAR + AT_HANDLERS + 16 * vector;
		u64 dpl = vector == X86_BP || vector == X86_OF ? 3 : 0;

		put64(AT_IDT + 16 * vector, (handler & 0xffff) | SEL_KERNEL_CODE << 16 |
						    (0x8e | dpl << 5) << 40 |
						    (handler >> 16 & 0xffff) << 48);
		put64(AT_IDT + 16 * vector + 8, handler >> 32);
		ram[AT_HANDLERS + 16 * vector] = CODE_FILL;
	}
	*(u64 *)(ram + AT_TSS + 4) = KERNEL_LINEAR + AT_STACK_TOP;
	*(u16 *)(ram + AT_TSS + 102) = 0x68; /* no I/O permission bitmap */
}

/* ---- the vCPU ---- */

/* A selector that native execution starts with, too, so it can be loaded. */
static void load_segment(struct x86_cpu *cpu, enum x86_segreg seg, u16 selector)
{
	struct descriptor d = { 0 };

	if (selector__is_null(selector)) {
		segload__set_null(&cpu->seg[seg], selector);
	} else {
		d.low = *(u64 *)(ram + (selector & SELECTOR_TI ? AT_LDT : AT_GDT) +
				 (selector & ~7));
		segload__unpack(&cpu->seg[seg], selector, &d);
	}
	x86__segment_changed(cpu, seg);
}

static void make_template(void)
{
	struct descriptor tss = { *(u64 *)(ram + AT_GDT + SEL_TSS),
				  *(u64 *)(ram + AT_GDT + SEL_TSS + 8), 0 };
	struct descriptor ldt = { *(u64 *)(ram + AT_GDT + SEL_LDT_DESCRIPTOR),
				  *(u64 *)(ram + AT_GDT + SEL_LDT_DESCRIPTOR + 8), 0 };
	struct x86_cpu *cpu = &template;

	*cpu = vcpu->cpu;
	cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	cpu->cr3 = AT_PML4;
	cpu->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE;
	if (cpuid__has(&vcpu->cpuid, FEAT_XSAVE)) {
		cpu->cr4 |= CR4_OSXSAVE;
		cpu->xcr0 = vcpu->cpuid.xcr0_allowed;
	}
	if (cpuid__has(&vcpu->cpuid, FEAT_FSGSBASE))
		cpu->cr4 |= CR4_FSGSBASE;
	cpu->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
	cpu->sysflags = RFLAGS_FIXED | RFLAGS_IF;
	cpu->gdt = (struct x86_dtable){ KERNEL_LINEAR + AT_GDT, GDT_LIMIT };
	cpu->idt = (struct x86_dtable){ KERNEL_LINEAR + AT_IDT, 0xfff };
	segload__unpack(&cpu->tr, SEL_TSS, &tss);
	segload__unpack(&cpu->ldtr, SEL_LDT_DESCRIPTOR, &ldt);
}

void guest__do_without(bool ldt, bool code32, bool fsgsbase)
{
	if (ldt)
		segload__set_null(&template.ldtr, 0);
	if (code32)
		put64(AT_GDT + (SEL_USER32_CODE & ~7), 0);
	if (fsgsbase)
		template.cr4 &= ~CR4_FSGSBASE;
}

/* The guest is told of all that it can be given. */
static int set_cpuid(void)
{
	static struct kvm_cpuid_entry2 entries[CPUID_MAX_ENTRIES];
	u32 count = CPUID_MAX_ENTRIES;
	int rc = cpuid__supported(entries, &count);
	bool la57 = false;
	u32 host[4], i;

	/* The width of linear addresses must be the host's. */
	host__cpuid(0, 0, host);
	if (host[0] >= 7) {
		host__cpuid(7, 0, host);
		la57 = host[2] >> 16 & 1;
	}
	for (i = 0; !rc && i < count; i++)
		if (entries[i].function == 7 && !entries[i].index && !la57)
			entries[i].ecx &= ~(1u << 16);
	return rc ? rc : cpuid__set(vcpu, entries, count);
}

int guest__setup(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE };
	const char *reason = "";
	int rc;

	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (ram == MAP_FAILED)
		return -ENOMEM;
	guest_data = ram + AT_DATA;
	guest_code = ram + AT_CODE;
	memset(ram + AT_CODE, CODE_FILL, CODE_BYTES);
	rc = soft_engine.setup(&reason);
	if (rc)
		return rc;
	rc = vm__create(&soft_engine, NULL, &vm);
	if (rc)
		return rc;
	region.userspace_addr = (u64)ram;
	rc = memory__set_region(vm, &region);
	if (rc)
		return rc;
	rc = vcpu__create(vm, 0, &vcpu);
	if (rc)
		return rc;
	rc = set_cpuid();
	if (rc)
		return rc;
	make_page_tables();
	make_gdt();
	make_ldt();
	make_idt();
	make_template();
	vcpu->cpu = template;
	x86__mode_changed(vcpu);
	tlb__flush_all(vcpu);
	return 0;
}

void guest__teardown(void)
{
	vm__put(vm);
	soft_engine.teardown();
	munmap(ram, RAM_SIZE);
}

void guest__write_code(unsigned at, const u8 *bytes, unsigned n)
{
	struct memory_slot *slot = &vm->map->slot[0];

	memory__wrote(vm, NULL, slot, AT_CODE + at);
	if ((at & 4095) + n > 4096)
		memory__wrote(vm, NULL, slot, AT_CODE + at + n - 1);
	memcpy(ram + AT_CODE + at, bytes, n);
}

void guest__make_code_writable(void)
{
	unsigned page;

	for (page = 0; page < CODE_BYTES / 4096; page++)
		put64(AT_PT_CODE + page * 8, (AT_CODE + page * 4096) | PTE_P | PTE_W | PTE_U);
	tlb__flush_all(vcpu);
}

bool guest__has(const struct opcode_row *row)
{
	if (row->evex && !cpuid__has(&vcpu->cpuid, FEAT_AVX512F))
		return false;
	return cpuid__has(&vcpu->cpuid, row->feature);
}

u64 guest__components(void)
{
	return template.xcr0;
}

static void load_state(const struct isa_state *s)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	unsigned seg;

	*cpu = template;
	memcpy(cpu->gpr, s->gpr, sizeof(s->gpr));
	cpu->rip = s->rip;
	cpu->arith = s->flags & RFLAGS_ARITH;
	cpu->sysflags = (s->flags & ~RFLAGS_ARITH) | RFLAGS_FIXED | RFLAGS_IF;
	for (seg = 0; seg < X86_NR_SEG; seg++)
		load_segment(cpu, seg, s->sel[seg]);
	if (selector__is_null(s->sel[X86_FS]))
		cpu->seg[X86_FS].base = s->fs_base;
	if (selector__is_null(s->sel[X86_GS]))
		cpu->seg[X86_GS].base = s->gs_base;
	memset(&vcpu->exception, 0, sizeof(vcpu->exception));
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	memcpy(vcpu->xsave, &s->fp, sizeof(s->fp));
	((struct xsave_image *)vcpu->xsave)->xstate_bv = XSTATE_ALL;
	soft_engine.vector_changed(vcpu);
	x86__mode_changed(vcpu);
}

static bool has_error_code(unsigned vector)
{
	return vector == X86_DF || (vector >= X86_TS && vector <= X86_PF) || vector == X86_AC;
}

/* The interrupted state, from what delivery pushed. */
static void unwind(struct isa_state *s)
{
	const u64 *frame = (const u64 *)(ram + (vcpu->cpu.gpr[X86_RSP] - KERNEL_LINEAR));

	s->vector = (vcpu->cpu.rip - KERNEL_LINEAR - AT_HANDLERS) / 16;
	s->error = has_error_code(s->vector) ? *frame++ : 0;
	s->rip = frame[0];
	s->sel[X86_CS] = frame[1];
	s->flags = frame[2];
	s->gpr[X86_RSP] = frame[3];
	s->sel[X86_SS] = frame[4];
	s->cr2 = vcpu->cpu.cr2;
}

static enum guest_result store_state(struct isa_state *s)
{
	const struct x86_cpu *cpu = &vcpu->cpu;
	u64 rsp = cpu->gpr[X86_RSP] - KERNEL_LINEAR;
	unsigned seg;

	for (seg = 0; seg < X86_NR_SEG; seg++)
		s->sel[seg] = cpu->seg[seg].selector;
	s->fs_base = cpu->seg[X86_FS].base;
	s->gs_base = cpu->seg[X86_GS].base;
	memcpy(s->gpr, cpu->gpr, sizeof(s->gpr));
	soft_engine.vector_save(vcpu);
	memcpy(&s->fp, vcpu->xsave, sizeof(s->fp));
	s->rip = cpu->rip;
	s->flags = x86__rflags(cpu);
	s->vector = NO_VECTOR;
	s->error = 0;
	s->cr2 = 0;
	if (cpu->cpl != 0)
		return GUEST_DONE;
	if (rsp > AT_STACK_TOP || rsp < AT_STACK_TOP - 64 ||
	    cpu->rip - KERNEL_LINEAR - AT_HANDLERS > 4096) {
		why = "kernel state is not a handler's";
		return GUEST_STUCK;
	}
	unwind(s);
	return GUEST_DONE;
}

static void take_exception(struct isa_state *s)
{
	const struct vcpu_exception *e = &vcpu->exception;

	s->vector = e->vector;
	s->error = e->has_error ? e->error : 0;
	s->cr2 = e->payload;
	if (!e->trap)
		s->flags |= RFLAGS_RF; /* as its delivery would push it */
}

enum guest_result guest__step(struct isa_state *state)
{
	enum guest_result done = GUEST_DONE;
	enum exec_result result;
	unsigned budget = 1u << 20;

	load_state(state);
	soft_engine.vcpu_load(vcpu);
	vm__enter_guest(vcpu);
	do
		result = emulate__one(vcpu);
	while (result == EXEC_AGAIN && budget--);
	done = store_state(state);
	if (result == EXEC_FAULT) {
		take_exception(state);
	} else if (result != EXEC_NEXT && result != EXEC_STOP && result != EXEC_JUMP) {
		static const char *const names[] = { "next", "stop", "jump", "again", "fault",
						     "exit", "fail" };

		why = names[result];
		done = GUEST_STUCK;
	}
	vcpu->exception.pending = false;
	vm__leave_guest(vcpu);
	soft_engine.vcpu_put(vcpu);
	isa_state__normalise(state);
	return done;
}

enum guest_result guest__run(struct isa_state *state)
{
	static const char *const names[] = { "event", "io", "halt", "shutdown", "fail", "window",
					     "debug", "hypercall", "msr" };
	struct engine_exit exit = { .reason = ENGINE_EXIT_EVENT };
	enum guest_result done = GUEST_DONE;
	unsigned budget = 16;

	load_state(state);
	soft_engine.vcpu_load(vcpu);
	vm__enter_guest(vcpu);
	while (exit.reason == ENGINE_EXIT_EVENT && budget--) {
		vcpu->requests = 0;
		soft_engine.run(vcpu, &exit);
	}
	done = store_state(state);
	if (exit.reason != ENGINE_EXIT_HALT) {
		why = exit.reason < ARRAY_LENGTH(names) ? names[exit.reason] : "other exit";
		done = GUEST_STUCK;
	}
	vm__leave_guest(vcpu);
	soft_engine.vcpu_put(vcpu);
	isa_state__normalise(state);
	return done;
}
