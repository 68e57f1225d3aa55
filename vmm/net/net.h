/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network back ends: where the frames of a network device go and come from. A back end belongs to
 * one event loop; its functions are for that loop's thread unless they say otherwise.
 */
#ifndef VMM_NET_NET_H
#define VMM_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop;
struct net;

/* The longest IP packet behind an Ethernet header with a VLAN tag. */
#define NET_FRAME_MOST (65535u + 18u)
#define NET_MAC_BYTES 6u
#define NET_QUEUES_MOST 32u
/* IEEE 802.3 and the largest that a back end can do; without the Ethernet header. */
#define NET_MTU_LEAST 68u
#define NET_MTU_MOST 65520u

/* In front of each frame: what is left for the other side to do (virtio 1.2, 5.1.6; the same as
 * Linux's tap). */
struct net_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t header_bytes; /* a hint */
	uint16_t gso_bytes;    /* of payload in each segment */
	uint16_t csum_start, csum_offset;
	uint16_t buffers; /* the device's: how many the frame took */
};

#define NET_HEADER_NEEDS_CSUM 0x1u
#define NET_HEADER_DATA_VALID 0x2u

/* Work that a side leaves to the other; without CSUM none of the others. */
#define NET_OFFLOAD_CSUM 0x01u
#define NET_OFFLOAD_TSO4 0x02u
#define NET_OFFLOAD_TSO6 0x04u
#define NET_OFFLOAD_ECN 0x08u
#define NET_OFFLOAD_UFO 0x10u

/* As the user wrote them (NULL: not given). The help texts say which back end they are for. */
struct net_options {
	char *backend;
	/* user */
	char *network, *host, *dns, *dhcp_start, *network6, *hostname, *domain, *tftp, *bootfile;
	char *forward; /* one to a line */
	bool ipv6, restricted, host_loopback;
	/* tap */
	char *ifname, *bridge, *helper, *fd;
};

/* Rows for the table of a device whose structure is `type`, with a struct net_options `member`. */
#define NET_STRING(type, member, field, name, help)                                                \
	{                                                                                          \
		name, OPTION_STRING, offsetof(type, member.field), 0, 0, 0, help                   \
	}
#define NET_OPTIONS(type, member)                                                                   \
	NET_STRING(type, member, backend, "backend",                                                \
		   "user: the host's own connections; tap: a network interface of the host; none "  \
		   "(user)"),                                                                       \
		NET_STRING(type, member, network, "network",                                        \
			   "user: the guest's IPv4 network, ADDRESS/BITS (10.0.2.0/24)"),           \
		NET_STRING(type, member, host, "host",                                              \
			   "user: the host's address in it (the third: 10.0.2.2)"),                 \
		NET_STRING(type, member, dns, "dns",                                                \
			   "user: address of the name server (the fourth: 10.0.2.3)"),              \
		NET_STRING(type, member, dhcp_start, "dhcp-start",                                  \
			   "user: the first address that DHCP gives (the 16th: 10.0.2.15)"),        \
		{"ipv6", OPTION_BOOL, offsetof(type, member.ipv6), 1, 0, 0, "user: IPv6 too (on)"}, \
		NET_STRING(type, member, network6, "network6",                                      \
			   "user: the guest's IPv6 network, ADDRESS/BITS (fec0::/64)"),             \
		{"forward",                                                                         \
		 OPTION_LIST,                                                                       \
		 offsetof(type, member.forward),                                                    \
		 0,                                                                                 \
		 0,                                                                                 \
		 0,                                                                                 \
		 "user: tcp|udp:[ADDRESS]:PORT-[GUEST-ADDRESS]:PORT, a port of the host that "      \
		 "leads to "                                                                        \
		 "one of the guest; may be given again"},                                           \
		{"restrict",                                                                        \
		 OPTION_BOOL,                                                                       \
		 offsetof(type, member.restricted),                                                 \
		 0,                                                                                 \
		 0,                                                                                 \
		 0,                                                                                 \
		 "user: the guest reaches nothing but what is forwarded to it (off)"},              \
		{"host-loopback",                                                                   \
		 OPTION_BOOL,                                                                       \
		 offsetof(type, member.host_loopback),                                              \
		 1,                                                                                 \
		 0,                                                                                 \
		 0,                                                                                 \
		 "user: the host's address leads to services on its 127.0.0.1 (on)"},               \
		NET_STRING(type, member, hostname, "hostname", "user: the guest's name for DHCP"),  \
		NET_STRING(type, member, domain, "domain", "user: the domain for DHCP"),            \
		NET_STRING(type, member, tftp, "tftp",                                              \
			   "user: folder whose files TFTP gives to the guest"),                     \
		NET_STRING(type, member, bootfile, "bootfile",                                      \
			   "user: name of the file for network boot"),                              \
		NET_STRING(type, member, ifname, "ifname",                                          \
			   "tap: the interface's name; made if need be (tap0, tap1, ...)"),         \
		NET_STRING(type, member, bridge, "bridge",                                          \
			   "tap: a bridge to join, with the help of a program that may do so"),     \
		NET_STRING(type, member, helper, "helper",                                          \
			   "tap: that program (trivet-bridge-helper)"),                             \
		NET_STRING(type, member, fd, "fd", "tap: an open descriptor of the interface")

struct net_events {
	/*
	 * A frame of `size` bytes for the device, with its header. False: it has no room now; the
	 * back end keeps the frame and waits for net__resume(). `queue` is the back end's, from 0.
	 */
	bool (*receive)(void *opaque, unsigned queue, const struct net_header *header,
			const void *frame, size_t size);
	/* That was all for now. */
	void (*received)(void *opaque);
	/* After net__send() said -EAGAIN: another try is worth it. */
	void (*writable)(void *opaque, unsigned queue);
	/* The other end came or went. */
	void (*link)(void *opaque, bool up);
	void *opaque;
};

/*
 * Opens a back end with `queues` queues (1 to NET_QUEUES_MOST) on `loop`. Nothing is received
 * before net__start(). 0, or -errno with a line in error[].
 */
int net__open(const struct net_options *options, unsigned queues, struct loop *loop,
	      struct net **net, char *error, size_t error_size);
void net__start(struct net *net, const struct net_events *events);
/* Loop thread, or the loop does not run. NULL is fine. */
void net__close(struct net *net);

/* How many queues the back end itself has: those of net__open(), or 1. */
unsigned net__queues(const struct net *net);
/* NET_OFFLOAD_* that may be left to the back end; the same are what it may leave to the device. */
uint32_t net__offloads(const struct net *net);
/* What the device takes from it: a subset. Any thread. */
void net__accept_offloads(struct net *net, uint32_t offloads);
/* How many of the queues are in use, from 1. Any thread. */
void net__use_queues(struct net *net, unsigned queues);
/* The largest packet that gets through, without the Ethernet header; 0: as the user says. */
unsigned net__mtu(const struct net *net);

/*
 * A frame from the device: `size` bytes, the header first, in `count` pieces, which may change
 * while it is looked at. 0, -EAGAIN: not now, see writable(), or another -errno: it is lost.
 */
int net__send(struct net *net, unsigned queue, const struct iovec *iov, unsigned count,
	      size_t size);
/* That was all for now. */
void net__flush(struct net *net);
/* The device has room again. Any thread, any lock. */
void net__resume(struct net *net);

/* "52:54:00:12:34:56", no multicast address. 0 or -EINVAL. */
int net__parse_mac(const char *text, uint8_t mac[NET_MAC_BYTES]);

#endif
