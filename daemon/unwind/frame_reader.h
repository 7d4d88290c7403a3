/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reads .eh_frame and .debug_frame from the first entry to the last, through a window: the section
 * is never in memory as a whole.
 *
 * A CIE is read when it comes by and kept; an FDE that speaks of one further on, or of one that was
 * left out, has it read for itself.
 */
#include "symbols/elf_file.h"
#include "unwind/frame.h"
#include "util/buffer.h"

/* Larger sections are refused: Chromium's is 30 MB. */
#define FRAME_SECTION_BYTES_MAX (256U << 20)
/* Longer entries are left out: the longest of gcc's own cc1 has 40 KB. */
#define FRAME_ENTRY_BYTES_MAX (1U << 20)

struct frame_section {
	const struct elf_source *source; /* borrowed */
	uint64_t offset, size; /* in the source */
	uint64_t address; /* of its first byte, where it is loaded */
	uint64_t data_address; /* what data-relative pointers are counted from; 0: unknown */
	bool debug_frame;
	bool terminated; /* its size is a guess: an entry without length ends it */
};

struct frame_cie {
	uint64_t at; /* its place in the section */
	uint64_t code_align;
	int64_t data_align;
	uint64_t data_address;
	uint8_t encoding; /* of addresses: DW_EH_PE_* */
	bool augmented; /* FDEs have data of their own before their instructions */
	bool signal;
	bool other_ra; /* the return address has another register than usual */
	bool usable;
	struct cursor code; /* only while it is parsed */
	struct frame_state initial;
};

struct frame_fde {
	uint64_t start, size; /* of the code */
	struct cursor code; /* its instructions, within the window */
	uint64_t code_address; /* of their first byte */
};

struct frame_reader;
/* -E2BIG, -ENOMEM. */
int frame_reader_new(const struct frame_machine *m, const struct frame_section *section,
		     struct frame_reader **ret);
struct frame_reader *frame_reader_free(struct frame_reader *r);
DEFINE_CLEANUP(struct frame_reader *, frame_reader_free);
/*
 * The next FDE that describes code, and its CIE, both valid until the next call. 1, or 0 at the
 * end; -ENOMEM, -ECANCELED, or what reading said.
 */
int frame_reader_next(struct frame_reader *r, struct frame_fde *ret_fde,
		      const struct frame_cie **ret_cie);
/* Entries that could not be read. */
uint32_t frame_reader_damaged(const struct frame_reader *r);

/*
 * An address encoded as the CIE says; `address` is that of its first byte. Sets the cursor's error
 * where it cannot be known: indirect, relative to text or to the function.
 */
uint64_t frame_get_address(struct cursor *c, const struct frame_cie *cie, uint64_t address);
