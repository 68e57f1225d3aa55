/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network interfaces of the host: what the files of the tap back end share. */
#ifndef VMM_NET_TAP_H
#define VMM_NET_TAP_H

#include <stddef.h>

#define TAP_HEADER_BYTES 12

/*
 * Has a program with the rights to do so make an interface that is on the bridge. The interface's
 * descriptor, or -errno with a line in error[]. `helper` may be NULL.
 */
int tap_bridge__join(const char *bridge, const char *helper, char *error, size_t error_size);

#endif
