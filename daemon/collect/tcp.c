// SPDX-License-Identifier: Apache-2.0
/*
 * TCP: Tcp of /proc/net/snmp, TcpExt of /proc/net/netstat, and sockets by state from /proc/net/tcp
 * and tcp6.
 *
 * The kernel walks all its sockets for the last two, which takes seconds on a host with a million;
 * so after a walk that took t of CPU time the next one comes no sooner than PATIENCE * t later. Rows
 * in between repeat its counts, and say how old they are.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"
#include "util/clock.h"
#include "util/parse.h"

#define PATIENCE 2000 /* a twentieth of a percent of a CPU */
#define STATES 11

/* Counters, those of snmp first. */
static const char *const names[] = {
	"ActiveOpens",	     "PassiveOpens",	"AttemptFails",
	"EstabResets",	     "InSegs",		"OutSegs",
	"RetransSegs",	     "InErrs",		"OutRsts",
	"InCsumErrors",	     "SyncookiesSent",	"SyncookiesRecv",
	"SyncookiesFailed",  "ListenOverflows", "ListenDrops",
	"TCPLostRetransmit", "TCPFastRetrans",	"TCPSlowStartRetrans",
	"TCPTimeouts",
};

enum {
	COUNTERS = 19,
	OF_SNMP = 10,
	TCP_ESTABLISHED = 3 * COUNTERS, /* CurrEstab */
	TCP_STATE,
	TCP_STATES_AGE = TCP_STATE + STATES,
	TCP_INTERVAL,
	TCP_RESET,
};

_Static_assert(ARRAY_SIZE(names) == COUNTERS, "a name for each counter");

#define COUNTER(i, name, help) RATES_COLUMNS(0, COUNTERS, i, name, "", help)
#define STATE(i, name)                                                                             \
	[TCP_STATE + i] = { "state_" name,	     "", ROW_GAUGE, ROW_UNSIGNED, 0, 0,            \
			    "sockets in state " name ", when they were counted" }

/* clang-format off */
static const struct row_column columns[] = {
	COUNTER(0, "active_opens", "connections begun here"),
	COUNTER(1, "passive_opens", "connections accepted"),
	COUNTER(2, "attempt_fails", "attempts to connect that failed"),
	COUNTER(3, "established_resets", "connections reset"),
	COUNTER(4, "in_segments", "segments received"),
	COUNTER(5, "out_segments", "segments sent"),
	COUNTER(6, "retransmitted_segments", "segments sent again"),
	COUNTER(7, "in_errors", "segments received in error"),
	COUNTER(8, "out_resets", "resets sent"),
	COUNTER(9, "in_checksum_errors", "segments with a wrong checksum"),
	COUNTER(10, "syncookies_sent", "SYN cookies sent"),
	COUNTER(11, "syncookies_received", "SYN cookies received"),
	COUNTER(12, "syncookies_failed", "SYN cookies that were wrong"),
	COUNTER(13, "listen_overflows", "connections that found a full accept queue"),
	COUNTER(14, "listen_drops", "connections dropped while listening"),
	COUNTER(15, "lost_retransmits", "segments sent again and lost again"),
	COUNTER(16, "fast_retransmits", "fast retransmissions"),
	COUNTER(17, "slow_start_retransmits", "retransmissions in slow start"),
	COUNTER(18, "timeouts", "retransmission timeouts"),
	[TCP_ESTABLISHED] = { "established", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0,
			      "connections established or waiting to be closed" },
	STATE(0, "established"), STATE(1, "syn_sent"), STATE(2, "syn_recv"), STATE(3, "fin_wait1"),
	STATE(4, "fin_wait2"), STATE(5, "time_wait"), STATE(6, "close"), STATE(7, "close_wait"),
	STATE(8, "last_ack"), STATE(9, "listen"), STATE(10, "closing"),
	[TCP_STATES_AGE] = { "states_age", "ns", ROW_GAUGE, ROW_UNSIGNED, 0, 0,
			     "time since the sockets were counted" },
	[TCP_INTERVAL] = RATES_INTERVAL_COLUMN,
	[TCP_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "tcp",
	  .collector = "tcp",
	  .summary = "segments, errors and sockets of TCP",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

struct tcp {
	struct basic basic;
	uint64_t walk_after_ns; /* not before this moment */
	uint64_t walked_ns; /* the last walk; 0: there was none, or it failed */
	uint64_t states[STATES]; /* of it */
};

static int tcp_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct tcp *t = calloc(1, sizeof(*t));
	int r = t ? basic_init(&t->basic, s) : -ENOMEM;

	(void)ret_error;
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

static void tcp_close(void *state)
{
	struct tcp *t = state;

	basic_done(&t->basic);
	free(t);
}

/* --- counters --- */

static void take_value(struct record_bytes name, uint64_t value, struct rows *rows)
{
	for (unsigned int i = 0; i < COUNTERS; i++)
		if (bytes_are(name, names[i]))
			rows_unsigned(rows, i, value);
	if (bytes_are(name, "CurrEstab"))
		rows_unsigned(rows, TCP_ESTABLISHED, value);
}

/* A line of names and a line of as many values, both behind `heading`; values may be -1. */
static bool parse_pair(struct scan s, const char *heading, struct rows *rows)
{
	struct scan line, values = {}, heads = {};
	struct record_bytes name;
	int64_t v;

	while (scan_line(&s, &line)) {
		if (!scan_literal(&line, heading))
			continue;
		if (heads.at)
			values = line;
		else
			heads = line;
		if (values.at)
			break;
	}
	if (!values.at)
		return false;
	while (scan_word(&heads, &name)) {
		if (!scan_signed(&values, &v))
			return false;
		if (v >= 0)
			take_value(name, (uint64_t)v, rows);
	}
	return scan_end(&values);
}

static int read_snmp(struct tcp *t, struct rows *rows)
{
	struct roots *roots = &t->basic.roots;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%ssnmp", roots->net);
	r = roots_need(roots, roots->proc, path, rows);
	if (r < 0)
		return r;
	if (parse_pair(scan_buffer(&roots->text), "Tcp:", rows))
		return 0;
	rows_problem(rows, "/proc/%s: the names and values of Tcp do not match", path);
	return -EBADMSG;
}

static void read_netstat(struct tcp *t, struct rows *rows)
{
	struct roots *roots = &t->basic.roots;
	char path[32];

	snprintf(path, sizeof(path), "%snetstat", roots->net);
	if (roots_read(roots, roots->proc, path) < 0)
		rows_missing(rows);
	else if (!parse_pair(scan_buffer(&roots->text), "TcpExt:", rows))
		rows_problem(rows, "/proc/%s: the names and values of TcpExt do not match", path);
}

/* --- sockets --- */

struct states {
	uint64_t n[STATES];
	uint64_t unknown;
};

/* "   0: 0100007F:0277 00000000:0000 0A ...": the fourth column is the state, from 01 on. */
static bool count_line(struct scan line, void *userdata)
{
	struct states *s = userdata;
	struct record_bytes word;
	uint64_t state;

	for (size_t i = 0; i < 3; i++)
		if (!scan_word(&line, &word))
			return true;
	if (bytes_are(word, "rem_address"))
		return true;
	if (scan_hex(&line, &state) && state >= 1 && state <= STATES)
		s->n[state - 1]++;
	else
		s->unknown++;
	return true;
}

static void walk_sockets(struct tcp *t, struct rows *rows)
{
	const struct roots *roots = &t->basic.roots;
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), now;
	struct states s = {};
	char path[32];
	int r, r6;

	snprintf(path, sizeof(path), "%stcp", roots->net);
	r = roots_lines(roots->proc, path, count_line, &s);
	strcat(path, "6");
	r6 = roots_lines(roots->proc, path, count_line, &s);
	now = now_ns();
	t->walk_after_ns = now + PATIENCE * (clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
	t->walked_ns = 0;
	if (r6 < 0)
		rows_missing(rows); /* IPv6 may be switched off */
	if (r < 0) {
		rows_problem(rows, "/proc/%stcp: %s", roots->net, strerror(-r));
		return;
	}
	t->walked_ns = now;
	memcpy(t->states, s.n, sizeof(t->states));
	if (s.unknown)
		rows_missing(rows);
}

static void read_states(struct tcp *t, struct rows *rows)
{
	if (now_ns() >= t->walk_after_ns)
		walk_sockets(t, rows);
	if (!t->walked_ns)
		return;
	for (unsigned int i = 0; i < STATES; i++)
		rows_unsigned(rows, TCP_STATE + i, t->states[i]);
	rows_unsigned(rows, TCP_STATES_AGE, now_ns() - t->walked_ns);
}

static int tcp_read(void *state, struct rows *rows)
{
	struct tcp *t = state;
	int r;

	rows_add(rows, 0);
	r = read_snmp(t, rows);
	if (r < 0) {
		rows_discard(rows);
		return r;
	}
	read_netstat(t, rows);
	read_states(t, rows);
	rates_fill(&t->basic.rates, rows);
	return 0;
}

const struct collector collector_tcp = {
	.name = "tcp",
	.summary = "connections, segments, retransmissions, errors and sockets of TCP",
	.needs = "/proc/net/snmp, netstat, tcp, tcp6",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = tcp_open,
	.read = tcp_read,
	.close = tcp_close,
};
