/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of items for the firmware, and the directory of those that have names. */
#include "vmm/firmware/items.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/types.h"

struct directory_entry {
	uint32_t size; /* big endian, as the others */
	uint16_t key;
	uint16_t reserved;
	char name[FW_CFG_NAME_BYTES];
} __attribute__((packed));

/* A new item without data; its key, for a file, is the next one. NULL with *err set. */
static struct fw_cfg_item *new_item(struct fw_cfg_items *items, uint16_t key, const char *name,
				    int *err)
{
	struct fw_cfg_item *item = &items->item[items->count];
	unsigned i;

	*err = -ENOSPC;
	if (items->count == FW_CFG_ITEMS || (name && items->files == FW_CFG_FILES))
		return NULL;
	*err = -EINVAL;
	if (name && (!*name || strlen(name) >= FW_CFG_NAME_BYTES))
		return NULL;
	*err = -EEXIST;
	for (i = 0; i < items->count; i++)
		if (name ? !strcmp(items->item[i].name, name) : items->item[i].key == key)
			return NULL;
	*item = (struct fw_cfg_item){ .key = name ? (uint16_t)(FW_CFG_FIRST_FILE + items->files) : key };
	if (name)
		strcpy(item->name, name);
	*err = 0;
	return item;
}

static void keep(struct fw_cfg_items *items, const struct fw_cfg_item *item)
{
	items->count++;
	items->files += *item->name != '\0';
}

static int add(struct fw_cfg_items *items, uint16_t key, const char *name, const void *data,
	       size_t size, uint8_t **late)
{
	int err;
	struct fw_cfg_item *item = new_item(items, key, name, &err);

	if (!item)
		return err;
	if (size > UINT32_MAX)
		return -EINVAL;
	item->data = calloc(1, size + !size);
	if (!item->data)
		return -ENOMEM;
	if (data && size)
		memcpy(item->data, data, size);
	item->size = (uint32_t)size;
	item->late = late != NULL;
	if (late)
		*late = item->data;
	keep(items, item);
	return 0;
}

int fw_cfg_items__add(struct fw_cfg_items *items, uint16_t key, const void *data, size_t size)
{
	return add(items, key, NULL, data, size, NULL);
}

int fw_cfg_items__add_number(struct fw_cfg_items *items, uint16_t key, uint64_t value, size_t size)
{
	uint64_t bytes = htole64(value);

	return add(items, key, NULL, &bytes, size, NULL);
}

int fw_cfg_items__add_file(struct fw_cfg_items *items, const char *name, const void *data,
			   size_t size)
{
	return add(items, 0, name, data, size, NULL);
}

int fw_cfg_items__add_late(struct fw_cfg_items *items, const char *name, size_t size,
			   uint8_t **data)
{
	return add(items, 0, name, NULL, size, data);
}

/* Reads a part of a file into memory of our own: what another process does to it counts no more. */
static int read_part(int fd, uint64_t from, struct fw_cfg_item *item)
{
	uint32_t at = 0;

	while (at < item->size) {
		ssize_t n = pread(fd, item->data + at, item->size - at, (off_t)(from + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (uint32_t)n;
	}
	return 0;
}

static int load_part(struct fw_cfg_item *item, int fd, uint64_t from, uint64_t size_most)
{
	struct stat st;
	uint64_t size;
	void *data;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	size = from < (uint64_t)st.st_size ? (uint64_t)st.st_size - from : 0;
	size = MIN_OF(size, size_most);
	if (size > UINT32_MAX)
		return -EINVAL;
	if (!size)
		return 0;
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return -errno;
	item->data = data;
	item->size = (uint32_t)size;
	item->mapped = true;
	err = read_part(fd, from, item);
	if (err)
		munmap(data, size);
	return err;
}

int fw_cfg_items__add_path(struct fw_cfg_items *items, uint16_t key, const char *name,
			   const char *path, uint64_t from, uint64_t size_most)
{
	int err;
	struct fw_cfg_item *item = new_item(items, key, name, &err);
	int fd = item ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (!item)
		return err;
	if (fd < 0)
		return -errno;
	err = load_part(item, fd, from, size_most);
	close(fd);
	if (!err)
		keep(items, item);
	return err;
}

int fw_cfg_items__finish(struct fw_cfg_items *items)
{
	size_t size = sizeof(uint32_t) + items->files * sizeof(struct directory_entry);
	uint8_t *directory = calloc(1, size);
	uint32_t count = htobe32(items->files);
	unsigned i, file = 0;
	int err;

	if (!directory)
		return -ENOMEM;
	memcpy(directory, &count, sizeof(count));
	for (i = 0; i < items->count; i++) {
		const struct fw_cfg_item *item = &items->item[i];
		struct directory_entry entry = { .size = htobe32(item->size), .key = htobe16(item->key) };

		if (!*item->name)
			continue;
		memcpy(entry.name, item->name, sizeof(entry.name));
		memcpy(directory + sizeof(count) + file++ * sizeof(entry), &entry, sizeof(entry));
	}
	err = fw_cfg_items__add(items, FW_CFG_DIRECTORY, directory, size);
	free(directory);
	return err;
}

const struct fw_cfg_item *fw_cfg_items__find(const struct fw_cfg_items *items, uint16_t key)
{
	unsigned i;

	for (i = 0; i < items->count; i++)
		if (items->item[i].key == key)
			return &items->item[i];
	return NULL;
}

void fw_cfg_items__free(struct fw_cfg_items *items)
{
	while (items->count) {
		struct fw_cfg_item *item = &items->item[--items->count];

		if (item->mapped)
			munmap(item->data, item->size);
		else
			free(item->data);
	}
	items->files = 0;
}
