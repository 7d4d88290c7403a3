// SPDX-License-Identifier: Apache-2.0
/*
 * Writer and reader keep the same slots: the latest values of one table's rows of one slot number.
 * A value is written as its difference from there, and not at all when it is the same.
 *
 * Memory is bounded by MAX_VALUES, over all slots of an epoch; when it is used up, new keys share
 * slot 0 of their table. Texts longer than MAX_KEPT are not kept, so they are written each time.
 */
#include "store/row.h"

#include <errno.h>
#include <math.h>

#include "util/hash_table.h"

#define SLOTS 1024 /* of one table */
#define MAX_VALUES (1U << 18)
#define MAX_KEPT 128
#define MAX_NAME 64

enum wire { WIRE_VARINT = 0, WIRE_FLOAT = 1, WIRE_BYTES = 2 };

/* A value of the previous row. There are up to MAX_VALUES of them, of processes that are long gone.
 */
struct kept {
	union {
		uint64_t number; /* integers; of a ROW_REAL the bits of the float */
		uint8_t *bytes; /* what was written of a WIRE_BYTES value */
	};
	uint16_t size;
	bool on_heap; /* bytes are there, to be freed */
	bool known; /* there is a previous value */
};
_Static_assert(sizeof(struct kept) == 16, "no larger than it need be");

struct coder_table {
	const struct row_table *source; /* writer: the caller's */
	struct row_table table; /* reader: names are in `names` */
	struct row_column *columns;
	struct buffer names;
	struct kept *slots[SLOTS]; /* each table.n_columns values */
};

struct row_coder {
	struct coder_table *tables[ROW_MAX_TABLES];
	size_t n_tables;
	size_t n_values; /* kept, over all slots */
	uint64_t time_us; /* of the previous row */
	struct row_value values[ROW_MAX_COLUMNS]; /* reader: the row */
	uint64_t *counts; /* reader: of the row's ROW_COUNTS values */
	struct buffer payload; /* writer */
};

static enum wire wire_of(enum row_type type)
{
	return (enum wire)(type & 0xf);
}

/* --- life ---------------------------------------------------------------- */

static struct coder_table *table_free(struct coder_table *t)
{
	if (!t)
		return NULL;
	for (size_t s = 0; s < SLOTS; s++) {
		for (size_t i = 0; t->slots[s] && i < t->table.n_columns; i++)
			if (t->slots[s][i].on_heap)
				free(t->slots[s][i].bytes);
		free(t->slots[s]);
	}
	free(t->columns);
	buffer_done(&t->names);
	free(t);
	return NULL;
}
DEFINE_CLEANUP(struct coder_table *, table_free);

struct row_coder *row_coder_new(void)
{
	return calloc(1, sizeof(struct row_coder));
}

void row_coder_reset(struct row_coder *c)
{
	for (size_t i = 0; i < c->n_tables; i++)
		c->tables[i] = table_free(c->tables[i]);
	c->n_tables = 0;
	c->n_values = 0;
	c->time_us = 0;
}

struct row_coder *row_coder_free(struct row_coder *c)
{
	if (c) {
		row_coder_reset(c);
		buffer_done(&c->payload);
		free(c->counts);
		free(c);
	}
	return NULL;
}

/* The slot's values; NULL: out of memory, or beyond the bound. */
static struct kept *get_slot(struct row_coder *c, struct coder_table *t, size_t slot)
{
	size_t n = MAX(t->table.n_columns, (size_t)1);

	if (t->slots[slot])
		return t->slots[slot];
	/* Slot 0 of every table always has a place. */
	if (slot && c->n_values + n > MAX_VALUES)
		return NULL;
	t->slots[slot] = calloc(n, sizeof(struct kept));
	if (t->slots[slot] && slot)
		c->n_values += n;
	return t->slots[slot];
}

static void keep_bytes(struct kept *k, const void *data, size_t size)
{
	uint8_t *bytes;

	k->known = false;
	if (size > MAX_KEPT)
		return;
	bytes = realloc(k->on_heap ? k->bytes : NULL, MAX(size, (size_t)1));
	if (!bytes)
		return;
	if (size)
		memcpy(bytes, data, size);
	k->bytes = bytes;
	k->on_heap = true;
	k->size = (uint16_t)size;
	k->known = true;
}

/* --- writing ------------------------------------------------------------- */

static void put_name(struct buffer *b, const char *name)
{
	size_t n = name ? strnlen(name, MAX_NAME) : 0;

	buffer_put_bytes(b, name, n);
}

static void put_table(struct buffer *b, struct row_coder *c, struct record_coder *records,
		      const struct row_table *t)
{
	buffer_reset(&c->payload);
	put_name(&c->payload, t->name);
	put_name(&c->payload, t->collector);
	buffer_put_varint(&c->payload, t->n_columns);
	for (size_t i = 0; i < t->n_columns; i++) {
		put_name(&c->payload, t->columns[i].name);
		put_name(&c->payload, t->columns[i].unit);
		buffer_put_byte(&c->payload, (uint8_t)t->columns[i].kind);
		buffer_put_byte(&c->payload, (uint8_t)t->columns[i].type);
	}
	record_put(
		b, records,
		&(struct record){ .type = RECORD_SCHEMA,
				  .raw.data = { (const char *)c->payload.data, c->payload.size } });
	if (c->payload.error && !b->error)
		b->error = c->payload.error;
}

/* The table's number in this epoch; it is written when it is new. ROW_MAX_TABLES: no room. */
static size_t need_table(struct buffer *b, struct row_coder *c, struct record_coder *records,
			 const struct row_table *table)
{
	struct coder_table *t;
	size_t i = 0;

	while (i < c->n_tables && c->tables[i]->source != table)
		i++;
	if (i < c->n_tables || i == ROW_MAX_TABLES || table->n_columns > ROW_MAX_COLUMNS)
		return i;
	t = calloc(1, sizeof(*t));
	if (!t)
		return ROW_MAX_TABLES;
	t->source = table;
	t->table.n_columns = table->n_columns;
	c->tables[c->n_tables++] = t;
	put_table(b, c, records, table);
	return i;
}

static uint64_t hash_value(const struct row_column *column, const struct row_value *v)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	if (!v->present)
		return 1;
	if (wire_of(column->type) == WIRE_VARINT)
		return hash_u64(v->u + 2);
	for (size_t i = 0; column->type == ROW_TEXT && i < v->text.size; i++)
		h = (h ^ (unsigned char)v->text.data[i]) * 0x100000001b3ULL;
	return hash_u64(h);
}

static size_t slot_of(const struct row *row)
{
	uint64_t h = 0;
	bool keyed = false;

	for (size_t i = 0; i < row->table->n_columns; i++)
		if (row->table->columns[i].kind == ROW_KEY) {
			h = hash_u64(h + hash_value(&row->table->columns[i], &row->values[i]));
			keyed = true;
		}
	return keyed ? h % SLOTS : 0;
}

static uint32_t float_bits(double d)
{
	float f = (float)d;
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

/* A row holds two bit maps of its columns: which are present, and which differ from the slot. */
static bool differs(const struct row_column *column, const struct row_value *v,
		    const struct kept *k)
{
	if (!k->known)
		return true;
	if (column->type == ROW_REAL)
		return float_bits(v->d) != k->number;
	if (column->type == ROW_TEXT)
		return v->text.size != k->size || memcmp(v->text.data, k->bytes, k->size) != 0;
	return column->type == ROW_COUNTS || v->u != k->number;
}

static void put_counts(struct buffer *b, const struct row_value *v)
{
	uint8_t bytes[ROW_MAX_COUNTS * 10];
	struct buffer list = { .data = bytes, .capacity = sizeof(bytes), .limit = sizeof(bytes) };

	for (size_t i = 0; i < MIN(v->counts.n, (size_t)ROW_MAX_COUNTS); i++)
		buffer_put_varint(&list, v->counts.list[i]);
	buffer_put_bytes(b, bytes, list.size);
}

static void put_value(struct buffer *b, const struct row_column *column, const struct row_value *v,
		      struct kept *k)
{
	uint32_t bits;

	switch (column->type) {
	case ROW_REAL:
		bits = float_bits(v->d);
		for (unsigned int i = 0; i < 4; i++)
			buffer_put_byte(b, (uint8_t)(bits >> 8 * i));
		k->number = bits;
		k->known = true;
		break;
	case ROW_TEXT:
		buffer_put_bytes(b, v->text.data, MIN(v->text.size, (size_t)ROW_MAX_TEXT));
		keep_bytes(k, v->text.data, v->text.size);
		break;
	case ROW_COUNTS:
		put_counts(b, v);
		break;
	default:
		buffer_put_varint(b, zigzag_encode((int64_t)(v->u - k->number)));
		k->number = v->u;
		k->known = true;
		break;
	}
}

static void put_values(struct buffer *b, const struct row *row, struct kept *slot)
{
	uint8_t present[ROW_MAX_COLUMNS / 8 + 1] = {}, changed[ROW_MAX_COLUMNS / 8 + 1] = {};
	const struct row_column *columns = row->table->columns;
	size_t n = row->table->n_columns, map = (n + 7) / 8;

	for (size_t i = 0; i < n; i++) {
		const struct row_value *v = &row->values[i];
		uint8_t bit = (uint8_t)(1U << i % 8);

		if (!v->present || (columns[i].type == ROW_REAL && !isfinite((float)v->d)))
			continue;
		present[i / 8] |= bit;
		if (differs(&columns[i], v, &slot[i]))
			changed[i / 8] |= bit;
	}
	buffer_put(b, present, map);
	buffer_put(b, changed, map);
	for (size_t i = 0; i < n; i++)
		if (changed[i / 8] >> i % 8 & 1)
			put_value(b, &columns[i], &row->values[i], &slot[i]);
}

void row_put(struct buffer *b, struct row_coder *c, struct record_coder *records,
	     const struct row *row)
{
	size_t table = need_table(b, c, records, row->table), slot = slot_of(row);
	uint64_t time_us = row->time_ns / 1000;
	struct kept *kept;

	if (b->error)
		return;
	if (table == ROW_MAX_TABLES || row->table->n_columns > ROW_MAX_COLUMNS) {
		b->error = -E2BIG;
		return;
	}
	kept = get_slot(c, c->tables[table], slot);
	if (!kept) {
		slot = 0;
		kept = get_slot(c, c->tables[table], slot);
	}
	if (!kept) {
		b->error = -ENOMEM;
		return;
	}
	buffer_reset(&c->payload);
	buffer_put_varint(&c->payload, table);
	buffer_put_varint(&c->payload, slot);
	buffer_put_varint(&c->payload, zigzag_encode((int64_t)(time_us - c->time_us)));
	c->time_us = time_us;
	put_values(&c->payload, row, kept);
	record_put(
		b, records,
		&(struct record){ .type = RECORD_ROW,
				  .raw.data = { (const char *)c->payload.data, c->payload.size } });
	if (c->payload.error && !b->error)
		b->error = c->payload.error;
}

/* --- reading ------------------------------------------------------------- */

/* Copies a name into t->names and leaves its offset in *ret, for the names move while they grow. */
static int get_name(struct cursor *in, struct coder_table *t, const char **ret)
{
	size_t size;
	const void *data = cursor_get_bytes(in, &size);

	if (in->error || size > MAX_NAME)
		return -EBADMSG;
	*ret = (const char *)(uintptr_t)t->names.size;
	buffer_put(&t->names, data, size);
	buffer_put_byte(&t->names, 0);
	return t->names.error;
}

static int get_columns(struct cursor *in, struct coder_table *t)
{
	uint64_t n = cursor_get_varint(in);

	if (in->error || n > ROW_MAX_COLUMNS)
		return -EBADMSG;
	t->columns = calloc(MAX(n, 1ULL), sizeof(*t->columns));
	if (!t->columns)
		return -ENOMEM;
	t->table.columns = t->columns;
	for (size_t i = 0; i < n; i++) {
		struct row_column *column = &t->columns[i];
		int r = get_name(in, t, &column->name);

		if (r == 0)
			r = get_name(in, t, &column->unit);
		if (r < 0)
			return r;
		column->kind = cursor_get_byte(in);
		column->type = cursor_get_byte(in);
		t->table.n_columns++;
	}
	return in->error;
}

static void settle_name(const struct coder_table *t, const char **name)
{
	*name = (const char *)t->names.data + (uintptr_t)*name;
}

static int get_table(struct row_coder *c, struct cursor in)
{
	_cleanup_(table_freep) struct coder_table *t = NULL;
	int r;

	if (c->n_tables == ROW_MAX_TABLES)
		return -EBADMSG;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	r = get_name(&in, t, &t->table.name);
	if (r == 0)
		r = get_name(&in, t, &t->table.collector);
	if (r == 0)
		r = get_columns(&in, t);
	if (r < 0)
		return r;
	settle_name(t, &t->table.name);
	settle_name(t, &t->table.collector);
	t->table.summary = "";
	for (size_t i = 0; i < t->table.n_columns; i++) {
		settle_name(t, &t->columns[i].name);
		settle_name(t, &t->columns[i].unit);
	}
	c->tables[c->n_tables++] = TAKE_PTR(t);
	return 0;
}

static int get_counts(struct row_coder *c, size_t column, struct cursor in, struct row_value *ret)
{
	uint64_t *list = c->counts + column * ROW_MAX_COUNTS;
	size_t n = 0;

	while (cursor_left(&in) && n < ROW_MAX_COUNTS)
		list[n++] = cursor_get_varint(&in);
	if (in.error || cursor_left(&in))
		return -EBADMSG;
	ret->counts.list = list;
	ret->counts.n = n;
	return 0;
}

static void get_float(struct cursor *in, struct kept *k)
{
	k->number = 0;
	for (unsigned int i = 0; i < 4; i++)
		k->number |= (uint64_t)cursor_get_byte(in) << 8 * i;
	k->known = true;
}

static double float_of(uint64_t bits)
{
	uint32_t small = (uint32_t)bits;
	float f;

	memcpy(&f, &small, sizeof(f));
	return f;
}

/* A value that differs from the slot. */
static int get_value(struct row_coder *c, struct cursor *in, size_t i, enum row_type type,
		     struct kept *k, struct row_value *ret)
{
	const void *data;
	size_t size;

	switch (wire_of(type)) {
	case WIRE_VARINT:
		k->number += (uint64_t)zigzag_decode(cursor_get_varint(in));
		k->known = true;
		ret->u = k->number;
		break;
	case WIRE_FLOAT:
		get_float(in, k);
		ret->d = float_of(k->number);
		break;
	case WIRE_BYTES:
		data = cursor_get_bytes(in, &size);
		if (in->error || size > ROW_MAX_TEXT)
			return -EBADMSG;
		if (type == ROW_COUNTS)
			return get_counts(
				c, i,
				(struct cursor){ .pos = data, .end = (const uint8_t *)data + size },
				ret);
		keep_bytes(k, data, size);
		ret->text = (struct record_bytes){ .data = data, .size = size };
		break;
	default:
		return -EBADMSG;
	}
	return in->error;
}

static void same_value(enum row_type type, const struct kept *k, struct row_value *ret)
{
	if (type == ROW_TEXT)
		ret->text = (struct record_bytes){ (const char *)k->bytes, k->size };
	else if (type == ROW_REAL)
		ret->d = float_of(k->number);
	else
		ret->u = k->number;
}

static bool known_type(enum row_type type)
{
	return type == ROW_UNSIGNED || type == ROW_SIGNED || type == ROW_REAL || type == ROW_TEXT ||
	       type == ROW_COUNTS;
}

static int get_values(struct row_coder *c, struct cursor *in, const struct row_table *t,
		      struct kept *slot)
{
	const uint8_t *present = in->pos, *changed;
	size_t map = (t->n_columns + 7) / 8;

	if (cursor_left(in) < 2 * map)
		return -EBADMSG;
	changed = present + map;
	in->pos += 2 * map;
	for (size_t i = 0; i < t->n_columns; i++) {
		enum row_type type = t->columns[i].type;
		struct row_value *v = &c->values[i];
		int r = 0;

		*v = (struct row_value){ .present = present[i / 8] >> i % 8 & 1 };
		if (changed[i / 8] >> i % 8 & 1)
			r = v->present ? get_value(c, in, i, type, &slot[i], v) : -EBADMSG;
		else if (v->present && !slot[i].known)
			r = -EBADMSG;
		else if (v->present)
			same_value(type, &slot[i], v);
		if (r < 0)
			return r;
		if (!known_type(type) || (type == ROW_REAL && !isfinite(v->d)))
			*v = (struct row_value){};
	}
	return 0;
}

static int get_row(struct row_coder *c, struct cursor in, struct row *ret)
{
	uint64_t table = cursor_get_varint(&in), slot = cursor_get_varint(&in);
	struct kept *kept;
	int r;

	c->time_us += (uint64_t)zigzag_decode(cursor_get_varint(&in));
	if (in.error || table >= c->n_tables || slot >= SLOTS)
		return -EBADMSG;
	if (!c->counts)
		c->counts = calloc((size_t)ROW_MAX_COLUMNS * ROW_MAX_COUNTS, sizeof(*c->counts));
	if (!c->counts)
		return -ENOMEM;
	kept = get_slot(c, c->tables[table], slot);
	if (!kept)
		return c->n_values + ROW_MAX_COLUMNS > MAX_VALUES ? -EBADMSG : -ENOMEM;
	r = get_values(c, &in, &c->tables[table]->table, kept);
	if (r < 0)
		return r;
	*ret = (struct row){
		.table = &c->tables[table]->table,
		.time_ns = c->time_us * 1000,
		.values = c->values,
	};
	return 1;
}

/* Only these two hold raw bytes. */
static struct cursor raw_bytes(const struct record *r)
{
	const uint8_t *data = (const uint8_t *)r->raw.data.data;

	return (struct cursor){ .pos = data, .end = data + r->raw.data.size };
}

int row_get(struct row_coder *c, const struct record *r, struct row *ret)
{
	if (r->type == RECORD_SCHEMA)
		return get_table(c, raw_bytes(r));
	if (r->type == RECORD_ROW)
		return get_row(c, raw_bytes(r), ret);
	return 0;
}

const char *row_kind_name(enum row_kind kind)
{
	static const char *const names[] = { "key", "gauge", "counter", "rate", "text" };

	return (unsigned int)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

const char *row_type_name(enum row_type type)
{
	switch (type) {
	case ROW_UNSIGNED:
		return "unsigned";
	case ROW_SIGNED:
		return "signed";
	case ROW_REAL:
		return "real";
	case ROW_TEXT:
		return "text";
	case ROW_COUNTS:
		return "counts";
	}
	return "unknown";
}
