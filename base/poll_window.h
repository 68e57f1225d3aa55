/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long it pays to look for something again and again before going to sleep for it: as long as
 * recent waits were short, and no longer than a bound. After a long wait nothing is looked for, so who
 * has nothing to do sleeps.
 */
#ifndef BASE_POLL_WINDOW_H
#define BASE_POLL_WINDOW_H

#include "base/types.h"

#define POLL_WINDOW_FIRST_NS 8000u

struct poll_window {
	u32 now;  /* ns to look for */
	u32 most; /* ns; 0: never */
};

/* A wait took so long, looking and sleeping. One thread at a time. */
static inline void poll_window__learn(struct poll_window *window, u64 waited_ns)
{
	u64 longer = window->now ? 2 * (u64)window->now : POLL_WINDOW_FIRST_NS;

	if (waited_ns > window->most)
		window->now = 0;
	else if (waited_ns > window->now)
		window->now = longer < window->most ? (u32)longer : window->most;
}

#endif
