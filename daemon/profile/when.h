/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Conditions on series (series.h), and the times in which they hold: what --when takes.
 *
 *   memory_bandwidth > 20G        on the whole host
 *   memory_bandwidth[socket=0] > 20GB/s
 *   topdown_backend >= 30 %, ipc < 1, page-faults > 1000, cpu.iowait_percent > 10
 *
 * Without keys a condition is about the series of the whole; where there is none
 * (disk.util_percent) it holds when it does for any of them.
 */
#include "profile/profile.h"
#include "profile/series.h"

enum when_relation { WHEN_ABOVE, WHEN_ABOVE_OR_AT, WHEN_BELOW, WHEN_BELOW_OR_AT };

struct when {
	struct series_query query;
	enum when_relation relation;
	double threshold; /* prefixes (k, Mi ...) applied */
	char *unit; /* as typed behind the number: "B/s", "%"; "" : none */
};

/* The times in which all conditions hold. */
struct when_times {
	struct profile_span *spans; /* ascending, disjoint */
	size_t n;
	uint64_t held_ns; /* their length */
	uint64_t known_ns; /* time for which all conditions have values */
};

/* -EINVAL with a heap sentence, -ENOMEM. */
int when_parse(const char *text, struct when *ret, char **ret_error);
void when_done(struct when *w);

/*
 * 0, also when no time is found. -ENODATA: no series for a condition; -EINVAL: its unit is another
 * one; both with a heap sentence.
 */
int when_find(const struct when *list, size_t n, const struct series_list *series,
	      struct when_times *ret, char **ret_error);
void when_times_done(struct when_times *t);

/* The lowest and highest value a condition is about; false: it has none. */
bool when_range(const struct when *w, const struct series_list *series, double *ret_lowest,
		double *ret_highest);
