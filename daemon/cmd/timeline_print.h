/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A timeline as charts and a table for people, and as JSON for programs.
 */
#include "profile/timeline.h"
#include "util/buffer.h"

struct timeline_style {
	size_t columns; /* of the terminal; 0: as wide as need be */
	bool charts; /* sparklines beside the lowest, mean and highest values */
	const char *when; /* as in a report; NULL: none */
};

/* Lowest, mean and highest of everything, one line each. */
void timeline_print_summary(const struct timeline *t, const struct timeline_style *style,
			    struct buffer *out);
/* One line for each interval. */
void timeline_print_table(const struct timeline *t, const struct timeline_style *style,
			  struct buffer *out);
void timeline_print_json(const struct timeline *t, const struct timeline_style *style,
			 struct buffer *out);
