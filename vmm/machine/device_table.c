/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that a new device class is added to. */
#include "vmm/machine/device_table.h"

#include <stddef.h>
#include <string.h>

#include "vmm/device/device.h"
#include "vmm/devices/classes.h"

const struct device_class *const device_table[] = {
	&device_class_pci_host,
	&device_class_isa_bridge,
	&device_class_flash,
	&device_class_root_port,
	&device_class_reset_control,
	&device_class_acpi_pm,
	&device_class_rtc,
	&device_class_hpet,
	&device_class_i8042,
	&device_class_port92,
	&device_class_serial,
	&device_class_pvpanic,
	&device_class_debug_exit,
	&device_class_debugcon,
	&device_class_fw_cfg,
	&device_class_virtio_rng,
	&device_class_virtio_console,
	&device_class_virtio_balloon,
	&device_class_virtio_block,
	&device_class_virtio_net,
	&device_class_virtio_p9,
	&device_class_virtio_vsock,
	&device_class_ahci,
	&device_class_ahci_disk,
	&device_class_ahci_cd,
	NULL,
};

const struct device_class *device_table__find(const char *name)
{
	unsigned i;

	for (i = 0; device_table[i]; i++)
		if (!strcmp(device_table[i]->name, name))
			return device_table[i];
	return NULL;
}
