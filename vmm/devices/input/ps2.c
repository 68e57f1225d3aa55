/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command sets of a PS/2 keyboard and a two-button mouse that nobody touches. */
#include "vmm/devices/input/ps2.h"

#include <errno.h>
#include <string.h>

#define ANSWER_ACK 0xfa
#define ANSWER_RESEND 0xfe
#define ANSWER_BAT_OK 0xaa

#define CMD_RESET 0xff
#define CMD_RESEND 0xfe
#define CMD_DEFAULTS 0xf6
#define CMD_DISABLE 0xf5
#define CMD_ENABLE 0xf4
#define CMD_RATE 0xf3
#define CMD_IDENTIFY 0xf2

#define KBD_SCAN_SET 0xf0
#define KBD_ECHO 0xee
#define KBD_LEDS 0xed

#define MOUSE_REMOTE 0xf0
#define MOUSE_WRAP 0xee
#define MOUSE_UNWRAP 0xec
#define MOUSE_READ 0xeb
#define MOUSE_STREAM 0xea
#define MOUSE_STATUS 0xe9
#define MOUSE_RESOLUTION 0xe8
#define MOUSE_SCALING_2 0xe7
#define MOUSE_SCALING_1 0xe6

#define MOUSE_PACKET_SYNC 0x08 /* bit 3 of a movement packet is always set */

static void send(struct ps2 *ps2, uint8_t byte)
{
	if (ps2->count == PS2_QUEUE)
		return; /* a host that does not listen */
	ps2->queue[(ps2->start + ps2->count++) % PS2_QUEUE] = byte;
}

static void set_defaults(struct ps2 *ps2)
{
	ps2->scan_set = 2;
	ps2->rate = 100;
	ps2->resolution = 2;
	ps2->scaling = 0;
	ps2->reporting = 0;
}

void ps2__reset(struct ps2 *ps2, bool is_mouse)
{
	memset(ps2, 0, sizeof(*ps2));
	ps2->is_mouse = is_mouse;
	set_defaults(ps2);
}

uint8_t ps2__take(struct ps2 *ps2)
{
	uint8_t byte = ps2->queue[ps2->start];

	ps2->start = (ps2->start + 1) % PS2_QUEUE;
	ps2->count--;
	ps2->last_sent = byte;
	return byte;
}

static void power_on_answer(struct ps2 *ps2)
{
	set_defaults(ps2);
	send(ps2, ANSWER_ACK);
	send(ps2, ANSWER_BAT_OK);
	if (ps2->is_mouse)
		send(ps2, 0x00);
}

static void take_parameter(struct ps2 *ps2, uint8_t value)
{
	uint8_t command = ps2->parameter_of;

	ps2->parameter_of = 0;
	send(ps2, ANSWER_ACK);
	if (command == CMD_RATE)
		ps2->rate = value;
	else if (ps2->is_mouse && command == MOUSE_RESOLUTION)
		ps2->resolution = value & 3;
	else if (!ps2->is_mouse && command == KBD_SCAN_SET && !value)
		send(ps2, ps2->scan_set);
	else if (!ps2->is_mouse && command == KBD_SCAN_SET && value <= 3)
		ps2->scan_set = value;
}

static void send_still_packet(struct ps2 *ps2)
{
	send(ps2, MOUSE_PACKET_SYNC);
	send(ps2, 0);
	send(ps2, 0);
}

static void command_mouse(struct ps2 *ps2, uint8_t command)
{
	switch (command) {
	case MOUSE_RESOLUTION:
		ps2->parameter_of = command;
		break;
	case MOUSE_SCALING_1:
	case MOUSE_SCALING_2:
		ps2->scaling = command == MOUSE_SCALING_2;
		break;
	case MOUSE_STATUS:
		send(ps2, ANSWER_ACK);
		send(ps2, (uint8_t)(ps2->scaling << 4 | ps2->reporting << 5));
		send(ps2, ps2->resolution);
		send(ps2, ps2->rate);
		return;
	case MOUSE_READ:
		send(ps2, ANSWER_ACK);
		send_still_packet(ps2);
		return;
	case MOUSE_REMOTE:
	case MOUSE_STREAM:
	case MOUSE_WRAP:
	case MOUSE_UNWRAP:
		break;
	default:
		send(ps2, ANSWER_RESEND);
		return;
	}
	send(ps2, ANSWER_ACK);
}

static void command_keyboard(struct ps2 *ps2, uint8_t command)
{
	switch (command) {
	case KBD_LEDS:
	case KBD_SCAN_SET:
		ps2->parameter_of = command;
		send(ps2, ANSWER_ACK);
		break;
	case KBD_ECHO:
		send(ps2, KBD_ECHO);
		break;
	default:
		send(ps2, ANSWER_RESEND);
	}
}

static void identify(struct ps2 *ps2)
{
	send(ps2, ANSWER_ACK);
	if (ps2->is_mouse) {
		send(ps2, 0x00);
	} else {
		send(ps2, 0xab);
		send(ps2, 0x83);
	}
}

void ps2__receive(struct ps2 *ps2, uint8_t byte)
{
	/* Parameters are below EDH; a command in place of one cancels the first. */
	if (ps2->parameter_of && byte < KBD_LEDS) {
		take_parameter(ps2, byte);
		return;
	}
	ps2->parameter_of = 0;
	ps2->count = 0; /* a command ends what was being sent */
	switch (byte) {
	case CMD_RESET:
		power_on_answer(ps2);
		break;
	case CMD_RESEND:
		send(ps2, ps2->last_sent);
		break;
	case CMD_DEFAULTS:
	case CMD_DISABLE:
		set_defaults(ps2);
		send(ps2, ANSWER_ACK);
		break;
	case CMD_ENABLE:
		ps2->reporting = 1;
		send(ps2, ANSWER_ACK);
		break;
	case CMD_RATE:
		ps2->parameter_of = CMD_RATE;
		send(ps2, ANSWER_ACK);
		break;
	case CMD_IDENTIFY:
		identify(ps2);
		break;
	default:
		if (ps2->is_mouse)
			command_mouse(ps2, byte);
		else
			command_keyboard(ps2, byte);
	}
}

int ps2__after_load(const struct ps2 *ps2)
{
	return ps2->start < PS2_QUEUE && ps2->count <= PS2_QUEUE ? 0 : -EINVAL;
}
