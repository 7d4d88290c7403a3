/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A report as text for people, and as JSON for programs.
 */
#include "cmd/report_rows.h"
#include "util/buffer.h"

static inline double report_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

struct report_style {
	size_t limit; /* rows of a table; 0: all */
	size_t columns; /* of the terminal; 0: as wide as need be */
	bool narrowed; /* only some processes or CPUs were asked for, which the ledger cannot tell
			  apart */
	const char *when; /* the conditions of --when and how long they held; NULL: none */
	uint64_t since_ns, until_ns; /* the window asked for; 0: open */
};

void report_print(const struct report *r, const struct report_style *style, struct buffer *out);
void report_print_json(const struct report *r, const struct report_style *style,
		       struct buffer *out);
