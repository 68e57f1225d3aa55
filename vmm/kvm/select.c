/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The choice between the kernel's KVM and the user library. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/kvm/probe.h"

static int open_kernel(const char *path, struct kvm_system *system, char *error, size_t error_size)
{
	int err = kvm_system__open(system, &kvm_backend_kernel, path);

	if (err)
		snprintf(error, error_size,
			 "engine kvm: %s: %s; load the kernel's kvm module and get read-write access, "
			 "or use the engine soft",
			 path, err == -ENOSYS ? "not a KVM of API version 12" : strerror(-err));
	return err;
}

static int open_soft(struct kvm_system *system, char *error, size_t error_size)
{
	int err = kvm_system__open(system, &kvm_backend_soft, NULL);

	if (err)
		snprintf(error, error_size, "engine soft: %s", strerror(-err));
	return err;
}

int kvm_select__open(enum kvm_choice choice, const char *path, struct kvm_system *system,
		     char *error, size_t error_size)
{
	char why[200];

	switch (choice) {
	case KVM_CHOICE_KERNEL:
		return open_kernel(path, system, error, error_size);
	case KVM_CHOICE_SOFT:
		return open_soft(system, error, error_size);
	case KVM_CHOICE_AUTO:
		break;
	}
	if (!kvm_probe__run(&kvm_backend_kernel, path, why, sizeof(why)))
		return open_kernel(path, system, error, error_size);
	fprintf(stderr, "trivet: engine soft: %s\n", why);
	return open_soft(system, error, error_size);
}
