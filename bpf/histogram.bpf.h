/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* Adding to histograms, which several CPUs may do at once. */
#include <bpf/bpf_helpers.h>

#include "histogram.h"

/* How many bits the number has. */
static __always_inline __u32 histogram_bits(__u64 v)
{
	__u32 n = 0;

#pragma unroll
	for (int shift = 32; shift; shift /= 2) {
		__u64 more = v >> shift != 0;

		v >>= more * shift;
		n += more * shift;
	}
	return n + (v != 0);
}

static __always_inline void histogram_add(struct histogram *h, __u64 ns)
{
	__u32 bucket = histogram_bits(ns);

	if (bucket >= HISTOGRAM_BUCKETS)
		bucket = HISTOGRAM_BUCKETS - 1;
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->total_ns, ns);
	__sync_fetch_and_add(&h->buckets[bucket], 1);
}
