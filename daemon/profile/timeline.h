/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A window cut into equal intervals: in each of them the samples of every event, and the mean of
 * every series (series.h), on one clock.
 *
 * A series has a value in an interval when at least half of it was measured.
 */
#include "profile/profile.h"
#include "profile/series.h"

struct timeline_event {
	char *name; /* what fired; with its profile when several sampled it */
	uint64_t *samples; /* [timeline.n] */
};

struct timeline_value {
	bool present;
	double value;
	double running_ratio;
};

struct timeline {
	uint64_t start_ns, interval_ns; /* CLOCK_REALTIME */
	size_t n; /* intervals */
	struct timeline_event *events;
	size_t n_events;
	struct series_list series;
	struct timeline_value *values; /* of series s in interval i: [s * n + i] */
};

struct timeline_options {
	const char *const *paths; /* as for profile_load() */
	size_t n_paths;
	const struct profile_filter *filter; /* of the samples; its window is that of the series */
	const struct series_query *queries; /* as for series_load() */
	size_t n_queries;
	uint64_t interval_ns; /* 0: that of the series, or ten seconds */
	size_t most; /* intervals; longer ones are made where there were more. 0: no limit */
};

#define TIMELINE_MAX 1000000 /* intervals */

/*
 * -ENOENT: no segments; -ENODATA: neither samples nor rows in the window; -E2BIG: more than
 * TIMELINE_MAX intervals. *ret_error is a heap sentence.
 */
int timeline_load(const struct timeline_options *options, struct timeline *ret, char **ret_error);
void timeline_done(struct timeline *t);
static inline void timeline_donep(struct timeline *t)
{
	timeline_done(t);
}

static inline const struct timeline_value *timeline_value(const struct timeline *t, size_t series,
							  size_t interval)
{
	return &t->values[series * t->n + interval];
}
