/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's counters as text. */
#ifndef HOSTS_USER_COUNTERS_H
#define HOSTS_USER_COUNTERS_H

struct vm;

/* As trivet_kvm_counters() says. */
int counters__print(struct vm *vm, char *text, unsigned size);

#endif
