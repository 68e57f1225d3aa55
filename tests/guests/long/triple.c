/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A triple fault ends this guest: nothing may execute behind it (SDM vol. 3, 6.15). */
#include "tests/guests/lib/long/machine.h"

int main(void)
{
	const struct __attribute__((packed)) {
		u16 limit;
		u64 base;
	} none = { 0, 0 };

	console__print("now resetting\n");
	__asm__ volatile("lidt %0; ud2" : : "m"(none));
	console__print("still here\n");
	guest__exit(7);
}
