/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controllable machine of fake.h. */
#include "fake.h"
#include "core/memory/slots.h"
#include "core/x86/msr.h"

#include <stdlib.h>

#define FIRST_FD 10
#define NR_FDS 10
#define MAX_TIMERS 400

u64 fake_now;
u8 fake_ram[FAKE_RAM];

struct host_eventfd {
	unsigned signals;
	unsigned refs;
	void (*fn)(void *arg);
	void *arg;
};

static struct host_eventfd eventfds[NR_FDS];
static struct host_timer *timers[MAX_TIMERS];
static unsigned nr_timers;
static unsigned locks_held;

/* ---- host ---- */

void *host__memcpy(void *dst, const void *src, size_t n);
void *host__memmove(void *dst, const void *src, size_t n);
void *host__memset(void *dst, int c, size_t n);
int host__memcmp(const void *a, const void *b, size_t n);

void *host__memmove(void *dst, const void *src, size_t n)
{
	volatile u8 *d = dst; /* or the compiler makes this a call of itself */
	const u8 *s = src;

	if (d < s)
		while (n--)
			*d++ = *s++;
	else
		while (n--)
			d[n] = s[n];
	return dst;
}

void *host__memcpy(void *dst, const void *src, size_t n)
{
	return host__memmove(dst, src, n);
}

void *host__memset(void *dst, int c, size_t n)
{
	volatile u8 *d = dst;

	while (n--)
		*d++ = c;
	return dst;
}

int host__memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n--; x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *host__alloc(size_t n)
{
	return calloc(1, n);
}

void *host__alloc_sparse(size_t n)
{
	return calloc(1, n);
}

void host__free(void *p)
{
	free(p);
}

void host__free_sparse(void *p, size_t n)
{
	(void)n;
	free(p);
}

void host__mutex_init(struct host_mutex *m)
{
	m->opaque[0] = 0;
}

void host__mutex_destroy(struct host_mutex *m)
{
	assert_int_equal(m->opaque[0], 0);
}

void host__mutex_lock(struct host_mutex *m)
{
	assert_int_equal(m->opaque[0], 0); /* else: a deadlock */
	m->opaque[0] = 1;
	locks_held++;
}

void host__mutex_unlock(struct host_mutex *m)
{
	assert_int_equal(m->opaque[0], 1);
	m->opaque[0] = 0;
	locks_held--;
}

u64 host__monotonic_ns(void)
{
	return fake_now;
}

u32 host__tsc_khz(void)
{
	return FAKE_TSC_KHZ;
}

u64 x86__guest_tsc(struct vcpu *vcpu)
{
	return fake_now * (FAKE_TSC_KHZ / 1000000) + vcpu->msrs.tsc_offset;
}

void host__timer_init(struct host_timer *t, void (*fn)(struct host_timer *t))
{
	t->fn = fn;
	t->opaque[0] = 0;
	assert_true(nr_timers < MAX_TIMERS);
	timers[nr_timers++] = t;
}

void host__timer_set(struct host_timer *t, u64 deadline_ns)
{
	t->deadline = deadline_ns;
	t->opaque[0] = 1;
}

void host__timer_cancel(struct host_timer *t)
{
	t->opaque[0] = 0;
}

void host__timer_destroy(struct host_timer *t)
{
	unsigned i;

	assert_int_equal(locks_held, 0);
	t->opaque[0] = 0;
	for (i = 0; i < nr_timers; i++)
		if (timers[i] == t)
			timers[i] = timers[--nr_timers];
}

struct host_eventfd *host__eventfd_get(int fd)
{
	if (fd < FIRST_FD || fd >= FIRST_FD + NR_FDS)
		return NULL;
	eventfds[fd - FIRST_FD].refs++;
	return &eventfds[fd - FIRST_FD];
}

void host__eventfd_put(struct host_eventfd *e)
{
	assert_true(e->refs > 0);
	e->refs--;
}

bool host__eventfd_same(const struct host_eventfd *e, int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + NR_FDS && e == &eventfds[fd - FIRST_FD];
}

void host__eventfd_signal(struct host_eventfd *e)
{
	e->signals++;
}

int host__eventfd_watch(struct host_eventfd *e, void (*fn)(void *arg), void *arg)
{
	if (e->fn)
		return -EBUSY;
	e->fn = fn;
	e->arg = arg;
	return 0;
}

void host__eventfd_unwatch(struct host_eventfd *e)
{
	e->fn = NULL;
}

/* ---- core ---- */

void vcpu__request_quietly(struct vcpu *vcpu, u64 requests)
{
	vcpu->requests |= requests;
}

void vcpu__request(struct vcpu *vcpu, u64 requests)
{
	vcpu->requests |= requests;
}

void vcpu__nmi(struct vcpu *vcpu)
{
	vcpu->nmi_queued++;
	vcpu->requests |= REQ_NMI;
}

int memory__read(struct vm *vm, u64 gpa, void *buf, size_t n)
{
	(void)vm;
	if (gpa > FAKE_RAM || n > FAKE_RAM - gpa)
		return -EFAULT;
	host__memcpy(buf, fake_ram + gpa, n);
	return 0;
}

int memory__write(struct vm *vm, u64 gpa, const void *buf, size_t n)
{
	(void)vm;
	if (gpa > FAKE_RAM || n > FAKE_RAM - gpa)
		return -EFAULT;
	host__memcpy(fake_ram + gpa, buf, n);
	return 0;
}

/* ---- the tests' side ---- */

struct vm *fake__bare_vm(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	assert_non_null(vm);
	fake_now = 1000000000;
	host__memset(eventfds, 0, sizeof(eventfds));
	host__memset(fake_ram, 0, sizeof(fake_ram));
	nr_timers = 0;
	locks_held = 0;
	vm->tsc_khz = FAKE_TSC_KHZ;
	return vm;
}

struct vcpu *fake__add_vcpu(struct vm *vm, u32 id)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));

	assert_non_null(vcpu);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->index = vm->nr_vcpus;
	vcpu->external_vector = -1;
	vcpu->cpuid.features[FEAT_X2APIC / 64] |= BIT64(FEAT_X2APIC % 64);
	vcpu->cpuid.features[FEAT_TSC_DEADLINE / 64] |= BIT64(FEAT_TSC_DEADLINE % 64);
	vcpu->cpuid.max_phys_bits = 40;
	vcpu->cpu.code_size = 8;
	assert_int_equal(lapic__create(vcpu), 0);
	lapic__reset(vcpu, false);
	vm->vcpus[vm->nr_vcpus++] = vcpu;
	return vcpu;
}

struct vm *fake__vm(unsigned vcpus)
{
	struct vm *vm = fake__bare_vm();
	unsigned i;

	assert_int_equal(irqchip__create(vm), 0);
	for (i = 0; i < vcpus; i++)
		fake__add_vcpu(vm, i);
	return vm;
}

struct vm *fake__split_vm(unsigned vcpus, u32 reserved)
{
	struct vm *vm = fake__bare_vm();
	unsigned i;

	assert_int_equal(irqchip__create_split(vm, reserved), 0);
	for (i = 0; i < vcpus; i++)
		fake__add_vcpu(vm, i);
	return vm;
}

void fake__free(struct vm *vm)
{
	u32 i;

	ioeventfd__release_all(vm);
	irqchip__destroy(vm);
	for (i = 0; i < vm->nr_vcpus; i++) {
		lapic__destroy(vm->vcpus[i]);
		free(vm->vcpus[i]);
	}
	free(vm);
	assert_int_equal(nr_timers, 0);
	assert_int_equal(locks_held, 0);
	for (i = 0; i < NR_FDS; i++)
		assert_int_equal(eventfds[i].refs, 0);
}

static struct host_timer *next_timer(u64 until)
{
	struct host_timer *best = NULL;
	unsigned i;

	for (i = 0; i < nr_timers; i++)
		if (timers[i]->opaque[0] && timers[i]->deadline <= until &&
		    (!best || timers[i]->deadline < best->deadline))
			best = timers[i];
	return best;
}

void fake__advance(u64 ns)
{
	u64 until = fake_now + ns;
	struct host_timer *t;

	while ((t = next_timer(until))) {
		if (t->deadline > fake_now)
			fake_now = t->deadline;
		t->opaque[0] = 0;
		t->fn(t);
		assert_int_equal(locks_held, 0);
	}
	fake_now = until;
}

unsigned fake__armed_timers(void)
{
	unsigned i, n = 0;

	for (i = 0; i < nr_timers; i++)
		n += timers[i]->opaque[0];
	return n;
}

void fake__signal(int fd)
{
	struct host_eventfd *e = &eventfds[fd - FIRST_FD];

	if (e->fn)
		e->fn(e->arg);
	assert_int_equal(locks_held, 0);
}

unsigned fake__take_signals(int fd)
{
	unsigned n = eventfds[fd - FIRST_FD].signals;

	eventfds[fd - FIRST_FD].signals = 0;
	return n;
}

unsigned fake__eventfd_refs(int fd)
{
	return eventfds[fd - FIRST_FD].refs;
}

u64 fake__take_requests(struct vcpu *vcpu)
{
	u64 requests = vcpu->requests;

	vcpu->requests = 0;
	return requests;
}

void fake__apic_write(struct vcpu *vcpu, unsigned reg, u32 value)
{
	assert_true(irqchip__mmio_write(vcpu, 0xfee00000 + reg, 4, &value));
	assert_int_equal(locks_held, 0);
}

u32 fake__apic_read(struct vcpu *vcpu, unsigned reg)
{
	u32 value = 0xdeadbeef;

	assert_true(irqchip__mmio_read(vcpu, 0xfee00000 + reg, 4, &value));
	return value;
}

void fake__enable_apics(struct vm *vm)
{
	u32 i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		fake__apic_write(vm->vcpus[i], APIC_SVR, 0x1ff);
		vm->vcpus[i]->requests = 0;
	}
}

void fake__out(struct vcpu *vcpu, u16 port, u8 value)
{
	assert_true(irqchip__port_write(vcpu, port, 1, value));
	assert_int_equal(locks_held, 0);
}

u8 fake__in(struct vcpu *vcpu, u16 port)
{
	u32 value;

	assert_true(irqchip__port_read(vcpu, port, 1, &value));
	assert_true(value <= 0xff);
	return value;
}

static void select_ioapic(struct vcpu *vcpu, u32 reg)
{
	assert_true(irqchip__mmio_write(vcpu, 0xfec00000, 4, &reg));
}

void fake__set_redir(struct vcpu *vcpu, unsigned pin, u64 entry)
{
	u32 low = entry, high = entry >> 32;

	select_ioapic(vcpu, 0x11 + 2 * pin);
	assert_true(irqchip__mmio_write(vcpu, 0xfec00010, 4, &high));
	select_ioapic(vcpu, 0x10 + 2 * pin);
	assert_true(irqchip__mmio_write(vcpu, 0xfec00010, 4, &low));
}

u64 fake__get_redir(struct vcpu *vcpu, unsigned pin)
{
	u32 low, high;

	select_ioapic(vcpu, 0x10 + 2 * pin);
	assert_true(irqchip__mmio_read(vcpu, 0xfec00010, 4, &low));
	select_ioapic(vcpu, 0x11 + 2 * pin);
	assert_true(irqchip__mmio_read(vcpu, 0xfec00010, 4, &high));
	return low | (u64)high << 32;
}

int fake__line(struct vm *vm, u32 gsi, bool level)
{
	int status = -99;

	assert_int_equal(irqchip__line(vm, gsi, level, &status), 0);
	return status;
}
