/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * The sampler's programs of time off the CPU; they use its filters, stacks and rings.
 *
 * A thread's stacks are those with which it leaves the CPU, and become a sample when it comes back:
 * its weight is the time between. Threads are told apart by the address of their task_struct, which
 * needs no knowledge of what is in it, until the kernel frees it.
 */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct off_cpu_knobs);
} off_cpu_knobs SEC(".maps");

/* While a thread is off the CPU, `seen` of its record is when it left; else 0. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct sample_record);
} off_cpu SEC(".maps");

/* Threads of a command's descendants, the command itself is in `pids`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} followed SEC(".maps");

static __always_inline int is_followed(__u32 pid, __u64 task)
{
	return bpf_map_lookup_elem(&pids, &pid) || bpf_map_lookup_elem(&followed, &task);
}

/* Once: how many frames of a stack come before the scheduler's. */
static __always_inline void find_skip(void *ctx, struct off_cpu_knobs *o, struct sample_record *rec)
{
	__u8 status;

	read_stack(ctx, rec->words, 8, 0, &status, 0);
#pragma unroll
	for (__u32 i = 0; i < 8; i++)
		if (rec->words[i] >= o->schedule_start && rec->words[i] < o->schedule_end)
			o->skip = i;
	o->skip_known = 1;
}

static __always_inline void read_leaving_stacks(void *ctx, const struct sampler_knobs *k,
						struct off_cpu_knobs *o, struct sample_record *rec,
						enum user_way way)
{
	__u64 kernel = 0, user = 0;

	if (!o->skip_known)
		find_skip(ctx, o, rec);
	rec->kernel_status = STACK_NONE;
	rec->user_status = STACK_NONE;
	rec->mappings = 0;
	rec->flags = 0;
	rec->head.cpu = bpf_get_smp_processor_id();
	if (k->flags & SAMPLER_KERNEL_STACK)
		kernel = read_stack(ctx, rec->words, k->depth, o->skip & 0xff, &rec->kernel_status,
				    STACK_COMPLETE);
	if (kernel > SAMPLE_MAX_FRAMES)
		kernel = SAMPLE_MAX_FRAMES;
	if (k->flags & SAMPLER_USER_STACK)
		user = read_user_stack(ctx, k, rec, kernel, way);
	if (user > SAMPLE_MAX_FRAMES)
		user = SAMPLE_MAX_FRAMES;
	rec->kernel_frames = kernel;
	rec->user_frames = user;
	rec->head.size = SAMPLE_RECORD_MIN + (kernel + user) * sizeof(__u64);
}

static __always_inline struct sample_record *add_thread(__u64 task, const struct sample_record *who,
							struct sampler_counts *c)
{
	if (bpf_map_update_elem(&off_cpu, &task, who, BPF_NOEXIST)) {
		c->seen++;
		c->fault++;
		return 0;
	}
	return bpf_map_lookup_elem(&off_cpu, &task);
}

/* `task` is the current one. */
static __always_inline void leave_cpu(void *ctx, const struct sampler_knobs *k,
				      struct off_cpu_knobs *o, struct sampler_counts *c, __u64 task,
				      enum user_way way)
{
	struct sample_record *rec = bpf_map_lookup_elem(&off_cpu, &task), *who;
	__u64 id = bpf_get_current_pid_tgid();
	__u32 zero = 0;

	if (rec)
		rec->seen = 0;
	who = bpf_map_lookup_elem(&scratch, &zero);
	if (!who)
		return;
	who->pid = id >> 32;
	who->tid = (__u32)id;
	who->cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(who->comm, sizeof(who->comm));
	if (!wanted(k, who) || (o->follow && !is_followed(who->pid, task)))
		return;
	if (!rec)
		rec = add_thread(task, who, c);
	if (!rec)
		return;
	rec->cgroup_id = who->cgroup_id;
	__builtin_memcpy(rec->comm, who->comm, sizeof(rec->comm));
	read_leaving_stacks(ctx, k, o, rec, way);
	rec->seen = bpf_ktime_get_ns();
}

/* The record of the thread that comes back, when it is to be sent. */
static __always_inline struct sample_record *enter_cpu(const struct sampler_knobs *k,
						       const struct off_cpu_knobs *o,
						       struct sampler_counts *c, __u64 task)
{
	struct sample_record *rec = bpf_map_lookup_elem(&off_cpu, &task);
	__u64 now, ns;

	if (!rec || !rec->seen)
		return 0;
	now = bpf_ktime_get_ns();
	ns = now - rec->seen;
	rec->seen = 0;
	c->seen++;
	c->weight += ns;
	if (ns < o->min_ns || ns > o->max_ns) {
		c->filtered++;
		return 0;
	}
	rec->head.kind = RECORD_KIND_SAMPLE;
	rec->head.cpu = bpf_get_smp_processor_id();
	rec->head.seq = c->sent + 1;
	rec->head.time_ns = now;
	rec->period = ns;
	rec->event = k->event;
	rec->filtered = c->filtered;
	rec->full = c->full;
	rec->fault = c->fault;
	return rec;
}

/* Sends the record; the thread is on the CPU then. */
static __always_inline void send_off_cpu(void *ctx, const struct sampler_knobs *k,
					 struct sampler_counts *c, struct sample_record *rec,
					 int bpf_ring)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 size = rec->head.size, flags;
	void *ring;

	if (size > sizeof(*rec))
		size = sizeof(*rec);
	rec->seen = c->seen;
	if (!bpf_ring) {
		account(c, bpf_perf_event_output(ctx, &perf_rings, BPF_F_CURRENT_CPU, rec, size));
	} else if ((ring = bpf_map_lookup_elem(&bpf_rings, &cpu))) {
		flags = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > k->wake_bytes
				? BPF_RB_FORCE_WAKEUP
				: BPF_RB_NO_WAKEUP;
		account(c, bpf_ringbuf_output(ring, rec, size, flags) ? -ENOSPC : 0);
	} else {
		c->fault++;
	}
	rec->seen = 0;
}

/* sched_switch(preempt, previous, next): the previous one is still current. */
static __always_inline void switch_tasks(struct bpf_raw_tracepoint_args *ctx, int bpf_ring,
					 enum user_way way)
{
	__u32 zero = 0;
	struct sampler_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct off_cpu_knobs *o = bpf_map_lookup_elem(&off_cpu_knobs, &zero);
	struct sampler_counts *c = bpf_map_lookup_elem(&counts, &zero);
	struct sample_record *rec;

	if (!k || !o || !c)
		return;
	leave_cpu(ctx, k, o, c, ctx->args[1], way);
	rec = enter_cpu(k, o, c, ctx->args[2]);
	if (rec)
		send_off_cpu(ctx, k, c, rec, bpf_ring);
}

SEC("?raw_tp/sched_switch")
int off_cpu_to_perf_ring(struct bpf_raw_tracepoint_args *ctx)
{
	switch_tasks(ctx, 0, BY_FRAME_POINTERS);
	return 0;
}

SEC("?raw_tp/sched_switch")
int off_cpu_to_bpf_ring(struct bpf_raw_tracepoint_args *ctx)
{
	switch_tasks(ctx, 1, BY_FRAME_POINTERS);
	return 0;
}

/*
 * The same with user stacks unwound by rows, with an unwinder's state of their own: a sampler's
 * program may interrupt them. A switch does not interrupt a switch.
 */
SEC("?raw_tp/sched_switch")
int off_cpu_unwind_to_perf_ring(struct bpf_raw_tracepoint_args *ctx)
{
	switch_tasks(ctx, 0, BY_ROWS_OF_SWITCH);
	return 0;
}

SEC("?raw_tp/sched_switch")
int off_cpu_unwind_to_bpf_ring(struct bpf_raw_tracepoint_args *ctx)
{
	switch_tasks(ctx, 1, BY_ROWS_OF_SWITCH);
	return 0;
}

/* sched_process_free(task): the last moment before its address may be another's. */
SEC("?raw_tp/sched_process_free")
int off_cpu_freed(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 task = ctx->args[0];

	bpf_map_delete_elem(&off_cpu, &task);
	bpf_map_delete_elem(&followed, &task);
	return 0;
}

/* The threads of a command and its descendants: sched_process_fork(parent, child). */
SEC("?raw_tp/sched_process_fork")
int off_cpu_forked(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 zero = 0, pid = bpf_get_current_pid_tgid() >> 32;
	struct sampler_counts *c = bpf_map_lookup_elem(&counts, &zero);
	__u64 parent = ctx->args[0], child = ctx->args[1];
	__u8 one = 1;

	if (!c || !is_followed(pid, parent))
		return 0;
	if (bpf_map_update_elem(&followed, &child, &one, BPF_ANY)) {
		c->seen++;
		c->fault++;
	}
	return 0;
}
