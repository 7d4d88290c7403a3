// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * System calls, counted where they return, by thread name, process and number; with latency also
 * timed. Everything stays in maps; nothing is sent.
 *
 * These programs run at every system call of the host, so each has a form with direct access to the
 * kernel's structures (tp_btf, Linux 5.5) and one that copies out of them.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "syscalls.h"

#define MAX_ERRNO 4095
#define USER32_CS 0x23 /* x86: arch/x86/include/asm/segment.h */
#define MODE32 0x10 /* arm64: PSR_MODE32_BIT */

const volatile __u32 bpf_number = ~0U; /* of bpf(2) */
const volatile __u32 fork_numbers[SYSCALLS_FORKS] = {}; /* a child returns from a call it never made */

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

/* By thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct syscalls_start);
} starts SEC(".maps");

/* So that a new key needs no large value on the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syscalls_value);
} zero_value SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syscalls_counts);
} counts SEC(".maps");

/* What a call that returns is about, however it was read. */
struct call {
	__u32 number;
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

/* --- counting -------------------------------------------------------------------------------- */

static __always_inline struct syscalls_value *add_key(const struct syscalls_key *key)
{
	__u32 zero = 0;
	struct syscalls_value *none = bpf_map_lookup_elem(&zero_value, &zero), *v;
	struct syscalls_counts *c;

	if (none)
		bpf_map_update_elem(&calls, key, none, BPF_NOEXIST);
	v = bpf_map_lookup_elem(&calls, key);
	if (v)
		return v;
	c = get_counts();
	if (c)
		c->uncounted++;
	return 0;
}

static __always_inline void count_command(struct syscalls_key *key, const struct call *call)
{
	struct syscalls_commands none = {}, *v;

	key->number = call->first_argument;
	v = bpf_map_lookup_elem(&commands, key);
	if (!v) {
		bpf_map_update_elem(&commands, key, &none, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&commands, key);
	}
	if (!v) {
		struct syscalls_counts *c = get_counts();

		if (c)
			c->uncounted++;
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

	key.pid = bpf_get_current_pid_tgid() >> 32;
	key.number = call->number;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	v = bpf_map_lookup_elem(&calls, &key);
	if (!v)
		v = add_key(&key);
	if (v) {
		__sync_fetch_and_add(&v->calls, 1);
		if (is_error(call->result))
			__sync_fetch_and_add(&v->errors, 1);
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

static __always_inline __u32 bits(__u64 v)
{
	__u32 n = 0;

#pragma unroll
	for (int shift = 32; shift; shift /= 2) {
		__u64 more = v >> shift != 0;

		v >>= more * shift;
		n += more * shift;
	}
	return n + (v != 0);
}

static __always_inline void begin(__u32 number)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct syscalls_start *s = bpf_map_lookup_elem(&starts, &tid), fresh = {};
	struct syscalls_counts *c;

	if (s) {
		s->number = number;
		s->time_ns = bpf_ktime_get_ns();
		return;
	}
	fresh.number = number;
	fresh.time_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&starts, &tid, &fresh, BPF_ANY) == 0)
		return;
	c = get_counts();
	if (c)
		c->untimed++;
}

static __always_inline void end(struct call *call)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid(), bucket;
	struct syscalls_start *s = bpf_map_lookup_elem(&starts, &tid);
	struct syscalls_value *v;
	__u64 took;

	if (!s || !s->time_ns)
		return;
	took = bpf_ktime_get_ns() - s->time_ns;
	s->time_ns = 0;
	call->number = s->number;
	v = count(call);
	if (!v)
		return;
	bucket = bits(took);
	if (bucket >= SYSCALLS_BUCKETS)
		bucket = SYSCALLS_BUCKETS - 1;
	__sync_fetch_and_add(&v->time_ns, took);
	__sync_fetch_and_add(&v->buckets[bucket], 1);
}

/* --- the tracepoints ------------------------------------------------------------------------- */

#define COPY(regs, field) BPF_CORE_READ(regs, field)
#define ACCESS(regs, field) ((regs)->field)

/* sys_enter(regs, number), sys_exit(regs, result) */
#define IS_32BIT(regs, READ)                                                                       \
	(bpf_core_field_exists(((struct pt_regs___x86 *)(regs))->cs)                               \
		 ? (READ((struct pt_regs___x86 *)(regs), cs) & 0xffff) == USER32_CS                \
		 : (READ((struct pt_regs___arm64 *)(regs), pstate) & MODE32) != 0)
#define NUMBER(regs, READ)                                                                         \
	(bpf_core_field_exists(((struct pt_regs___x86 *)(regs))->orig_ax)                          \
		 ? (__u32)READ((struct pt_regs___x86 *)(regs), orig_ax)                            \
		 : (__u32)READ((struct pt_regs___arm64 *)(regs), syscallno))
#define FIRST_ARGUMENT(regs, READ)                                                                 \
	(bpf_core_field_exists(((struct pt_regs___x86 *)(regs))->di)                               \
		 ? READ((struct pt_regs___x86 *)(regs), di)                                        \
		 : READ((struct pt_regs___arm64 *)(regs), orig_x0))

#define FILL(call, regs, the_result, READ)                                                         \
	do {                                                                                       \
		(call).number = NUMBER(regs, READ);                                                \
		if (IS_32BIT(regs, READ))                                                          \
			(call).number |= SYSCALLS_32BIT;                                           \
		(call).first_argument =                                                            \
			(call).number == bpf_number ? FIRST_ARGUMENT(regs, READ) : 0;              \
		(call).result = (the_result);                                                      \
	} while (0)

SEC("?tp_btf/sys_exit")
int count_direct(__u64 *ctx)
{
	void *regs = (void *)ctx[0];
	struct call call;

	FILL(call, regs, (long)ctx[1], ACCESS);
	if (!is_child(&call))
		count(&call);
	return 0;
}

SEC("?raw_tracepoint/sys_exit")
int count_copying(struct bpf_raw_tracepoint_args *ctx)
{
	void *regs = (void *)ctx->args[0];
	struct call call;

	FILL(call, regs, (long)ctx->args[1], COPY);
	if (!is_child(&call))
		count(&call);
	return 0;
}

SEC("?tp_btf/sys_enter")
int begin_direct(__u64 *ctx)
{
	void *regs = (void *)ctx[0];

	begin((__u32)ctx[1] | (IS_32BIT(regs, ACCESS) ? SYSCALLS_32BIT : 0));
	return 0;
}

SEC("?raw_tracepoint/sys_enter")
int begin_copying(struct bpf_raw_tracepoint_args *ctx)
{
	void *regs = (void *)ctx->args[0];

	begin((__u32)ctx->args[1] | (IS_32BIT(regs, COPY) ? SYSCALLS_32BIT : 0));
	return 0;
}

SEC("?tp_btf/sys_exit")
int end_direct(__u64 *ctx)
{
	void *regs = (void *)ctx[0];
	struct call call;

	FILL(call, regs, (long)ctx[1], ACCESS);
	end(&call);
	return 0;
}

SEC("?raw_tracepoint/sys_exit")
int end_copying(struct bpf_raw_tracepoint_args *ctx)
{
	void *regs = (void *)ctx->args[0];
	struct call call;

	FILL(call, regs, (long)ctx->args[1], COPY);
	end(&call);
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
