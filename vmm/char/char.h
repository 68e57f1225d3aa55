/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends: what a serial port is connected to. Flow controlled both ways: a back end
 * takes what it can and keeps input until the device fetches it, so no byte is dropped.
 */
#ifndef VMM_CHAR_CHAR_H
#define VMM_CHAR_CHAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct char_backend;
struct loop;

/* Events to the device, on the loop's thread, without any back end's lock held. Each may be NULL. */
struct char_events {
	void (*readable)(void *opaque); /* char__read() would give something */
	void (*writable)(void *opaque); /* after char__write() took less than it was given */
	void (*opened)(void *opaque);	/* a peer came (pty, unix) */
	void (*closed)(void *opaque);	/* the peer went, or input ended; output may still work */
	void (*quit)(void *opaque);	/* the user asked to leave (Ctrl-A x on stdio) */
	void *opaque;
};

/*
 * Opens the back end that `spec` names:
 *   stdio        this process's terminal or pipes; one per process
 *   pty          a new pseudo-terminal, its name is said on stderr
 *   file:PATH    output goes to the file, which is written anew; no input
 *   unix:PATH    a listening socket, one client at a time; output without a client is dropped
 *   none         nothing
 * 0, or -errno with a line in error[].
 */
int char__open(const char *spec, struct loop *loop, struct char_backend **backend, char *error,
	       size_t error_size);
/* Writes out what was accepted, restores the terminal, removes the socket. NULL is fine. */
void char__close(struct char_backend *backend);

/*
 * The machine is complete and will run: what open() only looked at is done, a file is emptied. A
 * back end that is closed before this leaves no file behind. Does nothing when called again.
 */
void char__start(struct char_backend *backend);

/* Where events go. Loop thread, or before the loop runs. */
void char__set_events(struct char_backend *backend, const struct char_events *events);

/* Whether somebody is at the other end; always so for back ends that know no peers. Any thread. */
bool char__is_open(struct char_backend *backend);

/* Any thread. Returns how many bytes were accepted: fewer than len means wait for writable(). */
size_t char__write(struct char_backend *backend, const void *buf, size_t len);
/* Any thread. Returns how many bytes of pending input were taken, 0 if there are none now. */
size_t char__read(struct char_backend *backend, void *buf, size_t len);

#endif
