/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's way to a hypervisor: the KVM API (Documentation/virt/kvm/api.rst) behind one of
 * two back ends. Nothing else in the machine issues a KVM request.
 *
 * Functions return 0 (or what they say) or -errno. Those of struct kvm_vcpu belong to the vCPU's
 * thread unless they say otherwise; those of struct kvm_vm may be called from any thread.
 */
#ifndef VMM_KVM_KVM_H
#define VMM_KVM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "vmm/config/option.h"

/* What --engine NAME,key=value can say; each back end has a table of those that it takes. */
struct kvm_options {
	bool check;
	uint64_t check_every;
	bool perf_map;
	uint64_t memory; /* 0: not given */
	uint64_t dump;
	uint64_t halt_poll; /* microseconds */
	char *stats; /* path, or "-" */
};

#define KVM_NO_DUMP UINT64_MAX
/* Before a halted vCPU's thread sleeps; the most that is of use, and the hypervisor's own choice. */
#define KVM_HALT_POLL_MOST 10000
#define KVM_OWN_HALT_POLL (KVM_HALT_POLL_MOST + 1)

/* The row of a back end's table. */
#define KVM_HALT_POLL_OPTION                                                                       \
	{                                                                                          \
		"halt-poll", OPTION_U64, offsetof(struct kvm_options, halt_poll),                  \
			KVM_OWN_HALT_POLL, 0, KVM_HALT_POLL_MOST,                                  \
			"microseconds to look for an interrupt before a halted vCPU sleeps"        \
	}

/* open(2), ioctl(2) and close(2) of one implementation; -1 with errno on failure as those. */
struct kvm_backend {
	const char *name; /* "kvm" or "soft" */
	bool translates;  /* what the guest computes takes several times as long as on the host */
	const struct config_option *options; /* of struct kvm_options; NULL: none */
	int (*open)(const char *path, const struct kvm_options *options);
	int (*ioctl)(int fd, unsigned long request, unsigned long arg);
	int (*close)(int fd);
	/* Counters of a VM as text, "NAME VALUE" lines; as snprintf(3), -1 with errno. NULL: none. */
	int (*counters)(int vm, char *text, unsigned size);
};

extern const struct kvm_backend kvm_backend_kernel; /* a character device */
extern const struct kvm_backend kvm_backend_soft;   /* the user library; path is ignored */

struct kvm_system {
	const struct kvm_backend *backend;
	int fd;
	size_t run_size; /* bytes to map per vCPU */
	struct kvm_options options;
};

struct kvm_vm {
	const struct kvm_system *system;
	int fd;
};

struct kvm_vcpu {
	const struct kvm_system *system;
	int fd;
	struct kvm_run *run;
};

/* Opens it and checks the API version. -ENOSYS: not a KVM or another version. */
int kvm_system__open(struct kvm_system *system, const struct kvm_backend *backend,
		     const char *path);
/*
 * The same with options as text, checked against the back end's table: -EINVAL with a line in error[] if
 * they are not right. error[] stays as it is on other errors.
 */
int kvm_system__open_with(struct kvm_system *system, const struct kvm_backend *backend,
			  const char *path, const char *options, char *error, size_t error_size);
void kvm_system__close(struct kvm_system *system);
/* KVM_CHECK_EXTENSION: 0 if missing, else what the capability says. */
int kvm_system__extension(const struct kvm_system *system, unsigned capability);
/* KVM_GET_SUPPORTED_CPUID. *cpuid is allocated, free() it. */
int kvm_system__supported_cpuid(const struct kvm_system *system, struct kvm_cpuid2 **cpuid);

int kvm_vm__create(struct kvm_vm *vm, const struct kvm_system *system);
void kvm_vm__destroy(struct kvm_vm *vm);
/* What the hypervisor counts, "NAME VALUE" lines; free() it. -ENOTSUP, -ENOMEM. */
int kvm_vm__counters(const struct kvm_vm *vm, char **text);
/*
 * Promises to tell of writes to guest memory, if the hypervisor wants that (include/uapi/trivet.h); whether it
 * does. kvm_vm__written() tells, on any thread; it can't fail.
 */
bool kvm_vm__promise_writes(struct kvm_vm *vm);
void kvm_vm__written(struct kvm_vm *vm, uint64_t gpa, uint64_t size);
int kvm_vm__set_memory_region(struct kvm_vm *vm, const struct kvm_userspace_memory_region *slot);
/* KVM_CAP_HALT_POLL, as the system's options have it. 0, also if they leave it to the hypervisor. */
int kvm_vm__set_halt_poll(struct kvm_vm *vm);
/* Addresses that Intel hosts need for real mode: one page, then three. */
int kvm_vm__set_identity_map(struct kvm_vm *vm, uint64_t gpa);
int kvm_vm__set_tss(struct kvm_vm *vm, uint64_t gpa);
/* PIC, IOAPIC, local APICs, and the PIT (with the speaker port). Before any vCPU. */
int kvm_vm__create_irqchip(struct kvm_vm *vm);
int kvm_vm__create_pit(struct kvm_vm *vm);
/* Whether the PIT's interrupt is kept back, as while an HPET stands in for it. */
int kvm_vm__silence_pit(struct kvm_vm *vm, bool silent);
/* GSIs to pins as in a PC: the timer's GSI 0 drives pin 2 of the I/O APIC, GSI 2 nothing. */
#define KVM_PC_GSIS 24u
int kvm_vm__set_pc_routes(struct kvm_vm *vm);
/* Those, and `count` others whose GSIs are KVM_PC_GSIS and up. Also -ENOMEM. */
int kvm_vm__set_routes(struct kvm_vm *vm, const struct kvm_irq_routing_entry *more, unsigned count);
int kvm_vm__irq_line(struct kvm_vm *vm, unsigned gsi, bool level);
int kvm_vm__signal_msi(struct kvm_vm *vm, const struct kvm_msi *msi);
int kvm_vm__irqfd(struct kvm_vm *vm, const struct kvm_irqfd *irqfd);
int kvm_vm__ioeventfd(struct kvm_vm *vm, const struct kvm_ioeventfd *ioeventfd);

int kvm_vcpu__create(struct kvm_vcpu *vcpu, const struct kvm_vm *vm, unsigned id);
void kvm_vcpu__destroy(struct kvm_vcpu *vcpu);
/* KVM_RUN: 0 with vcpu->run filled, -EINTR, -EAGAIN, or another -errno. */
int kvm_vcpu__run(struct kvm_vcpu *vcpu);
int kvm_vcpu__set_cpuid(struct kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid);
int kvm_vcpu__get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs);
int kvm_vcpu__set_regs(struct kvm_vcpu *vcpu, const struct kvm_regs *regs);
int kvm_vcpu__get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs);
int kvm_vcpu__set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs);
int kvm_vcpu__get_lapic(struct kvm_vcpu *vcpu, struct kvm_lapic_state *lapic);
int kvm_vcpu__set_lapic(struct kvm_vcpu *vcpu, const struct kvm_lapic_state *lapic);
/* KVM_SET_MSRS with one entry. -ENOENT: the hypervisor refused it. */
int kvm_vcpu__set_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t value);
int kvm_vcpu__get_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t *value);

#endif
