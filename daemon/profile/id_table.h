/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A hash table from two numbers to a 32-bit id. Four entries share a cache line: what a look-up
 * costs is the line that was not there.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_TABLE_NEW UINT32_MAX

struct id_table_entry {
	uint64_t a;
	uint32_t b, id; /* ID_TABLE_NEW: free */
};

struct id_table {
	struct id_table_entry *entries;
	size_t size; /* a power of two */
	size_t used;
	/* NULL, or which entries are worth taking along when there is no room left. */
	bool (*keep)(const struct id_table_entry *entry, void *userdata);
	void *userdata;
};

/*
 * The id kept for (a, b): ID_TABLE_NEW when it was not there, for the caller to fill in before the
 * next call. Valid until then; NULL when out of memory.
 */
uint32_t *id_table_slot(struct id_table *t, uint64_t a, uint32_t b);
/* A hint that (a, b) will be asked for in a moment. */
void id_table_expect(const struct id_table *t, uint64_t a, uint32_t b);
void id_table_clear(struct id_table *t);
void id_table_done(struct id_table *t);
