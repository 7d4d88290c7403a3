// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets as programs use them: each connect, accept and close, sums of what was sent and received
 * by thread name, process and family; and TCP's retransmits, resets and states. Calls by io_uring
 * and of 32-bit programs are not seen.
 */
#include <linux/types.h>

#include <arpa/inet.h>
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "bpf/sockets.h"
#include "collect/roots.h"
#include "collect/tracer.h"
#include "sockets.skel.h"

enum {
	EVENT_EVENT,
	EVENT_PID,
	EVENT_UID,
	EVENT_COMMAND,
	EVENT_PROTOCOL,
	EVENT_LOCAL,
	EVENT_LOCAL_PORT,
	EVENT_REMOTE,
	EVENT_REMOTE_PORT,
	EVENT_RESULT,
	EVENT_STATE,
	EVENT_SENT,
	EVENT_RECEIVED,
	EVENT_DURATION,
};

enum {
	TRAFFIC_COMMAND,
	TRAFFIC_PID,
	TRAFFIC_FAMILY,
	TRAFFIC_CONNECTS,
	TRAFFIC_CONNECT_ERRORS,
	TRAFFIC_ACCEPTS,
	TRAFFIC_ACCEPT_ERRORS,
	TRAFFIC_CLOSES,
	TRAFFIC_SENDS,
	TRAFFIC_SEND_ERRORS,
	TRAFFIC_SENT,
	TRAFFIC_RECEIVES,
	TRAFFIC_RECEIVE_ERRORS,
	TRAFFIC_RECEIVED,
};

enum { TCP_RETRANSMITS, TCP_RESETS_SENT, TCP_RESETS_RECEIVED };
enum { STATE_STATE, STATE_ENTERED };
enum { LOSS_UNCOUNTED = TRACER_OWN, LOSS_PARTIAL, LOSS_32BIT };
enum { TABLE_EVENTS, TABLE_TRAFFIC, TABLE_TCP, TABLE_STATES, TABLE_LOSSES };

#define COUNTER(name, unit, help)                                                                  \
	{                                                                                          \
		name, unit, ROW_COUNTER, ROW_UNSIGNED, 0, 0, help                                  \
	}

/* clang-format off */
static const struct row_column event_columns[] = {
	[EVENT_EVENT] = { "event", "", ROW_WORDS, ROW_TEXT, 0, 0, "connect, accept, close, retransmit, reset_sent, reset_received" },
	[EVENT_PID] = { "pid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "process that made the call" },
	[EVENT_UID] = { "uid", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its user" },
	[EVENT_COMMAND] = { "command", "", ROW_WORDS, ROW_TEXT, 0, 0, "name of its thread" },
	[EVENT_PROTOCOL] = { "protocol", "", ROW_WORDS, ROW_TEXT, 0, 0, "tcp4, tcp6, udp4, udp6; stream, datagram, raw of another protocol" },
	[EVENT_LOCAL] = { "local", "", ROW_WORDS, ROW_TEXT, 0, 0, "address" },
	[EVENT_LOCAL_PORT] = { "local_port", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "0: none" },
	[EVENT_REMOTE] = { "remote", "", ROW_WORDS, ROW_TEXT, 0, 0, "address; connect: the one that was asked for" },
	[EVENT_REMOTE_PORT] = { "remote_port", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "0: none" },
	[EVENT_RESULT] = { "result", "id", ROW_GAUGE, ROW_SIGNED, 0, 0, "0, or a negative errno; -115: a connect goes on" },
	[EVENT_STATE] = { "state", "", ROW_WORDS, ROW_TEXT, 0, 0, "of TCP, after the call" },
	[EVENT_SENT] = { "sent", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "close: by calls on this socket that were seen" },
	[EVENT_RECEIVED] = { "received", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "close: by calls on this socket that were seen" },
	[EVENT_DURATION] = { "duration", "ns", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "close: since its connect or accept, where it was seen" },
};

static const struct row_column traffic_columns[] = {
	[TRAFFIC_COMMAND] = { "command", "", ROW_KEY, ROW_TEXT, 0, 0, "name of the thread" },
	[TRAFFIC_PID] = { "pid", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "its process" },
	[TRAFFIC_FAMILY] = { "family", "", ROW_KEY, ROW_TEXT, 0, 0, "ipv4, ipv6, unix, other" },
	[TRAFFIC_CONNECTS] = COUNTER("connects", "", "calls of connect"),
	[TRAFFIC_CONNECT_ERRORS] = COUNTER("connect_errors", "", "of those, that failed at once"),
	[TRAFFIC_ACCEPTS] = COUNTER("accepts", "", "calls of accept and accept4 that found a connection, or failed"),
	[TRAFFIC_ACCEPT_ERRORS] = COUNTER("accept_errors", "", "of those, that failed"),
	[TRAFFIC_CLOSES] = COUNTER("closes", "", "of descriptors of sockets"),
	[TRAFFIC_SENDS] = COUNTER("sends", "", "calls of send*, write*, sendfile, but for those that would have had to wait"),
	[TRAFFIC_SEND_ERRORS] = COUNTER("send_errors", "", "of those, that failed"),
	[TRAFFIC_SENT] = COUNTER("sent", "bytes", "that calls handed over"),
	[TRAFFIC_RECEIVES] = COUNTER("receives", "", "calls of recv*, read*, but for those that would have had to wait"),
	[TRAFFIC_RECEIVE_ERRORS] = COUNTER("receive_errors", "", "of those, that failed"),
	[TRAFFIC_RECEIVED] = COUNTER("received", "bytes", "that calls got, without what they only peeked at"),
};

static const struct row_column tcp_columns[] = {
	[TCP_RETRANSMITS] = COUNTER("retransmits", "", "segments that were sent once more"),
	[TCP_RESETS_SENT] = COUNTER("resets_sent", "", "connections that were reset by this host"),
	[TCP_RESETS_RECEIVED] = COUNTER("resets_received", "", "connections that were reset by the other side"),
};

static const struct row_column state_columns[] = {
	[STATE_STATE] = { "state", "", ROW_KEY, ROW_TEXT, 0, 0, "of TCP" },
	[STATE_ENTERED] = COUNTER("entered", "", "how often a socket came into it"),
};

static const struct row_column loss_columns[] = {
	TRACER_COLUMNS,
	[LOSS_UNCOUNTED] = COUNTER("uncounted", "", "calls beyond the first 4,096 keys"),
	[LOSS_PARTIAL] = COUNTER("partial", "", "calls of sendmmsg and recvmmsg with more than 64 messages, the rest of whose bytes are not counted"),
	[LOSS_32BIT] = COUNTER("calls_32bit", "", "calls of 32-bit programs, which are not looked at"),
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_EVENTS] = { .name = "sockets",
			   .collector = "sockets",
			   .summary = "connections that began and ended, and their troubles",
			   .columns = event_columns,
			   .n_columns = ARRAY_SIZE(event_columns),
			   .no_metrics = true },
	[TABLE_TRAFFIC] = { .name = "sockets_traffic",
			    .collector = "sockets",
			    .summary = "use of sockets by thread name, process and family",
			    .columns = traffic_columns,
			    .n_columns = ARRAY_SIZE(traffic_columns),
			    .from_zero = true,
			    .no_metrics = true },
	[TABLE_TCP] = { .name = "sockets_tcp",
			.collector = "sockets",
			.summary = "retransmits and resets of TCP",
			.columns = tcp_columns,
			.n_columns = ARRAY_SIZE(tcp_columns),
			.from_zero = true },
	[TABLE_STATES] = { .name = "sockets_states",
			   .collector = "sockets",
			   .summary = "changes of state of TCP",
			   .columns = state_columns,
			   .n_columns = ARRAY_SIZE(state_columns),
			   .from_zero = true },
	[TABLE_LOSSES] = { .name = "sockets_losses",
			   .collector = "sockets",
			   .summary = "what the sockets collector took and lost",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

static const struct {
	uint32_t number;
	enum sockets_call call;
} calls[] = {
	{ __NR_connect, SOCKETS_CONNECT },   { __NR_accept, SOCKETS_ACCEPT },
	{ __NR_accept4, SOCKETS_ACCEPT },    { __NR_close, SOCKETS_CLOSE },
	{ __NR_write, SOCKETS_SEND },	     { __NR_writev, SOCKETS_SEND },
	{ __NR_sendto, SOCKETS_SEND },	     { __NR_sendmsg, SOCKETS_SEND },
	{ __NR_sendfile, SOCKETS_SEND },     { __NR_read, SOCKETS_RECEIVE },
	{ __NR_readv, SOCKETS_RECEIVE },     { __NR_recvfrom, SOCKETS_RECVFROM },
	{ __NR_recvmsg, SOCKETS_RECVMSG },   { __NR_sendmmsg, SOCKETS_SENDMMSG },
	{ __NR_recvmmsg, SOCKETS_RECVMMSG },
};

struct sockets {
	struct tracer tracer;
	struct sockets_bpf *skel;
};

/* --- opening ------------------------------------------------------------------------------------
 */

static int start(void *state)
{
	struct sockets *s = state;

	s->skel = sockets_bpf__open_opts(&s->tracer.options);
	if (!s->skel)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		s->skel->rodata->call_kinds[calls[i].number] = (uint8_t)calls[i].call;
	return tracer_start(&s->tracer, s->skel->obj);
}

static void sockets_close(void *state)
{
	struct sockets *s = state;

	tracer_done(&s->tracer);
	sockets_bpf__destroy(s->skel);
	free(s);
}

static int sockets_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct sockets), s, start, sockets_close, ret, ret_error);
}

/* --- events -------------------------------------------------------------------------------------
 */

static const char *state_name(unsigned int state)
{
	static const char *const names[] = {
		NULL,	     "established", "syn_sent",	    "syn_recv",	      "fin_wait1",
		"fin_wait2", "time_wait",   "close",	    "close_wait",     "last_ack",
		"listen",    "closing",	    "new_syn_recv", "bound_inactive",
	};

	return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

static const char *protocol_name(const struct sockets_record *rec)
{
	bool ipv6 = rec->family == SOCKETS_IPV6;

	switch (rec->type) {
	case SOCK_STREAM:
		return ipv6 ? "tcp6" : "tcp4";
	case SOCK_DGRAM:
		return ipv6 ? "udp6" : "udp4";
	case SOCK_RAW:
		return "raw";
	default:
		return NULL;
	}
}

static void put_address(struct rows *rows, unsigned int column, const struct sockets_record *rec,
			const uint8_t address[16])
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(rec->family == SOCKETS_IPV6 ? AF_INET6 : AF_INET, address, text,
		      sizeof(text)))
		rows_string(rows, column, text);
}

static void put_caller(struct rows *rows, const struct sockets_record *rec)
{
	rows_unsigned(rows, EVENT_PID, rec->pid);
	rows_unsigned(rows, EVENT_UID, rec->uid);
	rows_text(rows, EVENT_COMMAND, rec->comm, strnlen(rec->comm, sizeof(rec->comm)));
	rows_signed(rows, EVENT_RESULT, rec->result);
}

static void put_event(const struct record_head *event, size_t size, void *userdata)
{
	static const char *const names[SOCKETS_EVENTS] = {
		[SOCKETS_EVENT_CONNECT] = "connect",
		[SOCKETS_EVENT_ACCEPT] = "accept",
		[SOCKETS_EVENT_CLOSE] = "close",
		[SOCKETS_EVENT_RETRANSMIT] = "retransmit",
		[SOCKETS_EVENT_RESET_SENT] = "reset_sent",
		[SOCKETS_EVENT_RESET_RECEIVED] = "reset_received",
	};
	const struct sockets_record *rec = (const struct sockets_record *)event;
	struct rows *rows = ((struct sockets *)userdata)->tracer.rows;

	if (size < sizeof(*rec) || event->kind >= SOCKETS_EVENTS)
		return;
	rows_add_at(rows, TABLE_EVENTS, event->time_ns);
	rows_string(rows, EVENT_EVENT, names[event->kind]);
	if (event->kind <= SOCKETS_EVENT_CLOSE)
		put_caller(rows, rec);
	rows_string(rows, EVENT_PROTOCOL, protocol_name(rec));
	put_address(rows, EVENT_LOCAL, rec, rec->local);
	rows_unsigned(rows, EVENT_LOCAL_PORT, rec->local_port);
	put_address(rows, EVENT_REMOTE, rec, rec->remote);
	rows_unsigned(rows, EVENT_REMOTE_PORT, rec->remote_port);
	if (rec->type == SOCK_STREAM)
		rows_string(rows, EVENT_STATE, state_name(rec->state));
	if (event->kind != SOCKETS_EVENT_CLOSE)
		return;
	rows_unsigned(rows, EVENT_SENT, rec->sent);
	rows_unsigned(rows, EVENT_RECEIVED, rec->received);
	if (rec->life_ns)
		rows_unsigned(rows, EVENT_DURATION, rec->life_ns);
}

/* --- sums ---------------------------------------------------------------------------------------
 */

static void put_traffic_row(struct rows *rows, const struct sockets_key *key,
			    const struct sockets_traffic *t)
{
	static const char *const families[] = {
		[SOCKETS_IPV4] = "ipv4",
		[SOCKETS_IPV6] = "ipv6",
		[SOCKETS_UNIX] = "unix",
		[SOCKETS_OTHER] = "other",
	};
	char comm[SAMPLE_COMM_LEN];

	memcpy(comm, t->name, sizeof(comm));
	rows_add(rows, TABLE_TRAFFIC);
	rows_text(rows, TRAFFIC_COMMAND, comm, strnlen(comm, sizeof(comm)));
	rows_unsigned(rows, TRAFFIC_PID, key->pid);
	rows_string(rows, TRAFFIC_FAMILY, families[MIN(key->family, (uint32_t)SOCKETS_OTHER)]);
	rows_unsigned(rows, TRAFFIC_CONNECTS, t->connects);
	rows_unsigned(rows, TRAFFIC_CONNECT_ERRORS, t->connect_errors);
	rows_unsigned(rows, TRAFFIC_ACCEPTS, t->accepts);
	rows_unsigned(rows, TRAFFIC_ACCEPT_ERRORS, t->accept_errors);
	rows_unsigned(rows, TRAFFIC_CLOSES, t->closes);
	rows_unsigned(rows, TRAFFIC_SENDS, t->sends);
	rows_unsigned(rows, TRAFFIC_SEND_ERRORS, t->send_errors);
	rows_unsigned(rows, TRAFFIC_SENT, t->sent_bytes);
	rows_unsigned(rows, TRAFFIC_RECEIVES, t->receives);
	rows_unsigned(rows, TRAFFIC_RECEIVE_ERRORS, t->receive_errors);
	rows_unsigned(rows, TRAFFIC_RECEIVED, t->received_bytes);
}

static bool put_traffic(const void *k, const void *value, void *userdata)
{
	struct sockets *s = userdata;
	const struct sockets_traffic *t = value;
	struct sockets_traffic last;
	struct sockets_key key;
	bool stays;

	memcpy(&key, k, sizeof(key));
	stays = tracer_process_alive(&s->tracer, key.pid);
	/* What it counted between the snapshot and its end is there now. */
	if (!stays && bpf_map__lookup_elem(s->skel->maps.traffic, &key, sizeof(key), &last,
					   sizeof(last), 0) == 0)
		t = &last;
	put_traffic_row(s->tracer.rows, &key, t);
	return stays;
}

static void put_counts(struct sockets *s, const struct sockets_counts *c)
{
	struct rows *rows = s->tracer.rows;

	rows_add(rows, TABLE_TCP);
	rows_unsigned(rows, TCP_RETRANSMITS, c->retransmits);
	rows_unsigned(rows, TCP_RESETS_SENT, c->resets_sent);
	rows_unsigned(rows, TCP_RESETS_RECEIVED, c->resets_received);
	for (unsigned int i = 0; i < SOCKETS_STATES; i++) {
		if (!state_name(i))
			continue;
		rows_add(rows, TABLE_STATES);
		rows_string(rows, STATE_STATE, state_name(i));
		rows_unsigned(rows, STATE_ENTERED, c->states[i]);
	}
	tracer_put_counts(&s->tracer, rows, TABLE_LOSSES);
	rows_unsigned(rows, LOSS_UNCOUNTED, c->uncounted);
	rows_unsigned(rows, LOSS_PARTIAL, c->partial);
	rows_unsigned(rows, LOSS_32BIT, c->calls_32bit);
}

static int sockets_read(void *state, struct rows *rows)
{
	struct sockets *s = state;
	struct sockets_counts c = {};
	int r;

	s->tracer.rows = rows;
	r = tracer_drain(&s->tracer, put_event, s);
	if (r == 0)
		r = tracer_each(&s->tracer, s->skel->maps.traffic, put_traffic, s);
	if (r == 0)
		r = tracer_counts(&s->tracer, s->skel->maps.counts, &c, sizeof(c));
	put_counts(s, &c);
	return r;
}

const struct collector collector_sockets = {
	.name = "sockets",
	.summary = "connect, accept and close; bytes by process; retransmits, resets and states of "
		   "TCP",
	.needs = "CAP_BPF, CAP_PERFMON, BTF",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 5000000000,
	.keys = COLLECTOR_EVENTS,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = tracer_probe_btf,
	.open = sockets_open,
	.read = sockets_read,
	.fd = tracer_fd,
	.close = sockets_close,
};
