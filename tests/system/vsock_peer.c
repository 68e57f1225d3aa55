/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's end of vsock_test.py.
 *
 * vsock_peer call PORT         to the host: sends standard input, then its end, prints what comes back
 * vsock_peer answer PORT       the same with the first one that comes to the port
 * vsock_peer echo PORT         for ever: gives everyone back what they send
 * vsock_peer many PORT COUNT   so many calls at a time, each of which must get its own line back
 * vsock_peer again PORT COUNT  one after the other
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#define HOST 2

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_vm address_of(unsigned cid, unsigned port)
{
	return (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
}

static int call(unsigned port)
{
	const struct sockaddr_vm address = address_of(HOST, port);
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		fail("connect");
	return fd;
}

static int listen_at(unsigned port)
{
	const struct sockaddr_vm address = address_of(VMADDR_CID_ANY, port);
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		fail("bind");
	if (listen(fd, 256))
		fail("listen");
	return fd;
}

static void write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0)
			fail("write");
		bytes += n;
		size -= (size_t)n;
	}
}

/* What one end has goes to the other. False at its end. */
static int pass(int from, int to)
{
	static char bytes[65536];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n < 0)
		fail("read");
	write_all(to, bytes, (size_t)n);
	return n > 0;
}

/* Both ways, until both have ended. */
static int talk(int fd)
{
	struct pollfd ends[] = { { .fd = 0, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

	while (ends[0].fd >= 0 || ends[1].fd >= 0) {
		if (poll(ends, 2, -1) < 0)
			fail("poll");
		if (ends[0].revents && !pass(0, fd)) {
			ends[0].fd = -1;
			if (shutdown(fd, SHUT_WR))
				fail("shutdown");
		}
		if (ends[1].revents && !pass(fd, 1))
			ends[1].fd = -1;
	}
	return 0;
}

static int echo(int listener)
{
	signal(SIGCHLD, SIG_IGN);
	while (1) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("accept");
		if (!fork()) {
			while (pass(fd, fd))
				;
			return 0;
		}
		close(fd);
	}
}

static void say_line(int fd, unsigned number)
{
	char line[32];

	write_all(fd, line, (size_t)snprintf(line, sizeof(line), "line %u\n", number));
}

static void check_line(int fd, unsigned number)
{
	char expected[32], line[32];
	size_t size = (size_t)snprintf(expected, sizeof(expected), "line %u\n", number), at = 0;

	while (at < size) {
		ssize_t n = read(fd, line + at, size - at);

		if (n <= 0)
			fail("read");
		at += (size_t)n;
	}
	if (memcmp(line, expected, size)) {
		fprintf(stderr, "call %u got another's line\n", number);
		exit(1);
	}
}

static int call_many(unsigned port, unsigned count)
{
	int *fds = calloc(count, sizeof(*fds));
	unsigned i;

	if (!fds)
		fail("calloc");
	for (i = 0; i < count; i++)
		fds[i] = call(port);
	for (i = 0; i < count; i++)
		say_line(fds[i], i);
	for (i = count; i--;)
		check_line(fds[i], i);
	return 0;
}

static int call_again(unsigned port, unsigned count)
{
	while (count--) {
		int fd = call(port);

		say_line(fd, count);
		check_line(fd, count);
		close(fd);
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned port = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 0;
	unsigned count = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 0;
	const char *what = argc > 2 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "call"))
		return talk(call(port));
	if (!strcmp(what, "answer"))
		return talk(accept(listen_at(port), NULL, NULL));
	if (!strcmp(what, "echo"))
		return echo(listen_at(port));
	if (!strcmp(what, "many"))
		return call_many(port, count);
	if (!strcmp(what, "again"))
		return call_again(port, count);
	fprintf(stderr, "usage: vsock_peer call|answer|echo|many|again PORT [COUNT]\n");
	return 2;
}
