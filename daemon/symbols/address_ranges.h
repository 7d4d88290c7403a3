/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A sorted table of address ranges without overlaps, each with an object it holds a reference to.
 */
#include <stddef.h>
#include <stdint.h>

#include "symbols/object.h"

struct address_range {
	uint64_t start, end; /* end exclusive */
	struct object *object;
};

struct address_ranges {
	struct address_range *list;
	size_t n, capacity;
};

void address_ranges_clear(struct address_ranges *r); /* empty and usable again */
/* The first range that ends after `address`; r->n when there is none. */
size_t address_ranges_after(const struct address_ranges *r, uint64_t address);
/* Borrowed; NULL: no range holds the address. */
struct object *address_ranges_find(const struct address_ranges *r, uint64_t address);
/* The newer range is the true one: older ones make room. An empty range is not inserted. 0 or
 * -ENOMEM. */
int address_ranges_insert(struct address_ranges *r, uint64_t start, uint64_t end, struct object *o);
/* Puts it at the end, in whatever order, for who sorts the list himself. 0 or -ENOMEM. */
int address_ranges_append(struct address_ranges *r, uint64_t start, uint64_t end, struct object *o);
void address_ranges_sort(struct address_ranges *r);
void address_ranges_remove(struct address_ranges *r, size_t i);
