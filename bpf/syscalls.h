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
#define SYSCALLS_SLOT_BITS 12

/* Who called what. */
struct syscalls_key {
	__u64 tag; /* of the rest, as syscalls_tag() says */
	__u32 pid;
	__u32 number; /* of the call; of the command in the map of bpf() calls */
	__u64 name[SAMPLE_COMM_LEN / 8]; /* of the thread */
};

struct syscalls_value {
	struct syscalls_key key; /* in a slot that nobody has: all zero */
	__u64 calls, errors;
	/* With latency alone; the values of maps end here without it. */
	__u64 time_ns;
	__u64 buckets[SYSCALLS_BUCKETS]; /* [i]: below 2^i ns, and not below 2^(i-1) */
};

struct syscalls_commands {
	struct syscalls_key key;
	__u64 calls, errors;
};

/* A thread's call under way. */
struct syscalls_start {
	__u64 thread; /* whose slot it is; 0: nobody's */
	__u64 time_ns; /* 0: none */
};

/* Per CPU: what had no room. */
struct syscalls_counts {
	__u64 uncounted; /* calls: too many keys, or two with one tag */
	__u64 untimed; /* calls that are counted: too many threads */
};

/* Never 0. The high bits say which slot. */
static inline __attribute__((always_inline)) __u64 syscalls_tag(const struct syscalls_key *k)
{
	__u64 call = (__u64)k->number << 32 | k->pid;

	return (call * 0xc4ceb9fe1a85ec53ULL ^ k->name[0] * 0x9e3779b97f4a7c15ULL ^
		k->name[1] * 0xff51afd7ed558ccdULL) |
	       1;
}

_Static_assert(sizeof(struct syscalls_key) == 32, "key is shared and has no padding");
_Static_assert(__builtin_offsetof(struct syscalls_value, time_ns) ==
		       sizeof(struct syscalls_commands),
	       "counts without latency");
