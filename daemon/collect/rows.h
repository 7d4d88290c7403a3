/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The rows of one read of one collector. rows_add() begins a row with every value absent; the
 * setters fill the row begun last. Putting never fails in the middle: when memory runs out, or
 * there are more rows than one read may give, what follows is ignored and counted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/row.h"

struct rows {
	const struct row_table *tables; /* the collector's */
	uint64_t time_ns; /* CLOCK_MONOTONIC of the read; the default of every row */
	bool last; /* nothing is read after this: what is counted goes out now */
	struct row *list;
	size_t n, capacity;
	struct row_value *values; /* of the row begun last; a scratch row when there is none */
	struct rows_chunk *chunks; /* values, texts and lists: they never move */
	size_t bytes; /* of the chunks */
	uint64_t dropped; /* rows beyond the bound, or without memory */
	uint64_t problems; /* what could not be read and should have been */
	uint64_t missing; /* what was gone or is not there on this machine, which is no fault */
	char problem[256]; /* the first one */
};

/* `tables` must outlive the rows. */
void rows_init(struct rows *rows, const struct row_table *tables, uint64_t time_ns);
void rows_done(struct rows *rows);

/* Begins a row of tables[table]. */
void rows_add(struct rows *rows, unsigned int table);
/* Begins a row that happened at `time_ns` (CLOCK_MONOTONIC). */
void rows_add_at(struct rows *rows, unsigned int table, uint64_t time_ns);
/* Takes the row begun last back. */
void rows_discard(struct rows *rows);

/* The column's type must be the one in the name. Texts and lists are copied. */
void rows_unsigned(struct rows *rows, unsigned int column, uint64_t value);
void rows_signed(struct rows *rows, unsigned int column, int64_t value);
void rows_real(struct rows *rows, unsigned int column, double value); /* not finite: absent */
void rows_text(struct rows *rows, unsigned int column, const char *text, size_t size);
void rows_string(struct rows *rows, unsigned int column, const char *text); /* NULL: absent */
/* A histogram; zeroes at the end are left away. At most ROW_MAX_COUNTS. */
void rows_counts(struct rows *rows, unsigned int column, const uint64_t *list, size_t n);

/* The row begun last; NULL: there is none. */
const struct row *rows_current(const struct rows *rows);

/*
 * Something could not be read or makes no sense: a file that is missing, empty, cut off, not
 * numbers. Makes the collector "degraded" until a read without problems; the text of the first one
 * is shown.
 */
void rows_problem(struct rows *rows, const char *format, ...) _printf_(2, 3);
/* Something expected is not there: a process that ended, a file this kernel does not have. */
void rows_missing(struct rows *rows);
