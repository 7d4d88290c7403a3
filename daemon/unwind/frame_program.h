/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Executes call frame instructions: those of a CIE give the state at a function's entry, those of
 * an FDE the rows of one function.
 */
#include "unwind/frame_reader.h"
#include "unwind/row_builder.h"

/* What a compiler needs is 1, assembler 2 or 3. */
#define FRAME_REMEMBERED_MAX 64

/* cie->initial from the CIE's own instructions. -EBADMSG: damaged. */
int frame_program_begin(const struct frame_machine *m, struct frame_cie *cie);
/*
 * Adds the rows of [fde->start, fde->start + fde->size), which begin at `place` in the table. False
 * when instructions cannot be read: from there on the function's rows are ROW_UNSUPPORTED.
 */
bool frame_program_run(const struct frame_machine *m, const struct frame_cie *cie,
		       const struct frame_fde *fde, uint32_t place, struct row_builder *b);
