/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A chained hash table of nodes that live inside the owner's structs (container_of). Several nodes
 * may share a hash; the caller compares keys.
 */
#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_table {
	struct hash_node **buckets; /* a power of two of them */
	size_t n_buckets;
	size_t n;
};

void hash_table_done(struct hash_table *t); /* the nodes are the owner's */
/* -ENOMEM leaves the table as it was. */
int hash_table_add(struct hash_table *t, struct hash_node *node, uint64_t hash);
void hash_table_remove(struct hash_table *t, struct hash_node *node);
/* The first node with this hash, and the next one after `node` with the same hash; NULL: none. */
struct hash_node *hash_table_first(const struct hash_table *t, uint64_t hash);
struct hash_node *hash_node_next(const struct hash_node *node);
/* Calls `each` for every node; it may remove (and free) the node it is given. */
void hash_table_each(struct hash_table *t, void (*each)(struct hash_node *node, void *userdata),
		     void *userdata);

/* The finalizer of MurmurHash3: every bit of the input reaches every bit of the result. */
static inline uint64_t hash_u64(uint64_t v)
{
	v = (v ^ v >> 33) * 0xff51afd7ed558ccdULL;
	v = (v ^ v >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return v ^ v >> 33;
}

static inline uint64_t hash_string(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a, then mixed for its low bits */

	while (*s)
		h = (h ^ (unsigned char)*s++) * 0x100000001b3ULL;
	return hash_u64(h);
}
