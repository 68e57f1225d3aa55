/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What KVM_RUN returned for (Documentation/virt/kvm/api.rst, 5. The kvm_run structure). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/memory/dispatch.h"
#include "vmm/vcpu/vcpu.h"

static void tell(struct vcpu *vcpu, enum vcpu_event event)
{
	vcpu->set->event(vcpu->set->opaque, vcpu->id, event);
}

static void fail(struct vcpu *vcpu, const char *what, unsigned long long code)
{
	fprintf(stderr, "trivet: vCPU %u: %s 0x%llx\n", vcpu->id, what, code);
	vcpu__dump(vcpu);
	tell(vcpu, VCPU_FAILED);
}

/* One port access, or as many as an INS or OUTS with REP has in one exit. */
static void handle_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm.run;
	uint64_t bytes = (uint64_t)run->io.size * run->io.count;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	if (run->io.size > 4 || run->io.data_offset > vcpu->set->system->run_size ||
	    bytes > vcpu->set->system->run_size - run->io.data_offset) {
		fail(vcpu, "port access with impossible size", bytes);
		return;
	}
	for (i = 0; i < run->io.count; i++, data += run->io.size)
		dispatch__access(vcpu->set->ports, vcpu->id, run->io.port,
				 run->io.direction == KVM_EXIT_IO_OUT, data, run->io.size);
	vcpu->completes = true;
}

static void handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm.run;

	if (run->mmio.len > sizeof(run->mmio.data)) {
		fail(vcpu, "memory access with impossible size", run->mmio.len);
		return;
	}
	dispatch__access(vcpu->set->mmio, vcpu->id, run->mmio.phys_addr, run->mmio.is_write,
			 run->mmio.data, run->mmio.len);
	vcpu->completes = true;
}

static void handle_system_event(struct vcpu *vcpu)
{
	switch (vcpu->kvm.run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		tell(vcpu, VCPU_POWER_OFF);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		tell(vcpu, VCPU_RESET);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		tell(vcpu, VCPU_CRASH);
		break;
	default:
		fail(vcpu, "unknown system event", vcpu->kvm.run->system_event.type);
	}
}

void vcpu__handle_exit(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->kvm.run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(vcpu);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_HLT: /* not with the hypervisor's APICs, which wait themselves */
		break;
	case KVM_EXIT_SHUTDOWN:
		tell(vcpu, VCPU_TRIPLE_FAULT);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		handle_system_event(vcpu);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		fail(vcpu, "the CPU refuses the guest's state, reason",
		     run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		fail(vcpu, "the hypervisor cannot go on, suberror", run->internal.suberror);
		break;
	default:
		fail(vcpu, "unexpected exit, reason", run->exit_reason);
	}
}

static void dump_segment(const char *name, const struct kvm_segment *segment)
{
	fprintf(stderr, "  %-3s %04x base %016llx limit %08x type %x s %u dpl %u p %u l %u db %u\n",
		name, segment->selector, segment->base, segment->limit, segment->type, segment->s,
		segment->dpl, segment->present, segment->l, segment->db);
}

void vcpu__dump(struct vcpu *vcpu)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (kvm_vcpu__get_regs(&vcpu->kvm, &r) || kvm_vcpu__get_sregs(&vcpu->kvm, &s)) {
		fprintf(stderr, "  registers cannot be read\n");
		return;
	}
	fprintf(stderr,
		"  rip %016llx flags %016llx rsp %016llx rbp %016llx\n"
		"  rax %016llx rbx   %016llx rcx %016llx rdx %016llx\n"
		"  rsi %016llx rdi   %016llx r8  %016llx r9  %016llx\n"
		"  r10 %016llx r11   %016llx r12 %016llx r13 %016llx\n"
		"  r14 %016llx r15   %016llx\n"
		"  cr0 %016llx cr2   %016llx cr3 %016llx cr4 %016llx\n"
		"  cr8 %016llx efer  %016llx apic base %016llx\n",
		r.rip, r.rflags, r.rsp, r.rbp, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.r8, r.r9,
		r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, s.cr0, s.cr2, s.cr3, s.cr4, s.cr8, s.efer,
		s.apic_base);
	dump_segment("cs", &s.cs);
	dump_segment("ss", &s.ss);
	dump_segment("ds", &s.ds);
	dump_segment("es", &s.es);
	dump_segment("fs", &s.fs);
	dump_segment("gs", &s.gs);
	dump_segment("tr", &s.tr);
	dump_segment("ldt", &s.ldt);
	fprintf(stderr, "  gdt base %016llx limit %04x\n  idt base %016llx limit %04x\n", s.gdt.base,
		s.gdt.limit, s.idt.base, s.idt.limit);
}
