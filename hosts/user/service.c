/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting the host's own threads, and small questions to the system. */
#define _GNU_SOURCE
#include "core/host.h"
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "engines/soft/vector.h"
#include "hosts/user/service.h"
#include "hosts/user/syscall.h"

#define STACK_SIZE (256 * 1024)
#define LOG_LINE 512
#define PRINT_MOST 1024

int service__start(const char *name, void *(*fn)(void *arg))
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	soft__park_vectors();
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* Inherited: the signals are the program's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, fn, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!rc)
		pthread_setname_np(thread, name);
	return -rc;
}

u32 host__nr_cpus(void)
{
	long n;

	soft__park_vectors();
	n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? n : 1;
}

void host__random(void *buf, size_t n)
{
	while (n) {
		long got = RAW_SYSCALL(SYS_getrandom, buf, n, 0);

		if (got <= 0)
			continue;
		buf = (u8 *)buf + got;
		n -= got;
	}
}

/* Tracing is on when the environment says so: TRIVET_TRACE=1. */
static bool tracing(void)
{
	static int on = -1;

	if (on < 0)
		on = getenv("TRIVET_TRACE") != NULL;
	return on;
}

u32 host__tunable(const char *name, u32 otherwise)
{
	const char *text;

	soft__park_vectors();
	text = getenv(name);
	return text ? strtoul(text, NULL, 0) : otherwise;
}

void host__log(const char *fmt, ...)
{
	char line[LOG_LINE];
	va_list args;
	int n;

	soft__park_vectors();
	if (!tracing())
		return;
	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	n = n < 0 ? 0 : MIN_OF(n, (int)sizeof(line) - 2);
	line[n] = '\n';
	RAW_SYSCALL(SYS_write, 2, line, n + 1);
}

void host__print(int file, const char *fmt, ...)
{
	char text[PRINT_MOST];
	va_list args;
	int n;

	soft__park_vectors();
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n > 0)
		RAW_SYSCALL(SYS_write, file, text, MIN_OF(n, (int)sizeof(text) - 1));
}
