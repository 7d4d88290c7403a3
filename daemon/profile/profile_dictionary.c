// SPDX-License-Identifier: Apache-2.0
#include "profile/profile_dictionary.h"

#include <errno.h>
#include <string.h>

#define BLOCK_BYTES (256u << 10)

struct dictionary_block {
	struct dictionary_block *next;
	_Alignas(16) uint8_t data[];
};

void dictionary_init(struct dictionary *d, uint64_t seed)
{
	*d = (struct dictionary){ .seed = seed };
	pthread_mutex_init(&d->lock, NULL);
}

void dictionary_done(struct dictionary *d)
{
	while (d->block) {
		struct dictionary_block *next = d->block->next;

		free(d->block);
		d->block = next;
	}
	free(d->slots);
	free(d->entries);
	pthread_mutex_destroy(&d->lock);
	*d = (struct dictionary){ 0 };
}

static uint32_t hash_bytes(uint64_t seed, const uint8_t *p, size_t size)
{
	uint64_t h = seed ^ size;

	for (; size >= 8; p += 8, size -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		h = mix64(h ^ word);
	}
	if (size) {
		uint64_t word = 0;

		memcpy(&word, p, size);
		h = mix64(h ^ word);
	}
	return (uint32_t)(h >> 32);
}

static int grow_slots(struct dictionary *d)
{
	size_t n = MAX(d->n_slots * 2, (size_t)64);
	struct dictionary_slot *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_slots; i++) {
		size_t at = d->slots[i].hash & (n - 1);

		if (!d->slots[i].entry)
			continue;
		while (slots[at].entry)
			at = (at + 1) & (n - 1);
		slots[at] = d->slots[i];
	}
	free(d->slots);
	d->slots = slots;
	d->n_slots = n;
	return 0;
}

/* Room for one more: at least a third of the slots stays free. */
static int reserve(struct dictionary *d)
{
	struct dictionary_entry **grown;
	size_t capacity = MAX(d->capacity * 2, (size_t)64);

	if (d->n >= UINT32_MAX / 2)
		return -E2BIG;
	if ((d->n + 1) * 3 > d->n_slots * 2) {
		int r = grow_slots(d);

		if (r < 0)
			return r;
	}
	if (d->n < d->capacity)
		return 0;
	grown = reallocarray(d->entries, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	d->entries = grown;
	d->capacity = capacity;
	return 0;
}

static struct dictionary_entry *cut(struct dictionary *d, size_t bytes)
{
	struct dictionary_entry *e;

	bytes = (bytes + 7) & ~(size_t)7;
	if (bytes > d->block_left) {
		size_t size = MAX(bytes, (size_t)BLOCK_BYTES);
		struct dictionary_block *block = malloc(sizeof(*block) + size);

		if (!block)
			return NULL;
		block->next = d->block;
		d->block = block;
		d->block_left = size;
	}
	/* From the end, so that the rest needs no second number. */
	d->block_left -= bytes;
	e = (struct dictionary_entry *)(d->block->data + d->block_left);
	return e;
}

static int add_locked(struct dictionary *d, uint32_t hash, const void *data, size_t key_size,
		      size_t size, uint32_t *ret_id)
{
	struct dictionary_entry *e;
	size_t at, mask;
	int r;

	r = reserve(d);
	if (r < 0)
		return r;
	mask = d->n_slots - 1;
	for (at = hash & mask; d->slots[at].entry; at = (at + 1) & mask) {
		if (d->slots[at].hash != hash)
			continue;
		e = d->slots[at].entry;
		if (e->key_size == key_size && memcmp(e->data, data, key_size) == 0) {
			*ret_id = d->slots[at].id;
			return 0;
		}
	}
	e = cut(d, sizeof(*e) + size);
	if (!e)
		return -ENOMEM;
	e->key_size = (uint32_t)key_size;
	e->size = (uint32_t)size;
	memcpy(e->data, data, size);
	d->entries[d->n] = e;
	d->slots[at] = (struct dictionary_slot){ e, hash, (uint32_t)d->n };
	*ret_id = (uint32_t)d->n++;
	return 0;
}

int dictionary_add(struct dictionary *d, const void *data, size_t key_size, size_t size,
		   uint32_t *ret_id)
{
	uint32_t hash = hash_bytes(d->seed, data, key_size);
	int r;

	if (size > UINT32_MAX)
		return -E2BIG;
	pthread_mutex_lock(&d->lock);
	r = add_locked(d, hash, data, key_size, size, ret_id);
	pthread_mutex_unlock(&d->lock);
	return r;
}

const void *dictionary_get_shared(struct dictionary *d, uint32_t id)
{
	const void *data;

	pthread_mutex_lock(&d->lock);
	data = d->entries[id]->data;
	pthread_mutex_unlock(&d->lock);
	return data;
}
