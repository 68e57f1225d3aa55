/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks: one line each, a total at the end. */
#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/guest.h"

static unsigned passed, failed, skipped;

static void name_of(char name[128], const char *format, va_list ap)
{
	console__format(name, 128, format, ap);
}

bool check__equal(u64 got, u64 expected, const char *format, ...)
{
	char name[128];
	va_list ap;

	va_start(ap, format);
	name_of(name, format, ap);
	va_end(ap);
	if (got == expected) {
		passed++;
		console__print("ok %s\n", name);
		return true;
	}
	failed++;
	console__print("FAIL %s: got %lx, expected %lx\n", name, got, expected);
	return false;
}

bool check__true(bool holds, const char *format, ...)
{
	char name[128];
	va_list ap;

	va_start(ap, format);
	name_of(name, format, ap);
	va_end(ap);
	return check__equal(holds, 1, "%s", name);
}

void check__skip(const char *reason, const char *format, ...)
{
	char name[128];
	va_list ap;

	va_start(ap, format);
	name_of(name, format, ap);
	va_end(ap);
	skipped++;
	console__print("skip %s: %s\n", name, reason);
}

void guest__exit(u8 status)
{
	out8(DEBUG_EXIT_PORT, status);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void check__finish(void)
{
	console__print("total: %u passed, %u failed, %u skipped\n", passed, failed, skipped);
	guest__exit(failed || !passed);
}

void guest__die(const char *format, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, format);
	console__format(line, sizeof(line), format, ap);
	va_end(ap);
	console__print("DIED: %s\n", line);
	guest__exit(2);
}
