/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order in which firmware tries devices: the item "bootorder", from their option bootindex. */
#ifndef VMM_MACHINE_BOOT_ORDER_H
#define VMM_MACHINE_BOOT_ORDER_H

struct device;
struct fw_cfg_items;

/*
 * Adds the item if a device of the list has a place, unless the user gave the item. 0, or -errno with
 * a line in error[].
 */
int machine_boot_order__add(struct fw_cfg_items *items, struct device *devices, char *error,
			    unsigned error_size);

#endif
