/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device classes in the order in which a machine realizes them. */
#ifndef VMM_MACHINE_DEVICE_TABLE_H
#define VMM_MACHINE_DEVICE_TABLE_H

struct device_class;

extern const struct device_class *const device_table[]; /* ends with NULL */

/* NULL if no class has this name. */
const struct device_class *device_table__find(const char *name);

#endif
