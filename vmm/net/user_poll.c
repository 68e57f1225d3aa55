/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of libslirp. Each round it says which it wants to hear of; those are in an epoll
 * instance of its own, changed only where the wish has changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/net/user.h"

#define EVENTS_PER_WAIT 64

int user_poll__init(struct user_poll *poll)
{
	poll->epoll = epoll_create1(EPOLL_CLOEXEC);
	return poll->epoll < 0 ? -errno : 0;
}

void user_poll__destroy(struct user_poll *poll)
{
	if (poll->epoll >= 0)
		close(poll->epoll);
	free(poll->entry);
	free(poll->fds);
	free(poll->before);
}

/* Makes room for `count` elements of `size` bytes; new ones are zeros. */
static int grow(void *array, unsigned *room, unsigned count, size_t size)
{
	unsigned more = *room ? *room : 64;
	void **old = array, *bigger;

	if (count <= *room)
		return 0;
	while (more < count)
		more *= 2;
	bigger = realloc(*old, more * size);
	if (!bigger)
		return -ENOMEM;
	memset((char *)bigger + *room * size, 0, (more - *room) * size);
	*old = bigger;
	*room = more;
	return 0;
}

static uint32_t to_epoll(int events)
{
	return (events & SLIRP_POLL_IN ? EPOLLIN : 0) | (events & SLIRP_POLL_OUT ? EPOLLOUT : 0) |
	       (events & SLIRP_POLL_PRI ? EPOLLPRI : 0);
}

static int from_epoll(uint32_t events)
{
	return (events & EPOLLIN ? SLIRP_POLL_IN : 0) | (events & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
	       (events & EPOLLPRI ? SLIRP_POLL_PRI : 0) | (events & EPOLLERR ? SLIRP_POLL_ERR : 0) |
	       (events & EPOLLHUP ? SLIRP_POLL_HUP : 0);
}

static void leave(struct user_poll *poll, int fd)
{
	if (poll->entry[fd].registered)
		epoll_ctl(poll->epoll, EPOLL_CTL_DEL, fd, NULL);
	poll->entry[fd].registered = 0;
	poll->entry[fd].happened = 0;
}

static void enter(struct user_poll *poll, int fd)
{
	struct user_poll_entry *entry = &poll->entry[fd];
	struct epoll_event event = {.events = to_epoll(entry->wanted), .data.fd = fd};
	int op = entry->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (entry->registered == entry->wanted)
		return;
	/* A number that was used again is not what it was. */
	if (epoll_ctl(poll->epoll, op, fd, &event) < 0 &&
	    epoll_ctl(poll->epoll, op == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
		      &event) < 0)
		return;
	entry->registered = entry->wanted;
}

static int add_poll(int fd, int events, void *opaque)
{
	struct user_poll *poll = opaque;
	struct user_poll_entry *entry;

	if (fd < 0 || grow(&poll->entry, &poll->entries, (unsigned)fd + 1, sizeof(*poll->entry)) ||
	    grow(&poll->fds, &poll->room, poll->count + 1, sizeof(*poll->fds)))
		return -1;
	entry = &poll->entry[fd];
	if (entry->round != poll->round) {
		entry->round = poll->round;
		entry->wanted = 0;
		poll->fds[poll->count++] = fd;
	}
	entry->wanted |= events;
	return fd;
}

static void swap_rounds(struct user_poll *poll)
{
	int *fds = poll->fds;
	unsigned room = poll->room;

	poll->fds = poll->before;
	poll->room = poll->before_room;
	poll->before = fds;
	poll->before_room = room;
	poll->before_count = poll->count;
	poll->count = 0;
}

uint32_t user_poll__refresh(struct user_poll *poll, Slirp *slirp)
{
	uint32_t timeout = UINT32_MAX;
	unsigned i;

	poll->round++;
	slirp_pollfds_fill(slirp, &timeout, add_poll, poll);
	for (i = 0; i < poll->before_count; i++)
		if (poll->entry[poll->before[i]].round != poll->round)
			leave(poll, poll->before[i]);
	for (i = 0; i < poll->count; i++)
		enter(poll, poll->fds[i]);
	swap_rounds(poll);
	return timeout;
}

static int get_events(int index, void *opaque)
{
	struct user_poll *poll = opaque;

	return index >= 0 && (unsigned)index < poll->entries ? poll->entry[index].happened : 0;
}

void user_poll__run(struct user_poll *poll, Slirp *slirp)
{
	struct epoll_event event[EVENTS_PER_WAIT];
	int i, n = epoll_wait(poll->epoll, event, EVENTS_PER_WAIT, 0);

	for (i = 0; i < n; i++)
		poll->entry[event[i].data.fd].happened = from_epoll(event[i].events);
	slirp_pollfds_poll(slirp, n < 0, get_events, poll);
	for (i = 0; i < n; i++)
		poll->entry[event[i].data.fd].happened = 0;
}

void user_poll__forget(struct user_poll *poll, int fd)
{
	if (fd >= 0 && (unsigned)fd < poll->entries)
		leave(poll, fd);
}
