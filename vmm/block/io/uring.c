/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File accesses by io_uring. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "vmm/block/io/aio_engine.h"
#include "vmm/block/io/file.h"

#define RING_ENTRIES 256

struct aio_uring {
	struct io_uring ring;
	struct aio_op *waiting, **last; /* for which the ring had no room */
};

int aio_uring__create(struct aio_uring **out)
{
	struct aio_uring *uring = calloc(1, sizeof(*uring));
	int err;

	if (!uring)
		return -ENOMEM;
	uring->last = &uring->waiting;
	err = io_uring_queue_init(RING_ENTRIES, &uring->ring, 0);
	if (err) {
		free(uring);
		return err;
	}
	*out = uring;
	return 0;
}

void aio_uring__destroy(struct aio_uring *uring)
{
	if (!uring)
		return;
	io_uring_queue_exit(&uring->ring);
	free(uring);
}

int aio_uring__fd(const struct aio_uring *uring)
{
	return uring->ring.ring_fd;
}

static bool prepare(struct aio_uring *uring, struct aio_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (!sqe && io_uring_submit(&uring->ring) > 0)
		sqe = io_uring_get_sqe(&uring->ring);
	if (!sqe)
		return false;
	switch (op->kind) {
	case AIO_READ:
		io_uring_prep_readv(sqe, op->file->fd, op->iov, op->iov_count,
				    op->offset + op->moved);
		break;
	case AIO_WRITE:
		io_uring_prep_writev(sqe, op->file->fd, op->iov, op->iov_count,
				     op->offset + op->moved);
		break;
	case AIO_SYNC:
		io_uring_prep_fsync(sqe, op->file->fd, IORING_FSYNC_DATASYNC);
		break;
	}
	io_uring_sqe_set_data(sqe, op);
	return true;
}

void aio_uring__submit(struct aio_uring *uring, struct aio_op *op)
{
	if (!uring->waiting && prepare(uring, op))
		return;
	op->next = NULL;
	*uring->last = op;
	uring->last = &op->next;
}

static void submit_waiting(struct aio_uring *uring)
{
	while (uring->waiting && prepare(uring, uring->waiting)) {
		uring->waiting = uring->waiting->next;
		if (!uring->waiting)
			uring->last = &uring->waiting;
	}
}

void aio_uring__commit(struct aio_uring *uring)
{
	submit_waiting(uring);
	/* EAGAIN, EBUSY: the kernel is short of memory or room; what is in the ring goes with the next
	 * commit, which every completion brings. */
	io_uring_submit(&uring->ring);
}

bool aio_uring__has_completed(struct aio_uring *uring)
{
	return io_uring_cq_ready(&uring->ring);
}

void aio_uring__reap(struct aio_uring *uring, void (*finish)(struct aio_op *op, int result))
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&uring->ring, &cqe)) {
		struct aio_op *op = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&uring->ring, cqe);
		finish(op, result);
	}
	if (uring->waiting || io_uring_sq_ready(&uring->ring))
		aio_uring__commit(uring);
}
