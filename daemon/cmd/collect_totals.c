// SPDX-License-Identifier: Apache-2.0
#include "cmd/collect_totals.h"

#include <inttypes.h>

#include "cmd/row_print.h"
#include "util/hash_table.h"
#include "util/json.h"

#define MAX_TOTALS 100000

/* One key of one table. */
struct total {
	struct hash_node node;
	const struct row_table *table;
	struct buffer key; /* as text, "name=value name=value" */
	struct buffer json; /* of the key columns, as members of an object */
	uint64_t weight;
	uint64_t *previous, *grown; /* by column */
};

struct collect_totals {
	struct hash_table totals;
	struct total **list; /* in order of appearance */
	size_t n, capacity;
};

struct collect_totals *collect_totals_new(void)
{
	return calloc(1, sizeof(struct collect_totals));
}

static void total_free(struct total *t)
{
	buffer_done(&t->key);
	buffer_done(&t->json);
	free(t->previous);
	free(t->grown);
	free(t);
}

struct collect_totals *collect_totals_free(struct collect_totals *t)
{
	if (!t)
		return NULL;
	hash_table_done(&t->totals);
	for (size_t i = 0; i < t->n; i++)
		total_free(t->list[i]);
	free(t->list);
	free(t);
	return NULL;
}

static bool has_counters(const struct row_table *t)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].kind == ROW_COUNTER)
			return true;
	return false;
}

static void put_key(const struct row *row, struct buffer *out)
{
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (row->table->columns[i].kind == ROW_KEY && row->values[i].present) {
			buffer_printf(out, "%s%s=", out->size ? " " : "",
				      row->table->columns[i].name);
			row_print_value(out, &row->table->columns[i], &row->values[i]);
		}
}

static void put_json_key(const struct row *row, struct buffer *out)
{
	for (size_t i = 0; i < row->table->n_columns; i++) {
		const struct row_column *c = &row->table->columns[i];

		if (c->kind != ROW_KEY || !row->values[i].present)
			continue;
		buffer_printf(out, ",\"%s\":", c->name);
		if (c->type == ROW_TEXT)
			json_put_quoted(out, row->values[i].text.data, row->values[i].text.size);
		else if (c->type == ROW_SIGNED)
			buffer_printf(out, "%" PRId64, row->values[i].i);
		else
			buffer_printf(out, "%" PRIu64, row->values[i].u);
	}
}

static uint64_t hash_of(const struct row_table *table, const struct buffer *key)
{
	uint64_t h = (uintptr_t)table;

	for (size_t i = 0; i < key->size; i++)
		h = (h ^ key->data[i]) * 0x100000001b3ULL;
	return hash_u64(h);
}

static struct total *find(const struct collect_totals *t, const struct row_table *table,
			  const struct buffer *key, uint64_t hash)
{
	struct hash_node *node = hash_table_first(&t->totals, hash);

	for (; node; node = hash_node_next(node)) {
		struct total *x = container_of(node, struct total, node);

		if (x->table == table && x->key.size == key->size &&
		    (key->size == 0 || memcmp(x->key.data, key->data, key->size) == 0))
			return x;
	}
	return NULL;
}

static struct total *add(struct collect_totals *t, const struct row *row, struct buffer *key,
			 uint64_t hash)
{
	struct total *x;

	if (t->n == t->capacity) {
		size_t capacity = MAX(2 * t->capacity, (size_t)256);
		struct total **list = reallocarray(t->list, capacity, sizeof(struct total *));

		if (!list)
			return NULL;
		t->list = list;
		t->capacity = capacity;
	}
	x = t->n < MAX_TOTALS ? calloc(1, sizeof(*x)) : NULL;
	if (!x)
		return NULL;
	x->table = row->table;
	x->previous = calloc(row->table->n_columns, sizeof(*x->previous));
	x->grown = calloc(row->table->n_columns, sizeof(*x->grown));
	if (!x->previous || !x->grown || hash_table_add(&t->totals, &x->node, hash) < 0) {
		total_free(x);
		return NULL;
	}
	x->key = *key;
	*key = (struct buffer){};
	put_json_key(row, &x->json);
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (row->values[i].present && !row->table->from_zero)
			x->previous[i] = row->values[i].u;
	return t->list[t->n++] = x;
}

static void add_row(struct collect_totals *t, const struct row *row)
{
	_cleanup_(buffer_donep) struct buffer key = {};
	struct total *x;
	uint64_t hash;

	put_key(row, &key);
	hash = hash_of(row->table, &key);
	x = find(t, row->table, &key, hash);
	if (!x)
		x = add(t, row, &key, hash);
	for (size_t i = 0; x && i < row->table->n_columns; i++) {
		uint64_t now = row->values[i].u;

		if (row->table->columns[i].kind != ROW_COUNTER || !row->values[i].present)
			continue;
		/* A counter that began again has counted at least what it shows. */
		x->grown[i] += now >= x->previous[i] ? now - x->previous[i] : now;
		x->previous[i] = now;
	}
}

void collect_totals_add(struct collect_totals *t, const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		if (has_counters(rows->list[i].table))
			add_row(t, &rows->list[i]);
}

static uint64_t first_counter(const struct total *x)
{
	for (size_t i = 0; i < x->table->n_columns; i++)
		if (x->table->columns[i].kind == ROW_COUNTER)
			return x->grown[i];
	return 0;
}

/* Stable by name of the table, so that tables stay together. */
static int compare(const void *a, const void *b)
{
	const struct total *x = *(struct total *const *)a, *y = *(struct total *const *)b;
	int r = strcmp(x->table->name, y->table->name);

	if (r)
		return r;
	return x->weight > y->weight ? -1 : x->weight < y->weight;
}

static bool grew(const struct total *x)
{
	for (size_t i = 0; i < x->table->n_columns; i++)
		if (x->grown[i])
			return true;
	return false;
}

static void put_text(const struct total *x, struct buffer *out)
{
	buffer_printf(out, "total %s", x->table->name);
	if (x->key.size)
		buffer_printf(out, " %.*s", (int)x->key.size, (const char *)x->key.data);
	for (size_t i = 0; i < x->table->n_columns; i++) {
		struct row_value v = { .present = true, .u = x->grown[i] };

		if (!x->grown[i])
			continue;
		buffer_printf(out, " %s=", x->table->columns[i].name);
		row_print_value(out, &x->table->columns[i], &v);
	}
	buffer_put_byte(out, '\n');
}

static void put_json(const struct total *x, struct buffer *out)
{
	buffer_printf(out, "{\"total\":\"%s\"%.*s", x->table->name, (int)x->json.size,
		      x->json.size ? (const char *)x->json.data : "");
	for (size_t i = 0; i < x->table->n_columns; i++)
		if (x->grown[i])
			buffer_printf(out, ",\"%s\":%" PRIu64, x->table->columns[i].name,
				      x->grown[i]);
	buffer_printf(out, "}\n");
}

void collect_totals_print(struct collect_totals *t, bool json, FILE *out)
{
	_cleanup_(buffer_donep) struct buffer text = {};

	for (size_t i = 0; i < t->n; i++)
		t->list[i]->weight = first_counter(t->list[i]);
	if (t->n)
		qsort(t->list, t->n, sizeof(struct total *), compare);
	for (size_t i = 0; i < t->n; i++) {
		if (!grew(t->list[i]))
			continue;
		if (json)
			put_json(t->list[i], &text);
		else
			put_text(t->list[i], &text);
	}
	if (!text.error && text.size)
		fwrite(text.data, 1, text.size, out);
}
