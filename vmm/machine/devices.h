/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices of a machine. One thread, while no vCPU runs. */
#ifndef VMM_MACHINE_DEVICES_H
#define VMM_MACHINE_DEVICES_H

#include <stddef.h>

#include "vmm/machine/machine.h"

struct device;
struct device_services;

/* Whether each device that is asked for names a class. 0, or -EINVAL with a line in error[]. */
int machine_devices__check_names(const struct machine_config *config, char *error, size_t error_size);

/*
 * Makes and realizes what every machine has, the consoles, what was asked for, and what that is plugged into, at
 * the end of *list. 0, or -errno with a line in error[]; what is on the list then is to be removed as well.
 */
int machine_devices__add(struct device **list, const struct machine_config *config,
			 const struct device_services *services, char *error, size_t error_size);

/* From the last to the first. */
void machine_devices__remove(struct device **list);

#endif
