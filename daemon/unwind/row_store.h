/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The rows of every binary that is mapped, or was: written once into the memory that the BPF
 * unwinder reads, shared by all processes. When there is no room, what nobody maps any more goes
 * first, then what was sampled longest ago.
 *
 * An object has a slot, a number that mappings refer to; its rows can come later, and go.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbols/object.h"
#include "unwind/unwind_maps.h"

struct row_store;

/* The maps are borrowed. */
int row_store_new(struct unwind_maps *maps, struct row_store **ret);
struct row_store *row_store_free(struct row_store *s);
DEFINE_CLEANUP(struct row_store *, row_store_free);

/* The slot of an object, a new one if need be; 0, which has never rows: there is none left. */
uint32_t row_store_slot(struct row_store *s, struct object *o);
/*
 * Takes o->rows to where the unwinder finds them, if the object has a slot, and frees them. When
 * they must wait, because the room they take was just given back, they stay with the object for
 * row_store_tick().
 */
void row_store_put(struct row_store *s, struct object *o);
/* Once a second. */
void row_store_tick(struct row_store *s);

/* Calls `each` for every object that has a slot. */
void row_store_each(struct row_store *s, void (*each)(struct object *o, void *userdata),
		    void *userdata);

struct row_store_stats {
	uint64_t bytes, limit_bytes;
	size_t tables; /* with rows */
	uint64_t evicted; /* tables that had to go */
	uint64_t refused; /* tables for which there was no room */
};
void row_store_get_stats(const struct row_store *s, struct row_store_stats *ret);
