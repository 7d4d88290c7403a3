/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Collects the rows of functions in any order and makes a table of them: sorted, without overlaps,
 * without rows that say what the one before them says.
 *
 * Takes 8 bytes a row and 16 a function, and half as much again while they grow; finishing takes 8
 * bytes a row once more.
 */
#include "unwind/unwind_table.h"

struct row_builder;
struct row_builder *row_builder_new(void);
struct row_builder *row_builder_free(struct row_builder *b);
DEFINE_CLEANUP(struct row_builder *, row_builder_free);

/* A function at [start, start + size), relative to the table's base; size > 0. Its rows follow. */
void row_builder_function(struct row_builder *b, uint32_t start, uint32_t size);
/* A row of the function begun last, in order of their pcs, which are relative to the base. */
void row_builder_add(struct row_builder *b, const struct unwind_row *row);
size_t row_builder_functions(const struct row_builder *b);
/* -ENOMEM or -E2BIG when something could not be added. */
int row_builder_error(const struct row_builder *b);
/*
 * Declares code without a function at `start` a root of stacks, `size` bytes long at most. For the
 * entry point of a program or of the dynamic linker: it is assembler, often undescribed.
 */
void row_builder_add_root(struct row_builder *b, uint32_t start, uint32_t size);
/* The code in [start, end) that no function covers: calls back for each stretch of it. */
void row_builder_gaps(struct row_builder *b, uint32_t start, uint32_t end,
		      void (*gap)(void *data, uint32_t start, uint32_t end), void *data);

/*
 * `entry` holds at the first instruction of every function. The summary's counts of functions, rows
 * and bytes are filled in, the rest is taken as it is. The builder is used up.
 */
int row_builder_finish(struct row_builder *b, uint64_t base, const struct unwind_row *entry,
		       const struct unwind_summary *summary, const struct build_id *id,
		       struct unwind_table **ret);
