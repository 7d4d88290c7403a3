// SPDX-License-Identifier: Apache-2.0
#include "profile/series.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "profile/profile_load.h"
#include "store/row.h"
#include "util/hash_table.h"
#include "util/parse.h"

/* Intervals that end after the window may begin in it. */
#define LATE_NS (600 * NSEC_PER_SEC)
/* A row without a length of its own reaches back to the one before, unless that is so many times as
 * far away as usual. */
#define MAX_STRETCH 3

struct loader {
	const struct series_query *queries;
	size_t n_queries;
	uint64_t since_ns, until_ns;
	struct series_list *list;
	struct hash_table index; /* name and keys -> struct indexed */
};

struct indexed {
	struct hash_node node;
	char *key;
	size_t series;
};

/* --- queries --- */

void series_query_done(struct series_query *q)
{
	for (size_t i = 0; i < q->n_keys; i++)
		free(q->keys[i]);
	free(q->keys);
	free(q->name);
	*q = (struct series_query){};
}

static int add_key(struct series_query *q, const char *text, size_t size)
{
	char **grown = reallocarray(q->keys, q->n_keys + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	q->keys = grown;
	if (size < 3 || !memchr(text + 1, '=', size - 2))
		return -EINVAL;
	grown[q->n_keys] = strndup(text, size);
	if (!grown[q->n_keys])
		return -ENOMEM;
	q->n_keys++;
	return 0;
}

static int parse_query(const char *text, struct series_query *q)
{
	const char *bracket = strchr(text, '[');
	size_t size = bracket ? (size_t)(bracket - text) : strlen(text);
	int r = 0;

	if (size == 0 || text[strspn(text, " \t")] == 0)
		return -EINVAL;
	q->name = strndup(text, size);
	if (!q->name)
		return -ENOMEM;
	if (!bracket)
		return 0;
	for (const char *at = bracket + 1; r == 0; at += size + 1) {
		size = strcspn(at, ",]");
		if (!at[size])
			return -EINVAL;
		r = add_key(q, at, size);
		if (at[size] == ']')
			return r < 0 ? r : at[size + 1] ? -EINVAL : 0;
	}
	return r;
}

int series_query_parse(const char *text, struct series_query *ret)
{
	struct series_query q = {};
	int r = parse_query(text, &q);

	if (r < 0) {
		series_query_done(&q);
		return r;
	}
	*ret = q;
	return 0;
}

/* Is "socket=0" one of "socket=0,node=1"? */
static bool has_key(const char *keys, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = keys; at && *at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, key, n) == 0 && (at[n] == 0 || at[n] == ','))
			return true;
	}
	return false;
}

bool series_matches(const struct series *s, const struct series_query *q)
{
	if (strcmp(s->name, q->name) != 0)
		return false;
	for (size_t i = 0; i < q->n_keys; i++)
		if (!has_key(s->keys, q->keys[i]))
			return false;
	return true;
}

/* --- rows to series --- */

static bool is_number(const struct row_column *c)
{
	return c->kind != ROW_KEY &&
	       (c->type == ROW_UNSIGNED || c->type == ROW_SIGNED || c->type == ROW_REAL);
}

static double number_of(const struct row_column *c, const struct row_value *v)
{
	if (c->type == ROW_REAL)
		return v->d;
	return c->type == ROW_SIGNED ? (double)v->i : (double)v->u;
}

/* A file may call anything so: a column of another type is none. */
static const struct row_value *value_of(const struct row *row, const char *column,
					enum row_type type)
{
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (strcmp(row->table->columns[i].name, column) == 0 &&
		    row->table->columns[i].type == type && row->values[i].present)
			return &row->values[i];
	return NULL;
}

/* Appends "cpu=0"; *whole stays true while every key stands for all. */
static void put_key(struct buffer *out, const struct row_column *c, const struct row_value *v,
		    bool *whole)
{
	buffer_printf(out, "%s%s=", out->size ? "," : "", c->name);
	if (c->type == ROW_TEXT)
		buffer_put(out, v->text.data, v->text.size);
	else if (c->type == ROW_SIGNED)
		buffer_printf(out, "%" PRId64, v->i);
	else
		buffer_printf(out, "%" PRIu64, v->u);
	*whole &= c->type == ROW_SIGNED && v->i < 0;
}

/* The keys from column `first` on. */
static char *keys_of(const struct row *row, size_t first, bool *ret_whole)
{
	struct buffer out = {};

	*ret_whole = true;
	for (size_t i = first; i < row->table->n_columns; i++)
		if (row->table->columns[i].kind == ROW_KEY && row->values[i].present)
			put_key(&out, &row->table->columns[i], &row->values[i], ret_whole);
	return buffer_take_string(&out);
}

static char *text_of(const struct row_value *v)
{
	return v ? strndup(v->text.data, v->text.size) : strdup("");
}

static void indexed_free(struct hash_node *node, void *userdata)
{
	struct indexed *i = container_of(node, struct indexed, node);

	(void)userdata;
	free(i->key);
	free(i);
}

static struct indexed *find_indexed(const struct loader *l, const char *key)
{
	struct hash_node *node = hash_table_first(&l->index, hash_string(key));

	for (; node; node = hash_node_next(node)) {
		struct indexed *i = container_of(node, struct indexed, node);

		if (strcmp(i->key, key) == 0)
			return i;
	}
	return NULL;
}

static int add_series(struct loader *l, struct series *fresh, const char *key)
{
	struct series *grown = reallocarray(l->list->list, l->list->n + 1, sizeof(*grown));
	struct indexed *entry = malloc(sizeof(*entry));
	int r = -ENOMEM;

	if (grown)
		l->list->list = grown;
	if (entry)
		*entry = (struct indexed){ .key = strdup(key), .series = l->list->n };
	if (grown && entry && entry->key)
		r = hash_table_add(&l->index, &entry->node, hash_string(key));
	if (r < 0) {
		if (entry)
			indexed_free(&entry->node, NULL);
		return r;
	}
	grown[l->list->n++] = *fresh;
	*fresh = (struct series){};
	return 0;
}

static void series_done(struct series *s)
{
	free(s->name);
	free(s->keys);
	free(s->unit);
	free(s->points);
}

/* The series called as `fresh` is, which is taken or freed. */
static int find_series(struct loader *l, struct series *fresh, struct series **ret)
{
	_cleanup_free_ char *key = NULL;
	struct indexed *found;
	int r = 0;

	if (!fresh->name || !fresh->keys || !fresh->unit ||
	    asprintf(&key, "%s[%s]", fresh->name, fresh->keys) < 0) {
		key = NULL;
		series_done(fresh);
		return -ENOMEM;
	}
	found = find_indexed(l, key);
	if (!found) {
		r = add_series(l, fresh, key);
		*ret = &l->list->list[l->list->n - 1];
	} else {
		*ret = &l->list->list[found->series];
	}
	series_done(fresh);
	return r;
}

/* Where a row does not say how long its time is, start_ns stays at end_ns until all are there. */
static int add_point(struct series *s, const struct row *row, uint64_t end_ns,
		     const struct row_column *column, const struct row_value *v)
{
	const struct row_value *running = value_of(row, "running_ratio", ROW_REAL);
	const struct row_value *length = value_of(row, "interval", ROW_UNSIGNED);
	double value = v->present ? number_of(column, v) : 0;
	bool present = v->present && isfinite(value);
	struct series_point *grown;

	if ((s->n & (s->n - 1)) == 0) {
		grown = reallocarray(s->points, MAX(2 * s->n, (size_t)1), sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->points = grown;
	}
	s->points[s->n] = (struct series_point){
		.start_ns = end_ns - (length ? MIN(length->u, end_ns) : 0),
		.end_ns = end_ns,
		.value = present ? value : 0,
		.running_ratio = running && isfinite(running->d) ? running->d : 1,
		.present = present,
	};
	s->n++;
	return 0;
}

static bool is_asked_for(const struct loader *l, const struct series *s)
{
	for (size_t i = 0; i < l->n_queries; i++)
		if (series_matches(s, &l->queries[i]))
			return true;
	return l->n_queries == 0;
}

/* One column of one row; `fresh` says which series that is, and is taken or freed. */
static int take_value(struct loader *l, const struct row *row, uint64_t end_ns, size_t column,
		      struct series *fresh)
{
	struct series *s;
	int r;

	if (fresh->name && fresh->keys && !is_asked_for(l, fresh)) {
		series_done(fresh);
		return 0;
	}
	r = find_series(l, fresh, &s);
	return r < 0 ? r
		     : add_point(s, row, end_ns, &row->table->columns[column],
				 &row->values[column]);
}

static char *unit_per_second(const struct row_value *v)
{
	char *text;

	if (asprintf(&text, "%.*s/s", v ? (int)v->text.size : 0, v ? v->text.data : "") < 0)
		return NULL;
	return text;
}

/* Metrics and events of the collector pmu: the first column names them. */
static int take_named(struct loader *l, const struct row *row, uint64_t end_ns, const char *column,
		      bool is_metric)
{
	struct series fresh = { .is_metric = is_metric };
	size_t i = 0;

	while (i < row->table->n_columns && strcmp(row->table->columns[i].name, column) != 0)
		i++;
	if (i == row->table->n_columns || !is_number(&row->table->columns[i]) ||
	    row->table->columns[0].type != ROW_TEXT || !row->values[0].present)
		return 0;
	fresh.name = text_of(&row->values[0]);
	fresh.keys = keys_of(row, 1, &fresh.whole);
	if (is_metric)
		fresh.unit = text_of(value_of(row, "unit", ROW_TEXT));
	else
		fresh.unit = unit_per_second(value_of(row, "unit", ROW_TEXT));
	return take_value(l, row, end_ns, i, &fresh);
}

static int take_columns(struct loader *l, const struct row *row, uint64_t end_ns)
{
	const struct row_table *t = row->table;
	size_t prefix = strlen(t->name);
	int r = 0;

	for (size_t q = 0; q < l->n_queries && r == 0; q++) {
		const char *name = l->queries[q].name;

		if (strncmp(name, t->name, prefix) != 0 || name[prefix] != '.')
			continue;
		for (size_t i = 0; i < t->n_columns && r == 0; i++) {
			struct series fresh = {};

			if (strcmp(t->columns[i].name, name + prefix + 1) != 0 ||
			    !is_number(&t->columns[i]))
				continue;
			fresh.name = strdup(name);
			fresh.keys = keys_of(row, 0, &fresh.whole);
			fresh.unit = strdup(t->columns[i].unit ? t->columns[i].unit : "");
			r = take_value(l, row, end_ns, i, &fresh);
		}
	}
	return r;
}

static int take_row(struct loader *l, const struct row *row, uint64_t end_ns)
{
	int r = 0;

	if (strcmp(row->table->name, "pmu") == 0)
		r = take_named(l, row, end_ns, "value", true);
	else if (strcmp(row->table->name, "pmu_event") == 0)
		r = take_named(l, row, end_ns, "count_rate", false);
	return r < 0 ? r : take_columns(l, row, end_ns);
}

/* --- segments --- */

static bool outside(const struct loader *l, const struct segment_epoch *e, int64_t offset_ns)
{
	if (e->last_ns == 0)
		return false;
	return e->last_ns + (uint64_t)offset_ns < l->since_ns ||
	       (l->until_ns && e->first_ns + (uint64_t)offset_ns > l->until_ns + LATE_NS);
}

/* By its own clocks and by those of the next one, for the host's may have been set in between. */
static bool can_skip(const struct loader *l, struct segment_reader *reader, size_t epoch)
{
	const struct segment_info *info = segment_reader_info(reader);
	const struct segment_epoch *e = &info->epochs[epoch];
	int64_t offset_ns;

	if ((!l->since_ns && !l->until_ns) || !epoch_first_clock(reader, epoch, &offset_ns) ||
	    !outside(l, e, offset_ns))
		return false;
	return epoch + 1 == info->n_epochs || !epoch_first_clock(reader, epoch + 1, &offset_ns) ||
	       outside(l, e, offset_ns);
}

static int take_walk(struct loader *l, struct epoch_walk *walk, struct row_coder *rows,
		     int64_t offset_ns)
{
	struct record record;
	struct row row;
	int r;

	while ((r = epoch_walk_next(walk, &record)) == 1) {
		if (record.type == RECORD_CLOCK)
			offset_ns = (int64_t)(record.clock.realtime_ns - record.clock.monotonic_ns);
		if (record.type != RECORD_SCHEMA && record.type != RECORD_ROW)
			continue;
		r = row_get(rows, &record, &row);
		if (r == 1)
			r = take_row(l, &row, row.time_ns + (uint64_t)offset_ns);
		if (r < 0)
			return r;
	}
	return r;
}

static int take_epoch(struct loader *l, struct segment_reader *reader, size_t epoch)
{
	const struct segment_info *info = segment_reader_info(reader);
	int64_t offset_ns = (int64_t)(info->realtime_ns - info->monotonic_ns);
	_cleanup_(epoch_walk_closep) struct epoch_walk *walk = NULL;
	_cleanup_(row_coder_freep) struct row_coder *rows = NULL;
	int r;

	if (can_skip(l, reader, epoch))
		return 0;
	rows = row_coder_new();
	if (!rows)
		return -ENOMEM;
	r = epoch_walk_open(reader, epoch, &walk);
	if (r == 0)
		r = take_walk(l, walk, rows, offset_ns);
	if (r != -EBADMSG)
		return r;
	l->list->broken_epochs++;
	return 0;
}

/* `found`: in a directory, where a file may be sealed, renamed or deleted under our hands. */
static int take_file(struct loader *l, const char *path, bool found, char **ret_error)
{
	static const char active[] = ".active";
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_free_ char *error = NULL, *sealed = NULL;
	size_t n = strlen(path), suffix = sizeof(active) - 1;
	int r = segment_reader_open(path, &reader, &error);

	if (r == -ENOENT && found && n > suffix && strcmp(path + n - suffix, active) == 0) {
		sealed = strndup(path, n - suffix);
		if (!sealed)
			return -ENOMEM;
		free(error);
		error = NULL;
		r = segment_reader_open(sealed, &reader, &error);
	}
	if (r < 0 && found && r != -ENOMEM)
		return 0;
	if (r < 0)
		*ret_error = TAKE_PTR(error);
	for (size_t i = 0; r == 0 && i < segment_reader_info(reader)->n_epochs; i++)
		r = take_epoch(l, reader, i);
	return r;
}

static int take_path(struct loader *l, const char *path, char **ret_error)
{
	char **paths = NULL;
	size_t n = 0;
	int r = segment_find(path, &paths, &n);

	if (r < 0 && asprintf(ret_error, "%s: %s", path,
			      r == -ENOENT ? "there is no segment" : strerror(-r)) < 0)
		*ret_error = NULL;
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_file(l, paths[i], strcmp(paths[i], path) != 0, ret_error);
	segment_paths_free(paths, n);
	return r;
}

/* --- all points together --- */

static int by_end(const void *a, const void *b)
{
	const struct series_point *x = a, *y = b;

	return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median time between two points; 0: there are no two. */
static int usual_distance(const struct series *s, uint64_t *ret)
{
	_cleanup_free_ uint64_t *distances = NULL;

	*ret = 0;
	if (s->n < 2)
		return 0;
	distances = calloc(s->n - 1, sizeof(*distances));
	if (!distances)
		return -ENOMEM;
	for (size_t i = 1; i < s->n; i++)
		distances[i - 1] = s->points[i].end_ns - s->points[i - 1].end_ns;
	qsort(distances, s->n - 1, sizeof(*distances), compare_u64);
	*ret = distances[(s->n - 1) / 2];
	return 0;
}

/* Where the time of the i-th point begins. */
static uint64_t settle_start(const struct series *s, size_t i, uint64_t usual_ns)
{
	const struct series_point *p = &s->points[i];
	uint64_t before_ns = i ? s->points[i - 1].end_ns : 0;

	if (p->start_ns < p->end_ns)
		return MAX(p->start_ns, before_ns);
	if (i == 0)
		return p->end_ns;
	if (p->end_ns - before_ns > MAX_STRETCH * usual_ns)
		return p->end_ns - usual_ns;
	return before_ns;
}

/* In order, each once, whatever order the files came in. */
static int settle(struct series *s)
{
	uint64_t usual_ns;
	size_t kept = 0;
	int r;

	if (s->n)
		qsort(s->points, s->n, sizeof(*s->points), by_end);
	for (size_t i = 0; i < s->n; i++)
		if (kept == 0 || s->points[kept - 1].end_ns != s->points[i].end_ns)
			s->points[kept++] = s->points[i];
	s->n = kept;
	r = usual_distance(s, &usual_ns);
	for (size_t i = 0; i < s->n && r == 0; i++)
		s->points[i].start_ns = settle_start(s, i, usual_ns);
	return r;
}

/* Points that do not reach into the window were needed to know where the next ones begin. */
static void cut(const struct loader *l, struct series *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->points[i].end_ns > l->since_ns &&
		    (!l->until_ns || s->points[i].start_ns < l->until_ns))
			s->points[kept++] = s->points[i];
	s->n = kept;
}

void series_list_done(struct series_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		series_done(&l->list[i]);
	free(l->list);
	*l = (struct series_list){};
}

int series_load(const char *const *paths, size_t n_paths, const struct series_query *queries,
		size_t n_queries, uint64_t since_ns, uint64_t until_ns, struct series_list *ret,
		char **ret_error)
{
	struct series_list list = {};
	struct loader l = {
		.queries = queries,
		.n_queries = n_queries,
		.since_ns = since_ns,
		.until_ns = until_ns,
		.list = &list,
	};
	int r = n_paths ? 0 : take_path(&l, PROFILE_STATE_DIRECTORY, ret_error);

	for (size_t i = 0; i < n_paths && r == 0; i++)
		r = take_path(&l, paths[i], ret_error);
	hash_table_each(&l.index, indexed_free, NULL);
	hash_table_done(&l.index);
	for (size_t i = 0; i < list.n && r == 0; i++) {
		r = settle(&list.list[i]);
		cut(&l, &list.list[i]);
	}
	if (r < 0) {
		series_list_done(&list);
		return r;
	}
	*ret = list;
	return 0;
}
