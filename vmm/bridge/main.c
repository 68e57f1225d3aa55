/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trivet-bridge-helper: makes a tap interface on a bridge and sends its descriptor to whoever
 * started it. It is meant to run with the rights to do so (set-user-ID root, or the capability
 * CAP_NET_ADMIN) on behalf of users who have none, for bridges that the administrator allows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/bridge/acl.h"

#define NAME "trivet-bridge-helper"

struct job {
	const char *bridge;
	int fd; /* the socket to the caller */
	bool header;
	int control; /* a socket to ask the kernel through */
	int tap;
	char tap_name[IFNAMSIZ];
};

static int fail(const char *what)
{
	int err = -errno;

	fprintf(stderr, NAME ": %s: %s\n", what, strerror(-err));
	return err;
}

static int ask(struct job *job, const char *name, unsigned long request, struct ifreq *ifr,
	       const char *what)
{
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	return ioctl(job->control, request, ifr) < 0 ? fail(what) : 0;
}

static int make_tap(struct job *job)
{
	struct ifreq ifr = {
		.ifr_name = "tap%d",
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (job->header ? IFF_VNET_HDR : 0))};

	job->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (job->tap < 0)
		return fail("/dev/net/tun");
	if (ioctl(job->tap, TUNSETIFF, &ifr) < 0)
		return fail("cannot make a tap interface");
	memcpy(job->tap_name, ifr.ifr_name, sizeof(job->tap_name) - 1);
	return 0;
}

/* A bridge takes the smallest address of its members for its own, unless it has been given one. */
static int set_address(struct job *job)
{
	struct ifreq ifr = {0};
	int err =
		ask(job, job->tap_name, SIOCGIFHWADDR, &ifr, "cannot read the interface's address");

	if (err)
		return err;
	ifr.ifr_hwaddr.sa_data[0] = (char)0xfe;
	return ask(job, job->tap_name, SIOCSIFHWADDR, &ifr, "cannot set the interface's address");
}

static int set_mtu(struct job *job)
{
	struct ifreq ifr = {0};
	int err = ask(job, job->bridge, SIOCGIFMTU, &ifr, job->bridge);

	return err ? err
		   : ask(job, job->tap_name, SIOCSIFMTU, &ifr, "cannot set the interface's MTU");
}

static int join(struct job *job)
{
	struct ifreq ifr = {.ifr_ifindex = (int)if_nametoindex(job->tap_name)};
	int err =
		ask(job, job->bridge, SIOCBRADDIF, &ifr, "cannot put the interface on the bridge");

	memset(&ifr, 0, sizeof(ifr));
	if (!err)
		err = ask(job, job->tap_name, SIOCGIFFLAGS, &ifr,
			  "cannot read the interface's flags");
	ifr.ifr_flags |= IFF_UP;
	return err ? err
		   : ask(job, job->tap_name, SIOCSIFFLAGS, &ifr, "cannot start the interface");
}

static int send_tap(struct job *job)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &job->tap, sizeof(job->tap));
	return sendmsg(job->fd, &message, MSG_NOSIGNAL) < 0 ? fail("cannot send the descriptor")
							    : 0;
}

/* Who is root already needs nobody's leave. */
static int check_leave(const struct job *job)
{
	char error[512];
	bool allowed;

	if (!getuid())
		return 0;
	if (acl__check(TRIVET_BRIDGE_ACL, job->bridge, &allowed, error, sizeof(error))) {
		fprintf(stderr, NAME ": %s\n", error);
		return -EACCES;
	}
	if (!allowed) {
		fprintf(stderr,
			NAME ": bridge %s: not for users; \"allow %s\" in %s would let them\n",
			job->bridge, job->bridge, TRIVET_BRIDGE_ACL);
		return -EACCES;
	}
	return 0;
}

static int parse(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {{"use-vnet", no_argument, NULL, 'v'},
						{"br", required_argument, NULL, 'b'},
						{"fd", required_argument, NULL, 'f'},
						{NULL, 0, NULL, 0}};
	char *end = NULL;
	int c;

	job->fd = -1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'v')
			job->header = true;
		else if (c == 'b')
			job->bridge = optarg;
		else if (c == 'f' && *optarg >= '0' && *optarg <= '9')
			job->fd = (int)strtol(optarg, &end, 10);
		else
			return -EINVAL;
	}
	if (optind != argc || !job->bridge || !*job->bridge || strlen(job->bridge) >= IFNAMSIZ ||
	    job->fd < 0 || *end)
		return -EINVAL;
	return 0;
}

int main(int argc, char **argv)
{
	struct job job = {0};
	int err = parse(&job, argc, argv);

	if (err) {
		fprintf(stderr,
			"usage: " NAME " [--use-vnet] --br=BRIDGE --fd=SOCKET\n"
			"Makes a tap interface on the bridge and sends it through the socket.\n");
		return 2;
	}
	err = check_leave(&job);
	if (err)
		return 1;
	job.control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (job.control < 0) {
		fail("socket");
		return 1;
	}
	err = make_tap(&job);
	if (!err)
		err = set_address(&job);
	if (!err)
		err = set_mtu(&job);
	if (!err)
		err = join(&job);
	if (!err)
		err = send_tap(&job);
	return err ? 1 : 0;
}
