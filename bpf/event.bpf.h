/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * Sending events to user space, in every collector's programs: event_begin(), event_send().
 *
 * One program serves both transports. On a kernel without the BPF ring buffer (before 5.8, and on
 * one without BTF, where nobody can tell) the call of its helper is dead code that the verifier
 * never sees. No global data, for kernels of the 4.18 line.
 */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

#define EVENT_ENOSPC 28

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_knobs);
} event_knobs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_counts);
} event_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} event_perf_rings SEC(".maps");

/* User space sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} event_bpf_ring SEC(".maps");

/* Fills the head of an event that begins to be made; `kind` is the collector's own numbering. */
static __always_inline void event_begin(struct record_head *head, __u16 kind)
{
	head->kind = kind;
	head->cpu = bpf_get_smp_processor_id();
	head->time_ns = bpf_ktime_get_ns();
}

static __always_inline long event_to_bpf_ring(const struct event_knobs *k, void *event, __u64 size)
{
	/* BPF rings have no watermark: wake the reader once the threshold is passed, and never
	 * otherwise. */
	__u64 flags = bpf_ringbuf_query(&event_bpf_ring, BPF_RB_AVAIL_DATA) >= k->wake_bytes
			      ? BPF_RB_FORCE_WAKEUP
			      : BPF_RB_NO_WAKEUP;

	/* The only other error is a lock held by what this program interrupted; both mean that the
	 * ring took nothing. */
	return bpf_ringbuf_output(&event_bpf_ring, event, size, flags) ? -EVENT_ENOSPC : 0;
}

/* Sends `size` bytes, which the verifier must know to be bounded; counts what becomes of them. */
static __always_inline void event_send(void *ctx, struct record_head *head, __u64 size)
{
	__u32 zero = 0;
	struct event_knobs *k = bpf_map_lookup_elem(&event_knobs, &zero);
	struct event_counts *c = bpf_map_lookup_elem(&event_counts, &zero);
	long r;

	if (!k || !c)
		return;
	head->seq = ++c->made;
	head->size = size;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ringbuf_output) && k->bpf_ring)
		r = event_to_bpf_ring(k, head, size);
	else
		r = bpf_perf_event_output(ctx, &event_perf_rings, BPF_F_CURRENT_CPU, head, size);
	if (r == -EVENT_ENOSPC)
		c->full++;
	else if (r)
		c->fault++;
}
