/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The call tree as rows: which row each node belongs to, and which nodes count for their row with
 * children: those without an ancestor of the same row, so that recursion counts once.
 */
#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

/* Nodes between asking for a line of memory and using it. */
#define REPORT_AHEAD 16

struct report_sums {
	uint64_t samples, weight;
};

/* The rows from the root down to a node, each as four bits of 128: what is missing is not there. */
struct report_path {
	uint64_t half[2];
};

/* One for each node, first as the one, then as the other: this is most of the memory. */
union report_scratch {
	struct report_path path;
	struct report_sums sums;
};

struct report_nodes {
	uint32_t *row; /* by node */
	uint8_t *first; /* bit map: no ancestor is of the same row */
	uint8_t *unknown; /* bit map: the function has no name */
	union report_scratch *scratch; /* by node: sums are the caller's to use */
};

/* row_of[] is by function. What was allocated when it fails is freed by report_nodes_done(). */
int report_nodes_init(struct report_nodes *n, const struct profile *p, const uint32_t *row_of);
void report_nodes_done(struct report_nodes *n);

static inline bool report_bit(const uint8_t *map, size_t i)
{
	return map[i / 8] >> (i % 8) & 1;
}
