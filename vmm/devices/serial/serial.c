/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ISA serial ports: COM1 to COM4, each a 16550A connected to a character back end. */
#include <errno.h>
#include <stdio.h>

#include "vmm/acpi/aml.h"
#include "vmm/char/char.h"
#include "vmm/device/device.h"
#include "vmm/devices/serial/uart.h"
#include "vmm/devices/classes.h"

#define SERIAL_PORTS 4

struct serial {
	struct device dev;
	uint64_t port, irq; /* 0: what the place in the order gives */
	char *char_spec;
	struct uart uart;
};

static const struct {
	uint16_t port;
	uint8_t irq;
} places[SERIAL_PORTS] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

static void access_ports(void *opaque, struct access *access)
{
	struct serial *serial = opaque;

	uart__access(&serial->uart, access);
}

static void on_readable(void *opaque)
{
	struct serial *serial = opaque;

	uart__readable(&serial->uart);
}

static void on_writable(void *opaque)
{
	struct serial *serial = opaque;

	uart__writable(&serial->uart);
}

static void on_opened(void *opaque)
{
	struct serial *serial = opaque;

	uart__set_carrier(&serial->uart, true);
}

static void on_quit(void *opaque)
{
	const struct device_services *services = ((struct serial *)opaque)->dev.services;

	services->request(services->opaque, DEVICE_REQUEST_QUIT, 0);
}

static int open_backend(struct serial *serial, char *error, size_t error_size)
{
	/*
	 * Carrier stays up when a peer goes: a guest would hang up its log-in shell otherwise,
	 * and the end of a pipe must not end what the guest still has to say.
	 */
	const struct char_events events = { .readable = on_readable,
					    .writable = on_writable,
					    .opened = on_opened,
					    .quit = on_quit,
					    .opaque = serial };
	int err = char__open(serial->char_spec, serial->dev.services->loop, &serial->uart.backend,
			     error, error_size);

	if (!err)
		char__set_events(serial->uart.backend, &events);
	return err;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct serial *serial = container_of_type(dev, struct serial, dev);
	int err;

	uart__init(&serial->uart);
	if (!serial->port)
		serial->port = places[dev->index].port;
	if (!serial->irq)
		serial->irq = places[dev->index].irq;
	err = irq_wire__connect(&serial->uart.irq, dev->services->irqs, (unsigned)serial->irq);
	if (err) {
		snprintf(error, error_size, "device serial: irq=%u: no such interrupt",
			 (unsigned)serial->irq);
		return err;
	}
	if (serial->char_spec)
		err = open_backend(serial, error, error_size);
	if (err)
		return err;
	return device__claim_ports(dev, (uint16_t)serial->port, UART_PORTS, 1, access_ports, error,
				   error_size);
}

static void reset(struct device *dev)
{
	struct serial *serial = container_of_type(dev, struct serial, dev);

	uart__reset(&serial->uart);
	if (serial->uart.backend)
		char__start(serial->uart.backend);
}

static void remove_serial(struct device *dev)
{
	struct serial *serial = container_of_type(dev, struct serial, dev);

	char__close(serial->uart.backend);
	uart__destroy(&serial->uart);
}

static void describe(struct device *dev, struct aml *aml)
{
	struct serial *serial = container_of_type(dev, struct serial, dev);
	char name[5] = "COM1";

	name[3] = (char)('1' + dev->index);
	aml__device(aml, name);
	aml__name_eisaid(aml, "_HID", "PNP0501");
	aml__name_integer(aml, "_UID", dev->index + 1);
	aml__name_integer(aml, "_STA", 0xf);
	aml__resources(aml, "_CRS");
	aml__io(aml, (uint16_t)serial->port, 8, UART_PORTS);
	aml__irq(aml, (unsigned)serial->irq);
	aml__end_resources(aml);
	aml__end(aml);
}

static int after_load(struct device *dev)
{
	return uart__after_load(&container_of_type(dev, struct serial, dev)->uart);
}

static const struct config_option options[] = {
	{ "port", OPTION_U64, offsetof(struct serial, port), 0, 0, 0xfff8, "first I/O port" },
	{ "irq", OPTION_U64, offsetof(struct serial, irq), 0, 0, 15, "ISA interrupt" },
	{ "char", OPTION_STRING, offsetof(struct serial, char_spec), 0, 0, 0,
	  "stdio, pty, file:PATH, unix:PATH or none" },
	{ NULL },
};

static const struct state_field state_fields[] = {
	STATE_FIELD(struct serial, uart.ier, 1),      STATE_FIELD(struct serial, uart.lcr, 1),
	STATE_FIELD(struct serial, uart.mcr, 1),      STATE_FIELD(struct serial, uart.lsr, 1),
	STATE_FIELD(struct serial, uart.msr, 1),      STATE_FIELD(struct serial, uart.scr, 1),
	STATE_FIELD(struct serial, uart.fcr, 1),      STATE_FIELD(struct serial, uart.divisor, 1),
	STATE_ARRAY(struct serial, uart.rx, 1),	      STATE_FIELD(struct serial, uart.rx_start, 1),
	STATE_FIELD(struct serial, uart.rx_count, 1), STATE_ARRAY(struct serial, uart.tx, 1),
	STATE_FIELD(struct serial, uart.tx_start, 1), STATE_FIELD(struct serial, uart.tx_count, 1),
	STATE_FIELD(struct serial, uart.thre_pending, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_serial = {
	.name = "serial",
	.help = "16550A serial port",
	.bus = DEVICE_BUS_ISA,
	.max = SERIAL_PORTS,
	.size = sizeof(struct serial),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_serial,
	.acpi = describe,
};
