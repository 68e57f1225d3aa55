/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program that others start with more rights than theirs does before anything else. */
#ifndef VMM_BRIDGE_RIGHTS_H
#define VMM_BRIDGE_RIGHTS_H

#include <stdbool.h>

/*
 * Leaves the process the user who started it and, of all capabilities, CAP_NET_ADMIN if it has that
 * (capabilities(7)); nothing gives it more again. The environment is empty afterwards, descriptors
 * 0 to 2 are open, and the user can't look into the process. *may: CAP_NET_ADMIN is there. 0, or
 * -errno: the process must end at once. Called first in main(), while there is one thread.
 */
int rights__keep_network_only(bool *may);

#endif
