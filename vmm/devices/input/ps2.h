/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PS/2 keyboard and mouse as the controller's two ports see them (IBM PS/2 technical reference). */
#ifndef VMM_DEVICES_INPUT_PS2_H
#define VMM_DEVICES_INPUT_PS2_H

#include <stdbool.h>
#include <stdint.h>

#define PS2_QUEUE 16u

struct ps2 {
	uint8_t is_mouse;
	uint8_t parameter_of; /* command that waits for its parameter, 0: none */
	uint8_t scan_set;     /* keyboard */
	uint8_t rate, resolution, scaling, reporting; /* mouse */
	uint8_t last_sent;
	uint8_t queue[PS2_QUEUE]; /* bytes for the host */
	uint8_t start, count;
};

void ps2__reset(struct ps2 *ps2, bool is_mouse);
/* The host sends a byte; answers are queued. */
void ps2__receive(struct ps2 *ps2, uint8_t byte);
/* The next byte for the host. Only while count is not 0. */
uint8_t ps2__take(struct ps2 *ps2);
/* 0 or -EINVAL: loaded fields are impossible. */
int ps2__after_load(const struct ps2 *ps2);

#endif
