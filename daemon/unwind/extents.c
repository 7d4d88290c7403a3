// SPDX-License-Identifier: Apache-2.0
#include "unwind/extents.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/parse.h"

/* A program runs for microseconds, with interrupts off. */
#define REST_NS (10 * NSEC_PER_MSEC)

static int reserve(struct extent **list, size_t *capacity, size_t need)
{
	size_t grown = MAX(*capacity * 2, need + 16);
	struct extent *moved;

	if (need <= *capacity)
		return 0;
	moved = reallocarray(*list, grown, sizeof(**list));
	if (!moved)
		return -ENOMEM;
	*list = moved;
	*capacity = grown;
	return 0;
}

int extents_init(struct extents *e, uint32_t n)
{
	*e = (struct extents){};
	if (reserve(&e->free, &e->free_capacity, 1) < 0)
		return -ENOMEM;
	e->free[0] = (struct extent){ .first = 0, .n = n };
	e->n_free = n > 0;
	return 0;
}

void extents_done(struct extents *e)
{
	free(e->free);
	free(e->resting);
	*e = (struct extents){};
}

/* The first free extent behind `first`. */
static size_t place_of(const struct extents *e, uint32_t first)
{
	size_t low = 0, n = e->n_free;

	while (n > 0) {
		size_t half = n / 2;

		if (e->free[low + half].first < first) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static void remove_free(struct extents *e, size_t i)
{
	memmove(&e->free[i], &e->free[i + 1], (--e->n_free - i) * sizeof(e->free[0]));
}

/* Joins it with its neighbours. */
static int add_free(struct extents *e, struct extent add)
{
	size_t i = place_of(e, add.first);

	if (reserve(&e->free, &e->free_capacity, e->n_free + 1) < 0)
		return -ENOMEM;
	e->used -= add.n;
	if (i < e->n_free && add.first + add.n == e->free[i].first) {
		add.n += e->free[i].n;
		remove_free(e, i);
	}
	if (i > 0 && e->free[i - 1].first + e->free[i - 1].n == add.first) {
		e->free[i - 1].n += add.n;
		return 0;
	}
	memmove(&e->free[i + 1], &e->free[i], (e->n_free++ - i) * sizeof(e->free[0]));
	e->free[i] = add;
	return 0;
}

static void wake_rested(struct extents *e, uint64_t now_ns)
{
	size_t n = 0;

	while (n < e->n_resting && e->resting[n].free_ns + REST_NS <= now_ns &&
	       add_free(e, e->resting[n]) == 0)
		n++;
	if (n == 0)
		return;
	e->n_resting -= n;
	memmove(&e->resting[0], &e->resting[n], e->n_resting * sizeof(e->resting[0]));
}

int64_t extents_take(struct extents *e, uint32_t n, uint64_t now_ns)
{
	wake_rested(e, now_ns);
	for (size_t i = 0; i < e->n_free; i++) {
		uint32_t first = e->free[i].first;

		if (e->free[i].n < n)
			continue;
		e->free[i].first += n;
		e->free[i].n -= n;
		e->used += n;
		if (e->free[i].n == 0)
			remove_free(e, i);
		return first;
	}
	return -ENOSPC;
}

int extents_give(struct extents *e, uint32_t first, uint32_t n, uint64_t now_ns)
{
	if (n == 0)
		return 0;
	if (reserve(&e->resting, &e->resting_capacity, e->n_resting + 1) < 0)
		return -ENOMEM;
	e->resting[e->n_resting++] = (struct extent){ first, n, now_ns };
	return 0;
}
