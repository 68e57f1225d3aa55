/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A check of an image, between check.c and rebuild.c. */
#ifndef VMM_BLOCK_FORMATS_QCOW2_CHECK_H
#define VMM_BLOCK_FORMATS_QCOW2_CHECK_H

#include "vmm/block/formats/qcow2/qcow2.h"
#include "vmm/block/image.h"

struct checker {
	struct qcow2 *q;
	struct image_check *check;
	uint32_t *users; /* of each cluster of the file, as the tables have it */
	uint64_t clusters;
	uint64_t highest; /* cluster with a user */
	uint64_t next_host; /* where the last data cluster of the table ends */
	bool rebuild; /* refcounts cannot be repaired one by one */
};

void check__say(struct checker *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* New refcounts, table and blocks, behind the end of the file. */
int check__rebuild(struct checker *c);

#endif
