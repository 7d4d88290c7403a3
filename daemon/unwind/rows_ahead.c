// SPDX-License-Identifier: Apache-2.0
#include "unwind/rows_ahead.h"

#include <stdlib.h>

#define AT_ONCE 4 /* a sample that waits for rows waits for these at most */

struct candidate {
	struct object *object; /* referenced */
	uint32_t pid;
	uint64_t start, end;
};

struct rows_ahead {
	struct symbols *symbols;
	struct candidate *list;
	size_t n, capacity;
	size_t first, next; /* under way, and the one after them */
};

struct rows_ahead *rows_ahead_new(struct symbols *symbols)
{
	struct rows_ahead *a = calloc(1, sizeof(*a));

	if (a)
		a->symbols = symbols;
	return a;
}

struct rows_ahead *rows_ahead_free(struct rows_ahead *a)
{
	if (!a)
		return NULL;
	for (size_t i = 0; i < a->n; i++) {
		a->list[i].object->rows_ahead = false;
		object_unref(a->list[i].object);
	}
	free(a->list);
	free(a);
	return NULL;
}

void rows_ahead_note(struct rows_ahead *a, struct object *o, uint32_t pid, uint64_t start,
		     uint64_t end)
{
	if (o->rows_ahead || o->rows_state != INDEX_NONE)
		return;
	if (a->n == a->capacity) {
		size_t capacity = MAX(a->capacity * 2, (size_t)64);
		struct candidate *grown = reallocarray(a->list, capacity, sizeof(*grown));

		if (!grown)
			return;
		a->list = grown;
		a->capacity = capacity;
	}
	o->rows_ahead = true;
	a->list[a->n++] = (struct candidate){ object_ref(o), pid, start, end };
}

/* Processes that gain per byte of code. Each list of mappings holds a reference to its objects. */
static double worth(const struct candidate *c)
{
	return (double)c->object->refs / (double)MAX(c->end - c->start, 1ULL);
}

static int compare_worth(const void *x, const void *y)
{
	double a = worth(x), b = worth(y);

	return a > b ? -1 : a < b;
}

bool rows_ahead_go_on(struct rows_ahead *a)
{
	if (a->next == 0 && a->n)
		qsort(a->list, a->n, sizeof(*a->list), compare_worth);
	for (; a->first < a->next; a->first++)
		if (a->list[a->first].object->rows_state == INDEX_PENDING)
			return true;
	for (; a->next < a->n && a->next < a->first + AT_ONCE; a->next++) {
		const struct candidate *c = &a->list[a->next];

		symbols_request_rows(a->symbols, c->object, (pid_t)c->pid, c->start, c->end);
	}
	return a->first < a->n;
}
