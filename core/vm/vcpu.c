/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtual CPU's making and end, and its state after RESET and INIT (APM vol. 2, 14.1.3). */
#include "core/irqchip/irqchip.h"
#include "core/vm/vm.h"

#define FXSAVE_FCW 0
#define FXSAVE_MXCSR 24
#define XSAVE_AREA 4096

#define FCW_RESET 0x37f /* KVM's: as FNINIT leaves it, rather than the pins' 40H */
#define MXCSR_RESET 0x1f80

static struct x86_segment reset_segment(u16 selector, u64 base, u8 type, bool s)
{
	return (struct x86_segment){
		.selector = selector,
		.base = base,
		.limit = 0xffff,
		.type = type,
		.s = s,
		.present = true,
	};
}

static void reset_segments(struct x86_cpu *cpu)
{
	unsigned seg;

	for (seg = 0; seg < X86_NR_SEG; seg++)
		cpu->seg[seg] = reset_segment(
			0, 0, SEG_TYPE_WRITABLE | SEG_TYPE_ACCESSED, true);
	cpu->seg[X86_CS] = reset_segment(
		0xf000, 0xffff0000, SEG_TYPE_CODE | SEG_TYPE_READABLE | SEG_TYPE_ACCESSED, true);
	cpu->ldtr = reset_segment(0, 0, 2, false); /* LDT */
	cpu->tr = reset_segment(0, 0, 11, false); /* busy TSS */
	cpu->gdt = (struct x86_dtable){ .limit = 0xffff };
	cpu->idt = (struct x86_dtable){ .limit = 0xffff };
}

/* EDX holds the processor's signature, CPUID leaf 1's EAX. */
static u32 signature(const struct vcpu *vcpu)
{
	u32 i;

	for (i = 0; i < vcpu->cpuid.count; i++)
		if (vcpu->cpuid.entry[i].function == 1)
			return vcpu->cpuid.entry[i].eax;
	return 0x600;
}

static void reset_vectors(struct vcpu *vcpu)
{
	u16 fcw = FCW_RESET;
	u32 mxcsr = MXCSR_RESET;

	memset(vcpu->xsave, 0, XSAVE_AREA);
	memcpy(vcpu->xsave + FXSAVE_FCW, &fcw, sizeof(fcw));
	memcpy(vcpu->xsave + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	if (vcpu->vm->engine->vector_changed)
		vcpu->vm->engine->vector_changed(vcpu);
}

static void reset_cpu(struct vcpu *vcpu, bool init)
{
	struct x86_cpu *cpu = &vcpu->cpu;
	/* INIT keeps the cache bits; x87 and vector registers, XCR0 and most MSRs too. */
	u64 cr0 = CR0_ET | (init ? cpu->cr0 & (CR0_NW | CR0_CD) : CR0_NW | CR0_CD);

	memset(cpu->slot, 0, sizeof(cpu->slot));
	cpu->gpr[X86_RDX] = signature(vcpu);
	cpu->rip = 0xfff0;
	cpu->arith = 0;
	cpu->sysflags = RFLAGS_FIXED;
	reset_segments(cpu);
	cpu->cr0 = cr0;
	cpu->cr2 = 0;
	cpu->cr3 = 0;
	cpu->cr4 = 0;
	cpu->efer = 0;
	memset(cpu->dr, 0, sizeof(cpu->dr));
	cpu->dr6 = DR6_FIXED;
	cpu->dr7 = DR7_FIXED;
	cpu->shadow = 0;
	cpu->nmi_masked = false;
	if (!init)
		cpu->xcr0 = 1;
}

void vcpu__reset(struct vcpu *vcpu, bool init)
{
	reset_cpu(vcpu, init);
	memset(&vcpu->exception, 0, sizeof(vcpu->exception));
	memset(&vcpu->io, 0, sizeof(vcpu->io));
	memset(&vcpu->msr_exit, 0, sizeof(vcpu->msr_exit));
	vcpu->hypercall_in_flight = false;
	vcpu->breakpoint_hits = 0;
	vcpu->interrupt_injected = false;
	vcpu->nmi_pending = false;
	__atomic_store_n(&vcpu->nmi_queued, 0, __ATOMIC_RELAXED);
	vcpu->pv_unhalted = false;
	msr__reset(vcpu, init);
	lapic__reset(vcpu, init);
	if (!init)
		reset_vectors(vcpu);
	x86__mode_changed(vcpu);
	tlb__flush_all(vcpu);
	if (vcpu->vm->engine->state_changed)
		vcpu->vm->engine->state_changed(vcpu);
}

static int check_id(struct vm *vm, u32 id)
{
	if (id >= vm->max_vcpu_id || vm->nr_vcpus >= VM_MAX_VCPUS)
		return -EINVAL;
	return vm__vcpu_by_id(vm, id) ? -EEXIST : 0;
}

/* The engine's own state stands directly behind the core's. */
static size_t allocation_size(const struct vm *vm)
{
	return sizeof(struct vcpu) + vm->engine->vcpu_size;
}

/* Called with vm->lock held. */
int vcpu__create(struct vm *vm, u32 id, struct vcpu **out)
{
	struct vcpu *vcpu;
	int rc = check_id(vm, id);

	if (rc)
		return rc;
	/* Mostly the TLB: pages that are never touched cost nothing. */
	vcpu = host__alloc_sparse(allocation_size(vm));
	if (!vcpu)
		return -ENOMEM;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->index = vm->nr_vcpus;
	vcpu->external_vector = -1;
	vcpu->code_written = ~0ULL;
	cpuid__init(vcpu);
	host__mutex_init(&vcpu->mutex);
	rc = host__vcpu_init(vcpu);
	if (rc)
		goto free_vcpu;
	rc = vm->engine->vcpu_create(vcpu);
	if (rc)
		goto destroy_host;
	rc = vm->irqchip ? lapic__create(vcpu) : 0;
	if (rc)
		goto destroy_engine;
	vcpu__reset(vcpu, false);
	/* Application processors wait for INIT and SIPI, which only an in-kernel APIC can take. */
	vcpu->mp_state = vcpu->lapic && id != vm->bsp_id ? KVM_MP_STATE_UNINITIALIZED :
							   KVM_MP_STATE_RUNNABLE;
	vm->vcpus[vm->nr_vcpus] = vcpu;
	__atomic_store_n(&vm->nr_vcpus, vm->nr_vcpus + 1, __ATOMIC_RELEASE);
	*out = vcpu;
	return 0;

destroy_engine:
	vm->engine->vcpu_destroy(vcpu);
destroy_host:
	host__vcpu_destroy(vcpu);
free_vcpu:
	host__mutex_destroy(&vcpu->mutex);
	host__free_sparse(vcpu, allocation_size(vm));
	return rc;
}

void vcpu__destroy(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	lapic__destroy(vcpu);
	vm->engine->vcpu_destroy(vcpu);
	cpuid__free(vcpu);
	host__vcpu_destroy(vcpu);
	host__mutex_destroy(&vcpu->mutex);
	host__free_sparse(vcpu, allocation_size(vm));
}
