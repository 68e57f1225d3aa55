/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device with a user-mode network behind it, which answers ARP, ICMP and DHCP. */
#define _GNU_SOURCE
#include "tests/devices/virtio_driver.h"

#include <string.h>

#include "vmm/net/net.h"

#define F_CSUM (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_MTU (1ull << 3)
#define F_MAC (1ull << 5)
#define F_MRG (1ull << 15)
#define F_CONTROL (1ull << 17 | 1ull << 18 | 1ull << 19 | 1ull << 20 | 1ull << 23)
#define F_MQ (1ull << 22)

#define RX 0
#define TX 1
#define CONTROL 2
#define HEADER 12u
#define BUFFERS_MOST 64

static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t guest_ip[4] = {10, 0, 2, 15}, host_ip[4] = {10, 0, 2, 2};

static const struct net_header no_work;

static struct driver *driver;
static uint64_t buffer_gpa[BUFFERS_MOST]; /* by the queue's id */
static uint8_t host_mac[6];

/* ---- frames ---- */

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t sum(const uint8_t *data, size_t size, uint32_t start)
{
	size_t i;

	for (i = 0; i < size; i++)
		start += i % 2 ? data[i] : data[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

static size_t make_arp(uint8_t *frame)
{
	static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};

	memset(frame, 0, 42);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 28, guest_ip, 4);
	memcpy(frame + 38, host_ip, 4);
	return 42;
}

static void put_ip(uint8_t *frame, unsigned protocol, const uint8_t *from, const uint8_t *to,
		   size_t payload)
{
	uint8_t *ip = frame + 14;

	memcpy(frame, host_mac, 6);
	memcpy(frame + 6, mac, 6);
	put16(frame + 12, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(20 + payload));
	ip[8] = 64;
	ip[9] = (uint8_t)protocol;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	put16(ip + 10, ~sum(ip, 20, 0) & 0xffff);
}

/* An echo request; the answer has the same payload. */
static size_t make_ping(uint8_t *frame, size_t payload, unsigned number)
{
	uint8_t *icmp = frame + 34;
	size_t i;

	put_ip(frame, 1, guest_ip, host_ip, 8 + payload);
	memset(icmp, 0, 8);
	icmp[0] = 8;
	put16(icmp + 6, number);
	for (i = 0; i < payload; i++)
		icmp[8 + i] = (uint8_t)(i * 7 + number);
	put16(icmp + 2, ~sum(icmp, 8 + payload, 0) & 0xffff);
	return 42 + payload;
}

/* Of DHCP, with a checksum that is left to be done. */
static size_t make_discover(uint8_t *frame)
{
	static const uint8_t none[4], all[4] = {255, 255, 255, 255};
	static const uint8_t options[] = {99, 130, 83, 99, 53, 1, 1, 255};
	const size_t size = 8 + 236 + 64;
	uint8_t *udp = frame + 34, pseudo[12] = {0};

	put_ip(frame, 17, none, all, size);
	memset(frame, 0xff, 6);
	memset(udp, 0, size);
	put16(udp, 68);
	put16(udp + 2, 67);
	put16(udp + 4, (unsigned)size);
	udp[8] = 1; /* a request, over Ethernet */
	udp[9] = 1;
	udp[10] = 6;
	udp[12] = 0x77;
	memcpy(udp + 8 + 28, mac, 6);
	memcpy(udp + 8 + 236, options, sizeof(options));
	memcpy(pseudo + 4, all, 4);
	pseudo[9] = 17;
	put16(pseudo + 10, (unsigned)size);
	put16(udp + 6, sum(pseudo, sizeof(pseudo), 0));
	return 34 + size;
}

/* ---- the driver ---- */

static void create(const char *options, uint64_t features)
{
	driver = driver__create(&device_class_virtio_net, options);
	driver__run(driver, features, 3, 32);
}

static void give(unsigned count, uint32_t size)
{
	while (count--) {
		const struct driver_buffer buffer = {driver__alloc(driver, size), size, true};

		buffer_gpa[driver__add(driver, RX, &buffer, 1, false)] = buffer.gpa;
	}
	driver__kick(driver, RX);
	fixture__pump(driver->f, 2);
}

static void send_at(unsigned queue, const struct net_header *header, const uint8_t *frame,
		    size_t size)
{
	uint64_t gpa = driver__alloc(driver, HEADER + size);
	uint8_t *to = driver__memory(driver, gpa, HEADER + size);
	const struct driver_buffer buffers[] = {{gpa, HEADER, false},
						{gpa + HEADER, (uint32_t)size, false}};
	uint32_t length;
	unsigned id;

	memcpy(to, header, HEADER);
	memcpy(to + HEADER, frame, size);
	driver__add(driver, queue, buffers, 2, false);
	driver__kick(driver, queue);
	fixture__pump(driver->f, 20);
	while (driver__used(driver, queue, &id, &length))
		;
}

static void send_with(const struct net_header *header, const uint8_t *frame, size_t size)
{
	send_at(TX, header, frame, size);
}

static void send_frame(const uint8_t *frame, size_t size)
{
	send_with(&no_work, frame, size);
}

/* The next frame, put together. Its size, 0: none. */
static size_t receive(uint8_t *frame, struct net_header *header)
{
	struct net_header first;
	uint32_t length;
	size_t size = 0;
	unsigned id, i = 0;

	do {
		if (!driver__used(driver, RX, &id, &length)) {
			assert_int_equal(i, 0); /* all buffers of a frame at once */
			return 0;
		}
		if (!i) {
			assert_in_range(length, HEADER, 1 << 20);
			memcpy(&first, driver__memory(driver, buffer_gpa[id], HEADER), HEADER);
			assert_in_range(first.buffers, 1, BUFFERS_MOST);
		}
		memcpy(frame + size,
		       driver__memory(driver, buffer_gpa[id] + (i ? 0 : HEADER), length),
		       length - (i ? 0 : HEADER));
		size += length - (i ? 0 : HEADER);
	} while (++i < first.buffers);
	if (header)
		*header = first;
	return size;
}

static void get_host_mac(void)
{
	uint8_t frame[NET_FRAME_MOST];
	size_t size;

	send_frame(frame, make_arp(frame));
	size = receive(frame, NULL);
	assert_in_range(size, 42, 64);
	assert_memory_equal(frame, mac, 6);
	assert_int_equal(get16(frame + 12), 0x0806);
	assert_int_equal(get16(frame + 20), 2);
	memcpy(host_mac, frame + 6, 6);
}

static unsigned control_at(unsigned queue, unsigned class, unsigned command, const void *data,
			   size_t size)
{
	uint64_t gpa = driver__alloc(driver, 8 + size);
	uint8_t *bytes = driver__memory(driver, gpa, 8 + size);
	const struct driver_buffer buffers[] = {{gpa, (uint32_t)(2 + size), false},
						{gpa + 2 + size, 1, true}};
	uint32_t length;
	unsigned id;

	bytes[0] = (uint8_t) class;
	bytes[1] = (uint8_t)command;
	memcpy(bytes + 2, data, size);
	bytes[2 + size] = 0xee;
	driver__add(driver, queue, buffers, 2, false);
	driver__kick(driver, queue);
	fixture__pump(driver->f, 5);
	assert_true(driver__used(driver, queue, &id, &length));
	assert_int_equal(length, 1);
	return bytes[2 + size];
}

static unsigned control(unsigned class, unsigned command, const void *data, size_t size)
{
	return control_at(CONTROL, class, command, data, size);
}

/* Whether an answer to a ping gets through. */
static bool answered(unsigned number)
{
	static uint8_t frame[NET_FRAME_MOST], got[NET_FRAME_MOST];
	size_t size = make_ping(frame, 56, number), back;

	send_frame(frame, size);
	back = receive(got, NULL);
	if (!back)
		return false;
	assert_int_equal(back, size);
	assert_int_equal(get16(got + 40), number);
	return true;
}

/* ---- tests ---- */

static void frames_both_ways(void **state)
{
	static const uint64_t features[] = {0, F_MRG, F_MRG | DRIVER_PACKED,
					    DRIVER_EVENT_IDX | F_MRG,
					    DRIVER_EVENT_IDX | DRIVER_PACKED | F_MRG};
	unsigned i, n;

	for (i = 0; i < ARRAY_LENGTH(features); i++) {
		create("packed=on,queue-size=32", F_MAC | features[i]);
		for (n = 0; n < 6; n++)
			assert_int_equal(driver__read(driver, driver->config + n, 1), mac[n]);
		assert_int_equal(driver__read(driver, driver->config + 6, 2),
				 1); /* the link is up */
		give(30, 2048);
		get_host_mac();
		assert_int_equal(driver__interrupts(driver, RX + 1), 1);
		for (n = 0; n < 80; n++) {
			if (n % 20 == 19)
				give(20, 2048);
			assert_true(answered(n));
		}
		driver__destroy(driver);
	}
}

/* A frame of 6 KiB in buffers of 512 bytes. */
static void merged_buffers(void **state)
{
	static const uint64_t layouts[] = {0, DRIVER_PACKED};
	static uint8_t frame[NET_FRAME_MOST], got[NET_FRAME_MOST];
	struct net_header header;
	unsigned i, n;
	size_t size;

	for (i = 0; i < 2; i++) {
		create("packed=on,queue-size=32", F_MRG | layouts[i]);
		give(1, 512);
		get_host_mac();
		for (n = 0; n < 8; n++) {
			give(12, 512);
			size = make_ping(frame, 6000, n);
			send_frame(frame, size);
			assert_int_equal(receive(got, &header), size);
			assert_int_equal(header.buffers, (HEADER + size + 511) / 512);
			assert_memory_equal(got + 42, frame + 42, 6000);
		}
		driver__destroy(driver);
	}
}

/* Without merging a frame that does not fit is lost, and the buffer is not. */
static void too_large_without_merging(void **state)
{
	static uint8_t frame[NET_FRAME_MOST];

	create("queue-size=32", 0);
	give(4, 1024);
	get_host_mac();
	send_frame(frame, make_ping(frame, 3000, 1));
	assert_int_equal(receive(frame, NULL), 0);
	assert_true(answered(2));
	assert_int_equal(driver__status(driver), 15);
	driver__destroy(driver);
}

/* Frames wait for buffers, and go when there are some; a frame of which only a part fits waits
 * whole. */
static void waits_for_buffers(void **state)
{
	static const uint64_t layouts[] = {0, DRIVER_PACKED, DRIVER_EVENT_IDX};
	static uint8_t frame[NET_FRAME_MOST], got[NET_FRAME_MOST];
	unsigned i;
	size_t size;

	for (i = 0; i < ARRAY_LENGTH(layouts); i++) {
		create("packed=on,queue-size=32", F_MRG | layouts[i]);
		give(3, 512);
		get_host_mac();
		size = make_ping(frame, 2500, 7);
		send_frame(frame, size);
		send_frame(frame, make_ping(frame, 100, 8));
		assert_int_equal(receive(got, NULL), 0);
		give(4, 512);
		fixture__pump(driver->f, 20);
		assert_int_equal(receive(got, NULL), size);
		assert_int_equal(get16(got + 40), 7);
		give(2, 512);
		fixture__pump(driver->f, 20);
		assert_int_equal(receive(got, NULL), 142);
		assert_int_equal(get16(got + 40), 8);
		driver__destroy(driver);
	}
}

static void checksums_are_finished(void **state)
{
	static uint8_t frame[NET_FRAME_MOST], got[NET_FRAME_MOST];
	const struct net_header partial = {
		.flags = NET_HEADER_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	const struct net_header outside = {
		.flags = NET_HEADER_NEEDS_CSUM, .csum_start = 0xfff0, .csum_offset = 0xf};
	struct net_header header;
	size_t size = make_discover(frame);

	create("queue-size=32", F_CSUM | F_GUEST_CSUM);
	give(8, 2048);
	/* As it is, the checksum is wrong. */
	send_frame(frame, size);
	assert_int_equal(receive(got, NULL), 0);
	send_with(&outside, frame, size);
	assert_int_equal(receive(got, NULL), 0);
	send_with(&partial, frame, size);
	assert_in_range(receive(got, &header), 282, 1514);
	assert_int_equal(get16(got + 34), 67);
	assert_memory_equal(got + 42 + 16, guest_ip, 4); /* the offer */
	assert_int_equal(header.flags, NET_HEADER_DATA_VALID);
	driver__destroy(driver);
	/* A driver that knows nothing of checksums is told nothing of them. */
	create("queue-size=32", 0);
	give(8, 2048);
	send_with(&partial, frame, size);
	assert_true(receive(got, &header));
	assert_int_equal(header.flags, 0);
	driver__destroy(driver);
}

static void driver_chooses_frames(void **state)
{
	static const uint8_t on = 1, off = 0, other[6] = {2, 0, 0, 0, 0, 1};
	const uint8_t nothing[8] = {0};
	uint8_t table[4 + 6 + 4] = {1};
	uint8_t flood[4 + 70 * 6 + 4] = {70};
	uint16_t vlan = 4095, no_vlan = 4096;

	create("queue-size=32", F_MRG | F_CONTROL);
	give(31, 1024);
	get_host_mac();
	assert_int_equal(control(0, 0, &off, 1), 0);
	assert_true(answered(1));
	assert_int_equal(control(0, 4, &on, 1), 0); /* none for one */
	assert_false(answered(2));
	assert_int_equal(control(0, 4, &off, 1), 0);
	assert_int_equal(control(1, 1, other, 6), 0); /* another address */
	assert_int_equal(driver__read(driver, driver->config + 5, 1), 1);
	assert_false(answered(3));
	memcpy(table + 4, mac, 6);
	assert_int_equal(control(1, 0, table, sizeof(table)), 0);
	assert_true(answered(4));
	assert_int_equal(control(1, 0, nothing, 8), 0);
	assert_false(answered(5));
	assert_int_equal(control(1, 0, flood, sizeof(flood)), 0); /* more than it keeps: all */
	assert_true(answered(6));
	assert_int_equal(control(1, 0, nothing, 8), 0);
	assert_int_equal(control(0, 2, &on, 1), 0); /* all for one */
	assert_true(answered(7));
	assert_int_equal(control(0, 2, &off, 1), 0);
	assert_int_equal(control(0, 0, &on, 1), 0);
	assert_true(answered(8));
	/* Commands that make no sense. */
	table[0] = 200;
	assert_int_equal(control(1, 0, table, sizeof(table)), 1);
	assert_int_equal(control(1, 0, table, 3), 1);
	assert_int_equal(control(1, 1, other, 5), 1);
	assert_int_equal(control(0, 6, &on, 1), 1);
	assert_int_equal(control(0, 0, &on, 0), 1);
	assert_int_equal(control(2, 0, &vlan, 2), 0);
	assert_int_equal(control(2, 0, &no_vlan, 2), 1);
	assert_int_equal(control(4, 0, &vlan, 2), 1); /* not agreed on */
	assert_int_equal(control(200, 0, &on, 1), 1);
	driver__destroy(driver);
	/* A reset forgets it all. */
	create("queue-size=32", F_MRG | F_CONTROL);
	give(8, 1024);
	get_host_mac();
	assert_int_equal(control(0, 0, &off, 1), 0);
	assert_int_equal(control(1, 1, other, 6), 0);
	driver__run(driver, F_MRG | F_CONTROL, 3, 32);
	give(8, 1024);
	assert_true(answered(9));
	driver__destroy(driver);
}

static void several_pairs(void **state)
{
	uint16_t pairs = 3, most = 4, none = 0;
	static uint8_t frame[NET_FRAME_MOST];
	uint32_t length;
	unsigned id, i, got = 0;

	driver = driver__create(&device_class_virtio_net, "queues=4,queue-size=32");
	assert_int_equal(driver__negotiate(driver, F_MRG | F_CONTROL | F_MQ), 11);
	assert_int_equal(driver__read(driver, driver->config + 8, 2), 4);
	if (!driver->mmio)
		assert_int_equal(driver__read(driver, driver->common + 0x12, 2), 9);
	driver__destroy(driver);
	/* A driver that takes one pair has its control queue third. */
	create("queues=4,queue-size=32", F_MRG | F_CONTROL);
	assert_int_equal(control(4, 0, &pairs, 2), 1);
	give(4, 1024);
	get_host_mac();
	assert_true(answered(1));
	driver__destroy(driver);
	/* With three pairs the control queue is the seventh. */
	driver = driver__create(&device_class_virtio_net, "queues=3,queue-size=32");
	driver__run(driver, F_MRG | F_CONTROL | F_MQ, 7, 32);
	assert_int_equal(control_at(6, 4, 0, &most, 2), 1);
	assert_int_equal(control_at(6, 4, 0, &none, 2), 1);
	assert_int_equal(control_at(6, 4, 0, &pairs, 2), 0);
	/* What is sent by any pair is answered, on some pair; a connection's frames on one. */
	for (i = 0; i < 3; i++) {
		const struct driver_buffer buffer = {driver__alloc(driver, 1024), 1024, true};

		driver__add(driver, 2 * i, &buffer, 1, false);
		driver__kick(driver, 2 * i);
	}
	send_at(5, &no_work, frame, make_arp(frame));
	for (i = 0; i < 3; i++)
		got += driver__used(driver, 2 * i, &id, &length);
	assert_int_equal(got, 1);
	driver__destroy(driver);
}

static void rate_limits(void **state)
{
	static uint8_t frame[NET_FRAME_MOST];
	unsigned n, sent = 0;
	uint32_t length;
	unsigned id;

	/* A tenth of a second's worth passes at once. */
	create("queue-size=32,tx-pps=50", F_MRG);
	for (n = 0; n < 15; n++) {
		uint64_t gpa = driver__alloc(driver, 128);
		const struct driver_buffer buffer = {gpa, (uint32_t)(HEADER + make_arp(frame)),
						     false};

		memcpy((uint8_t *)driver__memory(driver, gpa, 128) + HEADER, frame, 42);
		driver__add(driver, TX, &buffer, 1, false);
	}
	driver__kick(driver, TX);
	fixture__pump(driver->f, 1);
	while (driver__used(driver, TX, &id, &length))
		sent++;
	assert_in_range(sent, 1, 14);
	while (sent < 15) {
		fixture__pump(driver->f, 50);
		while (driver__used(driver, TX, &id, &length))
			sent++;
	}
	driver__destroy(driver);
	create("queue-size=32,rx-pps=20", F_MRG);
	give(31, 1024);
	for (n = 0; n < 8; n++)
		send_frame(frame, make_arp(frame));
	for (n = 0; receive(frame, NULL); n++)
		;
	assert_in_range(n, 1, 7);
	while (n < 8) {
		fixture__pump(driver->f, 50);
		while (receive(frame, NULL))
			n++;
	}
	driver__destroy(driver);
}

static void hostile_drivers(void **state)
{
	static uint8_t frame[NET_FRAME_MOST + 1000];
	const struct driver_buffer tiny = {0x1000, 4, true}, short_head = {0x1000, HEADER, false};
	uint32_t length;
	unsigned id;

	create("queue-size=32", F_MRG);
	give(8, 1024);
	get_host_mac();
	/* No frame behind the header, too short or too long ones: lost, with their buffers given
	 * back. */
	driver__add(driver, TX, &short_head, 1, false);
	driver__kick(driver, TX);
	fixture__pump(driver->f, 5);
	assert_true(driver__used(driver, TX, &id, &length));
	send_frame(frame, 1);
	send_frame(frame, 13);
	send_frame(frame, NET_FRAME_MOST + 1);
	assert_true(answered(1));
	/* A buffer without room for the header breaks it, once it is used. */
	driver__run(driver, F_MRG, 3, 32);
	driver__add(driver, RX, &tiny, 1, false);
	driver__kick(driver, RX);
	send_frame(frame, make_arp(frame));
	assert_int_equal(driver__status(driver), 15 | 0x40);
	driver__run(driver, F_MRG, 3, 32);
	give(8, 1024);
	assert_true(answered(2));
	driver__destroy(driver);
}

static void refuse(const char *options, const char *why)
{
	struct fixture *f = fixture__create(&device_class_pci_host, NULL);
	char error[400] = "";
	struct device *dev;
	int err = device__create(&device_class_virtio_net, 0, options, &f->services, &dev, error,
				 sizeof(error));

	if (!err) {
		err = device__realize(dev, error, sizeof(error));
		device__destroy(dev);
	}
	if (!err || !strstr(error, why))
		fail_msg("%s: said \"%s\", not \"%s\"", options, error, why);
	fixture__destroy(f);
}

static void wrong_options(void **state)
{
	refuse("backend=tun", "user, tap or none");
	refuse("mac=53:54:00:12:34:56", "address for one");
	refuse("mac=52:54:00:12:34", "address for one");
	refuse("mac=52:54:00:12:34:5g", "address for one");
	refuse("mac=52:54:00:12:34:567", "address for one");
	refuse("mtu=67", "mtu");
	refuse("queues=33", "queues");
	refuse("network=10.0.2.0", "8 to 27 bits");
	refuse("network=10.0.2.0/28", "8 to 27 bits");
	refuse("network=10.0.2.0/24x", "8 to 27 bits");
	refuse("network6=fec0::/48", "64 bits");
	refuse("dns=10.0.3.1", "in the guest's network");
	refuse("host=10.0.2.3", "different");
	refuse("hostname=", "1 to 32");
	refuse("forward=tcp:80-80", "for example tcp:127.0.0.1:2222-:22");
	refuse("forward=sctp::80-:80", "for example");
	refuse("forward=tcp::0-:80", "for example");
	refuse("forward=tcp::70000-:80", "for example");
	refuse("forward=tcp::8080-:80x", "for example");
	refuse("forward=tcp:nowhere.example:8080-:80", "for example");
	refuse("forward=tcp:127.0.0.1:18080-:80,forward=tcp:127.0.0.1:18080-:81", "cannot listen");
	refuse("backend=tap,ifname=a,bridge=b", "one of");
	refuse("backend=tap,ifname=0123456789abcdef", "1 to 15");
	refuse("backend=tap,fd=999", "open descriptor");
	refuse("backend=tap,fd=0", "no tap interface");
	refuse("backend=tap,bridge=b,helper=/no/such", "/no/such");
	refuse("backend=tap,bridge=b,helper=/bin/false", "made no interface on bridge b");
}

static void state_survives(void **state)
{
	static const uint8_t off = 0, other[6] = {2, 0, 0, 0, 0, 1};
	struct device *dev;
	uint8_t *saved, *again;
	size_t size, i;
	unsigned round;

	create("packed=on,queue-size=32", F_MRG | F_CONTROL | DRIVER_PACKED);
	give(30, 1024);
	get_host_mac();
	assert_int_equal(control(0, 0, &off, 1), 0);
	assert_int_equal(control(1, 1, other, 6), 0);
	dev = driver__device(driver);
	size = state__size(dev->class->state);
	saved = malloc(size);
	again = malloc(size);
	assert_int_equal(state__save(dev->class->state, dev, saved, size), size);
	dev->class->reset(dev);
	assert_int_equal(state__load(dev->class->state, dev, saved, size), 0);
	assert_int_equal(state__save(dev->class->state, dev, again, size), size);
	assert_memory_equal(saved, again, size);
	assert_false(answered(1)); /* the other address is still its own */
	assert_int_equal(control(1, 1, mac, 6), 0);
	assert_true(answered(2));
	for (round = 0; round < 300; round++) {
		memcpy(again, saved, size);
		for (i = 0; i < 20; i++)
			again[4 + (size_t)rand() % (size - 4)] = (uint8_t)rand();
		state__load(dev->class->state, dev, again, size);
		driver__kick(driver, TX);
		driver__kick(driver, CONTROL);
		fixture__pump(driver->f, 0);
	}
	free(again);
	free(saved);
	driver__destroy(driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_both_ways),
		cmocka_unit_test(merged_buffers),
		cmocka_unit_test(too_large_without_merging),
		cmocka_unit_test(waits_for_buffers),
		cmocka_unit_test(checksums_are_finished),
		cmocka_unit_test(driver_chooses_frames),
		cmocka_unit_test(several_pairs),
		cmocka_unit_test(rate_limits),
		cmocka_unit_test(hostile_drivers),
		cmocka_unit_test(wrong_options),
		cmocka_unit_test(state_survives),
	};

	return cmocka_run_group_tests_name("virtio-net", tests, NULL, NULL);
}
