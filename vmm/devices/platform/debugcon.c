/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug console: a port whose bytes go to a character back end. Firmware logs to it. */
#include <stdio.h>

#include "vmm/char/char.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"

#define PRESENT 0xe9 /* what firmware expects to read */

struct debugcon {
	struct device dev;
	uint64_t port;
	char *spec;
	struct char_backend *backend;
};

static void access_port(void *opaque, struct access *access)
{
	struct debugcon *debugcon = opaque;
	uint8_t byte = (uint8_t)access->value;

	if (access->write)
		char__write(debugcon->backend, &byte, 1); /* dropped if there is no room */
	else
		access->value = PRESENT;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct debugcon *debugcon = container_of_type(dev, struct debugcon, dev);
	int err = char__open(debugcon->spec ? debugcon->spec : "none", dev->services->loop,
			     &debugcon->backend, error, error_size);

	if (err)
		return err;
	return device__claim_ports(dev, (uint16_t)debugcon->port, 1, 1, access_port, error,
				   error_size);
}

static void reset(struct device *dev)
{
	char__start(container_of_type(dev, struct debugcon, dev)->backend);
}

static void remove_debugcon(struct device *dev)
{
	char__close(container_of_type(dev, struct debugcon, dev)->backend);
}

static const struct config_option options[] = {
	{ "char", OPTION_STRING, offsetof(struct debugcon, spec), 0, 0, 0,
	  "where the bytes go, as --console has it" },
	{ "port", OPTION_U64, offsetof(struct debugcon, port), 0x402, 0, 0xffff, "I/O port" },
	{ NULL },
};

const struct device_class device_class_debugcon = {
	.name = "debugcon",
	.help = "debug console port, for the log of SeaBIOS and OVMF",
	.bus = DEVICE_BUS_ISA,
	.max = 1,
	.size = sizeof(struct debugcon),
	.options = options,
	.realize = realize,
	.reset = reset,
	.remove = remove_debugcon,
};
