/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file system device: its tag, messages through both ring layouts, resets, drivers that mean harm. */
#include "tests/devices/virtio_driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define P9 (&device_class_virtio_p9)
#define QUEUE 0
#define SIZE 128u
#define NEEDS_RESET 0x40u

#define T_VERSION 100
#define T_ATTACH 104
#define T_WALK 110
#define T_LOPEN 12
#define T_READ 116
#define R_ERROR 7

static char folder[64];

static int make_folder(void **state)
{
	char path[80];
	FILE *file;

	snprintf(folder, sizeof(folder), "/tmp/trivet-p9-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("what the file holds", file);
	return fclose(file);
}

static int remove_folder(void **state)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/file", folder);
	unlink(path);
	return rmdir(folder);
}

static struct driver *open_share(const char *more)
{
	char options[200];

	snprintf(options, sizeof(options), "dir=%s,tag=my share,packed=on%s", folder, more);
	return driver__create(P9, options);
}

/* ---- messages ---- */

struct message {
	uint8_t bytes[300];
	size_t size;
};

static void put(struct message *message, uint64_t value, unsigned bytes)
{
	memcpy(message->bytes + message->size, &value, bytes);
	message->size += bytes;
}

static void put_text(struct message *message, const char *text)
{
	put(message, strlen(text), 2);
	memcpy(message->bytes + message->size, text, strlen(text));
	message->size += strlen(text);
}

static struct message begin(uint8_t type)
{
	struct message message = { .size = 4 };

	put(&message, type, 1);
	put(&message, 7, 2);
	return message;
}

/* Sends it, in pieces; the reply's bytes, which are in message->bytes then. */
static uint32_t ask(struct driver *driver, struct message *message)
{
	uint64_t request = driver__alloc(driver, message->size), reply = driver__alloc(driver, 300);
	const struct driver_buffer buffers[] = {
		{ request, 5, false },
		{ request + 5, (uint32_t)message->size - 5, false },
		{ reply, 9, true },
		{ reply + 9, 291, true },
	};
	uint32_t length = 0;
	unsigned id, got;

	memcpy(message->bytes, &message->size, 4);
	memcpy(driver__memory(driver, request, message->size), message->bytes, message->size);
	id = driver__add(driver, QUEUE, buffers, 4, false);
	driver__kick(driver, QUEUE);
	while (!driver__used(driver, QUEUE, &got, &length))
		fixture__pump(driver->f, 1);
	assert_int_equal(got, id);
	assert_in_range(length, 7, 300);
	memcpy(message->bytes, driver__memory(driver, reply, 300), 300);
	assert_memory_equal(message->bytes, &length, 4);
	assert_int_equal(message->bytes[5], 7);
	return length;
}

static void expect_error(const struct message *reply, uint32_t error)
{
	assert_int_equal(reply->bytes[4], R_ERROR);
	assert_memory_equal(reply->bytes + 7, &error, 4);
}

static void agree(struct driver *driver)
{
	struct message m = begin(T_VERSION);

	put(&m, 8192, 4);
	put_text(&m, "9P2000.L");
	assert_int_equal(ask(driver, &m), 21);
	m = begin(T_ATTACH);
	put(&m, 1, 4);
	put(&m, UINT32_MAX, 4);
	put_text(&m, "");
	put_text(&m, "");
	put(&m, 0, 4);
	assert_int_equal(ask(driver, &m), 20);
}

static struct message read_request(void)
{
	struct message m = begin(T_READ);

	put(&m, 2, 4);
	put(&m, 5, 8);
	put(&m, 200, 4);
	return m;
}

static void read_file(struct driver *driver)
{
	struct message m = begin(T_WALK);

	put(&m, 1, 4);
	put(&m, 2, 4);
	put(&m, 1, 2);
	put_text(&m, "file");
	assert_int_equal(ask(driver, &m), 22);
	m = begin(T_LOPEN);
	put(&m, 2, 4);
	put(&m, 0, 4);
	assert_int_equal(ask(driver, &m), 24);
	m = read_request();
	assert_int_equal(ask(driver, &m), 11 + 14);
	assert_memory_equal(m.bytes + 11, "the file holds", 14);
}

/* ---- tests ---- */

static void the_tag_is_in_the_configuration(void **state)
{
	struct driver *driver = open_share("");
	char tag[9] = "";
	unsigned i;

	if (!driver->mmio)
		assert_int_equal(driver__config(driver, PCI_VENDOR, 4), 0x10491af4);
	assert_int_equal(driver__negotiate(driver, 1), 11);
	assert_int_equal(driver->features & 1, 1);
	assert_int_equal(driver__read(driver, driver->config, 2), 8);
	for (i = 0; i < 8; i++)
		tag[i] = (char)driver__read(driver, driver->config + 2 + i, 1);
	assert_string_equal(tag, "my share");
	assert_int_equal(driver__read(driver, driver->config + 10, 1), 0);
	driver__destroy(driver);
}

static void a_file_is_read_through_both_layouts(void **state)
{
	static const uint64_t features[] = { 0, DRIVER_PACKED };
	struct driver *driver = open_share("");
	unsigned i;

	for (i = 0; i < 2; i++) {
		driver__run(driver, features[i], 1, SIZE);
		agree(driver);
		read_file(driver);
	}
	driver__destroy(driver);
}

static void a_reset_closes_what_was_open(void **state)
{
	struct driver *driver = open_share("");
	struct message m;

	driver__run(driver, 0, 1, SIZE);
	agree(driver);
	read_file(driver);
	driver__run(driver, 0, 1, SIZE);
	m = read_request();
	ask(driver, &m);
	expect_error(&m, EPROTO); /* no version yet */
	agree(driver);
	m = read_request();
	ask(driver, &m);
	expect_error(&m, EBADF);
	driver__destroy(driver);
}

static void a_loaded_state_has_nothing_open(void **state)
{
	struct driver *driver = open_share("");
	struct device *dev = driver__device(driver);
	size_t size = state__size(P9->state);
	uint8_t *saved = malloc(size);
	struct message m;

	driver__run(driver, 0, 1, SIZE);
	agree(driver);
	read_file(driver);
	assert_int_equal(state__save(P9->state, dev, saved, size), size);
	assert_int_equal(state__load(P9->state, dev, saved, size), 0);
	m = read_request();
	ask(driver, &m);
	expect_error(&m, EPROTO);
	agree(driver);
	read_file(driver);
	free(saved);
	driver__destroy(driver);
}

static void requests_without_a_way_to_answer_break_the_device(void **state)
{
	struct driver *driver = open_share("");
	uint64_t gpa = driver__alloc(driver, 300);
	const struct driver_buffer cases[][2] = {
		{ { gpa, 6, false }, { gpa + 100, 100, true } },
		{ { gpa, 20, false }, { gpa + 100, 10, true } },
		{ { gpa, 100, false }, { gpa + 100, 10, false } },
		{ { gpa, 100, true }, { gpa + 100, 10, true } },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		driver__run(driver, 0, 1, SIZE);
		driver__add(driver, QUEUE, cases[i], 2, false);
		driver__kick(driver, QUEUE);
		while (!(driver__status(driver) & NEEDS_RESET))
			fixture__pump(driver->f, 1);
	}
	driver__run(driver, 0, 1, SIZE);
	agree(driver);
	read_file(driver);
	driver__destroy(driver);
}

/* Request and reply in the same memory: the reply comes from what was asked. */
static void a_reply_over_its_request(void **state)
{
	struct driver *driver = open_share("");
	struct message m = begin(T_VERSION);
	uint64_t gpa = driver__alloc(driver, 300);
	const struct driver_buffer buffers[] = { { gpa, 21, false }, { gpa, 300, true } };
	uint32_t length;
	unsigned id;

	driver__run(driver, 0, 1, SIZE);
	put(&m, 8192, 4);
	put_text(&m, "9P2000.L");
	memcpy(m.bytes, &m.size, 4);
	memcpy(driver__memory(driver, gpa, 300), m.bytes, m.size);
	driver__add(driver, QUEUE, buffers, 2, false);
	driver__kick(driver, QUEUE);
	while (!driver__used(driver, QUEUE, &id, &length))
		fixture__pump(driver->f, 1);
	assert_int_equal(length, 21);
	m.bytes[4]++;
	assert_memory_equal(driver__memory(driver, gpa, 21), m.bytes, 21);
	driver__destroy(driver);
}

static void expect_refusal(const char *options, const char *says)
{
	const struct device_services services = { 0 };
	struct device *dev;
	char error[300] = "";

	assert_int_equal(device__create(P9, 0, options, &services, &dev, error, sizeof(error)), 0);
	assert_int_equal(device__realize(dev, error, sizeof(error)), -EINVAL);
	if (!strstr(error, says))
		fail_msg("%s: \"%s\"", options, error);
	device__destroy(dev);
}

static void wrong_options_are_named(void **state)
{
	char options[200];

	expect_refusal("tag=x", "dir");
	expect_refusal("dir=/tmp", "tag");
	expect_refusal("dir=/tmp,tag=", "tag");
	expect_refusal("dir=/nonexistent,tag=x", "/nonexistent: No such file");
	expect_refusal("dir=/dev/null,tag=x", "/dev/null: Not a directory");
	expect_refusal("dir=/tmp,tag=x,security=passthrough", "none or mapped");
	snprintf(options, sizeof(options), "dir=/tmp,tag=%065d", 1);
	expect_refusal(options, "64");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_tag_is_in_the_configuration),
		TEST(a_file_is_read_through_both_layouts),
		TEST(a_reset_closes_what_was_open),
		TEST(a_loaded_state_has_nothing_open),
		TEST(requests_without_a_way_to_answer_break_the_device),
		TEST(a_reply_over_its_request),
		cmocka_unit_test(wrong_options_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
