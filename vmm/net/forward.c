/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports of the host that lead to ports of a guest with a user-mode network. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/net/user.h"

#define TEXT_MOST 160

struct forward {
	bool udp;
	struct sockaddr_storage host, guest;
	socklen_t host_size, guest_size;
};

/* Cuts "[ADDRESS]:PORT" off *text, to the byte `end`; an address with colons stands in brackets. */
static bool cut_address(char **text, char end, const char *preset, struct sockaddr_storage *address,
			socklen_t *size)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	char *at = *text, *host = at, *port, *behind;
	struct addrinfo *found;

	if (*at == '[') {
		host = ++at;
		at = strchr(at, ']');
		if (!at)
			return false;
		*at++ = '\0';
		if (*at != ':')
			return false;
	} else {
		at = strchr(at, ':');
		if (!at)
			return false;
	}
	*at++ = '\0';
	port = at;
	behind = port + strcspn(port, "-");
	if (*behind != end || behind == port ||
	    strspn(port, "0123456789") != (size_t)(behind - port) || atol(port) < 1 ||
	    atol(port) > 65535)
		return false;
	*text = *behind ? behind + 1 : behind;
	*behind = '\0';
	if (getaddrinfo(*host ? host : preset, port, &hints, &found))
		return false;
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*size = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static bool parse(const char *line, size_t length, struct forward *forward)
{
	char text[TEXT_MOST], *at = text;

	if (length >= sizeof(text))
		return false;
	memcpy(text, line, length);
	text[length] = '\0';
	forward->udp = !strncmp(at, "udp:", 4);
	if (!forward->udp && strncmp(at, "tcp:", 4))
		return false;
	at += 4;
	/* 0.0.0.0 of the guest: the first address that DHCP gives. */
	return cut_address(&at, '-', "0.0.0.0", &forward->host, &forward->host_size) &&
	       cut_address(&at, '\0', "0.0.0.0", &forward->guest, &forward->guest_size) &&
	       forward->host.ss_family == forward->guest.ss_family;
}

static int add_one(Slirp *slirp, const char *line, size_t length, char *error, size_t error_size)
{
	struct forward forward;
	int flags;

	if (!parse(line, length, &forward)) {
		snprintf(error, error_size,
			 "network option forward=%.*s: must be "
			 "tcp|udp:[ADDRESS]:PORT-[GUEST-ADDRESS]:PORT, for "
			 "example tcp:127.0.0.1:2222-:22",
			 (int)length, line);
		return -EINVAL;
	}
	flags = (forward.udp ? SLIRP_HOSTFWD_UDP : 0) |
		(forward.host.ss_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0);
	errno = EINVAL;
	if (slirp_add_hostxfwd(slirp, (struct sockaddr *)&forward.host, forward.host_size,
			       (struct sockaddr *)&forward.guest, forward.guest_size, flags) < 0) {
		int err = -errno;

		snprintf(error, error_size, "network option forward=%.*s: cannot listen: %s",
			 (int)length, line, strerror(-err));
		return err ? err : -EINVAL;
	}
	return 0;
}

int user_forward__add(Slirp *slirp, const char *lines, char *error, size_t error_size)
{
	int err = 0;

	while (!err && *lines) {
		size_t length = strcspn(lines, "\n");

		err = add_one(slirp, lines, length, error, error_size);
		lines += length + (lines[length] == '\n');
	}
	return err;
}
