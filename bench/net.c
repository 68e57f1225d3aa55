/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to a server on the host (net_server.py): round trips of a byte, bytes in each
 * direction, connections that are opened and closed. Prints "net PATTERN RATE". Static: it runs in
 * the small guest.
 *
 * usage: net ADDRESS PORT MILLISECONDS
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE (256u << 10)

static struct sockaddr_in server = {.sin_family = AF_INET};
static double seconds;
static char piece[PIECE];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* A connection on which the server does what the letter says. */
static int dial(char what)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (write(fd, &what, 1) != 1)
		fail("write");
	return fd;
}

/* Echoes of a byte, a second. */
static double round_trips(void)
{
	double start = now(), end;
	uint64_t count = 0;
	int fd = dial('e');
	char byte = 0;

	do {
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			fail("echo");
		count++;
		end = now();
	} while (end - start < seconds);
	close(fd);
	return count / (end - start);
}

/* MiB a second to the server, which says at the end how many bytes it got. */
static double send_all(void)
{
	uint64_t sent = 0, got = 0;
	int fd = dial('s');
	double start = now();
	ssize_t n;

	do {
		n = write(fd, piece, sizeof(piece));
		if (n < 0)
			fail("send");
		sent += n;
	} while (now() - start < seconds);
	shutdown(fd, SHUT_WR);
	if (read(fd, &got, sizeof(got)) != sizeof(got) || got != sent) {
		fprintf(stderr, "send: %llu bytes went, %llu came\n", (unsigned long long)sent,
			(unsigned long long)got);
		exit(1);
	}
	close(fd);
	return sent / (now() - start) / (1 << 20);
}

/* MiB a second from the server, which sends for as long. */
static double receive_all(void)
{
	uint64_t got = 0;
	int fd = dial('r');
	uint32_t ms = (uint32_t)(seconds * 1e3);
	double start = now();
	ssize_t n;

	if (write(fd, &ms, sizeof(ms)) != sizeof(ms))
		fail("receive");
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		got += n;
	if (n < 0)
		fail("receive");
	close(fd);
	return got / (now() - start) / (1 << 20);
}

/* Connections a second, each with a byte and its echo. */
static double connections(void)
{
	double start = now(), end;
	uint64_t count = 0;
	char byte = 0;

	do {
		int fd = dial('e');

		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			fail("echo");
		close(fd);
		count++;
		end = now();
	} while (end - start < seconds);
	return count / (end - start);
}

int main(int argc, char **argv)
{
	if (argc != 4 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
		fprintf(stderr, "usage: net ADDRESS PORT MILLISECONDS\n");
		return 2;
	}
	server.sin_port = htons((uint16_t)atoi(argv[2]));
	seconds = atof(argv[3]) / 1e3;
	printf("net round-trips %.1f\n", round_trips());
	printf("net send-MiB %.1f\n", send_all());
	printf("net receive-MiB %.1f\n", receive_all());
	printf("net connections %.1f\n", connections());
	return 0;
}
