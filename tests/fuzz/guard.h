/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory that stands between pages nobody can touch. */
#ifndef TESTS_FUZZ_GUARD_H
#define TESTS_FUZZ_GUARD_H

#include "base/types.h"

/* `size` is a multiple of the page size. Never freed. */
u8 *guard__map(u64 size);

#endif
