/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interface on a bridge for users who may not make one: a helper program that may does it, and
 * sends the descriptor through a socket. Its arguments are those of QEMU's helper.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/net/tap.h"

extern char **environ;

#define HELPER "trivet-bridge-helper"
#define HELPER_FD 3
#define PATH_MOST 4096

/* Beside this program, or where it is installed. */
static void find_helper(char path[PATH_MOST])
{
	char self[PATH_MOST - sizeof("/" HELPER)];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (size > 0) {
		self[size] = '\0';
		snprintf(path, PATH_MOST, "%s/" HELPER, dirname(self));
		if (!access(path, X_OK))
			return;
	}
	snprintf(path, PATH_MOST, "%s", TRIVET_LIBEXEC "/" HELPER);
}

static int start_helper(const char *path, const char *bridge, int socket, pid_t *pid)
{
	char bridge_arg[64], fd_arg[16];
	char *const args[] = {(char *)path, (char *)"--use-vnet", bridge_arg, fd_arg, NULL};
	posix_spawn_file_actions_t actions;
	int err;

	snprintf(bridge_arg, sizeof(bridge_arg), "--br=%s", bridge);
	snprintf(fd_arg, sizeof(fd_arg), "--fd=%d", HELPER_FD);
	err = -posix_spawn_file_actions_init(&actions);
	if (err)
		return err;
	/* To itself it would stay close-on-exec in older libraries: the caller's is never that
	 * number. */
	err = -posix_spawn_file_actions_adddup2(&actions, socket, HELPER_FD);
	if (!err)
		err = -posix_spawn(pid, path, &actions, NULL, args, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

/* One byte with one descriptor, or -errno; -EPIPE: the other end went without. */
static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	ssize_t got;
	int fd;

	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (!got || !header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPIPE;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* A pair of sockets above the number that the helper gets. */
static int make_sockets(int pair[2])
{
	int low[2], i, err = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, low) < 0)
		return -errno;
	for (i = 0; i < 2; i++) {
		pair[i] = fcntl(low[i], F_DUPFD_CLOEXEC, HELPER_FD + 1);
		if (pair[i] < 0)
			err = -errno;
		close(low[i]);
	}
	for (i = 0; i < 2 && err; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	return err;
}

int tap_bridge__join(const char *bridge, const char *helper, char *error, size_t error_size)
{
	char found[PATH_MOST];
	int pair[2], fd, err;
	pid_t pid;

	if (!helper) {
		find_helper(found);
		helper = found;
	}
	err = make_sockets(pair);
	if (err) {
		snprintf(error, error_size, "network tap: socket: %s", strerror(-err));
		return err;
	}
	err = start_helper(helper, bridge, pair[1], &pid);
	close(pair[1]);
	if (err) {
		snprintf(error, error_size, "network tap: helper %s: %s", helper, strerror(-err));
		fd = err;
		goto close_pair;
	}
	fd = receive_fd(pair[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (fd < 0)
		snprintf(error, error_size,
			 "network tap: helper %s made no interface on bridge %s; its own message "
			 "stands above",
			 helper, bridge);
close_pair:
	close(pair[0]);
	return fd;
}
