// SPDX-License-Identifier: Apache-2.0
/* Network interfaces: /sys/class/net (Documentation/ABI/testing/sysfs-class-net). */
#include <errno.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <unistd.h>

#include "collect/basic.h"

#define MAX_INTERFACES 4096

enum {
	NET_INTERFACE,
	NET_TYPE,
	NET_ADDRESS,
	NET_DRIVER,
	NET_SPEED,
	NET_DUPLEX,
	NET_MTU,
	NET_STATE,
	NET_CARRIER,
	NET_QUEUES_RX,
	NET_QUEUES_TX,
	NET_NODE,
};

/* clang-format off */
#define NUMBER(name, unit, help) { name, unit, ROW_GAUGE, ROW_UNSIGNED, 0, 0, help }
#define WORDS(name, help) { name, "", ROW_WORDS, ROW_TEXT, 0, 0, help }

static const struct row_column columns[] = {
	[NET_INTERFACE] = { "interface", "", ROW_KEY, ROW_TEXT, 0, 0, "name" },
	[NET_TYPE] = WORDS("type", "ethernet, wireless, infiniband, loopback, tunnel, bridge, bond or virtual"),
	[NET_ADDRESS] = WORDS("address", "its hardware address"),
	[NET_DRIVER] = WORDS("driver", "of the device behind it"),
	[NET_SPEED] = NUMBER("speed", "Mbit/s", "of the link; absent: unknown"),
	[NET_DUPLEX] = WORDS("duplex", "full, half or unknown"),
	[NET_MTU] = NUMBER("mtu", "bytes", "largest packet"),
	[NET_STATE] = WORDS("state", "operational state: up, down, unknown ..."),
	[NET_CARRIER] = NUMBER("carrier", "", "1: there is a link"),
	[NET_QUEUES_RX] = NUMBER("rx_queues", "", "queues for receiving"),
	[NET_QUEUES_TX] = NUMBER("tx_queues", "", "queues for sending"),
	[NET_NODE] = NUMBER("node", "id", "its NUMA node"),
};

static const struct row_table tables[] = {
	{ .name = "network_info", .collector = "network_info", .summary = "network interfaces",
	  .columns = columns, .n_columns = ARRAY_SIZE(columns) },
};
/* clang-format on */

static bool read_number(struct roots *r, const char *interface, const char *file, uint64_t *ret)
{
	char path[320];

	snprintf(path, sizeof(path), "class/net/%s/%s", interface, file);
	return roots_read_unsigned(r, r->sys, path, ret) == 0;
}

static void put_number(struct roots *r, const char *interface, const char *file, struct rows *rows,
		       unsigned int column)
{
	uint64_t v;

	if (read_number(r, interface, file, &v))
		rows_unsigned(rows, column, v);
}

static void put_word(struct roots *r, const char *interface, const char *file, struct rows *rows,
		     unsigned int column)
{
	char path[320], text[128];

	snprintf(path, sizeof(path), "class/net/%s/%s", interface, file);
	if (roots_read_string(r, r->sys, path, text, sizeof(text)) == 0 && *text)
		rows_string(rows, column, text);
}

static bool has(const struct roots *r, const char *interface, const char *file)
{
	char path[320];

	snprintf(path, sizeof(path), "class/net/%s/%s", interface, file);
	return faccessat(r->sys, path, F_OK, 0) == 0;
}

static const char *type_of(struct roots *r, const char *interface)
{
	uint64_t type = 0;

	if (has(r, interface, "wireless") || has(r, interface, "phy80211"))
		return "wireless";
	if (has(r, interface, "bridge"))
		return "bridge";
	if (has(r, interface, "bonding"))
		return "bond";
	read_number(r, interface, "type", &type);
	if (type == ARPHRD_LOOPBACK)
		return "loopback";
	if (type == ARPHRD_INFINIBAND)
		return "infiniband";
	if (type == ARPHRD_TUNNEL || type == ARPHRD_TUNNEL6 || type == ARPHRD_SIT ||
	    type == ARPHRD_IPGRE || type == ARPHRD_IP6GRE || type == ARPHRD_NONE)
		return "tunnel";
	return type == ARPHRD_ETHER && has(r, interface, "device") ? "ethernet" : "virtual";
}

static void put_driver(const struct roots *r, const char *interface, struct rows *rows)
{
	char path[320], target[512], *name;
	ssize_t n;

	snprintf(path, sizeof(path), "class/net/%s/device/driver", interface);
	n = readlinkat(r->sys, path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = 0;
	name = strrchr(target, '/');
	rows_string(rows, NET_DRIVER, name ? name + 1 : target);
}

static void put_queues(const struct roots *r, const char *interface, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	uint64_t rx = 0, tx = 0;
	struct dirent *d;
	char path[320];

	snprintf(path, sizeof(path), "class/net/%s/queues", interface);
	if (roots_list(r->sys, path, &dir) < 0)
		return;
	while ((d = readdir(dir))) {
		rx += strncmp(d->d_name, "rx-", 3) == 0;
		tx += strncmp(d->d_name, "tx-", 3) == 0;
	}
	rows_unsigned(rows, NET_QUEUES_RX, rx);
	rows_unsigned(rows, NET_QUEUES_TX, tx);
}

static void put_interface(struct roots *r, const char *interface, struct rows *rows)
{
	uint64_t speed;

	rows_add(rows, 0);
	rows_string(rows, NET_INTERFACE, interface);
	rows_string(rows, NET_TYPE, type_of(r, interface));
	put_word(r, interface, "address", rows, NET_ADDRESS);
	put_driver(r, interface, rows);
	/* -1, or 2^32 - 1 of some drivers: unknown. */
	if (read_number(r, interface, "speed", &speed) && speed > 0 && speed < UINT32_MAX)
		rows_unsigned(rows, NET_SPEED, speed);
	put_word(r, interface, "duplex", rows, NET_DUPLEX);
	put_number(r, interface, "mtu", rows, NET_MTU);
	put_word(r, interface, "operstate", rows, NET_STATE);
	put_number(r, interface, "carrier", rows, NET_CARRIER);
	put_queues(r, interface, rows);
	put_number(r, interface, "device/numa_node", rows, NET_NODE);
}

static int network_info_read(void *state, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct basic *b = state;
	struct dirent *d;
	size_t n = 0;
	int r = roots_list(b->roots.sys, "class/net", &dir);

	if (r < 0) {
		rows_problem(rows, "/sys/class/net: %s", strerror(-r));
		return r;
	}
	while ((d = readdir(dir)) && n < MAX_INTERFACES)
		/* "bonding_masters" is a file between them. */
		if (d->d_name[0] != '.' && has(&b->roots, d->d_name, "type")) {
			put_interface(&b->roots, d->d_name, rows);
			n++;
		}
	return 0;
}

const struct collector collector_network_info = {
	.name = "network_info",
	.summary = "network interfaces: type, driver, address, link",
	.needs = "/sys/class/net",
	.kind = COLLECTOR_ONCE,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = network_info_read,
	.close = basic_close,
};
