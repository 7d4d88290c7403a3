/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The text of one perf map ("START SIZE NAME" a line, hexadecimal), which a JIT compiler writes as
 * it goes: lines are added, and later ones win where they overlap earlier ones.
 *
 * The newest lines stay in a short list, searched from its end; when it is full they are merged
 * into a sorted table without overlaps.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/symbols.h"
#include "util/buffer.h"

#define PERF_MAP_RECENT_MAX 512
#define PERF_MAP_ENTRIES_MAX (1U << 20)
#define PERF_MAP_NAMES_BYTES_MAX (64U << 20)

struct perf_map_entry {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* offset into names */
};

struct perf_map {
	struct perf_map_entry *entries; /* sorted, no overlaps */
	size_t n_entries;
	struct perf_map_entry recent[PERF_MAP_RECENT_MAX]; /* in the order of the file */
	size_t n_recent;
	struct buffer names;
	char line[4096]; /* the beginning of a line whose end is not written yet */
	size_t line_size;
	bool full; /* nothing more is taken */
};

void perf_map_init(struct perf_map *m);
void perf_map_done(struct perf_map *m); /* empty and usable again */
/* The next bytes of the file; lines may be cut anywhere. */
void perf_map_feed(struct perf_map *m, const char *text, size_t size);
/* *ret is valid until the next call. */
bool perf_map_find(const struct perf_map *m, uint64_t address, struct function *ret);
size_t perf_map_bytes(const struct perf_map *m); /* of memory */
