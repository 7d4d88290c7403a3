/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Histograms of nanoseconds that BPF programs keep: three columns of a table each.
 */
#include <linux/types.h>

#include "bpf/histogram.h"
#include "collect/rows.h"

/* From the column `first` on: how many, their sum, and how many took how long. */
#define HISTOGRAM_COLUMNS(first, things, time_help)                                                \
	[first] = { things, "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "since the collector began" },    \
	[(first) + 1] = { "time", "ns", ROW_COUNTER, ROW_UNSIGNED, 0, 0, time_help },              \
	[(first) + 2] = { "latency", "ns", ROW_GAUGE, ROW_COUNTS, 0, 0, "how many took how long" }

/* Into the row begun last. */
void histogram_put(struct rows *rows, unsigned int first, const struct histogram *h);
void histogram_merge(struct histogram *to, const struct histogram *h);
