/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* What the cgroup_traffic collector's programs and user space share. Include after the fixed-width
 * types. */
#define CGROUP_TRAFFIC_GROUPS 4096

/* Of one control group and CPU, of all interfaces but lo, and of lo. */
struct cgroup_traffic {
	__u64 rx_bytes, rx_packets, tx_bytes, tx_packets;
	__u64 lo_rx_bytes, lo_rx_packets, lo_tx_bytes, lo_tx_packets;
};

#define CGROUP_TRAFFIC_WORDS (sizeof(struct cgroup_traffic) / sizeof(__u64))

struct cgroup_traffic_counts {
	__u64 ownerless; /* packets of no full socket: answers of the kernel's own */
	__u64 uncounted; /* packets of groups that found no room */
};
