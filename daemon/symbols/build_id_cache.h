/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What was made of binaries, on disk, a file per build-id: HEX + suffix, or HEX-UID + suffix for a
 * binary that does not belong to root, so that nobody can plant something for the system's own
 * binaries by bringing a file with their build-id.
 *
 * Files appear whole (written aside, renamed), and go when the directory is larger than its limit,
 * the longest unused first. Nothing here is precious: every failure means that something is made
 * anew. What a file says must be checked by who reads it.
 */
#include <sys/types.h>

#include "symbols/build_id.h"

struct build_id_cache;
/* Makes the directory (not its parents) when it is missing. `suffix` (".fidx") is borrowed. */
int build_id_cache_open(const char *directory, const char *suffix, uint64_t limit_bytes,
			struct build_id_cache **ret);
struct build_id_cache *build_id_cache_close(struct build_id_cache *c);
DEFINE_CLEANUP(struct build_id_cache *, build_id_cache_close);

/* The file, open for reading, which counts as its use; or -ENOENT ... */
int build_id_cache_get(struct build_id_cache *c, const struct build_id *id, uid_t owner);
/* Removes one that turned out to be damaged. */
void build_id_cache_drop(struct build_id_cache *c, const struct build_id *id, uid_t owner);
/*
 * The file written, open for reading; -E2BIG: larger than the limit; -ENOSPC ... Without a build-id
 * the file has no name, is not counted, and goes with its descriptor and mappings.
 */
int build_id_cache_put(struct build_id_cache *c, const struct build_id *id, uid_t owner,
		       const void *data, size_t size);
uint64_t build_id_cache_bytes(const struct build_id_cache *c);
