// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The sampler: on each overflow of a perf event, one record with both stacks goes into this CPU's
 * ring.
 *
 * One instance of this object is loaded per event; the instances share the rings. Two programs, one
 * per transport, of which user space loads one. Knobs and counters live in maps, not in globals:
 * kernels of the 4.18 line know no global data.
 *
 * A perf_event program never interrupts another on its CPU (the kernel's bpf_prog_active check
 * skips it, and that is what the ledger calls "not delivered"), so per-CPU scratch and counters
 * need no atomics.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "compat.bpf.h"
#include "sample.h"

#define ENOSPC 28

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sampler_knobs);
} knobs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sampler_counts);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample_record);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(key_size, SAMPLE_COMM_LEN);
	__type(value, __u8);
} comms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf_rings SEC(".maps");

/* User space replaces each inner ring by one of the configured size, one per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, 4096);
		});
} bpf_rings SEC(".maps");

static __always_inline int wanted(const struct sampler_knobs *k, struct sample_record *rec)
{
	__u32 pid = rec->pid;
	__u64 cgroup = rec->cgroup_id;

	if (pid == 0 && !(k->flags & SAMPLER_IDLE))
		return 0;
	if (pid && pid == k->exclude_pid)
		return 0;
	if ((k->flags & SAMPLER_FILTER_PID) && !bpf_map_lookup_elem(&pids, &pid))
		return 0;
	if ((k->flags & SAMPLER_FILTER_CGROUP) && !bpf_map_lookup_elem(&cgroups, &cgroup))
		return 0;
	if ((k->flags & SAMPLER_FILTER_COMM) && !bpf_map_lookup_elem(&comms, rec->comm))
		return 0;
	return 1;
}

/* Returns the number of frames read into `frames`, at most `depth`. */
static __always_inline __u64 read_stack(void *ctx, __u64 *frames, __u64 depth, __u64 flags,
					__u8 *ret_status, __u8 good)
{
	__u64 size = depth * sizeof(__u64);
	long n;

	if (size > SAMPLE_MAX_FRAMES * sizeof(__u64))
		size = SAMPLE_MAX_FRAMES * sizeof(__u64);
	n = bpf_get_stack(ctx, frames, size, flags);
	if (n < 0) {
		*ret_status = STACK_FAULT;
		return 0;
	}
	if (n == 0) {
		*ret_status = STACK_NONE;
		return 0;
	}
	*ret_status = (__u64)n >= size ? STACK_TRUNCATED : good;
	return (__u64)n / sizeof(__u64);
}

static __always_inline __u64 read_stacks(void *ctx, const struct sampler_knobs *k,
					 struct sample_record *rec)
{
	__u64 kernel = 0, user = 0;

	rec->kernel_status = STACK_NONE;
	rec->user_status = STACK_NONE;
	if (k->flags & SAMPLER_KERNEL_STACK)
		kernel = read_stack(ctx, rec->frames, k->depth, 0, &rec->kernel_status,
				    STACK_COMPLETE);
	if (kernel > SAMPLE_MAX_FRAMES)
		kernel = SAMPLE_MAX_FRAMES;
	if (k->flags & SAMPLER_USER_STACK)
		user = read_stack(ctx, &rec->frames[kernel], k->depth, BPF_F_USER_STACK,
				  &rec->user_status, STACK_UNVERIFIED);
	if (user > SAMPLE_MAX_FRAMES)
		user = SAMPLE_MAX_FRAMES;
	rec->kernel_frames = kernel;
	rec->user_frames = user;
	return kernel + user;
}

/* Fills the scratch record; returns it with its size, or NULL when the sample is not wanted or
 * cannot be built. */
static __always_inline struct sample_record *build(struct bpf_perf_event_data *ctx,
						   const struct sampler_knobs *k,
						   struct sampler_counts *c, __u64 *ret_size)
{
	__u32 zero = 0;
	struct sample_record *rec = bpf_map_lookup_elem(&scratch, &zero);
	__u64 id, size;

	c->seen++;
	c->weight += ctx->sample_period;
	if (!rec) {
		c->fault++;
		return 0;
	}
	rec->head.time_ns = bpf_ktime_get_ns();
	id = bpf_get_current_pid_tgid();
	rec->pid = id >> 32;
	rec->tid = (__u32)id;
	c->idle += rec->pid == 0;
	rec->cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(rec->comm, sizeof(rec->comm));
	if (!wanted(k, rec)) {
		c->filtered++;
		return 0;
	}
	size = read_stacks(ctx, k, rec) * sizeof(__u64) + SAMPLE_RECORD_MIN;
	if (size > sizeof(*rec))
		size = sizeof(*rec);
	rec->head.kind = RECORD_KIND_SAMPLE;
	rec->head.size = size;
	rec->head.cpu = bpf_get_smp_processor_id();
	rec->head.seq = c->sent + 1;
	rec->period = ctx->sample_period;
	rec->event = k->event;
	rec->seen = c->seen;
	rec->filtered = c->filtered;
	rec->full = c->full;
	rec->fault = c->fault;
	*ret_size = size;
	return rec;
}

static __always_inline void account(struct sampler_counts *c, long r)
{
	if (r == 0)
		c->sent++;
	else if (r == -ENOSPC)
		c->full++;
	else
		c->fault++;
}

SEC("?perf_event")
int sample_to_perf_ring(struct bpf_perf_event_data *ctx)
{
	__u32 zero = 0;
	struct sampler_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct sampler_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct sample_record *rec;
	__u64 size = 0;

	if (!k || !c)
		return 0;
	rec = build(ctx, k, c, &size);
	if (!rec)
		return 0;
	account(c, bpf_perf_event_output(ctx, &perf_rings, BPF_F_CURRENT_CPU, rec, size));
	return 0;
}

SEC("?perf_event")
int sample_to_bpf_ring(struct bpf_perf_event_data *ctx)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct sampler_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct sampler_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct sample_record *rec;
	__u64 size = 0, flags;
	void *ring;
	long r;

	if (!k || !c)
		return 0;
	rec = build(ctx, k, c, &size);
	if (!rec)
		return 0;
	ring = bpf_map_lookup_elem(&bpf_rings, &cpu);
	if (!ring) {
		c->fault++;
		return 0;
	}
	/* BPF rings have no watermark: wake the reader once the threshold is passed, and never
	 * otherwise. */
	flags = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > k->wake_bytes ? BPF_RB_FORCE_WAKEUP
									   : BPF_RB_NO_WAKEUP;
	r = bpf_ringbuf_output(ring, rec, size, flags);
	/* The only other error is a lock held by the code this event interrupted; both mean the
	 * ring took nothing. */
	account(c, r == 0 ? 0 : -ENOSPC);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
