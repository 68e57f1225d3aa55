/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which bridges users may put their machines on. */
#ifndef VMM_BRIDGE_ACL_H
#define VMM_BRIDGE_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a file of lines "allow BRIDGE", "deny BRIDGE" and "include FILE", where BRIDGE may be
 * "all" and # begins a comment. Each file must be a regular one of root's or the owner's that
 * nobody else may write. *allowed: some line allows the bridge and none denies it. 0, or -errno
 * with a line in error[] (-EPERM: a file that others could have written): nothing is allowed then.
 */
int acl__check(const char *path, uid_t owner, const char *bridge, bool *allowed, char *error,
	       size_t error_size);

#endif
