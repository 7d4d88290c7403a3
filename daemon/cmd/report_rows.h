/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A profile as tables: the samples of one event, divided among the rows of a grouping. Self weights
 * of all rows add up to the event's weight. The weight with children counts a stack once for each
 * row it touches, however often it does.
 */
#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"
#include "profile/profile_dictionary.h"
#include "profile/sample_metric.h"

struct selection;

struct report_grouping {
	const char *name; /* as in --by */
	const char *title; /* of the column */
	unsigned int dimensions; /* enum profile_dimension */
	bool by_stack; /* a stack touches several rows: there are children */
	bool has_module;
	const char *part; /* of the memory access, as in "no latency"; NULL: the rows are others */
};

/* Samples of the event that tell the part of the access that the rows are of. */
uint64_t report_told(const struct report_grouping *g, const struct profile_accesses *a);

/* NULL: there is none of that name. */
const struct report_grouping *report_grouping_find(const char *name);
/* "function, process, ...", on two lines, the second as deep as the options of --help */
const char *report_grouping_names(void);
/* --by of report and top: 1, or negative, and said so. */
int report_take_grouping(const struct selection *s, const char *value,
			 const struct report_grouping **ret);

enum report_sort {
	REPORT_BY_SELF,
	REPORT_BY_TOTAL, /* weight with children */
	REPORT_BY_VALUE, /* of the metric: the worst first, what is not known last */
};

/* A metric's value in one row. */
struct report_value {
	struct sample_metric_value self, total; /* total: with children; self when not by_stack */
};

struct report_row {
	const char *name;
	const char *module; /* "" unless has_module */
	uint64_t self_samples, self_weight;
	uint64_t total_samples, total_weight; /* with children; self when not by_stack */
	const struct report_value *value; /* NULL: no metric was asked for, or the event has none */
};

/* A metric's values of one event. */
struct report_values {
	char *missing; /* why the event has no such metric; NULL: it has */
	struct sample_metric_value all;
	struct report_value rows[];
};

/* An event of the profile, and its table. */
struct report_event {
	const struct profile_event *event;
	const struct profile_ledger *ledger;
	uint32_t number; /* in the profile */
	uint64_t unknown_weight; /* whose leaf function has no name; by_stack only */
	struct report_values *values; /* NULL: no metric was asked for */
	struct report_row *rows; /* sorted, those without weight left out */
	size_t n_rows;
};

struct report {
	const struct report_grouping *grouping;
	const struct profile *profile;
	const struct sample_metric *metric; /* NULL: none */
	struct report_event *events;
	size_t n_events;
	struct dictionary names; /* name NUL module NUL -> row */
};

/* A metric (NULL: none) is borrowed; the profile was loaded with its counters. */
int report_new(const struct profile *p, const struct report_grouping *grouping,
	       enum report_sort sort, const struct sample_metric *metric, struct report **ret);
struct report *report_free(struct report *r);
DEFINE_CLEANUP(struct report *, report_free);
