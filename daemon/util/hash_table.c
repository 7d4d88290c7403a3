// SPDX-License-Identifier: Apache-2.0
#include "util/hash_table.h"

#include <errno.h>
#include <stdlib.h>

#define MIN_BUCKETS 64

void hash_table_done(struct hash_table *t)
{
	free(t->buckets);
	*t = (struct hash_table){ 0 };
}

static struct hash_node **bucket_of(const struct hash_table *t, uint64_t hash)
{
	return &t->buckets[hash & (t->n_buckets - 1)];
}

static void insert(struct hash_table *t, struct hash_node *node)
{
	struct hash_node **bucket = bucket_of(t, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static int grow(struct hash_table *t)
{
	struct hash_table bigger = { .n_buckets = t->n_buckets ? t->n_buckets * 2 : MIN_BUCKETS,
				     .n = t->n };

	bigger.buckets = calloc(bigger.n_buckets, sizeof(*bigger.buckets));
	if (!bigger.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_buckets; i++)
		for (struct hash_node *node = t->buckets[i], *next; node; node = next) {
			next = node->next;
			insert(&bigger, node);
		}
	free(t->buckets);
	*t = bigger;
	return 0;
}

int hash_table_add(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
	/* Longer chains are better than failing: only the first array is indispensable. */
	if (t->n >= t->n_buckets && grow(t) < 0 && !t->n_buckets)
		return -ENOMEM;
	node->hash = hash;
	insert(t, node);
	t->n++;
	return 0;
}

void hash_table_remove(struct hash_table *t, struct hash_node *node)
{
	struct hash_node **link = bucket_of(t, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	t->n--;
}

static struct hash_node *same_hash(struct hash_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_node *hash_table_first(const struct hash_table *t, uint64_t hash)
{
	return t->n_buckets ? same_hash(*bucket_of(t, hash), hash) : NULL;
}

struct hash_node *hash_node_next(const struct hash_node *node)
{
	return same_hash(node->next, node->hash);
}

void hash_table_each(struct hash_table *t, void (*each)(struct hash_node *node, void *userdata),
		     void *userdata)
{
	for (size_t i = 0; i < t->n_buckets; i++)
		for (struct hash_node *node = t->buckets[i], *next; node; node = next) {
			next = node->next;
			each(node, userdata);
		}
}
