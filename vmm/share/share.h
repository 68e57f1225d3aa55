/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder of the host that a guest uses by 9P2000.L, the protocol of Linux's v9fs.
 *
 * One struct share is one connection: requests are served one after the other, in the order in which
 * they come. All functions are for one thread at a time. They wait for the host's files.
 *
 * The client is hostile. It reaches nothing outside of the folder, whatever links are in it and
 * whatever names it sends; what it can make this process hold is bounded.
 */
#ifndef VMM_SHARE_SHARE_H
#define VMM_SHARE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct share;

#define SHARE_SEGMENTS_MOST 512u     /* of a request, or of the room for its reply */
#define SHARE_REQUEST_LEAST 7u	     /* size, type, tag */
#define SHARE_REPLY_LEAST 11u	     /* of an error */
#define SHARE_MESSAGE_MOST (512u << 10) /* bytes that are agreed on at most */
#define SHARE_OPEN_PRESET 4096u
#define SHARE_OPEN_LEAST 16u
#define SHARE_OPEN_MOST 1000000u

/* Where owners, modes and kinds of files are. */
enum share_security {
	/* The files' own. This process owns what it makes, unless it may give files away. */
	SHARE_SECURITY_NONE,
	/* In extended attributes user.virtfs.*, for the guest alone. */
	SHARE_SECURITY_MAPPED,
};

struct share_options {
	const char *folder;
	bool read_only;
	enum share_security security;
	unsigned open_most; /* files and folders that are open at a time */
};

struct share_message {
	const struct iovec *request; /* guest memory: it may change at any time */
	int request_count;	     /* up to SHARE_SEGMENTS_MOST, as for the reply */
	size_t request_bytes;	     /* at least SHARE_REQUEST_LEAST */
	const struct iovec *reply;
	int reply_count;
	size_t reply_bytes; /* at least SHARE_REPLY_LEAST */
};

/* 0, or -errno with a line in error[] that begins with the folder's name. */
int share__open(const struct share_options *options, struct share **share, char *error,
		size_t error_size);
/* NULL is fine. */
void share__close(struct share *share);
/* Answers a message; how many bytes the reply has. What is wrong with a request is the reply. */
size_t share__serve(struct share *share, const struct share_message *message);
/* The connection begins anew: whatever the client had open is closed. */
void share__reset(struct share *share);

#endif
