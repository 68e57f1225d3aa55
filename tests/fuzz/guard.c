/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory that stands between pages nobody can touch. */
#include "tests/fuzz/guard.h"

#include <sys/mman.h>
#include "tests/fuzz/fuzz.h"

#define GUARD (1u << 20)

u8 *guard__map(u64 size)
{
	u8 *p = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		     0);

	FUZZ_CHECK(p != MAP_FAILED);
	FUZZ_CHECK(!mprotect(p + GUARD, size, PROT_READ | PROT_WRITE));
	return p + GUARD;
}
