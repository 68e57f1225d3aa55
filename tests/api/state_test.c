/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Getting and setting all of a vCPU's state. */
#include "tests/api/seam.h"
#include <stdlib.h>

static void reset_state_is_the_manuals(void **state)
{
	struct machine *m = *state;
	struct kvm_regs regs = machine__regs(m);
	struct kvm_sregs sregs = machine__sregs(m);
	struct kvm_debugregs debug;
	struct kvm_mp_state mp;

	assert_int_equal(regs.rip, 0xfff0);
	assert_int_equal(regs.rflags, 2);
	assert_int_equal(regs.rax, 0);
	assert_int_equal(regs.rsp, 0);
	assert_int_equal(regs.rdx, 0x600);
	assert_int_equal(sregs.cs.selector, 0xf000);
	assert_int_equal(sregs.cs.base, 0xffff0000);
	assert_int_equal(sregs.cs.limit, 0xffff);
	assert_int_equal(sregs.ds.base, 0);
	assert_int_equal(sregs.ds.limit, 0xffff);
	assert_int_equal(sregs.idt.base, 0);
	assert_int_equal(sregs.idt.limit, 0xffff);
	assert_int_equal(sregs.gdt.limit, 0xffff);
	assert_int_equal(sregs.cr0, 0x60000010);
	assert_int_equal(sregs.cr3, 0);
	assert_int_equal(sregs.cr4, 0);
	assert_int_equal(sregs.efer, 0);
	assert_int_equal(sregs.apic_base, 0xfee00900);
	assert_ioctl_works(m->vcpu, KVM_GET_DEBUGREGS, &debug);
	assert_int_equal(debug.dr6, 0xffff0ff0);
	assert_int_equal(debug.dr7, 0x400);
	assert_ioctl_works(m->vcpu, KVM_GET_MP_STATE, &mp);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_RUNNABLE);
}

static void registers_go_round(void **state)
{
	struct machine *m = *state;
	struct kvm_regs regs, back;
	uint64_t *word = (uint64_t *)&regs;

	for (unsigned i = 0; i < sizeof(regs) / 8; i++)
		word[i] = 0x0123456789abcdefULL * (i + 1);
	regs.rflags = 0x246;
	assert_ioctl_works(m->vcpu, KVM_SET_REGS, &regs);
	back = machine__regs(m);
	assert_memory_equal(&regs, &back, sizeof(regs));
	/* Bit 1 of the flags is always 1. */
	regs.rflags = 0;
	assert_ioctl_works(m->vcpu, KVM_SET_REGS, &regs);
	assert_int_equal(machine__regs(m).rflags, 2);
}

static void set_cpuid(struct machine *m)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));

	cpuid->nent = 256;
	assert_ioctl_works(m->sys, KVM_GET_SUPPORTED_CPUID, cpuid);
	assert_ioctl_works(m->vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

static struct kvm_segment segment(unsigned selector, unsigned type, bool code64)
{
	return (struct kvm_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = code64,
		.db = !code64,
	};
}

static struct kvm_sregs long_mode(struct machine *m)
{
	struct kvm_sregs sregs = machine__sregs(m);

	sregs.cs = segment(8, 11, true);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(16, 3, false);
	sregs.cr0 = 0x80000011;
	sregs.cr3 = 0x4000;
	sregs.cr4 = 0x20;
	sregs.efer = 0x500;
	return sregs;
}

static void special_registers_go_round(void **state)
{
	struct machine *m = *state;
	struct kvm_sregs sregs, back;

	set_cpuid(m);
	sregs = long_mode(m);
	sregs.fs.base = 0x1234567890;
	sregs.gdt.base = 0x5000;
	sregs.gdt.limit = 0x17;
	sregs.idt.base = 0x6000;
	sregs.cr2 = 0xdeadbeef000;
	sregs.cr8 = 3;
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &sregs);
	back = machine__sregs(m);
	assert_memory_equal(&sregs.cs, &back.cs, sizeof(sregs.cs));
	assert_memory_equal(&sregs.fs, &back.fs, sizeof(sregs.fs));
	assert_int_equal(back.gdt.base, 0x5000);
	assert_int_equal(back.gdt.limit, 0x17);
	assert_int_equal(back.idt.base, 0x6000);
	assert_int_equal(back.cr0, sregs.cr0);
	assert_int_equal(back.cr2, sregs.cr2);
	assert_int_equal(back.cr3, sregs.cr3);
	assert_int_equal(back.cr4, sregs.cr4);
	assert_int_equal(back.cr8, 3);
	assert_int_equal(back.efer, sregs.efer);
}

static void contradictory_registers_are_refused(void **state)
{
	struct machine *m = *state;
	struct kvm_sregs good, bad;

	set_cpuid(m);
	good = long_mode(m);
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &good);
	bad = good; /* long mode without PAE */
	bad.cr4 = 0;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS, &bad, EINVAL);
	bad = good; /* LME and PG without LMA */
	bad.efer = 0x100;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS, &bad, EINVAL);
	bad = good; /* LMA without PG */
	bad.cr0 = 0x11;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS, &bad, EINVAL);
	bad = good; /* a 64-bit code segment without long mode */
	bad.efer = 0;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS, &bad, EINVAL);
	bad = good; /* CR4 bits that do not exist */
	bad.cr4 |= 1ULL << 31;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS, &bad, EINVAL);
	bad = good; /* CR3 beyond any physical address */
	bad.cr3 = 1ULL << 60;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS, &bad, EINVAL);
	bad = good; /* an APIC base with reserved bits */
	bad.apic_base |= 1;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS, &bad, EINVAL);
	assert_int_equal(machine__sregs(m).efer, good.efer);
}

static void sregs2_goes_round(void **state)
{
	struct machine *m = *state;
	struct kvm_sregs2 s, back;

	seam__needs_real_cpu();
	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_SREGS2) <= 0)
		skip();
	set_cpuid(m);
	assert_ioctl_works(m->vcpu, KVM_GET_SREGS2, &s);
	assert_int_equal(s.flags, 0);
	s.cr0 = 0x80000011;
	s.cr4 = 0x20;
	s.cr3 = 0x4000;
	s.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	s.pdptrs[0] = 0x5001;
	s.pdptrs[3] = 0x6001;
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS2, &s);
	assert_ioctl_works(m->vcpu, KVM_GET_SREGS2, &back);
	assert_int_equal(back.flags, KVM_SREGS2_FLAGS_PDPTRS_VALID);
	assert_int_equal(back.pdptrs[0], 0x5001);
	assert_int_equal(back.pdptrs[3], 0x6001);
	s.flags = 2;
	assert_ioctl_fails(m->vcpu, KVM_SET_SREGS2, &s, EINVAL);
}

static void fpu_goes_round(void **state)
{
	struct machine *m = *state;
	struct kvm_fpu fpu, back;

	seam__needs_real_cpu();
	assert_ioctl_works(m->vcpu, KVM_GET_FPU, &fpu);
	assert_int_equal(fpu.fcw, 0x37f);
	if (seam__is_soft()) /* the kernel's KVM leaves MXCSR out of struct kvm_fpu */
		assert_int_equal(fpu.mxcsr, 0x1f80);
	for (unsigned i = 0; i < 16; i++)
		memset(fpu.xmm[i], 0x10 + i, 16);
	for (unsigned i = 0; i < 8; i++)
		memset(fpu.fpr[i], 0x20 + i, 10);
	fpu.fcw = 0x27f;
	fpu.ftwx = 0xff;
	fpu.mxcsr = 0x1fa0;
	assert_ioctl_works(m->vcpu, KVM_SET_FPU, &fpu);
	assert_ioctl_works(m->vcpu, KVM_GET_FPU, &back);
	assert_memory_equal(fpu.xmm, back.xmm, sizeof(fpu.xmm));
	assert_memory_equal(fpu.fpr, back.fpr, sizeof(fpu.fpr));
	assert_int_equal(back.fcw, 0x27f);
	assert_int_equal(back.ftwx, 0xff);
	if (seam__is_soft())
		assert_int_equal(back.mxcsr, 0x1fa0);
}

GUEST(sse_code, "mov %cr4, %eax; or $0x200, %eax; mov %eax, %cr4; movups 0x2000, %xmm3;"
		"movups %xmm3, %xmm5; movd %xmm7, %ebx; fld1; hlt");

/* What user space sets the guest has, and the other way round. */
static void fpu_state_reaches_the_guest(void **state)
{
	struct machine *m = *state;
	struct kvm_fpu fpu;

	seam__needs_real_cpu();
	set_cpuid(m);
	memcpy(m->memory + 0x2000, "0123456789abcdef", 16);
	/*
	 * Once before: the kernel's KVM keeps XSTATE_BV as it is, and the registers of a guest that
	 * has used none are loaded as initial ones.
	 */
	MACHINE_LOAD(m, sse_code);
	machine__run_to_halt(m);
	MACHINE_LOAD(m, sse_code);
	assert_ioctl_works(m->vcpu, KVM_GET_FPU, &fpu);
	fpu.fsw = 0;
	fpu.ftwx = 0;
	memset(fpu.xmm[7], 0x5a, 16);
	assert_ioctl_works(m->vcpu, KVM_SET_FPU, &fpu);
	machine__run_to_halt(m);
	assert_int_equal(machine__regs(m).rbx & 0xffffffff, 0x5a5a5a5a);
	assert_ioctl_works(m->vcpu, KVM_GET_FPU, &fpu);
	assert_memory_equal(fpu.xmm[5], "0123456789abcdef", 16);
	assert_memory_equal(fpu.fpr[0], "\0\0\0\0\0\0\0\x80\xff\x3f", 10);
	assert_int_equal(fpu.ftwx, 0x80);
}

static void xsave_goes_round(void **state)
{
	struct machine *m = *state;
	struct kvm_xsave *xsave = calloc(1, sizeof(*xsave)), *back = calloc(1, sizeof(*back));
	uint64_t *bv = (uint64_t *)((uint8_t *)xsave->region + 512);

	set_cpuid(m);
	assert_ioctl_works(m->vcpu, KVM_GET_XSAVE, xsave);
	memset((uint8_t *)xsave->region + 160, 0x77, 256); /* XMM */
	*bv |= 3;
	assert_ioctl_works(m->vcpu, KVM_SET_XSAVE, xsave);
	assert_ioctl_works(m->vcpu, KVM_GET_XSAVE, back);
	assert_memory_equal((uint8_t *)back->region + 160, (uint8_t *)xsave->region + 160, 256);
	bv[1] = 1; /* the compacted format */
	assert_ioctl_fails(m->vcpu, KVM_SET_XSAVE, xsave, EINVAL);
	bv[1] = 0;
	*bv |= 1ULL << 62;
	assert_ioctl_fails(m->vcpu, KVM_SET_XSAVE, xsave, EINVAL);
	free(xsave);
	free(back);
}

static void xcr0_goes_round(void **state)
{
	struct machine *m = *state;
	struct kvm_xcrs xcrs, bad;

	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) <= 0)
		skip();
	set_cpuid(m);
	assert_ioctl_works(m->vcpu, KVM_GET_XCRS, &xcrs);
	assert_int_equal(xcrs.nr_xcrs, 1);
	assert_int_equal(xcrs.xcrs[0].value, 1);
	xcrs.xcrs[0].value = 3;
	assert_ioctl_works(m->vcpu, KVM_SET_XCRS, &xcrs);
	bad = xcrs;
	bad.xcrs[0].value = 2; /* without x87 */
	assert_ioctl_fails(m->vcpu, KVM_SET_XCRS, &bad, EINVAL);
	bad = xcrs;
	bad.nr_xcrs = 17;
	assert_ioctl_fails(m->vcpu, KVM_SET_XCRS, &bad, EINVAL);
	assert_ioctl_works(m->vcpu, KVM_GET_XCRS, &xcrs);
	assert_int_equal(xcrs.xcrs[0].value, 3);
}

static void debug_registers_go_round(void **state)
{
	struct machine *m = *state;
	struct kvm_debugregs set = { .db = { 1, 2, 3, 4 }, .dr6 = 0xffff0ff1, .dr7 = 0x401 }, back;

	assert_ioctl_works(m->vcpu, KVM_SET_DEBUGREGS, &set);
	assert_ioctl_works(m->vcpu, KVM_GET_DEBUGREGS, &back);
	assert_memory_equal(set.db, back.db, sizeof(set.db));
	assert_int_equal(back.dr6, set.dr6);
	assert_int_equal(back.dr7, set.dr7);
	set.dr7 |= 1ULL << 32;
	assert_ioctl_fails(m->vcpu, KVM_SET_DEBUGREGS, &set, EINVAL);
	set.dr7 = 0x400;
	set.flags = 1;
	assert_ioctl_fails(m->vcpu, KVM_SET_DEBUGREGS, &set, EINVAL);
}

static void msrs_go_round(void **state)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[4];
	} msrs = { .head.nmsrs = 4,
		   .entry = { { .index = 0x174, .data = 0x10 },
			      { .index = 0xc0000081, .data = 0x0023001000000000 },
			      { .index = 0xc0000082, .data = 0xffffffff81000000 },
			      { .index = 0xc0000102, .data = 0x7fff00000000 } } };
	struct machine *m = *state;
	uint64_t expected[4];

	set_cpuid(m);
	for (unsigned i = 0; i < 4; i++)
		expected[i] = msrs.entry[i].data;
	assert_int_equal(seam__ioctl(m->vcpu, KVM_SET_MSRS, (unsigned long)&msrs), 4);
	for (unsigned i = 0; i < 4; i++)
		msrs.entry[i].data = 0;
	assert_int_equal(seam__ioctl(m->vcpu, KVM_GET_MSRS, (unsigned long)&msrs), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(msrs.entry[i].data, expected[i]);
	/* A value that the processor would refuse. */
	msrs.entry[0] = (struct kvm_msr_entry){ .index = 0xc0000102, .data = 0x8000000000000000 };
	assert_int_equal(seam__ioctl(m->vcpu, KVM_SET_MSRS, (unsigned long)&msrs), 0);
}

static void events_go_round(void **state)
{
	struct machine *m = *state;
	struct kvm_vcpu_events events, back;

	assert_ioctl_works(m->vcpu, KVM_GET_VCPU_EVENTS, &events);
	assert_int_equal(events.exception.injected, 0);
	assert_int_equal(events.nmi.pending, 0);
	events.exception.injected = 1;
	events.exception.nr = 13;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0x18;
	events.nmi.masked = 1;
	events.interrupt.shadow = 1;
	events.flags = KVM_VCPUEVENT_VALID_SHADOW;
	assert_ioctl_works(m->vcpu, KVM_SET_VCPU_EVENTS, &events);
	assert_ioctl_works(m->vcpu, KVM_GET_VCPU_EVENTS, &back);
	assert_int_equal(back.exception.injected, 1);
	assert_int_equal(back.exception.nr, 13);
	assert_int_equal(back.exception.error_code, 0x18);
	assert_int_equal(back.nmi.masked, 1);
	assert_int_not_equal(back.interrupt.shadow, 0);
	events.exception.nr = 32;
	assert_ioctl_fails(m->vcpu, KVM_SET_VCPU_EVENTS, &events, EINVAL);
	events.exception.nr = 2;
	assert_ioctl_fails(m->vcpu, KVM_SET_VCPU_EVENTS, &events, EINVAL);
	events.exception.nr = 13;
	events.flags = 1u << 31;
	assert_ioctl_fails(m->vcpu, KVM_SET_VCPU_EVENTS, &events, EINVAL);
}

static void run_states_need_an_apic(void **state)
{
	struct machine *m = *state;
	struct kvm_mp_state mp = { KVM_MP_STATE_HALTED };

	assert_ioctl_fails(m->vcpu, KVM_SET_MP_STATE, &mp, EINVAL);
	mp.mp_state = 77;
	assert_ioctl_fails(m->vcpu, KVM_SET_MP_STATE, &mp, EINVAL);
	mp.mp_state = KVM_MP_STATE_RUNNABLE;
	assert_ioctl_works(m->vcpu, KVM_SET_MP_STATE, &mp);
}

static void an_apic_goes_round(void **state)
{
	struct machine *m = *state;
	struct kvm_lapic_state *lapic = calloc(1, sizeof(*lapic));
	struct kvm_mp_state mp = { KVM_MP_STATE_HALTED };

	assert_ioctl_works(m->vcpu, KVM_GET_LAPIC, lapic);
	assert_int_equal(*(uint32_t *)(lapic->regs + 0x20), 0);
	lapic->regs[0x80] = 0x30; /* TPR */
	assert_ioctl_works(m->vcpu, KVM_SET_LAPIC, lapic);
	memset(lapic, 0, sizeof(*lapic));
	assert_ioctl_works(m->vcpu, KVM_GET_LAPIC, lapic);
	assert_int_equal(lapic->regs[0x80], 0x30);
	assert_int_equal(machine__sregs(m).cr8, 3);
	assert_ioctl_works(m->vcpu, KVM_SET_MP_STATE, &mp);
	assert_ioctl_works(m->vcpu, KVM_GET_MP_STATE, &mp);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_HALTED);
	free(lapic);
}

static void without_an_apic_there_is_none(void **state)
{
	struct machine *m = *state;
	struct kvm_lapic_state *lapic = calloc(1, sizeof(*lapic));
	struct kvm_irq_level level = { .irq = 1 };
	struct kvm_irqchip *chip = calloc(1, sizeof(*chip));
	struct kvm_pit_config pit = { 0 };

	assert_ioctl_fails(m->vcpu, KVM_GET_LAPIC, lapic, EINVAL);
	assert_ioctl_fails(m->vm, KVM_IRQ_LINE, &level, ENXIO);
	assert_ioctl_fails(m->vm, KVM_GET_IRQCHIP, chip, ENXIO);
	/* api.rst 4.71 wants the irqchip first; the kernel's KVM before 6.12 does not look. */
	if (seam__is_soft())
		assert_ioctl_fails(m->vm, KVM_CREATE_PIT2, &pit, ENOENT);
	free(lapic);
	free(chip);
}

static void interrupt_controllers_go_round(void **state)
{
	struct machine *m = *state;
	struct kvm_irqchip *chip = calloc(1, sizeof(*chip));
	struct kvm_pit_state2 pit;
	struct kvm_pit_config config = { 0 };

	assert_ioctl_fails(m->vm, KVM_CREATE_IRQCHIP, 0, EEXIST);
	for (unsigned id = 0; id < 3; id++) {
		chip->chip_id = id;
		assert_ioctl_works(m->vm, KVM_GET_IRQCHIP, chip);
		assert_ioctl_works(m->vm, KVM_SET_IRQCHIP, chip);
	}
	chip->chip_id = 3;
	assert_ioctl_fails(m->vm, KVM_GET_IRQCHIP, chip, EINVAL);
	assert_ioctl_works(m->vm, KVM_CREATE_PIT2, &config);
	assert_ioctl_fails(m->vm, KVM_CREATE_PIT2, &config, EEXIST);
	assert_ioctl_works(m->vm, KVM_GET_PIT2, &pit);
	pit.channels[2].count = 0x1234;
	assert_ioctl_works(m->vm, KVM_SET_PIT2, &pit);
	memset(&pit, 0, sizeof(pit));
	assert_ioctl_works(m->vm, KVM_GET_PIT2, &pit);
	assert_int_equal(pit.channels[2].count, 0x1234);
	free(chip);
}

static void clock_can_be_set(void **state)
{
	struct machine *m = *state;
	struct kvm_clock_data clock = { .clock = 5000000000000ULL }, back;

	assert_ioctl_works(m->vm, KVM_SET_CLOCK, &clock);
	assert_ioctl_works(m->vm, KVM_GET_CLOCK, &back);
	assert_in_range(back.clock, clock.clock, clock.clock + 10000000000ULL);
	clock.flags = 1u << 30;
	assert_ioctl_fails(m->vm, KVM_SET_CLOCK, &clock, EINVAL);
}

static void tsc_rate_is_known(void **state)
{
	struct machine *m = *state;
	int khz = seam__ioctl(m->vcpu, KVM_GET_TSC_KHZ, 0);

	assert_in_range(khz, 100000, 20000000);
	assert_ioctl_works(m->vcpu, KVM_SET_TSC_KHZ, khz);
}

static void translation_without_paging_is_identity(void **state)
{
	struct machine *m = *state;
	struct kvm_translation tr = { .linear_address = 0x12345 };

	assert_ioctl_works(m->vcpu, KVM_TRANSLATE, &tr);
	assert_int_equal(tr.valid, 1);
	assert_int_equal(tr.physical_address, 0x12345);
}

static void translation_walks_the_tables(void **state)
{
	struct machine *m = *state;
	struct kvm_translation tr = { .linear_address = 0x40001234 };
	struct kvm_sregs sregs;

	set_cpuid(m);
	*(uint64_t *)(m->memory + 0x4000) = 0x5003;
	*(uint64_t *)(m->memory + 0x5008) = 0x6003;
	*(uint64_t *)(m->memory + 0x6000) = 0x7003;
	*(uint64_t *)(m->memory + 0x7008) = 0x9003;
	sregs = long_mode(m);
	assert_ioctl_works(m->vcpu, KVM_SET_SREGS, &sregs);
	assert_ioctl_works(m->vcpu, KVM_TRANSLATE, &tr);
	assert_int_equal(tr.valid, 1);
	assert_int_equal(tr.physical_address, 0x9234);
	tr.linear_address = 0x80000000;
	assert_ioctl_works(m->vcpu, KVM_TRANSLATE, &tr);
	assert_int_equal(tr.valid, 0);
}

GUEST(sync_code, "inc %ax; out %al, $0x10; inc %ax; out %al, $0x10; hlt");

static void registers_travel_in_the_run_page(void **state)
{
	struct machine *m = *state;

	if (seam__ioctl(m->sys, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) <= 0)
		skip();
	MACHINE_LOAD(m, sync_code);
	m->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->s.regs.regs.rax & 0xffff, 1);
	assert_int_equal(m->run->s.regs.sregs.cs.base, 0);
	m->run->s.regs.regs.rax = 0x40;
	m->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	assert_int_equal(machine__run(m), KVM_EXIT_IO);
	assert_int_equal(m->run->s.regs.regs.rax & 0xffff, 0x41);
	m->run->kvm_dirty_regs = 0;
	m->run->kvm_valid_regs = 1u << 31;
	assert_ioctl_fails(m->vcpu, KVM_RUN, 0, EINVAL);
	m->run->kvm_valid_regs = 0;
	machine__run_to_halt(m);
}

static void machine_checks_can_be_set_up(void **state)
{
	struct machine *m = *state;
	uint64_t cap = 0, mcg = 10;
	struct kvm_x86_mce mce = { .status = 1ULL << 63, .bank = 3, .addr = 0x1234 };

	assert_ioctl_works(m->sys, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap);
	mcg |= cap;
	assert_ioctl_works(m->vcpu, KVM_X86_SETUP_MCE, &mcg);
	assert_ioctl_works(m->vcpu, KVM_X86_SET_MCE, &mce);
	mce.bank = 10;
	assert_ioctl_fails(m->vcpu, KVM_X86_SET_MCE, &mce, EINVAL);
	mcg = 0;
	assert_ioctl_fails(m->vcpu, KVM_X86_SETUP_MCE, &mcg, EINVAL);
	mcg = 33;
	assert_ioctl_fails(m->vcpu, KVM_X86_SETUP_MCE, &mcg, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(reset_state_is_the_manuals),
		MACHINE_TEST(registers_go_round),
		MACHINE_TEST(special_registers_go_round),
		MACHINE_TEST(contradictory_registers_are_refused),
		MACHINE_TEST(sregs2_goes_round),
		MACHINE_TEST(fpu_goes_round),
		MACHINE_TEST(fpu_state_reaches_the_guest),
		MACHINE_TEST(xsave_goes_round),
		MACHINE_TEST(xcr0_goes_round),
		MACHINE_TEST(debug_registers_go_round),
		MACHINE_TEST(msrs_go_round),
		MACHINE_TEST(events_go_round),
		MACHINE_TEST(run_states_need_an_apic),
		IRQCHIP_TEST(an_apic_goes_round),
		MACHINE_TEST(without_an_apic_there_is_none),
		IRQCHIP_TEST(interrupt_controllers_go_round),
		MACHINE_TEST(clock_can_be_set),
		MACHINE_TEST(tsc_rate_is_known),
		MACHINE_TEST(translation_without_paging_is_identity),
		MACHINE_TEST(translation_walks_the_tables),
		MACHINE_TEST(registers_travel_in_the_run_page),
		MACHINE_TEST(machine_checks_can_be_set_up),
	};

	return SEAM_RUN("state", tests);
}
