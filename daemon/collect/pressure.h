/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A line of a pressure file, of the host or of a cgroup (Documentation/accounting/psi.rst). */
#include <stdbool.h>
#include <stdint.h>

#include "collect/rows.h"
#include "collect/scan.h"

struct pressure_line {
	struct record_bytes scope; /* "some" or "full" */
	double averages[3]; /* percent, of 10, 60 and 300 seconds; at most 100 */
	bool has_total;
	uint64_t total_us;
};

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=123"; false: it is none. */
bool pressure_line_parse(struct scan line, struct pressure_line *ret);

/*
 * What share of the interval was waited, into `column` of the row begun last, whose columns `delta`
 * (us), `interval` and `reset` rates.h filled.
 */
void pressure_put_share(struct rows *rows, unsigned int column, unsigned int delta,
			unsigned int interval, unsigned int reset);
