/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MultiProcessor configuration table, for guests without ACPI (MultiProcessor Specification 1.4, chapter 4). */
#ifndef VMM_MACHINE_MP_TABLE_H
#define VMM_MACHINE_MP_TABLE_H

#include <stdbool.h>

struct guest_memory;

/* Where it is. The pointer to it stands at GUEST_EBDA, where operating systems look first. */
#define MP_TABLE_GPA 0xf6000u
#define MP_TABLE_MOST 0x2000u

/*
 * Writes both. APIC identifiers are 0 to `cpus` - 1 (1 and more); those over 254, which the table has no room for,
 * are left out. With `has_pci` the interrupts of root bus slots are in it. 0 or -errno of guest_memory__write().
 */
int mp_table__place(const struct guest_memory *memory, unsigned cpus, bool has_pci);

#endif
