/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that mean harm, and others on the host who change the folder under a client. */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct share_options plain;

static int set_up(void **state)
{
	*state = client__create(&plain, false);
	return 0;
}

static int set_up_read_only(void **state)
{
	static const struct share_options options = { .read_only = true };

	*state = client__create(&options, false);
	return 0;
}

static int set_up_few(void **state)
{
	static const struct share_options options = { .open_most = SHARE_OPEN_LEAST };

	*state = client__create(&options, false);
	return 0;
}

static int tear_down(void **state)
{
	client__destroy(*state);
	return 0;
}

/* ---- ways out ---- */

static void nothing_is_above_the_root(void **state)
{
	struct client *c = *state;
	struct client_attr root, attr;

	assert_int_equal(client__getattr(c, CLIENT_ROOT, &root), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "../../../../../.."), 0);
	assert_int_equal(client__getattr(c, 2, &attr), 0);
	assert_int_equal(attr.inode, root.inode);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "../secret"), -ENOENT);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "../in/.."), -ENOENT);
}

static void names_are_names(void **state)
{
	static const char *const names[] = { "", ".", "..", "/", "a/b", "../secret", "/etc/passwd", "a/" };
	struct client *c = *state;
	unsigned i;

	mkdir(client__path(c, "a"), 0755);
	client__make_file(c, "f", "x");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "f"), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = names[i];

		assert_int_equal(client__mkdir(c, CLIENT_ROOT, name, 0755), -EINVAL);
		assert_int_equal(client__mknod(c, CLIENT_ROOT, name, S_IFREG | 0600, 0, 0), -EINVAL);
		assert_int_equal(client__symlink(c, CLIENT_ROOT, name, "x"), -EINVAL);
		assert_int_equal(client__link(c, CLIENT_ROOT, 2, name), -EINVAL);
		assert_int_equal(client__unlink(c, CLIENT_ROOT, name, 0), -EINVAL);
		assert_int_equal(client__unlink(c, CLIENT_ROOT, name, P9_UNLINK_DIRECTORY), -EINVAL);
		assert_int_equal(client__rename(c, CLIENT_ROOT, name, CLIENT_ROOT, "x"), -EINVAL);
		assert_int_equal(client__rename(c, CLIENT_ROOT, "f", CLIENT_ROOT, name), -EINVAL);
		assert_int_equal(client__walk(c, CLIENT_ROOT, 3, ""), 0);
		assert_int_equal(client__create_file(c, 3, name, O_RDWR, 0600), -EINVAL);
		assert_int_equal(client__clunk(c, 3), 0);
		/* One element of a walk, whatever is in it. */
		client__begin(c, P9_TWALK);
		client__put(c, CLIENT_ROOT, 4);
		client__put(c, 3, 4);
		client__put(c, 1, 2);
		client__put_text(c, name);
		if (strcmp(name, ".."))
			assert_int_equal(client__ask(c), -ENOENT);
		assert_int_equal(client__clunk(c, 3), -EBADF);
	}
	client__begin(c, P9_TMKDIR);
	client__put(c, CLIENT_ROOT, 4);
	client__put(c, 3, 2);
	client__put(c, 'x' | 'y' << 16, 3); /* a 0 in the middle */
	client__put(c, 0755, 4);
	client__put(c, 0, 4);
	assert_int_equal(client__ask(c), -EINVAL);
}

static void links_lead_nowhere_on_the_host(void **state)
{
	static const char *const links[] = { "up", "abs", "root" };
	struct client *c = *state;
	struct client_attr attr;
	unsigned i;

	/* Some planted, some the client's own. */
	assert_int_equal(symlink("..", client__path(c, "up")), 0);
	assert_int_equal(symlink(client__path(c, ".."), client__path(c, "abs")), 0);
	assert_int_equal(client__symlink(c, CLIENT_ROOT, "root", "/"), 0);
	assert_int_equal(client__symlink(c, CLIENT_ROOT, "file", "../secret"), 0);
	client__make_file(c, "f", "x");
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		char path[40];

		snprintf(path, sizeof(path), "%s/secret", links[i]);
		assert_int_equal(client__walk(c, CLIENT_ROOT, 2, path), -ENOENT);
		assert_int_equal(client__walk(c, CLIENT_ROOT, 2, links[i]), 0);
		assert_int_equal(client__getattr(c, 2, &attr), 0);
		assert_int_equal(attr.mode & S_IFMT, S_IFLNK);
		assert_int_equal(client__walk(c, 2, 3, "secret"), -ELOOP);
		assert_int_equal(client__open(c, 2, 0), -ELOOP);
		assert_int_equal(client__mkdir(c, 2, "x", 0755), -ENOTDIR);
		assert_int_equal(client__unlink(c, 2, "secret", 0), -ENOTDIR);
		assert_int_equal(client__rename(c, 2, "secret", CLIENT_ROOT, "mine"), -ENOTDIR);
		assert_int_equal(client__rename(c, CLIENT_ROOT, "f", 2, "secret"), -ENOTDIR);
		assert_int_equal(client__create_file(c, 2, "x", O_RDWR, 0600), -ENOTDIR);
		assert_int_equal(client__clunk(c, 2), 0);
	}
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "file"), 0);
	assert_int_equal(client__open(c, 2, O_RDWR | P9_OPEN_TRUNCATE), -ELOOP);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_SIZE, 0, 0, 0), -EINVAL);
	client__setattr(c, 2, P9_SETATTR_MODE, 0777, 0, 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, ""), 0);
	assert_int_equal(client__create_file(c, 3, "file", O_RDWR | P9_OPEN_TRUNCATE, 0600), -ELOOP);
	assert_int_equal(access(client__path(c, "../x"), F_OK), -1);
}

static void a_folder_that_becomes_a_link_leads_nowhere(void **state)
{
	struct client *c = *state;
	struct client_attr attr;

	mkdir(client__path(c, "d"), 0755);
	client__make_file(c, "d/secret", "mine");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "d"), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "d/secret"), 0);
	assert_int_equal(rename(client__path(c, "d"), client__path(c, "e")), 0);
	assert_int_equal(symlink("..", client__path(c, "d")), 0);
	assert_int_equal(client__getattr(c, 3, &attr), -ELOOP);
	assert_int_equal(client__open(c, 3, 0), -ELOOP);
	assert_int_equal(client__getattr(c, 2, &attr), -ENOENT);
	assert_int_equal(client__walk(c, 2, 4, "secret"), -ENOENT);
	assert_int_equal(client__unlink(c, 2, "secret", 0), -ENOENT);
}

static void a_folder_that_is_moved_away_is_gone(void **state)
{
	struct client *c = *state;

	mkdir(client__path(c, "d"), 0755);
	mkdir(client__path(c, "d/e"), 0755);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "d/e"), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "d/e"), 0);
	assert_int_equal(client__open(c, 3, 0), 0);
	assert_int_equal(rename(client__path(c, "d/e"), client__path(c, "../e")), 0);
	assert_int_equal(client__walk(c, 2, 4, ".."), -ENOENT);
	assert_int_equal(client__walk(c, 3, 4, "../secret"), -ENOENT);
	/* Also not by what is open. */
	assert_int_equal(client__mkdir(c, 2, "x", 0755), -ENOENT);
	assert_int_equal(client__mkdir(c, 3, "x", 0755), -ENOENT);
	assert_int_equal(client__symlink(c, 3, "x", "y"), -ENOENT);
	assert_int_equal(client__rename(c, 3, "x", CLIENT_ROOT, "x"), -ENOENT);
	assert_int_equal(access(client__path(c, "../e/x"), F_OK), -1);
}

/* Opening a FIFO would wait for ever, with another end gone. */
static void what_is_no_file_is_never_opened(void **state)
{
	struct client *c = *state;
	struct client_attr attr;

	assert_int_equal(mkfifo(client__path(c, "p"), 0666), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "p"), 0);
	assert_int_equal(client__getattr(c, 2, &attr), 0);
	assert_int_equal(attr.mode & S_IFMT, S_IFIFO);
	assert_int_equal(client__open(c, 2, O_RDONLY), -EOPNOTSUPP);
	assert_int_equal(client__open(c, 2, O_RDWR), -EOPNOTSUPP);
	assert_int_equal(client__setattr(c, 2, P9_SETATTR_SIZE, 0, 0, 0), -EINVAL);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, ""), 0);
	assert_int_equal(client__create_file(c, 3, "p", O_RDONLY, 0600), -EOPNOTSUPP);
}

/* ---- messages that are wrong ---- */

/* Every request with good fields, of a client whose fid 2 is a folder and 3 a file. */
static void put_request(struct client *c, uint8_t type)
{
	client__begin(c, type);
	switch (type) {
	case P9_TVERSION:
		client__put(c, 8192, 4);
		client__put_text(c, "9P2000.L");
		return;
	case P9_TFLUSH:
		client__put(c, 1, 2);
		return;
	case P9_TATTACH:
		client__put(c, 50, 4);
		client__put(c, P9_NO_FID, 4);
		client__put_text(c, "user");
		client__put_text(c, "");
		client__put(c, 0, 4);
		return;
	case P9_TWALK:
		client__put(c, 2, 4);
		client__put(c, 51, 4);
		client__put(c, 1, 2);
		client__put_text(c, "name");
		return;
	case P9_TREAD:
	case P9_TREADDIR:
	case P9_TWRITE:
		client__put(c, 3, 4);
		client__put(c, 0, 8);
		client__put(c, type == P9_TWRITE ? 4 : 4000, 4);
		if (type == P9_TWRITE)
			client__put(c, 0, 4);
		return;
	case P9_TSYMLINK:
		client__put(c, 2, 4);
		client__put_text(c, "link");
		client__put_text(c, "target");
		client__put(c, 0, 4);
		return;
	case P9_TRENAMEAT:
		client__put(c, 2, 4);
		client__put_text(c, "from");
		client__put(c, 2, 4);
		client__put_text(c, "to");
		return;
	case P9_TLINK:
	case P9_TRENAME:
	case P9_TXATTRWALK:
		client__put(c, 2, 4);
		client__put(c, 3, 4);
		client__put_text(c, "name");
		return;
	case P9_TLOCK:
	case P9_TGETLOCK:
		client__put(c, 3, 4);
		client__put(c, 0, type == P9_TLOCK ? 5 : 1);
		client__put(c, 0, 8);
		client__put(c, 0, 8);
		client__put(c, 1, 4);
		client__put_text(c, "client");
		return;
	case P9_TSETATTR:
		client__put(c, 3, 4);
		client__put(c, 0, 8);
		client__put(c, 0, 8);
		break;
	case P9_TGETATTR:
		client__put(c, 3, 4);
		client__put(c, 0, 8);
		return;
	case P9_TLOPEN:
	case P9_TFSYNC:
		client__put(c, 3, 4);
		client__put(c, 0, 4);
		return;
	case P9_TSTATFS:
	case P9_TREADLINK:
	case P9_TCLUNK:
	case P9_TREMOVE:
		client__put(c, 3, 4);
		return;
	}
	/* lcreate, mkdir, mknod, unlinkat, xattrcreate: a fid, a name, numbers; setattr: its times. */
	if (type != P9_TSETATTR) {
		client__put(c, type == P9_TXATTRCREATE ? 3 : 2, 4);
		client__put_text(c, "name");
	}
	client__put(c, 0600, 8);
	client__put(c, 0, type == P9_TSETATTR ? 8 : 4);
	client__put(c, 0, type == P9_TSETATTR ? 8 : 4);
	client__put(c, 0, type == P9_TSETATTR ? 8 : 0);
}

static void make_fids(struct client *c, bool opened)
{
	assert_int_equal(client__version(c, 8192, "9P2000.L"), 0);
	assert_int_equal(client__attach(c, CLIENT_ROOT), 0);
	client__make_file(c, "file", "x");
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, "file"), 0);
	if (opened)
		assert_int_equal(client__open(c, 3, O_RDWR), 0);
}

/* Whether a request may end before `size` bytes: some have a field that older clients leave out. */
static bool may_end(uint8_t type, size_t size)
{
	return type == P9_TFSYNC && size == P9_HEADER_BYTES + 4;
}

static void a_message_that_is_cut_changes_nothing(void **state)
{
	struct client *c = *state;
	unsigned type;
	size_t size, whole;

	for (type = 0; type < 256; type++) {
		make_fids(c, true);
		put_request(c, (uint8_t)type);
		whole = c->out.used;
		/* Two numbers more than some have are put behind them all. */
		if (type == P9_TMKDIR || type == P9_TLCREATE || type == P9_TUNLINKAT || type == P9_TXATTRCREATE)
			whole = P9_HEADER_BYTES + 4 + 6 + (type == P9_TUNLINKAT ? 4 : type == P9_TMKDIR ? 8 : 12);
		if (type == P9_TMKNOD)
			whole = P9_HEADER_BYTES + 4 + 6 + 16;
		for (size = P9_HEADER_BYTES; size < whole; size++) {
			int err;

			put_request(c, (uint8_t)type);
			c->out.used = size;
			err = client__ask(c);
			if (!may_end((uint8_t)type, size) && err >= 0)
				fail_msg("type %u with %zu of %zu bytes was taken", type, size, whole);
		}
		assert_string_equal(client__content(c, "file"), "x");
		assert_int_equal(access(client__path(c, "name"), F_OK), -1);
		assert_int_equal(access(client__path(c, "link"), F_OK), -1);
	}
}

static void a_size_that_lies_is_refused(void **state)
{
	struct client *c = *state;
	static const uint32_t sizes[] = { 0, 1, 6, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned i;

	make_fids(c, true);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put_request(c, P9_TGETATTR);
		assert_int_equal(client__ask_sized(c, sizes[i]), -EPROTO);
		put_request(c, P9_TWRITE);
		assert_int_equal(client__ask_sized(c, sizes[i]), -EPROTO);
	}
	/* More behind it than it says is no harm. */
	put_request(c, P9_TGETATTR);
	client__put(c, 0, 8);
	assert_int_equal(client__ask_sized(c, (uint32_t)c->out.used - 8), 0);
	/* A count that goes past the message, and one that the reply has no room for. */
	client__begin(c, P9_TWRITE);
	client__put(c, 3, 4);
	client__put(c, 0, 8);
	client__put(c, 5, 4);
	client__put(c, 0, 4);
	assert_int_equal(client__ask(c), -EPROTO);
	client__begin(c, P9_TWRITE);
	client__put(c, 3, 4);
	client__put(c, 0, 8);
	client__put(c, 0xffffffff, 4);
	assert_int_equal(client__ask(c), -EPROTO);
	/* Longer than was agreed on. */
	client__begin(c, P9_TWRITE);
	client__put(c, 3, 4);
	client__put(c, 0, 8);
	client__put(c, 8192, 4);
	c->out.used += 8192;
	assert_int_equal(client__ask(c), -EMSGSIZE);
	assert_string_equal(client__content(c, "file"), "x");
}

static void replies_keep_to_their_room(void **state)
{
	struct client *c = *state;
	static char buf[20000];
	int fd;

	make_fids(c, true);
	fd = open(client__path(c, "file"), O_WRONLY);
	assert_int_equal(write(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	assert_int_equal(client__read(c, 3, 0, 0xffffffff, buf), 8192 - 11);
	for (c->room = SHARE_REPLY_LEAST; c->room < 300; c->room++) {
		unsigned type;

		for (type = 0; type < P9_TYPES; type++) {
			if (type == P9_TCLUNK || type == P9_TREMOVE || type == P9_TVERSION || type == P9_TFSYNC)
				continue;
			put_request(c, (uint8_t)type);
			client__ask(c); /* checks it */
		}
		put_request(c, P9_TGETATTR);
		assert_int_equal(client__ask(c), c->room < 160 ? -EMSGSIZE : 0);
		assert_int_equal(client__read(c, 3, 0, 500, buf), c->room - 11);
	}
}

static void offsets_end_where_files_do(void **state)
{
	struct client *c = *state;
	char byte;

	make_fids(c, true);
	assert_int_equal(client__read(c, 3, UINT64_MAX, 1, &byte), -EINVAL);
	assert_int_equal(client__write(c, 3, UINT64_MAX, "x", 1), -EINVAL);
	assert_int_equal(client__read(c, 3, INT64_MAX, 1, &byte), -EINVAL);
	assert_true(client__write(c, 3, INT64_MAX, "x", 1) < 0);
	assert_int_equal(client__setattr(c, 3, P9_SETATTR_SIZE, 0, 0, UINT64_MAX), -EFBIG);
	client__begin(c, P9_TREADDIR);
	client__put(c, 2, 4);
	client__put(c, 0, 8);
	client__put(c, 1000, 4);
	assert_int_equal(client__ask(c), -EBADF);
	assert_int_equal(client__open(c, 2, 0), 0);
	client__begin(c, P9_TREADDIR);
	client__put(c, 2, 4);
	client__put(c, UINT64_MAX, 8);
	client__put(c, 1000, 4);
	assert_int_equal(client__ask(c), -EINVAL);
}

static void unknown_messages_and_fids_are_refused(void **state)
{
	struct client *c = *state;
	unsigned type;

	for (type = 0; type < 256; type++) {
		int err;

		client__begin(c, (uint8_t)type);
		client__put(c, 99, 4);
		client__put(c, 98, 4);
		c->out.used += 200;
		memset(c->request + P9_HEADER_BYTES + 8, 0, 200);
		err = client__ask(c);
		if (type != P9_TFLUSH && !(err < 0))
			fail_msg("type %u was taken", type);
	}
}

static void nothing_goes_before_a_version(void **state)
{
	struct client *c = client__create(&plain, true);
	unsigned type;

	for (type = 0; type < P9_TYPES; type++) {
		put_request(c, (uint8_t)type);
		if (type != P9_TVERSION)
			assert_in_range(-client__ask(c), 1, 200);
	}
	assert_int_equal(client__attach(c, CLIENT_ROOT), -EPROTO);
	client__destroy(c);
}

/* ---- bounds ---- */

static void open_files_are_bounded(void **state)
{
	struct client *c = *state;
	unsigned i;

	client__make_file(c, "f", "x");
	for (i = 0; i < 2 * SHARE_OPEN_LEAST; i++) {
		assert_int_equal(client__walk(c, CLIENT_ROOT, 10 + i, i % 2 ? "f" : ""), 0);
		assert_int_equal(client__open(c, 10 + i, 0), i < SHARE_OPEN_LEAST ? 0 : -EMFILE);
	}
	assert_int_equal(client__clunk(c, 10), 0);
	assert_int_equal(client__open(c, 10 + SHARE_OPEN_LEAST, 0), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 5, ""), 0);
	assert_int_equal(client__create_file(c, 5, "new", O_RDWR, 0600), -EMFILE);
	assert_int_equal(access(client__path(c, "new"), F_OK), -1);
}

static void fids_are_bounded(void **state)
{
	struct client *c = *state;
	uint32_t fid = 2;
	int err;

	while (!(err = client__walk(c, CLIENT_ROOT, fid, "")))
		fid++;
	assert_int_equal(err, -EMFILE);
	assert_in_range(fid, 65536, 1 << 20);
	assert_int_equal(client__clunk(c, 2), 0);
	assert_int_equal(client__walk(c, CLIENT_ROOT, fid, ""), 0);
}

static void attributes_on_their_way_are_bounded(void **state)
{
	struct client *c = *state;
	unsigned i;
	int err = 0;

	client__make_file(c, "f", "x");
	for (i = 0; i < 10000 && !err; i++) {
		assert_int_equal(client__walk(c, CLIENT_ROOT, 10 + i, "f"), 0);
		client__begin(c, P9_TXATTRCREATE);
		client__put(c, 10 + i, 4);
		client__put_text(c, "user.x");
		client__put(c, 65536, 8);
		client__put(c, 0, 4);
		err = client__ask(c);
	}
	assert_int_equal(err, -ENOMEM);
	assert_in_range(i, 100, 1000);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, "f"), 0);
	client__begin(c, P9_TXATTRCREATE);
	client__put(c, 2, 4);
	client__put_text(c, "user.x");
	client__put(c, 65537, 8);
	client__put(c, 0, 4);
	assert_int_equal(client__ask(c), -E2BIG);
}

static void names_and_paths_are_bounded(void **state)
{
	struct client *c = *state;
	static char name[70000];
	unsigned depth = 0;
	int err = 0;

	memset(name, 'n', sizeof(name) - 1);
	name[60000] = 0;
	assert_int_equal(client__mkdir(c, CLIENT_ROOT, name, 0755), -EMSGSIZE);
	name[5000] = 0;
	assert_int_equal(client__symlink(c, CLIENT_ROOT, "s", name), -ENAMETOOLONG);
	name[256] = 0;
	assert_int_equal(client__mkdir(c, CLIENT_ROOT, name, 0755), -ENAMETOOLONG);
	assert_int_equal(client__walk(c, CLIENT_ROOT, 3, name), -ENAMETOOLONG);
	name[200] = 0;
	assert_int_equal(client__walk(c, CLIENT_ROOT, 2, ""), 0);
	while (!err && depth < 100) {
		assert_int_equal(client__mkdir(c, 2, name, 0755), depth < 20 ? 0 : -ENAMETOOLONG);
		err = client__walk(c, 2, 2, name);
		depth += !err;
	}
	assert_int_equal(err, -ENAMETOOLONG);
	assert_int_equal(depth, 20);
	/* What is there can be removed. */
	for (; depth; depth--) {
		assert_int_equal(client__walk(c, 2, 2, ".."), 0);
		assert_int_equal(client__unlink(c, 2, name, P9_UNLINK_DIRECTORY), 0);
	}
}

/* ---- read only ---- */

static void a_read_only_share_is_not_written(void **state)
{
	struct client *c = *state;
	struct stat before, after;
	unsigned type;
	char byte;

	client__make_file(c, "name", "x");
	client__make_file(c, "from", "x");
	make_fids(c, false);
	stat(client__path(c, "file"), &before);
	assert_int_equal(client__open(c, 3, O_WRONLY), -EROFS);
	assert_int_equal(client__open(c, 3, O_RDWR), -EROFS);
	assert_int_equal(client__open(c, 3, P9_OPEN_TRUNCATE), -EROFS);
	assert_int_equal(client__open(c, 3, 0), 0);
	assert_int_equal(client__read(c, 3, 0, 1, &byte), 1);
	for (type = 0; type < P9_TYPES; type++) {
		static const uint8_t writing[] = { P9_TLCREATE, P9_TSYMLINK, P9_TMKNOD, P9_TRENAME, P9_TSETATTR,
						   P9_TXATTRCREATE, P9_TLINK, P9_TMKDIR, P9_TRENAMEAT,
						   P9_TUNLINKAT, P9_TWRITE, P9_TREMOVE };

		if (!memchr(writing, (int)type, sizeof(writing)))
			continue;
		put_request(c, (uint8_t)type);
		assert_int_equal(client__ask(c), -EROFS);
	}
	stat(client__path(c, "file"), &after);
	assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim));
	assert_string_equal(client__content(c, "from"), "x");
	/* The fid of a remove is gone all the same. */
	assert_int_equal(client__clunk(c, 3), -EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_above_the_root),
		TEST(names_are_names),
		TEST(links_lead_nowhere_on_the_host),
		TEST(a_folder_that_becomes_a_link_leads_nowhere),
		TEST(a_folder_that_is_moved_away_is_gone),
		TEST(what_is_no_file_is_never_opened),
		TEST(a_message_that_is_cut_changes_nothing),
		TEST(a_size_that_lies_is_refused),
		TEST(replies_keep_to_their_room),
		TEST(offsets_end_where_files_do),
		TEST(unknown_messages_and_fids_are_refused),
		cmocka_unit_test(nothing_goes_before_a_version),
		cmocka_unit_test_setup_teardown(open_files_are_bounded, set_up_few, tear_down),
		TEST(fids_are_bounded),
		TEST(attributes_on_their_way_are_bounded),
		TEST(names_and_paths_are_bounded),
		cmocka_unit_test_setup_teardown(a_read_only_share_is_not_written, set_up_read_only, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
