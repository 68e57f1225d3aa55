/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the bytes of one instruction with both of its limits: 15 bytes, and what is there. */
#ifndef CORE_DECODE_CURSOR_H
#define CORE_DECODE_CURSOR_H

#include "core/decode/decode.h"

struct cursor {
	const u8 *bytes;
	unsigned pos;
	unsigned avail; /* 15 or fewer */
};

/* Whether n more bytes are there; if not, *result tells why not. */
static inline bool cursor_has(const struct cursor *c, unsigned n, enum decode_result *result)
{
	if (likely(c->pos + n <= c->avail))
		return true;
	*result = c->pos + n > INSN_MAX_LENGTH ? DECODE_TOO_LONG : DECODE_SHORT;
	return false;
}

/* The next n (1, 2, 4, 8) bytes, little-endian, zero-extended; the caller has asked for them. */
static inline u64 cursor_take(struct cursor *c, unsigned n)
{
	u64 value = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		value |= (u64)c->bytes[c->pos + i] << (8 * i);
	c->pos += n;
	return value;
}

/*
 * Decodes SIB and displacement of a memory operand behind its ModRM byte (insn->modrm) and fills
 * base, index, scale, disp and, unless a prefix has overridden it, seg. rex_x and rex_b are 0 or 8.
 */
enum decode_result address__decode(struct cursor *c, struct insn *insn, unsigned rex_x,
				  unsigned rex_b);

#endif
