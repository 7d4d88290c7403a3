// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sockets as programs use them: connect, accept and close as events, sends and receives as sums;
 * and what TCP does underneath.
 *
 * System calls are looked at where they return: there the result is known, and the arguments are
 * still in the caller's registers. Only close must be looked at before, while the socket is there.
 * What kind of call a number is, user space says; the rest of the calls leave at once.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "event.bpf.h"
#include "registers.bpf.h"
#include "sockets.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define MSG_PEEK 2
#define EAGAIN 11
#define EINPROGRESS 115
#define MESSAGES 64 /* of one sendmmsg whose bytes are counted */
#define MMSGHDR_BYTES 64 /* of 64-bit programs */
#define MMSGHDR_LEN 56

const volatile __u8 call_kinds[SOCKETS_CALLS] = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sockets_key);
	__type(value, struct sockets_traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct sockets_open);
} open_sockets SEC(".maps");

/* By thread: a close under way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct sockets_record);
} closing SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sockets_counts);
} counts SEC(".maps");

static __always_inline struct sockets_counts *get_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

static __always_inline __u32 kind_of(__u64 n)
{
	if (n >= SOCKETS_CALLS)
		return SOCKETS_NONE;
	barrier_var(n); /* the verifier is to see the bounds of what is used as an index */
	return call_kinds[n & (SOCKETS_CALLS - 1)];
}

/* --- sockets --------------------------------------------------------------------------------- */

struct found {
	struct sock *sk;
	__u64 inode;
	__u8 type, family;
};

static __always_inline __u8 family_of(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET    ? SOCKETS_IPV4
	       : family == AF_INET6 ? SOCKETS_IPV6
	       : family == AF_UNIX  ? SOCKETS_UNIX
				    : SOCKETS_OTHER;
}

struct descriptors {
	struct file **files;
	__u32 n;
};

/* In place where the kernel lets a program look at the task itself: a copy costs 25 ns. */
static __always_inline void get_descriptors(struct descriptors *ret)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		struct fdtable *table = bpf_get_current_task_btf()->files->fdt;

		ret->files = table->fd;
		ret->n = table->max_fds;
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();
		struct fdtable *table = BPF_CORE_READ(task, files, fdt);

		ret->files = BPF_CORE_READ(table, fd);
		ret->n = BPF_CORE_READ(table, max_fds);
	}
}

/* The socket behind a descriptor of the current process; 0: it is something else. */
static __always_inline int find(__u64 fd, struct found *ret)
{
	struct descriptors d;
	struct socket *socket;
	struct inode *inode;
	struct file *file;

	get_descriptors(&d);
	fd = (__u32)fd;
	if (fd >= d.n || bpf_probe_read_kernel(&file, sizeof(file), &d.files[fd]) || !file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data); /* none: opened by path */
	if (!socket)
		return 0;
	ret->sk = BPF_CORE_READ(socket, sk);
	if (!ret->sk)
		return 0;
	ret->inode = BPF_CORE_READ(inode, i_ino);
	ret->type = BPF_CORE_READ(socket, type);
	ret->family = family_of(ret->sk);
	return 1;
}

static __always_inline int is_inet(__u8 family)
{
	return family == SOCKETS_IPV4 || family == SOCKETS_IPV6;
}

static __always_inline void fill_addresses(struct sockets_record *rec, struct sock *sk)
{
	rec->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	rec->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	rec->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (rec->family == SOCKETS_IPV4) {
		BPF_CORE_READ_INTO((__u32 *)rec->local, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__u32 *)rec->remote, sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&rec->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&rec->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
}

static __always_inline void fill(struct sockets_record *rec, const struct found *s, long result)
{
	rec->pid = bpf_get_current_pid_tgid() >> 32;
	rec->uid = (__u32)bpf_get_current_uid_gid();
	rec->result = result;
	rec->family = s->family;
	rec->type = s->type;
	bpf_get_current_comm(rec->comm, sizeof(rec->comm));
	fill_addresses(rec, s->sk);
}

/* --- sums ------------------------------------------------------------------------------------ */

static __always_inline struct sockets_traffic *add_traffic(const struct sockets_key *key,
							   const __u64 *name)
{
	struct sockets_traffic fresh = { .name = { name[0], name[1] } };

	bpf_map_update_elem(&traffic, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&traffic, key);
}

static __always_inline struct sockets_traffic *traffic_of(__u8 family)
{
	__u64 name[SAMPLE_COMM_LEN / 8];
	struct sockets_traffic *t;
	struct sockets_key key;
	struct sockets_counts *c;

	bpf_get_current_comm(name, sizeof(name));
	key.pid = bpf_get_current_pid_tgid() >> 32;
	key.family = family;
	key.name = (name[0] * 0x9e3779b97f4a7c15ULL ^ name[1] * 0xff51afd7ed558ccdULL) >> 32;
	t = bpf_map_lookup_elem(&traffic, &key);
	if (!t)
		t = add_traffic(&key, name);
	if (t && t->name[0] == name[0] && t->name[1] == name[1])
		return t;
	c = get_counts();
	if (c)
		c->uncounted++;
	return 0;
}

static __always_inline struct sockets_open *bytes_of(__u64 inode)
{
	struct sockets_open fresh = {}, *o = bpf_map_lookup_elem(&open_sockets, &inode);

	if (o)
		return o;
	bpf_map_update_elem(&open_sockets, &inode, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&open_sockets, &inode);
}

static __always_inline void sent(const struct found *s, long result, __u64 bytes)
{
	struct sockets_traffic *t = traffic_of(s->family);
	struct sockets_open *o;

	if (!t || result == -EAGAIN)
		return;
	__sync_fetch_and_add(&t->sends, 1);
	if (result < 0) {
		__sync_fetch_and_add(&t->send_errors, 1);
		return;
	}
	__sync_fetch_and_add(&t->sent_bytes, bytes);
	o = is_inet(s->family) ? bytes_of(s->inode) : 0;
	if (o)
		__sync_fetch_and_add(&o->sent, bytes);
}

static __always_inline void received(const struct found *s, long result, __u64 bytes)
{
	struct sockets_traffic *t = traffic_of(s->family);
	struct sockets_open *o;

	if (!t || result == -EAGAIN)
		return;
	__sync_fetch_and_add(&t->receives, 1);
	if (result < 0) {
		__sync_fetch_and_add(&t->receive_errors, 1);
		return;
	}
	__sync_fetch_and_add(&t->received_bytes, bytes);
	o = is_inet(s->family) ? bytes_of(s->inode) : 0;
	if (o)
		__sync_fetch_and_add(&o->received, bytes);
}

/* What the kernel wrote into each message's length. */
static __always_inline __u64 message_bytes(__u64 vector, long n)
{
	struct sockets_counts *c;
	__u64 bytes = 0;

#pragma unroll
	for (int i = 0; i < MESSAGES; i++) {
		__u32 length = 0;

		if (i >= n)
			break;
		bpf_probe_read_user(&length, sizeof(length),
				    (void *)(vector + i * MMSGHDR_BYTES + MMSGHDR_LEN));
		bytes += length;
	}
	c = n > MESSAGES ? get_counts() : 0;
	if (c)
		c->partial++;
	return bytes;
}

/* --- events ---------------------------------------------------------------------------------- */

/* The address the caller asked for: a socket that was refused has none any more. */
static __always_inline void fill_wish(struct sockets_record *rec, __u64 address)
{
	struct {
		__u16 family;
		__be16 port;
		__u8 ipv4[4]; /* of IPv6 the flow label */
		__u8 ipv6[16];
	} a = {};

	if (rec->family == SOCKETS_IPV4) {
		if (bpf_probe_read_user(&a, 8, (void *)address) || a.family != AF_INET)
			return;
		__builtin_memcpy(rec->remote, a.ipv4, 4);
	} else {
		if (bpf_probe_read_user(&a, sizeof(a), (void *)address) || a.family != AF_INET6)
			return;
		__builtin_memcpy(rec->remote, a.ipv6, 16);
	}
	rec->remote_port = bpf_ntohs(a.port);
}

static __always_inline void connected(void *ctx, void *regs, const struct found *s, long result)
{
	struct sockets_traffic *t = traffic_of(s->family);
	struct sockets_open fresh = {};
	struct sockets_record rec = {};
	__u64 inode = s->inode;

	if (t) {
		__sync_fetch_and_add(&t->connects, 1);
		if (result < 0 && result != -EINPROGRESS)
			__sync_fetch_and_add(&t->connect_errors, 1);
	}
	if (!is_inet(s->family))
		return;
	fill(&rec, s, result);
	fill_wish(&rec, CALL_SECOND(regs, REGISTERS_COPY));
	event_begin(&rec.head, SOCKETS_EVENT_CONNECT);
	if (result == 0 || result == -EINPROGRESS) {
		fresh.start_ns = rec.head.time_ns;
		bpf_map_update_elem(&open_sockets, &inode, &fresh, BPF_ANY);
	}
	event_send(ctx, &rec.head, sizeof(rec));
}

/* `s` is the new socket, or when there is none the one that listens. */
static __always_inline void accepted(void *ctx, const struct found *s, long result)
{
	struct sockets_traffic *t;
	struct sockets_open fresh = {};
	struct sockets_record rec = {};
	__u64 inode = s->inode;

	if (result == -EAGAIN)
		return;
	t = traffic_of(s->family);
	if (t) {
		__sync_fetch_and_add(&t->accepts, 1);
		if (result < 0)
			__sync_fetch_and_add(&t->accept_errors, 1);
	}
	if (!is_inet(s->family))
		return;
	fill(&rec, s, result < 0 ? result : 0);
	event_begin(&rec.head, SOCKETS_EVENT_ACCEPT);
	if (result >= 0) {
		fresh.start_ns = rec.head.time_ns;
		bpf_map_update_elem(&open_sockets, &inode, &fresh, BPF_ANY);
	}
	event_send(ctx, &rec.head, sizeof(rec));
}

static __always_inline void begin_close(__u64 fd)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct sockets_record rec = {};
	struct sockets_open *o;
	struct found s;

	if (!find(fd, &s))
		return;
	fill(&rec, &s, 0);
	if (is_inet(s.family)) {
		__u64 inode = s.inode;

		o = bpf_map_lookup_elem(&open_sockets, &inode);
		if (o) {
			rec.sent = o->sent;
			rec.received = o->received;
			rec.life_ns = o->start_ns ? bpf_ktime_get_ns() - o->start_ns : 0;
		}
	}
	bpf_map_update_elem(&closing, &tid, &rec, BPF_ANY);
}

static __always_inline void end_close(void *ctx, long result)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct sockets_record *rec = bpf_map_lookup_elem(&closing, &tid);
	struct sockets_traffic *t;

	if (!rec)
		return;
	t = traffic_of(rec->family);
	if (t)
		__sync_fetch_and_add(&t->closes, 1);
	rec->result = result;
	if (is_inet(rec->family)) {
		event_begin(&rec->head, SOCKETS_EVENT_CLOSE);
		event_send(ctx, &rec->head, sizeof(*rec));
	}
	bpf_map_delete_elem(&closing, &tid);
}

/* --- system calls ---------------------------------------------------------------------------- */

/* sys_enter(regs, number) */
SEC("raw_tracepoint/sys_enter")
int call_begins(struct bpf_raw_tracepoint_args *ctx)
{
	void *regs = (void *)ctx->args[0];

	if (kind_of(ctx->args[1]) == SOCKETS_CLOSE && !CALL_IS_32BIT(regs, REGISTERS_COPY))
		begin_close(CALL_FIRST(regs, REGISTERS_COPY));
	return 0;
}

static __always_inline int peeks(void *regs, __u32 kind)
{
	return (kind == SOCKETS_RECVFROM && (CALL_FOURTH(regs, REGISTERS_COPY) & MSG_PEEK)) ||
	       (kind == SOCKETS_RECVMSG && (CALL_THIRD(regs, REGISTERS_COPY) & MSG_PEEK));
}

static __always_inline void transferred(void *regs, __u32 kind, const struct found *s, long result)
{
	__u64 bytes = result > 0 ? result : 0;

	if (kind == SOCKETS_SENDMMSG || kind == SOCKETS_RECVMMSG)
		bytes = message_bytes(CALL_SECOND(regs, REGISTERS_COPY), result);
	if (kind == SOCKETS_SEND || kind == SOCKETS_SENDMMSG)
		sent(s, result, bytes);
	else
		received(s, result, peeks(regs, kind) ? 0 : bytes);
}

/* sys_exit(regs, result) */
SEC("raw_tracepoint/sys_exit")
int call_ends(struct bpf_raw_tracepoint_args *ctx)
{
	void *regs = (void *)ctx->args[0];
	long result = ctx->args[1];
	__u32 kind = kind_of(CALL_NUMBER(regs, REGISTERS_COPY));
	struct sockets_counts *c;
	struct found s;

	if (kind == SOCKETS_NONE)
		return 0;
	if (CALL_IS_32BIT(regs, REGISTERS_COPY)) {
		c = get_counts();
		if (c)
			c->calls_32bit++;
		return 0;
	}
	if (kind == SOCKETS_CLOSE) {
		end_close(ctx, result);
		return 0;
	}
	if (!find(kind == SOCKETS_ACCEPT && result >= 0 ? (__u64)result
							: CALL_FIRST(regs, REGISTERS_COPY),
		  &s))
		return 0;
	if (kind == SOCKETS_CONNECT)
		connected(ctx, regs, &s, result);
	else if (kind == SOCKETS_ACCEPT)
		accepted(ctx, &s, result);
	else
		transferred(regs, kind, &s, result);
	return 0;
}

/* --- TCP ------------------------------------------------------------------------------------- */

/* Whoever runs at this moment has nothing to do with it. */
static __always_inline void tell(void *ctx, struct sock *sk, __u16 kind)
{
	struct sockets_record rec = {};

	if (!sk)
		return;
	rec.family = family_of(sk);
	rec.type = 1;
	if (!is_inet(rec.family))
		return;
	fill_addresses(&rec, sk);
	event_begin(&rec.head, kind);
	event_send(ctx, &rec.head, sizeof(rec));
}

/* tcp_retransmit_skb(sk, skb, ...) */
SEC("raw_tracepoint/tcp_retransmit_skb")
int retransmitted(struct bpf_raw_tracepoint_args *ctx)
{
	struct sockets_counts *c = get_counts();

	if (c)
		c->retransmits++;
	tell(ctx, (void *)ctx->args[0], SOCKETS_EVENT_RETRANSMIT);
	return 0;
}

/* tcp_send_reset(sk, skb, ...): no sk for a packet that belongs to none */
SEC("raw_tracepoint/tcp_send_reset")
int reset_sent(struct bpf_raw_tracepoint_args *ctx)
{
	struct sockets_counts *c = get_counts();

	if (c)
		c->resets_sent++;
	tell(ctx, (void *)ctx->args[0], SOCKETS_EVENT_RESET_SENT);
	return 0;
}

/* tcp_receive_reset(sk) */
SEC("raw_tracepoint/tcp_receive_reset")
int reset_received(struct bpf_raw_tracepoint_args *ctx)
{
	struct sockets_counts *c = get_counts();

	if (c)
		c->resets_received++;
	tell(ctx, (void *)ctx->args[0], SOCKETS_EVENT_RESET_RECEIVED);
	return 0;
}

/* inet_sock_set_state(sk, old, new) */
SEC("raw_tracepoint/inet_sock_set_state")
int state_changed(struct bpf_raw_tracepoint_args *ctx)
{
	struct sockets_counts *c = get_counts();
	__u64 state = ctx->args[2];

	if (c && state < SOCKETS_STATES)
		c->states[state]++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
