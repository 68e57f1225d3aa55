/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the user-mode network, to libslirp's configuration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/net/user.h"

/* Places of the usual addresses in the network. */
#define HOST 2u
#define DNS 3u
#define DHCP_START 15u
#define BITS_MOST 27 /* room for those */

static int refuse(const char *key, const char *value, const char *right, char *error,
		  size_t error_size)
{
	snprintf(error, error_size, "network option %s=%s: must be %s", key, value, right);
	return -EINVAL;
}

/* "ADDRESS/BITS"; false if it is not. */
static bool split_network(const char *text, int family, void *address, unsigned long *bits)
{
	const char *slash = strchr(text, '/');
	char part[INET6_ADDRSTRLEN];
	char *end;

	if (!slash || slash[1] < '0' || slash[1] > '9' || (size_t)(slash - text) >= sizeof(part))
		return false;
	memcpy(part, text, (size_t)(slash - text));
	part[slash - text] = '\0';
	*bits = strtoul(slash + 1, &end, 10);
	return !*end && inet_pton(family, part, address) == 1;
}

static int set_network(SlirpConfig *config, const char *text, char *error, size_t error_size)
{
	struct in_addr address;
	unsigned long bits;
	uint32_t mask;

	if (!text)
		text = "10.0.2.0/24";
	if (!split_network(text, AF_INET, &address, &bits) || bits < 8 || bits > BITS_MOST)
		return refuse("network", text,
			      "an IPv4 network with 8 to 27 bits, for example 10.0.2.0/24", error,
			      error_size);
	mask = htonl(~0u << (32 - bits));
	config->vnetmask.s_addr = mask;
	config->vnetwork.s_addr = address.s_addr & mask;
	return 0;
}

/* An address in the network, or the `place`th of it. */
static int set_address(const SlirpConfig *config, const char *key, const char *text, uint32_t place,
		       struct in_addr *address, char *error, size_t error_size)
{
	address->s_addr = htonl(ntohl(config->vnetwork.s_addr) + place);
	if (!text)
		return 0;
	if (inet_pton(AF_INET, text, address) != 1 ||
	    (address->s_addr & config->vnetmask.s_addr) != config->vnetwork.s_addr)
		return refuse(key, text, "an address in the guest's network", error, error_size);
	return 0;
}

static int check_different(const SlirpConfig *config, char *error, size_t error_size)
{
	if (config->vhost.s_addr != config->vnameserver.s_addr &&
	    config->vhost.s_addr != config->vdhcp_start.s_addr &&
	    config->vnameserver.s_addr != config->vdhcp_start.s_addr)
		return 0;
	snprintf(error, error_size,
		 "network options host, dns and dhcp-start: must be different addresses");
	return -EINVAL;
}

static int set_network6(SlirpConfig *config, const char *text, char *error, size_t error_size)
{
	unsigned long bits;

	if (!text)
		text = "fec0::/64";
	/* Stateless configuration needs 64 bits. */
	if (!split_network(text, AF_INET6, &config->vprefix_addr6, &bits) || bits != 64)
		return refuse("network6", text,
			      "an IPv6 network with 64 bits, for example fec0::/64", error,
			      error_size);
	memset(&config->vprefix_addr6.s6_addr[8], 0, 8);
	config->vprefix_len = 64;
	config->vhost6 = config->vprefix_addr6;
	config->vhost6.s6_addr[15] = HOST;
	config->vnameserver6 = config->vprefix_addr6;
	config->vnameserver6.s6_addr[15] = DNS;
	return 0;
}

/* Fields of DHCP (RFC 2131, RFC 2132). */
static int check_length(const char *key, const char *text, size_t most, char *error,
			size_t error_size)
{
	char right[40];

	if (!text || (*text && strlen(text) <= most))
		return 0;
	snprintf(right, sizeof(right), "a text of 1 to %zu bytes", most);
	return refuse(key, text, right, error, error_size);
}

int user_config__fill(struct user_config *config, const struct net_options *options, char *error,
		      size_t error_size)
{
	SlirpConfig *slirp = &config->slirp;
	int err;

	memset(config, 0, sizeof(*config));
	slirp->version = SLIRP_CONFIG_VERSION_MAX;
	slirp->restricted = options->restricted;
	slirp->in_enabled = true;
	slirp->in6_enabled = options->ipv6;
	slirp->if_mtu = NET_MTU_MOST;
	slirp->if_mru = NET_MTU_MOST;
	slirp->disable_host_loopback = !options->host_loopback;
	slirp->vhostname = options->hostname;
	slirp->vdomainname = options->domain;
	slirp->tftp_path = options->tftp;
	slirp->bootfile = options->bootfile;
	if (options->domain) {
		config->search[0] = options->domain;
		slirp->vdnssearch = config->search;
	}
	err = set_network(slirp, options->network, error, error_size);
	if (!err)
		err = set_address(slirp, "host", options->host, HOST, &slirp->vhost, error,
				  error_size);
	if (!err)
		err = set_address(slirp, "dns", options->dns, DNS, &slirp->vnameserver, error,
				  error_size);
	if (!err)
		err = set_address(slirp, "dhcp-start", options->dhcp_start, DHCP_START,
				  &slirp->vdhcp_start, error, error_size);
	if (!err)
		err = check_different(slirp, error, error_size);
	if (!err)
		err = set_network6(slirp, options->network6, error, error_size);
	if (!err)
		err = check_length("hostname", options->hostname, 32, error, error_size);
	if (!err)
		err = check_length("domain", options->domain, 200, error, error_size);
	if (!err)
		err = check_length("bootfile", options->bootfile, 127, error, error_size);
	return err;
}
