/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Console device (virtio 1.2, 5.3): a console and named ports, each connected to a character back
 * end, with flow control both ways.
 */
#include "vmm/devices/virtio/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/devices/classes.h"

#define ID 3
#define PCI_CLASS_COMMUNICATION 0x078000
#define QUEUE_SIZE 64
#define SEGMENTS_MOST 64
#define COPY_BYTES 4096u

#define F_MULTIPORT 1
#define F_EMERGENCY_WRITE 2

struct console_config { /* 5.3.4 */
	uint16_t columns, rows;
	uint32_t max_ports;
	uint32_t emergency;
};

static struct virtio_console *of_virtio(struct virtio *virtio)
{
	return container_of_type(virtio, struct virtio_console, virtio);
}

/* ---- from the back end to the guest; the receive queue's lock ---- */

/* A named port of which nobody in the guest reads keeps what came until somebody does. */
static bool guest_listens(struct console_port *port)
{
	struct virtio_console *console = port->console;
	bool listens;

	if (!port->name || !virtio__has_feature(&console->virtio, F_MULTIPORT))
		return true;
	pthread_mutex_lock(&console->lock);
	listens = port->guest_open;
	pthread_mutex_unlock(&console->lock);
	return listens;
}

static bool has_input(struct console_port *port)
{
	if (!port->in_count) {
		port->in_at = 0;
		port->in_count = (uint16_t)char__read(port->backend, port->in, sizeof(port->in));
	}
	return port->in_count;
}

static bool receive(struct console_port *port, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	unsigned left = queue->size;
	size_t done;

	virtio_queue__ask_notify(queue, false);
	while (left-- && guest_listens(port) && has_input(port) &&
	       virtio_queue__pop(queue, &chain) > 0) {
		done = virtio_chain__write(&chain, 0, port->in + port->in_at, port->in_count);
		port->in_at = (uint16_t)(port->in_at + done);
		port->in_count = (uint16_t)(port->in_count - done);
		virtio_queue__push(queue, &chain, (uint32_t)done);
	}
	virtio_queue__signal(queue);
	/* Free buffers are the usual case: they are news only if input waits for one. */
	return guest_listens(port) && has_input(port) && virtio_queue__ask_notify(queue, true);
}

/* ---- from the guest to the back end; the transmit queue's lock ---- */

/* Writes what the back end takes. True if that was all of it. */
static bool write_out(struct console_port *port, const struct virtio_chain *chain)
{
	uint8_t bytes[COPY_BYTES];
	size_t size, taken;

	while ((size = virtio_chain__read(chain, port->out_done, bytes, sizeof(bytes)))) {
		taken = char__write(port->backend, bytes, size);
		port->out_done += (uint32_t)taken;
		if (taken < size)
			return false;
	}
	port->out_done = 0;
	return true;
}

static bool transmit(struct console_port *port, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	unsigned left = queue->size;
	bool full = false;

	virtio_queue__ask_notify(queue, false);
	while (!full && left-- && virtio_queue__pop(queue, &chain) > 0) {
		full = !write_out(port, &chain);
		if (full)
			virtio_queue__unpop(queue, &chain);
		else
			virtio_queue__push(queue, &chain, 0);
	}
	virtio_queue__signal(queue);
	/* Full: on_writable() comes back to it. */
	return virtio_queue__ask_notify(queue, true) && !full;
}

static bool kick(struct virtio *virtio, struct virtio_queue *queue)
{
	struct virtio_console *console = of_virtio(virtio);
	struct console_port *port;
	unsigned index = queue->index;

	if (index == CONSOLE_CONTROL_RECEIVE)
		return console__send_control(console, queue);
	if (index == CONSOLE_CONTROL_TRANSMIT) {
		bool more = console__take_control(console, queue);
		unsigned i;

		/* What was asked is answered, and a port that was opened gets its input. */
		virtio__kick_queue(virtio, CONSOLE_CONTROL_RECEIVE);
		for (i = 0; i < CONSOLE_PORTS; i++)
			virtio__kick_queue(virtio, console__receive_queue(i));
		return more;
	}
	port = &console->port[index < 2 ? 0 : index / 2 - 1];
	if (!port->backend)
		return false;
	return index % 2 ? transmit(port, queue) : receive(port, queue);
}

/* ---- events of back ends; the main loop's thread ---- */

static void on_readable(void *opaque)
{
	struct console_port *port = opaque;

	virtio__kick_queue(&port->console->virtio, console__receive_queue(port->number));
}

static void on_writable(void *opaque)
{
	struct console_port *port = opaque;

	virtio__kick_queue(&port->console->virtio, console__transmit_queue(port->number));
}

static void tell_open(struct console_port *port)
{
	struct virtio_console *console = port->console;
	bool open = char__is_open(port->backend), tell;

	pthread_mutex_lock(&console->lock);
	tell = port->host_open != open;
	port->host_open = open;
	pthread_mutex_unlock(&console->lock);
	if (tell && virtio__is_running(&console->virtio))
		console__say(port, CONSOLE_SAY_OPEN);
}

static void on_opened(void *opaque)
{
	tell_open(opaque);
}

static void on_quit(void *opaque)
{
	const struct device_services *services =
		((struct console_port *)opaque)->console->dev.services;

	services->request(services->opaque, DEVICE_REQUEST_QUIT, 0);
}

/* ---- the class ---- */

static void read_config(struct virtio *virtio, unsigned offset, void *buf, unsigned size)
{
	const struct console_config config = { .max_ports = CONSOLE_PORTS };

	memcpy(buf, (const char *)&config + offset, size);
}

static void write_config(struct virtio *virtio, unsigned offset, const void *buf, unsigned size)
{
	struct console_port *port = &of_virtio(virtio)->port[0];

	/* 5.3.4: a character before there are queues; what is not taken is lost. */
	if (offset == offsetof(struct console_config, emergency) && port->backend)
		char__write(port->backend, buf, 1);
}

static void stop(struct virtio *virtio)
{
	struct virtio_console *console = of_virtio(virtio);
	unsigned i;

	for (i = 0; i < CONSOLE_PORTS; i++) {
		struct console_port *port = &console->port[i];
		struct virtio_queue *queue = &virtio->queue[console__transmit_queue(i)];

		pthread_mutex_lock(&queue->lock);
		port->out_done = 0;
		pthread_mutex_unlock(&queue->lock);
		pthread_mutex_lock(&console->lock);
		port->say = 0;
		port->guest_open = 0;
		pthread_mutex_unlock(&console->lock);
	}
}

static const struct virtio_class virtio_class = {
	.name = "virtio-console",
	.id = ID,
	.pci_class = PCI_CLASS_COMMUNICATION,
	.config_size = sizeof(struct console_config),
	.read_config = read_config,
	.write_config = write_config,
	.stop = stop,
	.kick = kick,
};

/* "NAME:BACKEND"; port 0 has no name. */
static int split_spec(struct console_port *port, const char **backend, char *error,
		      size_t error_size)
{
	const char *colon = strchr(port->spec, ':');

	*backend = port->spec;
	if (!port->number)
		return 0;
	if (!colon || colon == port->spec || !colon[1]) {
		snprintf(error, error_size,
			 "device virtio-console: port%u=%s: must be a name, a colon and a back end",
			 port->number, port->spec);
		return -EINVAL;
	}
	port->name_text = strndup(port->spec, (size_t)(colon - port->spec));
	if (!port->name_text) {
		snprintf(error, error_size, "device virtio-console: out of memory");
		return -ENOMEM;
	}
	port->name = port->name_text;
	*backend = colon + 1;
	return 0;
}

static int open_port(struct virtio_console *console, unsigned number, char *error,
		     size_t error_size)
{
	struct console_port *port = &console->port[number];
	const struct char_events events = { .readable = on_readable,
					    .writable = on_writable,
					    .opened = on_opened,
					    .closed = on_opened,
					    .quit = on_quit,
					    .opaque = port };
	const char *spec;
	int err;

	port->console = console;
	port->number = number;
	if (!port->spec)
		return 0;
	err = split_spec(port, &spec, error, error_size);
	if (!err)
		err = char__open(spec, console->dev.services->loop, &port->backend, error, error_size);
	if (!err)
		char__set_events(port->backend, &events);
	return err;
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct virtio_console *console = container_of_type(dev, struct virtio_console, dev);
	unsigned i;
	int err;

	pthread_mutex_init(&console->lock, NULL);
	err = virtio__realize(&console->virtio, dev, &virtio_class,
			      BIT64(F_MULTIPORT) | BIT64(F_EMERGENCY_WRITE), CONSOLE_QUEUES, error,
			      error_size);
	for (i = 0; i < CONSOLE_PORTS && !err; i++)
		err = open_port(console, i, error, error_size);
	return err;
}

static void describe(struct device *dev, struct aml *aml)
{
	virtio__describe(&container_of_type(dev, struct virtio_console, dev)->virtio, aml);
}

static void reset(struct device *dev)
{
	struct virtio_console *console = container_of_type(dev, struct virtio_console, dev);
	unsigned i;

	virtio__reset_all(&console->virtio);
	for (i = 0; i < CONSOLE_PORTS; i++)
		if (console->port[i].backend)
			char__start(console->port[i].backend);
}

static void remove_console(struct device *dev)
{
	struct virtio_console *console = container_of_type(dev, struct virtio_console, dev);
	unsigned i;

	for (i = 0; i < CONSOLE_PORTS; i++) {
		char__close(console->port[i].backend);
		free(console->port[i].name_text);
	}
	virtio__remove(&console->virtio);
	pthread_mutex_destroy(&console->lock);
}

static int after_load(struct device *dev)
{
	struct virtio_console *console = container_of_type(dev, struct virtio_console, dev);
	unsigned i;

	for (i = 0; i < CONSOLE_PORTS; i++) {
		struct console_port *port = &console->port[i];

		if (port->in_at > sizeof(port->in) || port->in_count > sizeof(port->in) - port->in_at)
			return -EINVAL;
		port->say &= CONSOLE_SAY_ADD | CONSOLE_SAY_OPEN |
			     (port->name ? CONSOLE_SAY_NAME : CONSOLE_SAY_CONSOLE);
		if (!port->backend)
			port->say = 0;
	}
	return virtio__after_load(&console->virtio);
}

#define PORT_OPTION(n)                                                                             \
	{                                                                                          \
		"port" #n, OPTION_STRING, offsetof(struct virtio_console, port[n].spec), 0, 0, 0,  \
			"NAME:BACKEND of a port that the guest finds by its name"                  \
	}

static const struct config_option options[] = {
	{ "char", OPTION_STRING, offsetof(struct virtio_console, port[0].spec), 0, 0, 0,
	  "the console's back end: stdio, pty, file:PATH, unix:PATH or none" },
	PORT_OPTION(1),
	PORT_OPTION(2),
	PORT_OPTION(3),
	PORT_OPTION(4),
	PORT_OPTION(5),
	PORT_OPTION(6),
	PORT_OPTION(7),
	VIRTIO_OPTIONS(struct virtio_console, virtio.options, QUEUE_SIZE),
	{ NULL },
};

static const struct state_field port_fields[] = {
	STATE_FIELD(struct console_port, in_at, 1),
	STATE_FIELD(struct console_port, in_count, 1),
	STATE_ARRAY(struct console_port, in, 1),
	STATE_FIELD(struct console_port, out_done, 1),
	STATE_FIELD(struct console_port, say, 1),
	STATE_FIELD(struct console_port, host_open, 1),
	STATE_FIELD(struct console_port, guest_open, 1),
	{ NULL },
};

static const struct state_table port_state = { 1, port_fields, NULL };

static const struct state_field state_fields[] = {
	STATE_PART(struct virtio_console, virtio, 1, &virtio_state, 1),
	STATE_PART(struct virtio_console, port, CONSOLE_PORTS, &port_state, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_virtio_console = {
	.name = "virtio-console",
	.help = "a console (hvc0 in Linux) and named ports",
	.bus = DEVICE_BUS_ANY,
	.max = 4,
	.size = sizeof(struct virtio_console),
	.options = options,
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_console,
	.acpi = describe,
};
