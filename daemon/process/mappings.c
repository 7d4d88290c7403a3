// SPDX-License-Identifier: Apache-2.0
/*
 * A sorted array without overlaps. A change touches the few ranges it overlaps and moves the rest,
 * which beats a tree at the sizes processes have (20 in the median, hundreds in a browser).
 */
#include "process/mappings.h"

#include <errno.h>
#include <string.h>

#define MIN_CAPACITY 8

struct mappings *mappings_ref(struct mappings *m)
{
	if (m)
		m->refs++;
	return m;
}

struct mappings *mappings_unref(struct mappings *m)
{
	if (!m || --m->refs > 0)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		object_unref(m->list[i].object);
	free(m);
	return NULL;
}

size_t mappings_lower_bound(const struct mappings *m, uint64_t address)
{
	size_t low = 0, n = m ? m->n : 0;

	while (n > 0) {
		size_t half = n / 2;

		if (m->list[low + half].end <= address) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

const struct mapping *mappings_find(const struct mappings *m, uint64_t address)
{
	size_t i = mappings_lower_bound(m, address);

	return m && i < m->n && m->list[i].start <= address ? &m->list[i] : NULL;
}

static struct mappings *copy(const struct mappings *m, size_t capacity)
{
	struct mappings *c = malloc(sizeof(*c) + capacity * sizeof(c->list[0]));

	if (!c)
		return NULL;
	*c = (struct mappings){ .refs = 1, .n = m ? m->n : 0, .capacity = (uint32_t)capacity };
	c->version = m ? m->version : 0;
	c->own_code = m && m->own_code;
	for (size_t i = 0; i < c->n; i++) {
		c->list[i] = m->list[i];
		object_ref(c->list[i].object);
	}
	return c;
}

/* Makes *m unshared, with room for `need` mappings. */
static int make_writable(struct mappings **m, size_t need)
{
	struct mappings *old = *m, *new;
	size_t capacity = MAX(need + need / 2, (size_t)MIN_CAPACITY);

	if (old && old->refs == 1 && need <= old->capacity)
		return 0;
	if (old && old->refs == 1) {
		new = realloc(old, sizeof(*new) + capacity * sizeof(new->list[0]));
		if (!new)
			return -ENOMEM;
		new->capacity = (uint32_t)capacity;
	} else {
		new = copy(old, capacity);
		if (!new)
			return -ENOMEM;
		mappings_unref(old);
	}
	*m = new;
	return 0;
}

/* Whether `next` goes on where `m` ends, in memory and in the object. */
static bool continues(const struct mapping *m, const struct mapping *next)
{
	return m->end == next->start && m->object == next->object &&
	       m->pgoff + (m->end - m->start) == next->pgoff;
}

/*
 * What shall stand in the place of list[first .. last): the head of the first, the new range, the
 * tail of the last, joined where they continue each other. References are not counted here.
 */
static size_t plan(const struct mappings *m, size_t first, size_t last, const struct mapping *add,
		   struct mapping out[3])
{
	size_t n = 0;

	if (first < last && m->list[first].start < add->start) {
		out[n] = m->list[first];
		out[n++].end = add->start;
	}
	if (n && continues(&out[n - 1], add))
		out[n - 1].end = add->end;
	else
		out[n++] = *add;
	if (first < last && m->list[last - 1].end > add->end) {
		struct mapping tail = m->list[last - 1];

		tail.pgoff += add->end - tail.start;
		tail.start = add->end;
		if (continues(&out[n - 1], &tail))
			out[n - 1].end = tail.end;
		else
			out[n++] = tail;
	}
	return n;
}

static void replace(struct mappings *m, size_t first, size_t last, const struct mapping *with,
		    size_t n)
{
	/* Count up before down: the same object may be on both sides. */
	for (size_t i = 0; i < n; i++)
		object_ref(with[i].object);
	for (size_t i = first; i < last; i++)
		object_unref(m->list[i].object);
	memmove(&m->list[first + n], &m->list[last], (m->n - last) * sizeof(m->list[0]));
	memcpy(&m->list[first], with, n * sizeof(m->list[0]));
	m->n = m->n - (last - first) + n;
}

/* The neighbours that touch the new range and continue it are replaced with it. */
static void widen(const struct mappings *m, const struct mapping *add, size_t *first, size_t *last)
{
	if (*first > 0 && continues(&m->list[*first - 1], add))
		(*first)--;
	if (m && *last < m->n && continues(add, &m->list[*last]))
		(*last)++;
}

static bool same(const struct mapping *a, const struct mapping *b)
{
	return a->start == b->start && a->end == b->end && a->pgoff == b->pgoff &&
	       a->object == b->object;
}

int mappings_overlay(struct mappings **m, const struct mapping *add)
{
	struct mapping with[3];
	size_t first, last, n, total;
	int r;

	if (add->start >= add->end || add->pgoff > UINT64_MAX - (add->end - add->start))
		return -EINVAL;
	first = last = mappings_lower_bound(*m, add->start);
	while (*m && last < (*m)->n && (*m)->list[last].start < add->end)
		last++;
	widen(*m, add, &first, &last);
	n = plan(*m, first, last, add, with);
	if (n == 1 && last - first == 1 && same(&with[0], &(*m)->list[first]))
		return 0;
	total = (*m ? (*m)->n : 0) - (last - first) + n;
	if (total > MAPPINGS_MAX)
		return -ENOSPC;
	r = make_writable(m, total);
	if (r < 0)
		return r;
	replace(*m, first, last, with, n);
	return 1;
}
