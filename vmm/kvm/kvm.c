/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Typed wrappers around KVM requests. */
#include "vmm/kvm/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/types.h"
#include "include/uapi/trivet.h"

#define PAGE_SHIFT 12
#define CPUID_ENTRIES_FIRST 64u
#define CPUID_ENTRIES_MOST 1024u

static int request_value(const struct kvm_system *system, int fd, unsigned long request,
			 unsigned long arg)
{
	int result = system->backend->ioctl(fd, request, arg);

	return result < 0 ? -errno : result;
}

static int request_pointer(const struct kvm_system *system, int fd, unsigned long request,
			   const void *arg)
{
	int result = request_value(system, fd, request, (unsigned long)(uintptr_t)arg);

	return result < 0 ? result : 0;
}

static struct config_class options_class(const struct kvm_backend *backend)
{
	return (struct config_class){ "engine", backend->name, backend->options };
}

int kvm_system__open_with(struct kvm_system *system, const struct kvm_backend *backend,
			  const char *path, const char *options, char *error, size_t error_size)
{
	const struct config_class class = options_class(backend);
	int value, err;

	memset(system, 0, sizeof(*system));
	system->backend = backend;
	system->fd = -1;
	err = config__parse(&class, options, &system->options, error, error_size);
	if (err)
		return err;
	system->fd = backend->open(path, &system->options);
	if (system->fd < 0) {
		err = -errno;
		goto close_fd;
	}
	value = request_value(system, system->fd, KVM_GET_API_VERSION, 0);
	if (value != KVM_API_VERSION) {
		err = -ENOSYS;
		goto close_fd;
	}
	value = request_value(system, system->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (value < (int)sizeof(struct kvm_run)) {
		err = value < 0 ? value : -ENOSYS;
		goto close_fd;
	}
	system->run_size = (size_t)value;
	return 0;
close_fd:
	kvm_system__close(system);
	return err;
}

int kvm_system__open(struct kvm_system *system, const struct kvm_backend *backend,
		     const char *path)
{
	return kvm_system__open_with(system, backend, path, NULL, NULL, 0);
}

void kvm_system__close(struct kvm_system *system)
{
	if (system->fd >= 0)
		system->backend->close(system->fd);
	system->fd = -1;
	if (system->backend) {
		const struct config_class class = options_class(system->backend);

		config__free(&class, &system->options);
	}
}

int kvm_system__extension(const struct kvm_system *system, unsigned capability)
{
	int value = request_value(system, system->fd, KVM_CHECK_EXTENSION, capability);

	return value < 0 ? 0 : value;
}

int kvm_system__supported_cpuid(const struct kvm_system *system, struct kvm_cpuid2 **out)
{
	unsigned entries;

	for (entries = CPUID_ENTRIES_FIRST; entries <= CPUID_ENTRIES_MOST; entries *= 2) {
		struct kvm_cpuid2 *cpuid =
			calloc(1, sizeof(*cpuid) + entries * sizeof(cpuid->entries[0]));
		int err;

		if (!cpuid)
			return -ENOMEM;
		cpuid->nent = entries;
		err = request_pointer(system, system->fd, KVM_GET_SUPPORTED_CPUID, cpuid);
		if (!err) {
			*out = cpuid;
			return 0;
		}
		free(cpuid);
		if (err != -E2BIG)
			return err;
	}
	return -E2BIG;
}

int kvm_vm__create(struct kvm_vm *vm, const struct kvm_system *system)
{
	int fd;

	/* The kernel's KVM gives up with EINTR when a signal comes in the middle. */
	do
		fd = request_value(system, system->fd, KVM_CREATE_VM, 0);
	while (fd == -EINTR);
	if (fd < 0)
		return fd;
	vm->system = system;
	vm->fd = fd;
	return 0;
}

void kvm_vm__destroy(struct kvm_vm *vm)
{
	if (vm->fd >= 0)
		vm->system->backend->close(vm->fd);
	vm->fd = -1;
}

int kvm_vm__counters(const struct kvm_vm *vm, char **out)
{
	const struct kvm_backend *backend = vm->system->backend;
	int length, size = 0;
	char *text = NULL, *larger;

	if (!backend->counters)
		return -ENOTSUP;
	/* Values may have grown by a digit when it is asked again. */
	for (;;) {
		length = backend->counters(vm->fd, text, (unsigned)size);
		if (length < 0 || length < size)
			break;
		size = length + 64;
		larger = realloc(text, (size_t)size);
		if (!larger) {
			free(text);
			return -ENOMEM;
		}
		text = larger;
	}
	if (length < 0) {
		length = -errno;
		free(text);
		return length;
	}
	*out = text;
	return 0;
}

bool kvm_vm__promise_writes(struct kvm_vm *vm)
{
	const struct kvm_enable_cap cap = { .cap = TRIVET_CAP_WRITTEN, .args = { 1 } };

	return kvm_system__extension(vm->system, TRIVET_CAP_WRITTEN) > 0 &&
	       !request_pointer(vm->system, vm->fd, KVM_ENABLE_CAP, &cap);
}

void kvm_vm__written(struct kvm_vm *vm, uint64_t gpa, uint64_t size)
{
	uint64_t page = gpa >> PAGE_SHIFT, left = size ? ((gpa + size - 1) >> PAGE_SHIFT) - page + 1 : 0, pages;

	for (; left; left -= pages, page += pages) {
		pages = MIN_OF(left, TRIVET_WRITTEN_PAGES);
		request_value(vm->system, vm->fd, TRIVET_WRITTEN, page << PAGE_SHIFT | (pages - 1));
	}
}

int kvm_vm__set_memory_region(struct kvm_vm *vm, const struct kvm_userspace_memory_region *slot)
{
	return request_pointer(vm->system, vm->fd, KVM_SET_USER_MEMORY_REGION, slot);
}

int kvm_vm__set_halt_poll(struct kvm_vm *vm)
{
	const uint64_t us = vm->system->options.halt_poll;
	const struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { us * 1000 } };

	return us == KVM_OWN_HALT_POLL ? 0 : request_pointer(vm->system, vm->fd, KVM_ENABLE_CAP, &cap);
}

int kvm_vm__set_identity_map(struct kvm_vm *vm, uint64_t gpa)
{
	return request_pointer(vm->system, vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &gpa);
}

int kvm_vm__set_tss(struct kvm_vm *vm, uint64_t gpa)
{
	return request_value(vm->system, vm->fd, KVM_SET_TSS_ADDR, gpa);
}

int kvm_vm__create_irqchip(struct kvm_vm *vm)
{
	return request_value(vm->system, vm->fd, KVM_CREATE_IRQCHIP, 0);
}

int kvm_vm__create_pit(struct kvm_vm *vm)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	return request_pointer(vm->system, vm->fd, KVM_CREATE_PIT2, &config);
}

int kvm_vm__silence_pit(struct kvm_vm *vm, bool silent)
{
	struct kvm_pit_state2 state;
	int err = request_pointer(vm->system, vm->fd, KVM_GET_PIT2, &state);

	if (err)
		return err;
	state.flags &= ~KVM_PIT_FLAGS_HPET_LEGACY;
	if (silent)
		state.flags |= KVM_PIT_FLAGS_HPET_LEGACY;
	return request_pointer(vm->system, vm->fd, KVM_SET_PIT2, &state);
}

#define PIC_PINS 16
#define IOAPIC_PINS KVM_PC_GSIS
#define CASCADE_PIN 2

static void add_route(struct kvm_irq_routing *routes, unsigned gsi, unsigned chip, unsigned pin)
{
	struct kvm_irq_routing_entry *entry = &routes->entries[routes->nr++];

	entry->gsi = gsi;
	entry->type = KVM_IRQ_ROUTING_IRQCHIP;
	entry->u.irqchip.irqchip = chip;
	entry->u.irqchip.pin = pin;
}

static void add_pc_routes(struct kvm_irq_routing *routes)
{
	unsigned gsi;

	for (gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		if (gsi == CASCADE_PIN)
			continue;
		if (gsi < PIC_PINS)
			add_route(routes, gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				  gsi % 8);
		add_route(routes, gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : CASCADE_PIN);
	}
}

int kvm_vm__set_routes(struct kvm_vm *vm, const struct kvm_irq_routing_entry *more, unsigned count)
{
	struct kvm_irq_routing *routes =
		calloc(1, sizeof(*routes) +
				  (PIC_PINS + IOAPIC_PINS + count) * sizeof(routes->entries[0]));
	unsigned i;
	int err;

	if (!routes)
		return -ENOMEM;
	add_pc_routes(routes);
	for (i = 0; i < count; i++)
		routes->entries[routes->nr++] = more[i];
	err = request_pointer(vm->system, vm->fd, KVM_SET_GSI_ROUTING, routes);
	free(routes);
	return err;
}

int kvm_vm__set_pc_routes(struct kvm_vm *vm)
{
	return kvm_vm__set_routes(vm, NULL, 0);
}

int kvm_vm__irq_line(struct kvm_vm *vm, unsigned gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	return request_pointer(vm->system, vm->fd, KVM_IRQ_LINE, &line);
}

int kvm_vm__signal_msi(struct kvm_vm *vm, const struct kvm_msi *msi)
{
	return request_pointer(vm->system, vm->fd, KVM_SIGNAL_MSI, msi);
}

int kvm_vm__irqfd(struct kvm_vm *vm, const struct kvm_irqfd *irqfd)
{
	return request_pointer(vm->system, vm->fd, KVM_IRQFD, irqfd);
}

int kvm_vm__ioeventfd(struct kvm_vm *vm, const struct kvm_ioeventfd *ioeventfd)
{
	return request_pointer(vm->system, vm->fd, KVM_IOEVENTFD, ioeventfd);
}

int kvm_vcpu__create(struct kvm_vcpu *vcpu, const struct kvm_vm *vm, unsigned id)
{
	const struct kvm_system *system = vm->system;
	int fd = request_value(system, vm->fd, KVM_CREATE_VCPU, id);
	void *run;

	if (fd < 0)
		return fd;
	run = mmap(NULL, system->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED) {
		int err = -errno;

		system->backend->close(fd);
		return err;
	}
	*vcpu = (struct kvm_vcpu){ .system = system, .fd = fd, .run = run };
	return 0;
}

void kvm_vcpu__destroy(struct kvm_vcpu *vcpu)
{
	if (!vcpu->run)
		return;
	munmap(vcpu->run, vcpu->system->run_size);
	vcpu->system->backend->close(vcpu->fd);
	vcpu->run = NULL;
	vcpu->fd = -1;
}

int kvm_vcpu__run(struct kvm_vcpu *vcpu)
{
	return request_value(vcpu->system, vcpu->fd, KVM_RUN, 0);
}

int kvm_vcpu__set_cpuid(struct kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid)
{
	return request_pointer(vcpu->system, vcpu->fd, KVM_SET_CPUID2, cpuid);
}

int kvm_vcpu__get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs)
{
	return request_pointer(vcpu->system, vcpu->fd, KVM_GET_REGS, regs);
}

int kvm_vcpu__set_regs(struct kvm_vcpu *vcpu, const struct kvm_regs *regs)
{
	return request_pointer(vcpu->system, vcpu->fd, KVM_SET_REGS, regs);
}

int kvm_vcpu__get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	return request_pointer(vcpu->system, vcpu->fd, KVM_GET_SREGS, sregs);
}

int kvm_vcpu__set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	return request_pointer(vcpu->system, vcpu->fd, KVM_SET_SREGS, sregs);
}

int kvm_vcpu__get_lapic(struct kvm_vcpu *vcpu, struct kvm_lapic_state *lapic)
{
	return request_pointer(vcpu->system, vcpu->fd, KVM_GET_LAPIC, lapic);
}

int kvm_vcpu__set_lapic(struct kvm_vcpu *vcpu, const struct kvm_lapic_state *lapic)
{
	return request_pointer(vcpu->system, vcpu->fd, KVM_SET_LAPIC, lapic);
}

/* struct kvm_msrs with room for its one entry. */
struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

int kvm_vcpu__set_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };
	int done = request_value(vcpu->system, vcpu->fd, KVM_SET_MSRS, (uintptr_t)&msr);

	return done < 0 ? done : done == 1 ? 0 : -ENOENT;
}

int kvm_vcpu__get_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t *value)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry = { .index = index } };
	int done = request_value(vcpu->system, vcpu->fd, KVM_GET_MSRS, (uintptr_t)&msr);

	if (done == 1)
		*value = msr.entry.data;
	return done < 0 ? done : done == 1 ? 0 : -ENOENT;
}
