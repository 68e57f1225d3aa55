/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What busybox cannot ask of a shared folder: attributes, locks, shared mappings. Static, so that it runs
 * in the small guest, from the folder itself.
 *
 *	share-guest xattr|lock|map FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("line %d: not so: %s: %s\n", __LINE__, #condition, strerror(errno)); \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static int xattr(const char *path)
{
	char value[100];

	MUST(!setxattr(path, "user.from-guest", "yes", 3, 0));
	MUST(getxattr(path, "user.from-host", value, sizeof(value)) == 5 && !memcmp(value, "hello", 5));
	MUST(!setxattr(path, "user.gone", "x", 1, 0) && !removexattr(path, "user.gone"));
	MUST(getxattr(path, "user.gone", value, sizeof(value)) == -1 && errno == ENODATA);
	MUST(listxattr(path, value, sizeof(value)) == 15 + 16);
	MUST(setxattr(path, "trusted.x", "x", 1, 0) == -1 && errno == EOPNOTSUPP);
	return 0;
}

/* The host has bytes 0 to 9 locked. */
static int lock(const char *path)
{
	struct flock range = { .l_type = F_WRLCK, .l_start = 5, .l_len = 10 };
	int fd = open(path, O_RDWR), other = open(path, O_RDONLY);

	MUST(fd >= 0 && other >= 0);
	MUST(fcntl(fd, F_SETLK, &range) == -1 && errno == EAGAIN);
	range.l_type = F_WRLCK;
	MUST(!fcntl(fd, F_GETLK, &range) && range.l_type == F_WRLCK && range.l_start == 0);
	range = (struct flock){ .l_type = F_WRLCK, .l_start = 10, .l_len = 10 };
	MUST(!fcntl(fd, F_SETLK, &range));
	range.l_type = F_UNLCK;
	MUST(!fcntl(fd, F_SETLK, &range));
	MUST(!flock(other, LOCK_EX) && !flock(other, LOCK_UN));
	return 0;
}

static int map(const char *path)
{
	int fd = open(path, O_RDWR);
	char *memory;

	MUST(fd >= 0);
	memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(memory != MAP_FAILED);
	MUST(!memcmp(memory + 4096, "second page", 11));
	memcpy(memory + 4096, "mapped page", 11);
	MUST(!msync(memory, 8192, MS_SYNC) && !munmap(memory, 8192) && !close(fd));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "xattr"))
		return xattr(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "lock"))
		return lock(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "map"))
		return map(argv[2]);
	printf("usage: share-guest xattr|lock|map FILE\n");
	return 2;
}
