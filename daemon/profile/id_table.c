// SPDX-License-Identifier: Apache-2.0
#include "profile/id_table.h"

#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/prefetch.h"

#define FIRST_SIZE 1024

_Static_assert(sizeof(struct id_table_entry) == 16, "four to a cache line");

static uint64_t hash(uint64_t a, uint32_t b)
{
	uint64_t h = (a ^ b * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;

	return (h ^ h >> 32) * 0xc4ceb9fe1a85ec53ULL;
}

static size_t place(size_t size, uint64_t a, uint32_t b)
{
	return (hash(a, b) >> 20) & (size - 1);
}

/* The entry of (a, b), or the free one where it belongs. */
static struct id_table_entry *probe(struct id_table_entry *entries, size_t size, uint64_t a,
				    uint32_t b)
{
	size_t i = place(size, a, b);

	while (entries[i].id != ID_TABLE_NEW && (entries[i].a != a || entries[i].b != b))
		i = (i + 1) & (size - 1);
	return &entries[i];
}

static void set_free(struct id_table_entry *entries, size_t size)
{
	memset(entries, 0xff, size * sizeof(*entries)); /* every id is ID_TABLE_NEW */
}

static bool is_kept(const struct id_table *t, const struct id_table_entry *e)
{
	return e->id != ID_TABLE_NEW && (!t->keep || t->keep(e, t->userdata));
}

/* Twice the size, or the same when half of it is given up. */
static bool make_room(struct id_table *t)
{
	struct id_table_entry *entries;
	size_t kept = 0, size;

	for (size_t i = 0; i < t->size; i++)
		kept += is_kept(t, &t->entries[i]);
	size = kept * 4 > t->size ? t->size * 2 : MAX(t->size, (size_t)FIRST_SIZE);
	entries = malloc(size * sizeof(*entries));
	if (!entries)
		return false;
	set_free(entries, size);
	for (size_t i = 0; i < t->size; i++)
		if (is_kept(t, &t->entries[i]))
			*probe(entries, size, t->entries[i].a, t->entries[i].b) = t->entries[i];
	free(t->entries);
	t->entries = entries;
	t->size = size;
	t->used = kept;
	return true;
}

uint32_t *id_table_slot(struct id_table *t, uint64_t a, uint32_t b)
{
	struct id_table_entry *e;

	if (t->used * 2 >= t->size && !make_room(t))
		return NULL;
	e = probe(t->entries, t->size, a, b);
	if (e->id == ID_TABLE_NEW) {
		e->a = a;
		e->b = b;
		t->used++;
	}
	return &e->id;
}

void id_table_expect(const struct id_table *t, uint64_t a, uint32_t b)
{
	if (t->size)
		prefetch(&t->entries[place(t->size, a, b)]);
}

void id_table_clear(struct id_table *t)
{
	if (t->used)
		set_free(t->entries, t->size);
	t->used = 0;
}

void id_table_done(struct id_table *t)
{
	free(t->entries);
	*t = (struct id_table){};
}
