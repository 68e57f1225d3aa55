/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CPUs see from C0000H to FFFFFH, segment by segment: the end of the firmware's ROM or RAM
 * behind it, each for reads and for writes (3 Series chipset data sheet, 5.1.14 to 5.1.20: PAM).
 */
#ifndef VMM_DEVICES_PCI_SHADOW_H
#define VMM_DEVICES_PCI_SHADOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/device/device.h"

#define SHADOW_SEGMENTS 13u /* twelve of 16 KiB and one of 64 KiB */
#define SHADOW_PAMS 7u	    /* registers, two segments each; the first has the last one only */
#define SHADOW_START 0xc0000u
#define SHADOW_END 0x100000u
#define SHADOW_READ 1u
#define SHADOW_WRITE 2u

struct shadow {
	const struct device_services *services;
	pthread_mutex_t lock; /* guards all below; vCPUs read mode[] without */
	bool on; /* there is firmware, and a range in the dispatch */
	uint8_t mode[SHADOW_SEGMENTS]; /* SHADOW_READ, SHADOW_WRITE */
	int slot[SHADOW_SEGMENTS];     /* memory slot that starts here, or -1 */
};

/* Does nothing but remember unless the machine has firmware. 0, or -errno with a line in error[]. */
int shadow__init(struct shadow *shadow, const struct device_services *services, char *error,
		 size_t error_size);
void shadow__destroy(struct shadow *shadow);
/* As these registers say. Not on the way out of an access to C0000H-FFFFFH. */
void shadow__update(struct shadow *shadow, const uint8_t pam[SHADOW_PAMS]);

#endif
