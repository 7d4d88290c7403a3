/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which parts of an array are free. What is given back is handed out again only after a while in
 * which no BPF program that had already found its way there can still be reading.
 */
#include <stddef.h>
#include <stdint.h>

struct extent {
	uint32_t first, n;
	uint64_t free_ns; /* when it was given back; CLOCK_MONOTONIC */
};

struct extents {
	struct extent *free; /* sorted, no two touch */
	struct extent *resting; /* in the order they were given back */
	size_t n_free, n_resting, free_capacity, resting_capacity;
	uint32_t used; /* places taken, resting ones included */
};

int extents_init(struct extents *e, uint32_t n);
void extents_done(struct extents *e);
/* The first of `n` places; -ENOSPC: there are none now; -ENOMEM. */
int64_t extents_take(struct extents *e, uint32_t n, uint64_t now_ns);
/* -ENOMEM: they are lost. */
int extents_give(struct extents *e, uint32_t first, uint32_t n, uint64_t now_ns);
