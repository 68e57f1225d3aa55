/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the end of a gzip member (RFC 1952) by decoding its DEFLATE symbols (RFC 1951). */
#include <stdbool.h>
#include <string.h>
#include "vmm/boot/initrd.h"

#define HEADER_BYTES 10
#define TRAILER_BYTES 8
#define FLAG_HEADER_CRC 0x02
#define FLAG_EXTRA 0x04
#define FLAG_NAME 0x08
#define FLAG_COMMENT 0x10
#define FLAGS_RESERVED 0xe0

#define CODE_BITS 15
#define LITERALS 288
#define DISTANCES 32
#define LENGTH_CODES 19
#define END_OF_BLOCK 256

/* A Huffman code as one table look-up: symbol and length by the next `bits` bits. */
struct code {
	unsigned bits;
	uint16_t entry[1 << CODE_BITS]; /* symbol << 4 | length; 0: no such code */
};

struct inflate {
	const uint8_t *data;
	size_t size, at;
	uint64_t hold; /* bits that are read and not used, the next one lowest */
	unsigned held;
	uint32_t produced; /* bytes, modulo 2^32 as the trailer has it */
	struct code literals, distances;
};

/* At least `need` bits in `hold`, up to 56; false at the end of the file. */
static bool fill(struct inflate *in, unsigned need)
{
	uint64_t word;

	if (in->size - in->at >= sizeof(word)) {
		/* Bits above `held` are the same again when they are loaded next. */
		memcpy(&word, in->data + in->at, sizeof(word));
		in->hold |= word << in->held;
		in->at += (63 - in->held) >> 3;
		in->held |= 56;
		return true;
	}
	while (in->held < 56 && in->at < in->size) {
		in->hold |= (uint64_t)in->data[in->at++] << in->held;
		in->held += 8;
	}
	return in->held >= need;
}

static uint32_t take(struct inflate *in, unsigned bits)
{
	uint32_t value = in->hold & ((1u << bits) - 1);

	in->hold >>= bits;
	in->held -= bits;
	return value;
}

static unsigned reverse(unsigned code, unsigned length)
{
	unsigned out = 0;

	while (length--) {
		out = out << 1 | (code & 1);
		code >>= 1;
	}
	return out;
}

/* Canonical codes from lengths (RFC 1951, 3.2.2). False: more codes than there is room for. */
static bool make_code(struct code *code, const uint8_t *lengths, unsigned count)
{
	unsigned of_length[CODE_BITS + 1] = { 0 }, next[CODE_BITS + 1], first = 0, i;

	for (i = 0; i < count; i++)
		of_length[lengths[i]]++;
	of_length[0] = 0;
	code->bits = 1;
	for (i = 1; i <= CODE_BITS; i++) {
		first = (first + of_length[i - 1]) << 1;
		next[i] = first;
		if (of_length[i])
			code->bits = i;
		if (first + of_length[i] > 1u << i)
			return false;
	}
	memset(code->entry, 0, sizeof(code->entry[0]) << code->bits);
	for (i = 0; i < count; i++) {
		unsigned length = lengths[i], at;

		if (!length)
			continue;
		for (at = reverse(next[length]++, length); at < 1u << code->bits; at += 1u << length)
			code->entry[at] = (uint16_t)(i << 4 | length);
	}
	return true;
}

/* The next symbol, or a negative enum initrd_state. At the file's end there may be few bits left. */
static int take_symbol(struct inflate *in, const struct code *code)
{
	uint16_t entry = code->entry[in->hold & ((1u << code->bits) - 1)];
	unsigned length = entry & 15;

	if (!length)
		return in->held < code->bits ? -INITRD_TRUNCATED : -INITRD_DAMAGED;
	if (length > in->held)
		return -INITRD_TRUNCATED;
	take(in, length);
	return entry >> 4;
}

static enum initrd_state skip_stored(struct inflate *in)
{
	uint32_t length;

	take(in, in->held & 7);
	if (!fill(in, 32))
		return INITRD_TRUNCATED;
	length = take(in, 16);
	if ((length ^ 0xffff) != take(in, 16))
		return INITRD_DAMAGED;
	in->produced += length;
	/* Whole bytes are held: give them back. */
	in->at -= in->held / 8;
	in->hold = 0;
	in->held = 0;
	if (length > in->size - in->at)
		return INITRD_TRUNCATED;
	in->at += length;
	return INITRD_GOOD;
}

static bool set_fixed_codes(struct inflate *in)
{
	uint8_t lengths[LITERALS];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	if (!make_code(&in->literals, lengths, LITERALS))
		return false;
	memset(lengths, 5, DISTANCES);
	return make_code(&in->distances, lengths, DISTANCES);
}

/* The code lengths of a dynamic block, themselves Huffman-coded with run lengths (3.2.7). */
static enum initrd_state read_lengths(struct inflate *in, uint8_t *lengths, unsigned count)
{
	unsigned i = 0;

	while (i < count) {
		unsigned repeat;
		uint8_t value = 0;
		int symbol;

		fill(in, 0);
		symbol = take_symbol(in, &in->literals);
		if (symbol < 0)
			return -symbol;
		if (symbol < 16) {
			lengths[i++] = symbol;
			continue;
		}
		if (in->held < 7)
			return INITRD_TRUNCATED;
		repeat = symbol == 16 ? 3 + take(in, 2) : symbol == 17 ? 3 + take(in, 3) : 11 + take(in, 7);
		if (symbol == 16 && i)
			value = lengths[i - 1];
		if (repeat > count - i || (symbol == 16 && !i))
			return INITRD_DAMAGED;
		memset(lengths + i, value, repeat);
		i += repeat;
	}
	return INITRD_GOOD;
}

static enum initrd_state read_codes(struct inflate *in)
{
	static const uint8_t order[LENGTH_CODES] = { 16, 17, 18, 0, 8,	7, 9,  6, 10, 5,
						     11, 4,  12, 3, 13, 2, 14, 1, 15 };
	uint8_t lengths[LITERALS + DISTANCES] = { 0 };
	unsigned literals, distances, count, i;
	enum initrd_state state;

	if (!fill(in, 14))
		return INITRD_TRUNCATED;
	literals = 257 + take(in, 5);
	distances = 1 + take(in, 5);
	count = 4 + take(in, 4);
	if (literals > LITERALS)
		return INITRD_DAMAGED;
	for (i = 0; i < count; i++) {
		if (!fill(in, 3))
			return INITRD_TRUNCATED;
		lengths[order[i]] = take(in, 3);
	}
	if (!make_code(&in->literals, lengths, LENGTH_CODES))
		return INITRD_DAMAGED;
	memset(lengths, 0, sizeof(lengths));
	state = read_lengths(in, lengths, literals + distances);
	if (state)
		return state;
	if (!make_code(&in->literals, lengths, literals) ||
	    !make_code(&in->distances, lengths + literals, distances))
		return INITRD_DAMAGED;
	return INITRD_GOOD;
}

/* A match: its extra length bits, distance and extra distance bits (3.2.5). */
static enum initrd_state skip_match(struct inflate *in, unsigned symbol)
{
	unsigned length = symbol - 257, extra = length < 8 ? 0 : length / 4 - 1;
	int distance;

	if (length > 28)
		return INITRD_DAMAGED;
	if (length == 28)
		extra = 0;
	if (in->held < extra)
		return INITRD_TRUNCATED;
	if (length == 28)
		in->produced += 258;
	else if (length < 8)
		in->produced += 3 + length;
	else
		in->produced += 3 + ((4 + length % 4) << extra) + take(in, extra);
	distance = take_symbol(in, &in->distances);
	if (distance < 0)
		return -distance;
	if (distance > 29)
		return INITRD_DAMAGED;
	extra = distance < 4 ? 0 : distance / 2 - 1;
	if (in->held < extra)
		return INITRD_TRUNCATED;
	take(in, extra);
	return INITRD_GOOD;
}

static enum initrd_state skip_symbols(struct inflate *in)
{
	for (;;) {
		enum initrd_state state;
		int symbol;

		/* A match has at most 15 + 5 + 15 + 13 bits. */
		if (in->held < 48)
			fill(in, 0);
		symbol = take_symbol(in, &in->literals);
		if (symbol < 0)
			return -symbol;
		if (symbol == END_OF_BLOCK)
			return INITRD_GOOD;
		if (symbol < END_OF_BLOCK) {
			in->produced++;
			continue;
		}
		state = skip_match(in, symbol);
		if (state)
			return state;
	}
}

static enum initrd_state skip_deflate(struct inflate *in)
{
	enum initrd_state state;
	bool last;

	do {
		if (!fill(in, 3))
			return INITRD_TRUNCATED;
		last = take(in, 1);
		switch (take(in, 2)) {
		case 0:
			state = skip_stored(in);
			break;
		case 1:
			state = set_fixed_codes(in) ? skip_symbols(in) : INITRD_DAMAGED;
			break;
		case 2:
			state = read_codes(in);
			if (!state)
				state = skip_symbols(in);
			break;
		default:
			return INITRD_DAMAGED;
		}
	} while (!state && !last);
	return state;
}

/* Behind a string of the header with its NUL. */
static bool skip_string(const uint8_t *data, size_t size, size_t *at)
{
	const uint8_t *end = memchr(data + *at, 0, size - *at);

	if (end)
		*at = end - data + 1;
	return end;
}

static enum initrd_state skip_header(const uint8_t *data, size_t size, size_t *at)
{
	uint8_t flags;

	if (size - *at < HEADER_BYTES)
		return INITRD_TRUNCATED;
	flags = data[*at + 3];
	if (data[*at + 2] != 8 || flags & FLAGS_RESERVED)
		return INITRD_DAMAGED;
	*at += HEADER_BYTES;
	if (flags & FLAG_EXTRA) {
		size_t extra;

		if (size - *at < 2)
			return INITRD_TRUNCATED;
		extra = 2 + data[*at] + 256u * data[*at + 1];
		if (size - *at < extra)
			return INITRD_TRUNCATED;
		*at += extra;
	}
	if ((flags & FLAG_NAME && !skip_string(data, size, at)) ||
	    (flags & FLAG_COMMENT && !skip_string(data, size, at)))
		return INITRD_TRUNCATED;
	if (flags & FLAG_HEADER_CRC) {
		if (size - *at < 2)
			return INITRD_TRUNCATED;
		*at += 2;
	}
	return INITRD_GOOD;
}

enum initrd_state gzip__skip(const uint8_t *data, size_t size, size_t *at)
{
	static struct inflate in; /* too large for a stack; start-up has one thread */
	enum initrd_state state = skip_header(data, size, at);
	uint32_t length;

	if (state)
		return state;
	in.data = data;
	in.size = size;
	in.at = *at;
	in.hold = 0;
	in.held = 0;
	in.produced = 0;
	state = skip_deflate(&in);
	if (state)
		return state;
	in.at -= in.held / 8;
	if (size - in.at < TRAILER_BYTES)
		return INITRD_TRUNCATED;
	memcpy(&length, data + in.at + 4, sizeof(length));
	*at = in.at + TRAILER_BYTES;
	return length == in.produced ? INITRD_GOOD : INITRD_DAMAGED;
}
