/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The unwind table of one file: how to find a caller's registers, for every pc of its code, as rows
 * of 8 bytes (bpf/unwind_row.h) that the BPF unwinder reads as they are.
 *
 * Places are offsets in the file, as in function indexes: of a mapping, pc - start + page offset.
 * A table is one block of bytes, the same in memory and on disk, and does not change.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind_row.h"
#include "symbols/elf_file.h"
#include "util/cleanup.h"

/* The most one file may bring: 64 MB of rows; ClickHouse has 2.8 million of them. */
#define UNWIND_ROWS_MAX (8U << 20)
#define UNWIND_FUNCTIONS_MAX (2U << 20)

/* Where the rows come from. */
enum unwind_source {
	UNWIND_SOURCE_NONE, /* the file tells nothing */
	UNWIND_SOURCE_EH_FRAME,
	UNWIND_SOURCE_DEBUG_FRAME,
};

#define UNWIND_KINDS (ROW_UNSUPPORTED + 1)

struct unwind_summary {
	uint32_t machine; /* EM_X86_64, EM_AARCH64 */
	uint32_t source; /* enum unwind_source */
	/* 1: compiled by Go, which always keeps frame pointers, and describes them nowhere. Its
	 * code has no rows; C code linked to it has. */
	uint32_t go;
	uint32_t functions; /* with rows */
	uint32_t damaged; /* entries left out, or cut short, because they cannot be read */
	uint32_t outside; /* entries left out because they describe no code of this file */
	uint32_t rows_by_kind[UNWIND_KINDS]; /* enum row_cfa */
	uint32_t reserved;
	uint64_t bytes_by_kind[UNWIND_KINDS]; /* of code; ROW_NONE: from the first row on */
	uint64_t text_bytes; /* of code in the file */
	uint64_t covered_bytes; /* of them, with rows */
};

struct unwind_table {
	uint64_t base; /* rows' pcs are relative to it; a multiple of 4096 */
	const struct unwind_row *rows; /* sorted, the last one ROW_NONE */
	uint32_t n_rows; /* 0: none at all */
	const struct unwind_summary *summary;
	/* The rest is the table's own. */
	void *block;
	size_t block_size;
	bool mapped;
};

/*
 * Reads the file once, believing nothing it says; damage costs the functions it hits. A file that
 * tells nothing gives a table without rows. -EOPNOTSUPP: neither x86-64 nor arm64; -ENOEXEC: it has
 * no code; -E2BIG: it brings too much; -ENOMEM; -ECANCELED; or what reading said.
 */
int unwind_table_build(const struct elf_file *f, struct unwind_table **ret);
/* That of this host's vDSO, the same for every 64-bit process. -ENODATA: the kernel maps none. */
int unwind_table_build_vdso(struct unwind_table **ret);
struct unwind_table *unwind_table_free(struct unwind_table *t);
DEFINE_CLEANUP(struct unwind_table *, unwind_table_free);

/* The row that holds at an offset in the file; NULL: none, or ROW_NONE. */
const struct unwind_row *unwind_table_find(const struct unwind_table *t, uint64_t offset);
/* "eh_frame", "debug_frame", "none". */
const char *unwind_source_name(enum unwind_source source);
/* "sp", "fp", "deref_sp", "deref_fp", "plt", "signal", "end", "unsupported", "none". */
const char *unwind_kind_name(unsigned int kind);
