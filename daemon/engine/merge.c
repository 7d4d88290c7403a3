// SPDX-License-Identifier: Apache-2.0
#include "engine/merge.h"

#include <stdbool.h>

static bool before(const struct merge_source *a, const struct merge_source *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->rank < b->rank;
}

static void swap(struct merge_source *a, struct merge_source *b)
{
	struct merge_source t = *a;

	*a = *b;
	*b = t;
}

void merge_push(struct merge *m, struct merge_source s)
{
	size_t i = m->n++;

	m->heap[i] = s;
	while (i && before(&m->heap[i], &m->heap[(i - 1) / 2])) {
		swap(&m->heap[i], &m->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

struct merge_source *merge_first(struct merge *m)
{
	return m->n ? m->heap : NULL;
}

void merge_settle(struct merge *m)
{
	size_t i = 0;

	for (;;) {
		size_t first = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < m->n; child++)
			if (before(&m->heap[child], &m->heap[first]))
				first = child;
		if (first == i)
			return;
		swap(&m->heap[i], &m->heap[first]);
		i = first;
	}
}

void merge_pop(struct merge *m)
{
	m->heap[0] = m->heap[--m->n];
	merge_settle(m);
}
