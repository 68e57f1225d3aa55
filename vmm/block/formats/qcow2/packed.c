/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed clusters: zlib and zstd. */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "vmm/block/formats/qcow2/qcow2.h"
#include "vmm/block/io/iov.h"

#define DEFLATE_WINDOW (-12) /* raw deflate with a window of 4 KiB, as the format has it */
#define DEFLATE_MEMORY 9

static int inflate_cluster(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	z_stream stream = { .next_in = (uint8_t *)in, .avail_in = in_size, .next_out = out,
			    .avail_out = out_size };
	int result;

	if (inflateInit2(&stream, DEFLATE_WINDOW) != Z_OK)
		return -ENOMEM;
	result = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	/* The input is longer than what was packed: nobody knows its exact end. */
	return (result == Z_STREAM_END || result == Z_BUF_ERROR) && !stream.avail_out ? 0 : -EIO;
}

static int unzstd_cluster(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	ZSTD_inBuffer input = { in, in_size, 0 };
	ZSTD_outBuffer output = { out, out_size, 0 };
	ZSTD_DStream *stream = ZSTD_createDStream();
	int err = stream ? 0 : -ENOMEM;

	while (!err && output.pos < output.size) {
		size_t in_before = input.pos, out_before = output.pos;
		size_t result = ZSTD_decompressStream(stream, &output, &input);

		if (ZSTD_isError(result) || (input.pos == in_before && output.pos == out_before))
			err = -EIO;
	}
	ZSTD_freeDStream(stream);
	return err;
}

static int make_buffers(struct qcow2 *q)
{
	if (!q->unpacked)
		q->unpacked = malloc(q->cluster_size);
	/* Up to a cluster's worth of sectors, and the part of one in front. */
	if (!q->packed && posix_memalign((void **)&q->packed, 4096, q->cluster_size * 2 + 4096))
		q->packed = NULL;
	return q->unpacked && q->packed ? 0 : -ENOMEM;
}

/* q->unpacked gets the cluster. */
static int unpack(struct qcow2 *q, struct l2_entry entry)
{
	uint64_t offset, bytes;
	int err = make_buffers(q);

	l2__packed(q, entry, &offset, &bytes);
	if (err)
		return err;
	if (!offset || bytes > q->cluster_size * 2)
		return qcow2__damaged(q, "packed cluster is impossible", offset);
	if (q->unpacked_at == offset)
		return 0;
	q->unpacked_at = 0;
	err = file__read(q->file, offset, q->packed, bytes);
	if (err)
		return err;
	err = q->compression == QCOW2_COMPRESSION_ZSTD ?
		      unzstd_cluster(q->packed, bytes, q->unpacked, q->cluster_size) :
		      inflate_cluster(q->packed, bytes, q->unpacked, q->cluster_size);
	if (!err)
		q->unpacked_at = offset;
	return err;
}

int qcow2__read_packed(struct node *node, uint64_t offset, const struct iovec *iov, int count,
		       size_t skip, uint64_t length)
{
	struct qcow2 *q = node->private;
	struct l2_entry entry;
	struct table *table;
	int err = l2__get(q, offset, &table);

	if (err || !table)
		return err ? err : -EIO;
	entry = l2__load(q, table, offset);
	table_cache__put(table);
	err = unpack(q, entry);
	if (!err)
		iov__from(iov, count, skip, q->unpacked + (offset & (q->cluster_size - 1)), length);
	return err;
}

/* Bytes of `out` that were needed; -E2BIG: not enough. */
static long deflate_cluster(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	z_stream stream = { 0 };
	int result;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW, DEFLATE_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	stream.next_in = (uint8_t *)in;
	stream.avail_in = in_size;
	stream.next_out = out;
	stream.avail_out = out_size;
	result = deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	return result == Z_STREAM_END ? (long)(out_size - stream.avail_out) : -E2BIG;
}

static long pack(struct qcow2 *q, const uint8_t *in)
{
	size_t room = q->cluster_size - 1, size;

	if (q->compression == QCOW2_COMPRESSION_ZLIB)
		return deflate_cluster(in, q->cluster_size, q->packed, room);
	size = ZSTD_compress(q->packed, room, in, q->cluster_size, ZSTD_CLEVEL_DEFAULT);
	return ZSTD_isError(size) ? -E2BIG : (long)size;
}

/* Space for packed bytes, behind the last ones if that goes; the clusters get a user. */
static int alloc_packed(struct qcow2 *q, uint64_t bytes, uint64_t *offset)
{
	uint64_t left, cluster, got;
	int err = -ERANGE;

	left = q->packed_end ? q->cluster_size - (q->packed_end & (q->cluster_size - 1)) : 0;
	if (left >= bytes) {
		err = refcount__change(q, q->packed_end >> q->cluster_bits, 1, 1);
		if (!err) {
			*offset = q->packed_end;
			q->packed_end = left == bytes ? 0 : q->packed_end + bytes;
			return 0;
		}
	}
	if (err && err != -ERANGE)
		return err;
	err = refcount__alloc(q, 1, &cluster, &got);
	if (err)
		return err;
	*offset = cluster;
	/* The next cluster happens to follow: then the bytes may lie across. */
	if (left && left < bytes && cluster == q->packed_end + left) {
		err = refcount__change(q, q->packed_end >> q->cluster_bits, 1, 1);
		if (!err)
			*offset = q->packed_end;
	}
	q->packed_end = *offset + bytes;
	if (!(q->packed_end & (q->cluster_size - 1)))
		q->packed_end = 0;
	return err == -ERANGE ? 0 : err;
}

int qcow2__write_packed(struct node *node, uint64_t offset, const void *buf, size_t length)
{
	struct qcow2 *q = node->private;
	struct l2_entry old, entry = { QCOW2_PACKED, 0 };
	unsigned bits = 62 - (q->cluster_bits - 8);
	struct table *table;
	uint64_t where;
	long size;
	int err = q->corrupt ? -EIO : make_buffers(q);

	if (err)
		return err;
	if (q->data_file || (offset | length) & (q->cluster_size - 1) || length != q->cluster_size)
		return -E2BIG;
	q->unpacked_at = 0;
	size = pack(q, buf);
	if (size < 0)
		return size;
	err = l2__get_for_write(q, offset, &table);
	if (err)
		return err;
	err = alloc_packed(q, size, &where);
	if (!err)
		err = file__write(q->file, where, q->packed, size);
	if (!err) {
		old = l2__load(q, table, offset);
		entry.raw |= ((where + size - 1) / 512 - where / 512) << bits | where;
		l2__store(q, table, offset, entry);
		err = qcow2__release(q, old);
	}
	table_cache__put(table);
	return err;
}
