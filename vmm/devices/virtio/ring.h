/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtqueues as they lie in guest memory (virtio 1.2, 2.7 and 2.8); all fields little endian. */
#ifndef VMM_DEVICES_VIRTIO_RING_H
#define VMM_DEVICES_VIRTIO_RING_H

#include <stdint.h>

/* Descriptor flags, in both layouts (2.7.5, 2.8.7) */
#define RING_NEXT 0x0001u
#define RING_WRITE 0x0002u
#define RING_INDIRECT 0x0004u
/* In the packed layout */
#define RING_AVAIL 0x0080u
#define RING_USED 0x8000u

struct split_descriptor { /* 2.7.5 */
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct split_avail { /* 2.7.6; used_event behind ring[] */
	uint16_t flags;
	uint16_t index;
	uint16_t ring[];
};

struct split_used_element {
	uint32_t id;
	uint32_t length;
};

struct split_used { /* 2.7.8; avail_event behind ring[] */
	uint16_t flags;
	uint16_t index;
	struct split_used_element ring[];
};

#define SPLIT_NO_INTERRUPT 0x0001u /* avail.flags */
#define SPLIT_NO_NOTIFY 0x0001u	   /* used.flags */

struct packed_descriptor { /* 2.8.13 */
	uint64_t address;
	uint32_t length;
	uint16_t id;
	uint16_t flags;
};

struct packed_event { /* 2.8.14 */
	uint16_t where; /* offset in bits 14:0, wrap counter in bit 15 */
	uint16_t flags;
};

#define PACKED_EVENT_ENABLE 0x0u
#define PACKED_EVENT_DISABLE 0x1u
#define PACKED_EVENT_AT 0x2u /* at `where` */
#define PACKED_EVENT_MASK 0x3u
#define PACKED_WRAP 0x8000u

_Static_assert(sizeof(struct split_descriptor) == 16, "virtio 1.2, 2.7.5");
_Static_assert(sizeof(struct packed_descriptor) == 16, "virtio 1.2, 2.8.13");

#endif
