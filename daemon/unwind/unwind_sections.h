/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where a file's code is, and where it tells how to unwind it.
 */
#include "unwind/frame_reader.h"

#define CODE_SEGMENTS_MAX 64 /* more are left out; linkers make one to three */

struct code_segment {
	uint64_t address, size, offset;
};

struct code_segments {
	struct code_segment segments[CODE_SEGMENTS_MAX];
	size_t n, last;
	uint64_t base; /* the lowest offset, rounded down to a page */
};

/* What the segments say, as far as the file reaches. False: none. */
bool code_segments_find(const struct elf_file *f, struct code_segments *ret);
/* The offset in the file of `address`, and how many bytes follow it in its segment. */
bool code_segments_offset(struct code_segments *c, uint64_t address, uint64_t *ret_offset,
			  uint64_t *ret_left);
/* The other way. False: no code is there. */
bool code_segments_address(const struct code_segments *c, uint64_t offset, uint64_t *ret_address);
/* Bytes of code: of sections where there are any, else of segments. */
uint64_t code_bytes(const struct elf_file *f, const struct code_segments *c);

/* Where a program, or the dynamic linker, begins. False: it is a library. */
bool entry_address(const struct elf_file *f, uint64_t *ret);
/* Each false when there is none. */
bool unwind_section_eh_frame(const struct elf_file *f, struct frame_section *ret);
bool unwind_section_debug_frame(const struct elf_file *f, struct frame_section *ret);
/* Go's linker made it. */
bool is_go_program(const struct elf_file *f);
