/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real threads, real locks and timers: nothing that is sent to a vCPU may get lost, as long as its
 * thread looks whenever it was asked to, and only then.
 */
#include "core/irqchip/lapic.h"
#include "core/vm/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#define NR_VCPUS 3
#define ROUNDS 1500
#define TIMEOUT_NS 20000000000ULL

#define VECTOR_LEVEL 0x41
#define VECTOR_IPI 0x61
#define VECTOR_MSI 0x81
#define VECTOR_TIMER 0xec
#define LEVEL_GSI 20

struct machine {
	struct vm *vm;
	u32 seen[NR_VCPUS][256]; /* atomic */
	bool stop;		 /* atomic */
	bool failed;		 /* atomic */
};

struct sender {
	struct machine *m;
	unsigned vcpu;
};

struct owner {
	struct machine *m;
	struct vcpu *vcpu;
};

static void apic_write(struct vcpu *vcpu, unsigned reg, u32 value)
{
	irqchip__mmio_write(vcpu, 0xfee00000 + reg, 4, &value);
}

static u32 seen(struct machine *m, unsigned vcpu, u8 vector)
{
	return __atomic_load_n(&m->seen[vcpu][vector], __ATOMIC_ACQUIRE);
}

static bool wait_for(struct machine *m, unsigned vcpu, u8 vector, u32 count)
{
	u64 end = host__monotonic_ns() + TIMEOUT_NS;

	while (seen(m, vcpu, vector) < count) {
		if (host__monotonic_ns() > end) {
			__atomic_store_n(&m->failed, true, __ATOMIC_RELAXED);
			return false;
		}
		host__yield();
	}
	return true;
}

static void handle(struct machine *m, struct vcpu *vcpu, u8 vector)
{
	switch (vector) {
	case VECTOR_LEVEL: /* the device is served, its line falls */
		irqchip__line(m->vm, LEVEL_GSI, false, NULL);
		break;
	case VECTOR_MSI: /* tell the next vCPU */
		apic_write(vcpu, APIC_ICR2, ((vcpu->id + 1) % NR_VCPUS) << 24);
		apic_write(vcpu, APIC_ICR, 0x4000 | VECTOR_IPI);
		break;
	case VECTOR_TIMER:
		apic_write(vcpu, APIC_TMICT, 20000);
		break;
	}
	apic_write(vcpu, APIC_EOI, 0);
	__atomic_fetch_add(&m->seen[vcpu->id][vector], 1, __ATOMIC_RELEASE);
}

static void *run_owner(void *arg)
{
	struct owner *o = arg;
	int vector;

	apic_write(o->vcpu, APIC_SVR, 0x1ff);
	apic_write(o->vcpu, APIC_TDCR, 0xb);
	apic_write(o->vcpu, APIC_LVT_TIMER, VECTOR_TIMER);
	apic_write(o->vcpu, APIC_TMICT, 20000);
	while (!__atomic_load_n(&o->m->stop, __ATOMIC_ACQUIRE)) {
		if (!__atomic_exchange_n(&o->vcpu->requests, 0, __ATOMIC_SEQ_CST)) {
			host__yield();
			continue;
		}
		while (irqchip__has_interrupt(o->vcpu)) {
			vector = irqchip__take_interrupt(o->vcpu);
			if (vector >= 0)
				handle(o->m, o->vcpu, vector);
		}
	}
	apic_write(o->vcpu, APIC_TMICT, 0);
	return NULL;
}

static void *send_msis(void *arg)
{
	struct sender *s = arg;
	struct kvm_msi msi = {.address_lo = 0xfee00000 | s->vcpu << 12, .data = VECTOR_MSI};
	u32 i;

	for (i = 1; i <= ROUNDS; i++) {
		irqchip__msi(s->m->vm, &msi);
		if (!wait_for(s->m, s->vcpu, VECTOR_MSI, i))
			break;
	}
	return NULL;
}

static void *raise_line(void *arg)
{
	struct sender *s = arg;
	u32 i;

	for (i = 1; i <= ROUNDS; i++) {
		irqchip__line(s->m->vm, LEVEL_GSI, true, NULL);
		if (!wait_for(s->m, s->vcpu, VECTOR_LEVEL, i))
			break;
	}
	return NULL;
}

static void make_machine(struct machine *m)
{
	u32 i, redir[2][2] = {{0x10 + 2 * LEVEL_GSI, 0x8000 | VECTOR_LEVEL},
			      {0x11 + 2 * LEVEL_GSI, 1 << 24}};

	m->vm = calloc(1, sizeof(*m->vm));
	assert_non_null(m->vm);
	assert_int_equal(irqchip__create(m->vm), 0);
	for (i = 0; i < NR_VCPUS; i++) {
		struct vcpu *vcpu = calloc(1, sizeof(*vcpu));

		assert_non_null(vcpu);
		vcpu->vm = m->vm;
		vcpu->id = vcpu->index = i;
		assert_int_equal(host__vcpu_init(vcpu), 0);
		assert_int_equal(lapic__create(vcpu), 0);
		apic_write(vcpu, APIC_LVT_LINT0, 0x10700);
		apic_write(vcpu, APIC_SVR, 0x1ff);
		m->vm->vcpus[i] = vcpu;
		__atomic_store_n(&m->vm->nr_vcpus, i + 1, __ATOMIC_RELEASE);
	}
	for (i = 0; i < 2; i++) {
		irqchip__mmio_write(m->vm->vcpus[0], 0xfec00000, 4, &redir[i][0]);
		irqchip__mmio_write(m->vm->vcpus[0], 0xfec00010, 4, &redir[i][1]);
	}
}

static void free_machine(struct machine *m)
{
	u32 i;

	irqchip__destroy(m->vm);
	for (i = 0; i < NR_VCPUS; i++) {
		lapic__destroy(m->vm->vcpus[i]);
		host__vcpu_destroy(m->vm->vcpus[i]);
		free(m->vm->vcpus[i]);
	}
	free(m->vm);
}

static void test_nothing_is_lost(void **state)
{
	static struct machine m;
	pthread_t owner_threads[NR_VCPUS], sender_threads[NR_VCPUS + 1];
	struct owner owners[NR_VCPUS];
	struct sender senders[NR_VCPUS + 1];
	unsigned i;

	(void)state;
	make_machine(&m);
	for (i = 0; i < NR_VCPUS; i++) {
		owners[i] = (struct owner){&m, m.vm->vcpus[i]};
		assert_int_equal(pthread_create(&owner_threads[i], NULL, run_owner, &owners[i]),
				 0);
	}
	for (i = 0; i <= NR_VCPUS; i++) {
		senders[i] = (struct sender){&m, i < NR_VCPUS ? i : 1};
		assert_int_equal(pthread_create(&sender_threads[i], NULL,
						i < NR_VCPUS ? send_msis : raise_line,
						&senders[i]),
				 0);
	}
	for (i = 0; i <= NR_VCPUS; i++)
		pthread_join(sender_threads[i], NULL);
	for (i = 0; i < NR_VCPUS; i++) {
		assert_true(wait_for(&m, i, VECTOR_IPI, 1));
		assert_true(wait_for(&m, i, VECTOR_TIMER, 10));
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_join(owner_threads[i], NULL);
	assert_false(m.failed);
	for (i = 0; i < NR_VCPUS; i++)
		assert_int_equal(seen(&m, i, VECTOR_MSI), ROUNDS);
	free_machine(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_lost)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
