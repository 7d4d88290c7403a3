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

#include <bpf/bpf_core_read.h>

#include "compat.bpf.h"
#include "sample.h"
#include "unwind.h"
#include "user_stack.bpf.h"

#define ENOSPC 28
#define MAX_ERRNO 4095 /* include/linux/err.h */
#define PF_VCPU 1 /* include/linux/sched.h: the task runs a guest at this moment */

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

/* Counter i of a CPU is at i * knobs.cpus + cpu, the number of context switches behind the last. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter_state);
} counter_states SEC(".maps");

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

/* How a program finds user stacks: by frame pointers; by rows, from the registers that the event
 * interrupted, with the processor's own record of calls beside them, or from those of the task that is
 * being switched. */
enum user_way { BY_FRAME_POINTERS, BY_ROWS, BY_ROWS_AND_BRANCHES, BY_ROWS_OF_SWITCH };

static __always_inline __u64 read_user_stack(void *ctx, const struct sampler_knobs *k,
					     struct sample_record *rec, __u64 kernel,
					     enum user_way way)
{
	struct unwind_cpu *c = 0;
	__u64 n;

	rec->user_status = STACK_UNVERIFIED;
	if (way == BY_ROWS || way == BY_ROWS_AND_BRANCHES)
		c = unwind_begin_event(ctx, k, rec);
	if (way == BY_ROWS_OF_SWITCH)
		c = unwind_begin_switch(k, rec);

	if (!c && rec->user_status != STACK_UNVERIFIED)
		return 0;
	if (!c)
		return read_stack(ctx, &rec->words[kernel], k->depth, BPF_F_USER_STACK,
				  &rec->user_status, STACK_UNVERIFIED);
	unwind_user(rec->head.cpu);
	rec->user_status = c->status;
	rec->flags |= unwind_flags(c);
	n = c->frames * sizeof(__u64);
	if (n > SAMPLE_MAX_FRAMES * sizeof(__u64))
		n = SAMPLE_MAX_FRAMES * sizeof(__u64);
	bpf_probe_read_kernel(&rec->words[kernel], n, c->pcs);
	return n / sizeof(__u64);
}

static __always_inline int runs_guest(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	unsigned int flags = 0;

	if (!bpf_core_field_exists(task->flags))
		return 0;
	bpf_core_read(&flags, sizeof(flags), &task->flags);
	return flags & PF_VCPU;
}

/*
 * Of a guest there are no addresses, but below it is the host's stack that runs it; not with PVM,
 * whose interrupts come with the guest's registers.
 */
static __always_inline __u64 read_kernel_stack(void *ctx, const struct sampler_knobs *k,
					       struct sample_record *rec)
{
	__u64 n;

	if (!(k->flags & SAMPLER_GUESTS) || !runs_guest())
		return read_stack(ctx, rec->words, k->depth, 0, &rec->kernel_status,
				  STACK_COMPLETE);
	n = read_stack(ctx, &rec->words[1], k->depth - 1, 0, &rec->kernel_status, STACK_COMPLETE);
	if (n == 0)
		rec->kernel_status = STACK_COMPLETE;
	rec->words[0] = SAMPLE_GUEST;
	return n + 1;
}

static __always_inline __u64 read_stacks(void *ctx, const struct sampler_knobs *k,
					 struct sample_record *rec, enum user_way way)
{
	__u64 kernel = 0, user = 0;

	rec->kernel_status = STACK_NONE;
	rec->user_status = STACK_NONE;
	if (k->flags & SAMPLER_KERNEL_STACK)
		kernel = read_kernel_stack(ctx, k, rec);
	if (kernel > SAMPLE_MAX_FRAMES)
		kernel = SAMPLE_MAX_FRAMES;
	rec->mappings = 0;
	if (k->flags & SAMPLER_USER_STACK)
		user = read_user_stack(ctx, k, rec, kernel, way);
	if (user > SAMPLE_MAX_FRAMES)
		user = SAMPLE_MAX_FRAMES;
	rec->kernel_frames = kernel;
	rec->user_frames = user;
	return kernel + user;
}

static __always_inline long read_counter(__u64 index, struct sample_counter *ret)
{
	return bpf_perf_event_read_value(&counters, index, (struct bpf_perf_event_value *)ret,
					 sizeof(*ret));
}

/* The count alone; its times are those of another one, and cost as much as the count. */
static __always_inline long read_count(__u64 index, const struct sample_counter *times,
				       struct sample_counter *ret)
{
	long count = (long)bpf_perf_event_read(&counters, index);

	if (count < 0 && count >= -MAX_ERRNO)
		return count;
	ret->delta = (__u64)count;
	ret->enabled_ns = times->enabled_ns;
	ret->running_ns = times->running_ns;
	return 0;
}

/* Brings the CPU's counters up to now; how far they went is in st->since. */
static __always_inline void advance_counters(const struct sampler_knobs *k,
					     struct counter_state *st, __u32 cpu)
{
	struct sample_counter times = {}; /* of those that run all the time */

#pragma unroll
	for (__u32 i = 0; i < SAMPLE_MAX_COUNTERS; i++) {
		struct sample_counter now = {}, *last = &st->last[i], *since = &st->since[i];
		__u64 bit = 1ULL << i, index = i * k->cpus + cpu;
		int steady = (k->steady & bit) != 0;

		if (i >= k->counters)
			break;
		since->running_ns = 0;
		if (steady && times.enabled_ns ? read_count(index, &times, &now)
					       : read_counter(index, &now)) {
			st->valid &= ~bit;
			continue;
		}
		if (steady)
			times = now;
		/* An event that was opened anew begins at zero. */
		if ((st->valid & bit) && now.enabled_ns >= last->enabled_ns &&
		    now.delta >= last->delta) {
			since->delta = now.delta - last->delta;
			since->enabled_ns = now.enabled_ns - last->enabled_ns;
			since->running_ns = now.running_ns - last->running_ns;
		}
		*last = now;
		st->valid |= bit;
	}
}

/*
 * What a switch changes: the task and how often it was switched, a fourth of what the CPU's counter
 * costs, which has to do where the kernel's types are not known.
 */
static __always_inline int count_switches(const struct sampler_knobs *k, __u32 cpu,
					  struct sample_counter *ret)
{
	struct task_struct *task;
	unsigned long voluntary = 0, preempted = 0;
	int r;

	if (!bpf_core_field_exists(struct task_struct, nivcsw)) {
		r = (int)read_counter(k->counters * k->cpus + cpu, ret);
		ret->enabled_ns = 0;
		return r;
	}
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		task = bpf_get_current_task_btf();
		voluntary = task->nvcsw;
		preempted = task->nivcsw;
	} else {
		task = (void *)bpf_get_current_task();
		bpf_core_read(&voluntary, sizeof(voluntary), &task->nvcsw);
		bpf_core_read(&preempted, sizeof(preempted), &task->nivcsw);
	}
	ret->delta = voluntary + preempted;
	ret->enabled_ns = (unsigned long)task;
	return 0;
}

/* Did another task run since the previous sample? A program that splits at switches knows better.
 */
static __always_inline void check_mixed(const struct sampler_knobs *k, struct counter_state *st,
					__u32 cpu)
{
	struct sample_counter now = {}, *last = &st->last[SAMPLE_MAX_COUNTERS];
	int unknown;

	if (k->split) {
		st->mixed = st->writing;
		return;
	}
	unknown = count_switches(k, cpu, &now);
	st->mixed = unknown || now.delta != last->delta || now.enabled_ns != last->enabled_ns;
	*last = now;
}

/* Appends what the counters did behind the stack's n words; gives the words there are then. */
static __always_inline __u64 put_counters(const struct sampler_knobs *k,
					  const struct counter_state *st, struct sample_record *rec,
					  __u64 n)
{
#pragma unroll
	for (__u32 i = 0; i < SAMPLE_MAX_COUNTERS; i++) {
		if (i >= k->counters || n > SAMPLE_MAX_WORDS - SAMPLE_COUNTER_WORDS)
			break;
		rec->words[n] = st->since[i].delta;
		rec->words[n + 1] = st->since[i].enabled_ns;
		rec->words[n + 2] = st->since[i].running_ns;
		n += SAMPLE_COUNTER_WORDS;
		rec->counters = i + 1;
	}
	rec->flags |= (st->mixed ? SAMPLE_MIXED : 0) | (st->cut ? SAMPLE_CUT : 0);
	return n;
}

/*
 * The latency and the data source lie in what the kernel keeps of the sample. From 6.1 on its flags
 * say which of them were filled in; older kernels set all of them before they ask the hardware.
 */
static __always_inline void read_access(struct bpf_perf_event_data *ctx, struct sample_access *ret)
{
	struct bpf_perf_event_data_kern *kern = (void *)ctx;
	struct perf_sample_data *data = 0;
	__u64 given = ~0ULL;

	ret->address = ctx->addr;
	ret->source = 0;
	ret->latency = 0;
	if (!bpf_core_field_exists(kern->data) || !bpf_core_field_exists(data->data_src) ||
	    bpf_core_read(&data, sizeof(data), &kern->data))
		return;
	if (bpf_core_field_exists(data->sample_flags))
		bpf_core_read(&given, sizeof(given), &data->sample_flags);
	if (!(given & PERF_SAMPLE_ADDR))
		ret->address = 0;
	if (given & PERF_SAMPLE_DATA_SRC)
		bpf_core_read(&ret->source, sizeof(ret->source), &data->data_src);
	if (!(given & PERF_SAMPLE_WEIGHT))
		return;
	if (bpf_core_field_exists(data->weight.full))
		bpf_core_read(&ret->latency, sizeof(ret->latency), &data->weight);
	else if (bpf_core_field_exists(((struct perf_sample_data___5_11 *)0)->weight))
		bpf_core_read(&ret->latency, sizeof(ret->latency),
			      &((struct perf_sample_data___5_11 *)data)->weight);
}

/* Likewise. */
static __always_inline __u64 put_access(struct bpf_perf_event_data *ctx, struct sample_record *rec,
					__u64 n)
{
	struct sample_access a;

	if (n > SAMPLE_MAX_WORDS - SAMPLE_ACCESS_WORDS)
		return n;
	read_access(ctx, &a);
	rec->words[n] = a.address;
	rec->words[n + 1] = a.source;
	rec->words[n + 2] = a.latency;
	rec->flags |= SAMPLE_ACCESS;
	return n + SAMPLE_ACCESS_WORDS;
}

static __always_inline __u64 put_branches(struct bpf_perf_event_data *ctx,
					  struct sample_record *rec, __u64 n)
{
	const __u32 room = SAMPLE_MAX_BRANCHES * sizeof(struct sample_branch);
	long size;

	if (n > SAMPLE_MAX_WORDS - SAMPLE_MAX_BRANCHES * SAMPLE_BRANCH_WORDS)
		return n;
	size = bpf_read_branch_records(ctx, &rec->words[n], room, 0);
	if (size <= 0 || size > room)
		return n;
	rec->flags |= SAMPLE_BRANCHES;
	return n + (__u64)size / sizeof(__u64);
}

/* Fills the scratch record; returns it with its size, or NULL when the sample is not wanted or
 * cannot be built. */
static __always_inline struct sample_record *
build(struct bpf_perf_event_data *ctx, const struct sampler_knobs *k, struct sampler_counts *c,
      struct counter_state *st, enum user_way way, __u64 *ret_size)
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
	rec->head.cpu = bpf_get_smp_processor_id();
	rec->flags = 0;
	size = read_stacks(ctx, k, rec, way);
	rec->counters = 0;
	if (st)
		size = put_counters(k, st, rec, size);
	if (k->flags & SAMPLER_ACCESS)
		size = put_access(ctx, rec, size);
	if (way == BY_ROWS_AND_BRANCHES)
		size = put_branches(ctx, rec, size);
	size = size * sizeof(__u64) + SAMPLE_RECORD_MIN;
	if (size > sizeof(*rec))
		size = sizeof(*rec);
	rec->head.kind = RECORD_KIND_SAMPLE;
	rec->head.size = size;
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

static __always_inline void send_to_perf_ring(struct bpf_perf_event_data *ctx,
					      struct counter_state *st, enum user_way way)
{
	__u32 zero = 0;
	struct sampler_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct sampler_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct sample_record *rec;
	__u64 size = 0;

	if (!k || !c)
		return;
	rec = build(ctx, k, c, st, way, &size);
	if (rec)
		account(c, bpf_perf_event_output(ctx, &perf_rings, BPF_F_CURRENT_CPU, rec, size));
}

static __always_inline void send_to_bpf_ring(struct bpf_perf_event_data *ctx,
					     struct counter_state *st, enum user_way way)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct sampler_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct sampler_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct sample_record *rec;
	__u64 size = 0, flags;
	void *ring;
	long r;

	if (!k || !c)
		return;
	rec = build(ctx, k, c, st, way, &size);
	if (!rec)
		return;
	ring = bpf_map_lookup_elem(&bpf_rings, &cpu);
	if (!ring) {
		c->fault++;
		return;
	}
	/* BPF rings have no watermark: wake the reader once the threshold is passed, and never
	 * otherwise. */
	flags = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > k->wake_bytes ? BPF_RB_FORCE_WAKEUP
									   : BPF_RB_NO_WAKEUP;
	r = bpf_ringbuf_output(ring, rec, size, flags);
	/* The only other error is a lock held by the code this event interrupted; both mean the
	 * ring took nothing. */
	account(c, r == 0 ? 0 : -ENOSPC);
}

/* The counters come first: what the program itself does is not to be in them. */
static __always_inline struct counter_state *count(void)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct sampler_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct counter_state *st = bpf_map_lookup_elem(&counter_states, &zero);

	if (!k || !st)
		return 0;
	advance_counters(k, st, cpu);
	check_mixed(k, st, cpu);
	st->cut = st->switched;
	st->switched = 0;
	return st;
}

SEC("?perf_event")
int sample_to_perf_ring(struct bpf_perf_event_data *ctx)
{
	send_to_perf_ring(ctx, 0, BY_FRAME_POINTERS);
	return 0;
}

SEC("?perf_event")
int sample_to_bpf_ring(struct bpf_perf_event_data *ctx)
{
	send_to_bpf_ring(ctx, 0, BY_FRAME_POINTERS);
	return 0;
}

/* With counters; programs of their own, for Linux 4.18 refuses the helper to perf_event programs.
 */
SEC("?perf_event")
int count_to_perf_ring(struct bpf_perf_event_data *ctx)
{
	struct counter_state *st = count();

	send_to_perf_ring(ctx, st, BY_FRAME_POINTERS);
	return 0;
}

SEC("?perf_event")
int count_to_bpf_ring(struct bpf_perf_event_data *ctx)
{
	struct counter_state *st = count();

	send_to_bpf_ring(ctx, st, BY_FRAME_POINTERS);
	return 0;
}

/* The same four with user stacks unwound by rows: Linux 5.6, for global functions. */
SEC("?perf_event")
int unwind_to_perf_ring(struct bpf_perf_event_data *ctx)
{
	send_to_perf_ring(ctx, 0, BY_ROWS);
	return 0;
}

SEC("?perf_event")
int unwind_to_bpf_ring(struct bpf_perf_event_data *ctx)
{
	send_to_bpf_ring(ctx, 0, BY_ROWS);
	return 0;
}

SEC("?perf_event")
int count_unwind_to_perf_ring(struct bpf_perf_event_data *ctx)
{
	struct counter_state *st = count();

	send_to_perf_ring(ctx, st, BY_ROWS);
	return 0;
}

SEC("?perf_event")
int count_unwind_to_bpf_ring(struct bpf_perf_event_data *ctx)
{
	struct counter_state *st = count();

	send_to_bpf_ring(ctx, st, BY_ROWS);
	return 0;
}

/* Programs of their own, for the helper came with Linux 5.7. */
SEC("?perf_event")
int branches_to_perf_ring(struct bpf_perf_event_data *ctx)
{
	send_to_perf_ring(ctx, 0, BY_ROWS_AND_BRANCHES);
	return 0;
}

SEC("?perf_event")
int branches_to_bpf_ring(struct bpf_perf_event_data *ctx)
{
	send_to_bpf_ring(ctx, 0, BY_ROWS_AND_BRANCHES);
	return 0;
}

/*
 * What the task that leaves the CPU did since its last sample belongs to no sample: the next delta
 * begins here. A sample that interrupts this program sees `writing` and calls itself mixed.
 */
SEC("?raw_tp/sched_switch")
int close_deltas(void *ctx)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct sampler_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct counter_state *st = bpf_map_lookup_elem(&counter_states, &zero);

	if (!k || !st)
		return 0;
	st->writing = 1;
	advance_counters(k, st, cpu);
	st->switched = 1;
	st->writing = 0;
	return 0;
}

#include "off_cpu.bpf.h"

char LICENSE[] SEC("license") = "GPL";
