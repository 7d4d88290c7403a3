// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the sockets of each control group send and receive. The programs are attached to the root of
 * cgroup v2, so that they see the packets of all sockets, in whichever network namespace; each one
 * passes. A packet belongs to the group in which its socket was made.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "cgroup_traffic.h"

#define LOOPBACK 1 /* the index of lo, in every network namespace */
#define PASS 1

/* Made as groups come: all of them at once would be 64 MB with 256 CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CGROUP_TRAFFIC_GROUPS);
	__type(key, __u64);
	__type(value, struct cgroup_traffic);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cgroup_traffic_counts);
} counts SEC(".maps");

static __always_inline struct cgroup_traffic *find_group(__u64 id)
{
	struct cgroup_traffic fresh = {}, *g = bpf_map_lookup_elem(&groups, &id);

	if (g)
		return g;
	bpf_map_update_elem(&groups, &id, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&groups, &id);
}

static __always_inline void miss(int ownerless)
{
	__u32 zero = 0;
	struct cgroup_traffic_counts *c = bpf_map_lookup_elem(&counts, &zero);

	if (c)
		__sync_fetch_and_add(ownerless ? &c->ownerless : &c->uncounted, 1);
}

/* These programs may be preempted, and interrupted by each other, on the same CPU. */
static __always_inline void add(__u64 *bytes, __u64 *packets, __u32 size)
{
	__sync_fetch_and_add(bytes, size);
	__sync_fetch_and_add(packets, 1);
}

SEC("cgroup_skb/ingress")
int receive(struct __sk_buff *skb)
{
	__u64 id = bpf_skb_cgroup_id(skb);
	struct cgroup_traffic *g = id ? find_group(id) : 0;

	if (!g)
		miss(!id);
	else if (skb->ifindex == LOOPBACK)
		add(&g->lo_rx_bytes, &g->lo_rx_packets, skb->len);
	else
		add(&g->rx_bytes, &g->rx_packets, skb->len);
	return PASS;
}

SEC("cgroup_skb/egress")
int send(struct __sk_buff *skb)
{
	__u64 id = bpf_skb_cgroup_id(skb);
	struct cgroup_traffic *g = id ? find_group(id) : 0;

	if (!g)
		miss(!id);
	else if (skb->ifindex == LOOPBACK)
		add(&g->lo_tx_bytes, &g->lo_tx_packets, skb->len);
	else
		add(&g->tx_bytes, &g->tx_packets, skb->len);
	return PASS;
}

char LICENSE[] SEC("license") = "GPL";
