/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * What the processes collector's programs send. Include after the fixed-width types.
 */
#include "event.h"

#define PROCESSES_PATH_LEN 256

enum processes_kind { /* of record_head */
		      PROCESSES_FORK,
		      PROCESSES_EXEC,
		      PROCESSES_EXIT,
		      PROCESSES_CGROUP_CREATED,
		      PROCESSES_CGROUP_DESTROYED,
};

struct processes_record {
	struct record_head head;
	__u64 cgroup_id;
	__u64 life_ns; /* PROCESSES_EXIT: since its start */
	__u32 pid, ppid, uid;
	__s32 exit_code; /* PROCESSES_EXIT: as wait(2) gives it */
	char comm[SAMPLE_COMM_LEN];
};

struct cgroups_record {
	struct record_head head;
	__u64 id;
	__u32 hierarchy; /* 0: cgroup v2 */
	__u32 path_bytes; /* with its NUL */
	char path[PROCESSES_PATH_LEN];
};

#define CGROUPS_RECORD_MIN (sizeof(struct cgroups_record) - PROCESSES_PATH_LEN)

/* Per CPU; kept whether or not the events come through. */
struct processes_counts {
	__u64 forks, threads, execs, exits, failures, signals;
};

_Static_assert(sizeof(struct processes_record) == 24 + 16 + 16 + 16, "record is shared");
_Static_assert(sizeof(struct cgroups_record) == 24 + 16 + 256, "record is shared");
