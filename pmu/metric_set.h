/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Metrics of counters: the events of a metric's formula are added to the counters as one group, and
 * each read is turned into values. A metric is computed of sums, over its scope or whatever is
 * larger and was asked for.
 */
#include <stddef.h>

#include "pmu/counter.h"
#include "pmu/counter_sum.h"
#include "pmu/metric.h"

struct metric_set;

/* `sysfs` NULL: "/sys". The counters outlive the set. */
int metric_set_new(enum metric_family family, const char *sysfs, struct pmu_counters *c,
		   struct metric_set **ret);
struct metric_set *metric_set_free(struct metric_set *s);
/*
 * Before the counters are opened. What is wrong with an event is told with the metric's values;
 * -EINVAL: the formula cannot be read.
 */
int metric_set_add(struct metric_set *s, const struct metric *metric, unsigned int priority);
size_t metric_set_size(const struct metric_set *s);

struct metric_value {
	const struct metric *metric;
	int socket, die, core, cpu; /* -1: of all */
	double value; /* 0 when absent */
	double running_ratio; /* of the event that ran least */
	double seconds; /* that the counts behind it cover */
	/* 0; -EDOM a denominator is zero; or what is the matter with `absent` */
	int error;
	const char *absent; /* the name in the formula that is not known */
	const char *reason; /* why, where the event is counted nowhere; "" otherwise */
};

/*
 * Of one read; heap, by metric, then place. `time_s` is its length, for tasks, of which constants
 * that are about machines are absent, and for what was not counted; else time is what the counts
 * cover.
 */
int metric_set_eval(struct metric_set *s, const struct pmu_count *counts, size_t n,
		    enum pmu_sum_by by, double time_s, struct metric_value **ret, size_t *ret_n);
