/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program that others start with more rights than theirs does before anything else. A
 * set-user-ID program and one with file capabilities come to the same state.
 */
#define _GNU_SOURCE
#include "vmm/bridge/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A message must not end up in an interface that was opened as descriptor 2. */
static int open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

/* The library has no calls for these two. */
static int get_capabilities(struct __user_cap_header_struct *header,
			    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
	return syscall(SYS_capget, header, data) < 0 ? -errno : 0;
}

static int set_capabilities(struct __user_cap_header_struct *header,
			    const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
	return syscall(SYS_capset, header, data) < 0 ? -errno : 0;
}

static int become_user(void)
{
	uid_t user = getuid();
	gid_t group = getgid();

	/* Else the change of user would take all capabilities. */
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresgid(group, group, group) < 0 ||
	    setresuid(user, user, user) < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(bool *may)
{
	const uint32_t network = CAP_TO_MASK(CAP_NET_ADMIN);
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3] = {0};
	struct __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = {0};
	int err = get_capabilities(&header, now);

	if (err)
		return err;
	kept[CAP_TO_INDEX(CAP_NET_ADMIN)].permitted =
		now[CAP_TO_INDEX(CAP_NET_ADMIN)].permitted & network;
	kept[CAP_TO_INDEX(CAP_NET_ADMIN)].effective = kept[CAP_TO_INDEX(CAP_NET_ADMIN)].permitted;
	*may = kept[CAP_TO_INDEX(CAP_NET_ADMIN)].permitted;
	return set_capabilities(&header, kept);
}

int rights__keep_network_only(bool *may)
{
	int err = become_user();

	if (!err)
		err = drop_capabilities(may);
	if (!err && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0))
		err = -errno;
	if (!err && clearenv())
		err = -ENOMEM;
	return err ? err : open_standard();
}
