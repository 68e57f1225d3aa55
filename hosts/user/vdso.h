/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions of the kernel's vDSO, which use general registers only. */
#ifndef HOSTS_USER_VDSO_H
#define HOSTS_USER_VDSO_H

/* Address of the vDSO's function `name`, or NULL. */
void *vdso__function(const char *name);

#endif
