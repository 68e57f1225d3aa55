/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory of the machine: layout, bounded access, registration with the hypervisor. */
#ifndef VMM_MEMORY_GUEST_MEMORY_H
#define VMM_MEMORY_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_slots;

/*
 * Guest-physical layout of a PC: RAM below the hole, the hole for devices, the rest above 4 GiB.
 * PCI Express configuration space is where firmware for a Q35 puts it; above the PCI window are
 * the IOAPIC, HPET, TPM, local APICs and, at the end, flash.
 */
#define GUEST_EBDA 0x9fc00ULL /* reserved, up to the hole */
#define GUEST_LOW_RAM_HOLE 0xa0000ULL
#define GUEST_LOW_RAM_HOLE_END 0x100000ULL
#define GUEST_LOW_RAM_END 0x80000000ULL /* 2 GiB: RAM stops here at the latest */
#define GUEST_ECAM 0xb0000000ULL
#define GUEST_ECAM_BUSES 256u
#define GUEST_PCI_WINDOW 0xc0000000ULL
#define GUEST_PCI_WINDOW_END 0xfec00000ULL
#define GUEST_HIGH_RAM_START 0x100000000ULL

struct guest_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *host;
};

struct guest_memory {
	uint64_t size; /* total bytes of RAM */
	unsigned count;
	struct guest_region region[4];
	/* Who wants to know what the machine writes, or NULL. Changes while vCPUs and I/O threads stand still. */
	void (*written)(void *opaque, uint64_t gpa, uint64_t size);
	void *opaque;
};

/*
 * Reserves `size` bytes of RAM (a multiple of 4 KiB), split around the hole below 4 GiB. Nothing is
 * touched. 0 or -errno.
 */
int guest_memory__create(struct guest_memory *mem, uint64_t size);
void guest_memory__destroy(struct guest_memory *mem);

/* The address behind the last byte of RAM. */
uint64_t guest_memory__end(const struct guest_memory *mem);

/*
 * Makes memory slots of it. With firmware not of A0000H to FFFFFH: display memory, which is not
 * there, and what the host bridge shows as ROM or RAM. 0 or -errno.
 */
int guest_memory__register(const struct guest_memory *mem, struct memory_slots *slots,
			   bool has_firmware);

/*
 * Host pointer to [gpa, gpa + size), or NULL unless all of it is RAM of one region. Never wraps.
 */
void *guest_memory__pointer(const struct guest_memory *mem, uint64_t gpa, uint64_t size);

/*
 * The machine has written to `size` bytes at `host`, a pointer that guest_memory__pointer() gave, or behind it. To be called before the guest can know of it. guest_memory__write() does it itself.
 */
void guest_memory__written(const struct guest_memory *mem, const void *host, uint64_t size);

/*
 * Gives the whole pages in `size` bytes at `host`, pointer and range as above, back to the host; they read as
 * zeros then. Tells of that itself. 0 or -errno, where they may be as they were.
 */
int guest_memory__discard(const struct guest_memory *mem, void *host, uint64_t size);

/* Bounded copies; may span regions that adjoin. 0 or -EFAULT with nothing copied. */
int guest_memory__read(const struct guest_memory *mem, uint64_t gpa, void *buf, size_t size);
int guest_memory__write(const struct guest_memory *mem, uint64_t gpa, const void *buf, size_t size);

#endif
