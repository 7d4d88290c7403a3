/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Many sorted sources as one, by time: a binary heap of the next record of each.
 */
#include <stddef.h>
#include <stdint.h>

struct merge_source {
	uint64_t time_ns; /* of the next record */
	uint32_t rank; /* lower goes first at equal times */
	uint32_t index; /* which ring */
	const void *record;
};

struct merge {
	struct merge_source *heap;
	size_t n;
};

void merge_push(struct merge *m, struct merge_source s); /* the caller has room for every source */
/* The earliest; NULL when empty. Change its time and record, then merge_settle(); or merge_pop()
 * it. */
struct merge_source *merge_first(struct merge *m);
void merge_settle(struct merge *m);
void merge_pop(struct merge *m);
