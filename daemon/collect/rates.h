/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Counters to deltas and rates. A table says which columns follow from which (ROW_DELTA,
 * ROW_PER_SECOND and their `of`); rates_fill() fills them in for a row whose key and counters are
 * set.
 *
 * A key's first row has no deltas; neither has one that comes sooner after the previous one than
 * min_ns or later than max_ns. Every row becomes the baseline of the next, whatever its interval
 * was. When any counter of a row is smaller than before, it began again: then ROW_RESET is 1, that
 * row's deltas of such counters are 0, and it has no rates.
 */
#include "collect/rows.h"
#include "util/hash_table.h"

/*
 * A counter, its delta and its rate: columns first + i, first + n + i and first + 2n + i of a table
 * with n such counters.
 */
#define RATES_COLUMNS(first, n, i, name, unit, help)                                               \
	[(first) + (i)] = { name, unit, ROW_COUNTER, ROW_UNSIGNED, 0, 0, help },                   \
		   [(first) + (n) + (i)] = { name "_delta",                                        \
					     unit,                                                 \
					     ROW_RATE,                                             \
					     ROW_UNSIGNED,                                         \
					     ROW_DELTA,                                            \
					     (first) + (i),                                        \
					     help ", in the interval" },                           \
		   [(first) + 2 * (n) +                                                            \
			   (i)] = { name "_rate",   unit "/s",	   ROW_RATE,	       ROW_REAL,   \
				    ROW_PER_SECOND, (first) + (i), help ", per second" }

/* The last two columns of a table with deltas. */
#define RATES_INTERVAL_COLUMN                                                                      \
	{                                                                                          \
		"interval", "ns", ROW_RATE, ROW_UNSIGNED, ROW_INTERVAL, 0,                         \
			"time that deltas and rates span"                                          \
	}
#define RATES_RESET_COLUMN                                                                         \
	{                                                                                          \
		"reset", "", ROW_RATE, ROW_UNSIGNED, ROW_RESET, 0, "1: a counter began again"      \
	}

struct rates {
	uint64_t min_ns, max_ns;
	struct hash_table keys;
	uint64_t pass;
};

void rates_init(struct rates *r, uint64_t min_ns, uint64_t max_ns);
void rates_done(struct rates *r);

/* For the row begun last. True when it has deltas. */
bool rates_fill(struct rates *r, struct rows *rows);
/* At the end of each read: keys that this read did not fill are forgotten, so that a device that
 * comes back is a new one. */
void rates_end(struct rates *r);
