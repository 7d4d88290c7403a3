// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * System calls, counted where they return, by thread name, process and number; with latency also
 * timed. Everything stays in maps; nothing is sent.
 *
 * These programs run at every system call of the host, so each has a form with direct access to the
 * kernel's structures and with storage at the task (Linux 5.11), and one that copies and looks up.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "histogram.bpf.h"
#include "registers.bpf.h"
#include "syscalls.h"

#define MAX_ERRNO 4095

const volatile __u32 bpf_number = ~0U; /* of bpf(2) */
const volatile __u32
	fork_numbers[SYSCALLS_FORKS] = {}; /* a child returns from a call it never made */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct syscalls_key);
	__type(value, struct syscalls_value);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct syscalls_key);
	__type(value, struct syscalls_commands);
} commands SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct syscalls_start);
} task_starts SEC(".maps");

/*
 * By thread, where tasks have no storage: before Linux 5.11, and where kmalloc_nolock(), from which
 * newer kernels take it, has none to give, as on CPUs that cannot exchange 16 bytes at once (ARMv8.0).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct syscalls_start);
} starts SEC(".maps");

/* A new key's value, all zero but its name: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syscalls_value);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syscalls_counts);
} counts SEC(".maps");

/* What a call that returns is about, however it was read. */
struct call {
	__u32 number;
	__u32 pid;
	__u64 first_argument;
	long result;
	struct syscalls_name name;
};

static __always_inline int is_error(long result)
{
	return result < 0 && result >= -MAX_ERRNO;
}

static __always_inline struct syscalls_counts *get_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

/* --- counting -------------------------------------------------------------------------------- */

static __always_inline __u32 hash_name(const struct syscalls_name *n)
{
	return (n->words[0] * 0x9e3779b97f4a7c15ULL ^ n->words[1] * 0xff51afd7ed558ccdULL) >> 32;
}

static __always_inline int is_name(const struct syscalls_name *a, const struct syscalls_name *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

static __always_inline void count_lost(void)
{
	struct syscalls_counts *c = get_counts();

	if (c)
		c->uncounted++;
}

static __always_inline struct syscalls_value *add_key(const struct syscalls_key *key,
						      const struct call *call)
{
	__u32 zero = 0;
	struct syscalls_value *fresh = bpf_map_lookup_elem(&scratch, &zero);

	if (fresh) {
		fresh->name = call->name;
		bpf_map_update_elem(&calls, key, fresh, BPF_NOEXIST);
	}
	return bpf_map_lookup_elem(&calls, key);
}

static __always_inline void count_command(struct syscalls_key *key, const struct call *call)
{
	struct syscalls_commands fresh = { .name = call->name }, *v;

	key->number = call->first_argument;
	v = bpf_map_lookup_elem(&commands, key);
	if (!v) {
		bpf_map_update_elem(&commands, key, &fresh, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&commands, key);
	}
	if (!v || !is_name(&v->name, &call->name)) {
		count_lost();
		return;
	}
	__sync_fetch_and_add(&v->calls, 1);
	if (is_error(call->result))
		__sync_fetch_and_add(&v->errors, 1);
}

static __always_inline struct syscalls_value *count(const struct call *call)
{
	struct syscalls_key key;
	struct syscalls_value *v;

	key.pid = call->pid;
	key.number = call->number;
	key.name = hash_name(&call->name);
	v = bpf_map_lookup_elem(&calls, &key);
	if (!v)
		v = add_key(&key, call);
	if (v && !is_name(&v->name, &call->name))
		v = 0;
	if (v) {
		__sync_fetch_and_add(&v->calls, 1);
		if (is_error(call->result))
			__sync_fetch_and_add(&v->errors, 1);
	} else {
		count_lost();
	}
	if (call->number == bpf_number)
		count_command(&key, call);
	return v;
}

static __always_inline int is_child(const struct call *call)
{
	if (call->result)
		return 0;
#pragma unroll
	for (int i = 0; i < SYSCALLS_FORKS; i++)
		if (call->number == fork_numbers[i])
			return 1;
	return 0;
}

/* --- timing ---------------------------------------------------------------------------------- */

static __always_inline struct syscalls_start *find_start_by_thread(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&starts, &tid);
}

static __always_inline struct syscalls_start *get_start_by_thread(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct syscalls_start *s = bpf_map_lookup_elem(&starts, &tid), fresh = {};

	if (s)
		return s;
	bpf_map_update_elem(&starts, &tid, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&starts, &tid);
}

static __always_inline void begin(struct syscalls_start *s, __u32 number)
{
	struct syscalls_counts *c;

	if (!s) {
		c = get_counts();
		if (c)
			c->untimed++;
		return;
	}
	s->number = number;
	s->time_ns = bpf_ktime_get_ns();
}

static __always_inline void end(struct syscalls_start *s, struct call *call)
{
	struct syscalls_value *v;
	__u32 bucket;
	__u64 took;

	if (!s || !s->time_ns)
		return;
	took = bpf_ktime_get_ns() - s->time_ns;
	s->time_ns = 0;
	call->number = s->number;
	v = count(call);
	if (!v)
		return;
	bucket = histogram_bits(took);
	if (bucket >= SYSCALLS_BUCKETS)
		bucket = SYSCALLS_BUCKETS - 1;
	__sync_fetch_and_add(&v->time_ns, took);
	__sync_fetch_and_add(&v->buckets[bucket], 1);
}

/* --- the tracepoints ------------------------------------------------------------------------- */

/* sys_enter(regs, number), sys_exit(regs, result) */
#define FILL(call, regs, the_result, READ)                                                         \
	do {                                                                                       \
		(call).number = CALL_NUMBER(regs, READ);                                           \
		if (CALL_IS_32BIT(regs, READ))                                                     \
			(call).number |= SYSCALLS_32BIT;                                           \
		(call).first_argument = (call).number == bpf_number ? CALL_FIRST(regs, READ) : 0;  \
		(call).result = (the_result);                                                      \
	} while (0)

static __always_inline void look_at_task(struct call *call, struct task_struct *task)
{
	call->pid = task->tgid;
	call->name = *(struct syscalls_name *)task->comm;
}

static __always_inline void ask_for_task(struct call *call)
{
	call->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(&call->name, sizeof(call->name));
}

SEC("?tp_btf/sys_exit")
int count_direct(__u64 *ctx)
{
	struct call call;

	look_at_task(&call, bpf_get_current_task_btf());
	FILL(call, ctx[0], (long)ctx[1], REGISTERS_ACCESS);
	if (!is_child(&call))
		count(&call);
	return 0;
}

SEC("?raw_tracepoint/sys_exit")
int count_copying(struct bpf_raw_tracepoint_args *ctx)
{
	struct call call;

	ask_for_task(&call);
	FILL(call, ctx->args[0], (long)ctx->args[1], REGISTERS_COPY);
	if (!is_child(&call))
		count(&call);
	return 0;
}

SEC("?tp_btf/sys_enter")
int begin_direct(__u64 *ctx)
{
	struct syscalls_start *s = bpf_task_storage_get(&task_starts, bpf_get_current_task_btf(), 0,
							BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!s)
		s = get_start_by_thread();
	begin(s, (__u32)ctx[1] | (CALL_IS_32BIT(ctx[0], REGISTERS_ACCESS) ? SYSCALLS_32BIT : 0));
	return 0;
}

SEC("?raw_tracepoint/sys_enter")
int begin_copying(struct bpf_raw_tracepoint_args *ctx)
{
	begin(get_start_by_thread(),
	      (__u32)ctx->args[1] |
		      (CALL_IS_32BIT(ctx->args[0], REGISTERS_COPY) ? SYSCALLS_32BIT : 0));
	return 0;
}

SEC("?tp_btf/sys_exit")
int end_direct(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscalls_start *s = bpf_task_storage_get(&task_starts, task, 0, 0);
	struct call call;

	look_at_task(&call, task);
	FILL(call, ctx[0], (long)ctx[1], REGISTERS_ACCESS);
	end(s ? s : find_start_by_thread(), &call);
	return 0;
}

SEC("?raw_tracepoint/sys_exit")
int end_copying(struct bpf_raw_tracepoint_args *ctx)
{
	struct call call;

	ask_for_task(&call);
	FILL(call, ctx->args[0], (long)ctx->args[1], REGISTERS_COPY);
	end(find_start_by_thread(), &call);
	return 0;
}

/* sched_process_exit(task): for each thread. */
SEC("?raw_tracepoint/sched_process_exit")
int thread_ended(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&starts, &tid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
