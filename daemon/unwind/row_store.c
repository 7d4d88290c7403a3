// SPDX-License-Identifier: Apache-2.0
#include "unwind/row_store.h"

#include <errno.h>
#include <string.h>

#include "unwind/extents.h"
#include "unwind/unwind_table.h"
#include "util/clock.h"
#include "util/parse.h"

/* References to an object that nothing maps: the object table's, and the store's. */
#define UNMAPPED_REFS 2

struct owner {
	struct object *object; /* referenced; NULL: the slot is free */
	uint32_t first, n; /* words */
	bool waits; /* object->rows is to be put */
};

struct row_store {
	struct unwind_maps *maps;
	struct owner *owners; /* [maps->n_slots]; slot 0 stays empty */
	struct extents words;
	size_t n_waiting, n_tables;
	uint32_t next_slot; /* where to look for a free one */
	uint64_t evicted, refused;
};

int row_store_new(struct unwind_maps *maps, struct row_store **ret)
{
	_cleanup_(row_store_freep) struct row_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->maps = maps;
	s->next_slot = 1;
	s->owners = calloc(maps->n_slots, sizeof(*s->owners));
	if (!s->owners)
		return -ENOMEM;
	r = extents_init(&s->words, (uint32_t)maps->n_words);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

/* --- what goes --- */

/* From here on a walk finds no rows; one that has found them reads on for a moment. */
static void drop_rows(struct row_store *s, uint32_t slot)
{
	struct owner *w = &s->owners[slot];

	__atomic_store_n(&s->maps->slots[slot].pages, 0, __ATOMIC_RELEASE);
	s->n_tables -= w->n > 0;
	(void)extents_give(&s->words, w->first, w->n, now_ns());
	w->n = 0;
	w->object->rows_state = INDEX_NONE;
	w->object->asked_pid = 0;
}

static void free_slot(struct row_store *s, uint32_t slot)
{
	struct owner *w = &s->owners[slot];

	if (w->n)
		drop_rows(s, slot);
	s->n_waiting -= w->waits;
	w->object->slot = 0;
	object_unref(w->object);
	*w = (struct owner){};
}

/* Whether `a` should go before `b`. */
static bool goes_before(const struct object *a, const struct object *b)
{
	bool a_unmapped = a->refs <= UNMAPPED_REFS, b_unmapped = b->refs <= UNMAPPED_REFS;

	return a_unmapped != b_unmapped ? a_unmapped : a->epoch < b->epoch;
}

/* What was needed in the recorder's present epoch stays; 0: nothing may go. */
static uint32_t find_victim(const struct row_store *s, const struct object *for_object,
			    bool only_unmapped)
{
	uint64_t present = 0;
	uint32_t victim = 0;

	for (uint32_t i = 1; i < s->maps->n_slots; i++)
		if (s->owners[i].object)
			present = MAX(present, s->owners[i].object->epoch);
	for (uint32_t i = 1; i < s->maps->n_slots; i++) {
		const struct object *o = s->owners[i].object;

		if (!o || o == for_object || (!only_unmapped && s->owners[i].n == 0))
			continue;
		if (o->refs > UNMAPPED_REFS && (only_unmapped || o->epoch == present))
			continue;
		if (!victim || goes_before(o, s->owners[victim].object))
			victim = i;
	}
	return victim;
}

/* Gives back at least `n` words, which rest for a while; false: there is not that much. */
static bool make_room(struct row_store *s, const struct object *o, uint32_t n)
{
	uint32_t given = 0, victim;

	while (given < n && (victim = find_victim(s, o, false))) {
		given += s->owners[victim].n;
		s->evicted++;
		if (s->owners[victim].object->refs <= UNMAPPED_REFS)
			free_slot(s, victim);
		else
			drop_rows(s, victim);
	}
	return given >= n;
}

/* --- what comes --- */

static uint32_t take_free_slot(struct row_store *s)
{
	for (size_t i = 0; i < s->maps->n_slots; i++) {
		uint32_t slot = s->next_slot;

		s->next_slot = slot + 1 < s->maps->n_slots ? slot + 1 : 1;
		if (slot && !s->owners[slot].object)
			return slot;
	}
	return 0;
}

uint32_t row_store_slot(struct row_store *s, struct object *o)
{
	uint32_t slot = o->slot ? o->slot : take_free_slot(s);

	if (!slot && (slot = find_victim(s, o, true)))
		free_slot(s, slot);
	if (!slot || o->slot)
		return slot;
	s->owners[slot] = (struct owner){ .object = object_ref(o) };
	s->maps->slots[slot] = (struct unwind_slot){};
	o->slot = slot;
	if (o->rows)
		row_store_put(s, o);
	return slot;
}

/* Of each page, the row in force where it begins; two in a word. */
static void write_index(uint64_t *words, const struct unwind_table *t, uint32_t pages)
{
	uint32_t *index = (uint32_t *)words;
	uint32_t row = 0;

	for (uint32_t page = 0; page <= pages; page++) {
		uint64_t begin = (uint64_t)page << UNWIND_PAGE_SHIFT;

		while (row + 1 < t->n_rows && t->rows[row + 1].pc <= begin)
			row++;
		index[page] = row;
	}
}

static int write_table(struct row_store *s, uint32_t slot, const struct unwind_table *t)
{
	uint32_t pages = (t->rows[t->n_rows - 1].pc >> UNWIND_PAGE_SHIFT) + 1;
	uint32_t index_words = (pages + 2) / 2, n = index_words + t->n_rows;
	int64_t first = extents_take(&s->words, n, now_ns());
	struct unwind_slot *to = &s->maps->slots[slot];
	int r;

	if (first < 0)
		return (int)first;
	r = unwind_maps_reach(s->maps, (size_t)first + n);
	if (r < 0) {
		(void)extents_give(&s->words, (uint32_t)first, n, now_ns());
		return r;
	}
	s->owners[slot].first = (uint32_t)first;
	s->owners[slot].n = n;
	write_index(s->maps->words + first, t, pages);
	memcpy(s->maps->words + first + index_words, t->rows, t->n_rows * sizeof(t->rows[0]));
	to->base = t->base;
	to->index = (uint32_t)first;
	to->rows = (uint32_t)first + index_words;
	__atomic_store_n(&to->pages, pages, __ATOMIC_RELEASE);
	s->n_tables++;
	return 0;
}

static void settle(struct row_store *s, struct object *o, enum index_state state, int error)
{
	struct owner *w = &s->owners[o->slot];

	o->rows = unwind_table_free(o->rows);
	o->rows_state = state;
	o->rows_error = error;
	o->rows_ns = now_ns();
	s->n_waiting -= w->waits;
	w->waits = false;
}

static void wait_for_room(struct row_store *s, struct object *o)
{
	struct owner *w = &s->owners[o->slot];
	uint64_t words = (uint64_t)o->rows->n_rows + o->rows->rows[o->rows->n_rows - 1].pc / 512 + 2;

	if (words > s->maps->n_words || !make_room(s, o, (uint32_t)words)) {
		s->refused++;
		settle(s, o, INDEX_FAILED, -ENOSPC);
		return;
	}
	s->n_waiting += !w->waits;
	w->waits = true;
}

void row_store_put(struct row_store *s, struct object *o)
{
	int r;

	if (!o->slot || !o->rows)
		return;
	s->maps->slots[o->slot].how = o->rows->summary->go ? UNWIND_BY_FP : UNWIND_BY_ROWS;
	if (o->rows->n_rows == 0) {
		settle(s, o, INDEX_FAILED, -ENODATA);
		return;
	}
	r = write_table(s, o->slot, o->rows);
	if (r == -ENOSPC)
		wait_for_room(s, o);
	else
		settle(s, o, r < 0 ? INDEX_FAILED : INDEX_READY, r);
}

void row_store_tick(struct row_store *s)
{
	for (uint32_t i = 1; s->n_waiting && i < s->maps->n_slots; i++)
		if (s->owners[i].waits)
			row_store_put(s, s->owners[i].object);
}

void row_store_each(struct row_store *s, void (*each)(struct object *o, void *userdata),
		    void *userdata)
{
	for (uint32_t i = 1; i < s->maps->n_slots; i++)
		if (s->owners[i].object)
			each(s->owners[i].object, userdata);
}

struct row_store *row_store_free(struct row_store *s)
{
	if (!s)
		return NULL;
	for (uint32_t i = 1; s->owners && i < s->maps->n_slots; i++)
		if (s->owners[i].object)
			free_slot(s, i);
	extents_done(&s->words);
	free(s->owners);
	free(s);
	return NULL;
}

void row_store_get_stats(const struct row_store *s, struct row_store_stats *ret)
{
	*ret = (struct row_store_stats){
		.bytes = (uint64_t)s->words.used * sizeof(uint64_t),
		.limit_bytes = s->maps->n_words * sizeof(uint64_t),
		.tables = s->n_tables,
		.evicted = s->evicted,
		.refused = s->refused,
	};
}
