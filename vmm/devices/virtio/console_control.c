/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control queues of a console with several ports (virtio 1.2, 5.3.6.2). */
#include <string.h>

#include "vmm/devices/virtio/console.h"

/* What the driver sends and what it is sent; the value follows in the structure. */
#define EVENT_DEVICE_READY 0
#define EVENT_DEVICE_ADD 1
#define EVENT_PORT_READY 3
#define EVENT_CONSOLE_PORT 4
#define EVENT_OPEN 6
#define EVENT_NAME 7

#define SEGMENTS_MOST 4
#define NAME_MOST 128u

struct control {
	uint32_t port;
	uint16_t event, value;
};

struct message {
	struct control control;
	char name[NAME_MOST];
};

/* The first message that is owed to the driver. Bytes, 0: none; *what is the bit it stands for. */
static size_t next_message(struct virtio_console *console, struct message *message,
			   struct console_port **from, uint8_t *what)
{
	unsigned i;

	for (i = 0; i < CONSOLE_PORTS; i++) {
		struct console_port *port = &console->port[i];

		if (!port->say)
			continue;
		*from = port;
		*what = port->say & -port->say; /* the lowest bit comes first */
		memset(message, 0, sizeof(*message));
		message->control.port = i;
		switch (*what) {
		case CONSOLE_SAY_ADD:
			message->control.event = EVENT_DEVICE_ADD;
			return sizeof(message->control);
		case CONSOLE_SAY_CONSOLE:
			message->control.event = EVENT_CONSOLE_PORT;
			message->control.value = 1;
			return sizeof(message->control);
		case CONSOLE_SAY_OPEN:
			message->control.event = EVENT_OPEN;
			message->control.value = port->host_open;
			return sizeof(message->control);
		default:
			message->control.event = EVENT_NAME;
			strncpy(message->name, port->name, NAME_MOST - 1);
			return sizeof(message->control) + strlen(message->name);
		}
	}
	return 0;
}

/* One message into one buffer. False if there is no message, or no buffer. */
static bool send_one(struct virtio_console *console, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	struct console_port *port;
	struct message message;
	uint8_t what;
	size_t size;

	size = next_message(console, &message, &port, &what);
	if (!size || virtio_queue__pop(queue, &chain) <= 0)
		return false;
	port->say &= (uint8_t)~what;
	virtio_queue__push(queue, &chain,
			   (uint32_t)virtio_chain__write(&chain, 0, &message, size));
	return true;
}

bool console__send_control(struct virtio_console *console, struct virtio_queue *queue)
{
	bool more, owes = false;
	unsigned i;

	pthread_mutex_lock(&console->lock);
	virtio_queue__ask_notify(queue, false);
	while (send_one(console, queue))
		;
	virtio_queue__signal(queue);
	for (i = 0; i < CONSOLE_PORTS; i++)
		owes |= console->port[i].say;
	/* Free buffers are the usual case: they are news only if something waits for one. */
	more = owes && virtio_queue__ask_notify(queue, true);
	pthread_mutex_unlock(&console->lock);
	return more;
}

void console__say(struct console_port *port, uint8_t what)
{
	struct virtio_console *console = port->console;

	pthread_mutex_lock(&console->lock);
	port->say |= what;
	pthread_mutex_unlock(&console->lock);
	virtio__notify(&console->virtio, CONSOLE_CONTROL_RECEIVE);
}

static void add_ports(struct virtio_console *console)
{
	unsigned i;

	for (i = 0; i < CONSOLE_PORTS; i++)
		if (console->port[i].backend)
			console->port[i].say = CONSOLE_SAY_ADD;
}

/* console->lock. */
static void take_message(struct virtio_console *console, const struct control *control)
{
	struct console_port *port;

	if (control->event == EVENT_DEVICE_READY) {
		if (control->value == 1)
			add_ports(console);
		return;
	}
	if (control->port >= CONSOLE_PORTS || !console->port[control->port].backend)
		return;
	port = &console->port[control->port];
	if (control->event == EVENT_PORT_READY && control->value == 1) {
		port->host_open = char__is_open(port->backend);
		port->say |= CONSOLE_SAY_OPEN | (port->name ? CONSOLE_SAY_NAME : CONSOLE_SAY_CONSOLE);
	} else if (control->event == EVENT_OPEN) {
		port->guest_open = control->value == 1;
	}
}

bool console__take_control(struct virtio_console *console, struct virtio_queue *queue)
{
	struct iovec segment[SEGMENTS_MOST];
	struct virtio_chain chain = { .capacity = SEGMENTS_MOST, .segment = segment };
	unsigned left = queue->size;
	struct control control;

	virtio_queue__ask_notify(queue, false);
	pthread_mutex_lock(&console->lock);
	while (left-- && virtio_queue__pop(queue, &chain) > 0) {
		if (virtio_chain__read(&chain, 0, &control, sizeof(control)) == sizeof(control))
			take_message(console, &control);
		virtio_queue__push(queue, &chain, 0);
	}
	pthread_mutex_unlock(&console->lock);
	virtio_queue__signal(queue);
	return virtio_queue__ask_notify(queue, true);
}
