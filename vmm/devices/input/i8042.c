/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC's keyboard controller (Intel 8042 with IBM's program): ports 60H and 64H, a keyboard on
 * IRQ 1 and a mouse on IRQ 12, the A20 bit (which masks nothing here) and the reset line.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "vmm/acpi/aml.h"
#include "vmm/device/device.h"
#include "vmm/devices/classes.h"
#include "vmm/devices/input/ps2.h"

#define DATA_PORT 0x60
#define COMMAND_PORT 0x64
#define KEYBOARD_IRQ 1
#define MOUSE_IRQ 12

#define STATUS_OBF 0x01u  /* a byte waits at port 60H */
#define STATUS_SYS 0x04u  /* self-test passed */
#define STATUS_CMD 0x08u  /* the last write was a command */
#define STATUS_UNLOCKED 0x10u
#define STATUS_AUX 0x20u /* the byte is the mouse's */

#define CTR_KBD_INT 0x01u
#define CTR_AUX_INT 0x02u
#define CTR_SYS 0x04u
#define CTR_KBD_OFF 0x10u
#define CTR_AUX_OFF 0x20u
#define CTR_TRANSLATE 0x40u

#define OUTPUT_NO_RESET 0x01u
#define OUTPUT_A20 0x02u
#define OUTPUT_KBD_IRQ 0x10u
#define OUTPUT_AUX_IRQ 0x20u

#define RAM_BYTES 32 /* byte 0 is the command byte */

enum source { FROM_NONE, FROM_CONTROLLER, FROM_KEYBOARD, FROM_MOUSE };

struct i8042 {
	struct device dev;
	pthread_mutex_t lock; /* guards all below */
	struct irq_wire keyboard_irq, mouse_irq;
	struct ps2 keyboard, mouse;
	uint8_t ram[RAM_BYTES];
	uint8_t self_tested;
	uint8_t last_was_command;
	uint8_t pending; /* command that waits for a byte at port 60H, 0: none */
	uint8_t output_port;
	uint8_t reply, reply_ready, reply_is_mouse; /* the controller's own answer */
	uint8_t buffer, buffer_from;		    /* the output buffer, an enum source */
};

/* Scan code set 2 to set 1, for the one code that an untouched keyboard sends: its identity. */
static uint8_t translate(const struct i8042 *kbc, uint8_t byte)
{
	return kbc->ram[0] & CTR_TRANSLATE && byte == 0x83 ? 0x41 : byte;
}

/* Moves the next byte to the output buffer, and sets the interrupt wires to match. */
static void update(struct i8042 *kbc)
{
	uint8_t ctr = kbc->ram[0];
	bool is_mouse;

	if (kbc->buffer_from == FROM_NONE) {
		if (kbc->reply_ready) {
			kbc->reply_ready = 0;
			kbc->buffer = kbc->reply;
			kbc->buffer_from = kbc->reply_is_mouse ? FROM_MOUSE : FROM_CONTROLLER;
		} else if (kbc->keyboard.count && !(ctr & CTR_KBD_OFF)) {
			kbc->buffer = translate(kbc, ps2__take(&kbc->keyboard));
			kbc->buffer_from = FROM_KEYBOARD;
		} else if (kbc->mouse.count && !(ctr & CTR_AUX_OFF)) {
			kbc->buffer = ps2__take(&kbc->mouse);
			kbc->buffer_from = FROM_MOUSE;
		}
	}
	is_mouse = kbc->buffer_from == FROM_MOUSE;
	irq_wire__set(&kbc->mouse_irq, is_mouse && ctr & CTR_AUX_INT);
	irq_wire__set(&kbc->keyboard_irq,
		      kbc->buffer_from != FROM_NONE && !is_mouse && ctr & CTR_KBD_INT);
}

static void reply(struct i8042 *kbc, uint8_t byte, bool is_mouse)
{
	kbc->reply = byte;
	kbc->reply_is_mouse = is_mouse;
	kbc->reply_ready = 1;
}

static uint8_t read_data(struct i8042 *kbc)
{
	uint8_t byte = kbc->buffer;

	kbc->buffer_from = FROM_NONE;
	/* The edge-triggered interrupt controller sees each byte: wires drop before the next. */
	irq_wire__set(&kbc->keyboard_irq, false);
	irq_wire__set(&kbc->mouse_irq, false);
	return byte;
}

static uint8_t read_status(const struct i8042 *kbc)
{
	return STATUS_UNLOCKED | (kbc->self_tested ? STATUS_SYS : 0) |
	       (kbc->last_was_command ? STATUS_CMD : 0) |
	       (kbc->buffer_from != FROM_NONE ? STATUS_OBF : 0) |
	       (kbc->buffer_from == FROM_MOUSE ? STATUS_AUX : 0);
}

static uint8_t read_output_port(const struct i8042 *kbc)
{
	bool is_mouse = kbc->buffer_from == FROM_MOUSE;

	return kbc->output_port | OUTPUT_NO_RESET |
	       (kbc->buffer_from != FROM_NONE && !is_mouse ? OUTPUT_KBD_IRQ : 0) |
	       (is_mouse ? OUTPUT_AUX_IRQ : 0);
}

static void self_test(struct i8042 *kbc)
{
	kbc->self_tested = 1;
	kbc->ram[0] |= CTR_SYS | CTR_KBD_OFF | CTR_AUX_OFF;
	reply(kbc, 0x55, false);
}

/* A command byte for port 64H. True: the reset line was pulled. */
static bool command(struct i8042 *kbc, uint8_t byte)
{
	switch (byte) {
	case 0x20 ... 0x3f:
		reply(kbc, kbc->ram[byte - 0x20], false);
		break;
	case 0x60 ... 0x7f:
	case 0xd1 ... 0xd4:
		kbc->pending = byte;
		break;
	case 0xa7:
		kbc->ram[0] |= CTR_AUX_OFF;
		break;
	case 0xa8:
		kbc->ram[0] &= (uint8_t)~CTR_AUX_OFF;
		break;
	case 0xa9: /* interface tests: no error */
	case 0xab:
		reply(kbc, 0x00, false);
		break;
	case 0xaa:
		self_test(kbc);
		break;
	case 0xad:
		kbc->ram[0] |= CTR_KBD_OFF;
		break;
	case 0xae:
		kbc->ram[0] &= (uint8_t)~CTR_KBD_OFF;
		break;
	case 0xc0: /* input port: keyboard not locked, no manufacturing jumper */
		reply(kbc, 0xb0, false);
		break;
	case 0xd0:
		reply(kbc, read_output_port(kbc), false);
		break;
	case 0xdd:
		kbc->output_port &= (uint8_t)~OUTPUT_A20;
		break;
	case 0xdf:
		kbc->output_port |= OUTPUT_A20;
		break;
	case 0xf0 ... 0xff: /* pulses the lines whose bits are 0 */
		return !(byte & OUTPUT_NO_RESET);
	}
	return false;
}

/* A byte for port 60H. True: the reset line was pulled. */
static bool data(struct i8042 *kbc, uint8_t byte)
{
	uint8_t pending = kbc->pending;

	kbc->pending = 0;
	switch (pending) {
	case 0: /* talking to a device switches its interface on */
		kbc->ram[0] &= (uint8_t)~CTR_KBD_OFF;
		ps2__receive(&kbc->keyboard, byte);
		break;
	case 0x60 ... 0x7f:
		kbc->ram[pending - 0x60] = byte;
		if (pending == 0x60)
			kbc->self_tested = byte & CTR_SYS ? 1 : kbc->self_tested;
		break;
	case 0xd1:
		kbc->output_port = byte & OUTPUT_A20;
		return !(byte & OUTPUT_NO_RESET);
	case 0xd2:
		reply(kbc, byte, false);
		break;
	case 0xd3:
		reply(kbc, byte, true);
		break;
	case 0xd4:
		kbc->ram[0] &= (uint8_t)~CTR_AUX_OFF;
		ps2__receive(&kbc->mouse, byte);
		break;
	}
	return false;
}

static void access_port(struct i8042 *kbc, struct access *access, bool is_command_port)
{
	const struct device_services *services = kbc->dev.services;
	uint8_t byte = (uint8_t)access->value;
	bool pulls_reset = false;

	pthread_mutex_lock(&kbc->lock);
	if (access->write) {
		kbc->last_was_command = is_command_port;
		pulls_reset = is_command_port ? command(kbc, byte) : data(kbc, byte);
		update(kbc);
	} else if (is_command_port) {
		access->value = read_status(kbc);
	} else {
		access->value = read_data(kbc);
		update(kbc);
	}
	pthread_mutex_unlock(&kbc->lock);
	if (pulls_reset)
		services->request(services->opaque, DEVICE_REQUEST_RESET, 0);
}

static void access_data_port(void *opaque, struct access *access)
{
	access_port(opaque, access, false);
}

static void access_command_port(void *opaque, struct access *access)
{
	access_port(opaque, access, true);
}

static void reset(struct device *dev)
{
	struct i8042 *kbc = container_of_type(dev, struct i8042, dev);

	pthread_mutex_lock(&kbc->lock);
	ps2__reset(&kbc->keyboard, false);
	ps2__reset(&kbc->mouse, true);
	memset(kbc->ram, 0, sizeof(kbc->ram));
	/* As firmware leaves it: tested, keyboard interrupt on, translating. */
	kbc->ram[0] = CTR_KBD_INT | CTR_AUX_INT | CTR_SYS | CTR_TRANSLATE;
	kbc->self_tested = 1;
	kbc->last_was_command = 0;
	kbc->pending = 0;
	kbc->output_port = OUTPUT_A20;
	kbc->reply_ready = 0;
	kbc->buffer_from = FROM_NONE;
	update(kbc);
	pthread_mutex_unlock(&kbc->lock);
}

static int realize(struct device *dev, char *error, size_t error_size)
{
	struct i8042 *kbc = container_of_type(dev, struct i8042, dev);
	int err;

	pthread_mutex_init(&kbc->lock, NULL);
	irq_wire__connect(&kbc->keyboard_irq, dev->services->irqs, KEYBOARD_IRQ);
	irq_wire__connect(&kbc->mouse_irq, dev->services->irqs, MOUSE_IRQ);
	err = device__claim_ports(dev, DATA_PORT, 1, 1, access_data_port, error, error_size);
	if (!err)
		err = device__claim_ports(dev, COMMAND_PORT, 1, 1, access_command_port, error,
					  error_size);
	return err;
}

static void remove_i8042(struct device *dev)
{
	pthread_mutex_destroy(&container_of_type(dev, struct i8042, dev)->lock);
}

static void describe(struct device *dev, struct aml *aml)
{
	aml__device(aml, "KBD");
	aml__name_eisaid(aml, "_HID", "PNP0303");
	aml__name_integer(aml, "_STA", 0xf);
	aml__resources(aml, "_CRS");
	aml__io(aml, DATA_PORT, 1, 1);
	aml__io(aml, COMMAND_PORT, 1, 1);
	aml__irq(aml, KEYBOARD_IRQ);
	aml__end_resources(aml);
	aml__end(aml);
	aml__device(aml, "MOU");
	aml__name_eisaid(aml, "_HID", "PNP0F13");
	aml__name_integer(aml, "_STA", 0xf);
	aml__resources(aml, "_CRS");
	aml__irq(aml, MOUSE_IRQ);
	aml__end_resources(aml);
	aml__end(aml);
}

static int after_load(struct device *dev)
{
	struct i8042 *kbc = container_of_type(dev, struct i8042, dev);
	bool pending_ok = !kbc->pending || (kbc->pending >= 0x60 && kbc->pending <= 0x7f) ||
			  (kbc->pending >= 0xd1 && kbc->pending <= 0xd4);

	if (!pending_ok || ps2__after_load(&kbc->keyboard) || ps2__after_load(&kbc->mouse))
		return -EINVAL;
	pthread_mutex_lock(&kbc->lock);
	update(kbc);
	pthread_mutex_unlock(&kbc->lock);
	return 0;
}

#define PS2_FIELDS(which)                                                                          \
	STATE_FIELD(struct i8042, which.parameter_of, 1),                                          \
		STATE_FIELD(struct i8042, which.scan_set, 1),                                      \
		STATE_FIELD(struct i8042, which.rate, 1),                                          \
		STATE_FIELD(struct i8042, which.resolution, 1),                                    \
		STATE_FIELD(struct i8042, which.scaling, 1),                                       \
		STATE_FIELD(struct i8042, which.reporting, 1),                                     \
		STATE_FIELD(struct i8042, which.last_sent, 1),                                     \
		STATE_ARRAY(struct i8042, which.queue, 1),                                         \
		STATE_FIELD(struct i8042, which.start, 1), STATE_FIELD(struct i8042, which.count, 1)

static const struct state_field state_fields[] = {
	PS2_FIELDS(keyboard),
	PS2_FIELDS(mouse),
	STATE_ARRAY(struct i8042, ram, 1),
	STATE_FIELD(struct i8042, self_tested, 1),
	STATE_FIELD(struct i8042, last_was_command, 1),
	STATE_FIELD(struct i8042, pending, 1),
	STATE_FIELD(struct i8042, output_port, 1),
	STATE_FIELD(struct i8042, reply, 1),
	STATE_FIELD(struct i8042, reply_ready, 1),
	STATE_FIELD(struct i8042, reply_is_mouse, 1),
	STATE_FIELD(struct i8042, buffer, 1),
	STATE_FIELD(struct i8042, buffer_from, 1),
	{ NULL },
};

static const struct state_table state = { 1, state_fields, after_load };

const struct device_class device_class_i8042 = {
	.name = "i8042",
	.help = "keyboard controller with PS/2 keyboard and mouse",
	.bus = DEVICE_BUS_ISA,
	.builtin = true,
	.max = 1,
	.size = sizeof(struct i8042),
	.state = &state,
	.realize = realize,
	.reset = reset,
	.remove = remove_i8042,
	.acpi = describe,
};
