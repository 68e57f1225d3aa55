/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pvpanic: a port through which a guest says that it panicked (QEMU docs/specs/pvpanic). */
#include "vmm/acpi/aml.h"
#include "vmm/acpi/ports.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"

#define PANICKED 0x01u
#define CRASH_LOADED 0x02u /* panicked, but a crash kernel will run */

struct pvpanic {
	struct device dev;
};

static void access_port(void *opaque, struct access *access)
{
	struct pvpanic *pvpanic = opaque;
	const struct device_services *services = pvpanic->dev.services;

	if (!access->write)
		access->value = PANICKED | CRASH_LOADED; /* the events it knows */
	else if (access->value & PANICKED)
		services->request(services->opaque, DEVICE_REQUEST_PANIC, 0);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	return device__claim_ports(dev, PVPANIC_PORT, 1, 1, access_port, error, error_size);
}

static void reset(struct device *dev)
{
}

static void describe(struct device *dev, struct aml *aml)
{
	aml__device(aml, "PEVT");
	aml__name_string(aml, "_HID", "QEMU0001");
	aml__resources(aml, "_CRS");
	aml__io(aml, PVPANIC_PORT, 1, 1);
	aml__end_resources(aml);
	aml__io_region(aml, "PEOR", PVPANIC_PORT, 1);
	aml__byte_field(aml, "PEOR", "PEPT");
	aml__name_integer(aml, "_STA", 0xf);
	aml__method(aml, "RDPT", 0);
	aml__return_name(aml, "PEPT");
	aml__end(aml);
	aml__method(aml, "WRPT", 1);
	aml__store_arg0(aml, "PEPT");
	aml__end(aml);
	aml__end(aml);
}

const struct device_class device_class_pvpanic = {
	.name = "pvpanic",
	.help = "tells the host of a guest's panic",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct pvpanic),
	.realize = realize,
	.reset = reset,
	.acpi = describe,
};
