/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fields of 9P messages: taken from a request, put into a reply; neither goes past its end. */
#ifndef VMM_SHARE_WIRE_H
#define VMM_SHARE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader {
	const uint8_t *at;
	size_t left;
	bool bad; /* more was taken than there is; what was taken since is 0 */
};

struct wire_writer {
	uint8_t *buf;
	size_t used, size;
	bool full; /* something did not fit */
};

/* An unsigned integer of `bytes` bytes, up to 8. */
uint64_t wire__take(struct wire_reader *reader, unsigned bytes);
static inline uint32_t wire__take32(struct wire_reader *reader)
{
	return (uint32_t)wire__take(reader, 4);
}
static inline uint64_t wire__take64(struct wire_reader *reader)
{
	return wire__take(reader, 8);
}
/*
 * A string, with a 0 behind it; text has room for `size` bytes. 0, -EPROTO: it does not end,
 * -EINVAL: a 0 is in it, -ENAMETOOLONG.
 */
int wire__take_text(struct wire_reader *reader, char *text, size_t size);

void wire__put(struct wire_writer *writer, uint64_t value, unsigned bytes);
void wire__put_text(struct wire_writer *writer, const char *text, size_t length);

#endif
