/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware images: what --firmware names, loaded for the top of the 4 GiB. The code is read-only;
 * variables, if there is a second bank for them, are a file of the machine's own or live as long as
 * the machine.
 */
#ifndef VMM_FIRMWARE_IMAGE_H
#define VMM_FIRMWARE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRMWARE_END 0x100000000ULL
#define FIRMWARE_MOST (8ULL << 20) /* bytes of both banks together */
#define FIRMWARE_GRANULE 0x1000u
/* The end of the code is also seen below 1 MiB, as far as it is within this. */
#define FIRMWARE_ALIAS_MOST 0x20000u
#define FIRMWARE_ALIAS_END 0x100000u

struct firmware_bank {
	uint8_t *data; /* NULL: there is no such bank */
	uint64_t gpa, size;
	int fd; /* of the file that changes are written to; -1: none */
};

struct firmware {
	struct firmware_bank code, vars;
	bool loads_kernels; /* it takes a kernel from fw_cfg */
};

/*
 * Opens what `text` names: "seabios", "ovmf" or a path, and optionally ",vars=FILE", which is made
 * from a template if it does not exist. 0, or -errno after a line in error[].
 */
int firmware__open(struct firmware *firmware, const char *text, char *error, size_t error_size);
void firmware__close(struct firmware *firmware);

#endif
