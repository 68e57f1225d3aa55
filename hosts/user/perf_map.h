/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file in which perf looks for names of generated code. */
#ifndef HOSTS_USER_PERF_MAP_H
#define HOSTS_USER_PERF_MAP_H

/*
 * A descriptor of /tmp/perf-PID.map, emptied when this process asks for it first; it stays open. Lines
 * are "START SIZE NAME", numbers in hexadecimal (tools/perf/Documentation/jit-interface.txt of
 * Linux). Or -errno.
 */
int perf_map__file(void);

#endif
