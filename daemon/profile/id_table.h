/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A hash table from two 64-bit words to a 32-bit id, made to be emptied often: clearing bumps a
 * generation.
 */
#include <stddef.h>
#include <stdint.h>

#define ID_TABLE_NEW UINT32_MAX

struct id_table_entry {
	uint64_t a, b;
	uint32_t generation, id;
};

struct id_table {
	struct id_table_entry *entries;
	size_t size; /* a power of two */
	size_t used;
	uint32_t generation;
};

/*
 * The id kept for (a, b): ID_TABLE_NEW when it was not there, for the caller to fill in. Valid
 * until the next call; NULL when out of memory.
 */
uint32_t *id_table_slot(struct id_table *t, uint64_t a, uint64_t b);
void id_table_clear(struct id_table *t);
void id_table_done(struct id_table *t);
