/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xorshift64*, and distributions in which special values are as likely as others. */
#include <string.h>

#include "tests/isa/random.h"

static u64 state = 1;

void random__seed(u64 seed)
{
	/* splitmix64: neighbouring seeds give unrelated sequences. */
	seed += 0x9e3779b97f4a7c15;
	seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
	seed = (seed ^ seed >> 27) * 0x94d049bb133111eb;
	state = seed ^ seed >> 31;
	if (!state)
		state = 1;
}

u64 random__u64(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

u32 random__below(u32 n)
{
	return (random__u64() >> 32) * n >> 32;
}

bool random__one_in(u32 n)
{
	return !random__below(n);
}

u64 random__integer(void)
{
	static const u64 edges[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
				     0x80000000, 0xffffffff, 0x7fffffffffffffff,
				     0x8000000000000000, 0xffffffffffffffff };
	u64 r = random__u64();

	switch (random__below(5)) {
	case 0:
		return edges[r % ARRAY_LENGTH(edges)];
	case 1:
		return (s64)(s8)r;
	case 2:
		return (u32)r;
	case 3:
		return r >> (r & 63);
	default:
		return r;
	}
}

static u32 random_single(void)
{
	static const u32 special[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
				       0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345, 0x00000001,
				       0x807fffff, 0x00800000, 0x7f7fffff, 0x3f000000, 0x4f000000,
				       0xcf000000, 0x4effffff, 0x5f000000, 0x3fc00000, 0x40200000 };
	u32 r = random__u64();

	switch (random__below(4)) {
	case 0:
		return special[r % ARRAY_LENGTH(special)];
	case 1:
		return r;
	default:
		return (r & 0x807fffff) | (120 + random__below(16)) << 23;
	}
}

static u64 random_double(void)
{
	static const u64 special[] = {
		0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
		0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0xfff8123456789abc,
		1, 0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x3fe0000000000000,
		0x41e0000000000000, 0xc1e0000000000000, 0x43e0000000000000, 0xc3e0000000000000,
		0x3ff8000000000000, 0x4004000000000000, 0x47efffffe0000000, 0x3690000000000000,
	};
	u64 r = random__u64();

	switch (random__below(4)) {
	case 0:
		return special[r % ARRAY_LENGTH(special)];
	case 1:
		return r;
	default:
		return (r & 0x800fffffffffffff) | (u64)(1010 + random__below(26)) << 52;
	}
}

void random__operand(void *out, unsigned n)
{
	unsigned kind = random__below(3), i;

	for (i = 0; i < n; i += 8) {
		u64 value = kind == 0 ? random__integer() :
			    kind == 1 ? random_double() :
					random_single() | (u64)random_single() << 32;

		memcpy((u8 *)out + i, &value, MIN_OF(n - i, 8u));
	}
}

void random__x87(u8 *out)
{
	static const struct {
		u16 exponent;
		u64 significand;
	} special[] = {
		{ 0, 0 }, { 0x8000, 0 }, { 0x3fff, 1ULL << 63 }, { 0xbfff, 1ULL << 63 },
		{ 0x7fff, 1ULL << 63 }, { 0xffff, 1ULL << 63 }, { 0x7fff, 3ULL << 62 },
		{ 0xffff, 3ULL << 62 }, { 0x7fff, 0x8000000000000001 }, /* signalling */
		{ 0, 1 }, { 0, 0x7fffffffffffffff },
		{ 0, 0x8000000000000001 }, /* pseudo-denormal */
		{ 0x4000, 0x123456789abcdef0 }, /* unnormal */
		{ 0x7fff, 0 }, { 0x7fff, 1 }, /* pseudo-infinity, pseudo-NaN */
		{ 0x7ffe, 0xffffffffffffffff }, { 1, 1ULL << 63 },
		{ 0x401e, 0x8000000000000000 }, { 0xc03e, 0x8000000000000000 },
		{ 0x400d, 0xfffe000000000000 }, { 0x3fff, 0xc90fdaa22168c235 },
	};
	u64 significand = random__u64() | 1ULL << 63;
	u16 exponent = random__u64();

	switch (random__below(5)) {
	case 0:
		exponent = random__below(ARRAY_LENGTH(special));
		significand = special[exponent].significand;
		exponent = special[exponent].exponent;
		break;
	case 1:
		break;
	case 2:
		exponent = (exponent & 0x8000) | (0x3fff + random__below(64));
		significand &= ~0ULL << random__below(64);
		break;
	default:
		exponent = (exponent & 0x8000) | (0x3ff0 + random__below(32));
	}
	memcpy(out, &significand, 8);
	memcpy(out + 8, &exponent, 2);
}

static void random_control(struct xsave_image *fp, bool unmasked)
{
	u16 flags = random__one_in(2) ? random__u64() & 0x7f : 0;
	u32 masks = 0x3f;

	if (unmasked && random__one_in(4))
		masks = random__u64() & 0x3f;
	fp->fcw = FCW_FIXED | masks;
	fp->fcw |= random__one_in(2) ? 0x300 : random__u64() & 0x1f00;
	/* ES and B follow from the flags that are not masked. */
	if (!(unmasked && random__one_in(8)))
		flags &= masks | 0x40;
	fp->fsw = flags | (random__u64() & 0x7f00);
	if (flags & ~masks & 0x3f)
		fp->fsw |= FSW_ES | FSW_B;
	fp->mxcsr = masks << 7 | (random__u64() & 0xe07f);
	if (random__one_in(2))
		fp->mxcsr &= ~0xe040;
}

static u64 random_mask(void)
{
	static const u64 special[] = { 0, 1, 0xff, 0xffff, ~0ULL, ~0ULL };
	u64 r = random__u64();

	switch (random__below(4)) {
	case 0:
		return special[r % ARRAY_LENGTH(special)];
	case 1:
		return r & random__u64() & random__u64();
	case 2:
		return r | random__u64() | random__u64();
	default:
		return r;
	}
}

static void random_avx512(struct xsave_image *fp)
{
	u64 mask;
	unsigned i;

	if (!(xstate__supported() & XSTATE_AVX512))
		return;
	for (i = 0; i < 8; i++) {
		mask = random_mask();
		memcpy(xsave_image__at(fp, XSTATE_OPMASK_NUMBER) + 8 * i, &mask, 8);
	}
	for (i = 0; i < 16; i++) {
		random__operand(xsave_image__at(fp, XSTATE_ZMM_HIGH_NUMBER) + 32 * i, 32);
		random__operand(xsave_image__at(fp, XSTATE_ZMM_MORE_NUMBER) + 64 * i, 64);
	}
}

void random__fp(struct xsave_image *fp, bool unmasked)
{
	unsigned i;

	memset(fp, 0, sizeof(*fp));
	random_control(fp, unmasked);
	fp->ftw = random__one_in(3) ? 0xff : random__u64();
	fp->fop = random__u64() & 0x7ff;
	fp->fip = random__u64() >> 17;
	fp->fdp = random__u64() >> 17;
	for (i = 0; i < 8; i++) {
		random__x87(fp->st[i]);
		if (random__one_in(4)) { /* an MMX register */
			random__operand(fp->st[i], 8);
			memset(fp->st[i] + 8, 0xff, 2);
		}
	}
	for (i = 0; i < 16; i++) {
		random__operand(fp->xmm[i], 16);
		random__operand(fp->ymm_high[i], 16);
	}
	random_avx512(fp);
	fp->xstate_bv = XSTATE_ALL & xstate__supported();
}
