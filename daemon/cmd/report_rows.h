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

struct report_grouping {
	const char *name; /* as in --by */
	const char *title; /* of the column */
	unsigned int dimensions; /* enum profile_dimension */
	bool by_stack; /* a stack touches several rows: there are children */
	bool has_module;
};

/* NULL: there is none of that name. */
const struct report_grouping *report_grouping_find(const char *name);
/* "function, process, ..." */
const char *report_grouping_names(void);

struct report_row {
	const char *name;
	const char *module; /* "" unless has_module */
	uint64_t self_samples, self_weight;
	uint64_t total_samples, total_weight; /* with children; self when not by_stack */
};

/* The events of a profile that are the same but for their rate, and their table. */
struct report_event {
	const struct profile_event *event; /* the first of them */
	uint32_t *events; /* indices into profile.events */
	size_t n_events;
	uint64_t samples, weight;
	uint64_t kernel_status[PROFILE_STATUSES], user_status[PROFILE_STATUSES];
	struct profile_ledger ledger;
	uint64_t unknown_weight; /* whose leaf function has no name; by_stack only */
	struct report_row *rows; /* sorted, those without weight left out */
	size_t n_rows;
};

struct report {
	const struct report_grouping *grouping;
	const struct profile *profile;
	struct report_event *events;
	size_t n_events;
	struct dictionary names; /* name NUL module NUL -> row */
};

/* `by_total` sorts by the weight with children. */
int report_new(const struct profile *p, const struct report_grouping *grouping, bool by_total,
	       struct report **ret);
struct report *report_free(struct report *r);
DEFINE_CLEANUP(struct report *, report_free);

/* Samples that were seen, but are not in the profile. */
uint64_t report_lost(const struct profile_ledger *l);
/* Samples the event should have given, but did not. */
uint64_t report_not_delivered(const struct profile_ledger *l);
