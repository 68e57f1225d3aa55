/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which frames a network device's driver wants (virtio 1.2, 5.1.6.5). */
#include <string.h>

#include "vmm/devices/virtio/net.h"

#define MAC_OFFSET_TYPE 12
#define TYPE_VLAN 0x8100

/* Classes and commands */
enum { CLASS_RX, CLASS_MAC, CLASS_VLAN };
enum { MAC_TABLE_SET, MAC_ADDRESS_SET };
enum { VLAN_ADD, VLAN_DELETE };

void net_filter__reset(struct net_filter *filter, const uint8_t mac[NET_MAC_BYTES])
{
	memset(filter, 0, sizeof(*filter));
	/* Until the driver says what it wants. */
	filter->promiscuous = true;
	memcpy(filter->mac, mac, NET_MAC_BYTES);
}

static bool has_address(const struct net_filter *filter, unsigned first, unsigned count,
			const uint8_t *address)
{
	unsigned i;

	for (i = first; i < first + count && i < NET_ADDRESSES_MOST; i++)
		if (!memcmp(filter->address[i], address, NET_MAC_BYTES))
			return true;
	return false;
}

static bool wants_vlan(const struct net_filter *filter, const uint8_t *frame, size_t size)
{
	unsigned vlan;

	if (size < MAC_OFFSET_TYPE + 4 || frame[MAC_OFFSET_TYPE] != TYPE_VLAN >> 8 ||
	    frame[MAC_OFFSET_TYPE + 1] != (TYPE_VLAN & 0xff))
		return true;
	vlan = (frame[MAC_OFFSET_TYPE + 2] << 8 | frame[MAC_OFFSET_TYPE + 3]) % NET_VLANS;
	return filter->vlan[vlan / 8] >> vlan % 8 & 1;
}

static bool wants_address(const struct net_filter *filter, const uint8_t *address)
{
	static const uint8_t broadcast[NET_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (!memcmp(address, broadcast, sizeof(broadcast)))
		return !filter->no_broadcast;
	if (address[0] & 1)
		return !filter->no_multicast &&
		       (filter->all_multicast || filter->multicast_overflow ||
			has_address(filter, filter->unicasts, filter->multicasts, address));
	return !filter->no_unicast && (filter->all_unicast || filter->unicast_overflow ||
				       !memcmp(address, filter->mac, NET_MAC_BYTES) ||
				       has_address(filter, 0, filter->unicasts, address));
}

bool net_filter__wants(const struct net_filter *filter, bool vlans, const uint8_t *frame,
		       size_t size)
{
	if (size < MAC_OFFSET_TYPE + 2)
		return false;
	if (filter->promiscuous)
		return true;
	return (!vlans || wants_vlan(filter, frame, size)) && wants_address(filter, frame);
}

/* ---- commands ---- */

static bool set_mode(struct net_filter *filter, uint8_t command, const struct virtio_chain *chain,
		     size_t offset)
{
	uint8_t *const mode[] = {&filter->promiscuous, &filter->all_multicast,
				 &filter->all_unicast, &filter->no_multicast,
				 &filter->no_unicast,  &filter->no_broadcast};
	uint8_t on;

	if (command >= ARRAY_LENGTH(mode) || virtio_chain__read(chain, offset, &on, 1) != 1)
		return false;
	*mode[command] = !!on;
	return true;
}

/* A count and so many addresses, to the places from `first`. What there is no room for is not kept.
 */
static bool take_addresses(struct net_filter *filter, const struct virtio_chain *chain,
			   size_t *offset, unsigned first, uint32_t *kept, uint8_t *overflow)
{
	uint32_t count;

	if (virtio_chain__read(chain, *offset, &count, sizeof(count)) != sizeof(count))
		return false;
	*offset += sizeof(count);
	if (count > (chain->readable_bytes - *offset) / NET_MAC_BYTES)
		return false;
	*overflow = count > NET_ADDRESSES_MOST - first;
	*kept = *overflow ? 0 : count;
	virtio_chain__read(chain, *offset, filter->address[first], *kept * NET_MAC_BYTES);
	*offset += (size_t)count * NET_MAC_BYTES;
	return true;
}

static bool set_table(struct net_filter *filter, const struct virtio_chain *chain, size_t offset)
{
	struct net_filter now = *filter;

	if (!take_addresses(&now, chain, &offset, 0, &now.unicasts, &now.unicast_overflow) ||
	    !take_addresses(&now, chain, &offset, now.unicasts, &now.multicasts,
			    &now.multicast_overflow))
		return false;
	*filter = now;
	return true;
}

static bool set_vlan(struct net_filter *filter, uint8_t command, const struct virtio_chain *chain,
		     size_t offset)
{
	uint16_t vlan;

	if (command > VLAN_DELETE ||
	    virtio_chain__read(chain, offset, &vlan, sizeof(vlan)) != sizeof(vlan) ||
	    vlan >= NET_VLANS)
		return false;
	if (command == VLAN_ADD)
		filter->vlan[vlan / 8] |= (uint8_t)(1u << vlan % 8);
	else
		filter->vlan[vlan / 8] &= (uint8_t) ~(1u << vlan % 8);
	return true;
}

bool net_filter__command(struct net_filter *filter, uint8_t class, uint8_t command,
			 const struct virtio_chain *chain, size_t offset)
{
	uint8_t mac[NET_MAC_BYTES];

	switch (class) {
	case CLASS_RX:
		return set_mode(filter, command, chain, offset);
	case CLASS_MAC:
		if (command == MAC_TABLE_SET)
			return set_table(filter, chain, offset);
		if (command != MAC_ADDRESS_SET ||
		    virtio_chain__read(chain, offset, mac, sizeof(mac)) != sizeof(mac))
			return false;
		memcpy(filter->mac, mac, sizeof(mac));
		return true;
	case CLASS_VLAN:
		return set_vlan(filter, command, chain, offset);
	default:
		return false;
	}
}
