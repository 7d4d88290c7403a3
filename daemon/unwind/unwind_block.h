/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The block of bytes that an unwind table is, in memory and in the cache file: a struct
 * unwind_header, then its rows. Little endian.
 */
#include "unwind/unwind_table.h"

#define UNWIND_BLOCK_MAGIC 0x53574f52 /* "ROWS" */
/* Another one also when the same file gives other rows. */
#define UNWIND_BLOCK_VERSION 1

struct unwind_header {
	uint32_t magic;
	uint32_t version;
	uint32_t crc; /* CRC32C of the whole block with this field 0 */
	uint32_t n_rows;
	uint64_t base;
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_size;
	struct unwind_summary summary;
};
_Static_assert(sizeof(struct unwind_header) % sizeof(struct unwind_row) == 0,
	       "rows follow at their alignment");

/* A header with room for so many rows after it; NULL when out of memory. */
struct unwind_header *unwind_block_new(size_t n_rows, struct unwind_row **ret_rows);
/* Takes the block over, gives back what the rows do not take. NULL when out of memory. */
struct unwind_table *unwind_block_finish(struct unwind_header *h, uint32_t n_rows,
					 const struct build_id *id);
/*
 * Maps a block that was written to a file, after checking all of it. -EBADMSG: damaged, of another
 * version or build-id.
 */
int unwind_block_map(int fd, const struct build_id *id, struct unwind_table **ret);
