/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User-mode network: what its files share. */
#ifndef VMM_NET_USER_H
#define VMM_NET_USER_H

#include <slirp/libslirp.h>
#include <stdatomic.h>

#include "vmm/net/backend.h"

struct loop_timer;
struct loop_watch;
struct user;

/* ---- user_poll.c: the library's sockets, in an epoll instance that the loop watches ---- */

struct user_poll_entry {
	int wanted;	/* SLIRP_POLL_*, in the round `round` */
	int registered; /* at the epoll instance; 0: not */
	int happened;
	unsigned round;
};

struct user_poll {
	int epoll;
	unsigned round;
	struct user_poll_entry *entry; /* by descriptor */
	unsigned entries;
	/* Those of this round and of the one before. */
	int *fds, *before;
	unsigned count, before_count, room, before_room;
};

int user_poll__init(struct user_poll *poll);
void user_poll__destroy(struct user_poll *poll);
/* Asks what is to be waited for. The library's timeout in ms, UINT32_MAX: none. */
uint32_t user_poll__refresh(struct user_poll *poll, Slirp *slirp);
/* Has the library work off what has happened. */
void user_poll__run(struct user_poll *poll, Slirp *slirp);
/* The library opened, or will close, a descriptor. */
void user_poll__forget(struct user_poll *poll, int fd);

/* ---- user_options.c ---- */

struct user_config {
	SlirpConfig slirp;
	const char *search[2];
};

/* The strings stay those of `options`. 0 or -EINVAL with a line in error[]. */
int user_config__fill(struct user_config *config, const struct net_options *options, char *error,
		      size_t error_size);

/* ---- forward.c ---- */

/* Lines of "tcp|udp:[ADDRESS]:PORT-[GUEST-ADDRESS]:PORT". 0, or -errno with a line in error[]. */
int user_forward__add(Slirp *slirp, const char *lines, char *error, size_t error_size);

#endif
