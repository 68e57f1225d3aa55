/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of the device targets: the functions of vmm/share that devices call, with no files behind. */
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "vmm/share/share.h"

struct share {
	u8 last; /* byte of the request before */
};

int share__open(const struct share_options *options, struct share **share, char *error, size_t error_size)
{
	*share = calloc(1, sizeof(**share));
	return *share ? 0 : -1;
}

void share__close(struct share *share)
{
	free(share);
}

void share__reset(struct share *share)
{
	share->last = 0;
}

/* All of the request is read, and as much of the room written as its last byte says. */
size_t share__serve(struct share *share, const struct share_message *message)
{
	size_t size = 0, left, i;
	int n;

	FUZZ_CHECK(message->request_count <= (int)SHARE_SEGMENTS_MOST);
	FUZZ_CHECK(message->reply_count <= (int)SHARE_SEGMENTS_MOST);
	for (n = 0; n < message->request_count; n++) {
		for (i = 0; i < message->request[n].iov_len; i++)
			share->last ^= ((const u8 *)message->request[n].iov_base)[i];
		size += message->request[n].iov_len;
	}
	FUZZ_CHECK(size == message->request_bytes && size >= SHARE_REQUEST_LEAST);
	FUZZ_CHECK(message->reply_bytes >= SHARE_REPLY_LEAST);
	size = message->reply_bytes;
	if (share->last & 1)
		size = SHARE_REPLY_LEAST;
	for (n = 0, left = size; n < message->reply_count && left; n++) {
		size_t step = left < message->reply[n].iov_len ? left : message->reply[n].iov_len;

		memset(message->reply[n].iov_base, share->last, step);
		left -= step;
	}
	FUZZ_CHECK(!left);
	return size;
}
