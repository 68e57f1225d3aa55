/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums that are finished, and the bridge helper's file of leaves. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "vmm/bridge/acl.h"
#include "vmm/net/backend.h"

/* RFC 1071, byte by byte. */
static uint16_t plain_sum(const uint8_t *data, size_t size)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < size; i++)
		sum += i % 2 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* With its checksum in it a range of any length adds up to all ones. */
static void checksums_add_up(void **state)
{
	unsigned round;

	for (round = 0; round < 3000; round++) {
		size_t size = 20 + (size_t)rand() % (round % 10 ? 1500 : 65000), i;
		struct net_header header = {.flags = NET_HEADER_NEEDS_CSUM,
					    .csum_start = (uint16_t)(rand() % 15),
					    .csum_offset = (uint16_t)(rand() % 2 * 2)};
		uint8_t *frame = malloc(size);
		size_t at = header.csum_start + header.csum_offset;

		for (i = 0; i < size; i++)
			frame[i] = (uint8_t)(round % 3 ? rand() : 0xff);
		memset(frame + at, 0, 2);
		assert_int_equal(net_frame__finish_checksum(&header, frame, size), 0);
		assert_int_equal(plain_sum(frame + header.csum_start, size - header.csum_start),
				 0xffff);
		free(frame);
	}
}

static void checksums_stay_in_the_frame(void **state)
{
	uint8_t frame[64] = {0};
	struct net_header header = {
		.flags = NET_HEADER_NEEDS_CSUM, .csum_start = 40, .csum_offset = 22};

	assert_int_equal(net_frame__finish_checksum(&header, frame, 64), 0);
	assert_int_equal(net_frame__finish_checksum(&header, frame, 63), -EINVAL);
	header.csum_start = 64;
	header.csum_offset = 0;
	assert_int_equal(net_frame__finish_checksum(&header, frame, 64), -EINVAL);
	header.csum_start = header.csum_offset = 0xffff;
	assert_int_equal(net_frame__finish_checksum(&header, frame, 64), -EINVAL);
	header.flags = NET_HEADER_DATA_VALID;
	assert_int_equal(net_frame__finish_checksum(&header, frame, 64), 0);
}

static void mac_addresses(void **state)
{
	static const char *const wrong[] = {"",
					    "52:54:00:12:34",
					    "52:54:00:12:34:56:",
					    "52:54:00:12:34:5",
					    "52-54-00-12-34-56",
					    "5:54:00:12:34:56",
					    " 52:54:00:12:34:56",
					    "01:00:00:00:00:00",
					    "52:54:00:12:34:+6"};
	uint8_t mac[6];
	unsigned i;

	assert_int_equal(net__parse_mac("aA:0f:00:12:34:56", mac), 0);
	assert_memory_equal(mac, "\xaa\x0f\0\x12\x34\x56", 6);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(net__parse_mac(wrong[i], mac), -EINVAL);
}

static char folder[] = "/tmp/acl-test-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int ask(const char *text, const char *bridge, bool *allowed, char *error, size_t size)
{
	char path[64];

	write_file("acl", text);
	snprintf(path, sizeof(path), "%s/acl", folder);
	return acl__check(path, geteuid(), bridge, allowed, error, size);
}

static bool is_allowed(const char *text, const char *bridge)
{
	char error[200];
	bool allowed;

	assert_int_equal(ask(text, bridge, &allowed, error, sizeof(error)), 0);
	return allowed;
}

static void leaves_for_bridges(void **state)
{
	char include[128], error[200];
	bool allowed = true;

	assert_false(is_allowed("", "br0"));
	assert_true(is_allowed("allow br0\n", "br0"));
	assert_false(is_allowed("allow br0\n", "br01"));
	assert_false(is_allowed("allow br01\n", "br0"));
	assert_true(is_allowed("# all of them\n  allow\tall # really\n\n", "br0"));
	assert_false(is_allowed("deny br0\nallow all\n", "br0"));
	assert_false(is_allowed("allow all\ndeny br0\n", "br0"));
	assert_false(is_allowed("allow br0\ndeny all", "br0"));
	write_file("more", "allow br7\n");
	snprintf(include, sizeof(include), "include %s/more\n", folder);
	assert_true(is_allowed(include, "br7"));
	/* What is wrong allows nothing, whatever stands before it. */
	assert_int_equal(ask("allow all\npermit br0\n", "br0", &allowed, error, sizeof(error)),
			 -EINVAL);
	assert_false(allowed);
	assert_non_null(strstr(error, "acl:2: must be"));
	assert_int_equal(ask("allow br0 br1\n", "br0", &allowed, error, sizeof(error)), -EINVAL);
	assert_int_equal(ask("allow\n", "br0", &allowed, error, sizeof(error)), -EINVAL);
	assert_int_equal(
		ask("allow all\ninclude /no/such\n", "br0", &allowed, error, sizeof(error)),
		-ENOENT);
	assert_false(allowed);
	write_file("more", include);
	assert_int_equal(ask(include, "br0", &allowed, error, sizeof(error)), -ELOOP);
	assert_int_equal(acl__check("/no/such", 0, "br0", &allowed, error, sizeof(error)), -ENOENT);
}

static int ask_with_mode(mode_t mode, uid_t owner, char *error, size_t size)
{
	char path[64];
	bool allowed;
	int err;

	write_file("acl", "allow br0\n");
	snprintf(path, sizeof(path), "%s/acl", folder);
	assert_int_equal(chmod(path, mode), 0);
	err = acl__check(path, owner, "br0", &allowed, error, size);
	assert_true(allowed == !err);
	assert_int_equal(chmod(path, 0644), 0);
	return err;
}

static void leaves_that_others_can_write(void **state)
{
	char error[200];
	bool allowed;

	assert_int_equal(ask_with_mode(0644, geteuid(), error, sizeof(error)), 0);
	assert_int_equal(ask_with_mode(0600, geteuid(), error, sizeof(error)), 0);
	assert_int_equal(ask_with_mode(0664, geteuid(), error, sizeof(error)), -EPERM);
	assert_non_null(strstr(error, "acl: must be a regular file of root's"));
	assert_int_equal(ask_with_mode(0646, geteuid(), error, sizeof(error)), -EPERM);
	/* Root's are anybody's. */
	assert_int_equal(ask_with_mode(0644, geteuid() + 1, error, sizeof(error)),
			 geteuid() ? -EPERM : 0);
	assert_int_equal(acl__check(folder, geteuid(), "br0", &allowed, error, sizeof(error)),
			 -EPERM);
	assert_false(allowed);
}

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/acl", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/more", folder);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_add_up),
		cmocka_unit_test(checksums_stay_in_the_frame),
		cmocka_unit_test(mac_addresses),
		cmocka_unit_test(leaves_for_bridges),
		cmocka_unit_test(leaves_that_others_can_write),
	};

	return cmocka_run_group_tests_name("net", tests, make_folder, remove_folder);
}
