// SPDX-License-Identifier: Apache-2.0
#include "symbols/address_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void address_ranges_clear(struct address_ranges *r)
{
	for (size_t i = 0; i < r->n; i++)
		object_unref(r->list[i].object);
	free(r->list);
	*r = (struct address_ranges){ 0 };
}

size_t address_ranges_after(const struct address_ranges *r, uint64_t address)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->list[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct object *address_ranges_find(const struct address_ranges *r, uint64_t address)
{
	size_t i = address_ranges_after(r, address);

	return i < r->n && r->list[i].start <= address ? r->list[i].object : NULL;
}

void address_ranges_remove(struct address_ranges *r, size_t i)
{
	object_unref(r->list[i].object);
	r->n--;
	memmove(&r->list[i], &r->list[i + 1], (r->n - i) * sizeof(*r->list));
}

static int reserve(struct address_ranges *r)
{
	size_t capacity = r->capacity ? r->capacity * 2 : 16;
	struct address_range *list;

	if (r->n < r->capacity)
		return 0;
	list = reallocarray(r->list, capacity, sizeof(*list));
	if (!list)
		return -ENOMEM;
	r->list = list;
	r->capacity = capacity;
	return 0;
}

int address_ranges_insert(struct address_ranges *r, uint64_t start, uint64_t end, struct object *o)
{
	size_t i = address_ranges_after(r, start);

	if (start >= end)
		return 0;
	if (reserve(r) < 0)
		return -ENOMEM;
	if (i < r->n && r->list[i].start < start)
		r->list[i++].end = start;
	while (i < r->n && r->list[i].start < end)
		address_ranges_remove(r, i);
	memmove(&r->list[i + 1], &r->list[i], (r->n - i) * sizeof(*r->list));
	r->list[i] = (struct address_range){ .start = start, .end = end, .object = object_ref(o) };
	r->n++;
	return 0;
}

int address_ranges_append(struct address_ranges *r, uint64_t start, uint64_t end, struct object *o)
{
	if (reserve(r) < 0)
		return -ENOMEM;
	r->list[r->n++] =
		(struct address_range){ .start = start, .end = end, .object = object_ref(o) };
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct address_range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

void address_ranges_sort(struct address_ranges *r)
{
	if (r->n)
		qsort(r->list, r->n, sizeof(*r->list), compare);
}
