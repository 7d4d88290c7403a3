// SPDX-License-Identifier: Apache-2.0
/*
 * Network interfaces: proc_pid_net(5) "dev", and what sysfs-class-net says of the link. The link's
 * files take the kernel's network lock, and some drivers ask their hardware; so they are read every
 * LINK_NS only.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "collect/basic.h"
#include "util/parse.h"

#define LINK_NS (10 * NSEC_PER_SEC)
#define MAX_LINKS 4096

/* In the order of the file. */
enum counter {
	RX_BYTES,
	RX_PACKETS,
	RX_ERRORS,
	RX_DROPPED,
	RX_FIFO,
	RX_FRAME,
	RX_COMPRESSED,
	RX_MULTICAST,
	TX_BYTES,
	TX_PACKETS,
	TX_ERRORS,
	TX_DROPPED,
	TX_FIFO,
	TX_COLLISIONS,
	TX_CARRIER,
	TX_COMPRESSED,
	COUNTERS,
};

enum {
	NET_INTERFACE,
	NET_COUNTER,
	NET_DELTA = NET_COUNTER + COUNTERS,
	NET_RATE = NET_DELTA + COUNTERS,
	NET_SPEED = NET_RATE + COUNTERS,
	NET_DUPLEX,
	NET_STATE,
	NET_CARRIER,
	NET_INTERVAL,
	NET_RESET,
};

#define COUNTER(i, name, unit, help) RATES_COLUMNS(NET_COUNTER, COUNTERS, i, name, unit, help)

/* clang-format off */
static const struct row_column columns[] = {
	[NET_INTERFACE] = { "interface", "", ROW_KEY, ROW_TEXT, 0, 0, "name" },
	COUNTER(RX_BYTES, "rx", "bytes", "received"),
	COUNTER(RX_PACKETS, "rx_packets", "", "packets received"),
	COUNTER(RX_ERRORS, "rx_errors", "", "errors at receiving"),
	COUNTER(RX_DROPPED, "rx_dropped", "", "received, but dropped"),
	COUNTER(RX_FIFO, "rx_fifo", "", "FIFO overruns at receiving"),
	COUNTER(RX_FRAME, "rx_frame", "", "framing errors"),
	COUNTER(RX_COMPRESSED, "rx_compressed", "", "compressed packets received"),
	COUNTER(RX_MULTICAST, "rx_multicast", "", "multicast packets received"),
	COUNTER(TX_BYTES, "tx", "bytes", "sent"),
	COUNTER(TX_PACKETS, "tx_packets", "", "packets sent"),
	COUNTER(TX_ERRORS, "tx_errors", "", "errors at sending"),
	COUNTER(TX_DROPPED, "tx_dropped", "", "to be sent, but dropped"),
	COUNTER(TX_FIFO, "tx_fifo", "", "FIFO overruns at sending"),
	COUNTER(TX_COLLISIONS, "tx_collisions", "", "collisions"),
	COUNTER(TX_CARRIER, "tx_carrier", "", "losses of carrier at sending"),
	COUNTER(TX_COMPRESSED, "tx_compressed", "", "compressed packets sent"),
	[NET_SPEED] = { "speed", "Mbit/s", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "of the link; absent: unknown" },
	[NET_DUPLEX] = { "duplex", "", ROW_WORDS, ROW_TEXT, 0, 0, "full, half or unknown" },
	[NET_STATE] = { "state", "", ROW_WORDS, ROW_TEXT, 0, 0, "operational state: up, down, unknown ..." },
	[NET_CARRIER] = { "carrier", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "1: there is a link" },
	[NET_INTERVAL] = RATES_INTERVAL_COLUMN,
	[NET_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "network",
	  .collector = "network",
	  .summary = "traffic of network interfaces",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

/* What sysfs said last of an interface; 0 and "": nothing. */
struct link {
	char name[IFNAMSIZ];
	uint64_t read_ns;
	bool seen;
	bool has_speed, has_carrier;
	uint64_t speed, carrier;
	char duplex[16], state[24];
};

struct network {
	struct basic basic;
	struct link *links;
	size_t n, capacity;
};

static int network_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct network *n = calloc(1, sizeof(*n));
	int r = n ? basic_init(&n->basic, s) : -ENOMEM;

	(void)ret_error;
	if (r < 0) {
		free(n);
		return r;
	}
	*ret = n;
	return 0;
}

static void network_close(void *state)
{
	struct network *n = state;

	basic_done(&n->basic);
	free(n->links);
	free(n);
}

/* --- links --- */

static struct link *find_link(struct network *n, const char *name)
{
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->links[i].name, name) == 0)
			return &n->links[i];
	if (n->n == n->capacity) {
		size_t capacity = MAX(2 * n->capacity, (size_t)8);
		struct link *grown =
			n->n < MAX_LINKS ? reallocarray(n->links, capacity, sizeof(*grown)) : NULL;

		if (!grown)
			return NULL;
		n->links = grown;
		n->capacity = capacity;
	}
	n->links[n->n] = (struct link){};
	strcpy(n->links[n->n].name, name);
	return &n->links[n->n++];
}

static bool read_number(struct roots *r, const char *interface, const char *file, uint64_t *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "class/net/%s/%s", interface, file);
	return roots_read_unsigned(r, r->sys, path, ret) == 0;
}

static void read_word(struct roots *r, const char *interface, const char *file, char *out,
		      size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "class/net/%s/%s", interface, file);
	if (roots_read_string(r, r->sys, path, out, size) < 0)
		*out = 0;
}

/* Reading fails where the interface is down, or has no such thing; a speed of -1 is no number. */
static void read_link(struct roots *r, struct link *l, uint64_t now)
{
	l->read_ns = now;
	l->has_speed = read_number(r, l->name, "speed", &l->speed) && l->speed < UINT32_MAX;
	l->has_carrier = read_number(r, l->name, "carrier", &l->carrier);
	read_word(r, l->name, "duplex", l->duplex, sizeof(l->duplex));
	read_word(r, l->name, "operstate", l->state, sizeof(l->state));
}

static void put_link(struct network *n, const char *name, struct rows *rows)
{
	struct link *l = find_link(n, name);

	if (!l)
		return;
	if (l->read_ns == 0 || rows->time_ns - l->read_ns >= LINK_NS)
		read_link(&n->basic.roots, l, rows->time_ns);
	l->seen = true;
	if (l->has_speed)
		rows_unsigned(rows, NET_SPEED, l->speed);
	if (l->has_carrier)
		rows_unsigned(rows, NET_CARRIER, l->carrier);
	if (*l->duplex)
		rows_string(rows, NET_DUPLEX, l->duplex);
	if (*l->state)
		rows_string(rows, NET_STATE, l->state);
}

static void forget_links(struct network *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->n; i++)
		if (n->links[i].seen) {
			n->links[kept] = n->links[i];
			n->links[kept++].seen = false;
		}
	n->n = kept;
}

/* --- rows --- */

/* "  eth0: 1 2 ..." */
static bool parse_line(struct scan line, char *name, struct rows *rows)
{
	const char *colon = memrchr(line.at, ':', (size_t)(line.end - line.at));
	uint64_t v;
	size_t n;

	while (line.at < line.end && *line.at == ' ')
		line.at++;
	n = colon && colon > line.at ? (size_t)(colon - line.at) : 0;
	if (n == 0 || n >= IFNAMSIZ || memchr(line.at, '/', n) || memchr(line.at, 0, n) ||
	    line.at[0] == '.')
		return false;
	memcpy(name, line.at, n);
	name[n] = 0;
	rows_string(rows, NET_INTERFACE, name);
	line.at = colon + 1;
	for (unsigned int i = 0; i < COUNTERS; i++) {
		if (!scan_unsigned(&line, &v))
			return false;
		rows_unsigned(rows, NET_COUNTER + i, v);
	}
	return true;
}

static int network_read(void *state, struct rows *rows)
{
	struct network *n = state;
	struct roots *roots = &n->basic.roots;
	_cleanup_(buffer_donep) struct buffer text = {};
	struct scan s, line;
	char path[32], name[IFNAMSIZ];
	int r;

	snprintf(path, sizeof(path), "%sdev", roots->net);
	r = roots_need(roots, roots->proc, path, rows);
	if (r < 0)
		return r;
	/* Links are read into the same buffer meanwhile. */
	buffer_put(&text, roots->text.data, roots->text.size);
	if (text.error)
		return text.error;
	s = scan_buffer(&text);
	for (size_t i = 0; scan_line(&s, &line); i++) {
		if (i < 2)
			continue; /* headings */
		rows_add(rows, 0);
		if (!parse_line(line, name, rows)) {
			rows_discard(rows);
			rows_problem(rows, "a line of /proc/%s is no interface", path);
			continue;
		}
		put_link(n, name, rows);
		rates_fill(&n->basic.rates, rows);
	}
	rates_end(&n->basic.rates);
	forget_links(n);
	return 0;
}

const struct collector collector_network = {
	.name = "network",
	.summary = "traffic, errors and links of network interfaces",
	.needs = "/proc/net/dev, /sys/class/net",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = network_open,
	.read = network_read,
	.close = network_close,
};
