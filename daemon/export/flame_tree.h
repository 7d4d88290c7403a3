/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One event's samples as the tree a flame graph shows: root label, then functions. Frames of the
 * same function under the same parent are one node.
 *
 * Node 0 is the whole; parents come before their children. A name is a root label (below n_labels)
 * or, from there on, a function. Functions of the same name and module are one, whatever build of
 * the module they are from.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/frames.h"
#include "profile/profile.h"

struct flame_names {
	struct root_labels labels;
	uint32_t *function; /* by function: the one that stands for all of its name and module */
	size_t n; /* labels and functions */
};

int flame_names_init(struct flame_names *names, const struct profile *p, enum stack_root root);
void flame_names_done(struct flame_names *names);

struct flame_node {
	uint32_t parent, name;
	uint32_t first_child, next_sibling; /* 0: none */
	uint64_t self_samples, self_weight;
	uint64_t samples, weight; /* with all that is called from here */
};

/* Sums over the whole tree; recursion counts once. */
struct flame_function {
	uint64_t self_samples, self_weight, samples, weight;
};

struct flame_tree {
	struct flame_node *nodes;
	size_t n_nodes, capacity;
	struct flame_function *functions; /* by name */
	/* The profile's counter k in node i, of itself and with all that is called from it, is at
	 * i * n_counters + k; NULL when the profile has none. */
	struct profile_counter *self_counters, *counters;
	size_t n_counters;
};

int flame_tree_init(struct flame_tree *t, const struct profile *p, uint32_t event,
		    const struct flame_names *names);
void flame_tree_done(struct flame_tree *t);

/* What a node is measured by: its weight, or its samples when the event has no weights. */
static inline uint64_t flame_tree_value(const struct flame_tree *t, uint32_t node)
{
	return t->nodes[0].weight ? t->nodes[node].weight : t->nodes[node].samples;
}

/* The least value a node must have, so that at most max_nodes remain and all have min_percent. */
uint64_t flame_tree_threshold(const struct flame_tree *t, double min_percent, size_t max_nodes);

/*
 * The next node in depth-first order, children after their parents; `descend` false skips what is
 * below. *depth follows. 0: the walk is over.
 */
uint32_t flame_tree_next(const struct flame_tree *t, uint32_t node, bool descend, uint32_t *depth);

static inline void flame_names_donep(struct flame_names *names)
{
	flame_names_done(names);
}

static inline void flame_tree_donep(struct flame_tree *t)
{
	flame_tree_done(t);
}
