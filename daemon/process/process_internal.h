/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of the process table share: process_table.c owns the entries, process_read.c fills
 * them from /proc, process_apply.c from sideband records, process_map.c maps for both.
 */
#include "process/labels.h"
#include "process/mapped_file.h"
#include "process/mappings.h"
#include "process/process.h"
#include "util/buffer.h"
#include "util/hash_table.h"
#include "util/parse.h"

/* Between the tick a process started in and the record of its fork; a pid is not reused so soon. */
#define START_TOLERANCE_NS (50 * NSEC_PER_MSEC)

struct exe {
	unsigned int refs;
	char path[];
};

struct entry {
	struct process p;
	struct hash_node node; /* by pid */
	struct labels *labels; /* NULL: none */
	struct exe *exe; /* NULL: none */
	uint64_t start_boot_ns; /* CLOCK_BOOTTIME, which /proc starts count on; 0: unknown */
	/* When /proc was read; threads that came or went up to then are counted. */
	uint64_t read_ns;
	uint64_t last_exit_ns; /* of a thread */
	uint64_t labels_ns; /* when the labels last changed */
	uint64_t losses; /* the table's when this was last known to be right */
	uint32_t threads;
	uint32_t purge_at; /* mappings at which dead ones are looked for */
	bool placeholder; /* gone when first seen: neither its start nor its threads are known */
	bool counted; /* as missed */
	bool leader_exited;
	bool unread; /* forked by an unknown parent: /proc is read at the first sample */
	bool exe_pending; /* executed: the next file mapping is the binary's */
	bool labels_stale;
};

struct process_table {
	struct object_table *objects;
	struct process_table_options options;
	char *procfs;
	struct hash_table entries;
	struct label_store labels;
	struct mapped_files files;
	struct buffer text; /* of a /proc file */
	struct process_table_stats stats;
	uint64_t next_program;
	uint64_t next_version; /* of mappings */
	uint64_t losses; /* how often records were lost */
	uint64_t swept_losses;
	uint64_t ticks_per_second;
	bool ignore_build_ids; /* of mapping records */
	struct entry nobody; /* given out when memory is short */
};

/* --- process_table.c --- */

/* The process that has `pid` at `time_ns`: of those that had started, the last. NULL: unknown. */
struct entry *entry_find(struct process_table *t, uint32_t pid, uint64_t time_ns);
/* A process without properties, in the table. */
struct entry *entry_new(struct process_table *t, uint32_t pid, uint64_t start_ns);
void entry_set_comm(struct entry *e, const char *comm, size_t size);
int entry_set_exe(struct entry *e, const char *path);
void entry_share_exe(struct entry *e, struct exe *exe);
void entry_set_labels(struct entry *e, struct labels *l); /* takes the reference */
/* Takes the reference. */
void entry_set_mappings(struct process_table *t, struct entry *e, struct mappings *m);
/* Tells whoever follows mappings. */
void entry_tell_change(struct process_table *t, struct entry *e, bool replaced);
void entry_end(struct process_table *t, struct entry *e, uint64_t time_ns);

/* --- process_read.c --- */

/* Offset of CLOCK_BOOTTIME from CLOCK_MONOTONIC: the time the host was suspended. */
uint64_t boot_offset_ns(void);
/* Reads a process nobody announced; a placeholder when it is gone. NULL: no memory. */
struct entry *entry_adopt(struct process_table *t, uint32_t pid, uint64_t time_ns);
/* Makes an entry that may be out of date right, or ends it and gives its successor. */
struct entry *entry_verify(struct process_table *t, struct entry *e, uint64_t time_ns);
/* For `unread`: false when the process is gone. */
bool entry_read_rest(struct process_table *t, struct entry *e);
int entry_read_mappings(struct process_table *t, struct entry *e);
void entry_update_labels(struct process_table *t, struct entry *e, uint64_t cgroup_id,
			 uint64_t time_ns);
/* Whether /proc still has the pid. */
bool pid_exists(const struct process_table *t, uint32_t pid);

/* --- process_map.c --- */

/* A mapping as the kernel describes it. */
struct map_source {
	uint64_t start, end, pgoff;
	dev_t device; /* device and inode are 0 in a record with a build-id */
	ino_t inode;
	const char *path; /* decoded */
	struct build_id build_id;
};

/* Lays a mapping over `list`, a list of process e (its own, or one that shall replace it). Returns
 * as mappings_overlay(). */
int map_add(struct process_table *t, struct entry *e, struct mappings **list,
	    const struct map_source *source);
