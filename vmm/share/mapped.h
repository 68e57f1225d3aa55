/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owners, modes and kinds of files in extended attributes: user.virtfs.uid, .gid, .mode (each 4 bytes,
 * little endian) and .rdev (8), as QEMU's security model "mapped-xattr" has them. On the host such a
 * file is a regular file or a folder that its owner may read and write; what the guest takes for a
 * device, a FIFO, a socket or a symbolic link is a regular file, too.
 */
#ifndef VMM_SHARE_MAPPED_H
#define VMM_SHARE_MAPPED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct share_change;
struct share_file;
struct share_owner;

/* The host's file as the guest is to see it; what has no attributes stays as it is. */
void share_mapped__stat(int fd, struct stat *stat);
/* 0 or -errno. */
int share_mapped__set(int fd, const struct share_owner *owner);
int share_mapped__change(const struct share_file *file, const struct share_change *change);
int share_mapped__make_link(int folder, const char *name, const char *target);
/* Length of a link's target, or -errno. */
ssize_t share_mapped__read_link(const struct share_file *file, char *target, size_t size);
/* Whether an attribute is one of these. */
bool share_mapped__owns(const char *name);

#endif
