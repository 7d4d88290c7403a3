// SPDX-License-Identifier: Apache-2.0
#include "collect/rates.h"

#include "util/parse.h"

#define MAX_KEYS 65536 /* of one collector; what comes beyond has no rates */

/* The counters of one key's previous row. */
struct baseline {
	struct hash_node node;
	const struct row_table *table;
	uint64_t time_ns;
	uint64_t pass; /* the last one that filled it */
	uint8_t *key;
	size_t key_size;
	struct {
		bool known;
		uint64_t value;
	} counters[]; /* by column */
};

void rates_init(struct rates *r, uint64_t min_ns, uint64_t max_ns)
{
	*r = (struct rates){ .min_ns = min_ns, .max_ns = max_ns };
}

static void free_baseline(struct hash_node *node, void *userdata)
{
	struct baseline *b = container_of(node, struct baseline, node);

	hash_table_remove(&((struct rates *)userdata)->keys, node);
	free(b->key);
	free(b);
}

void rates_done(struct rates *r)
{
	hash_table_each(&r->keys, free_baseline, r);
	hash_table_done(&r->keys);
}

/* The key columns, one after the other. */
static void put_key(const struct row *row, struct buffer *out)
{
	for (size_t i = 0; i < row->table->n_columns; i++) {
		const struct row_column *c = &row->table->columns[i];

		if (c->kind != ROW_KEY || !row->values[i].present)
			continue;
		buffer_put_varint(out, i);
		if (c->type == ROW_TEXT)
			buffer_put_bytes(out, row->values[i].text.data, row->values[i].text.size);
		else
			buffer_put_varint(out, row->values[i].u);
	}
}

static uint64_t hash_key(const struct row_table *table, const struct buffer *key)
{
	uint64_t h = (uintptr_t)table;

	for (size_t i = 0; i < key->size; i++)
		h = (h ^ key->data[i]) * 0x100000001b3ULL;
	return hash_u64(h);
}

static struct baseline *find(const struct rates *r, const struct row_table *table,
			     const struct buffer *key, uint64_t hash)
{
	struct hash_node *node = hash_table_first(&r->keys, hash);

	for (; node; node = hash_node_next(node)) {
		struct baseline *b = container_of(node, struct baseline, node);

		if (b->table == table && b->key_size == key->size &&
		    (key->size == 0 || memcmp(b->key, key->data, key->size) == 0))
			return b;
	}
	return NULL;
}

static struct baseline *add(struct rates *r, const struct row_table *table, struct buffer *key,
			    uint64_t hash)
{
	struct baseline *b;

	if (r->keys.n >= MAX_KEYS || key->error)
		return NULL;
	b = calloc(1, sizeof(*b) + table->n_columns * sizeof(b->counters[0]));
	if (!b)
		return NULL;
	b->table = table;
	if (hash_table_add(&r->keys, &b->node, hash) < 0) {
		free(b);
		return NULL;
	}
	b->key = TAKE_PTR(key->data);
	b->key_size = key->size;
	*key = (struct buffer){};
	return b;
}

/* Sets the row's derived columns; `interval_ns` is 0 when there is nothing to compare with. */
static void derive(const struct baseline *b, struct rows *rows, const struct row *row,
		   uint64_t interval_ns)
{
	const struct row_table *t = row->table;
	bool reset = false;

	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].kind == ROW_COUNTER && b->counters[i].known &&
		    row->values[i].present && row->values[i].u < b->counters[i].value)
			reset = true;
	for (unsigned int i = 0; i < t->n_columns; i++) {
		unsigned int of = t->columns[i].of;
		enum row_derive how = t->columns[i].derive;
		uint64_t now, before;

		if (how == ROW_RESET)
			rows_unsigned(rows, i, reset);
		if (how == ROW_INTERVAL)
			rows_unsigned(rows, i, interval_ns);
		if ((how != ROW_DELTA && how != ROW_PER_SECOND) || !row->values[of].present ||
		    !b->counters[of].known)
			continue;
		now = row->values[of].u;
		before = b->counters[of].value;
		if (how == ROW_DELTA)
			rows_unsigned(rows, i, now < before ? 0 : now - before);
		else if (!reset)
			rows_real(rows, i,
				  (double)(now - before) * (double)NSEC_PER_SEC /
					  (double)interval_ns);
	}
}

static void remember(struct baseline *b, const struct row *row)
{
	b->time_ns = row->time_ns;
	for (size_t i = 0; i < row->table->n_columns; i++) {
		b->counters[i].known = row->values[i].present;
		b->counters[i].value = row->values[i].u;
	}
}

bool rates_fill(struct rates *r, struct rows *rows)
{
	_cleanup_(buffer_donep) struct buffer key = {};
	const struct row *row = rows_current(rows);
	struct baseline *b;
	uint64_t hash, interval_ns = 0;
	bool fresh;

	if (!row)
		return false;
	put_key(row, &key);
	hash = hash_key(row->table, &key);
	b = find(r, row->table, &key, hash);
	fresh = !b;
	if (!b)
		b = add(r, row->table, &key, hash);
	if (!b)
		return false;
	if (!fresh && row->time_ns > b->time_ns)
		interval_ns = row->time_ns - b->time_ns;
	if (interval_ns < r->min_ns || interval_ns > r->max_ns)
		interval_ns = 0;
	if (interval_ns)
		derive(b, rows, row, interval_ns);
	b->pass = r->pass;
	remember(b, row);
	return interval_ns > 0;
}

static void forget_unseen(struct hash_node *node, void *userdata)
{
	struct rates *r = userdata;

	if (container_of(node, struct baseline, node)->pass != r->pass)
		free_baseline(node, r);
}

void rates_end(struct rates *r)
{
	hash_table_each(&r->keys, forget_unseen, r);
	r->pass++;
}
