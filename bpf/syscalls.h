/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What the syscalls collector's programs and user space share. Include after the fixed-width types.
 */
#include "sample.h"

#define SYSCALLS_BUCKETS 41 /* of nanoseconds, by their binary logarithm: up to 18 minutes */
#define SYSCALLS_32BIT                                                                             \
	(1U << 31) /* in `number`: a call of a 32-bit program, numbered differently */
#define SYSCALLS_FORKS 4

/* Three words are hashed in a third of the time that a whole name takes. */
struct syscalls_key {
	__u32 pid;
	__u32 number; /* of the call; of the command in the map of bpf() calls */
	__u32 name; /* a hash of the thread's name */
};

struct syscalls_name {
	__u64 words[SAMPLE_COMM_LEN / 8];
};

struct syscalls_value {
	struct syscalls_name name;
	__u64 calls, errors;
	__u64 time_ns; /* with latency alone, as the next */
	__u64 buckets[SYSCALLS_BUCKETS]; /* [i]: below 2^i ns, and not below 2^(i-1) */
};

struct syscalls_commands {
	struct syscalls_name name;
	__u64 calls, errors;
};

/* A thread's call under way. */
struct syscalls_start {
	__u64 time_ns; /* 0: none */
	__u32 number;
	__u32 unused;
};

/* Per CPU: what had no room. */
struct syscalls_counts {
	__u64 uncounted; /* calls: too many keys, or two names with one hash */
	__u64 untimed; /* calls: too many threads; they are not counted either */
};

_Static_assert(sizeof(struct syscalls_key) == 12, "key is shared and has no padding");
