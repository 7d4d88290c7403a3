/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What the exec collector's programs send: one record for each execve and execveat.
 *
 * Include after the fixed-width types.
 */
#include "event.h"

#define EXEC_MAX_ARGS 128
#define EXEC_MAX_ARG 4096 /* of one argument, its NUL included: a longer one is cut */
#define EXEC_MAX_ARGV 4096 /* an argument that begins within is kept */
#define EXEC_ARGV_BYTES (EXEC_MAX_ARGV + EXEC_MAX_ARG)
#define EXEC_FILE_LEN 256
#define EXEC_PENDING 128 /* calls that are under way at once */
#define EXEC_USERS 1024

enum exec_call {
	EXEC_EXECVE = 0,
	EXEC_EXECVEAT = 1,
	EXEC_UNSEEN = 2, /* no call was seen: by a 32-bit program, or the kernel itself */
};

enum exec_flags {
	EXEC_MORE_ARGS = 1 << 0, /* there were more arguments than are here */
	EXEC_ARGV_FAULT = 1 << 1, /* the arguments could not be read to their end */
	EXEC_FILE_FAULT = 1 << 2,
	EXEC_DONE = 1 << 3, /* the new program is there */
	EXEC_NO_RESULT = 1 << 4, /* the thread ended within the call, or its return was missed */
};

struct exec_record {
	struct record_head head; /* time_ns: of the result, or of the new program */
	__u64 start_ns; /* of the call */
	__u64 cgroup_id;
	__u64 file; /* where the caller has the file's name */
	__u32 pid, tid; /* of the caller */
	__u32 ppid; /* 0: not known */
	__u32 uid, gid;
	__s32 result;
	__u16 call; /* enum exec_call */
	__u16 flags; /* enum exec_flags */
	__u32 argv_bytes;
	char comm[SAMPLE_COMM_LEN]; /* of the caller */
	char file_name[EXEC_FILE_LEN];
	char argv[EXEC_ARGV_BYTES]; /* one behind the other, each with its NUL */
};

#define EXEC_RECORD_MIN (sizeof(struct exec_record) - EXEC_ARGV_BYTES)

struct exec_knobs {
	__u32 max_args; /* 1: the first alone */
};

struct exec_user {
	__u64 execs, failures;
};

/* What had no room; per CPU. */
struct exec_counts {
	__u64 no_pending; /* too many calls at once: the event comes without its call, or not */
	__u64 no_user; /* too many users: not counted */
};

_Static_assert(sizeof(struct exec_record) == 24 + 24 + 24 + 8 + 16 + 256 + EXEC_ARGV_BYTES,
	       "record is shared and has no padding");
