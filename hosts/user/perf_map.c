/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /tmp/perf-PID.map, one per process. */
#include "hosts/user/perf_map.h"
#include "core/host.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct host_mutex lock;
static int file;
static pid_t owner; /* a child that forks off has a map of its own */

/*
 * The name is known to everybody who may write to /tmp. So what stands there is taken away, not opened;
 * and what somebody puts there meanwhile is an error.
 */
static int create_file(void)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	if (unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

int perf_map__file(void)
{
	int fd;

	host__mutex_lock(&lock);
	if (!file || owner != getpid()) {
		fd = create_file();
		if (fd >= 0) {
			file = fd;
			owner = getpid();
		}
	} else {
		fd = file;
	}
	host__mutex_unlock(&lock);
	return fd;
}
