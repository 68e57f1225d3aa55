/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prepares a run of real-mode code and takes its result. */
#include "tests/guests/lib/protected/real.h"

extern char real_blob[], real_blob_end[], real_stubs[], real_record[];
void real__enter(void);

static void fill_vectors(void)
{
	u32 *table = NULL;
	unsigned i;

	/* Address 0 is no object to the compiler. */
	__asm__ volatile("" : "+r"(table));
	for (i = 0; i < 256; i++)
		table[i] = (u32)REAL_SEGMENT << 16 | (real_stubs - real_blob + 3 * i);
}

void real__run(const void *code, unsigned size, struct real_result *result)
{
	const u16 *record = (const u16 *)(REAL_BASE + (real_record - real_blob));
	const u32 *registers = (const u32 *)(record + 6);

	memcpy((void *)REAL_BASE, real_blob, real_blob_end - real_blob);
	memcpy((void *)(REAL_BASE + REAL_CODE), code, size);
	fill_vectors();
	real__enter();
	*result = (struct real_result){
		.vector = (record[0] - (real_stubs - real_blob) - 3) / 3,
		.ip = record[1],
		.cs = record[2],
		.flags = record[3],
		.sp_after = record[4],
		.eax = registers[0],
		.ebx = registers[1],
		.ecx = registers[2],
		.edx = registers[3],
	};
}
