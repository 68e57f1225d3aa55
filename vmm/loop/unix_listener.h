/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNIX stream sockets that listen at a path. */
#ifndef VMM_LOOP_UNIX_LISTENER_H
#define VMM_LOOP_UNIX_LISTENER_H

/*
 * Listens at `path`, with room for `backlog` clients that wait; nonblocking. A socket file that
 * nobody listens on is left from a process that died, and is replaced. The descriptor or -errno:
 * -EADDRINUSE if the path exists, -ENAMETOOLONG.
 */
int unix_listener__open(const char *path, int backlog);
/* Removes the file, too. */
void unix_listener__close(int fd, const char *path);

#endif
