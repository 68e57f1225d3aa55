/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The choice between the kernel's KVM and the user library. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/kvm/probe.h"

static int open_kernel(const char *path, const char *options, struct kvm_system *system, char *error,
		       size_t error_size)
{
	int err = kvm_system__open_with(system, &kvm_backend_kernel, path, options, error, error_size);

	if (err && !*error)
		snprintf(error, error_size,
			 "engine kvm: %s: %s; load the kernel's kvm module and get read-write access, "
			 "or use the engine soft",
			 path, err == -ENOSYS ? "not a KVM of API version 12" : strerror(-err));
	return err;
}

static int open_soft(const char *options, struct kvm_system *system, char *error, size_t error_size)
{
	int err = kvm_system__open_with(system, &kvm_backend_soft, NULL, options, error, error_size);

	if (err && !*error)
		snprintf(error, error_size, "engine soft: %s", strerror(-err));
	return err;
}

/* Options are an engine's, so they need one that is named. */
static int check_auto_options(const char *options, char *error, size_t error_size)
{
	if (!options || !*options)
		return 0;
	snprintf(error, error_size,
		 "engine auto: \"%s\": it has no options; name the engine, for example soft,%s", options,
		 options);
	return -EINVAL;
}

int kvm_select__open(enum kvm_choice choice, const char *path, const char *options,
		     struct kvm_system *system, char *error, size_t error_size)
{
	char why[200];
	int err;

	*error = '\0';
	switch (choice) {
	case KVM_CHOICE_KERNEL:
		return open_kernel(path, options, system, error, error_size);
	case KVM_CHOICE_SOFT:
		return open_soft(options, system, error, error_size);
	case KVM_CHOICE_AUTO:
		break;
	}
	err = check_auto_options(options, error, error_size);
	if (err)
		return err;
	if (!kvm_probe__run(&kvm_backend_kernel, path, why, sizeof(why)))
		return open_kernel(path, NULL, system, error, error_size);
	fprintf(stderr, "trivet: engine soft: %s\n", why);
	return open_soft(NULL, system, error, error_size);
}
