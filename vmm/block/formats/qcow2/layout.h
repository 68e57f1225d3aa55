/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The qcow2 format, versions 2 and 3, as in QEMU's docs/interop/qcow2.txt: big endian everywhere. */
#ifndef VMM_BLOCK_FORMATS_QCOW2_LAYOUT_H
#define VMM_BLOCK_FORMATS_QCOW2_LAYOUT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define QCOW2_MAGIC 0x514649fbu
#define QCOW2_V2_HEADER 72u
#define QCOW2_V3_HEADER 104u
#define QCOW2_HEADER 112u /* with the compression type */

/* Offsets in the header. */
#define QCOW2_AT_VERSION 4
#define QCOW2_AT_BACKING_OFFSET 8
#define QCOW2_AT_BACKING_SIZE 16
#define QCOW2_AT_CLUSTER_BITS 20
#define QCOW2_AT_SIZE 24
#define QCOW2_AT_CRYPT 32
#define QCOW2_AT_L1_SIZE 36
#define QCOW2_AT_L1_OFFSET 40
#define QCOW2_AT_REFTABLE_OFFSET 48
#define QCOW2_AT_REFTABLE_CLUSTERS 56
#define QCOW2_AT_SNAPSHOT_COUNT 60
#define QCOW2_AT_SNAPSHOT_OFFSET 64
#define QCOW2_AT_INCOMPATIBLE 72
#define QCOW2_AT_COMPATIBLE 80
#define QCOW2_AT_AUTOCLEAR 88
#define QCOW2_AT_REFCOUNT_ORDER 96
#define QCOW2_AT_HEADER_LENGTH 100
#define QCOW2_AT_COMPRESSION 104

#define QCOW2_INCOMPATIBLE_DIRTY 1ULL
#define QCOW2_INCOMPATIBLE_CORRUPT 2ULL
#define QCOW2_INCOMPATIBLE_DATA_FILE 4ULL
#define QCOW2_INCOMPATIBLE_COMPRESSION 8ULL
#define QCOW2_INCOMPATIBLE_EXTENDED_L2 16ULL
#define QCOW2_COMPATIBLE_LAZY 1ULL
#define QCOW2_AUTOCLEAR_BITMAPS 1ULL
#define QCOW2_AUTOCLEAR_DATA_RAW 2ULL

#define QCOW2_EXTENSION_END 0u
#define QCOW2_EXTENSION_BACKING_FORMAT 0xe2792acau
#define QCOW2_EXTENSION_FEATURES 0x6803f857u
#define QCOW2_EXTENSION_BITMAPS 0x23852875u
#define QCOW2_EXTENSION_ENCRYPTION 0x0537be77u
#define QCOW2_EXTENSION_DATA_FILE 0x44415441u

#define QCOW2_COMPRESSION_ZLIB 0
#define QCOW2_COMPRESSION_ZSTD 1

#define QCOW2_OFFSET_MASK 0x00fffffffffffe00ULL /* of L1 and L2 entries */
#define QCOW2_COPIED (1ULL << 63) /* the refcount is exactly one */
#define QCOW2_PACKED (1ULL << 62)
#define QCOW2_ZERO 1ULL
#define QCOW2_REFTABLE_MASK 0xfffffffffffffe00ULL
#define QCOW2_L1_RESERVED 0x7f000000000001ffULL
#define QCOW2_L2_RESERVED 0x3f000000000001feULL

#define QCOW2_SUBCLUSTERS 32u /* of extended L2 entries */

/* What is believed of a header: more would be memory for nothing. As in QEMU. */
#define QCOW2_MAX_L1_BYTES (32u << 20)
#define QCOW2_MAX_REFTABLE_BYTES (8u << 20)
#define QCOW2_MAX_SNAPSHOTS 65536u
#define QCOW2_MAX_SNAPSHOT_BYTES (64u << 20)
#define QCOW2_MAX_BACKING_NAME 1023u
#define QCOW2_MAX_OFFSET (1ULL << 56)

static inline uint64_t get_be64(const void *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return be64toh(value);
}

static inline uint32_t get_be32(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static inline uint16_t get_be16(const void *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return be16toh(value);
}

static inline void put_be64(void *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof(value));
}

static inline void put_be32(void *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void put_be16(void *at, uint16_t value)
{
	value = htobe16(value);
	memcpy(at, &value, sizeof(value));
}

#endif
