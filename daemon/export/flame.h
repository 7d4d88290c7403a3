/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The flame graph: one HTML file that needs nothing else, works from file:// and fetches nothing.
 *
 * Its size is bounded: frames below min_percent of their event are left out (their weight is kept
 * and shown as such), and the limit rises until at most max_nodes remain per event.
 */
#include <stdbool.h>
#include <stdio.h>

#include "export/frames.h"
#include "profile/profile.h"
#include "profile/sample_metric.h"

struct flame_options {
	enum stack_root root;
	bool inverted; /* how the page opens: callers above their callees' leaves */
	const char *title; /* NULL: host and event */
	const char *command; /* how the page was made; shown in it */
	double min_percent;
	size_t max_nodes; /* 0: 100,000 */
	const struct sample_metric *metric; /* boxes take their colour from it; NULL: from their
					       origin. The profile was loaded with its counters. */
};

/* Cells must be told apart by thread (unless root is ROOT_ALL). 0 or a negative errno. */
int export_flame(const struct profile *p, const struct flame_options *options, FILE *out);
