/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The call tree while it is being counted, one for each loading thread, and merged at the end.
 *
 * A node is a path of frames from the root; its identity is a 64-bit hash of that path. The hash of
 * a path is that of its parent times a constant plus a random number for its last frame, so that it
 * needs no memory access, and two trees with the same seed know the same path by the same hash. A
 * cell (path x event x whatever the caller tells apart) is known by the path's hash mixed with the
 * rest. So a sample whose stack was seen before costs one cache miss, however deep it is; only a
 * new stack looks for its nodes.
 *
 * Two of ten million paths have the same hash with a probability of 3 in a million, and nobody who
 * does not know the seed can make it so; the last frame is compared too.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

#define TREE_NONE UINT32_MAX
#define TREE_MAX_FRAMES (1u << 31) /* frame ids must be below */

struct tree_node {
	uint64_t hash;
	uint32_t parent;
	uint32_t leaf_of_half : 1;
	uint32_t frame : 31;
};

/* What a cell stands for. Fields that are not told apart must hold the same value always. */
struct tree_label {
	uint32_t node;
	uint32_t event;
	uint32_t thread;
	uint32_t cpu;
	uint32_t access;
	uint8_t kernel_status, user_status;
	bool guest;
	bool plain; /* thread, cpu, access, the two statuses and guest are not told apart */
};

struct tree_cell {
	uint64_t key;
	uint64_t samples;
	uint64_t weight;
	uint32_t label; /* index + 1; 0: free */
	uint32_t padding;
};

struct tree {
	uint64_t seed;
	struct tree_node *nodes; /* the root first, parents before their children */
	size_t n_nodes, nodes_capacity;
	uint64_t *node_slots; /* low half of the hash << 32 | node; 0: free */
	unsigned int node_bits; /* log2 of their number */
	struct tree_cell *cells; /* by key, open addressing */
	unsigned int cell_bits;
	struct tree_label *labels;
	size_t n_labels, labels_capacity;
	struct profile_counter *counters; /* n_counters for each label; NULL when that is 0 */
	size_t n_counters;
};

/*
 * The last stack of one CPU, root first, with what is known of each depth: the next stack of that
 * CPU mostly begins the same way.
 */
struct tree_path {
	uint32_t n, capacity;
	uint32_t user; /* the first `user` frames are user frames, the rest kernel frames */
	uint32_t *frames; /* n, as given to tree_path_set() */
	uint64_t *hashes; /* n + 1; [0] is the root's */
	uint32_t *nodes; /* n + 1; [0] is the root; elsewhere 0: not looked for */
};

int tree_init(struct tree *t, uint64_t seed, size_t n_counters);
void tree_done(struct tree *t);

/*
 * Makes `p` the path of a stack given as in struct record_sample: kernel leaf first, then user leaf
 * first. frame_ids[] translates the ids into those of the tree.
 */
int tree_path_set(struct tree_path *p, const uint32_t *frames, uint32_t kernel, uint32_t user,
		  const uint32_t *frame_ids, uint64_t seed);
void tree_path_forget(struct tree_path *p); /* the ids mean something else from now on */
void tree_path_done(struct tree_path *p);

/* The key of the cell a sample belongs to; its memory is on the way when this returns. */
uint64_t tree_key(const struct tree *t, const struct tree_path *p, const struct tree_label *label);

/*
 * Counts one sample at the path's leaf, the cell being that of `key`. frame_ids[] translates the
 * path's ids into those of the tree; label->node is set here. `counters` are what it adds to those
 * of the cell; NULL when the tree has none.
 */
int tree_count(struct tree *t, uint64_t key, struct tree_path *p, const uint32_t *frame_ids,
	       struct tree_label *label, uint64_t weight, const struct profile_counter *counters);

/* The node of a path, which must be there already; TREE_NONE: it is not. */
uint32_t tree_find(const struct tree *t, const struct tree_path *p, const uint32_t *frame_ids);

/* Adds everything in `from`, which has the same seed. */
int tree_merge(struct tree *t, const struct tree *from);
