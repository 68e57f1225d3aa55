/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fields of 9P messages. */
#include "vmm/share/wire.h"

#include <errno.h>
#include <string.h>

/* The next `bytes` bytes, or NULL. */
static const uint8_t *take_bytes(struct wire_reader *reader, size_t bytes)
{
	const uint8_t *at = reader->at;

	if (bytes > reader->left || reader->bad) {
		reader->bad = true;
		return NULL;
	}
	reader->at += bytes;
	reader->left -= bytes;
	return at;
}

uint64_t wire__take(struct wire_reader *reader, unsigned bytes)
{
	const uint8_t *at = take_bytes(reader, bytes);
	uint64_t value = 0;

	while (at && bytes--)
		value = value << 8 | at[bytes];
	return value;
}

int wire__take_text(struct wire_reader *reader, char *text, size_t size)
{
	size_t length = wire__take(reader, 2);
	const uint8_t *at = take_bytes(reader, length);

	text[0] = 0;
	if (!at)
		return -EPROTO;
	if (length >= size)
		return -ENAMETOOLONG;
	if (memchr(at, 0, length))
		return -EINVAL;
	memcpy(text, at, length);
	text[length] = 0;
	return 0;
}

static uint8_t *make_room(struct wire_writer *writer, size_t bytes)
{
	uint8_t *at = writer->buf + writer->used;

	if (bytes > writer->size - writer->used || writer->full) {
		writer->full = true;
		return NULL;
	}
	writer->used += bytes;
	return at;
}

void wire__put(struct wire_writer *writer, uint64_t value, unsigned bytes)
{
	uint8_t *at = make_room(writer, bytes);

	for (; at && bytes; bytes--, value >>= 8)
		*at++ = (uint8_t)value;
}

void wire__put_text(struct wire_writer *writer, const char *text, size_t length)
{
	uint8_t *at;

	wire__put(writer, length, 2);
	at = make_room(writer, length);
	if (at)
		memcpy(at, text, length);
}
