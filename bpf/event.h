/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What every collector's programs share with user space about the events they send: each begins
 * with a struct record_head, goes through a ring that is this collector's alone, and is counted.
 *
 * Include after the fixed-width types, like sample.h.
 */
#include "sample.h"

/* One element, written by user space before the attach. */
struct event_knobs {
	__u32 bpf_ring; /* transport: the BPF ring, else the perf rings */
	__u32 wake_bytes; /* BPF ring: wake the reader when this much waits; 0: for each event */
};

/* Per CPU: every event that was made is sent, or lost for one of two reasons. */
struct event_counts {
	__u64 made; /* the last record_head.seq */
	__u64 full; /* no room in the ring (kernels before 5.1 do not tell: there the sequence shows
		       it) */
	__u64 fault; /* not handed over for another reason: no ring on this CPU */
};

_Static_assert(sizeof(struct event_knobs) == 8, "knobs are shared");
