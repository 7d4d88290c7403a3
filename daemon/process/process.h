/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The processes of the host as the samples saw them: names, labels and executable mappings at each
 * moment.
 *
 * Fed by the sideband (sideband.h) in time order, and by /proc once at start and for pids that come
 * unannounced. Identity is (pid, start time). A process that exited stays until every sample taken
 * before its end was looked up: process_table_forget() drops those that ended before a given time.
 *
 * Memory: 380 bytes a process; 32 + 32 per mapping, half as much again at most, for those that
 * executed (a forked child shares its parent's); the path of its binary, shared likewise. Labels
 * are kept once per cgroup.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbols/object.h"

struct mapping {
	uint64_t start, end; /* addresses, end exclusive */
	uint64_t pgoff; /* bytes into the object; OBJECT_ANON: `start` again */
	struct object *object; /* referenced */
};

/* Sorted by address, no overlaps; shared by fork until one side changes. Only executable mappings.
 */
struct mappings {
	uint32_t refs;
	uint32_t capacity;
	uint64_t version; /* another one after each change, in all of the table */
	bool own_code; /* some of it was written by the process itself, and may have been moved */
	size_t n;
	struct mapping list[];
};

struct process {
	uint32_t pid;
	uint32_t ppid;
	uint64_t start_ns; /* CLOCK_MONOTONIC; 0: unknown */
	uint64_t exit_ns; /* 0: alive */
	uint64_t program; /* a number of its own, another one after each exec */
	bool kernel; /* a kernel thread */
	char comm[16];
	/* None of these is NULL; "" when unknown. */
	const char *exe;
	const char *cgroup; /* path */
	const char *unit; /* systemd unit, see cgroup_unit() */
	const char *container; /* container id or name, see cgroup_container() */
	uint64_t cgroup_id; /* as in the samples */
	struct mappings *mappings; /* NULL: none */
	/* Changes whenever pid, comm, exe or a label does: the recorder then writes the process
	 * anew. */
	uint64_t generation;
	/* Owned by the recorder. */
	uint64_t epoch;
	uint64_t written_generation;
	uint32_t id;
	const struct mappings *written_mappings; /* set to NULL whenever the mappings change */
	uint64_t *mapping_written; /* bit per mapping; freed with the process */
	uint32_t space; /* token of the mappings as they are written */
	struct object *jit; /* process_anonymous_object(), once it was needed; referenced */
	/* Owned by unwind/process_lists.h. */
	struct process_list *list; /* what is published; NULL: nothing */
	uint64_t list_floor; /* generations below are wrong */
	bool list_changed; /* to be published */
	bool by_fp; /* its callers are found by frame pointers */
	/* Owned by unwind/unwinder.h: what its stacks said of frame pointers. */
	uint64_t fp_program; /* the program that is meant; 0: none yet */
	uint32_t fp_proofs;
	bool fp_refuted;
};

struct process_table_options {
	const char *procfs; /* NULL: /proc */
	const char *cgroupfs; /* NULL: /sys/fs/cgroup */
	/*
	 * An executable mapping of a file (or the vDSO) without a function index appeared in `pid`:
	 * the moment to take it.
	 */
	void (*mapped)(struct object *o, uint32_t pid, uint64_t start, uint64_t end,
		       void *userdata);
	/* exec or exit: what was cached about pid is stale */
	void (*gone)(uint32_t pid, void *userdata);
	/* p's mappings changed, or it ended; `replaced`: not only by something new where nothing
	 * was. */
	void (*changed)(struct process *p, bool replaced, void *userdata);
	/* p is freed. */
	void (*forgotten)(struct process *p, void *userdata);
	void *userdata;
};

struct process_table;
int process_table_new(struct object_table *objects, const struct process_table_options *options,
		      struct process_table **ret);
struct process_table *process_table_free(struct process_table *t);
DEFINE_CLEANUP(struct process_table *, process_table_free);

/*
 * Reads /proc/PID of everything that runs. Call after the sideband is enabled and before its first
 * record is applied. Processes that vanish or cannot be read meanwhile are no error.
 */
int process_table_scan(struct process_table *t);

/*
 * Applies one sideband record (struct perf_event_header and its body with the sample_id trailer).
 * Records that say nothing about processes are passed over; -EBADMSG: a damaged one; -ENOMEM. After
 * PERF_RECORD_LOST every process is read from /proc again before it is next given out.
 */
struct perf_event_header;
int process_table_apply(struct process_table *t, const struct perf_event_header *h);

/*
 * Whether mapping records bring build-ids (sideband_get_features()); true until told. Where they do
 * not, a record that says so was marked for another event: host/build_id_leak.h.
 */
void process_table_expect_build_ids(struct process_table *t, bool expected);

/*
 * The process a sample of `pid` at `time_ns` belongs to; reads /proc when it is unknown, and gives
 * a placeholder (empty names, no mappings) when it is gone. cgroup_id is the sample's (0: unknown):
 * a change re-reads the labels. Never NULL. Borrowed, valid until process_table_forget().
 */
struct process *process_table_get(struct process_table *t, uint32_t pid, uint64_t cgroup_id,
				  uint64_t time_ns);

/* The memory without a file of this process's program, which its perf map names; a reference, or NULL
 * when out of memory. */
struct object *process_anonymous_object(struct object_table *objects, const struct process *p);

const struct mapping *mappings_find(const struct mappings *m, uint64_t address);

/*
 * Drops processes that ended before `time_ns` (and a tenth of a second more, in which the kernel
 * still works on its own account). Time and memory are those of the live ones afterwards.
 */
void process_table_forget(struct process_table *t, uint64_t time_ns);
size_t process_table_size(const struct process_table *t);

struct process_table_stats {
	uint64_t missed; /* processes asked for that were gone when first seen */
	uint64_t lost; /* sideband records the kernel had no room for */
	uint64_t unreadable; /* processes whose mappings /proc did not show (CAP_SYS_PTRACE) */
	uint64_t refused; /* mappings beyond MAPPINGS_MAX of one process */
};
void process_table_get_stats(const struct process_table *t, struct process_table_stats *ret);
/* The same number as in the stats. */
uint64_t process_table_missed(const struct process_table *t);
