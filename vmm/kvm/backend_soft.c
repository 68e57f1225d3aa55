/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user-space library that serves the same requests by software. */
#include "hosts/user/trivet_kvm.h"
#include "vmm/kvm/kvm.h"

static int open_library(const char *path)
{
	return trivet_kvm_open();
}

const struct kvm_backend kvm_backend_soft = {
	.name = "soft",
	.open = open_library,
	.ioctl = trivet_kvm_ioctl,
	.close = trivet_kvm_close,
};
