// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * System calls, counted where they return, by thread name, process and number; with latency also
 * timed. Everything stays in maps; nothing is sent.
 *
 * These programs run at every system call of the host, so each has a form with direct access to the
 * kernel's structures (Linux 5.11, with latency 5.15), and one that copies and looks up.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "histogram.bpf.h"
#include "registers.bpf.h"
#include "syscalls.h"

#define MAX_ERRNO 4095
#define START_SLOT_BITS 15

const volatile __u32 bpf_number = ~0U; /* of bpf(2) */
const volatile __u32
	fork_numbers[SYSCALLS_FORKS] = {}; /* a child returns from a call it never made */

/*
 * Where a call is counted is found without a search: a key's tag says which slot may be its own. A
 * slot is taken once and kept until user space gives it back, so that to count is to compare and to
 * add. What finds its slot taken is counted in `calls`, under its tag. User space adds up the two.
 * The maps of values name no types, for without latency the values are shorter.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SYSCALLS_SLOT_BITS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct syscalls_value));
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(struct syscalls_value));
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct syscalls_commands);
} commands SEC(".maps");

/* Whoever can add its one element may take slots, and give them back, until he deletes it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} owner SEC(".maps");

/* The beginnings of calls: each thread's in a slot of its own in the same way, the rest by task. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << START_SLOT_BITS);
	__type(key, __u32);
	__type(value, struct syscalls_start);
} start_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct syscalls_start);
} starts SEC(".maps");

/* A new key's value, all zero but the key: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct syscalls_value));
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syscalls_counts);
} counts SEC(".maps");

/* What a call that returns is about, however it was read. */
struct call {
	struct syscalls_key key;
	__u64 first_argument;
	long result;
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

/* --- slots ----------------------------------------------------------------------------------- */

/* Where another CPU has just won, the caller goes the slower way this time. */
static __always_inline int try_to_own(void)
{
	__u32 zero = 0;

	return bpf_map_update_elem(&owner, &zero, &zero, BPF_NOEXIST) == 0;
}

static __always_inline void disown(void)
{
	__u32 zero = 0;

	bpf_map_delete_elem(&owner, &zero);
}

static __always_inline int is_key(const struct syscalls_key *a, const struct syscalls_key *b)
{
	return a->tag == b->tag && a->pid == b->pid && a->number == b->number &&
	       a->name[0] == b->name[0] && a->name[1] == b->name[1];
}

/* Its tag comes last: whoever compares meanwhile finds that the slot is not his. */
static __always_inline int take_slot(struct syscalls_value *slot, const struct syscalls_key *key)
{
	if (slot->key.tag || !try_to_own())
		return 0;
	if (!slot->key.tag) {
		slot->key.pid = key->pid;
		slot->key.number = key->number;
		slot->key.name[0] = key->name[0];
		slot->key.name[1] = key->name[1];
		*(volatile __u64 *)&slot->key.tag = key->tag;
	}
	disown();
	return is_key(&slot->key, key);
}

/* --- counting -------------------------------------------------------------------------------- */

static __always_inline void count_lost(void)
{
	struct syscalls_counts *c = get_counts();

	if (c)
		c->uncounted++;
}

static __always_inline struct syscalls_value *find_by_tag(const struct syscalls_key *key)
{
	struct syscalls_value *v = bpf_map_lookup_elem(&calls, &key->tag), *fresh;
	__u32 zero = 0;

	if (!v) {
		fresh = bpf_map_lookup_elem(&scratch, &zero);
		if (fresh) {
			fresh->key = *key;
			bpf_map_update_elem(&calls, &key->tag, fresh, BPF_NOEXIST);
		}
		v = bpf_map_lookup_elem(&calls, &key->tag);
	}
	return v && is_key(&v->key, key) ? v : 0;
}

static __always_inline struct syscalls_value *find(const struct syscalls_key *key)
{
	__u32 index = key->tag >> (64 - SYSCALLS_SLOT_BITS);
	struct syscalls_value *slot = bpf_map_lookup_elem(&slots, &index);

	if (slot && (is_key(&slot->key, key) || take_slot(slot, key)))
		return slot;
	return find_by_tag(key);
}

static __always_inline void count_command(const struct call *call)
{
	struct syscalls_commands fresh = { .key = call->key }, *v;

	fresh.key.number = call->first_argument;
	fresh.key.tag = syscalls_tag(&fresh.key);
	v = bpf_map_lookup_elem(&commands, &fresh.key.tag);
	if (!v) {
		bpf_map_update_elem(&commands, &fresh.key.tag, &fresh, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&commands, &fresh.key.tag);
	}
	if (!v || !is_key(&v->key, &fresh.key)) {
		count_lost();
		return;
	}
	__sync_fetch_and_add(&v->calls, 1);
	if (is_error(call->result))
		__sync_fetch_and_add(&v->errors, 1);
}

static __always_inline struct syscalls_value *count(struct call *call)
{
	struct syscalls_value *v;

	call->key.tag = syscalls_tag(&call->key);
	v = find(&call->key);
	if (v) {
		__sync_fetch_and_add(&v->calls, 1);
		if (is_error(call->result))
			__sync_fetch_and_add(&v->errors, 1);
	} else {
		count_lost();
	}
	if (call->key.number == bpf_number)
		count_command(call);
	return v;
}

static __always_inline int is_child(const struct call *call)
{
	if (call->result)
		return 0;
#pragma unroll
	for (int i = 0; i < SYSCALLS_FORKS; i++)
		if (call->key.number == fork_numbers[i])
			return 1;
	return 0;
}

/* --- timing ---------------------------------------------------------------------------------- */

/*
 * A thread is known by where its registers lie: at the end of its kernel stack. Programs with
 * direct access have a pointer there, which may not be reckoned with, but for its distance from
 * another. Where its slot is taken, it is known by its task.
 */
static __always_inline __u64 known_by(const void *place)
{
	return (const char *)place - (const char *)&fork_numbers;
}

static __always_inline struct syscalls_start *start_slot(__u64 thread)
{
	__u32 index = thread * 0x9e3779b97f4a7c15ULL >> (64 - START_SLOT_BITS);

	return bpf_map_lookup_elem(&start_slots, &index);
}

static __always_inline int take_start_slot(struct syscalls_start *slot, __u64 thread)
{
	if (slot->thread || !try_to_own())
		return 0;
	if (!slot->thread) {
		slot->time_ns = 0;
		*(volatile __u64 *)&slot->thread = thread;
	}
	disown();
	return slot->thread == thread;
}

static __always_inline struct syscalls_start *find_start(__u64 task)
{
	return bpf_map_lookup_elem(&starts, &task);
}

static __always_inline struct syscalls_start *get_start(__u64 task)
{
	struct syscalls_start *s = bpf_map_lookup_elem(&starts, &task), fresh = {};

	if (s)
		return s;
	bpf_map_update_elem(&starts, &task, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&starts, &task);
}

static __always_inline void begin(struct syscalls_start *s)
{
	struct syscalls_counts *c;

	if (s) {
		s->time_ns = bpf_ktime_get_ns();
		return;
	}
	c = get_counts();
	if (c)
		c->untimed++;
}

/* Of some calls the beginning was not seen: they began before we did, or seccomp refused them. */
static __always_inline void end(struct syscalls_start *s, struct call *call)
{
	__u64 start_ns = s ? s->time_ns : 0;
	__u64 took = bpf_ktime_get_ns() - start_ns;
	struct syscalls_value *v = count(call);
	__u32 bucket;

	if (!start_ns)
		return;
	s->time_ns = 0;
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
		(call).key.number = CALL_NUMBER(regs, READ);                                       \
		if (CALL_IS_32BIT(regs, READ))                                                     \
			(call).key.number |= SYSCALLS_32BIT;                                       \
		(call).first_argument =                                                            \
			(call).key.number == bpf_number ? CALL_FIRST(regs, READ) : 0;              \
		(call).result = (the_result);                                                      \
	} while (0)

static __always_inline void look_at_task(struct syscalls_key *key)
{
	struct task_struct *task = bpf_get_current_task_btf();

	key->pid = task->tgid;
	key->name[0] = ((__u64 *)task->comm)[0];
	key->name[1] = ((__u64 *)task->comm)[1];
}

static __always_inline void ask_for_task(struct syscalls_key *key)
{
	key->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(&key->name, sizeof(key->name));
}

SEC("?tp_btf/sys_exit")
int count_direct(__u64 *ctx)
{
	struct call call;

	look_at_task(&call.key);
	FILL(call, ctx[0], (long)ctx[1], REGISTERS_ACCESS);
	if (!is_child(&call))
		count(&call);
	return 0;
}

SEC("?raw_tracepoint/sys_exit")
int count_copying(struct bpf_raw_tracepoint_args *ctx)
{
	struct call call;

	ask_for_task(&call.key);
	FILL(call, ctx->args[0], (long)ctx->args[1], REGISTERS_COPY);
	if (!is_child(&call))
		count(&call);
	return 0;
}

SEC("?tp_btf/sys_enter")
int begin_direct(__u64 *ctx)
{
	__u64 thread = known_by((void *)ctx[0]);
	struct syscalls_start *s = start_slot(thread);

	if (s && s->thread != thread && !take_start_slot(s, thread))
		s = get_start(known_by(bpf_get_current_task_btf()));
	begin(s);
	return 0;
}

SEC("?raw_tracepoint/sys_enter")
int begin_copying(struct bpf_raw_tracepoint_args *ctx)
{
	begin(get_start(bpf_get_current_task()));
	return 0;
}

SEC("?tp_btf/sys_exit")
int end_direct(__u64 *ctx)
{
	__u64 thread = known_by((void *)ctx[0]);
	struct syscalls_start *s = start_slot(thread);
	struct call call;

	look_at_task(&call.key);
	FILL(call, ctx[0], (long)ctx[1], REGISTERS_ACCESS);
	if (is_child(&call))
		return 0;
	if (s && s->thread != thread)
		s = find_start(known_by(bpf_get_current_task_btf()));
	end(s, &call);
	return 0;
}

SEC("?raw_tracepoint/sys_exit")
int end_copying(struct bpf_raw_tracepoint_args *ctx)
{
	struct call call;

	ask_for_task(&call.key);
	FILL(call, ctx->args[0], (long)ctx->args[1], REGISTERS_COPY);
	if (!is_child(&call))
		end(find_start(bpf_get_current_task()), &call);
	return 0;
}

/* sched_process_exit(task): for each thread, by itself. */
SEC("?tp_btf/sched_process_exit")
int thread_ended_direct(__u64 *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u64 thread = known_by((void *)bpf_task_pt_regs(current));
	__u64 task = known_by(current);
	struct syscalls_start *s = start_slot(thread);

	if (s && s->thread == thread)
		s->thread = 0;
	bpf_map_delete_elem(&starts, &task);
	return 0;
}

SEC("?raw_tracepoint/sched_process_exit")
int thread_ended_copying(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 task = bpf_get_current_task();

	bpf_map_delete_elem(&starts, &task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
