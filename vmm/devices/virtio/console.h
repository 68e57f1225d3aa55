/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console device (virtio 1.2, 5.3): what its files share. */
#ifndef VMM_DEVICES_VIRTIO_CONSOLE_H
#define VMM_DEVICES_VIRTIO_CONSOLE_H

#include "vmm/char/char.h"
#include "vmm/devices/virtio/virtio.h"

#define CONSOLE_PORTS 8u
#define CONSOLE_QUEUES (2 + 2 * CONSOLE_PORTS)
#define CONSOLE_IN_BYTES 4096u

/* Messages that a port owes the driver; said in this order. */
#define CONSOLE_SAY_ADD 0x01u
#define CONSOLE_SAY_CONSOLE 0x02u
#define CONSOLE_SAY_NAME 0x04u
#define CONSOLE_SAY_OPEN 0x08u

struct virtio_console;

struct console_port {
	struct virtio_console *console;
	unsigned number;
	char *spec;	  /* option: BACKEND for port 0, NAME:BACKEND for others; NULL: no such port */
	const char *name; /* NULL: the console */
	char *name_text;  /* what name points to */
	struct char_backend *backend;

	/* The receive queue's lock: input that was read and waits for a buffer. */
	uint16_t in_at, in_count;
	uint8_t in[CONSOLE_IN_BYTES];
	/* The transmit queue's lock: bytes of the next buffer that were written already. */
	uint32_t out_done;
	/* console->lock */
	uint8_t say;	   /* CONSOLE_SAY_* */
	uint8_t host_open; /* as the driver was told, or will be */
	uint8_t guest_open;
};

struct virtio_console {
	struct device dev;
	struct virtio virtio;
	struct console_port port[CONSOLE_PORTS];
	pthread_mutex_t lock; /* inside a queue's; guards what ports owe and who is open */
};

static inline unsigned console__receive_queue(unsigned port)
{
	return port ? 2 + 2 * port : 0;
}

static inline unsigned console__transmit_queue(unsigned port)
{
	return console__receive_queue(port) + 1;
}

#define CONSOLE_CONTROL_RECEIVE 2u
#define CONSOLE_CONTROL_TRANSMIT 3u

/* The port has something to say. Any thread, any lock but console->lock. */
void console__say(struct console_port *port, uint8_t what);
/* Work on the control queues; the queue's lock. True if there is more. */
bool console__send_control(struct virtio_console *console, struct virtio_queue *queue);
bool console__take_control(struct virtio_console *console, struct virtio_queue *queue);

#endif
