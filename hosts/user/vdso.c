/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks a function up in the vDSO's dynamic symbols (System V gABI, ch. 5). */
#include "core/host.h"
#include <elf.h>
#include <sys/auxv.h>
#include "engines/soft/vector.h"
#include "hosts/user/vdso.h"

struct vdso_tables {
	const Elf64_Sym *symbols;
	const char *strings;
	const u32 *hash; /* DT_HASH: [1] is the number of symbols */
};

static bool same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

static bool find_tables(const u8 *image, struct vdso_tables *tables, u64 *bias)
{
	const Elf64_Ehdr *header = (const void *)image;
	const Elf64_Phdr *segment = (const void *)(image + header->e_phoff);
	const Elf64_Dyn *dynamic = NULL;
	bool loaded = false;
	unsigned i;

	for (i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type == PT_LOAD && !loaded) {
			*bias = (u64)image + segment[i].p_offset - segment[i].p_vaddr;
			loaded = true;
		} else if (segment[i].p_type == PT_DYNAMIC) {
			dynamic = (const void *)(image + segment[i].p_offset);
		}
	}
	if (!loaded || !dynamic)
		return false;
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		const void *p = (const void *)(*bias + dynamic->d_un.d_ptr);

		if (dynamic->d_tag == DT_SYMTAB)
			tables->symbols = p;
		else if (dynamic->d_tag == DT_STRTAB)
			tables->strings = p;
		else if (dynamic->d_tag == DT_HASH)
			tables->hash = p;
	}
	return tables->symbols && tables->strings && tables->hash;
}

void *vdso__function(const char *name)
{
	struct vdso_tables tables = { 0 };
	const u8 *image;
	u64 bias = 0;
	u32 i;

	soft__park_vectors();
	image = (const u8 *)getauxval(AT_SYSINFO_EHDR);
	if (!image || !find_tables(image, &tables, &bias))
		return NULL;
	for (i = 0; i < tables.hash[1]; i++) {
		const Elf64_Sym *symbol = &tables.symbols[i];

		if (symbol->st_shndx != SHN_UNDEF && same(tables.strings + symbol->st_name, name))
			return (void *)(bias + symbol->st_value);
	}
	return NULL;
}
