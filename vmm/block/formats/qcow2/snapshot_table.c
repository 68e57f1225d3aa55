/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of internal snapshots: reading and writing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/block/formats/qcow2/qcow2.h"

#define ENTRY_SIZE 40u
#define KNOWN_EXTRA 24u
#define MAX_EXTRA 1024u

void snapshot_table__free(struct qcow2 *q)
{
	uint32_t i;

	for (i = 0; i < q->snapshot_count; i++) {
		free(q->snapshot[i].id);
		free(q->snapshot[i].name);
		free(q->snapshot[i].extra);
	}
	free(q->snapshot);
	q->snapshot = NULL;
	q->snapshot_count = 0;
}

static int copy_bytes(char **field, const uint8_t *from, size_t size)
{
	*field = malloc(size + 1);
	if (!*field)
		return -ENOMEM;
	memcpy(*field, from, size);
	(*field)[size] = '\0';
	return 0;
}

/* What the entry's variable part has. */
static int read_extra(struct qcow2 *q, struct snapshot *s, uint64_t at, uint32_t extra_size,
		      uint16_t id_size, uint16_t name_size)
{
	size_t size = extra_size + id_size + name_size;
	uint8_t *buf = malloc(size + 1);
	int err = buf ? file__read(q->file, at, buf, size) : -ENOMEM;

	if (!err && extra_size) {
		s->extra = malloc(extra_size);
		if (!s->extra)
			err = -ENOMEM;
		else
			memcpy(s->extra, buf, extra_size);
		s->extra_size = extra_size;
	}
	if (!err && extra_size >= 8)
		s->vm_state_size = get_be64(buf);
	if (!err && extra_size >= 16)
		s->disk_size = get_be64(buf + 8);
	if (!err && extra_size >= 24)
		s->icount = get_be64(buf + 16);
	if (!err)
		err = copy_bytes(&s->id, buf + extra_size, id_size);
	if (!err)
		err = copy_bytes(&s->name, buf + extra_size + id_size, name_size);
	free(buf);
	return err;
}

/* One entry at *at, which moves on. -EINVAL: impossible. */
static int read_entry(struct qcow2 *q, struct snapshot *s, uint64_t *at, uint64_t file_size)
{
	uint8_t fixed[ENTRY_SIZE];
	uint32_t extra_size;
	uint16_t id_size, name_size;
	int err = file__read(q->file, *at, fixed, sizeof(fixed));

	if (err)
		return err;
	s->l1_offset = get_be64(fixed);
	s->l1_size = get_be32(fixed + 8);
	id_size = get_be16(fixed + 12);
	name_size = get_be16(fixed + 14);
	s->seconds = get_be32(fixed + 16);
	s->nanoseconds = get_be32(fixed + 20);
	s->vm_clock = get_be64(fixed + 24);
	s->vm_state_size = get_be32(fixed + 32);
	s->disk_size = atomic_load(&q->node->size);
	s->icount = UINT64_MAX;
	extra_size = get_be32(fixed + 36);
	/* Its L1 table has to be there: thousands of large ones that are not would cost memory. */
	if (extra_size > MAX_EXTRA || s->l1_size > QCOW2_MAX_L1_BYTES / 8 ||
	    (s->l1_offset & (q->cluster_size - 1)) || s->l1_offset >= QCOW2_MAX_OFFSET ||
	    s->l1_offset + s->l1_size * 8ULL > ((file_size + 511) & ~511ULL))
		return -EINVAL;
	err = read_extra(q, s, *at + ENTRY_SIZE, extra_size, id_size, name_size);
	*at += (ENTRY_SIZE + extra_size + id_size + name_size + 7ULL) & ~7ULL;
	return err;
}

int snapshot_table__read(struct qcow2 *q, char *error, size_t error_size)
{
	uint64_t at, offset, size;
	uint8_t field[12];
	uint32_t count;
	int err;

	err = file__read(q->file, QCOW2_AT_SNAPSHOT_COUNT, field, sizeof(field));
	if (!err)
		err = file__size(q->file, &size);
	if (err)
		goto tell;
	count = get_be32(field);
	at = offset = get_be64(field + 4);
	q->snapshot_offset = offset;
	if (!count)
		return 0;
	err = -EINVAL;
	if (count > QCOW2_MAX_SNAPSHOTS || (offset & (q->cluster_size - 1)) || !offset)
		goto tell;
	q->snapshot = calloc(count, sizeof(*q->snapshot));
	if (!q->snapshot) {
		err = -ENOMEM;
		goto tell;
	}
	err = 0;
	while (!err && q->snapshot_count < count) {
		err = at - offset > QCOW2_MAX_SNAPSHOT_BYTES || at >= size ? -EINVAL : 0;
		if (!err)
			err = read_entry(q, &q->snapshot[q->snapshot_count++], &at, size);
	}
	q->snapshot_bytes = at - offset;
tell:
	if (err)
		snprintf(error, error_size, "%s: the table of snapshots: %s", q->file->path,
			 err == -EINVAL ? "is impossible; the image is corrupt" : strerror(-err));
	return err;
}

static uint64_t entry_size(const struct snapshot *s)
{
	uint64_t extra = s->extra_size > KNOWN_EXTRA ? s->extra_size : KNOWN_EXTRA;

	return (ENTRY_SIZE + extra + strlen(s->id) + strlen(s->name) + 7) & ~7ULL;
}

static void put_entry(const struct snapshot *s, uint8_t *to)
{
	uint32_t extra = s->extra_size > KNOWN_EXTRA ? s->extra_size : KNOWN_EXTRA;
	size_t id_size = strlen(s->id);

	put_be64(to, s->l1_offset);
	put_be32(to + 8, s->l1_size);
	put_be16(to + 12, id_size);
	put_be16(to + 14, strlen(s->name));
	put_be32(to + 16, s->seconds);
	put_be32(to + 20, s->nanoseconds);
	put_be64(to + 24, s->vm_clock);
	put_be32(to + 32, s->vm_state_size > UINT32_MAX ? UINT32_MAX : s->vm_state_size);
	put_be32(to + 36, extra);
	if (s->extra_size > KNOWN_EXTRA)
		memcpy(to + ENTRY_SIZE, s->extra, s->extra_size);
	put_be64(to + ENTRY_SIZE, s->vm_state_size);
	put_be64(to + ENTRY_SIZE + 8, s->disk_size);
	put_be64(to + ENTRY_SIZE + 16, s->icount);
	memcpy(to + ENTRY_SIZE + extra, s->id, id_size);
	memcpy(to + ENTRY_SIZE + extra + id_size, s->name, strlen(s->name));
}

int snapshot_table__write(struct qcow2 *q)
{
	uint64_t bytes = 0, at = 0, offset = 0, old = q->snapshot_offset, old_bytes = q->snapshot_bytes;
	uint8_t *buf = NULL, field[12];
	uint32_t i;
	int err = 0;

	for (i = 0; i < q->snapshot_count; i++)
		bytes += entry_size(&q->snapshot[i]);
	if (bytes > QCOW2_MAX_SNAPSHOT_BYTES)
		return -EFBIG;
	if (bytes) {
		buf = calloc(1, bytes);
		err = buf ? refcount__alloc_area(q, bytes, &offset) : -ENOMEM;
		if (!err)
			err = qcow2_metadata__add(q, offset, bytes);
		for (i = 0; !err && i < q->snapshot_count; i++) {
			put_entry(&q->snapshot[i], buf + at);
			at += entry_size(&q->snapshot[i]);
		}
		if (!err)
			err = file__write(q->file, offset, buf, bytes);
	}
	/* The table and what it names, with its refcounts, before the header that names the table. */
	if (!err)
		err = qcow2_flush__all(q);
	put_be32(field, q->snapshot_count);
	put_be64(field + 4, offset);
	if (!err)
		err = file__write(q->file, QCOW2_AT_SNAPSHOT_COUNT, field, sizeof(field));
	if (!err)
		err = file__sync(q->file);
	free(buf);
	if (err)
		return err;
	q->snapshot_offset = offset;
	q->snapshot_bytes = bytes;
	if (!old_bytes)
		return 0;
	qcow2_metadata__remove(q, old, old_bytes);
	return refcount__change(q, old >> q->cluster_bits, qcow2_clusters(q, old_bytes), -1);
}
