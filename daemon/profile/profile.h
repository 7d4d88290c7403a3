/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Recorded segments as one profile in memory: what report, flame and export work on.
 *
 * Any number of files, sealed or active, are one time line. Epochs are read in parallel and their
 * dictionaries merged: here every object, function, process and thread exists once. Stacks are a
 * tree (call tree from the root down): a sample points at its leaf node.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/record.h"
#include "store/segment_reader.h"
#include "store/stack_status.h"

#define PROFILE_NONE UINT32_MAX
#define PROFILE_STATUSES STACK_STATUSES
#define PROFILE_MAX_COUNTERS RECORD_MAX_COUNTERS
#define PROFILE_STATE_DIRECTORY "/var/lib/ebpf-profiler" /* read when no path is given */

/* A stretch of time, CLOCK_REALTIME. */
struct profile_span {
	uint64_t start_ns, end_ns; /* end_ns is behind it */
};

/* Which samples: every field that is set must hold. Lists are NULL-terminated; strings match as the
 * option says. */
struct profile_filter {
	uint64_t since_ns, until_ns; /* CLOCK_REALTIME; 0: open */
	const char *event; /* fired or requested name; NULL: all */
	const char *profile; /* of the configuration, exact; NULL: all */
	const char *const *comms; /* process or thread name, exact */
	const uint32_t *pids;
	size_t n_pids;
	const char *const *units; /* exact, or without the suffix ".service" */
	const char *const *containers; /* prefix of the id */
	const uint32_t *cpus;
	size_t n_cpus;
	/* Only samples in one of these, ascending and disjoint; NULL: all. */
	const struct profile_span *spans;
	size_t n_spans;
	/* No filter: the counters that cells carry sums of, at most PROFILE_MAX_COUNTERS; NULL:
	 * none, at no cost. A name means a counter of a sample's event (without its modifiers, if
	 * it gives none), or else the event itself, by what fired. */
	const char *const *counters;
};

/* What cells are kept apart by, beside event and stack. */
enum profile_dimension {
	PROFILE_BY_THREAD = 1 << 0, /* and so by process, unit, container */
	PROFILE_BY_CPU = 1 << 1, /* and so by NUMA node */
	PROFILE_BY_STATUS = 1 << 2, /* of both halves, and whether a guest ran */
	PROFILE_NO_STACK = 1 << 3, /* not by stack: no node but the root */
	/* One of these at most: cell.access. */
	PROFILE_BY_SOURCE = 1 << 4,
	PROFILE_BY_TLB = 1 << 5,
	PROFILE_BY_LATENCY = 1 << 6,
	PROFILE_BY_ADDRESS = 1 << 7,
	PROFILE_BY_PAGE = 1 << 8,
};

#define PROFILE_BY_ACCESS                                                                          \
	(PROFILE_BY_SOURCE | PROFILE_BY_TLB | PROFILE_BY_LATENCY | PROFILE_BY_ADDRESS |            \
	 PROFILE_BY_PAGE)

/* How many samples tell a part of their memory access. */
struct profile_accesses {
	uint64_t addresses, sources, latencies;
};

struct profile_rate {
	bool freq;
	uint64_t value;
	uint64_t samples;
};

/* What one profile of a configuration sampled. It remains one event when its rate changes. */
struct profile_event {
	const char *profile, *requested, *fired, *reason, *pmu, *unit;
	const char *counters; /* read at each sample: names, comma separated */
	char *counters_of_all; /* owned: those of all its rates, if they differ */
	uint32_t type;
	uint64_t config;
	const struct profile_rate *rates; /* in the order of time */
	size_t n_rates;
	uint64_t samples, weight; /* after the filter */
	uint64_t kernel_status[PROFILE_STATUSES], user_status[PROFILE_STATUSES]; /* samples */
	uint64_t mixed; /* samples within whose deltas other tasks ran: they contribute to none */
	uint64_t cut; /* others whose deltas began at a switch: theirs is not the whole period */
	bool memory_access; /* asked for at each sample */
	struct profile_accesses accesses;
};

struct profile_object {
	enum object_kind kind;
	const char *path;
	const char *name; /* what module columns show: the file's base name, "[kernel]",
			     "[nf_tables]", "[bpf]" ... */
	uint8_t build_id[32];
	size_t build_id_size;
	uint64_t base;
};

struct profile_process {
	uint32_t pid, ppid;
	uint64_t start_ns;
	const char *comm, *exe, *cgroup, *unit, *container;
	const struct record_mapping *mappings; /* object ids are the profile's; sorted by start */
	size_t n_mappings;
};

struct profile_thread {
	uint32_t process;
	uint32_t tid;
	const char *name;
};

struct profile_function {
	uint32_t object;
	uint64_t start, size;
	const char *name; /* demangled; without a symbol "[module+0xstart]", and where not even the
			     function is known "[module+0xoffset]", one per offset, size 0 */
	bool known; /* by name */
};

struct profile_frame {
	uint32_t object;
	uint64_t offset;
	/* As the leaf of its half, and as a return address (looked up at offset - 1). */
	uint32_t function[2];
};

/* Node 0 is the root and has no frame: the node of a sample without a stack. A node is a
 * caller-to-callee path from the user root to the kernel leaf. */
struct profile_node {
	uint32_t parent;
	uint32_t frame;
	bool leaf_of_half; /* frame 0 of the kernel or of the user half: function[0] applies, else
			      function[1] */
};

struct profile_cell {
	uint32_t event;
	uint32_t node;
	uint32_t thread; /* PROFILE_NONE unless PROFILE_BY_THREAD */
	uint32_t cpu; /* PROFILE_NONE unless PROFILE_BY_CPU */
	uint32_t access; /* index into profile.accesses; 0 unless PROFILE_BY_ACCESS */
	uint8_t kernel_status, user_status; /* 0 unless PROFILE_BY_STATUS */
	bool guest; /* a virtual machine ran; false unless PROFILE_BY_STATUS */
	uint64_t samples;
	uint64_t weight; /* sum of the periods */
};

/*
 * What the samples of a cell say about one counter. Rates are sum / counted_ns; a ratio of two
 * counters is that of their rates, for one may have readings where the other has none.
 */
struct profile_counter {
	uint64_t samples; /* that contribute */
	double sum; /* of their deltas, each scaled for the time it was not counting */
	uint64_t counted_ns; /* that the deltas cover */
	uint64_t running_ns; /* of it, counting */
};

static inline void profile_counter_add(struct profile_counter *c,
				       const struct profile_counter *more)
{
	c->samples += more->samples;
	c->sum += more->sum;
	c->counted_ns += more->counted_ns;
	c->running_ns += more->running_ns;
}

/* True when samples of the event can contribute to what filter.counters calls `name`. */
bool profile_event_counts(const struct profile_event *e, const char *name);

/* Sums over the window, per event. */
struct profile_ledger {
	uint64_t seen, filtered, sent, full, fault, received, gaps, dropped;
	uint64_t count, enabled_ns, running_ns, expected, throttled;
};

void profile_ledger_add(struct profile_ledger *l, const struct profile_ledger *more);

/* Samples that were seen, but are not in the profile. */
static inline uint64_t profile_lost(const struct profile_ledger *l)
{
	return l->full + l->fault + l->gaps + l->dropped;
}

/* Samples the event should have given, but did not. */
static inline uint64_t profile_not_delivered(const struct profile_ledger *l)
{
	return l->expected > l->seen ? l->expected - l->seen : 0;
}

struct profile_note {
	uint64_t realtime_ns;
	const char *text;
};

struct profile {
	/* Facts of the host the newest segment came from. */
	struct {
		const char *hostname, *kernel, *arch, *cpu_model, *version, *virtualization;
		uint32_t cpus; /* that were online */
		uint32_t cpu_ids; /* all ids are below; others may be offline */
		uint32_t *node_of_cpu; /* cpu_ids entries */
		uint32_t nodes;
	} host;
	uint64_t first_ns, last_ns; /* CLOCK_REALTIME of the samples; 0: none */
	struct profile_event *events;
	struct profile_ledger *ledgers; /* one per event */
	size_t n_events;
	struct profile_object *objects;
	size_t n_objects;
	struct profile_function *functions;
	size_t n_functions;
	struct profile_process *processes;
	size_t n_processes;
	struct profile_thread *threads;
	size_t n_threads;
	struct profile_frame *frames;
	size_t n_frames;
	struct profile_node *nodes; /* parents come before their children */
	size_t n_nodes;
	struct profile_cell *cells;
	size_t n_cells;
	/* filter.counters[k] in cell i is counters[i * n_counters + k]; NULL when none is asked. */
	struct profile_counter *counters;
	size_t n_counters;
	uint64_t *accesses; /* keys of memory_access_key(), by PROFILE_BY_ACCESS */
	size_t n_accesses;
	struct profile_note *notes;
	size_t n_notes;
	/* Samples by [enum stack_status]; the last element is for what this program does not know.
	 */
	uint64_t kernel_status[PROFILE_STATUSES], user_status[PROFILE_STATUSES];
	uint64_t samples, weight;
	uint64_t unreadable; /* samples or epochs lost to damage */
	size_t n_segments;
	struct profile_memory *memory; /* owner of every string above */
};

/* True when another profile of the configuration sampled an event of the same name. */
bool profile_event_shares_name(const struct profile *p, const struct profile_event *e);

/*
 * Loads everything `paths` name (files or directories; n_paths = 0: the state directory).
 * `dimensions` is a set of enum profile_dimension. -ENOENT: no segments; -ENODATA: segments, but no
 * sample in the window (then *ret is still a profile, without cells). *ret_error is a heap
 * sentence.
 */
int profile_load(const char *const *paths, size_t n_paths, const struct profile_filter *filter,
		 unsigned int dimensions, struct profile **ret, char **ret_error);
/* The same on `threads` threads; 0: one for each CPU, at most PROFILE_MAX_THREADS. */
#define PROFILE_MAX_THREADS 8
int profile_load_threads(const char *const *paths, size_t n_paths,
			 const struct profile_filter *filter, unsigned int dimensions,
			 unsigned int threads, struct profile **ret, char **ret_error);
struct profile *profile_free(struct profile *p);
DEFINE_CLEANUP(struct profile *, profile_free);

/* A single sample in time order, for exports that keep them apart. Ids are those of `profile`. */
struct profile_sample {
	uint64_t realtime_ns, monotonic_ns;
	uint32_t event, thread, cpu, node;
	uint64_t weight;
	uint8_t kernel_status, user_status;
	bool guest; /* a virtual machine ran */
	bool mixed, cut; /* see struct profile_event */
	struct record_access access;
};

/*
 * Like profile_load, and calls `each` for every sample in the order of time (within the reordering
 * of one segment). A negative result of `each` stops the walk and is returned.
 */
int profile_walk(const char *const *paths, size_t n_paths, const struct profile_filter *filter,
		 struct profile **ret,
		 int (*each)(const struct profile *p, const struct profile_sample *s,
			     void *userdata),
		 void *userdata, char **ret_error);

/* The function a node shows. */
static inline uint32_t profile_node_function(const struct profile *p, uint32_t node)
{
	const struct profile_node *n = &p->nodes[node];

	return p->frames[n->frame].function[n->leaf_of_half ? 0 : 1];
}

/* The run-time address of a frame in a process (from its mapping, or the object's base). */
uint64_t profile_frame_address(const struct profile *p, uint32_t frame, uint32_t process);
