/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 9P server: its life, and the way from a request to a reply. */
#define _GNU_SOURCE
#include "vmm/share/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vmm/block/io/iov.h"
#include "vmm/share/internal.h"

struct request_row {
	share_handler *handle;
	bool writes; /* refused where nothing may be written */
};

static const struct request_row rows[P9_TYPES] = {
	[P9_TSTATFS] = { share_attr__statfs },
	[P9_TLOPEN] = { share_data__lopen }, /* looks itself */
	[P9_TLCREATE] = { share_data__lcreate, true },
	[P9_TSYMLINK] = { share_folder__symlink, true },
	[P9_TMKNOD] = { share_folder__mknod, true },
	[P9_TRENAME] = { share_name__rename, true },
	[P9_TREADLINK] = { share_attr__readlink },
	[P9_TGETATTR] = { share_attr__getattr },
	[P9_TSETATTR] = { share_attr__setattr, true },
	[P9_TXATTRWALK] = { share_xattr__walk },
	[P9_TXATTRCREATE] = { share_xattr__create, true },
	[P9_TREADDIR] = { share_folder__readdir },
	[P9_TFSYNC] = { share_data__fsync },
	[P9_TLOCK] = { share_lock__lock },
	[P9_TGETLOCK] = { share_lock__getlock },
	[P9_TLINK] = { share_folder__link, true },
	[P9_TMKDIR] = { share_folder__mkdir, true },
	[P9_TRENAMEAT] = { share_name__renameat, true },
	[P9_TUNLINKAT] = { share_name__unlinkat, true },
	[P9_TVERSION] = { share_session__version },
	[P9_TAUTH] = { share_session__auth },
	[P9_TATTACH] = { share_session__attach },
	[P9_TFLUSH] = { share_session__flush },
	[P9_TWALK] = { share_session__walk },
	[P9_TREAD] = { share_data__read },
	[P9_TWRITE] = { share_data__write, true },
	[P9_TCLUNK] = { share_session__clunk },
	[P9_TREMOVE] = { share_name__remove }, /* lets the fid go in any case */
};

/* ---- serving ---- */

struct header {
	uint32_t size;
	uint8_t type;
	uint16_t tag;
};

static void take_header(const struct share_message *message, struct header *header)
{
	uint8_t bytes[P9_HEADER_BYTES];
	struct wire_reader in = { .at = bytes, .left = sizeof(bytes) };

	iov__to(message->request, message->request_count, 0, bytes, sizeof(bytes));
	header->size = wire__take32(&in);
	header->type = (uint8_t)wire__take(&in, 1);
	header->tag = (uint16_t)wire__take(&in, 2);
}

static int check_header(const struct share *share, const struct share_message *message,
			const struct header *header)
{
	if (header->size < P9_HEADER_BYTES || header->size > message->request_bytes)
		return -EPROTO;
	if (header->type >= P9_TYPES || !rows[header->type].handle)
		return -EOPNOTSUPP;
	if (header->type == P9_TVERSION)
		return 0;
	/* 9P begins with an agreement. */
	if (!share->message_most)
		return -EPROTO;
	return header->size <= share->message_most ? 0 : -EMSGSIZE;
}

/*
 * Copies the fields, once: they are checked in a copy that the guest cannot change. The payload of a
 * write stays where it is.
 */
static int take_fields(struct share *share, const struct header *header, struct share_call *call)
{
	const struct share_message *message = call->message;
	size_t size = header->size;

	if (header->type == P9_TWRITE && size >= P9_WRITE_HEADER_BYTES) {
		call->payload = size - P9_WRITE_HEADER_BYTES;
		size = P9_WRITE_HEADER_BYTES;
	}
	if (size > sizeof(share->text))
		return -EMSGSIZE;
	size -= P9_HEADER_BYTES;
	iov__to(message->request, message->request_count, P9_HEADER_BYTES, share->text, size);
	call->in = (struct wire_reader){ .at = share->text, .left = size };
	return 0;
}

static int handle(struct share *share, const struct header *header, struct share_call *call)
{
	const struct request_row *row = &rows[header->type];
	int err;

	if (row->writes && share->options.read_only)
		return -EROFS;
	err = take_fields(share, header, call);
	return err ? err : row->handle(share, call);
}

static size_t put_reply(struct share *share, const struct share_message *message, uint8_t type,
			uint16_t tag, const struct share_call *call)
{
	size_t size = P9_HEADER_BYTES + call->out.used;
	uint8_t bytes[P9_HEADER_BYTES];
	struct wire_writer out = { .buf = bytes, .size = sizeof(bytes) };

	wire__put(&out, size + call->payload, 4);
	wire__put(&out, type, 1);
	wire__put(&out, tag, 2);
	iov__from(message->reply, message->reply_count, 0, bytes, sizeof(bytes));
	iov__from(message->reply, message->reply_count, sizeof(bytes), call->out.buf, call->out.used);
	return size + call->payload;
}

size_t share__serve(struct share *share, const struct share_message *message)
{
	struct share_call call = { .message = message,
				   .room = message->reply_bytes,
				   .out = { .buf = share->reply } };
	struct header header;
	uint8_t type;
	int err;

	take_header(message, &header);
	if (share->message_most && call.room > share->message_most)
		call.room = share->message_most;
	call.out.size = call.room - P9_HEADER_BYTES;
	if (call.out.size > sizeof(share->reply))
		call.out.size = sizeof(share->reply);
	err = check_header(share, message, &header);
	if (!err)
		err = handle(share, &header, &call);
	if (!err && call.out.full)
		err = -EMSGSIZE;
	type = err ? P9_RLERROR : header.type + 1;
	if (err) {
		call.out.used = call.payload = 0;
		call.out.full = false;
		wire__put(&call.out, (uint32_t)-err, 4);
	}
	return put_reply(share, message, type, header.tag, &call);
}

void share__reset(struct share *share)
{
	share_fid__remove_all(share);
	share->message_most = 0;
}

/* ---- life ---- */

/*
 * Descriptors that the share may take: the process's limit is raised for them, as far as that may be.
 * If it may not, a part of what there is; other devices need some, too.
 */
static unsigned make_room(unsigned wanted)
{
	struct rlimit limit;
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return SHARE_OPEN_LEAST;
	before = limit.rlim_cur;
	if (before == RLIM_INFINITY)
		return wanted;
	limit.rlim_cur = before + wanted;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		limit.rlim_cur = before;
	if (limit.rlim_cur - before >= wanted)
		return wanted;
	before = limit.rlim_cur / 2;
	return before < wanted ? (unsigned)before : wanted;
}

/* Opens the root, and says what is wrong with it. */
static const char *open_root(struct share *share)
{
	struct share_file file;
	char path[SHARE_PROC_BYTES];
	struct stat shown;
	int err;

	share->root = open(share->options.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (share->root < 0)
		return strerror(errno);
	err = share_file__find(share, share->root_node, &file);
	if (err == -ENOSYS)
		return "the host's kernel has no openat2(), which keeps a guest inside; Linux 5.6 has";
	if (err)
		return strerror(-err);
	share_file__put(&file);
	share->device = file.stat.st_dev;
	share_file__proc_path(share->root, path);
	if (stat(path, &shown) || shown.st_dev != file.stat.st_dev || shown.st_ino != file.stat.st_ino)
		return "the host has no /proc, through which files are opened";
	return NULL;
}

int share__open(const struct share_options *options, struct share **out, char *error, size_t error_size)
{
	struct share *share = calloc(1, sizeof(*share));
	const char *why = "out of memory";

	if (!share)
		goto failed;
	share->options = *options;
	share->root = -1;
	if (getrandom(&share->seed, sizeof(share->seed), 0) != sizeof(share->seed))
		share->seed = (uintptr_t)share;
	share->root_node = share_node__create_root(share);
	if (share->root_node)
		why = open_root(share);
	if (why)
		goto failed;
	share->options.folder = NULL; /* the caller's */
	share->options.open_most = make_room(options->open_most);
	*out = share;
	return 0;
failed:
	snprintf(error, error_size, "%s: %s", options->folder, why);
	share__close(share);
	return -EINVAL;
}

void share__close(struct share *share)
{
	if (!share)
		return;
	share__reset(share);
	if (share->root_node)
		share_node__put(share, share->root_node);
	if (share->root >= 0)
		close(share->root);
	free(share);
}
