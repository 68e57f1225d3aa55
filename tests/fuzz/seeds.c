/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With libFuzzer: writes the target's seeds to the directory that TRIVET_FUZZ_SEEDS names. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static u8 seed[1 << 16];
	const char *directory = getenv("TRIVET_FUZZ_SEEDS");
	unsigned n;

	for (n = 0; directory; n++) {
		size_t size = fuzz__seed(n, seed, sizeof(seed));
		char path[4096];
		FILE *file;

		if (!size)
			break;
		snprintf(path, sizeof(path), "%s/seed-%03u", directory, n);
		file = fopen(path, "w");
		if (!file || fwrite(seed, 1, size, file) != size)
			perror(path);
		if (file)
			fclose(file);
	}
	return 0;
}
