/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Byte strings to ids 0, 1, 2 ... shared by the threads that load a profile. What was added stays
 * where it is until the end, so that strings inside it can be pointed at.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

struct dictionary_entry {
	uint32_t key_size;
	uint32_t size;
	_Alignas(8) uint8_t data[];
};

struct dictionary_slot {
	struct dictionary_entry *entry; /* NULL: free */
	uint32_t hash;
	uint32_t id;
};

struct dictionary_block;

struct dictionary {
	pthread_mutex_t lock;
	uint64_t seed;
	struct dictionary_slot *slots;
	size_t n_slots; /* a power of two, or 0 */
	struct dictionary_entry **entries;
	size_t n, capacity;
	struct dictionary_block *block; /* the newest; entries are cut from it */
	size_t block_left;
};

/* `seed` should not be known to who wrote the input. */
void dictionary_init(struct dictionary *d, uint64_t seed);
void dictionary_done(struct dictionary *d);

/*
 * The id of the first key_size bytes of `data`, new or known. The bytes behind them, up to `size`,
 * are kept with the first who brings the key. From any thread.
 */
int dictionary_add(struct dictionary *d, const void *data, size_t key_size, size_t size,
		   uint32_t *ret_id);

/* From any thread; 8-byte aligned, stays where it is. */
const void *dictionary_get_shared(struct dictionary *d, uint32_t id);

/* Only while nobody adds. */
static inline const void *dictionary_get(const struct dictionary *d, uint32_t id)
{
	return d->entries[id]->data;
}

static inline size_t dictionary_get_size(const struct dictionary *d, uint32_t id)
{
	return d->entries[id]->size;
}

/* 64 bits to 64 bits, one to one, every output bit depending on every input bit (splitmix64). */
static inline uint64_t mix64(uint64_t v)
{
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
	return v ^ (v >> 31);
}
