/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel loaders: a file becomes guest memory contents and the boot vCPU's first state.
 * bzImage (Linux x86 boot protocol 2.06+), ELF with a PVH note, Multiboot 1.
 */
#ifndef VMM_BOOT_BOOT_H
#define VMM_BOOT_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/kvm.h>
#include "vmm/memory/guest_memory.h"

struct boot_request {
	const char *kernel;	/* path */
	const char *initrd;	/* path or NULL */
	const char *cmdline;	/* never NULL */
	uint64_t rsdp_gpa;	/* where the ACPI RSDP was placed, 0 if none */
	uint64_t acpi_start;	/* range that ACPI tables and the EBDA occupy: keep off, and report */
	uint64_t acpi_size;	/* in the memory map as ACPI data */
	bool unpack;		/* a bzImage's kernel and initrd here, if that can be done, not by the guest */
	const char *kernel_cache; /* directory of unpacked kernels, or NULL */
};

/* State of the boot vCPU; the machine sets it with KVM_SET_SREGS and KVM_SET_REGS. */
struct boot_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs; /* starts as the reset state that KVM_GET_SREGS gave */
};

/*
 * Recognises the kernel's format, loads kernel, initrd, command line and parameters into guest
 * memory and fills `state` (whose sregs the caller has set to the vCPU's reset state).
 *
 * Every file is hostile: nothing outside of guest memory is written whatever it says.
 * Returns 0, or -errno after it wrote one line to error[] that says which file, what is wrong and
 * what would be right.
 */
int boot__load(const struct boot_request *request, struct guest_memory *mem,
	       struct boot_state *state, char *error, unsigned error_size);

#endif
