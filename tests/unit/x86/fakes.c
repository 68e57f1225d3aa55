/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What core/x86 calls, small enough to see through. */
#include "tests/unit/x86/fakes.h"
#include "core/irqchip/irqchip.h"
#include "core/memory/walk.h"
#include "core/x86/segment.h"

#include <stdlib.h>

struct vm fake_vm;
struct vcpu fake_vcpu[2];
u8 fake_memory[FAKE_MEMORY] __attribute__((aligned(4096)));
struct fake_log fake_log;
bool fake_pdptes_bad;
u64 fake_monotonic_ns, fake_realtime_ns, fake_wait_ns;
u32 fake_khz;
u64 fake_apic_base;
s64 fake_ipi_result;
u64 fake_ipi[4];

static const struct engine_ops fake_engine = { .name = "fake" };
static struct memory_slot fake_slot = { .pages = FAKE_MEMORY / 4096, .host = fake_memory };
static struct kvm_run fake_run[2];

int fake__setup(void **state)
{
	unsigned i;

	memset(&fake_vm, 0, sizeof(fake_vm));
	memset(fake_vcpu, 0, sizeof(fake_vcpu));
	memset(fake_memory, 0, sizeof(fake_memory));
	fake_vm.engine = &fake_engine;
	fake_pdptes_bad = false;
	fake_monotonic_ns = 1000000000000;
	fake_realtime_ns = 1700000000123456789;
	fake_wait_ns = 0;
	fake_khz = 2500000;
	fake_apic_base = 0xfee00900;
	for (i = 0; i < 2; i++) {
		struct vcpu *vcpu = &fake_vcpu[i];

		vcpu->vm = &fake_vm;
		vcpu->id = vcpu->index = i;
		vcpu->run = &fake_run[i];
		fake_vm.vcpus[i] = vcpu;
		cpuid__init(vcpu);
		msr__reset(vcpu, false);
	}
	fake_vm.nr_vcpus = 2;
	memset(&fake_log, 0, sizeof(fake_log));
	return 0;
}

int fake__teardown(void **state)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		cpuid__free(&fake_vcpu[i]);
	return 0;
}

/* ---- host ---- */

void *host__memcpy(void *dst, const void *src, size_t n);
void *host__memset(void *dst, int c, size_t n);
int host__memcmp(const void *a, const void *b, size_t n);

void *host__memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *host__memset(void *dst, int c, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int host__memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *host__alloc(size_t n)
{
	return calloc(1, n);
}

void host__free(void *p)
{
	free(p);
}

void host__mutex_lock(struct host_mutex *m)
{
	assert_int_equal(m->opaque[0]++, 0);
}

void host__mutex_unlock(struct host_mutex *m)
{
	assert_int_equal(m->opaque[0]--, 1);
}

void host__yield(void)
{
}

u64 host__monotonic_ns(void)
{
	return fake_monotonic_ns;
}

u64 host__realtime_ns(void)
{
	return fake_realtime_ns;
}

u64 host__thread_wait_ns(void)
{
	return fake_wait_ns;
}

u32 host__tsc_khz(void)
{
	return fake_khz;
}

/* ---- memory ---- */

struct memory_slot *memory__find(struct vm *vm, u64 gpa)
{
	return gpa < FAKE_MEMORY ? &fake_slot : NULL;
}

void *memory__pointer(struct vm *vm, u64 gpa, bool write, u64 *avail)
{
	if (gpa >= FAKE_MEMORY)
		return NULL;
	*avail = FAKE_MEMORY - gpa;
	return fake_memory + gpa;
}

void memory__wrote(struct vm *vm, struct vcpu *vcpu, struct memory_slot *slot, u64 gpa)
{
}

int memory__write(struct vm *vm, u64 gpa, const void *buf, size_t n)
{
	if (gpa >= FAKE_MEMORY || n > FAKE_MEMORY - gpa)
		return -EFAULT;
	memcpy(fake_memory + gpa, buf, n);
	return 0;
}

int walk__load_pdptes(struct vcpu *vcpu, u64 cr3)
{
	if (fake_pdptes_bad)
		return 1;
	fake_log.pdptes_loaded++;
	return 0;
}

void tlb__flush_all(struct vcpu *vcpu)
{
	fake_log.flush_all++;
}

void tlb__flush_non_global(struct vcpu *vcpu)
{
	fake_log.flush_non_global++;
}

/* ---- vCPU and interrupt controllers ---- */

void x86__mode_changed(struct vcpu *vcpu)
{
	fake_log.mode_changed++;
}

void x86__segment_changed(struct x86_cpu *cpu, enum x86_segreg seg)
{
}

void vcpu__request(struct vcpu *vcpu, u64 requests)
{
	fake_log.requests[vcpu->index] |= requests;
}

void vcpu__request_quietly(struct vcpu *vcpu, u64 requests)
{
	fake_log.requests[vcpu->index] |= requests;
}

void vm__request_all(struct vm *vm, u64 requests)
{
	fake_log.requests[0] |= requests;
	fake_log.requests[1] |= requests;
}

struct vcpu *vm__vcpu_by_id(struct vm *vm, u32 id)
{
	return id < 2 ? &fake_vcpu[id] : NULL;
}

u64 lapic__get_base(struct vcpu *vcpu)
{
	return fake_apic_base;
}

int lapic__set_base(struct vcpu *vcpu, u64 value)
{
	fake_apic_base = value;
	return 0;
}

int lapic__set_base_host(struct vcpu *vcpu, u64 value)
{
	fake_apic_base = value;
	return 0;
}

u64 lapic__get_tpr(struct vcpu *vcpu)
{
	return 0;
}

void lapic__set_tpr(struct vcpu *vcpu, u64 cr8)
{
}

int lapic__read_msr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	*value = msr;
	return 0;
}

int lapic__write_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	return 0;
}

u64 lapic__get_deadline(struct vcpu *vcpu)
{
	return 0;
}

void lapic__set_deadline(struct vcpu *vcpu, u64 tsc)
{
}

int lapic__set_pv_eoi(struct vcpu *vcpu, u64 value)
{
	return 0;
}

s64 lapic__pv_send_ipi(struct vcpu *vcpu, u64 low, u64 high, u64 min, u64 icr)
{
	fake_ipi[0] = low;
	fake_ipi[1] = high;
	fake_ipi[2] = min;
	fake_ipi[3] = icr;
	return fake_ipi_result;
}
