/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The function index: one block of bytes, the same in memory and in the cache file.
 *
 *   struct function_index_header, n_functions x struct function_entry (sorted by start, no
 *   overlaps), n_buckets + 1 numbers of entries, names_size bytes of NUL-terminated names
 *
 * Bucket b says which is the first entry that starts at b << bucket_shift or behind it, the last
 * one how many entries there are: a look-up touches a line of buckets and one or two of entries.
 *
 * Little endian, 4-byte aligned, position independent: a cache file is mapped and used as it is.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/symbols.h"
#include "util/cleanup.h"

#define FUNCTION_INDEX_MAGIC 0x58444946 /* "FIDX" */
#define FUNCTION_INDEX_VERSION 3

/*
 * The most one object may bring: beyond it its index is refused with -E2BIG. Building one of this
 * size takes about 200 MB for a second; node, unstripped, has 78,000 functions with 6 MB of names.
 */
#define FUNCTIONS_MAX (1U << 20)
#define FUNCTION_NAMES_BYTES_MAX (64U << 20)
#define FUNCTION_NAME_MAX 16384 /* longer names are left out */

/* Where the names came from. */
enum function_source {
	SOURCE_SYMTAB = 1 << 0,
	SOURCE_DYNSYM = 1 << 1,
	SOURCE_DEBUGDATA = 1 << 2,
	SOURCE_DEBUG_FILE = 1 << 3,
	SOURCE_PLT = 1 << 4,
	SOURCE_FRAMES = 1 << 5, /* where functions begin and end, of .eh_frame; no names */
};

struct function_index_header {
	uint32_t magic;
	uint32_t version;
	uint32_t crc; /* zlib's CRC-32 of the whole block with this field 0 */
	uint32_t sources; /* enum function_source */
	uint64_t base; /* entries' starts are relative to it */
	uint32_t n_functions;
	uint32_t names_size;
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_size;
	uint32_t bucket_shift;
	uint32_t n_buckets;
};
_Static_assert(sizeof(struct function_index_header) == 64, "the header is part of the format");

struct function_entry {
	uint32_t start;
	uint32_t size;
	uint32_t name; /* offset into the names; an empty one: the function is known, its name is not */
};
_Static_assert(sizeof(struct function_entry) == 12, "entries are part of the format");

/* How good a name a symbol has, beside others at the same place. */
enum function_rank {
	RANK_LABEL, /* assembler, no type */
	RANK_LOCAL,
	RANK_WEAK,
	RANK_GLOBAL,
};

/*
 * Collects symbols in any order. add() copies the name. A `size` of 0 means unknown: such a symbol
 * reaches to the next one, to `limit` (exclusive), or `sizeless_max` bytes far, and is dropped when
 * it lies inside a sized one. -E2BIG when the object brings too much, -ENOMEM.
 */
struct function_index_builder;
struct function_index_builder *function_index_builder_new(uint32_t sizeless_max);
struct function_index_builder *function_index_builder_free(struct function_index_builder *b);
DEFINE_CLEANUP(struct function_index_builder *, function_index_builder_free);
int function_index_builder_add(struct function_index_builder *b, uint64_t start, uint64_t size,
			       uint64_t limit, const char *name, size_t name_size,
			       enum function_rank rank);
/*
 * A function of which nothing is known but its place. It fills what symbols leave free, and tells
 * where a symbol without a size ends. -ENOMEM; beyond FUNCTIONS_MAX they are left out.
 */
int function_index_builder_add_place(struct function_index_builder *b, uint64_t start,
				     uint64_t size);
/* Makes every start relative to `base`; what lies before it is dropped. */
void function_index_builder_rebase(struct function_index_builder *b, uint64_t base);
size_t function_index_builder_size(const struct function_index_builder *b);
/* Sorts, picks one name per place, resolves overlaps (the innermost function wins). -ENODATA when
 * nothing was added. The builder is used up. */
int function_index_builder_finish(struct function_index_builder *b, uint32_t sources,
				  const uint8_t *build_id, size_t build_id_size,
				  struct function_index **ret);

struct function_index *function_index_free(struct function_index *i);
DEFINE_CLEANUP(struct function_index *, function_index_free);

/* The block's bytes, for writing. */
const void *function_index_data(const struct function_index *i, size_t *ret_size);
uint32_t function_index_sources(const struct function_index *i);
/*
 * Maps a file written from function_index_data() after checking all of it, with read(2), so that
 * pages never looked at take no memory. -EBADMSG when it is damaged or of another build-id.
 */
int function_index_map(int fd, const uint8_t *build_id, size_t build_id_size,
		       struct function_index **ret);
