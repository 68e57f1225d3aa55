/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the 9P server, on a folder of its own in /tmp: well behaved, or field by field. */
#ifndef TESTS_UNIT_SHARE_CLIENT_H
#define TESTS_UNIT_SHARE_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vmm/share/protocol.h"
#include "vmm/share/share.h"
#include "vmm/share/wire.h"

#define CLIENT_ROOT 1u /* the fid that is attached */
#define CLIENT_TAG 0x4321u

struct client {
	char folder[64]; /* the share; beside it, in the same place, is what it must not reach */
	char place[48];
	struct share *share;
	size_t piece;	 /* requests and replies are cut into pieces of so many bytes; 0: whole */
	size_t room;	 /* for a reply */
	uint8_t *request, *reply;
	struct wire_writer out;
	struct wire_reader in; /* of the reply, behind its header */
};

/* With a version agreed on and the root attached, unless `bare`. */
struct client *client__create(const struct share_options *options, bool bare);
void client__destroy(struct client *client);

/* A path in the folder; valid until the next call but three. */
const char *client__path(const struct client *client, const char *name);
void client__make_file(const struct client *client, const char *name, const char *content);
/* What a file of the host holds, "" if it is not there. */
const char *client__content(const struct client *client, const char *name);

/* Field by field: begin, put, ask. */
void client__begin(struct client *client, uint8_t type);
void client__put(struct client *client, uint64_t value, unsigned bytes);
void client__put_text(struct client *client, const char *text);
/* Sends it. 0 with client->in at the reply's body, or -errno. The reply must be well formed. */
int client__ask(struct client *client);
/* Likewise with a size in the header of the caller's. */
int client__ask_sized(struct client *client, uint32_t size);

/* Requests; 0 or -errno. */
int client__version(struct client *client, uint32_t most, const char *version);
int client__attach(struct client *client, uint32_t fid);
/* `path` is names with slashes between them; "" is a clone. -ENOENT if not all of it was there. */
int client__walk(struct client *client, uint32_t from, uint32_t to, const char *path);
int client__clunk(struct client *client, uint32_t fid);
int client__open(struct client *client, uint32_t fid, uint32_t flags);
int client__create_file(struct client *client, uint32_t fid, const char *name, uint32_t flags,
			uint32_t mode);
/* Bytes, or -errno. */
long client__read(struct client *client, uint32_t fid, uint64_t offset, uint32_t size, void *buf);
long client__write(struct client *client, uint32_t fid, uint64_t offset, const void *buf, uint32_t size);
int client__mkdir(struct client *client, uint32_t fid, const char *name, uint32_t mode);
int client__mknod(struct client *client, uint32_t fid, const char *name, uint32_t mode, uint32_t major,
		  uint32_t minor);
int client__symlink(struct client *client, uint32_t fid, const char *name, const char *target);
int client__link(struct client *client, uint32_t folder, uint32_t fid, const char *name);
int client__unlink(struct client *client, uint32_t fid, const char *name, uint32_t flags);
int client__rename(struct client *client, uint32_t from, const char *name, uint32_t to,
		   const char *new_name);

struct client_attr {
	uint64_t inode;
	uint32_t mode, uid, gid;
	uint64_t links, device, size;
};

int client__getattr(struct client *client, uint32_t fid, struct client_attr *attr);
int client__setattr(struct client *client, uint32_t fid, uint32_t valid, uint32_t mode, uint32_t uid,
		    uint64_t size);

#endif
