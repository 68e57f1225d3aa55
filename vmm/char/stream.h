/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all back ends share: two file descriptors with buffers between them and the device. */
#ifndef VMM_CHAR_STREAM_H
#define VMM_CHAR_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/char/char.h"
#include "vmm/loop/loop.h"

#define CHAR_IN_BYTES 4096u
#define CHAR_OUT_BYTES (1u << 20) /* output that waits for a slow reader, at most */

struct char_class {
	const char *prefix; /* "stdio" or "file:" */
	bool has_peers;	    /* who come and go: without one it has no descriptors */
	int (*open)(struct char_backend *backend, const char *rest, char *error, size_t error_size);
	void (*close)(struct char_backend *backend);
	/* The machine will run (char__start); may be NULL. */
	void (*start)(struct char_backend *backend);
	/* The peer went (end of file, hang-up, broken pipe). Loop thread, lock not held. */
	void (*hung_up)(struct char_backend *backend);
	/* Takes control bytes out of fresh input; returns what is left. Lock held. */
	size_t (*filter)(struct char_backend *backend, uint8_t *buf, size_t len);
};

struct char_backend {
	const struct char_class *class;
	struct loop *loop;
	void *private;		   /* the class's own */
	bool started;
	struct char_events events; /* loop thread */

	pthread_mutex_t lock; /* guards everything below */
	int in_fd, out_fd;    /* owned; -1: none */
	struct loop_watch *in_watch, *out_watch; /* NULL: the file is always ready */
	bool in_stopped;      /* the buffer is full, in_watch waits for nothing */
	bool in_drops;	      /* a full buffer drops input rather than stop (keyboards) */
	bool out_blocks;      /* out_fd has no O_NONBLOCK: one byte at a time */
	bool device_waits;    /* owes the device a writable() */
	bool quit_asked;      /* owes it a quit() */
	unsigned in_start, in_count;
	unsigned out_start, out_count;
	uint8_t *out; /* a ring of CHAR_OUT_BYTES, allocated when it is first needed */
	uint8_t in[CHAR_IN_BYTES];
};

extern const struct char_class char_class_stdio, char_class_pty, char_class_file, char_class_unix,
	char_class_none;

/*
 * Starts moving bytes between the device and these descriptors, which are the stream's from now
 * on, also on failure. Either may be -1. Loop thread, or before the loop runs. 0 or -errno.
 */
int char_stream__attach(struct char_backend *backend, int in_fd, int out_fd);
/* Closes them. Output that waits is dropped, input that waits is kept. */
void char_stream__detach(struct char_backend *backend);
/* Stops taking input and forgets in_fd; output goes on. */
void char_stream__end_input(struct char_backend *backend);
/* Tries to write out what was accepted; gives up after a while without progress. */
void char_stream__drain(struct char_backend *backend);
/* For filters: appends to the output. Lock held. */
void char_stream__put(struct char_backend *backend, const char *text);

#endif
