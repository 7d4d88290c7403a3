/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Ratios of counters that were read at each sample: of two counters, of a counter and the sampled
 * event, or of a counter and time. docs/pmu-guide.md says what such a value means for a function.
 *
 * A value is known when enough samples contribute to both of its halves, and absent otherwise:
 * never 0, never infinite.
 */
#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

#define SAMPLE_METRIC_MIN_SAMPLES                                                                  \
	20 /* fewer say little: the default of sample_metric.min_samples */

struct sample_metric {
	char name[96]; /* "ipc", "page-faults/time" */
	const char *summary; /* "instructions per cycle"; "" for a ratio without a name */
	const char *unit; /* "", "/ms", "%" */
	char over[64], under[64]; /* names as in profile_filter.counters; under "": time */
	double scale; /* of over per under; of over per second */
	bool low_is_bad;
	uint64_t min_samples;
	const char *counters[3]; /* over, under, NULL: for profile_filter.counters */
};

/* The value of a metric over some samples. */
struct sample_metric_value {
	bool known;
	double value;
	uint64_t samples; /* that contribute to its weaker half */
	double running_ratio; /* of its weaker half; 0: nothing was counted */
};

/*
 * A name of the table ('-' and '_' are the same, and so are upper and lower case), COUNTER/COUNTER
 * or COUNTER/time. *ret must stay where it is, for `counters` points into it. -EINVAL.
 */
int sample_metric_parse(const char *name, struct sample_metric *ret);

/* clang-format off */
#define SAMPLE_METRIC_HELP                                                                         \
	"Metrics of the counters that 'record --counters' read: COUNTER/COUNTER, COUNTER/time (per\n" \
	"second), ipc, cpi, llc_mpki, cache_mpki, l1d_mpki, l1i_mpki, dtlb_mpki, itlb_mpki,\n"        \
	"branch_mpki, branch_miss_ratio, frequency, faults_per_ms.\n"
/* clang-format on */

/* Number of the metric's counters: how many struct profile_counter a value is made of. */
static inline size_t sample_metric_counters(const struct sample_metric *m)
{
	return m->under[0] ? 2 : 1;
}

void sample_metric_eval(const struct sample_metric *m, const struct profile_counter *counters,
			struct sample_metric_value *ret);

/* The counter without which an event has no such metric; NULL: it has all. */
const char *sample_metric_missing(const struct sample_metric *m, const struct profile_event *e);
/* The heap sentence for that. */
char *sample_metric_explain(const struct sample_metric *m, const struct profile_event *e);

/* "12.3", "0.00412", "unknown"; returns out. */
char *sample_metric_format(const struct sample_metric_value *v, char *out, size_t size);
