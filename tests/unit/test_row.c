// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/record_coder.h"
#include "store/row.h"
#include "util/cleanup.h"

enum { KEY, NAME, NUMBER, SIGNED, REAL, TEXT, COUNTS, COLUMNS };

static const struct row_column columns[COLUMNS] = {
	[KEY] = { .name = "key", .kind = ROW_KEY, .type = ROW_UNSIGNED },
	[NAME] = { .name = "name", .kind = ROW_KEY, .type = ROW_TEXT },
	[NUMBER] = { .name = "number", .unit = "bytes", .kind = ROW_COUNTER, .type = ROW_UNSIGNED },
	[SIGNED] = { .name = "signed", .kind = ROW_GAUGE, .type = ROW_SIGNED },
	[REAL] = { .name = "real", .unit = "percent", .kind = ROW_GAUGE, .type = ROW_REAL },
	[TEXT] = { .name = "text", .kind = ROW_WORDS, .type = ROW_TEXT },
	[COUNTS] = { .name = "counts", .unit = "us", .kind = ROW_COUNTER, .type = ROW_COUNTS },
};

static const struct row_column one_column[] = {
	{ .name = "x", .kind = ROW_GAUGE, .type = ROW_UNSIGNED },
};

static const struct row_table tables[] = {
	{ .name = "all", .collector = "c", .columns = columns, .n_columns = COLUMNS },
	{ .name = "one", .collector = "c", .columns = one_column, .n_columns = 1 },
};

/* Both sides. */
struct world {
	struct record_coder *records, *read_records;
	struct row_coder *writer, *reader;
	struct buffer b;
};

static void world_init(struct world *w)
{
	*w = (struct world){
		.records = record_coder_new(),
		.read_records = record_coder_new(),
		.writer = row_coder_new(),
		.reader = row_coder_new(),
	};
}

static void world_done(struct world *w)
{
	record_coder_free(w->records);
	record_coder_free(w->read_records);
	row_coder_free(w->writer);
	row_coder_free(w->reader);
	buffer_done(&w->b);
}

static bool same(const struct row_column *c, const struct row_value *a, const struct row_value *b)
{
	if (a->present != b->present)
		return false;
	if (!a->present)
		return true;
	switch (c->type) {
	case ROW_TEXT:
		return a->text.size == b->text.size &&
		       memcmp(a->text.data, b->text.data, a->text.size) == 0;
	case ROW_COUNTS:
		return a->counts.n == b->counts.n &&
		       memcmp(a->counts.list, b->counts.list, a->counts.n * sizeof(uint64_t)) == 0;
	case ROW_REAL:
		return (float)a->d == (float)b->d;
	default:
		return a->u == b->u;
	}
}

static uint64_t random_number(unsigned int *seed)
{
	uint64_t v = (uint64_t)rand_r(seed) << 40 ^ (uint64_t)rand_r(seed) << 20 ^
		     (uint64_t)rand_r(seed);

	return v >> rand_r(seed) % 64;
}

#define TEXT_BYTES 400

/* Values that repeat often, so that every way of writing one is taken. */
static void random_row(unsigned int *seed, struct row_value *values, char *texts, uint64_t *counts)
{
	size_t size = (size_t)rand_r(seed) % (rand_r(seed) % 3 ? 20 : TEXT_BYTES);

	memset(texts, 'a' + rand_r(seed) % 3, TEXT_BYTES);
	for (size_t i = 0; i < 10; i++)
		counts[i] = random_number(seed);
	for (size_t i = 0; i < COLUMNS; i++)
		values[i] = (struct row_value){ .present = rand_r(seed) % 8 != 0 };
	values[KEY].u = (uint64_t)rand_r(seed) % 5000;
	values[NAME].text = (struct record_bytes){ texts, (size_t)rand_r(seed) % 3 };
	values[NUMBER].u = rand_r(seed) % 2 ? 7 : random_number(seed);
	values[SIGNED].i = rand_r(seed) % 2 ? -7 : (int64_t)random_number(seed);
	values[REAL].d = rand_r(seed) % 2 ? 1.5 : (double)random_number(seed) / 3;
	values[TEXT].text = (struct record_bytes){ texts, size };
	values[COUNTS].counts.list = counts;
	values[COUNTS].counts.n = (size_t)rand_r(seed) % 10;
}

static void read_back(struct world *w, const struct row *expected, struct cursor *in)
{
	struct record record;
	struct row row;
	int r;

	do {
		assert_int_equal(record_get(in, w->read_records, &record), 1);
		r = row_get(w->reader, &record, &row);
	} while (r == 0);
	assert_int_equal(r, 1);
	assert_string_equal(row.table->name, expected->table->name);
	assert_string_equal(row.table->collector, expected->table->collector);
	assert_int_equal(row.table->n_columns, expected->table->n_columns);
	assert_int_equal(row.time_ns / 1000, expected->time_ns / 1000);
	for (size_t i = 0; i < row.table->n_columns; i++) {
		const struct row_column *c = &row.table->columns[i];

		assert_string_equal(c->name, expected->table->columns[i].name);
		assert_int_equal(c->type, expected->table->columns[i].type);
		assert_int_equal(c->kind, expected->table->columns[i].kind);
		assert_true(same(c, &row.values[i], &expected->values[i]));
	}
}

static void rows_come_back(void **state)
{
	/* Whatever rows are written, in whatever order, in one epoch after the other: the same come
	 * back. */
	unsigned int seed = 1;
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned int epoch = 0; epoch < 20; epoch++) {
		row_coder_reset(w.writer);
		row_coder_reset(w.reader);
		record_coder_reset(w.records);
		record_coder_reset(w.read_records);
		for (unsigned int i = 0; i < 500; i++) {
			struct row_value values[COLUMNS];
			char texts[TEXT_BYTES];
			uint64_t counts[10];
			struct row row = { .table = &tables[rand_r(&seed) % 2],
					   .time_ns = random_number(&seed) >> 4,
					   .values = values };
			struct cursor in;

			random_row(&seed, values, texts, counts);
			if (row.table == &tables[1])
				values[0].present = true;
			buffer_reset(&w.b);
			row_put(&w.b, w.writer, w.records, &row);
			assert_int_equal(w.b.error, 0);
			in = (struct cursor){ .pos = w.b.data, .end = w.b.data + w.b.size };
			read_back(&w, &row, &in);
		}
	}
	world_done(&w);
}

static void put_number(struct world *w, uint64_t number)
{
	struct row_value values[COLUMNS] = {
		[KEY] = { true, .u = 1 }, [NUMBER] = { true, .u = number }
	};

	row_put(&w->b, w->writer, w->records,
		&(struct row){ .table = tables, .time_ns = 5000, .values = values });
}

static void what_did_not_change_costs_little(void **state)
{
	/* The second of two equal rows takes no more than its head and its bit maps. */
	struct world w;
	size_t first;

	(void)state;
	world_init(&w);
	put_number(&w, 1ULL << 60);
	first = w.b.size;
	put_number(&w, 1ULL << 60);
	assert_true(w.b.size - first <= 9);
	world_done(&w);
}

static void not_finite_is_absent(void **state)
{
	/* What is no number, or beyond a float, is not written. */
	static const double numbers[] = { NAN, INFINITY, -INFINITY, 1e300 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct row_value values[COLUMNS] = { [REAL] = { true, .d = numbers[i] } };
		struct row row = { .table = tables, .values = values };
		struct cursor in;
		struct world w;

		world_init(&w);
		row_put(&w.b, w.writer, w.records, &row);
		in = (struct cursor){ .pos = w.b.data, .end = w.b.data + w.b.size };
		values[REAL].present = false;
		read_back(&w, &row, &in);
		world_done(&w);
	}
}

static void long_texts_are_cut(void **state)
{
	/* A text is cut at ROW_MAX_TEXT bytes, and the row stays whole. */
	_cleanup_free_ char *text = calloc(1, ROW_MAX_TEXT + 100);
	struct row_value values[COLUMNS] = {
		[TEXT] = { true, .text = { text, ROW_MAX_TEXT + 100 } }, [NUMBER] = { true, .u = 5 }
	};
	struct row row = { .table = tables, .values = values };
	struct cursor in;
	struct world w;

	(void)state;
	world_init(&w);
	row_put(&w.b, w.writer, w.records, &row);
	in = (struct cursor){ .pos = w.b.data, .end = w.b.data + w.b.size };
	values[TEXT].text.size = ROW_MAX_TEXT;
	read_back(&w, &row, &in);
	world_done(&w);
}

static void memory_is_bounded(void **state)
{
	/* Half a million keys: every row comes back, and none is refused for lack of slots. */
	struct row_value values[COLUMNS] = { [KEY] = { true }, [NUMBER] = { true } };
	struct row row = { .table = tables, .values = values };
	struct world w;

	(void)state;
	world_init(&w);
	for (uint64_t i = 0; i < 500000; i++) {
		struct cursor in;

		values[KEY].u = values[NUMBER].u = i * 7;
		buffer_reset(&w.b);
		row_put(&w.b, w.writer, w.records, &row);
		assert_int_equal(w.b.error, 0);
		in = (struct cursor){ .pos = w.b.data, .end = w.b.data + w.b.size };
		read_back(&w, &row, &in);
	}
	world_done(&w);
}

/* Reads records until there are no more, or one is refused. */
static void read_hostile(const uint8_t *data, size_t size)
{
	_cleanup_(record_coder_freep) struct record_coder *records = record_coder_new();
	_cleanup_(row_coder_freep) struct row_coder *reader = row_coder_new();
	struct cursor in = { .pos = data, .end = data + size };
	struct record record;
	struct row row;

	while (record_get(&in, records, &record) == 1) {
		int r = row_get(reader, &record, &row);

		assert_true(r == 0 || r == 1 || r == -EBADMSG);
		if (r == 1)
			assert_true(row.table->n_columns <= ROW_MAX_COLUMNS);
		if (r < 0)
			break;
	}
}

static void damage_is_refused_or_harmless(void **state)
{
	/* Cut off anywhere, or with any one bit wrong, a stream gives rows or -EBADMSG. */
	unsigned int seed = 3;
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned int i = 0; i < 10; i++) {
		struct row_value values[COLUMNS];
		char texts[TEXT_BYTES];
		uint64_t counts[10];

		random_row(&seed, values, texts, counts);
		values[TEXT].text.size = MIN(values[TEXT].text.size, (size_t)30);
		row_put(&w.b, w.writer, w.records,
			&(struct row){ .table = tables, .time_ns = i, .values = values });
	}
	for (size_t size = 0; size <= w.b.size; size++)
		read_hostile(w.b.data, size);
	for (size_t bit = 0; bit < w.b.size * 8; bit++) {
		w.b.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		read_hostile(w.b.data, w.b.size);
		w.b.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	world_done(&w);
}

/* A record made by hand. */
static int take(struct row_coder *c, enum record_type type, const char *data, size_t size,
		struct row *ret)
{
	return row_get(c, &(struct record){ .type = type, .raw.data = { data, size } }, ret);
}

static void unknown_types_are_skipped(void **state)
{
	/* Columns of types to come are absent, and those behind them are read. */
	static const char table[] = "\1t\1c\4"
				    "\1a\0\1\x20" /* a varint of an unknown kind of number */
				    "\1b\0\1\x11" /* four bytes */
				    "\1d\0\1\x22" /* bytes */
				    "\1e\0\1\0"; /* unsigned */
	static const char first[] = "\0\0\2\x0f\x0f\x05wxyz\2hi\x0e";
	static const char second[] = "\0\0\2\x0f\0";
	_cleanup_(row_coder_freep) struct row_coder *c = row_coder_new();
	struct row row;

	(void)state;
	assert_int_equal(take(c, RECORD_SCHEMA, table, sizeof(table) - 1, &row), 0);
	assert_int_equal(take(c, RECORD_ROW, first, sizeof(first) - 1, &row), 1);
	assert_false(row.values[0].present || row.values[1].present || row.values[2].present);
	assert_true(row.values[3].present);
	assert_int_equal(row.values[3].u, 7);
	assert_int_equal(row.time_ns, 1000);
	assert_int_equal(take(c, RECORD_ROW, second, sizeof(second) - 1, &row), 1);
	assert_int_equal(row.values[3].u, 7);
	assert_int_equal(row.time_ns, 2000);
}

static void nonsense_is_refused(void **state)
{
	/* Rows of tables that were not defined, of slots that cannot be, without their values;
	 * tables that are too large. */
	static const char table[] = "\1t\1c\1\1a\0\1\0";
	static const struct {
		int line;
		enum record_type type;
		const char *data;
		size_t size;
	} rows[] = {
		{ __LINE__, RECORD_ROW, "\1\0\0\0\0", 5 }, /* no such table */
		{ __LINE__, RECORD_ROW, "\0\x80\x08\0\0\0", 6 }, /* slot 1024 */
		{ __LINE__, RECORD_ROW, "\0\0\0\1\0", 5 }, /* unchanged, but never set */
		{ __LINE__, RECORD_ROW, "\0\0\0\0\1", 5 }, /* changed, but absent */
		{ __LINE__, RECORD_ROW, "\0\0\0\1\1", 5 }, /* no value */
		{ __LINE__, RECORD_ROW, "\0\0\0\1", 4 }, /* no bit map */
		{ __LINE__, RECORD_ROW, "", 0 },
		{ __LINE__, RECORD_SCHEMA, "", 0 },
		{ __LINE__, RECORD_SCHEMA, "\1t\1c\xc1\1", 6 }, /* 193 columns */
		{ __LINE__, RECORD_SCHEMA, "\1t\1c\2\1a\0\1\0", 9 }, /* one of two columns */
		{ __LINE__, RECORD_SCHEMA, "\x7ft", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(row_coder_freep) struct row_coder *c = row_coder_new();
		struct row row;

		assert_int_equal(take(c, RECORD_SCHEMA, table, sizeof(table) - 1, &row), 0);
		if (take(c, rows[i].type, rows[i].data, rows[i].size, &row) != -EBADMSG)
			fail_msg("line %d: taken", rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back),
		cmocka_unit_test(what_did_not_change_costs_little),
		cmocka_unit_test(not_finite_is_absent),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(damage_is_refused_or_harmless),
		cmocka_unit_test(unknown_types_are_skipped),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
