// SPDX-License-Identifier: Apache-2.0
#include "collect/rows.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/json.h"

#define CHUNK_BYTES 16384
#define MAX_BYTES (32U << 20) /* of one read */

struct rows_chunk {
	struct rows_chunk *next;
	size_t used, size;
	uint64_t data[];
};

void rows_init(struct rows *rows, const struct row_table *tables, uint64_t time_ns)
{
	*rows = (struct rows){ .tables = tables, .time_ns = time_ns };
}

void rows_done(struct rows *rows)
{
	while (rows->chunks) {
		struct rows_chunk *next = rows->chunks->next;

		free(rows->chunks);
		rows->chunks = next;
	}
	free(rows->list);
	*rows = (struct rows){};
}

static void *take_memory(struct rows *rows, size_t size)
{
	struct rows_chunk *c = rows->chunks;
	void *place;

	size = (size + 7) & ~(size_t)7;
	if (!c || c->size - c->used < size) {
		size_t room = MAX(size, (size_t)CHUNK_BYTES);

		if (rows->bytes + room > MAX_BYTES)
			return NULL;
		c = malloc(sizeof(*c) + room);
		if (!c)
			return NULL;
		*c = (struct rows_chunk){ .next = rows->chunks, .size = room };
		rows->chunks = c;
		rows->bytes += room;
	}
	place = (char *)c->data + c->used;
	c->used += size;
	return place;
}

static bool grow_list(struct rows *rows)
{
	size_t capacity = MAX(rows->capacity * 2, (size_t)8);
	struct row *list;

	if (rows->n < rows->capacity)
		return true;
	list = reallocarray(rows->list, capacity, sizeof(*list));
	if (!list)
		return false;
	rows->list = list;
	rows->capacity = capacity;
	return true;
}

void rows_add_at(struct rows *rows, unsigned int table, uint64_t time_ns)
{
	const struct row_table *t = &rows->tables[table];
	size_t size = t->n_columns * sizeof(struct row_value);

	rows->values = grow_list(rows) ? take_memory(rows, size) : NULL;
	if (!rows->values) {
		rows->dropped++;
		return;
	}
	memset(rows->values, 0, size);
	rows->list[rows->n++] =
		(struct row){ .table = t, .time_ns = time_ns, .values = rows->values };
}

void rows_add(struct rows *rows, unsigned int table)
{
	rows_add_at(rows, table, rows->time_ns);
}

void rows_discard(struct rows *rows)
{
	if (rows->values)
		rows->n--;
	rows->values = NULL;
}

const struct row *rows_current(const struct rows *rows)
{
	return rows->values ? &rows->list[rows->n - 1] : NULL;
}

void rows_unsigned(struct rows *rows, unsigned int column, uint64_t value)
{
	if (rows->values)
		rows->values[column] = (struct row_value){ .present = true, .u = value };
}

void rows_signed(struct rows *rows, unsigned int column, int64_t value)
{
	if (rows->values)
		rows->values[column] = (struct row_value){ .present = true, .i = value };
}

void rows_real(struct rows *rows, unsigned int column, double value)
{
	if (rows->values && isfinite(value))
		rows->values[column] = (struct row_value){ .present = true, .d = value };
}

void rows_text(struct rows *rows, unsigned int column, const char *text, size_t size)
{
	char *copy;

	if (!rows->values)
		return;
	size = MIN(size, (size_t)ROW_MAX_TEXT);
	copy = take_memory(rows, MAX(size, (size_t)1));
	if (!copy)
		return;
	if (size)
		memcpy(copy, text, size);
	rows->values[column] = (struct row_value){ .present = true, .text = { copy, size } };
}

void rows_string(struct rows *rows, unsigned int column, const char *text)
{
	if (text)
		rows_text(rows, column, text, strlen(text));
}

void rows_counts(struct rows *rows, unsigned int column, const uint64_t *list, size_t n)
{
	uint64_t *copy;

	if (!rows->values)
		return;
	n = MIN(n, (size_t)ROW_MAX_COUNTS);
	while (n && list[n - 1] == 0)
		n--;
	copy = take_memory(rows, MAX(n, (size_t)1) * sizeof(*copy));
	if (!copy)
		return;
	if (n)
		memcpy(copy, list, n * sizeof(*copy));
	rows->values[column] = (struct row_value){ .present = true, .counts = { copy, n } };
}

void rows_problem(struct rows *rows, const char *format, ...)
{
	char text[sizeof(rows->problem)];
	va_list ap;

	if (rows->problems++)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_safe(text, rows->problem, sizeof(rows->problem));
}

void rows_missing(struct rows *rows)
{
	rows->missing++;
}
