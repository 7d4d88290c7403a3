/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Rows for people, in the registers' own names: "rsp+16  c-16  c-8".
 */
#include "unwind/unwind_table.h"
#include "util/buffer.h"

/* `fp` and `ra` are "" where the row says nothing of them. */
struct unwind_words {
	char cfa[40]; /* "rsp+16", "*(rbp-8)+0", "plt+11", "end", "unsupported expression" ... */
	char fp[24]; /* "same", "c-16": saved there, "rbp+0": saved there, "lost" */
	char ra[24]; /* "c-8", "x29+8", "lr" */
};

void unwind_text_words(uint16_t machine, const struct unwind_row *row, struct unwind_words *ret);
void unwind_text_put(struct buffer *b, uint16_t machine, const struct unwind_row *row);
