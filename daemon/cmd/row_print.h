/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Rows for people and programs: one line each, as text, JSON or CSV. */
#include "store/row.h"
#include "util/buffer.h"

enum row_format { ROW_FORMAT_TEXT, ROW_FORMAT_JSON, ROW_FORMAT_CSV };

/* False: there is no such format. */
bool row_format_parse(const char *name, enum row_format *ret);

/*
 * One row and its newline; `realtime_ns` is its time. Absent values are left out of text and JSON,
 * and are empty in CSV.
 */
void row_print(struct buffer *out, enum row_format format, const struct row *row,
	       uint64_t realtime_ns);
/* The names of the columns, for CSV. */
void row_print_header(struct buffer *out, const struct row_table *table);
/* A value with its unit, as text; nothing when it is absent. */
void row_print_value(struct buffer *out, const struct row_column *column,
		     const struct row_value *value);
