/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners, modes and kinds of files in attributes: what the guest sees, and what is on the host. */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct share_options mapped = { .security = SHARE_SECURITY_MAPPED };

static int set_up(void **state)
{
	*state = client__create(&mapped, false);
	return 0;
}

static int tear_down(void **state)
{
	client__destroy(*state);
	return 0;
}

static bool has_attributes(const struct client *c)
{
	client__make_file(c, "probe", "");
	return !setxattr(client__path(c, "probe"), "user.x", "x", 1, 0);
}

static struct stat stat_of(const struct client *client, const char *name)
{
	struct stat stat;

	assert_int_equal(lstat(client__path(client, name), &stat), 0);
	return stat;
}

static struct client_attr attr_of(struct client *c, const char *name)
{
	struct client_attr attr;

	assert_int_equal(client__walk(c, CLIENT_ROOT, 60, name), 0);
	assert_int_equal(client__getattr(c, 60, &attr), 0);
	assert_int_equal(client__clunk(c, 60), 0);
	return attr;
}

static void owners_and_modes_are_the_guests(void **state)
{
	struct client *c = *state;
	struct client_attr attr;
	uint32_t number;

	if (!has_attributes(c))
		skip();
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__create_file(c, 2, "f", O_RDWR, 06444), 0);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_UID, 0, 1234, 0), 0);
	assert_int_equal(client__mkdir(c, CLIENT_ROOT, "d", 01777), 0);
	attr = attr_of(c, "f");
	assert_int_equal(attr.mode, S_IFREG | 06444);
	assert_int_equal(attr.uid, 1234);
	assert_int_equal(attr_of(c, "d").mode, S_IFDIR | 01777);
	/* On the host they are its owner's, and nobody gets rights by them. */
	assert_int_equal(stat_of(c, "f").st_mode, S_IFREG | 0600);
	assert_int_equal(stat_of(c, "f").st_uid, geteuid());
	assert_int_equal(stat_of(c, "d").st_mode, S_IFDIR | 0700);
	/* As QEMU has them. */
	assert_int_equal(getxattr(client__path(c, "f"), "user.virtfs.uid", &number, 4), 4);
	assert_int_equal(number, 1234);
	assert_int_equal(getxattr(client__path(c, "f"), "user.virtfs.mode", &number, 4), 4);
	assert_int_equal(number, S_IFREG | 06444);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_MODE, 0751, 0, 0), 0);
	assert_int_equal(attr_of(c, "f").mode, S_IFREG | 0751);
	assert_int_equal(stat_of(c, "f").st_mode, S_IFREG | 0600);
}

static void devices_and_links_are_files_on_the_host(void **state)
{
	struct client *c = *state;
	struct client_attr attr;

	if (!has_attributes(c))
		skip();
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "c", S_IFCHR | 0620, 4, 65), 0);
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "p", S_IFIFO | 0600, 0, 0), 0);
	assert_int_equal(client__symlink(c, CLIENT_ROOT, "s", "../../etc/passwd"), 0);
	assert_int_equal(c->in.at[0], P9_QID_SYMLINK);
	attr = attr_of(c, "c");
	assert_int_equal(attr.mode, S_IFCHR | 0620);
	assert_int_equal(attr.device, 4 << 8 | 65);
	assert_int_equal(attr_of(c, "p").mode, S_IFIFO | 0600);
	assert_int_equal(attr_of(c, "s").mode, S_IFLNK | 0777);
	assert_true(S_ISREG(stat_of(c, "c").st_mode) && S_ISREG(stat_of(c, "p").st_mode) &&
		    S_ISREG(stat_of(c, "s").st_mode));
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "s"), 0);
	client__begin(c, P9_TREADLINK);
	client__put(c, 2, 4);
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(wire__take(&c->in, 2), 16);
	assert_memory_equal(c->in.at, "../../etc/passwd", 16);
	assert_int_equal(client__open(c, 2, 0), -ELOOP);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "c"), 0);
	assert_int_equal(client__open(c, 3, 0), -EOPNOTSUPP);
}

static void real_links_and_plain_files_stay_what_they_are(void **state)
{
	struct client *c = *state;
	char target[10];

	client__make_file(c, "f", "x");
	chmod(client__path(c, "f"), 0640);
	assert_int_equal(symlink("f", client__path(c, "s")), 0);
	assert_int_equal(attr_of(c, "f").mode, S_IFREG | 0640);
	assert_int_equal(attr_of(c, "s").mode & S_IFMT, S_IFLNK);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "s"), 0);
	client__begin(c, P9_TREADLINK);
	client__put(c, 2, 4);
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(wire__take_text(&c->in, target, sizeof(target)), 0);
	assert_string_equal(target, "f");
}

static void a_wrong_attribute_makes_no_folder_of_a_file(void **state)
{
	struct client *c = *state;
	uint32_t mode = S_IFDIR | 0755;

	if (!has_attributes(c))
		skip();
	assert_int_equal(setxattr(client__path(c, "probe"), "user.virtfs.mode", &mode, 4, 0), 0);
	assert_int_equal(attr_of(c, "probe").mode, S_IFREG | 0755);
	mode = S_IFLNK | 0777;
	assert_int_equal(setxattr(client__path(c, "."), "user.virtfs.mode", &mode, 4, 0), 0);
	assert_int_equal(attr_of(c, "").mode, S_IFDIR | 0777);
	assert_int_equal(setxattr(client__path(c, "probe"), "user.virtfs.uid", &mode, 3, 0), 0);
	assert_int_equal(attr_of(c, "probe").uid, geteuid());
}

static void the_attributes_are_not_the_guests(void **state)
{
	struct client *c = *state;

	if (!has_attributes(c))
		skip();
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__create_file(c, 2, "f", O_RDWR, 0644), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "f"), 0);
	client__begin(c, P9_TXATTRCREATE);
	client__put(c, 3, 4);
	client__put_text(c, "user.virtfs.mode");
	client__put(c, 4, 8);
	client__put(c, 0, 4);
	assert_int_equal(client__ask(c), -EOPNOTSUPP);
	client__begin(c, P9_TXATTRWALK);
	client__put(c, 3, 4);
	client__put(c, 4, 4);
	client__put_text(c, "");
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(wire__take64(&c->in), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(owners_and_modes_are_the_guests),
		TEST(devices_and_links_are_files_on_the_host),
		TEST(real_links_and_plain_files_stay_what_they_are),
		TEST(a_wrong_attribute_makes_no_folder_of_a_file),
		TEST(the_attributes_are_not_the_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
