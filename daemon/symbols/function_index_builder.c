// SPDX-License-Identifier: Apache-2.0
/*
 * From symbols in any order, doubled, nested and half-known, and places of functions that may have
 * no symbol, to a function index.
 *
 * The symbols are sorted by place. A sweep with a stack of the functions that cover the current
 * address then gives each address to the innermost one; what an inner function leaves of the outer
 * one behind itself becomes a further entry of the outer one's name. Every choice depends on the
 * symbols alone, never on their order: the same binary gives the same index.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/function_index.h"
#include "symbols/function_index_internal.h"
#include "util/buffer.h"

struct symbol {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* offset into the collected names */
	uint16_t name_size;
	uint8_t rank; /* enum function_rank */
	bool sizeless; /* `size` is how far it may reach */
};

struct place {
	uint64_t start, end;
};

struct function_index_builder {
	struct symbol *symbols;
	size_t n, capacity;
	struct place *places;
	size_t n_places, places_capacity;
	struct buffer names;
	uint32_t sizeless_max;
};

struct function_index_builder *function_index_builder_new(uint32_t sizeless_max)
{
	struct function_index_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->names.limit = FUNCTION_NAMES_BYTES_MAX;
	b->sizeless_max = sizeless_max;
	return b;
}

struct function_index_builder *function_index_builder_free(struct function_index_builder *b)
{
	if (!b)
		return NULL;
	free(b->symbols);
	free(b->places);
	buffer_done(&b->names);
	free(b);
	return NULL;
}

size_t function_index_builder_size(const struct function_index_builder *b)
{
	return b->n;
}

static int reserve_symbol(struct function_index_builder *b)
{
	size_t capacity = b->capacity ? b->capacity * 2 : 64;
	struct symbol *symbols;

	if (b->n < b->capacity)
		return 0;
	if (b->n >= FUNCTIONS_MAX)
		return -E2BIG;
	symbols = reallocarray(b->symbols, capacity, sizeof(*symbols));
	if (!symbols)
		return -ENOMEM;
	b->symbols = symbols;
	b->capacity = capacity;
	return 0;
}

int function_index_builder_add(struct function_index_builder *b, uint64_t start, uint64_t size,
			       uint64_t limit, const char *name, size_t name_size,
			       enum function_rank rank)
{
	bool sizeless = size == 0;
	size_t name_offset = b->names.size;
	int r;

	if (name_size == 0 || name_size > FUNCTION_NAME_MAX || start >= limit)
		return 0;
	if (sizeless)
		size = b->sizeless_max;
	size = MIN(size, limit - start);
	size = MIN(size, (uint64_t)UINT32_MAX);
	r = reserve_symbol(b);
	if (r < 0)
		return r;
	buffer_put(&b->names, name, name_size);
	buffer_put_byte(&b->names, 0);
	if (b->names.error)
		return b->names.error;
	b->symbols[b->n++] = (struct symbol){
		.start = start,
		.size = (uint32_t)size,
		.name = (uint32_t)name_offset,
		.name_size = (uint16_t)name_size,
		.rank = (uint8_t)rank,
		.sizeless = sizeless,
	};
	return 0;
}

int function_index_builder_add_place(struct function_index_builder *b, uint64_t start,
				     uint64_t size)
{
	if (size == 0 || size > UINT32_MAX || start > UINT64_MAX - size ||
	    b->n_places >= FUNCTIONS_MAX)
		return 0;
	if (b->n_places == b->places_capacity) {
		size_t capacity = MAX(b->places_capacity * 2, (size_t)64);
		struct place *places = reallocarray(b->places, capacity, sizeof(*places));

		if (!places)
			return -ENOMEM;
		b->places = places;
		b->places_capacity = capacity;
	}
	b->places[b->n_places++] = (struct place){ start, start + size };
	return 0;
}

void function_index_builder_rebase(struct function_index_builder *b, uint64_t base)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct symbol s = b->symbols[i];

		if (s.start < base)
			continue;
		s.start -= base;
		b->symbols[kept++] = s;
	}
	b->n = kept;
}

static int underscores(const char *name)
{
	int n = 0;

	while (name[n] == '_' && n < 8)
		n++;
	return n;
}

/* By place; sized before sizeless, the longer one (the outer) first; then the better name. */
static int compare_symbols(const void *left, const void *right, void *names)
{
	const struct symbol *a = left, *b = right;
	const char *a_name, *b_name;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->sizeless != b->sizeless)
		return a->sizeless ? 1 : -1;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	a_name = (const char *)names + a->name;
	b_name = (const char *)names + b->name;
	if (underscores(a_name) != underscores(b_name))
		return underscores(a_name) < underscores(b_name) ? -1 : 1;
	if (a->name_size != b->name_size)
		return a->name_size > b->name_size ? -1 : 1;
	return memcmp(a_name, b_name, a->name_size);
}

/* One symbol per place and size, and a sizeless one only where nothing sized begins. */
static void drop_aliases(struct function_index_builder *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct symbol *s = &b->symbols[i];
		const struct symbol *previous = kept ? &b->symbols[kept - 1] : NULL;

		if (previous && previous->start == s->start &&
		    (s->sizeless || previous->size == s->size))
			continue;
		b->symbols[kept++] = *s;
	}
	b->n = kept;
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* What begins where a function does is that function, and nothing reaches out of the one it is in. */
static void measure_sizeless(const struct function_index_builder *b)
{
	size_t at = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct symbol *s = &b->symbols[i];

		while (at < b->n_places && b->places[at].end <= s->start)
			at++;
		if (at == b->n_places)
			return;
		if (!s->sizeless || b->places[at].start > s->start)
			continue;
		if (b->places[at].start == s->start) {
			s->size = (uint32_t)(b->places[at].end - s->start);
			s->sizeless = false;
		} else {
			s->size = (uint32_t)MIN(s->size, b->places[at].end - s->start);
		}
	}
}

/* The functions that cover `position`, outermost first, and the entries made so far; an entry's
 * name is the number of its symbol until the names are laid out. */
#define NO_NAME UINT32_MAX

struct sweep {
	uint64_t base, position;
	size_t depth, n_entries;
	bool nameless; /* some entries are */
	struct {
		uint64_t end;
		uint32_t symbol;
	} * open;
	struct function_entry *entries;
};

/* Gives [position, to) to the innermost open function. */
static void emit(struct sweep *w, uint64_t to)
{
	if (to > w->position)
		w->entries[w->n_entries++] = (struct function_entry){
			.start = (uint32_t)(w->position - w->base),
			.size = (uint32_t)(to - w->position),
			.name = w->open[w->depth - 1].symbol,
		};
	w->position = to;
}

/* Closes every function that ends before `to`, the innermost first. */
static void close_until(struct sweep *w, uint64_t to)
{
	while (w->depth > 0 && w->open[w->depth - 1].end <= to) {
		if (w->open[w->depth - 1].end > w->position)
			emit(w, w->open[w->depth - 1].end);
		w->depth--;
	}
}

static void sweep_symbol(struct sweep *w, const struct symbol *s, uint32_t number,
			 uint64_t next_start)
{
	uint64_t end = s->start + s->size;

	close_until(w, s->start);
	if (s->sizeless) {
		if (w->depth > 0)
			return; /* a label inside a function */
		end = MIN(end, next_start);
	}
	if (w->depth > 0)
		emit(w, s->start);
	w->position = s->start;
	w->open[w->depth].end = end;
	w->open[w->depth++].symbol = number;
}

/* At most two entries per symbol: its own, and what it leaves of the one around it. */
static int sweep(struct function_index_builder *b, struct sweep *w)
{
	w->open = calloc(b->n + 1, sizeof(*w->open));
	w->entries = calloc(b->n * 2 + 1, sizeof(*w->entries));
	if (!w->open || !w->entries)
		return -ENOMEM;
	for (size_t i = 0; i < b->n; i++) {
		const struct symbol *s = &b->symbols[i];

		/* Entries hold 32-bit offsets; no code of one object spreads wider. */
		if (s->start - w->base > UINT32_MAX - s->size)
			break;
		sweep_symbol(w, s, (uint32_t)i, i + 1 < b->n ? s[1].start : UINT64_MAX);
	}
	close_until(w, UINT64_MAX);
	return 0;
}

static void add_nameless(struct sweep *w, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	w->entries[w->n_entries++] = (struct function_entry){
		.start = (uint32_t)(from - w->base),
		.size = (uint32_t)(to - from),
		.name = NO_NAME,
	};
	w->nameless = true;
}

/* What of the places has no symbol becomes functions without a name. */
static int fill_gaps(const struct function_index_builder *b, struct sweep *w)
{
	_cleanup_free_ struct function_entry *named = w->entries;
	size_t n = w->n_entries, next = 0;
	uint64_t settled = w->base;

	w->n_entries = 0;
	w->entries = calloc(n * 2 + b->n_places + 1, sizeof(*w->entries));
	if (!w->entries)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_places; i++) {
		uint64_t end = b->places[i].end;

		settled = MAX(settled, b->places[i].start);
		if (end - w->base > UINT32_MAX)
			break;
		for (; next < n && w->base + named[next].start < end; next++) {
			add_nameless(w, settled, w->base + named[next].start);
			w->entries[w->n_entries++] = named[next];
			settled = MAX(settled, w->base + named[next].start + named[next].size);
		}
		add_nameless(w, settled, end);
		settled = MAX(settled, end);
	}
	for (; next < n; next++)
		w->entries[w->n_entries++] = named[next];
	return 0;
}

/* Names that are used, each once per symbol, in the order of the entries. Returns their bytes. */
static size_t lay_out_names(struct function_index_builder *b, struct sweep *w, char *out,
			    uint32_t *offsets)
{
	size_t size = w->nameless; /* the empty name comes first */

	memset(offsets, 0xff, b->n * sizeof(*offsets));
	if (out && w->nameless)
		out[0] = 0;
	for (size_t i = 0; i < w->n_entries; i++) {
		uint32_t number = w->entries[i].name;
		const struct symbol *s;

		if (number == NO_NAME) {
			if (out)
				w->entries[i].name = 0;
			continue;
		}
		s = &b->symbols[number];
		if (offsets[number] == UINT32_MAX) {
			offsets[number] = (uint32_t)size;
			if (out)
				memcpy(out + size, b->names.data + s->name, s->name_size + 1U);
			size += s->name_size + 1U;
		}
		if (out)
			w->entries[i].name = offsets[number];
	}
	return size;
}

/* About as many buckets as a fourth of the entries, however those lie. */
static void size_buckets(const struct sweep *w, struct function_index_header *h)
{
	uint32_t last = w->entries[w->n_entries - 1].start;

	while (h->bucket_shift < 31 && last >> h->bucket_shift > w->n_entries / 4)
		h->bucket_shift++;
	h->n_buckets = (last >> h->bucket_shift) + 1;
}

static void fill_buckets(const struct sweep *w, const struct function_index_header *h,
			 uint32_t *buckets)
{
	uint32_t entry = 0;

	for (uint32_t b = 0; b < h->n_buckets; b++) {
		while (entry < w->n_entries && w->entries[entry].start >> h->bucket_shift < b)
			entry++;
		buckets[b] = entry;
	}
	buckets[h->n_buckets] = (uint32_t)w->n_entries;
}

static int assemble(struct function_index_builder *b, struct sweep *w, uint32_t sources,
		    const uint8_t *build_id, size_t build_id_size, struct function_index **ret)
{
	_cleanup_free_ uint32_t *offsets = calloc(b->n + 1, sizeof(*offsets));
	_cleanup_free_ struct function_index_header *h = NULL;
	struct function_index_header sizes = { 0 };
	size_t entries_size = w->n_entries * sizeof(*w->entries);
	size_t names_size, size;
	uint32_t *buckets;

	if (!offsets)
		return -ENOMEM;
	names_size = lay_out_names(b, w, NULL, offsets);
	size_buckets(w, &sizes);
	size = sizeof(*h) + entries_size + (sizes.n_buckets + 1UL) * sizeof(*buckets) + names_size;
	h = calloc(1, size);
	if (!h)
		return -ENOMEM;
	*h = sizes;
	buckets = (uint32_t *)((char *)(h + 1) + entries_size);
	lay_out_names(b, w, (char *)(buckets + h->n_buckets + 1), offsets);
	memcpy(h + 1, w->entries, entries_size);
	fill_buckets(w, h, buckets);
	h->magic = FUNCTION_INDEX_MAGIC;
	h->version = FUNCTION_INDEX_VERSION;
	h->sources = sources;
	h->base = w->base;
	h->n_functions = (uint32_t)w->n_entries;
	h->names_size = (uint32_t)names_size;
	h->build_id_size = (uint32_t)build_id_size;
	if (build_id_size)
		memcpy(h->build_id, build_id, build_id_size);
	h->crc = function_index_crc(function_index_header_crc(h), h + 1, size - sizeof(*h));
	*ret = function_index_wrap(h, size, false);
	if (!*ret)
		return -ENOMEM;
	TAKE_PTR(h);
	return 0;
}

int function_index_builder_finish(struct function_index_builder *b, uint32_t sources,
				  const uint8_t *build_id, size_t build_id_size,
				  struct function_index **ret)
{
	struct sweep w = { 0 };
	int r;

	if (b->n == 0 && b->n_places == 0)
		return -ENODATA;
	if (b->n_places)
		qsort(b->places, b->n_places, sizeof(*b->places), compare_places);
	if (b->n)
		qsort_r(b->symbols, b->n, sizeof(*b->symbols), compare_symbols, b->names.data);
	measure_sizeless(b);
	if (b->n) /* again: a size that is known now comes before one that is not */
		qsort_r(b->symbols, b->n, sizeof(*b->symbols), compare_symbols, b->names.data);
	drop_aliases(b);
	w.base = MIN(b->n ? b->symbols[0].start : UINT64_MAX,
		     b->n_places ? b->places[0].start : UINT64_MAX);
	r = sweep(b, &w);
	if (r == 0 && b->n_places)
		r = fill_gaps(b, &w);
	if (r == 0 && w.n_entries == 0)
		r = -ENODATA;
	if (r == 0)
		r = assemble(b, &w, sources, build_id, build_id_size, ret);
	free(w.open);
	free(w.entries);
	return r;
}
