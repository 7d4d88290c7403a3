// SPDX-License-Identifier: Apache-2.0
#include "cmd/unwind_observed.h"

#include <errno.h>
#include <string.h>

#include "store/row.h"
#include "store/segment_reader.h"
#include "unwind/unwind_report.h"

struct adding {
	struct observed *to;
	uint64_t since_ns;
	char **ret_error;
};

/* --- rows --- */

static const struct row_value *column(const struct row *row, const char *name, enum row_type type)
{
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (strcmp(row->table->columns[i].name, name) == 0)
			return row->table->columns[i].type == type && row->values[i].present
				       ? &row->values[i]
				       : NULL;
	return NULL;
}

static uint64_t count_of(const struct row *row, const char *name)
{
	const struct row_value *v = column(row, name, ROW_UNSIGNED);

	return v ? v->u : 0;
}

static char *text_of(const struct row *row, const char *name)
{
	const struct row_value *v = column(row, name, ROW_TEXT);

	return v ? strndup(v->text.data, v->text.size) : strdup("");
}

static bool is_same(const struct observation *o, const char *path, const char *build_id)
{
	if (*o->build_id && *build_id)
		return strcmp(o->build_id, build_id) == 0;
	return strcmp(o->path, path) == 0;
}

static struct observation *find(const struct observed *o, const char *path, const char *build_id)
{
	for (size_t i = 0; i < o->n; i++)
		if (is_same(&o->list[i], path, build_id))
			return &o->list[i];
	return NULL;
}

static struct observation *find_or_add(struct observed *o, char **path, char **build_id)
{
	struct observation *at = find(o, *path, *build_id), *grown;

	if (at)
		return at;
	grown = reallocarray(o->list, o->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	o->list = grown;
	at = &o->list[o->n++];
	*at = (struct observation){ .path = TAKE_PTR(*path), .build_id = TAKE_PTR(*build_id) };
	return at;
}

static int take_row(struct observed *o, const struct row *row)
{
	_cleanup_free_ char *path = text_of(row, "binary"), *build_id = text_of(row, "build_id");
	struct observation *at = path && build_id ? find_or_add(o, &path, &build_id) : NULL;

	if (!at)
		return -ENOMEM;
	at->checked += count_of(row, "checked");
	at->right += count_of(row, "right");
	at->stops += count_of(row, "stops");
	return 0;
}

/* --- segments --- */

static int take_epoch(const struct adding *a, struct segment_reader *reader, size_t epoch)
{
	const struct segment_info *info = segment_reader_info(reader);
	uint64_t offset_ns = info->realtime_ns - info->monotonic_ns;
	const struct segment_epoch *e = &info->epochs[epoch];
	_cleanup_(epoch_walk_closep) struct epoch_walk *walk = NULL;
	_cleanup_(row_coder_freep) struct row_coder *rows = NULL;
	struct record record;
	struct row row;
	int r;

	if (e->last_ns && e->last_ns + offset_ns < a->since_ns)
		return 0;
	rows = row_coder_new();
	if (!rows)
		return -ENOMEM;
	r = epoch_walk_open(reader, epoch, &walk);
	while (r >= 0 && (r = epoch_walk_next(walk, &record)) == 1) {
		r = row_get(rows, &record, &row);
		if (r == 1 && strcmp(row.table->name, UNWIND_BINARIES_TABLE) == 0 &&
		    row.time_ns + offset_ns >= a->since_ns)
			r = take_row(a->to, &row);
	}
	return r == -EBADMSG ? 0 : r;
}

static int take_file(const struct adding *a, const char *path)
{
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	int r = segment_reader_open(path, &reader, a->ret_error);

	for (size_t i = 0; r == 0 && i < segment_reader_info(reader)->n_epochs; i++)
		r = take_epoch(a, reader, i);
	return r;
}

int observed_add(struct observed *o, const char *path, uint64_t since_ns, char **ret_error)
{
	const struct adding a = { o, since_ns, ret_error };
	char **paths = NULL;
	size_t n = 0;
	int r = segment_find(path, &paths, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_file(&a, paths[i]);
	segment_paths_free(paths, n);
	return r;
}

/* --- the list --- */

static int by_checks(const void *x, const void *y)
{
	const struct observation *a = x, *b = y;

	if (a->checked != b->checked)
		return a->checked > b->checked ? -1 : 1;
	return strcmp(a->path, b->path);
}

void observed_sort(struct observed *o)
{
	if (o->n)
		qsort(o->list, o->n, sizeof(*o->list), by_checks);
}

const struct observation *observed_find(const struct observed *o, const char *path,
					const char *build_id)
{
	return find(o, path, build_id);
}

void observed_done(struct observed *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->list[i].path);
		free(o->list[i].build_id);
	}
	free(o->list);
	*o = (struct observed){ 0 };
}
