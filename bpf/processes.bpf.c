// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The life of processes, not of threads, and of cgroups: raw tracepoints that fire seldom.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.bpf.h"
#include "processes.h"

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct processes_counts);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cgroups_record);
} scratch SEC(".maps");

static __always_inline struct processes_counts *get_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

/* Of the current task, or the child it has just made. */
static __always_inline void send(void *ctx, __u16 kind, struct task_struct *task, __u64 life_ns,
				 int exit_code)
{
	struct processes_record rec = {};

	rec.cgroup_id = bpf_get_current_cgroup_id();
	rec.life_ns = life_ns;
	rec.pid = BPF_CORE_READ(task, tgid);
	rec.ppid = BPF_CORE_READ(task, real_parent, tgid);
	rec.uid = (__u32)bpf_get_current_uid_gid();
	rec.exit_code = exit_code;
	BPF_CORE_READ_STR_INTO(&rec.comm, task, group_leader, comm);
	event_begin(&rec.head, kind);
	event_send(ctx, &rec.head, sizeof(rec));
}

/* sched_process_fork(parent, child) */
SEC("raw_tracepoint/sched_process_fork")
int forked(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (void *)ctx->args[1];
	struct processes_counts *c = get_counts();

	if (!c)
		return 0;
	if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid)) {
		c->threads++;
		return 0;
	}
	c->forks++;
	send(ctx, PROCESSES_FORK, child, 0, 0);
	return 0;
}

/* sched_process_exec(task, old_pid, bprm) */
SEC("raw_tracepoint/sched_process_exec")
int replaced(struct bpf_raw_tracepoint_args *ctx)
{
	struct processes_counts *c = get_counts();

	if (c)
		c->execs++;
	send(ctx, PROCESSES_EXEC, (void *)ctx->args[0], 0, 0);
	return 0;
}

static __always_inline int exit_code_of(struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
		return BPF_CORE_READ(task, signal, group_exit_code);
	return BPF_CORE_READ(task, group_leader, exit_code);
}

/* sched_process_exit(task): for each thread; the process ends with its last one. */
SEC("raw_tracepoint/sched_process_exit")
int ended(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct processes_counts *c = get_counts();
	int code;

	if (!c || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	code = exit_code_of(task);
	c->exits++;
	c->failures += (code >> 8 & 255) != 0;
	c->signals += (code & 127) != 0;
	send(ctx, PROCESSES_EXIT, task,
	     bpf_ktime_get_ns() - BPF_CORE_READ(task, group_leader, start_time), code);
	return 0;
}

static __always_inline __u64 kernfs_id(struct kernfs_node *kn)
{
	struct kernfs_node___5_4 *old = (void *)kn;

	if (bpf_core_field_exists(old->id.id))
		return BPF_CORE_READ(old, id.id);
	return BPF_CORE_READ(kn, id);
}

static __always_inline void send_cgroup(struct bpf_raw_tracepoint_args *ctx, __u16 kind)
{
	struct cgroup *cgroup = (void *)ctx->args[0];
	__u32 zero = 0;
	struct cgroups_record *rec = bpf_map_lookup_elem(&scratch, &zero);
	long n;

	if (!rec)
		return;
	rec->id = kernfs_id(BPF_CORE_READ(cgroup, kn));
	rec->hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	n = bpf_probe_read_kernel_str(rec->path, sizeof(rec->path), (void *)ctx->args[1]);
	if (n < 0 || n > PROCESSES_PATH_LEN)
		n = 0;
	rec->path_bytes = n;
	event_begin(&rec->head, kind);
	event_send(ctx, &rec->head, sizeof(*rec));
}

/* cgroup_mkdir(cgroup, path) */
SEC("raw_tracepoint/cgroup_mkdir")
int cgroup_created(struct bpf_raw_tracepoint_args *ctx)
{
	send_cgroup(ctx, PROCESSES_CGROUP_CREATED);
	return 0;
}

SEC("raw_tracepoint/cgroup_rmdir")
int cgroup_destroyed(struct bpf_raw_tracepoint_args *ctx)
{
	send_cgroup(ctx, PROCESSES_CGROUP_DESTROYED);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
