/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* proc_pid_stat(5) and proc_pid_smaps(5) of one process. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/scan.h"
#include "util/hash_table.h"

/* What a process is known by. */
struct process_id {
	pid_t pid;
	uint64_t start_ticks; /* since the boot, in USER_HZ */
};

static inline uint64_t process_id_hash(struct process_id id)
{
	return hash_u64((uint64_t)id.pid << 40 ^ id.start_ticks);
}

/* What every process is asked for. */
struct process_brief {
	struct process_id id; /* pid: as the file says */
	char state;
	uint64_t ticks; /* user and system */
};

struct process_stat {
	pid_t pid;
	struct record_bytes comm; /* in the text that was parsed; any bytes */
	char state;
	int64_t ppid, pgid, sid, priority, nice;
	uint64_t minor_faults, major_faults, user_ticks, system_ticks, threads, start_ticks;
	uint64_t virtual_bytes, resident_pages;
};

struct process_memory {
	uint64_t pss_bytes, uss_bytes;
};

/* False: not what a kernel writes; *ret is then untouched. */
bool process_pid_parse(const char *name, pid_t *ret); /* of a directory of /proc */
bool process_brief_parse(struct scan text, struct process_brief *ret);
bool process_stat_parse(struct scan text, struct process_stat *ret);
bool process_memory_parse(struct scan text, struct process_memory *ret);
