/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The Prometheus text format, version 0.0.4, of rows.
 *
 * Each gauge and counter column is one metric, ebpf_profiler_TABLE_COLUMN_UNIT, counters with
 * _total behind it; key columns are its labels. Units become base units: ns, us and ms seconds,
 * percent a ratio. Deltas and rates are left out: that is what the server is for; so are rows whose
 * signed key is negative, which stand for the sum of the others. Texts of what is read once are the
 * labels of one metric with the value 1, TABLE_info.
 */
#include "collect/collector.h"
#include "util/buffer.h"

/* All rows that one read of a collector gave. */
void exposition_put_rows(struct buffer *out, const struct collector *c, const struct rows *rows);

/* For metrics that come from elsewhere: the two comment lines; `name` without the prefix. */
void exposition_put_head(struct buffer *out, const char *name, const char *type, const char *help);
/* One sample; `label` NULL: none. */
void exposition_put_value(struct buffer *out, const char *name, const char *label,
			  const char *label_value, double value);
