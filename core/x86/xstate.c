/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the host for its state components, and lays areas out (SDM vol. 1, 13.4; vol. 2, CPUID). */
#include "core/host.h"
#include "core/x86/xstate.h"

/* F, DQ, CD, BW, VL of leaf 7, EBX */
#define AVX512_FEATURES 0xd0030000u

static struct xstate_component components[XSTATE_COUNT];
static u64 supported;
static bool asked;

static u64 host_xcr0(void)
{
	u32 r[4], lo, hi;

	host__cpuid(CPUID_FEATURES, 0, r);
	if (!(r[CPUID_ECX] >> CPUID_1_ECX_OSXSAVE & 1))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (u64)hi << 32;
}

static bool host_has_avx512(u64 xcr0)
{
	u32 r[4];

	if ((xcr0 & XSTATE_AVX512) != XSTATE_AVX512 || !(xcr0 & XSTATE_AVX))
		return false;
	host__cpuid(CPUID_VENDOR, 0, r);
	if (r[CPUID_EAX] < CPUID_XSTATE)
		return false;
	host__cpuid(CPUID_EXTENDED_FEATURES, 0, r);
	return (r[CPUID_EBX] & AVX512_FEATURES) == AVX512_FEATURES;
}

/* Takes the places of AVX-512's components. false: they are not what the manuals say. */
static bool take_places(void)
{
	static const u16 size[] = { XSTATE_OPMASK_SIZE, XSTATE_ZMM_HIGH_SIZE, XSTATE_ZMM_MORE_SIZE };
	unsigned i;
	u32 r[4];

	for (i = 0; i < ARRAY_LENGTH(size); i++) {
		struct xstate_component *c = &components[XSTATE_OPMASK_NUMBER + i];

		host__cpuid(CPUID_XSTATE, XSTATE_OPMASK_NUMBER + i, r);
		if (r[CPUID_EAX] != size[i] || r[CPUID_EBX] < XSTATE_HEADER_END + XSTATE_AVX_SIZE ||
		    r[CPUID_EBX] + size[i] > XSTATE_MAX_AREA || r[CPUID_EBX] % 64)
			return false;
		*c = (struct xstate_component){ r[CPUID_EBX], size[i] };
	}
	return true;
}

/* Threads that race write the same. */
static void ask(void)
{
	u64 xcr0 = host_xcr0(), found = xcr0 & (XSTATE_X87 | XSTATE_SSE | XSTATE_AVX);

	components[2] = (struct xstate_component){ XSTATE_HEADER_END, XSTATE_AVX_SIZE };
	if (host_has_avx512(xcr0) && take_places())
		found |= XSTATE_AVX512;
	__atomic_store_n(&supported, found & XSTATE_SSE ? found : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&asked, true, __ATOMIC_RELEASE);
}

const struct xstate_component *xstate__components(void)
{
	if (unlikely(!__atomic_load_n(&asked, __ATOMIC_ACQUIRE)))
		ask();
	return components;
}

u64 xstate__supported(void)
{
	xstate__components();
	return __atomic_load_n(&supported, __ATOMIC_RELAXED);
}

u32 xstate__offset(unsigned component, u64 present, bool compact)
{
	const struct xstate_component *c = xstate__components();
	u32 at = XSTATE_HEADER_END;
	unsigned i;

	if (!compact)
		return c[component].offset;
	for (i = XSTATE_FIRST; i < component; i++)
		if (present >> i & 1)
			at += c[i].size;
	return at;
}

u32 xstate__area_size(u64 present, bool compact)
{
	const struct xstate_component *c = xstate__components();
	u32 end = XSTATE_HEADER_END, i;

	for (i = XSTATE_FIRST; i < XSTATE_COUNT; i++)
		if (present >> i & 1)
			end = MAX_OF(end, xstate__offset(i, present, compact) + c[i].size);
	return end;
}
