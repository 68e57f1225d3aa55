/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the makers of images share. */
#include "vmm/block/image.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/block/io/file.h"

#define FILL_SIZE (1u << 20)

int image__fill(struct block_file *file, uint64_t offset, uint64_t length)
{
	char *zeroes = calloc(1, FILL_SIZE);
	int err = zeroes ? 0 : -ENOMEM;

	while (!err && length) {
		size_t piece = length < FILL_SIZE ? length : FILL_SIZE;

		err = file__write(file, offset, zeroes, piece);
		offset += piece;
		length -= piece;
	}
	free(zeroes);
	return err;
}
