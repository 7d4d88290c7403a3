// SPDX-License-Identifier: Apache-2.0
#include "symbols/perf_map.h"

#include <stdlib.h>
#include <string.h>

void perf_map_init(struct perf_map *m)
{
	memset(m, 0, sizeof(*m));
	m->names.limit = PERF_MAP_NAMES_BYTES_MAX;
}

void perf_map_done(struct perf_map *m)
{
	free(m->entries);
	buffer_done(&m->names);
	perf_map_init(m);
}

/* An entry on its way into the table: what comes later has the higher order. */
struct layer {
	struct perf_map_entry entry;
	uint32_t order;
};

static int compare_layers(const void *left, const void *right)
{
	const struct layer *a = left, *b = right;

	if (a->entry.start != b->entry.start)
		return a->entry.start < b->entry.start ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* A heap of layers, the highest order on top, and what was put out so far. */
struct merge {
	const struct layer **heap;
	size_t n_heap;
	struct perf_map_entry *out;
	size_t n_out, capacity;
	uint64_t position;
};

static void heap_push(struct merge *w, const struct layer *l)
{
	size_t i = w->n_heap++;

	for (; i > 0 && w->heap[(i - 1) / 2]->order < l->order; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = l;
}

static void heap_pop(struct merge *w)
{
	const struct layer *last = w->heap[--w->n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < w->n_heap) {
		if (child + 1 < w->n_heap && w->heap[child + 1]->order > w->heap[child]->order)
			child++;
		if (w->heap[child]->order <= last->order)
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
}

static void put_out(struct merge *w, uint64_t end, uint32_t name)
{
	struct perf_map_entry *previous = w->n_out ? &w->out[w->n_out - 1] : NULL;
	uint64_t size = end - w->position;

	if (previous && previous->name == name && previous->start + previous->size == w->position &&
	    previous->size + size <= UINT32_MAX)
		previous->size += (uint32_t)size;
	else if (w->n_out < w->capacity)
		w->out[w->n_out++] = (struct perf_map_entry){ .start = w->position,
							      .size = (uint32_t)size,
							      .name = name };
	w->position = end;
}

/* Gives everything up to `to` to the topmost layer that covers it. */
static void advance(struct merge *w, uint64_t to)
{
	while (w->n_heap > 0 && w->position < to) {
		const struct perf_map_entry *e = &w->heap[0]->entry;
		uint64_t end = e->start + e->size;

		if (end <= w->position)
			heap_pop(w);
		else
			put_out(w, MIN(end, to), e->name);
	}
	w->position = to;
}

static bool merge_layers(struct layer *layers, size_t n, struct perf_map *m)
{
	struct merge w = { .capacity = 2 * n };

	w.heap = calloc(n, sizeof(*w.heap));
	w.out = calloc(w.capacity, sizeof(*w.out));
	if (w.heap && w.out) {
		qsort(layers, n, sizeof(*layers), compare_layers);
		for (size_t i = 0; i < n; i++) {
			advance(&w, layers[i].entry.start);
			heap_push(&w, &layers[i]);
		}
		advance(&w, UINT64_MAX);
	}
	free(w.heap);
	if (!w.out)
		return false;
	free(m->entries);
	m->entries = reallocarray(w.out, MAX(w.n_out, (size_t)1), sizeof(*w.out));
	if (!m->entries)
		m->entries = w.out;
	m->n_entries = w.n_out;
	m->n_recent = 0;
	return true;
}

static void merge_recent(struct perf_map *m)
{
	size_t n = m->n_entries + m->n_recent;
	struct layer *layers = calloc(n, sizeof(*layers));

	for (size_t i = 0; layers && i < n; i++) {
		bool old = i < m->n_entries;

		layers[i].entry = old ? m->entries[i] : m->recent[i - m->n_entries];
		layers[i].order = old ? 0 : (uint32_t)(i - m->n_entries + 1);
	}
	if (!layers || !merge_layers(layers, n, m) || m->n_entries > PERF_MAP_ENTRIES_MAX)
		m->full = true;
	free(layers);
}

static const char *parse_hex(const char *p, const char *end, uint64_t *ret)
{
	const char *start;
	uint64_t v = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
		p += 2;
	for (start = p; p < end && p - start <= 16; p++) {
		char c = *p | 0x20;

		if (c >= '0' && c <= '9' && *p == c)
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	if (p == start || p - start > 16)
		return NULL;
	*ret = v;
	return p;
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static void take_line(struct perf_map *m, const char *p, const char *end)
{
	struct perf_map_entry e;
	uint64_t size;

	p = parse_hex(p, end, &e.start);
	if (!p || p == end || (p = parse_hex(skip_blanks(p, end), end, &size)) == NULL)
		return;
	p = skip_blanks(p, end);
	if (end > p && end[-1] == '\r')
		end--;
	if (p == end || *p == '\0' || size == 0 || e.start > UINT64_MAX - size)
		return;
	if (m->n_recent == PERF_MAP_RECENT_MAX)
		merge_recent(m);
	if (m->full)
		return;
	e.size = (uint32_t)MIN(size, (uint64_t)UINT32_MAX);
	e.name = (uint32_t)m->names.size;
	buffer_put(&m->names, p, strnlen(p, (size_t)(end - p)));
	buffer_put_byte(&m->names, 0);
	if (m->names.error)
		m->full = true;
	else
		m->recent[m->n_recent++] = e;
}

/* Keeps what a line has so far. What is longer than room for it is cut. */
static void keep(struct perf_map *m, const char *text, size_t size)
{
	size_t n = MIN(size, sizeof(m->line) - m->line_size);

	memcpy(m->line + m->line_size, text, n);
	m->line_size += n;
}

void perf_map_feed(struct perf_map *m, const char *text, size_t size)
{
	const char *end = text + size, *newline;

	while (!m->full && text < end) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline) {
			keep(m, text, (size_t)(end - text));
			return;
		}
		if (m->line_size > 0) {
			keep(m, text, (size_t)(newline - text));
			take_line(m, m->line, m->line + m->line_size);
			m->line_size = 0;
		} else {
			take_line(m, text, text + MIN((size_t)(newline - text), sizeof(m->line)));
		}
		text = newline + 1;
	}
}

static bool covers(const struct perf_map_entry *e, uint64_t address)
{
	return address >= e->start && address - e->start < e->size;
}

bool perf_map_find(const struct perf_map *m, uint64_t address, struct function *ret)
{
	const struct perf_map_entry *e = NULL;
	size_t low = 0, high = m->n_entries;

	for (size_t i = m->n_recent; i > 0 && !e; i--)
		if (covers(&m->recent[i - 1], address))
			e = &m->recent[i - 1];
	while (!e && low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->entries[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!e && low > 0 && covers(&m->entries[low - 1], address))
		e = &m->entries[low - 1];
	if (!e)
		return false;
	*ret = (struct function){
		.number = e->name, /* the only number that stays the same */
		.start = e->start,
		.size = e->size,
		.name = (const char *)m->names.data + e->name,
	};
	return true;
}

size_t perf_map_bytes(const struct perf_map *m)
{
	return sizeof(*m) + m->n_entries * sizeof(*m->entries) + m->names.capacity;
}
