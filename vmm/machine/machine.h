/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtual PC as a whole: built from a configuration, run until it ends, taken down. */
#ifndef VMM_MACHINE_MACHINE_H
#define VMM_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_MAX_CONSOLES 4
#define MACHINE_MAX_CPUS 255 /* xAPIC identifiers 0 to 254 */
#define MACHINE_MIN_MEMORY (1ULL << 20)
#define MACHINE_MAX_MEMORY (1ULL << 40)
#define MACHINE_KVM_PATH "/dev/kvm"

/*
 * What machine__run() returns and the process ends with. The debug-exit device ends it with
 * (N << 1) | 1, so every status of ours is even.
 */
enum machine_status {
	MACHINE_STATUS_OFF = 0,		 /* powered off, left by the user, or reset with no_reboot */
	MACHINE_STATUS_BAD_INPUT = 2,	 /* command line, kernel, initrd, console ... */
	MACHINE_STATUS_HOST_ERROR = 4,	 /* the host or the hypervisor failed */
	MACHINE_STATUS_PANIC = 6,	 /* the guest reported a panic (pvpanic) */
	MACHINE_STATUS_TRIPLE_FAULT = 8, /* with no_reboot, or again and again right after a reset */
	MACHINE_STATUS_TERMINATED = 10,	 /* SIGTERM, SIGINT, SIGHUP or SIGQUIT ended it */
};

enum machine_engine {
	MACHINE_ENGINE_AUTO, /* the kernel's KVM if it passes the probe, else soft */
	MACHINE_ENGINE_KVM,  /* the kernel's KVM, probed or not */
	MACHINE_ENGINE_SOFT, /* the user-space library */
};

/* Who unpacks the kernel inside of a bzImage. */
enum machine_unpack {
	MACHINE_UNPACK_AUTO, /* the machine where the guest would be slow at it, else the guest */
	MACHINE_UNPACK_ON,   /* the machine, if it can; the guest otherwise */
	MACHINE_UNPACK_OFF,  /* the guest */
};

/* All strings belong to the caller and must live until machine__destroy(). */
struct machine_config {
	uint64_t memory;   /* bytes of RAM, a multiple of 4 KiB */
	unsigned cpus;	   /* 1 to MACHINE_MAX_CPUS */
	const char *kernel; /* path; NULL with firmware that finds its own */
	const char *firmware; /* as firmware__open() reads it; NULL: the kernel is started without */
	const char *initrd; /* path or NULL */
	const char *append; /* kernel command line or NULL */
	enum machine_unpack unpack;
	const char *kernel_cache; /* directory of unpacked kernels (vmm/boot/kernel_cache.h), or NULL */
	enum machine_engine engine;
	const char *engine_options; /* "key=value,..." or NULL; not with AUTO */
	const char *kvm_path; /* of the kernel's KVM, NULL for MACHINE_KVM_PATH */
	/* console[i] is what COM(i+1) is connected to, as char__open() reads it; NULL: nothing */
	const char *console[MACHINE_MAX_CONSOLES];
	const char *const *devices; /* "class,key=value,..." as --device has it */
	unsigned device_count;
	const char *const *fw_cfg; /* "name=...,file=...|string=..." as --fw-cfg has it */
	unsigned fw_cfg_count;
	const char *const *smbios; /* "system,key=value,..." as --smbios has it */
	unsigned smbios_count;
	bool no_pci;	/* virtio devices are over MMIO */
	bool no_reboot; /* a guest's reset ends the machine */
	bool verbose;	/* say on stderr when things happened: probe, first guest instruction */
};

struct machine;

/*
 * Builds the machine up to the point where vCPUs can run: engine, memory, devices, ACPI tables,
 * loaded kernel. Nothing is left behind on failure.
 *
 * 0, or -errno after one line without a newline was written to error[]: what was wrong, where,
 * and what would be right. -EINVAL, -ENOENT and the like of the configuration are bad input
 * (*status MACHINE_STATUS_BAD_INPUT), others MACHINE_STATUS_HOST_ERROR.
 */
int machine__create(const struct machine_config *config, struct machine **machine, int *status,
		    char *error, unsigned error_size);

/*
 * Runs it in this thread (event loop) and one thread per vCPU, until power-off, reset with
 * no_reboot, panic, debug exit, request or failure. Returns the exit status of the process: an
 * enum machine_status or (N << 1) | 1. Reasons for other statuses than power-off are said on
 * stderr. SIGTERM, SIGINT, SIGHUP and SIGQUIT end it in order, terminal restored.
 */
int machine__run(struct machine *machine);

/* Ends machine__run() with this status. Any thread, also a signal handler. */
void machine__request_stop(struct machine *machine, int status);

/* Presses the ACPI power button. Loop thread. False if the machine has none. */
bool machine__press_power_button(struct machine *machine);

void machine__destroy(struct machine *machine);

/* The device classes that --device knows, for help texts: writes their options to `stream`. */
struct device_class;
const struct device_class *machine__device_class(unsigned index); /* NULL after the last */

#endif
