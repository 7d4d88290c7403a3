// SPDX-License-Identifier: Apache-2.0
/*
 * The object table: an open-addressed set of references. Nothing is removed one by one; pruning
 * builds the set anew from what is still held elsewhere.
 */
#include "symbols/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/function_index.h"
#include "unwind/unwind_table.h"
#include "util/cleanup.h"

#define MIN_SLOTS 256

struct object_table {
	struct object **slots; /* a power of two of them, at most three quarters taken */
	size_t n_slots, n;
};

struct object *object_ref(struct object *o)
{
	o->refs++;
	return o;
}

struct object *object_unref(struct object *o)
{
	if (!o || --o->refs > 0)
		return NULL;
	function_index_free(o->index);
	unwind_table_free(o->rows);
	free(o->pending_offsets);
	free(o->path);
	free(o);
	return NULL;
}

struct object_table *object_table_new(void)
{
	_cleanup_(object_table_freep) struct object_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->slots = calloc(MIN_SLOTS, sizeof(*t->slots));
	if (!t->slots)
		return NULL;
	t->n_slots = MIN_SLOTS;
	return TAKE_PTR(t);
}

struct object_table *object_table_free(struct object_table *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_slots; i++)
		object_unref(t->slots[i]);
	free(t->slots);
	free(t);
	return NULL;
}

static uint64_t hash_bytes(uint64_t h, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

static uint64_t hash_key(const struct object_key *k)
{
	uint64_t h = hash_bytes(0xcbf29ce484222325ULL, &k->kind, sizeof(k->kind));

	h = hash_bytes(h, &k->base, sizeof(k->base));
	if (k->build_id_size)
		h = hash_bytes(h, k->build_id, k->build_id_size);
	else {
		h = hash_bytes(h, k->path, strlen(k->path));
		h = hash_bytes(h, &k->inode, sizeof(k->inode));
	}
	return h ^ h >> 32;
}

static struct object_key key_of(const struct object *o)
{
	return (struct object_key){
		.kind = o->kind,
		.path = o->path,
		.build_id = o->build_id,
		.build_id_size = o->build_id_size,
		.device = o->device,
		.inode = o->inode,
		.base = o->base,
	};
}

/* A build-id says all there is about a binary: container images bring the same one by many paths.
 */
static bool matches(const struct object *o, const struct object_key *k)
{
	if (o->kind != k->kind || o->base != k->base || o->build_id_size != k->build_id_size)
		return false;
	if (k->build_id_size)
		return memcmp(o->build_id, k->build_id, k->build_id_size) == 0;
	return o->inode == k->inode && o->device == k->device && strcmp(o->path, k->path) == 0;
}

/* The slot that holds `k`, or the free one where it belongs. */
static struct object **find_slot(struct object **slots, size_t n_slots, const struct object_key *k)
{
	size_t i = hash_key(k) & (n_slots - 1);

	while (slots[i] && !matches(slots[i], k))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

/* Moves what has at least `min_refs` references to a set of `n_slots`, drops the rest. */
static int rebuild(struct object_table *t, size_t n_slots, unsigned int min_refs)
{
	struct object **slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	t->n = 0;
	for (size_t i = 0; i < t->n_slots; i++) {
		struct object *o = t->slots[i];
		struct object_key key;

		if (!o)
			continue;
		if (o->refs < min_refs) {
			object_unref(o);
			continue;
		}
		key = key_of(o);
		*find_slot(slots, n_slots, &key) = o;
		t->n++;
	}
	free(t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	return 0;
}

static struct object *object_new(const struct object_key *k)
{
	_cleanup_(object_unrefp) struct object *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->refs = 1;
	o->kind = k->kind;
	o->path = strdup(k->path);
	if (!o->path)
		return NULL;
	if (k->build_id_size)
		memcpy(o->build_id, k->build_id, k->build_id_size);
	o->build_id_size = (uint8_t)k->build_id_size;
	o->device = k->device;
	o->inode = k->inode;
	o->base = k->base;
	return TAKE_PTR(o);
}

struct object *object_table_get(struct object_table *t, const struct object_key *key)
{
	struct object_key k = *key;
	struct object **slot;

	if (!k.path)
		k.path = "";
	if (!k.build_id)
		k.build_id_size = 0;
	k.build_id_size = MIN(k.build_id_size, (size_t)BUILD_ID_MAX);
	slot = find_slot(t->slots, t->n_slots, &k);
	if (*slot)
		return object_ref(*slot);
	if (t->n + 1 > t->n_slots / 4 * 3) {
		if (rebuild(t, t->n_slots * 2, 1) < 0)
			return NULL;
		slot = find_slot(t->slots, t->n_slots, &k);
	}
	*slot = object_new(&k);
	if (!*slot)
		return NULL;
	t->n++;
	return object_ref(*slot);
}

void object_table_prune(struct object_table *t)
{
	size_t n_slots = MIN_SLOTS, kept = 0;

	for (size_t i = 0; i < t->n_slots; i++)
		kept += t->slots[i] && t->slots[i]->refs > 1;
	while (kept + 1 > n_slots / 4 * 3)
		n_slots *= 2;
	if (kept < t->n)
		rebuild(t, n_slots, 2); /* without memory they stay a little longer */
}

size_t object_table_size(const struct object_table *t)
{
	return t->n;
}
