/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses to a chain of images, and who is in one at the moment. */
#include "vmm/block/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/block/io/iov.h"

static bool is_within(struct node *node, uint64_t offset, uint64_t length)
{
	uint64_t size = atomic_load(&node->size);

	return offset <= size && length <= size - offset;
}

/* Reads one piece that is a single extent; `skip` is where in iov it goes. */
static int read_extent(struct node *node, uint64_t offset, const struct extent *extent,
		       const struct iovec *iov, int count, size_t skip);

/* Reads of an image that is shorter than what it backs give zeroes beyond its end. */
static int read_piece(struct node *node, uint64_t offset, uint64_t length, const struct iovec *iov,
		      int count, size_t skip)
{
	uint64_t size = node ? atomic_load(&node->size) : 0;
	struct extent extent;
	int err = 0;

	while (!err && length) {
		if (offset >= size) {
			iov__zero(iov, count, skip, length);
			return 0;
		}
		err = node->class->extent(node, offset, length < size - offset ? length : size - offset,
					  &extent);
		if (!err)
			err = read_extent(node, offset, &extent, iov, count, skip);
		offset += extent.length;
		length -= extent.length;
		skip += extent.length;
	}
	return err;
}

static int read_data(const struct extent *extent, const struct iovec *iov, int count, size_t skip)
{
	int slices = iov__slice_count(iov, count, skip, extent->length), err;
	struct iovec *slice;

	if (slices == 1) {
		struct iovec one;

		iov__slice(iov, count, skip, extent->length, &one);
		return file__readv(extent->file, extent->offset, &one, 1);
	}
	slice = calloc(slices, sizeof(*slice));
	if (!slice)
		return -ENOMEM;
	iov__slice(iov, count, skip, extent->length, slice);
	err = file__readv(extent->file, extent->offset, slice, slices);
	free(slice);
	return err;
}

static int read_extent(struct node *node, uint64_t offset, const struct extent *extent,
		       const struct iovec *iov, int count, size_t skip)
{
	switch (extent->kind) {
	case EXTENT_DATA:
		return read_data(extent, iov, count, skip);
	case EXTENT_ZERO:
		iov__zero(iov, count, skip, extent->length);
		return 0;
	case EXTENT_BACKING:
		return read_piece(node->backing, offset, extent->length, iov, count, skip);
	case EXTENT_COMPRESSED:
		return node->class->read_packed(node, offset, iov, count, skip, extent->length);
	case EXTENT_SLOW:
		break;
	}
	return -EIO;
}

int node__readv(struct node *node, uint64_t offset, const struct iovec *iov, int count)
{
	uint64_t length = iov__length(iov, count);

	if (!is_within(node, offset, length))
		return -EINVAL;
	return read_piece(node, offset, length, iov, count, 0);
}

int node__read(struct node *node, uint64_t offset, void *buf, size_t length)
{
	struct iovec iov = { buf, length };

	return node__readv(node, offset, &iov, 1);
}

int node__writev(struct node *node, uint64_t offset, const struct iovec *iov, int count)
{
	if (!node->write)
		return -EROFS;
	if (!is_within(node, offset, iov__length(iov, count)))
		return -EINVAL;
	return node->class->write(node, offset, iov, count);
}

int node__write(struct node *node, uint64_t offset, const void *buf, size_t length)
{
	struct iovec iov = { (void *)buf, length };

	return node__writev(node, offset, &iov, 1);
}

int node__zero(struct node *node, uint64_t offset, uint64_t length, bool unmap)
{
	if (!node->write)
		return -EROFS;
	if (!is_within(node, offset, length))
		return -EINVAL;
	return node->class->zero(node, offset, length, unmap && node->discard);
}

int node__discard(struct node *node, uint64_t offset, uint64_t length)
{
	if (!node->write)
		return -EROFS;
	if (!is_within(node, offset, length))
		return -EINVAL;
	return node->discard ? node->class->discard(node, offset, length) : 0;
}

int node__flush(struct node *node)
{
	return node->write ? node->class->flush(node) : 0;
}

int node__extent(struct node *node, uint64_t offset, uint64_t length, struct extent *extent,
		 unsigned *depth)
{
	unsigned at = 0;
	int err;

	if (!is_within(node, offset, length) || !length)
		return -EINVAL;
	for (;;) {
		uint64_t size = atomic_load(&node->size);

		if (offset >= size) {
			*extent = (struct extent){ .kind = EXTENT_BACKING, .length = length };
			break;
		}
		if (length > size - offset)
			length = size - offset;
		err = node->class->extent(node, offset, length, extent);
		if (err)
			return err;
		if (extent->kind != EXTENT_BACKING || !node->backing)
			break;
		length = extent->length;
		node = node->backing;
		at++;
	}
	if (depth)
		*depth = at;
	return 0;
}

bool node__enter(struct node *node, unsigned *parity)
{
	bool may;

	pthread_mutex_lock(&node->lock);
	may = !node->exclusive;
	*parity = node->parity;
	if (may)
		node->users[*parity]++;
	pthread_mutex_unlock(&node->lock);
	return may;
}

void node__leave(struct node *node, unsigned parity)
{
	pthread_mutex_lock(&node->lock);
	if (!--node->users[parity] && node->exclusive)
		pthread_cond_signal(&node->left);
	pthread_mutex_unlock(&node->lock);
}

void node__hold(struct node *node, unsigned parity)
{
	pthread_mutex_lock(&node->lock);
	node->users[parity]++;
	pthread_mutex_unlock(&node->lock);
}

unsigned node__grace(struct node *node)
{
	unsigned old;

	pthread_mutex_lock(&node->lock);
	old = node->parity;
	node->parity = !old;
	pthread_mutex_unlock(&node->lock);
	return old;
}

bool node__grace_over(struct node *node, unsigned grace)
{
	bool over;

	pthread_mutex_lock(&node->lock);
	over = !node->users[grace];
	pthread_mutex_unlock(&node->lock);
	return over;
}

void node__exclude(struct node *node)
{
	pthread_mutex_lock(&node->lock);
	node->exclusive = true;
	while (node->users[0] || node->users[1])
		pthread_cond_wait(&node->left, &node->lock);
	pthread_mutex_unlock(&node->lock);
}

void node__include(struct node *node)
{
	pthread_mutex_lock(&node->lock);
	node->exclusive = false;
	pthread_mutex_unlock(&node->lock);
}
