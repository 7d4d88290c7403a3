/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * A histogram of nanoseconds in a map: bounded, by the binary logarithm. Include after the
 * fixed-width types.
 */
#define HISTOGRAM_BUCKETS 41 /* the last one holds all that took more than nine minutes */

struct histogram {
	__u64 count, total_ns;
	__u64 buckets[HISTOGRAM_BUCKETS]; /* [i]: below 2^i ns, and not below 2^(i-1) */
};

#define HISTOGRAM_WORDS (sizeof(struct histogram) / sizeof(__u64))
