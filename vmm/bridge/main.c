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
#include <limits.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/bridge/acl.h"
#include "vmm/bridge/rights.h"

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
	if (acl__check(TRIVET_BRIDGE_ACL, 0, job->bridge, &allowed, error, sizeof(error))) {
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

/* As the kernel's rule for names, and without bytes that would disturb a terminal. */
static bool is_interface_name(const char *name)
{
	size_t size = strlen(name), i;

	for (i = 0; i < size; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("/:%", name[i]))
			return false;
	return size && size < IFNAMSIZ && strcmp(name, ".") && strcmp(name, "..");
}

/*
 * Asked by netlink: requests that name an interface which is not there make the kernel look for a
 * module of that name when somebody with CAP_NET_ADMIN asks.
 */
static int check_bridge(const struct job *job)
{
	struct if_nameindex *all = if_nameindex(), *one;
	bool found = false;

	if (!all)
		return fail("cannot list the interfaces");
	for (one = all; one->if_index; one++)
		found |= !strcmp(one->if_name, job->bridge);
	if_freenameindex(all);
	errno = ENODEV;
	return found ? 0 : fail(job->bridge);
}

/* Before anything is made: it is for the other end of this socket or for nobody. */
static int check_socket(const struct job *job)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	if (!getsockopt(job->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX)
		return 0;
	fprintf(stderr, NAME ": --fd=%d: must be a UNIX socket\n", job->fd);
	return -ENOTSOCK;
}

static int parse(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {{"use-vnet", no_argument, NULL, 'v'},
						{"br", required_argument, NULL, 'b'},
						{"fd", required_argument, NULL, 'f'},
						{NULL, 0, NULL, 0}};
	char *end = NULL;
	long fd = -1;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'v')
			job->header = true;
		else if (c == 'b')
			job->bridge = optarg;
		else if (c == 'f' && *optarg >= '0' && *optarg <= '9')
			fd = strtol(optarg, &end, 10);
		else
			return -EINVAL;
	}
	if (optind != argc || !job->bridge || !is_interface_name(job->bridge) || fd < 0 ||
	    fd > INT_MAX || *end)
		return -EINVAL;
	job->fd = (int)fd;
	return 0;
}

static int do_job(struct job *job)
{
	int err = check_leave(job);

	if (!err)
		err = check_socket(job);
	if (!err)
		err = check_bridge(job);
	if (err)
		return err;
	job->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (job->control < 0)
		return fail("socket");
	err = make_tap(job);
	if (!err)
		err = set_address(job);
	if (!err)
		err = set_mtu(job);
	if (!err)
		err = join(job);
	return err ? err : send_tap(job);
}

int main(int argc, char **argv)
{
	struct job job = {0};
	bool may = false;
	int err = rights__keep_network_only(&may);

	if (err)
		return 1;
	if (parse(&job, argc, argv)) {
		fprintf(stderr,
			"usage: " NAME " [--use-vnet] --br=BRIDGE --fd=SOCKET\n"
			"Makes a tap interface on the bridge and sends it through the socket.\n");
		return 2;
	}
	if (!may) {
		fprintf(stderr, NAME ": needs CAP_NET_ADMIN: an administrator gives it by 'setcap "
				     "cap_net_admin+ep' or set-user-ID root\n");
		return 1;
	}
	return do_job(&job) ? 1 : 0;
}
