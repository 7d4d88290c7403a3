/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Rows for a vDSO that describes itself badly: arm64 kernels compile theirs without call frame
 * information, but for the return from signals. Its code is read instead.
 */
#include "unwind/row_builder.h"
#include "unwind/unwind_sections.h"

/* Adds rows for the code that no function covers; nothing on x86-64, whose vDSO is described. */
void vdso_rows_add(const struct elf_file *f, const struct frame_machine *m,
		   const struct code_segments *code, struct row_builder *b);
