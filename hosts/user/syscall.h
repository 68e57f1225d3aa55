/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls without libc. The kernel keeps vector registers, so what is called often, or on
 * the way in and out of guest code, need not park the guest's vectors as calls of libc must.
 */
#ifndef HOSTS_USER_SYSCALL_H
#define HOSTS_USER_SYSCALL_H

#include <sys/syscall.h>
#include "core/host.h"

/* Six arguments; -errno on failure. */
static inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define RAW_SYSCALL_ARGS(number, a, b, c, d, e, f, ...)                                            \
	raw_syscall(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RAW_SYSCALL(...) RAW_SYSCALL_ARGS(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* Reads a small file, such as those of /proc, as a string. Its length or -errno. */
static inline long raw_read_file(const char *path, char *buf, size_t size)
{
	long fd = RAW_SYSCALL(SYS_openat, -100 /* AT_FDCWD */, path, 02000000 /* O_CLOEXEC */);
	long n;

	if (fd < 0)
		return fd;
	n = RAW_SYSCALL(SYS_read, fd, buf, size - 1);
	RAW_SYSCALL(SYS_close, fd);
	buf[n > 0 ? n : 0] = 0;
	return n;
}

#endif
