/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk with one queue on a loop of the test's own; requests one at a time or many. */
#ifndef TESTS_UNIT_BLOCK_FIXTURE_H
#define TESTS_UNIT_BLOCK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/block/block.h"
#include "vmm/loop/loop.h"

struct disk {
	struct loop *loop;
	struct block *block;
	struct block_queue *queue;
	unsigned resized, stopped; /* events */
	uint64_t new_size;
	unsigned waiting; /* requests of disk__async() that are not done */
};

/* A folder for the test's files, emptied and removed at the end of the process. */
const char *fixture__path(const char *name);
/* Makes a file of `size` bytes there, each a function of its offset and `salt`; returns the path. */
const char *fixture__file(const char *name, size_t size, uint8_t salt);
uint8_t fixture__byte(uint64_t offset, uint8_t salt);

/* "FILE,key=value..."; fails the test if it does not open. */
void disk__open(struct disk *disk, const char *options);
void disk__open_memory(struct disk *disk, const char *options);
void disk__close(struct disk *disk);

/* One request, to its end. */
int disk__do(struct disk *disk, enum block_op op, uint64_t offset, void *buf, uint64_t length,
	     uint32_t flags);
/* One that goes on; its result is in *result (1 until then). */
void disk__async(struct disk *disk, struct block_request *request, struct iovec *iov, int *result);
/* Runs the loop until at most `left` of them are not done. */
void disk__wait(struct disk *disk, unsigned left);
/* Runs the loop's callbacks for that long. */
void disk__run(struct disk *disk, unsigned ms);

#endif
