/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the 9P server. */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES (1u << 20)

struct client *client__create(const struct share_options *options, bool bare)
{
	struct client *client = calloc(1, sizeof(*client));
	struct share_options mine = *options;
	char error[200] = "";

	assert_non_null(client);
	client->request = malloc(BYTES);
	client->reply = malloc(BYTES);
	client->room = BYTES;
	snprintf(client->place, sizeof(client->place), "/tmp/trivet-share-test.XXXXXX");
	assert_non_null(mkdtemp(client->place));
	snprintf(client->folder, sizeof(client->folder), "%s/in", client->place);
	assert_int_equal(mkdir(client->folder, 0755), 0);
	client__make_file(client, "../secret", "secret");
	mine.folder = client->folder;
	if (!mine.open_most)
		mine.open_most = 100;
	if (share__open(&mine, &client->share, error, sizeof(error)))
		fail_msg("%s", error);
	if (!bare) {
		assert_int_equal(client__version(client, SHARE_MESSAGE_MOST, "9P2000.L"), 0);
		assert_int_equal(client__attach(client, CLIENT_ROOT), 0);
	}
	return client;
}

static int remove_one(const char *path, const struct stat *stat, int what, struct FTW *ftw)
{
	return remove(path);
}

void client__destroy(struct client *client)
{
	/* Nothing outside was touched. */
	assert_string_equal(client__content(client, "../secret"), "secret");
	share__close(client->share);
	nftw(client->place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(client->request);
	free(client->reply);
	free(client);
}

const char *client__path(const struct client *client, const char *name)
{
	static char paths[4][4096];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", client->folder, name);
	return path;
}

void client__make_file(const struct client *client, const char *name, const char *content)
{
	FILE *file = fopen(client__path(client, name), "w");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

const char *client__content(const struct client *client, const char *name)
{
	static char content[1024];
	FILE *file = fopen(client__path(client, name), "r");
	size_t size = 0;

	if (file) {
		size = fread(content, 1, sizeof(content) - 1, file);
		fclose(file);
	}
	content[size] = 0;
	return content;
}

/* ---- messages ---- */

void client__begin(struct client *client, uint8_t type)
{
	client->out = (struct wire_writer){ .buf = client->request, .size = BYTES };
	wire__put(&client->out, 0, 4);
	wire__put(&client->out, type, 1);
	wire__put(&client->out, CLIENT_TAG, 2);
}

void client__put(struct client *client, uint64_t value, unsigned bytes)
{
	wire__put(&client->out, value, bytes);
}

void client__put_text(struct client *client, const char *text)
{
	wire__put_text(&client->out, text, strlen(text));
}

static int cut(uint8_t *buf, size_t size, size_t piece, struct iovec *iov)
{
	int count = 0;

	if (!piece)
		piece = size;
	for (; size && count < (int)SHARE_SEGMENTS_MOST; count++) {
		size_t step = count == SHARE_SEGMENTS_MOST - 1 || piece > size ? size : piece;

		iov[count] = (struct iovec){ .iov_base = buf, .iov_len = step };
		buf += step;
		size -= step;
	}
	return count;
}

int client__ask_sized(struct client *client, uint32_t size)
{
	static struct iovec request[SHARE_SEGMENTS_MOST], reply[SHARE_SEGMENTS_MOST];
	struct share_message message = { .request = request, .reply = reply };
	struct wire_writer head = { .buf = client->request, .size = 4 };
	uint8_t asked = client->request[4], type;
	size_t got;

	wire__put(&head, size, 4);
	message.request_bytes = client->out.used;
	message.request_count = cut(client->request, client->out.used, client->piece, request);
	message.reply_bytes = client->room;
	message.reply_count = cut(client->reply, client->room, client->piece, reply);
	memset(client->reply, 0xee, 64);
	got = share__serve(client->share, &message);
	assert_in_range(got, P9_HEADER_BYTES, client->room);
	client->in = (struct wire_reader){ .at = client->reply, .left = got };
	assert_int_equal(wire__take32(&client->in), got);
	type = (uint8_t)wire__take(&client->in, 1);
	assert_int_equal(wire__take(&client->in, 2), CLIENT_TAG);
	if (type == P9_RLERROR) {
		int err = (int)wire__take32(&client->in);

		assert_int_equal(client->in.left, 0);
		assert_in_range(err, 1, 200);
		return -err;
	}
	assert_int_equal(type, asked + 1);
	return 0;
}

int client__ask(struct client *client)
{
	return client__ask_sized(client, (uint32_t)client->out.used);
}

/* ---- requests ---- */

int client__version(struct client *client, uint32_t most, const char *version)
{
	client__begin(client, P9_TVERSION);
	client__put(client, most, 4);
	client__put_text(client, version);
	return client__ask(client);
}

int client__attach(struct client *client, uint32_t fid)
{
	client__begin(client, P9_TATTACH);
	client__put(client, fid, 4);
	client__put(client, P9_NO_FID, 4);
	client__put_text(client, "root");
	client__put_text(client, "");
	client__put(client, 0, 4);
	return client__ask(client);
}

int client__walk(struct client *client, uint32_t from, uint32_t to, const char *path)
{
	char *copy = strdup(path), *rest = copy, *name;
	unsigned count = 0;
	int err;

	client__begin(client, P9_TWALK);
	client__put(client, from, 4);
	client__put(client, to, 4);
	client__put(client, 0, 2);
	while (*path && (name = strsep(&rest, "/"))) {
		client__put_text(client, name);
		count++;
	}
	client->request[P9_HEADER_BYTES + 8] = (uint8_t)count;
	err = client__ask(client);
	free(copy);
	if (!err && wire__take(&client->in, 2) != count)
		return -ENOENT;
	return err;
}

int client__clunk(struct client *client, uint32_t fid)
{
	client__begin(client, P9_TCLUNK);
	client__put(client, fid, 4);
	return client__ask(client);
}

int client__open(struct client *client, uint32_t fid, uint32_t flags)
{
	client__begin(client, P9_TLOPEN);
	client__put(client, fid, 4);
	client__put(client, flags, 4);
	return client__ask(client);
}

int client__create_file(struct client *client, uint32_t fid, const char *name, uint32_t flags,
			uint32_t mode)
{
	client__begin(client, P9_TLCREATE);
	client__put(client, fid, 4);
	client__put_text(client, name);
	client__put(client, flags, 4);
	client__put(client, mode, 4);
	client__put(client, 0, 4);
	return client__ask(client);
}

long client__read(struct client *client, uint32_t fid, uint64_t offset, uint32_t size, void *buf)
{
	int err;

	client__begin(client, P9_TREAD);
	client__put(client, fid, 4);
	client__put(client, offset, 8);
	client__put(client, size, 4);
	err = client__ask(client);
	if (err)
		return err;
	assert_true(wire__take32(&client->in) == client->in.left && client->in.left <= size);
	memcpy(buf, client->in.at, client->in.left);
	return (long)client->in.left;
}

long client__write(struct client *client, uint32_t fid, uint64_t offset, const void *buf, uint32_t size)
{
	int err;

	client__begin(client, P9_TWRITE);
	client__put(client, fid, 4);
	client__put(client, offset, 8);
	client__put(client, size, 4);
	memcpy(client->request + client->out.used, buf, size);
	client->out.used += size;
	err = client__ask(client);
	return err ? err : (long)wire__take32(&client->in);
}

int client__mkdir(struct client *client, uint32_t fid, const char *name, uint32_t mode)
{
	client__begin(client, P9_TMKDIR);
	client__put(client, fid, 4);
	client__put_text(client, name);
	client__put(client, mode, 4);
	client__put(client, 0, 4);
	return client__ask(client);
}

int client__mknod(struct client *client, uint32_t fid, const char *name, uint32_t mode, uint32_t major,
		  uint32_t minor)
{
	client__begin(client, P9_TMKNOD);
	client__put(client, fid, 4);
	client__put_text(client, name);
	client__put(client, mode, 4);
	client__put(client, major, 4);
	client__put(client, minor, 4);
	client__put(client, 0, 4);
	return client__ask(client);
}

int client__symlink(struct client *client, uint32_t fid, const char *name, const char *target)
{
	client__begin(client, P9_TSYMLINK);
	client__put(client, fid, 4);
	client__put_text(client, name);
	client__put_text(client, target);
	client__put(client, 0, 4);
	return client__ask(client);
}

int client__link(struct client *client, uint32_t folder, uint32_t fid, const char *name)
{
	client__begin(client, P9_TLINK);
	client__put(client, folder, 4);
	client__put(client, fid, 4);
	client__put_text(client, name);
	return client__ask(client);
}

int client__unlink(struct client *client, uint32_t fid, const char *name, uint32_t flags)
{
	client__begin(client, P9_TUNLINKAT);
	client__put(client, fid, 4);
	client__put_text(client, name);
	client__put(client, flags, 4);
	return client__ask(client);
}

int client__rename(struct client *client, uint32_t from, const char *name, uint32_t to,
		   const char *new_name)
{
	client__begin(client, P9_TRENAMEAT);
	client__put(client, from, 4);
	client__put_text(client, name);
	client__put(client, to, 4);
	client__put_text(client, new_name);
	return client__ask(client);
}

int client__getattr(struct client *client, uint32_t fid, struct client_attr *attr)
{
	int err;

	client__begin(client, P9_TGETATTR);
	client__put(client, fid, 4);
	client__put(client, P9_GETATTR_BASIC, 8);
	err = client__ask(client);
	if (err)
		return err;
	assert_int_equal(client->in.left, 153);
	wire__take(&client->in, 8);
	wire__take(&client->in, 5);
	attr->inode = wire__take64(&client->in);
	attr->mode = wire__take32(&client->in);
	attr->uid = wire__take32(&client->in);
	attr->gid = wire__take32(&client->in);
	attr->links = wire__take64(&client->in);
	attr->device = wire__take64(&client->in);
	attr->size = wire__take64(&client->in);
	return 0;
}

int client__setattr(struct client *client, uint32_t fid, uint32_t valid, uint32_t mode, uint32_t uid,
		    uint64_t size)
{
	client__begin(client, P9_TSETATTR);
	client__put(client, fid, 4);
	client__put(client, valid, 4);
	client__put(client, mode, 4);
	client__put(client, uid, 4);
	client__put(client, 0, 4);
	client__put(client, size, 8);
	client__put(client, 1000000000, 8);
	client__put(client, 5, 8);
	client__put(client, 1100000000, 8);
	client__put(client, 6, 8);
	return client__ask(client);
}
