/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Unwind tables on disk, a file per build-id: HEX.rows, or HEX-UID.rows for a binary that does not
 * belong to root. What holds of the cache of function indexes (symbols/index_cache.h) holds here.
 */
#include <sys/types.h>

#include "unwind/unwind_table.h"

struct unwind_cache;
/* Makes the directory (not its parents) when it is missing. */
int unwind_cache_open(const char *directory, uint64_t limit_bytes, struct unwind_cache **ret);
struct unwind_cache *unwind_cache_close(struct unwind_cache *c);
DEFINE_CLEANUP(struct unwind_cache *, unwind_cache_close);

/* -ENOENT: not there, or damaged (then it is removed). The table is a mapped file. */
int unwind_cache_load(struct unwind_cache *c, const struct build_id *id, uid_t owner,
		      struct unwind_table **ret);
/* Stores *table and, when that worked, replaces it by its mapped file, which takes less memory. */
int unwind_cache_store(struct unwind_cache *c, const struct build_id *id, uid_t owner,
		       struct unwind_table **table);
uint64_t unwind_cache_bytes(const struct unwind_cache *c);
