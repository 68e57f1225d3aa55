/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event loop over the sockets of fake_host.h, in time that the test makes. */
#ifndef TESTS_UNIT_VSOCK_FAKE_LOOP_H
#define TESTS_UNIT_VSOCK_FAKE_LOOP_H

#include <stdint.h>

/* Callbacks until none has anything to do; a watch that never comes to rest ends the program. */
void fake_loop__run(void);
/* Time goes on, timers fire. */
void fake_loop__advance(uint64_t ns);

#endif
