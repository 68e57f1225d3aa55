/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ways of struct aio, for aio.c alone. */
#ifndef VMM_BLOCK_IO_AIO_ENGINE_H
#define VMM_BLOCK_IO_AIO_ENGINE_H

#include "vmm/block/io/aio.h"

struct aio_pool;
struct aio_uring;

/* -ENOSYS, -EPERM and the like: the host does not permit it. */
int aio_uring__create(struct aio_uring **uring);
void aio_uring__destroy(struct aio_uring *uring);
int aio_uring__fd(const struct aio_uring *uring);
void aio_uring__submit(struct aio_uring *uring, struct aio_op *op);
void aio_uring__commit(struct aio_uring *uring);
/* Without a system call. */
bool aio_uring__has_completed(struct aio_uring *uring);
/* Calls finish() for what has completed, with bytes moved or -errno. */
void aio_uring__reap(struct aio_uring *uring, void (*finish)(struct aio_op *op, int result));

int aio_pool__create(struct aio_pool **pool);
void aio_pool__destroy(struct aio_pool *pool);
/* Ends with aio__complete(). */
void aio_pool__submit(struct aio_pool *pool, struct aio_op *op);

#endif
