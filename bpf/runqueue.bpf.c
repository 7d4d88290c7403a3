// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long threads that can run wait for a CPU: from being woken, or from losing the CPU while they
 * could have gone on, until they run. The kernel's own account is /proc/PID/schedstat.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "histogram.bpf.h"
#include "runqueue.h"

/* By thread: since when it waits. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RUNQUEUE_WAITING);
	__type(key, __u32);
	__type(value, __u64);
} waiting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RUNQUEUE_PROCESSES);
	__type(key, __u32);
	__type(value, struct runqueue_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} host SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runqueue_counts);
} counts SEC(".maps");

/* A new process's value: all zero but its name. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runqueue_process);
} scratch SEC(".maps");

static __always_inline struct runqueue_counts *get_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

static __always_inline void begin(struct task_struct *task)
{
	__u32 tid = BPF_CORE_READ(task, pid);
	__u64 now = bpf_ktime_get_ns();
	struct runqueue_counts *c;

	/* The idle task waits for nothing. */
	if (!tid || bpf_map_update_elem(&waiting, &tid, &now, BPF_ANY) == 0)
		return;
	c = get_counts();
	if (c)
		c->unwatched++;
}

static __always_inline struct runqueue_process *find_process(struct task_struct *task)
{
	__u32 pid = BPF_CORE_READ(task, tgid), zero = 0;
	struct runqueue_process *p = bpf_map_lookup_elem(&processes, &pid), *fresh;

	if (p)
		return p;
	fresh = bpf_map_lookup_elem(&scratch, &zero);
	if (!fresh)
		return 0;
	BPF_CORE_READ_STR_INTO(&fresh->comm, task, comm);
	bpf_map_update_elem(&processes, &pid, fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&processes, &pid);
}

static __always_inline void end(struct task_struct *task)
{
	__u32 tid = BPF_CORE_READ(task, pid), zero = 0;
	__u64 *since = bpf_map_lookup_elem(&waiting, &tid), ns;
	struct runqueue_process *p;
	struct runqueue_counts *c;
	struct histogram *h;

	if (!since)
		return;
	ns = bpf_ktime_get_ns() - *since;
	bpf_map_delete_elem(&waiting, &tid);
	h = bpf_map_lookup_elem(&host, &zero);
	if (h)
		histogram_add(h, ns);
	p = find_process(task);
	if (p) {
		histogram_add(&p->waits, ns);
		return;
	}
	c = get_counts();
	if (c)
		c->uncounted++;
}

static __always_inline int can_run(struct task_struct *task)
{
	struct task_struct___5_13 *old = (void *)task;

	if (bpf_core_field_exists(old->state))
		return BPF_CORE_READ(old, state) == 0;
	return BPF_CORE_READ(task, __state) == 0;
}

SEC("raw_tp/sched_wakeup")
int woken(struct bpf_raw_tracepoint_args *ctx)
{
	begin((void *)ctx->args[0]);
	return 0;
}

SEC("raw_tp/sched_wakeup_new")
int begun(struct bpf_raw_tracepoint_args *ctx)
{
	begin((void *)ctx->args[0]);
	return 0;
}

/* sched_switch(preempt, previous, next) */
SEC("raw_tp/sched_switch")
int switched(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *previous = (void *)ctx->args[1];

	if (can_run(previous))
		begin(previous);
	end((void *)ctx->args[2]);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
