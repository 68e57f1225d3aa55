/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every bare-metal guest has: text on COM1, checks with names, an end with a status.
 *
 * A guest's main() makes its checks; each prints one line ("ok NAME", "FAIL NAME: got ...,
 * expected ...", "skip NAME: REASON"), the start code then prints the total and writes 0 (all
 * passed) or 1 to the debug-exit port. Checks are made on the boot CPU only.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include "base/types.h"

#define DEBUG_EXIT_PORT 0xf4

int main(void);

void console__put(char c);
/* %s %d %u %x %lx (u64) %c only; %x takes unsigned, %lx takes u64 on every guest. */
void console__print(const char *format, ...);
void console__format(char *buf, size_t size, const char *format, va_list ap);

/* The name is format and what follows, as console__print(). */
bool check__equal(u64 got, u64 expected, const char *format, ...);
bool check__true(bool holds, const char *format, ...);
void check__skip(const char *reason, const char *format, ...);
_Noreturn void check__finish(void);

_Noreturn void guest__exit(u8 status);
_Noreturn void guest__die(const char *format, ...);

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
