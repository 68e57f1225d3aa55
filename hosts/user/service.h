/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's own threads: they live until the process ends and take no signals. */
#ifndef HOSTS_USER_SERVICE_H
#define HOSTS_USER_SERVICE_H

/* Starts a detached thread, name as in ps -L. 0 or -errno. */
int service__start(const char *name, void *(*fn)(void *arg));

#endif
