/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets ordinary programs on /dev/kvm run on the user-space hypervisor, unchanged:
 * LD_PRELOAD this, and open, ioctl and close of /dev/kvm and what comes from it go to the library.
 * mmap needs nothing: the library's descriptors can be mapped as they are.
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS /* would make open() another name of open64() */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hosts/user/trivet_kvm.h"

#define KVM_PATH "/dev/kvm"
#define NO_REQUEST 0ul

/* As <sys/ioctl.h> has it, whose attributes differ between versions of the C library. */
int ioctl(int fd, unsigned long request, ...);

/* While the library works, its own system calls go to the kernel. */
static __thread unsigned inside;

static int library_ioctl(int fd, unsigned long request, unsigned long arg)
{
	int rc;

	inside++;
	rc = trivet_kvm_ioctl(fd, request, arg);
	inside--;
	return rc;
}

/* EBADF may also be the library's word on a descriptor that a request names. */
static bool is_ours(int fd)
{
	int error = errno;
	bool ours = library_ioctl(fd, NO_REQUEST, 0) >= 0 || errno != EBADF;

	errno = error;
	return ours;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
	int fd;

	if (inside || strcmp(path, KVM_PATH))
		return (int)syscall(SYS_openat, directory, path, flags, mode);
	inside++;
	fd = trivet_kvm_open();
	inside--;
	return fd;
}

#define DEFINE_OPEN(name)                                                                          \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return open_at(AT_FDCWD, path, flags, mode);                                       \
	}

#define DEFINE_OPENAT(name)                                                                        \
	int name(int directory, const char *path, int flags, ...)                                  \
	{                                                                                          \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return open_at(directory, path, flags, mode);                                      \
	}

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

int access(const char *path, int mode)
{
	if (!inside && !strcmp(path, KVM_PATH))
		return 0;
	return (int)syscall(SYS_access, path, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg;
	va_list args;
	int rc;

	va_start(args, request);
	arg = va_arg(args, unsigned long);
	va_end(args);
	if (!inside) {
		rc = library_ioctl(fd, request, arg);
		if (rc != -1 || errno != EBADF || is_ours(fd))
			return rc;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

int close(int fd)
{
	int error = errno;
	int rc;

	if (!inside && is_ours(fd)) {
		inside++;
		rc = trivet_kvm_close(fd);
		inside--;
		if (!rc)
			return 0;
		errno = error;
	}
	return (int)syscall(SYS_close, fd);
}
