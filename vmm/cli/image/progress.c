/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far a long command is: -p, and SIGUSR1. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "vmm/cli/image/image.h"

static bool shown;
static volatile sig_atomic_t asked;
static unsigned last = ~0u; /* hundredths of a percent */

static void on_signal(int signal)
{
	asked = 1;
}

void progress__start(bool show)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	shown = show;
	last = ~0u;
	sigaction(SIGUSR1, &action, NULL);
	progress__at(0, 1);
}

void progress__at(uint64_t done, uint64_t of)
{
	unsigned now = of ? (unsigned)((double)done * 10000 / of) : 10000;

	if (asked) {
		asked = 0;
		fprintf(stderr, "    (%u.%02u/100%%)\n", now / 100, now % 100);
	}
	if (!shown || now == last)
		return;
	last = now;
	printf("    (%u.%02u/100%%)\r", now / 100, now % 100);
	fflush(stdout);
}

void progress__end(void)
{
	progress__at(1, 1);
	if (shown)
		printf("\n");
	shown = false;
}
