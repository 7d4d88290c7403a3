// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The exec collector: one record for each execve and execveat, with its arguments and its result.
 *
 * A call's record is made when the call begins and kept in `pending` under the thread until it
 * ends. Two ways to see the calls: their tracepoints, whose presence makes every system call of the
 * host a little slower, and kprobes, which cost nothing elsewhere. `replaced` runs when the new
 * program is there: the call has succeeded. What the caller's memory did not show at the beginning,
 * for a page that was never touched is not there yet, the new program's has; and programs that came
 * by no call that is watched are told of there, too. So only calls that fail end where they return,
 * where a kprobe may be missed when many are under way.
 *
 * User memory is read in the context of the call alone, where no lock is held: the freezes of
 * bpf_probe_read_user in 5.19 to 6.3 (host/danger.h) come from programs that interrupt one.
 *
 * Made for Linux 4.18 too: no global data, no loops, fields of kernel structures only where the
 * kernel describes them.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.bpf.h"
#include "exec.h"
#include "registers.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_knobs);
} knobs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_record);
} scratch SEC(".maps");

/* By thread id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EXEC_PENDING);
	__type(key, __u32);
	__type(value, struct exec_record);
} pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EXEC_USERS);
	__type(key, __u32);
	__type(value, struct exec_user);
} users SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_counts);
} counts SEC(".maps");

/* The contexts of system calls' tracepoints: the same on every kernel. */
struct call_enter {
	__u64 common;
	__s64 number;
	__u64 args[6];
};

struct call_exit {
	__u64 common;
	__s64 number;
	__s64 result;
};

static __always_inline struct exec_counts *get_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

/* --- who ------------------------------------------------------------------------------------- */

static __always_inline __u32 parent(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!bpf_core_field_exists(task->real_parent))
		return 0;
	return BPF_CORE_READ(task, real_parent, tgid);
}

static __always_inline void fill_caller(struct exec_record *rec, __u16 call)
{
	__u64 id = bpf_get_current_pid_tgid(), user = bpf_get_current_uid_gid();

	rec->start_ns = bpf_ktime_get_ns();
	rec->cgroup_id = bpf_get_current_cgroup_id();
	rec->file = 0;
	rec->pid = id >> 32;
	rec->tid = (__u32)id;
	rec->ppid = parent();
	rec->uid = (__u32)user;
	rec->gid = user >> 32;
	rec->result = 0;
	rec->call = call;
	rec->flags = 0;
	rec->argv_bytes = 0;
	bpf_get_current_comm(rec->comm, sizeof(rec->comm));
	rec->file_name[0] = 0;
}

/* --- what ------------------------------------------------------------------------------------ */

static __always_inline void read_file(struct exec_record *rec)
{
	if (bpf_probe_read_user_str(rec->file_name, EXEC_FILE_LEN, (void *)rec->file) < 0) {
		rec->file_name[0] = 0;
		rec->flags |= EXEC_FILE_FAULT;
	} else {
		rec->flags &= ~EXEC_FILE_FAULT;
	}
}

/*
 * The loop is unrolled, and Linux 4.18 takes 4,096 of them. What
 * can be seen in the bytes (how many arguments, whether one was cut) is left to user space.
 */
static __always_inline void read_argv(struct exec_record *rec, const __u64 *argv, __u32 max)
{
	__u64 at = 0, arg;
	__u16 flags = EXEC_MORE_ARGS;

#pragma clang loop unroll(full)
	for (__u32 i = 0; i <= EXEC_MAX_ARGS; i++) {
		long n;

		if (bpf_probe_read_user(&arg, sizeof(arg), &argv[i]))
			goto fault;
		if (!arg)
			goto whole;
		if (i == EXEC_MAX_ARGS || (i == 1 && max == 1) || at >= EXEC_MAX_ARGV)
			goto out;
		n = bpf_probe_read_user_str(&rec->argv[at], EXEC_MAX_ARG, (void *)arg);
		if (n <= 0)
			goto fault;
		at += n;
		barrier_var(at);
	}
fault:
	flags = EXEC_ARGV_FAULT;
	goto out;
whole:
	flags = 0;
out:
	rec->argv_bytes = at;
	rec->flags |= flags;
}

/* The new program's own arguments: written a moment ago, so that they are there. */
static __always_inline void read_new_argv(struct exec_record *rec, __u32 max)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 start, size;
	long n;

	if (!bpf_core_field_exists(task->mm))
		return;
	start = BPF_CORE_READ(task, mm, arg_start);
	size = BPF_CORE_READ(task, mm, arg_end) - start;
	if (max == 1) {
		n = bpf_probe_read_user_str(rec->argv, EXEC_MAX_ARG, (void *)start);
		if (n <= 0)
			return;
		rec->flags &= ~(EXEC_ARGV_FAULT | EXEC_MORE_ARGS);
		rec->flags |= (__u64)n < size ? EXEC_MORE_ARGS : 0;
		rec->argv_bytes = n;
		return;
	}
	rec->flags &= ~(EXEC_ARGV_FAULT | EXEC_MORE_ARGS);
	if (size > EXEC_ARGV_BYTES - 1) {
		size = EXEC_ARGV_BYTES - 1;
		rec->flags |= EXEC_MORE_ARGS;
	}
	if (bpf_probe_read_user(rec->argv, size, (void *)start)) {
		rec->flags |= EXEC_ARGV_FAULT;
		return;
	}
	rec->argv_bytes = size;
}

/* --- telling -------------------------------------------------------------------------------- */

static __always_inline void count_user(__u32 uid, int done)
{
	struct exec_user none = {}, *u = bpf_map_lookup_elem(&users, &uid);
	struct exec_counts *c;

	if (!u) {
		bpf_map_update_elem(&users, &uid, &none, BPF_NOEXIST);
		u = bpf_map_lookup_elem(&users, &uid);
	}
	if (u) {
		__sync_fetch_and_add(&u->execs, 1);
		if (!done)
			__sync_fetch_and_add(&u->failures, 1);
		return;
	}
	c = get_counts();
	if (c)
		c->no_user++;
}

static __always_inline void send(void *ctx, struct exec_record *rec)
{
	__u64 size = rec->argv_bytes;

	if (size > EXEC_ARGV_BYTES)
		size = EXEC_ARGV_BYTES;
	event_begin(&rec->head, 0);
	event_send(ctx, &rec->head, EXEC_RECORD_MIN + size);
	count_user(rec->uid, rec->flags & EXEC_DONE);
}

/* --- the call -------------------------------------------------------------------------------- */

static __always_inline void begin(void *ctx, __u16 call, __u64 file, __u64 argv)
{
	__u32 zero = 0, tid = (__u32)bpf_get_current_pid_tgid();
	struct exec_record *rec = bpf_map_lookup_elem(&scratch, &zero);
	struct exec_record *left = bpf_map_lookup_elem(&pending, &tid); /* its return was missed */
	struct exec_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	struct exec_counts *c = get_counts();

	if (!rec || !k || !c)
		return;
	if (left) {
		left->flags |= EXEC_NO_RESULT;
		send(ctx, left);
	}
	fill_caller(rec, call);
	rec->file = file;
	read_file(rec);
	read_argv(rec, (const __u64 *)argv, k->max_args);
	if (bpf_map_update_elem(&pending, &tid, rec, BPF_ANY))
		c->no_pending++;
}

static __always_inline void end(void *ctx, long result)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct exec_record *rec = bpf_map_lookup_elem(&pending, &tid);

	if (!rec)
		return;
	rec->result = result;
	/* What was not in memory is, once the kernel had to read it. */
	if (rec->flags & EXEC_FILE_FAULT)
		read_file(rec);
	send(ctx, rec);
	bpf_map_delete_elem(&pending, &tid);
}

SEC("?tracepoint")
int enter_execve(struct call_enter *ctx)
{
	begin(ctx, EXEC_EXECVE, ctx->args[0], ctx->args[1]);
	return 0;
}

SEC("?tracepoint")
int enter_execveat(struct call_enter *ctx)
{
	begin(ctx, EXEC_EXECVEAT, ctx->args[1], ctx->args[2]);
	return 0;
}

/* Of both calls. */
SEC("?tracepoint")
int leave_exec(struct call_exit *ctx)
{
	end(ctx, ctx->result);
	return 0;
}

/* The argument of __x64_sys_NAME and its like: the caller's registers. */
static __always_inline void *caller_registers(void *ctx)
{
	return (void *)FUNCTION_FIRST(ctx, REGISTERS_COPY);
}

SEC("?kprobe")
int enter_execve_kprobe(void *ctx)
{
	void *regs = caller_registers(ctx);

	begin(ctx, EXEC_EXECVE, CALL_FIRST(regs, REGISTERS_COPY),
	      CALL_SECOND(regs, REGISTERS_COPY));
	return 0;
}

SEC("?kprobe")
int enter_execveat_kprobe(void *ctx)
{
	void *regs = caller_registers(ctx);

	begin(ctx, EXEC_EXECVEAT, CALL_SECOND(regs, REGISTERS_COPY),
	      CALL_THIRD(regs, REGISTERS_COPY));
	return 0;
}

SEC("?kretprobe")
int leave_exec_kprobe(void *ctx)
{
	end(ctx, FUNCTION_RESULT(ctx, REGISTERS_COPY));
	return 0;
}

/* --- the new program ------------------------------------------------------------------------- */

static __always_inline void read_new_file(struct exec_record *rec, struct linux_binprm *bprm)
{
	if (!bpf_core_field_exists(bprm->filename))
		return;
	if (bpf_probe_read_kernel_str(rec->file_name, EXEC_FILE_LEN,
				      BPF_CORE_READ(bprm, filename)) > 0)
		rec->flags &= ~EXEC_FILE_FAULT;
}

/* sched_process_exec(task, old_pid, bprm): a thread that was not the first gets the first one's id.
 */
SEC("?raw_tracepoint")
int replaced(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 zero = 0, old_tid = ctx->args[1];
	struct exec_record *rec = bpf_map_lookup_elem(&pending, &old_tid);
	struct exec_knobs *k = bpf_map_lookup_elem(&knobs, &zero);
	int seen = rec != 0;

	if (!rec)
		rec = bpf_map_lookup_elem(&scratch, &zero);
	if (!rec || !k)
		return 0;
	if (!seen) {
		fill_caller(rec, EXEC_UNSEEN);
		rec->flags = EXEC_FILE_FAULT | EXEC_ARGV_FAULT;
	}
	rec->flags |= EXEC_DONE;
	/* execveat may be given a descriptor alone. */
	if ((rec->flags & EXEC_FILE_FAULT) || !rec->file_name[0])
		read_new_file(rec, (void *)ctx->args[2]);
	if (rec->flags & EXEC_ARGV_FAULT)
		read_new_argv(rec, k->max_args);
	send(ctx, rec);
	if (seen)
		bpf_map_delete_elem(&pending, &old_tid);
	return 0;
}

/* sched_process_exit(task): a thread that is killed within its call never returns from it. */
SEC("?raw_tracepoint")
int ended(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct exec_record *rec = bpf_map_lookup_elem(&pending, &tid);

	if (!rec)
		return 0;
	rec->flags |= EXEC_NO_RESULT;
	send(ctx, rec);
	bpf_map_delete_elem(&pending, &tid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
