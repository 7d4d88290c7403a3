/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Function indexes on disk, a file per build-id: HEX.fidx, or HEX-UID.fidx for a binary that does
 * not belong to root, so that nobody can plant names for the system's own binaries by bringing a
 * file with their build-id.
 *
 * Files appear whole (written aside, renamed), are checked when loaded, and go when the directory
 * is larger than its limit, the longest unused first. Nothing here is precious: every failure means
 * an index is built anew.
 */
#include "symbols/build_id.h"
#include "symbols/function_index.h"

struct index_cache;
/* Makes the directory (not its parents) when it is missing. */
int index_cache_open(const char *directory, uint64_t limit_bytes, struct index_cache **ret);
struct index_cache *index_cache_close(struct index_cache *c);
DEFINE_CLEANUP(struct index_cache *, index_cache_close);

/* -ENOENT: not there, or damaged (then it is removed). */
int index_cache_load(struct index_cache *c, const struct build_id *id, uid_t owner,
		     struct function_index **ret);
/* Stores *index and, when that worked, replaces it by its mapped file, which takes less memory. */
int index_cache_store(struct index_cache *c, const struct build_id *id, uid_t owner,
		      struct function_index **index);
/* The same with a file that has no name, for this process alone: of what no build-id can be
 * trusted. */
int index_cache_keep(struct index_cache *c, struct function_index **index);
uint64_t index_cache_bytes(const struct index_cache *c);
