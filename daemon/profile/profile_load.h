/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Inside profile_load() and profile_walk():
 *
 *   profile_sources.c  paths -> segments -> (segment, epoch) pairs, handed to the threads
 *   profile_epoch.c    one epoch -> samples in the ids of the profile, and everything else it says
 *   profile_filter.c   which samples pass
 *   profile_counters.c what a sample says about counters
 *   profile_tally.c    samples and ledgers -> sums
 *   profile_tree.c     samples -> call tree and cells, one tree a thread
 *   profile.c          the threads, and their results as one struct profile
 *   profile_events.c   events, each with its rates
 *   profile_layout.c   dictionaries -> arrays of struct profile
 *   profile_resolve.c  frames -> functions
 *   profile_walk.c     the same samples once more, in the order of time
 *
 * The dictionaries are shared by all threads; an id is final as soon as it is given.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profile/profile.h"
#include "profile/profile_dictionary.h"
#include "profile/profile_tree.h"
#include "util/buffer.h"

/* --- keys of the dictionaries: fixed parts; NUL-terminated strings follow where a name is listed
 */

struct event_key { /* profile, requested, fired, reason, pmu, unit, counters */
	uint64_t config, value;
	uint32_t type;
	uint16_t freq, memory_access;
};

struct object_key_data { /* path; the build-id is in front of it */
	uint64_t base; /* of kernel objects */
	uint64_t owner_start_ns; /* of memory without a file: whose it is */
	uint32_t owner_pid, owner_boot;
	uint32_t kind;
	uint32_t build_id_size;
	uint8_t build_id[32];
};

struct process_key { /* comm, exe, cgroup, unit, container; ppid behind, which may change */
	uint64_t start_ns;
	uint32_t boot, pid;
};

struct mapping_key {
	uint32_t process, object;
	uint64_t start, end, pgoff;
};

struct thread_key { /* name */
	uint32_t process, tid;
};

struct frame_key {
	uint64_t offset;
	uint32_t object, zero;
};

struct function_key { /* name */
	uint64_t start, size;
	uint32_t object, zero;
};

/* --- what is shared ----------------------------------------------------------------------------*/

#define CLOCK_UNKNOWN INT64_MIN

struct source {
	char *path;
	bool named; /* given as a file, not found in a directory */
	struct segment_reader *reader; /* NULL: not open */
	uint64_t device, inode;
	uint32_t boot;
	size_t n_epochs; /* once opened; 0 when it is gone or unreadable */
	size_t epochs_given, epochs_done;
	int64_t *clocks; /* realtime - monotonic where each epoch begins, or CLOCK_UNKNOWN */
};

struct load {
	const struct profile_filter *filter;
	unsigned int dimensions;
	size_t n_counters; /* in filter->counters */
	uint64_t seed;
	struct dictionary boots, event_names, profile_names, events, objects, processes, mappings,
		threads, frames, functions, accesses;

	pthread_mutex_t lock; /* for what follows */
	struct source *sources;
	size_t n_sources;
	size_t next_source; /* the one epochs are given from */
	bool keep_open;
	size_t n_opened;
	uint64_t unopened; /* segments of a directory that could not be read; the first, why: */
	int unopened_error;
	char *unopened_text;
	uint64_t first_ns, last_ns; /* CLOCK_REALTIME of all that was opened, about; 0: nothing */
	int error; /* the first that ends the whole load */
	char *error_text;
};

int load_init(struct load *l, const struct profile_filter *filter, unsigned int dimensions);
void load_close_sources(struct load *l);
void load_done(struct load *l);
/* Keeps the first error, and its sentence, which is taken. */
int load_fail(struct load *l, int error, char *text);

/* Finds the segments. -ENOENT and the sentence in l->error_text: there are none. */
int sources_find(struct load *l, const char *const *paths, size_t n_paths);
/* The next epoch to read: 1 and the place, 0 when there is none, negative when the load failed. */
int sources_next(struct load *l, struct source **ret_source, size_t *ret_epoch);
void sources_finish(struct load *l, struct source *s);
/* --- what one thread counts --------------------------------------------------------------------*/

enum host_fact {
	HOST_HOSTNAME,
	HOST_KERNEL,
	HOST_ARCH,
	HOST_CPU_MODEL,
	HOST_VERSION,
	HOST_VIRTUALIZATION,
	HOST_CPUS,
	HOST_NUMA,
	HOST_FACTS,
};

struct tally_facts {
	uint64_t realtime_ns; /* of the epoch they are from */
	char *values[HOST_FACTS];
};

struct event_tally {
	uint64_t order; /* where the event was first seen: segment, epoch, id */
	uint64_t samples, weight;
	uint64_t kernel_status[PROFILE_STATUSES], user_status[PROFILE_STATUSES];
	uint64_t mixed, cut;
	struct profile_accesses accesses;
	struct profile_ledger ledger;
};

struct note {
	uint64_t realtime_ns;
	char *text;
};

struct tally {
	struct event_tally *events; /* by event */
	size_t n_events;
	struct note *notes;
	size_t n_notes;
	struct tally_facts host;
	uint64_t first_ns, last_ns; /* CLOCK_REALTIME of the samples; 0: none */
	uint32_t cpus; /* highest CPU of a sample + 1 */
	uint64_t broken_epochs;
};

void tally_facts_done(struct tally_facts *h);
void tally_done(struct tally *t);
int tally_event(struct tally *t, uint32_t event, struct event_tally **ret);
int tally_sample(struct tally *t, const struct profile_sample *s);
/* Adds `from`, whose notes and facts are taken. */
int tally_merge(struct tally *t, struct tally *from);

/* --- which samples pass ------------------------------------------------------------------------*/

struct epoch_filter {
	const struct profile_filter *wanted;
	uint8_t *cpus; /* bit map; NULL: all */
};

int epoch_filter_init(struct epoch_filter *e, const struct profile_filter *wanted);
void epoch_filter_done(struct epoch_filter *e);
bool record_bytes_equal(struct record_bytes a, const char *b);
bool filter_event(const struct epoch_filter *e, const struct record_event *v);
bool filter_process(const struct epoch_filter *e, const struct record_process *p);
/* The name of the process or of the thread. */
bool filter_comm(const struct epoch_filter *e, const char *process, struct record_bytes thread);
bool filter_cpu(const struct epoch_filter *e, uint32_t cpu);
bool filter_time(const struct epoch_filter *e, uint64_t realtime_ns);

/* --- counters ----------------------------------------------------------------------------------*/

/* Where the samples of an event have the counters that are asked for. */
struct counter_places {
	uint8_t of[PROFILE_MAX_COUNTERS]; /* number in record_sample.counters, or */
};

#define COUNTER_OWN 254 /* the sample's own period */
#define COUNTER_NOWHERE 255

void counters_find(const struct load *l, const struct record_event *v, struct counter_places *ret);
/* What one sample adds to its cell. */
void counters_of_sample(const struct load *l, const struct record_sample *s,
			const struct counter_places *places, struct profile_counter *ret);

/* --- one epoch ---------------------------------------------------------------------------------*/

/* Ids of the epoch to ids of the profile. */
struct epoch_ids {
	uint32_t *ids;
	size_t n, capacity;
};

struct epoch_object {
	struct object_key_data key;
	char *path; /* ANON: not in the dictionary before its owner is known */
	uint32_t id;
	bool guest;
};

#define EPOCH_PATHS 256 /* CPUs share a slot beyond that */

/* A reader of epochs, reused from one to the next. */
struct epoch {
	struct load *load;
	struct source *source;
	struct epoch_walk *walk;
	struct tally *tally; /* NULL: nothing but samples is wanted */
	uint64_t order; /* segment and epoch, for event_tally.order */
	int64_t clock_offset_ns; /* realtime - monotonic */
	struct tally_facts host;
	struct epoch_ids events, processes, threads, frames;
	uint32_t guest_frame; /* the epoch's id; PROFILE_NONE: none yet */
	bool *thread_passes, *process_passes; /* by the epoch's ids */
	size_t thread_passes_capacity, process_passes_capacity;
	struct epoch_object *objects;
	size_t n_objects, objects_capacity;
	struct epoch_filter filter;
	struct buffer key;
	struct tree_path paths[EPOCH_PATHS];
	struct counter_places
		*places; /* by the epoch's event ids; NULL: no counters are asked for */
	size_t places_capacity;
	struct profile_counter counters[2][PROFILE_MAX_COUNTERS]; /* of the last two samples */
	unsigned int turn;
};

struct epoch_sample {
	struct profile_sample sample; /* node is not set */
	struct tree_path *path; /* of its CPU: still that of an earlier sample */
	const uint32_t *frames; /* its own stack, in the epoch's frame ids, until the next sample */
	uint32_t kernel, user;
	/* What it adds to its cell, until the next sample but one; NULL: none are asked for. */
	const struct profile_counter *counters;
};

int epoch_init(struct epoch *e, struct load *l, struct tally *tally);
void epoch_done(struct epoch *e);
/* Begins epoch number `epoch` of an open source. 1: to be read; 0: outside the filter's window. */
int epoch_begin(struct epoch *e, struct source *s, size_t epoch);
/* The next sample that passes the filter: 1; 0: the end; negative: the rest is lost. */
int epoch_next(struct epoch *e, struct epoch_sample *ret);
/* realtime - monotonic by the first pair of clocks in an epoch; false: it has none. */
bool epoch_first_clock(struct segment_reader *reader, size_t epoch, int64_t *ret_offset_ns);
/* Makes s->path that of the sample. */
int epoch_set_path(struct epoch *e, const struct epoch_sample *s);
void epoch_end(struct epoch *e);

/* --- the result --------------------------------------------------------------------------------*/

struct profile_memory {
	struct load load; /* strings point into its dictionaries */
	struct tree tree; /* kept for profile_walk() */
	struct tally tally; /* texts of the notes and of the host */
	uint32_t *event_index; /* dictionary id -> index in profile.events */
	struct profile_rate *rates; /* of all events */
	struct record_mapping *mappings;
	struct buffer names; /* of objects and of unknown functions */
};

/* Loads, and leaves the tree's tables and the open sources in (*ret)->memory when `keep`. */
int profile_load_all(const char *const *paths, size_t n_paths, const struct profile_filter *filter,
		     unsigned int dimensions, unsigned int threads, bool keep, struct profile **ret,
		     char **ret_error);

/* The next of the strings behind the fixed part of a dictionary's key. */
static inline const char *key_string(const char **at)
{
	const char *s = *at;

	*at += strlen(s) + 1;
	return s;
}

/* events[] and ledgers[], and the sums over all events. */
int profile_lay_out_events(struct profile *p);
/* Everything in *p from p->memory. */
int profile_lay_out(struct profile *p);
/* objects[], frames[] and functions[] only. */
int profile_resolve(struct profile *p);
/* Why there is no sample: a heap sentence. */
char *profile_explain_no_samples(const struct profile *p);
