/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk with one queue on a loop of the test's own. */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "memory_file.h"

static char folder[64];

static void remove_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(folder);
}

const char *fixture__path(const char *name)
{
	static char path[4][256];
	static unsigned next;

	if (!folder[0]) {
		/* Direct I/O is not everywhere: not in a tmpfs of older kernels. */
		strcpy(folder, "/var/tmp/trivet-block-XXXXXX");
		assert_non_null(mkdtemp(folder));
		atexit(remove_folder);
	}
	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

uint8_t fixture__byte(uint64_t offset, uint8_t salt)
{
	return (offset >> 9) * 37 + offset * 3 + salt;
}

const char *fixture__file(const char *name, size_t size, uint8_t salt)
{
	const char *path = fixture__path(name);
	uint8_t *bytes = malloc(size + 1);
	FILE *file = fopen(path, "w");
	size_t i;

	assert_non_null(file);
	for (i = 0; i < size; i++)
		bytes[i] = fixture__byte(i, salt);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	free(bytes);
	return path;
}

static void on_resized(void *opaque, uint64_t size)
{
	struct disk *disk = opaque;

	disk->resized++;
	disk->new_size = size;
	loop__stop(disk->loop);
}

static void on_stopped(void *opaque, enum block_op op, int err)
{
	struct disk *disk = opaque;

	disk->stopped++;
	loop__stop(disk->loop);
}

static void open_disk(struct disk *disk, const char *text, const struct file_class *files)
{
	struct block_events events = { .resized = on_resized,
				       .stopped = on_stopped,
				       .opaque = disk };
	struct block_options options;
	char error[512] = "";

	memset(disk, 0, sizeof(*disk));
	if (block_options__parse(&options, text, error, sizeof(error)))
		fail_msg("%s", error);
	options.files = files;
	if (block__open(&options, &disk->block, error, sizeof(error)))
		fail_msg("%s", error);
	block_options__free(&options);
	assert_int_equal(loop__create(&disk->loop), 0);
	if (block_queue__create(disk->block, disk->loop, &events, &disk->queue, error, sizeof(error)))
		fail_msg("%s", error);
}

void disk__open(struct disk *disk, const char *options)
{
	open_disk(disk, options, NULL);
}

void disk__open_memory(struct disk *disk, const char *options)
{
	open_disk(disk, options, &memory_file_class);
}

void disk__close(struct disk *disk)
{
	block_queue__destroy(disk->queue);
	block__close(disk->block);
	loop__destroy(disk->loop);
}

struct waiter {
	struct disk *disk;
	int *result;
};

static void on_done(struct block_request *request, int result)
{
	struct waiter *waiter = request->opaque;

	*waiter->result = result;
	waiter->disk->waiting--;
	loop__stop(waiter->disk->loop);
	free(waiter);
}

void disk__async(struct disk *disk, struct block_request *request, struct iovec *iov, int *result)
{
	struct waiter *waiter = malloc(sizeof(*waiter));

	assert_non_null(waiter);
	*waiter = (struct waiter){ disk, result };
	*result = 1;
	request->iov = iov;
	request->done = on_done;
	request->opaque = waiter;
	disk->waiting++;
	block_queue__submit(disk->queue, request);
	assert_int_equal(*result, 1);
}

void disk__wait(struct disk *disk, unsigned left)
{
	block_queue__commit(disk->queue);
	while (disk->waiting > left)
		assert_int_equal(loop__run(disk->loop), 0);
}

static void stop_loop(void *opaque)
{
	loop__stop(opaque);
}

void disk__run(struct disk *disk, unsigned ms)
{
	uint64_t end = loop__now() + ms * 1000000ULL;
	struct loop_timer *timer;

	block_queue__commit(disk->queue);
	assert_int_equal(loop__timer(disk->loop, stop_loop, disk->loop, &timer), 0);
	while (loop__now() < end) {
		loop__timer_arm(timer, end);
		assert_int_equal(loop__run(disk->loop), 0);
	}
	loop__timer_free(timer);
}

int disk__do(struct disk *disk, enum block_op op, uint64_t offset, void *buf, uint64_t length,
	     uint32_t flags)
{
	struct iovec iov = { buf, length };
	struct block_request request = { .op = op, .flags = flags, .offset = offset, .length = length,
					 .iov_count = 1 };
	int result;

	disk__async(disk, &request, &iov, &result);
	disk__wait(disk, disk->waiting - 1);
	return result;
}
