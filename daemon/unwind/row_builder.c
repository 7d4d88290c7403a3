// SPDX-License-Identifier: Apache-2.0
#include "unwind/row_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/unwind_block.h"

/* Functions begin at multiples of this, with padding before them. */
#define ALIGNMENT 16

struct function {
	uint32_t start, size;
	uint32_t first_row, n_rows;
};

struct row_builder {
	struct unwind_row *rows;
	size_t n_rows, row_capacity;
	struct function *functions;
	size_t n_functions, function_capacity;
	bool unsorted;
	int error;
};

struct row_builder *row_builder_new(void)
{
	return calloc(1, sizeof(struct row_builder));
}

struct row_builder *row_builder_free(struct row_builder *b)
{
	if (!b)
		return NULL;
	free(b->rows);
	free(b->functions);
	free(b);
	return NULL;
}

int row_builder_error(const struct row_builder *b)
{
	return b->error;
}

size_t row_builder_functions(const struct row_builder *b)
{
	return b->n_functions;
}

/* Room for one more element, of `limit` at most; grows by half. */
static bool grow(struct row_builder *b, void **array, size_t n, size_t limit, size_t *capacity,
		 size_t size)
{
	size_t more = *capacity ? *capacity + *capacity / 2 : 1024;
	void *p;

	if (n < *capacity && n < limit)
		return true;
	if (n >= limit) {
		b->error = -E2BIG;
		return false;
	}
	p = reallocarray(*array, more, size);
	if (!p) {
		b->error = -ENOMEM;
		return false;
	}
	*array = p;
	*capacity = more;
	return true;
}

void row_builder_function(struct row_builder *b, uint32_t start, uint32_t size)
{
	struct function *last = b->n_functions ? &b->functions[b->n_functions - 1] : NULL;

	if (last && start <= last->start)
		b->unsorted = true;
	if (!grow(b, (void **)&b->functions, b->n_functions, UNWIND_FUNCTIONS_MAX,
		  &b->function_capacity, sizeof(*b->functions)))
		return;
	b->functions[b->n_functions++] = (struct function){
		.start = start,
		.size = MIN(size, UINT32_MAX - start),
		.first_row = (uint32_t)b->n_rows,
	};
}

static bool same_rules(const struct unwind_row *a, const struct unwind_row *b)
{
	return a->cfa_words == b->cfa_words && a->fp_words == b->fp_words && a->rule == b->rule;
}

void row_builder_add(struct row_builder *b, const struct unwind_row *row)
{
	struct function *f = &b->functions[b->n_functions - 1];

	if (b->error || (f->n_rows && same_rules(&b->rows[b->n_rows - 1], row)))
		return;
	if (!grow(b, (void **)&b->rows, b->n_rows, UNWIND_ROWS_MAX, &b->row_capacity,
		  sizeof(*b->rows)))
		return;
	b->rows[b->n_rows++] = *row;
	f->n_rows++;
}

static int compare_functions(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->first_row < b->first_row ? -1 : a->first_row > b->first_row;
}

static void sort(struct row_builder *b)
{
	if (b->unsorted)
		qsort(b->functions, b->n_functions, sizeof(*b->functions), compare_functions);
	b->unsorted = false;
}

void row_builder_gaps(struct row_builder *b, uint32_t start, uint32_t end,
		      void (*gap)(void *data, uint32_t start, uint32_t end), void *data)
{
	uint32_t at = start;
	size_t n = b->n_functions; /* those that `gap` adds are not looked at */

	sort(b);
	for (size_t i = 0; i < n && at < end; i++) {
		struct function f = b->functions[i];

		if (f.start > at)
			gap(data, at, MIN(f.start, end));
		at = MAX(at, f.start + f.size);
	}
	if (at < end)
		gap(data, at, end);
}

struct root {
	struct row_builder *builder;
	uint32_t start, end;
};

static void add_root_in_gap(void *data, uint32_t start, uint32_t end)
{
	struct root *r = data;

	if (start == r->start)
		r->end = end;
}

void row_builder_add_root(struct row_builder *b, uint32_t start, uint32_t size)
{
	struct root r = { .start = start };

	row_builder_gaps(b, start, start + MIN(size, UINT32_MAX - start), add_root_in_gap, &r);
	if (r.end <= start)
		return;
	row_builder_function(b, start, r.end - start);
	if (!b->error)
		row_builder_add(b, &(struct unwind_row){ .pc = start, .rule = ROW_END });
}

struct merger {
	struct unwind_row *rows;
	uint32_t n;
	const struct unwind_row *entry;
};

static void put(struct merger *m, const struct unwind_row *row)
{
	if (m->n && same_rules(&m->rows[m->n - 1], row))
		return;
	m->rows[m->n++] = *row;
}

/*
 * From `end` on nothing is known. Only padding, or a leaf without a frame, fits between a function
 * that ends as it began and the next aligned place: the rules at its end go on, for both.
 */
static void put_gap(struct merger *m, uint32_t end, uint32_t next)
{
	bool padding = next - end < ALIGNMENT && next % ALIGNMENT == 0;

	if (m->n && end < next && !(padding && same_rules(&m->rows[m->n - 1], m->entry)))
		put(m, &(struct unwind_row){ .pc = end, .rule = ROW_NONE });
}

/* Of two that overlap the later one counts, as for unwinders that search .eh_frame_hdr. */
static uint32_t put_function(struct merger *m, const struct row_builder *b,
			     const struct function *f, uint32_t limit)
{
	uint32_t end = MIN(f->start + f->size, limit);

	for (uint32_t i = 0; i < f->n_rows; i++) {
		const struct unwind_row *row = &b->rows[f->first_row + i];

		if (row->pc >= end)
			break;
		put(m, row);
	}
	return end;
}

/* Returns the bytes covered. */
static uint64_t merge(struct merger *m, const struct row_builder *b, uint32_t *ret_functions)
{
	uint64_t covered = 0;
	uint32_t end = 0;

	for (size_t i = 0; i < b->n_functions; i++) {
		const struct function *f = &b->functions[i];
		uint32_t limit = i + 1 < b->n_functions ? f[1].start : UINT32_MAX;

		if (limit == f->start || f->n_rows == 0)
			continue;
		put_gap(m, end, f->start);
		end = put_function(m, b, f, limit);
		covered += end - f->start;
		++*ret_functions;
	}
	if (m->n)
		m->rows[m->n++] = (struct unwind_row){ .pc = end, .rule = ROW_NONE };
	return covered;
}

static void count(struct unwind_summary *s, const struct unwind_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		unsigned int kind = ROW_CFA(rows[i].rule);

		s->rows_by_kind[kind]++;
		s->bytes_by_kind[kind] += i + 1 < n ? rows[i + 1].pc - rows[i].pc : 0;
	}
}

int row_builder_finish(struct row_builder *b, uint64_t base, const struct unwind_row *entry,
		       const struct unwind_summary *summary, const struct build_id *id,
		       struct unwind_table **ret)
{
	struct merger m = { .entry = entry };
	struct unwind_header *header;
	struct unwind_table *t;

	if (b->error)
		return b->error;
	sort(b);
	/* Each function may have a gap before it; at the end is one. */
	header = unwind_block_new(b->n_rows + b->n_functions + 1, &m.rows);
	if (!header)
		return -ENOMEM;
	header->base = base;
	header->summary = *summary;
	header->summary.covered_bytes = merge(&m, b, &header->summary.functions);
	count(&header->summary, m.rows, m.n);
	t = unwind_block_finish(header, m.n, id);
	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}
