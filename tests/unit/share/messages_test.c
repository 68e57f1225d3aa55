/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every message of 9P2000.L, as a guest would send it, against what the host then has. */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct share_options plain;

static int set_up(void **state)
{
	*state = client__create(&plain, false);
	return 0;
}

static int tear_down(void **state)
{
	client__destroy(*state);
	return 0;
}

static struct stat stat_of(const struct client *client, const char *name)
{
	struct stat stat;

	assert_int_equal(lstat(client__path(client, name), &stat), 0);
	return stat;
}

/* ---- the connection ---- */

static void a_version_is_agreed_on(void **state)
{
	struct client *c = *state;

	assert_int_equal(client__version(c, 8192, "9P2000.L"), 0);
	assert_int_equal(wire__take32(&c->in), 8192);
	assert_int_equal(wire__take(&c->in, 2), 8);
	assert_memory_equal(c->in.at, "9P2000.L", 8);
	assert_int_equal(client__version(c, 1u << 31, "9P2000.L"), 0);
	assert_int_equal(wire__take32(&c->in), SHARE_MESSAGE_MOST);
	assert_int_equal(client__version(c, P9_MESSAGE_LEAST - 1, "9P2000.L"), -EMSGSIZE);
}

static void other_versions_are_unknown_and_nothing_goes_then(void **state)
{
	static const char *const others[] = { "9P2000", "9P2000.u", "9P2000.L2", "", "a very long version" };
	struct client *c = *state;
	unsigned i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(client__version(c, 8192, others[i]), 0);
		wire__take32(&c->in);
		assert_int_equal(wire__take(&c->in, 2), 7);
		assert_memory_equal(c->in.at, "unknown", 7);
		assert_int_equal(client__attach(c, 1), -EPROTO);
	}
}

static void a_version_closes_what_was_open(void **state)
{
	struct client *c = *state;

	client__make_file(c, "a", "x");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "a"), 0);
	assert_int_equal(client__open(c, 2, 0), 0);
	assert_int_equal(client__version(c, 8192, "9P2000.L"), 0);
	assert_int_equal(client__clunk(c, 2), -EBADF);
	assert_int_equal(client__clunk(c, CLIENT_ROOT), -EBADF);
	assert_int_equal(client__attach(c, 2), 0);
}

static void attach_knows_one_tree_and_no_authentication(void **state)
{
	struct client *c = *state;

	assert_int_equal(client__attach(c, CLIENT_ROOT), -EINVAL);
	assert_int_equal(client__attach(c, P9_NO_FID), -EINVAL);
	client__begin(c, P9_TATTACH);
	client__put(c, 7, 4);
	client__put(c, P9_NO_FID, 4);
	client__put_text(c, "");
	client__put_text(c, "/etc");
	client__put(c, 0, 4);
	assert_int_equal(client__ask(c), -ENOENT);
	client__begin(c, P9_TAUTH);
	client__put(c, 7, 4);
	client__put_text(c, "");
	client__put_text(c, "");
	assert_int_equal(client__ask(c), -EOPNOTSUPP);
}

static void a_flush_is_answered(void **state)
{
	client__begin(*state, P9_TFLUSH);
	client__put(*state, 17, 2);
	assert_int_equal(client__ask(*state), 0);
}

/* ---- walking ---- */

static void a_walk_tells_how_far_it_came(void **state)
{
	struct client *c = *state;

	mkdir(client__path(c, "d"), 0755);
	mkdir(client__path(c, "d/e"), 0755);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "d/e"), 0);
	assert_int_equal(c->in.left, 2 * P9_QID_BYTES);
	assert_int_equal(c->in.at[0], P9_QID_DIRECTORY);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "d/x/y"), -ENOENT);
	assert_int_equal(c->in.left, P9_QID_BYTES); /* d was there */
	assert_int_equal(client__clunk(c, 3), -EBADF);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "x"), -ENOENT);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "d"), -EINVAL); /* in use */
	assert_int_equal(client__walk(c, 2, 2, "../.."), 0);		 /* the same fid is fine */
	assert_int_equal(client__walk(c, 2, 2, "d"), 0);
	assert_int_equal(client__walk(c, 2, 4, ""), 0);
	assert_int_equal(client__walk(c, 4, 4, "e"), 0);
}

static void a_fid_stays_with_its_file_when_the_client_renames(void **state)
{
	struct client *c = *state;
	struct client_attr before, after;

	mkdir(client__path(c, "d"), 0755);
	client__make_file(c, "d/f", "content");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "d/f"), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "d"), 0);
	assert_int_equal(client__getattr(c, 2, &before), 0);
	assert_int_equal(client__rename(c, CLIENT_ROOT, "d", CLIENT_ROOT, "other"), 0);
	assert_int_equal(client__getattr(c, 2, &after), 0);
	assert_int_equal(before.inode, after.inode);
	assert_int_equal(client__rename(c, 3, "f", CLIENT_ROOT, "g"), 0);
	assert_int_equal(client__getattr(c, 2, &after), 0);
	assert_string_equal(client__content(c, "g"), "content");
	/* By fid, and over another one, whose fid has nothing then. */
	client__make_file(c, "h", "h");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 4, "h"), 0);
	client__begin(c, P9_TRENAME);
	client__put(c, 2, 4);
	client__put(c, CLIENT_ROOT, 4);
	client__put_text(c, "h");
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(client__getattr(c, 2, &after), 0);
	assert_int_equal(before.inode, after.inode);
	assert_int_equal(client__getattr(c, 4, &after), -ENOENT);
	/* Its parent is the root now. */
	assert_int_equal(client__rename(c, CLIENT_ROOT, "h", 3, "back"), 0);
	assert_int_equal(client__rename(c, CLIENT_ROOT, "other", 3, "inside"), -EINVAL);
	assert_int_equal(client__rename(c, CLIENT_ROOT, "none", 3, "inside"), -ENOENT);
	assert_string_equal(client__content(c, "other/back"), "content");
}

static void a_fid_finds_nothing_when_others_replace_its_file(void **state)
{
	struct client *c = *state;
	struct client_attr attr;

	client__make_file(c, "a", "old");
	client__make_file(c, "b", "new");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "a"), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "a"), 0);
	assert_int_equal(client__open(c, 3, 0), 0);
	assert_int_equal(rename(client__path(c, "b"), client__path(c, "a")), 0);
	assert_int_equal(client__getattr(c, 2, &attr), -ENOENT);
	assert_int_equal(client__open(c, 2, 0), -ENOENT);
	/* What is open is. */
	assert_int_equal(client__getattr(c, 3, &attr), 0);
	assert_int_equal(attr.links, 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 4, "a"), 0);
}

/* ---- files ---- */

static void a_file_is_made_written_and_read_back(void **state)
{
	struct client *c = *state;
	static char data[5000], back[100000];
	unsigned i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 256);
	for (c->piece = 0; c->piece < 40; c->piece = c->piece ? c->piece * 3 : 5) {
		assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
		assert_int_equal(client__create_file(c, 2, "f", O_RDWR | P9_OPEN_EXCLUSIVE, 0640), 0);
		assert_int_equal(client__write(c, 2, 0, data, sizeof(data)), sizeof(data));
		assert_int_equal(client__write(c, 2, 100000, data, 10), 10);
		assert_int_equal(client__read(c, 2, 0, sizeof(data), back), sizeof(data));
		assert_memory_equal(back, data, sizeof(data));
		assert_int_equal(client__read(c, 2, 4000, 100000, back), 96010);
		assert_memory_equal(back, data + 4000, 1000);
		assert_memory_equal(back + 96000, data, 10);
		assert_int_equal(client__read(c, 2, 100010, 100, back), 0);
		assert_int_equal(stat_of(c, "f").st_size, 100010);
		assert_int_equal(stat_of(c, "f").st_mode, S_IFREG | 0640);
		client__begin(c, P9_TFSYNC);
		client__put(c, 2, 4);
		client__put(c, 1, 4);
		assert_int_equal(client__ask(c), 0);
		assert_int_equal(client__clunk(c, 2), 0);
		assert_int_equal(unlink(client__path(c, "f")), 0);
	}
}

static void the_umask_is_the_guests_business(void **state)
{
	struct client *c = *state;
	mode_t before = umask(077);

	assert_int_equal(client__mkdir(c, CLIENT_ROOT, "d", 0777), 0);
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "n", S_IFREG | 0666, 0, 0), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__create_file(c, 2, "f", O_RDWR, 0666), 0);
	umask(before);
	assert_int_equal(stat_of(c, "d").st_mode, S_IFDIR | 0777);
	assert_int_equal(stat_of(c, "n").st_mode, S_IFREG | 0666);
	assert_int_equal(stat_of(c, "f").st_mode, S_IFREG | 0666);
}

static void create_opens_what_is_there_unless_it_must_be_new(void **state)
{
	struct client *c = *state;
	char buf[10];

	client__make_file(c, "f", "there");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__create_file(c, 2, "f", O_RDWR | P9_OPEN_EXCLUSIVE, 0600), -EEXIST);
	assert_int_equal(client__create_file(c, 2, "f", O_RDWR, 0600), 0);
	assert_int_equal(client__read(c, 2, 0, 10, buf), 5);
	/* It is a file's now. */
	assert_int_equal(client__create_file(c, 2, "g", O_RDWR, 0600), -ENOTDIR);
	assert_int_equal(client__open(c, 2, 0), -EINVAL);
}

static void open_flags_do_what_they_say(void **state)
{
	struct client *c = *state;
	char buf[10];

	client__make_file(c, "f", "there");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "f"), 0);
	assert_int_equal(client__read(c, 2, 0, 10, buf), -EBADF);
	assert_int_equal(client__write(c, 2, 0, "x", 1), -EBADF);
	assert_int_equal(client__open(c, 2, 3), -EINVAL);
	assert_int_equal(client__open(c, 2, P9_OPEN_DIRECTORY), -ENOTDIR);
	assert_int_equal(client__open(c, 2, O_WRONLY | P9_OPEN_APPEND), 0);
	assert_int_equal(client__write(c, 2, 0, "more", 4), 4);
	assert_int_equal(client__read(c, 2, 0, 10, buf), -EBADF);
	assert_string_equal(client__content(c, "f"), "theremore");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "f"), 0);
	assert_int_equal(client__open(c, 3, O_RDWR | P9_OPEN_TRUNCATE), 0);
	assert_int_equal(client__write(c, 3, 0, "new", 3), 3);
	assert_string_equal(client__content(c, "f"), "new");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 4, "f"), 0);
	assert_int_equal(client__open(c, 4, O_RDONLY), 0);
	assert_int_equal(client__write(c, 4, 0, "x", 1), -EBADF);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 5, ""), 0);
	assert_int_equal(client__open(c, 5, O_RDWR), -EISDIR);
	assert_int_equal(client__open(c, 5, O_RDONLY), 0);
	assert_int_equal(client__read(c, 5, 0, 10, buf), -EISDIR);
}

static void an_open_file_lives_without_a_name(void **state)
{
	struct client *c = *state;
	struct client_attr attr;
	char buf[10];

	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__create_file(c, 2, "f", O_RDWR, 0600), 0);
	assert_int_equal(client__unlink(c, CLIENT_ROOT, "f", 0), 0);
	assert_int_equal(client__write(c, 2, 0, "hello", 5), 5);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_SIZE, 0, 0, 4), 0);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_MODE, 0400, 0, 0), 0);
	assert_int_equal(client__read(c, 2, 0, 10, buf), 4);
	assert_int_equal(client__getattr(c, 2, &attr), 0);
	assert_int_equal(attr.size, 4);
	assert_int_equal(attr.mode, S_IFREG | 0400);
	/* A new one of the same name is another one. */
	client__make_file(c, "f", "other");
	assert_int_equal(client__walk(c, 2, 3, ""), 0);
	assert_int_equal(client__getattr(c, 3, &attr), -ENOENT);
}

/* ---- folders ---- */

static unsigned list(struct client *c, uint32_t fid, uint32_t count, unsigned *seen, unsigned size)
{
	uint64_t offset = 0;
	unsigned total = 0, n;
	char name[256];

	for (;;) {
		client__begin(c, P9_TREADDIR);
		client__put(c, fid, 4);
		client__put(c, offset, 8);
		client__put(c, count, 4);
		assert_int_equal(client__ask(c), 0);
		assert_true(wire__take32(&c->in) == c->in.left && c->in.left <= count);
		if (!c->in.left)
			return total;
		while (c->in.left) {
			wire__take(&c->in, 5);
			assert_int_not_equal(wire__take64(&c->in), 0);
			offset = wire__take64(&c->in);
			wire__take(&c->in, 1);
			assert_int_equal(wire__take_text(&c->in, name, sizeof(name)), 0);
			total++;
			if (sscanf(name, "file-%u", &n) == 1 && n < size)
				seen[n]++;
		}
	}
}

static void a_big_folder_is_listed_once_each_however_it_is_cut(void **state)
{
	static const uint32_t counts[] = { 300, 4096, 500000 };
	struct client *c = *state;
	unsigned seen[1500], i, k;
	char name[20];

	for (i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "file-%u", i);
		client__make_file(c, name, "");
	}
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__open(c, 2, 0), 0);
	for (k = 0; k < 3; k++) {
		memset(seen, 0, sizeof(seen));
		assert_int_equal(list(c, 2, counts[k], seen, 1500), 1502); /* with . and .. */
		for (i = 0; i < 1500; i++)
			assert_int_equal(seen[i], 1);
	}
	client__begin(c, P9_TREADDIR);
	client__put(c, 2, 4);
	client__put(c, 0, 8);
	client__put(c, 10, 4);
	assert_int_equal(client__ask(c), -EINVAL); /* not one fits; 0 would be the end */
}

static void the_roots_parent_is_the_root(void **state)
{
	struct client *c = *state;
	uint64_t inode = stat_of(c, ".").st_ino;
	char name[256];

	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__open(c, 2, 0), 0);
	client__begin(c, P9_TREADDIR);
	client__put(c, 2, 4);
	client__put(c, 0, 8);
	client__put(c, 4000, 4);
	assert_int_equal(client__ask(c), 0);
	wire__take32(&c->in);
	while (c->in.left) {
		uint64_t path;

		wire__take(&c->in, 5);
		path = wire__take64(&c->in);
		wire__take(&c->in, 8);
		wire__take(&c->in, 1);
		assert_int_equal(wire__take_text(&c->in, name, sizeof(name)), 0);
		assert_int_equal(path, inode);
	}
}

static void folders_links_and_nodes_are_made_and_removed(void **state)
{
	struct client *c = *state;
	struct client_attr attr;
	char target[10];

	assert_int_equal(client__mkdir(c, CLIENT_ROOT, "d", 0750), 0);
	assert_int_equal(client__mkdir(c, CLIENT_ROOT, "d", 0750), -EEXIST);
	assert_int_equal(client__symlink(c, CLIENT_ROOT, "s", "d/f"), 0);
	assert_int_equal(c->in.at[0], P9_QID_SYMLINK);
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "p", S_IFIFO | 0600, 0, 0), 0);
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "b", S_IFBLK | 0600, 8, 0), -EPERM);
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "c", S_IFCHR | 0600, 1, 3), -EPERM);
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "x", S_IFDIR | 0600, 1, 3), -EINVAL);
	client__make_file(c, "d/f", "x");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "d/f"), 0);
	assert_int_equal(client__link(c, CLIENT_ROOT, 2, "hard"), 0);
	assert_int_equal(client__getattr(c, 2, &attr), 0);
	assert_int_equal(attr.links, 2);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "s"), 0);
	assert_int_equal(client__link(c, CLIENT_ROOT, 3, "s2"), 0); /* the link itself */
	assert_int_equal(readlink(client__path(c, "s2"), target, sizeof(target)), 3);
	assert_int_equal(client__getattr(c, 3, &attr), 0);
	assert_int_equal(attr.mode & S_IFMT, S_IFLNK);
	client__begin(c, P9_TREADLINK);
	client__put(c, 3, 4);
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(wire__take(&c->in, 2), 3);
	assert_memory_equal(c->in.at, "d/f", 3);
	client__begin(c, P9_TREADLINK);
	client__put(c, 2, 4);
	assert_int_equal(client__ask(c), -EINVAL);
	assert_int_equal(client__unlink(c, CLIENT_ROOT, "d", 0), -EISDIR);
	assert_int_equal(client__unlink(c, CLIENT_ROOT, "d", P9_UNLINK_DIRECTORY), -ENOTEMPTY);
	assert_int_equal(client__unlink(c, CLIENT_ROOT, "d", 0x400), -EINVAL);
	client__begin(c, P9_TREMOVE);
	client__put(c, 2, 4);
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(client__clunk(c, 2), -EBADF);
	assert_int_equal(client__unlink(c, CLIENT_ROOT, "d", P9_UNLINK_DIRECTORY), 0);
	client__begin(c, P9_TREMOVE);
	client__put(c, CLIENT_ROOT, 4);
	assert_int_equal(client__ask(c), -EBUSY);
}

/* ---- attributes ---- */

static void attributes_are_set(void **state)
{
	struct client *c = *state;
	struct stat stat;

	client__make_file(c, "f", "hello");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "f"), 0);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_MODE | P9_SETATTR_SIZE, 0604, 0, 3), 0);
	assert_string_equal(client__content(c, "f"), "hel");
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_ATIME | P9_SETATTR_ATIME_SET | P9_SETATTR_MTIME |
						       P9_SETATTR_MTIME_SET, 0, 0, 0), 0);
	stat = stat_of(c, "f");
	assert_int_equal(stat.st_mode, S_IFREG | 0604);
	assert_int_equal(stat.st_atim.tv_sec, 1000000000);
	assert_int_equal(stat.st_atim.tv_nsec, 5);
	assert_int_equal(stat.st_mtim.tv_sec, 1100000000);
	assert_int_equal(stat.st_mtim.tv_nsec, 6);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_MTIME, 0, 0, 0), 0); /* now */
	stat = stat_of(c, "f");
	assert_int_equal(stat.st_atim.tv_sec, 1000000000);
	assert_true(stat.st_mtim.tv_sec > 1100000000);
	assert_int_equal(client__setattr(c, CLIENT_ROOT, P9_SETATTR_SIZE, 0, 0, 0), -EISDIR);
	/* A user's own file stays its own; a privileged process gives it away. */
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_UID, 0, 1234, 0), 0);
	assert_int_equal(stat_of(c, "f").st_uid, geteuid() ? geteuid() : 1234);
}

static void programs_get_nobodys_rights(void **state)
{
	struct client *c = *state;

	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__create_file(c, 2, "f", O_RDWR, 06755), 0);
	assert_int_equal(client__mknod(c, CLIENT_ROOT, "n", S_IFREG | 06755, 0, 0), 0);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_MODE, 06711, 0, 0), 0);
	assert_int_equal(stat_of(c, "f").st_mode, S_IFREG | 0711);
	assert_int_equal(stat_of(c, "n").st_mode, S_IFREG | 0755);
}

static void statfs_tells_the_hosts_space(void **state)
{
	struct client *c = *state;

	client__begin(c, P9_TSTATFS);
	client__put(c, CLIENT_ROOT, 4);
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(c->in.left, 60);
	assert_int_equal(wire__take32(&c->in), 0x01021997);
	assert_in_range(wire__take32(&c->in), 512, 1 << 20);
	assert_int_not_equal(wire__take64(&c->in), 0);
}

static int set_xattr(struct client *c, const char *name, const char *value, uint32_t flags)
{
	int err;

	assert_int_equal(client__walk(c, 2, 9, ""), 0);
	client__begin(c, P9_TXATTRCREATE);
	client__put(c, 9, 4);
	client__put_text(c, name);
	client__put(c, strlen(value), 8);
	client__put(c, flags, 4);
	err = client__ask(c);
	if (!err && *value)
		assert_int_equal(client__write(c, 9, 0, value, (uint32_t)strlen(value)), strlen(value));
	if (!err)
		return client__clunk(c, 9);
	client__clunk(c, 9);
	return err;
}

/* The value's bytes, "" and the list of names. */
static long get_xattr(struct client *c, const char *name, char *value)
{
	uint64_t size;
	int err;

	client__begin(c, P9_TXATTRWALK);
	client__put(c, 2, 4);
	client__put(c, 9, 4);
	client__put_text(c, name);
	err = client__ask(c);
	if (err)
		return err;
	size = wire__take64(&c->in);
	assert_int_equal(client__read(c, 9, 0, 1000, value), size);
	assert_int_equal(client__read(c, 9, size, 1000, value + size), 0);
	assert_int_equal(client__clunk(c, 9), 0);
	return (long)size;
}

static void attributes_of_users_go_through_and_no_others(void **state)
{
	struct client *c = *state;
	char value[1100];

	client__make_file(c, "f", "");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "f"), 0);
	if (setxattr(client__path(c, "f"), "user.x", "x", 1, 0))
		skip();
	assert_int_equal(set_xattr(c, "user.colour", "green", 0), 0);
	assert_int_equal(getxattr(client__path(c, "f"), "user.colour", value, 100), 5);
	assert_int_equal(set_xattr(c, "user.colour", "red", XATTR_CREATE), -EEXIST);
	assert_int_equal(get_xattr(c, "user.colour", value), 5);
	assert_memory_equal(value, "green", 5);
	assert_int_equal(get_xattr(c, "user.none", value), -ENODATA);
	assert_int_equal(set_xattr(c, "security.capability", "x", 0), -EOPNOTSUPP);
	assert_int_equal(set_xattr(c, "trusted.x", "x", 0), -EOPNOTSUPP);
	assert_int_equal(get_xattr(c, "system.posix_acl_access", value), -EOPNOTSUPP);
	setxattr(client__path(c, "f"), "trusted.hidden", "x", 1, 0); /* if this is root */
	assert_int_equal(get_xattr(c, "", value), 7 + 12);
	assert_int_equal(set_xattr(c, "user.colour", "", XATTR_REPLACE), 0);
	assert_int_equal(get_xattr(c, "user.colour", value), -ENODATA);
	assert_int_equal(set_xattr(c, "user.empty", "", 0), 0);
	assert_int_equal(get_xattr(c, "user.empty", value), 0);
}

static void an_attribute_that_is_not_whole_is_not_set(void **state)
{
	struct client *c = *state;
	char value[10];

	client__make_file(c, "f", "");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "f"), 0);
	client__begin(c, P9_TXATTRCREATE);
	client__put(c, 2, 4);
	client__put_text(c, "user.half");
	client__put(c, 8, 8);
	client__put(c, 0, 4);
	assert_int_equal(client__ask(c), 0);
	assert_int_equal(client__write(c, 2, 0, "abcd", 4), 4);
	assert_int_equal(client__write(c, 2, 2, "abcd", 4), -EINVAL);
	assert_int_equal(client__write(c, 2, 4, "abcdefgh", 8), -EINVAL);
	assert_int_equal(client__read(c, 2, 0, 4, value), -EBADF);
	assert_int_equal(client__walk(c, 2, 3, ""), -EINVAL);
	assert_int_equal(client__clunk(c, 2), -EINVAL);
	assert_int_equal(client__clunk(c, 2), -EBADF);
	assert_int_equal(getxattr(client__path(c, "f"), "user.half", value, 10), -1);
}

/* ---- locks ---- */

static int lock(struct client *c, uint32_t fid, uint8_t type, uint64_t start, uint64_t length)
{
	client__begin(c, P9_TLOCK);
	client__put(c, fid, 4);
	client__put(c, type, 1);
	client__put(c, 0, 4);
	client__put(c, start, 8);
	client__put(c, length, 8);
	client__put(c, 77, 4);
	client__put_text(c, "guest");
	return client__ask(c) ? -1 : (int)wire__take(&c->in, 1);
}

static int get_lock(struct client *c, uint32_t fid, uint8_t type)
{
	client__begin(c, P9_TGETLOCK);
	client__put(c, fid, 4);
	client__put(c, type, 1);
	client__put(c, 0, 8);
	client__put(c, 0, 8);
	client__put(c, 77, 4);
	client__put_text(c, "guest");
	return client__ask(c) ? -1 : (int)wire__take(&c->in, 1);
}

static void locks_keep_others_on_the_host_out(void **state)
{
	struct client *c = *state;
	struct flock other = { .l_type = F_WRLCK, .l_start = 0, .l_len = 10 };
	int fd;

	client__make_file(c, "f", "0123456789");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "f"), 0);
	assert_int_equal(lock(c, 2, P9_LOCK_READ, 0, 0), -1); /* not open */
	assert_int_equal(client__open(c, 2, O_RDWR), 0);
	fd = open(client__path(c, "f"), O_RDWR);
	assert_int_equal(lock(c, 2, P9_LOCK_WRITE, 5, 10), P9_LOCK_SUCCESS);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &other), -1);
	assert_int_equal(lock(c, 2, P9_LOCK_UNLOCK, 5, 10), P9_LOCK_SUCCESS);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &other), 0);
	assert_int_equal(lock(c, 2, P9_LOCK_READ, 5, 10), P9_LOCK_BLOCKED);
	assert_int_equal(get_lock(c, 2, P9_LOCK_READ), P9_LOCK_WRITE);
	assert_int_equal(wire__take64(&c->in), 0);
	assert_int_equal(wire__take64(&c->in), 10);
	assert_int_equal(get_lock(c, 2, P9_LOCK_UNLOCK), P9_LOCK_WRITE); /* as Linux asks */
	close(fd);
	assert_int_equal(get_lock(c, 2, P9_LOCK_READ), P9_LOCK_UNLOCK);
	assert_int_equal(lock(c, 2, P9_LOCK_READ, 1ull << 63, 0), -1);
	assert_int_equal(lock(c, 2, P9_LOCK_READ, 1, INT64_MAX), -1);
	assert_int_equal(lock(c, 2, 3, 0, 0), -1);
	/* flock() locks for writing what is open for reading. */
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "f"), 0);
	assert_int_equal(client__open(c, 3, O_RDONLY), 0);
	assert_int_equal(lock(c, 3, P9_LOCK_WRITE, 0, 0), P9_LOCK_SUCCESS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_version_is_agreed_on),
		TEST(other_versions_are_unknown_and_nothing_goes_then),
		TEST(a_version_closes_what_was_open),
		TEST(attach_knows_one_tree_and_no_authentication),
		TEST(a_flush_is_answered),
		TEST(a_walk_tells_how_far_it_came),
		TEST(a_fid_stays_with_its_file_when_the_client_renames),
		TEST(a_fid_finds_nothing_when_others_replace_its_file),
		TEST(a_file_is_made_written_and_read_back),
		TEST(the_umask_is_the_guests_business),
		TEST(create_opens_what_is_there_unless_it_must_be_new),
		TEST(open_flags_do_what_they_say),
		TEST(an_open_file_lives_without_a_name),
		TEST(a_big_folder_is_listed_once_each_however_it_is_cut),
		TEST(the_roots_parent_is_the_root),
		TEST(folders_links_and_nodes_are_made_and_removed),
		TEST(attributes_are_set),
		TEST(programs_get_nobodys_rights),
		TEST(statfs_tells_the_hosts_space),
		TEST(attributes_of_users_go_through_and_no_others),
		TEST(an_attribute_that_is_not_whole_is_not_set),
		TEST(locks_keep_others_on_the_host_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
