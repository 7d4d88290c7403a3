/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tables and their rows: what collectors measure, and how it stands in a segment.
 *
 * A table is declared once, as a constant array of columns. Its row is an array of as many values,
 * each of them present or absent: what could not be read is absent, never invented.
 *
 * In a segment a table is written once per epoch (RECORD_SCHEMA), just before its first row; its
 * rows (RECORD_ROW) hold only what changed since the previous row of the same *slot*. The writer
 * takes the slot from the row's key columns, so that a device is compared with itself; a slot that
 * two keys share costs bytes, nothing else. A column of a type that a reader does not know is
 * skipped by the type's wire class and reads as absent. docs/format.md is the same in prose.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/record.h"

enum row_kind {
	ROW_KEY = 0, /* says which device, CPU, process ... the row is about */
	ROW_GAUGE = 1, /* as it is now */
	ROW_COUNTER = 2, /* only grows, until it begins again */
	ROW_RATE = 3, /* change in the interval that the row ends, or change per second */
	ROW_WORDS = 4, /* text that is no key */
	ROW_KIND_MAX,
};

/* The low four bits are the wire class: 0 a varint, 1 four bytes, 2 a length and as many bytes. */
enum row_type {
	ROW_UNSIGNED = 0x00,
	ROW_SIGNED = 0x10,
	ROW_REAL = 0x01, /* stored as a float: seven digits */
	ROW_TEXT = 0x02, /* any bytes */
	ROW_COUNTS = 0x12, /* a histogram: the i-th number counts values below 2^i of the unit, and
			      not below 2^(i-1) */
};

/* How a column follows from another one; filled by collect/rates.h. */
enum row_derive {
	ROW_MEASURED = 0,
	ROW_DELTA, /* of column `of` */
	ROW_PER_SECOND,
	ROW_INTERVAL, /* ns the deltas of this row span */
	ROW_RESET, /* 1 when a counter of this row began again */
};

struct row_column {
	const char *name; /* snake_case */
	const char *unit; /* "bytes", "ns", "us", "ms", "percent", "pages", "hz", "celsius" ...;
			     "id": a number that counts nothing; "time": ns since the epoch; "" or
			     NULL: a number of things */
	enum row_kind kind;
	enum row_type type;
	enum row_derive derive; /* not in segments */
	unsigned int of; /* for ROW_DELTA, ROW_PER_SECOND: index of the counter */
	const char *help; /* not in segments */
};

struct row_table {
	const char *name; /* unique among all tables; snake_case */
	const char *collector;
	const char *summary; /* not in segments */
	const struct row_column *columns;
	size_t n_columns;
	bool from_zero; /* not in segments: its counters began at 0 with the collector, so that the first
			   row of a key tells what happened, too */
	bool by_name; /* not in segments: to Prometheus each row is a metric of its own, which its
			 first column names and its column "unit" measures */
	bool no_metrics; /* not in segments: too many keys that come and go for Prometheus */
};

struct row_value {
	bool present;
	union {
		uint64_t u; /* ROW_UNSIGNED */
		int64_t i; /* ROW_SIGNED */
		double d; /* ROW_REAL; finite */
		struct record_bytes text; /* ROW_TEXT */
		struct {
			const uint64_t *list;
			size_t n; /* <= ROW_MAX_COUNTS */
		} counts; /* ROW_COUNTS */
	};
};

struct row {
	const struct row_table *table;
	uint64_t time_ns; /* CLOCK_MONOTONIC; stored in microseconds */
	const struct row_value *values; /* table->n_columns of them */
};

#define ROW_MAX_TABLES 256 /* in one epoch */
#define ROW_MAX_COLUMNS 192 /* of one table */
#define ROW_MAX_TEXT 65535 /* bytes of one value; longer ones are cut when they are written */
#define ROW_MAX_COUNTS 65

/* What both sides remember within an epoch; to be reset where one begins. */
struct row_coder;
struct row_coder *row_coder_new(void);
struct row_coder *row_coder_free(struct row_coder *c);
void row_coder_reset(struct row_coder *c);
DEFINE_CLEANUP(struct row_coder *, row_coder_free);

/* Appends a row, and its table before it when the epoch has not seen it; errors are in b->error. */
void row_put(struct buffer *b, struct row_coder *c, struct record_coder *records,
	     const struct row *row);

/*
 * Takes a RECORD_SCHEMA or RECORD_ROW. 1: a row, valid until the next call, as is its table until
 * the epoch's end; 0: not a row; -EBADMSG: damaged, or it refers to a table that the epoch has not
 * defined; -ENOMEM.
 */
int row_get(struct row_coder *c, const struct record *r, struct row *ret);

const char *row_kind_name(enum row_kind kind);
const char *row_type_name(enum row_type type);
