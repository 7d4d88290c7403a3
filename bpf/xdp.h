/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* What the xdp collector's program and user space share. Include after the fixed-width types. */
#define XDP_INTERFACES 64

/* Of one interface and CPU. */
struct xdp_counts {
	__u64 ipv4_packets, ipv4_bytes;
	__u64 ipv6_packets, ipv6_bytes;
	__u64 other_packets, other_bytes;
};

#define XDP_WORDS (sizeof(struct xdp_counts) / sizeof(__u64))
