/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Rows for procedure linkage tables that nobody described: GNU ld describes them for x86-64 only,
 * lld never. Their few instructions are always the same.
 */
#include "unwind/row_builder.h"
#include "unwind/unwind_sections.h"

/* Adds rows for each .plt section that no function covers and whose code is known. */
void plt_rows_add(const struct elf_file *f, const struct frame_machine *m,
		  const struct code_segments *code, struct row_builder *b);
