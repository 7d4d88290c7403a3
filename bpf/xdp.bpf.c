// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets that an interface receives, by protocol, before the network stack has seen them. Each one
 * passes.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp.h"

#define ETHERNET_BYTES 14
#define VLAN_BYTES 4
#define PROTOCOL_AT 12
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

/* By the interface's index; user space makes the elements. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, XDP_INTERFACES);
	__type(key, __u32);
	__type(value, struct xdp_counts);
} interfaces SEC(".maps");

/* What the frame carries, behind two VLAN tags at most; 0: it is too short to tell. */
static __always_inline __u16 protocol_of(const struct xdp_md *ctx)
{
	const void *data = (const void *)(long)ctx->data, *end = (const void *)(long)ctx->data_end;
	__u16 protocol;

	if (data + ETHERNET_BYTES > end)
		return 0;
	protocol = bpf_ntohs(*(const __u16 *)(data + PROTOCOL_AT));
	if (protocol != ETH_P_8021Q && protocol != ETH_P_8021AD)
		return protocol;
	if (data + ETHERNET_BYTES + VLAN_BYTES > end)
		return 0;
	protocol = bpf_ntohs(*(const __u16 *)(data + PROTOCOL_AT + VLAN_BYTES));
	if (protocol != ETH_P_8021Q || data + ETHERNET_BYTES + 2 * VLAN_BYTES > end)
		return protocol;
	return bpf_ntohs(*(const __u16 *)(data + PROTOCOL_AT + 2 * VLAN_BYTES));
}

SEC("xdp")
int count_packet(struct xdp_md *ctx)
{
	__u32 interface = ctx->ingress_ifindex;
	struct xdp_counts *c = bpf_map_lookup_elem(&interfaces, &interface);
	__u64 bytes = ctx->data_end - ctx->data;
	__u16 protocol = protocol_of(ctx);

	if (!c)
		return XDP_PASS;
	if (protocol == ETH_P_IP) {
		c->ipv4_packets++;
		c->ipv4_bytes += bytes;
	} else if (protocol == ETH_P_IPV6) {
		c->ipv6_packets++;
		c->ipv6_bytes += bytes;
	} else {
		c->other_packets++;
		c->other_bytes += bytes;
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
