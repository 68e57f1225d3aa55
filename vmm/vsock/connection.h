/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of virtio sockets: what the files of this folder share. One thread, the loop's.
 *
 * A function that changes a connection ends with vsock_connection__settle(), which draws the
 * conclusions and may free it; nobody touches it after that.
 */
#ifndef VMM_VSOCK_CONNECTION_H
#define VMM_VSOCK_CONNECTION_H

#include "vmm/vsock/vsock.h"

struct loop_timer;
struct loop_watch;

/* "CONNECT 4294967295\r\n", and some spaces */
#define VSOCK_LINE_BYTES 32u
/* Clients that have not said their port yet. */
#define VSOCK_CLIENTS_MOST 64u
/* Pieces of guest memory that one read of a socket fills. */
#define VSOCK_PIECES_MOST 64u
/* How long a client may take to say it, and the guest to answer. */
#define VSOCK_PATIENCE_NS 30000000000ull
#define VSOCK_BUCKETS 256u
/* One for each connection there can be, and some for packets of connections that are not there. */
#define VSOCK_RESETS_MOST (2 * VSOCK_CONNECTIONS_MOST)

enum vsock_state {
	VSOCK_CLIENT,	 /* the host's; has not said which port it wants */
	VSOCK_REQUESTED, /* the host's; the guest has not answered */
	VSOCK_OPEN,
	VSOCK_ENDING, /* the host's end is gone; the guest has not taken notice */
	VSOCK_LEFT,   /* the guest's end is gone; its last data is on the way to the host */
};

/* Packets that the guest is owed; sent in this order. */
#define VSOCK_OWE_REQUEST 0x01u
#define VSOCK_OWE_RESPONSE 0x02u
#define VSOCK_OWE_CREDIT_UPDATE 0x04u
#define VSOCK_OWE_CREDIT_REQUEST 0x08u
#define VSOCK_OWE_SHUTDOWN 0x10u
#define VSOCK_OWE_DATA 0x20u /* the socket has some, or its end */

struct vsock_link {
	struct vsock_link *next, *previous; /* a ring through its list; NULL: in none */
};

struct vsock_connection {
	struct vsock *vsock;
	enum vsock_state state;
	uint32_t host_port, guest_port;
	struct vsock_connection *next_in_bucket;
	struct vsock_link all, pending, waiting;
	uint64_t deadline; /* while it is on the list `waiting` */
	int fd;		   /* -1: none */
	struct loop_watch *watch;
	uint32_t watched; /* for which events */
	uint8_t owes;
	bool asked;	    /* REQUESTED: the guest has got the request */
	bool failed;	    /* to be reset */
	bool sending_shut;  /* the socket's peer knows that the guest sends no more */
	uint8_t guest_shut; /* VSOCK_SHUT_*: as the guest said */
	uint8_t host_shut;  /* as the guest is told, or will be */

	/* From the guest to the host; all counts go round at 2^32 (5.10.6.3). */
	uint32_t received, forwarded, forwarded_told;
	uint8_t *buffer; /* a ring for what is between the two; NULL: not needed so far */
	/* From the host to the guest */
	uint32_t sent, guest_alloc, guest_forwarded;

	uint8_t line_length;
	char line[VSOCK_LINE_BYTES];
};

struct vsock_reset {
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock {
	struct vsock_options options;
	int listener;
	struct loop_watch *listener_watch;
	bool accepting; /* the watch is armed */
	bool running;
	uint64_t retry_at; /* the host had no descriptors: when to accept again; 0: now */
	struct loop_timer *timer;
	uint64_t timer_at; /* 0: not armed */
	unsigned connections, clients;
	struct vsock_link all, pending, waiting; /* the last in the order of deadlines */
	struct vsock_connection *bucket[VSOCK_BUCKETS];
	uint32_t next_port;
	/* Resets that the guest is owed, of connections that are not there (any more). */
	unsigned reset_at, reset_count;
	struct vsock_reset reset[VSOCK_RESETS_MOST];
};

static inline uint32_t vsock_connection__buffered(const struct vsock_connection *c)
{
	return c->received - c->forwarded;
}

/* Data of the socket is for the guest, now or later. */
static inline bool vsock_connection__reads_host(const struct vsock_connection *c)
{
	return c->state == VSOCK_OPEN && !(c->host_shut & VSOCK_SHUT_SEND) &&
	       !(c->guest_shut & VSOCK_SHUT_RECEIVE);
}

/*
 * A connection on this socket, which is its own from now on. NULL, with the socket closed: there
 * are too many, or the host refuses.
 */
struct vsock_connection *vsock_connection__create(struct vsock *vsock, enum vsock_state state, int fd);
void vsock_connection__destroy(struct vsock_connection *c);
struct vsock_connection *vsock_connection__find(struct vsock *vsock, uint32_t host_port,
						uint32_t guest_port);
/* Gives it its ports. */
void vsock_connection__name(struct vsock_connection *c, uint32_t host_port, uint32_t guest_port);
void vsock_connection__owe(struct vsock_connection *c, uint8_t what);
/* Ends after VSOCK_PATIENCE_NS in this state. */
void vsock_connection__expect(struct vsock_connection *c);
void vsock_connection__settle(struct vsock_connection *c);
/* Ends it. A client that waits for its "OK" is told why; the guest is if it knows of the connection. */
void vsock_connection__abort(struct vsock_connection *c, const char *why);

/* The guest has forgotten it, and may use its ports for another. Settles. */
void vsock_connection__leave(struct vsock_connection *c);

/* Bytes that the guest has room for. */
uint32_t vsock_connection__credit(const struct vsock_connection *c);
/* Data from the guest, `length` bytes. */
void vsock_connection__take(struct vsock_connection *c, const struct iovec *data, unsigned count,
			    uint32_t length);
/* The socket has room again for what waits in the buffer. */
void vsock_connection__flush(struct vsock_connection *c);
/* Fills in the lowest packet that is owed. False: it was not needed any more. */
bool vsock_connection__give(struct vsock_connection *c, struct vsock_header *header,
			    const struct iovec *room, unsigned count);

/* The guest is told that there is no such connection. Lost if far too many are owed already. */
void vsock__push_reset(struct vsock *vsock, uint32_t host_port, uint32_t guest_port, uint16_t type);
/* The timer as lists and retry_at say. */
void vsock__arm_timer(struct vsock *vsock);

/* client.c: the host's side opens a connection. */
int vsock_client__listen(struct vsock *vsock);
void vsock_client__close(struct vsock *vsock);
/* Accepts, or not, as things are now. */
void vsock_client__arm(struct vsock *vsock);
/* The client has sent something. */
void vsock_client__read(struct vsock_connection *c);
/* The guest has accepted. */
void vsock_client__welcome(struct vsock_connection *c);
void vsock_client__refuse(struct vsock_connection *c, const char *why);

#endif
