/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The sums and metrics of one interval, as a table or as one JSON object a line.
 */
#include <stdio.h>

#include "cmd/stat_options.h"
#include "pmu/metric_set.h"

struct stat_interval {
	double start_s, length_s; /* since counting began */
	const struct pmu_sum *sums;
	size_t n_sums;
	const struct metric_value *values;
	size_t n_values;
};

/* Reasons are said once, below the tables, under numbers that stay the same from table to table. */
struct stat_view {
	const struct stat_options *options;
	const struct pmu_counters *counters;
	FILE *out;
	char **reasons;
	size_t n_reasons, n_told;
	bool head_printed;
};

int stat_view_table(struct stat_view *v, const struct stat_interval *i);
int stat_view_json(struct stat_view *v, const struct stat_interval *i);
/* What the reader has to know besides: turns taken, boxes left out. */
void stat_view_notes(struct stat_view *v);
void stat_view_done(struct stat_view *v);
/* "it did not run: ..." for an error of a count; `reason` is taken where it is not empty. */
const char *stat_why(int error, const char *reason);
