/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What collectors wrote into segments, as series over time: one number of one thing, such as the
 * memory bandwidth of socket 0, interval by interval, on the samples' clock.
 *
 * A series has a name and keys:
 *
 *   ipc, memory_bandwidth      a metric of the collector pmu
 *   page-faults, msr/tsc/      an event it counts, per second
 *   cpu.iowait_percent         any other column with numbers: TABLE.COLUMN
 *
 * Keys tell its rows apart: socket 0, device sda. A series "of the whole" has none, or only such as
 * stand for all (cpu -1).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

struct series_point {
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME; the value is that of the time between */
	double value;
	double running_ratio; /* 1 unless the row says otherwise */
	bool present; /* false: it was not counted, and there is no value */
};

struct series {
	char *name;
	char *keys; /* "socket=0,node=1"; "": it has none */
	bool whole;
	char *unit; /* "B/s", "", "/s", "percent" ... */
	bool is_metric; /* of the catalogue: its name says what it is */
	struct series_point *points; /* ascending, not overlapping */
	size_t n;
};

struct series_list {
	struct series *list;
	size_t n;
	uint64_t broken_epochs; /* whose rest is lost to damage */
};

/* Which rows: by name, and keys that must have these values. */
struct series_query {
	char *name;
	char **keys; /* "socket=0"; n_keys of them */
	size_t n_keys;
};

/* "NAME" or "NAME[KEY=VALUE,...]"; -EINVAL, -ENOMEM. */
int series_query_parse(const char *text, struct series_query *ret);
void series_query_done(struct series_query *q);

/*
 * All series that match one of the queries; with none of them, the metrics and events of the
 * collector pmu. Only points that reach into the window. `paths` as for profile_load(). An errno
 * of reading, with a heap sentence; no rows are no error.
 */
int series_load(const char *const *paths, size_t n_paths, const struct series_query *queries,
		size_t n_queries, uint64_t since_ns, uint64_t until_ns, struct series_list *ret,
		char **ret_error);
void series_list_done(struct series_list *l);
static inline void series_list_donep(struct series_list *l)
{
	series_list_done(l);
}

/* Does this series answer the query? */
bool series_matches(const struct series *s, const struct series_query *q);
