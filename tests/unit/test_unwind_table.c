// SPDX-License-Identifier: Apache-2.0
// However entries are written, damaged or hostile: what is right in them makes a sorted table.
#include "unwind_fixture.h"

#include <errno.h>

/* What a test expects besides rows. */
struct expected {
	const char *rows;
	uint32_t damaged, outside;
};

static void check_frame(int line, struct image_options o, const struct buffer *b,
			struct expected expected)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;

	o.frame = (struct bytes){ b->data, b->size };
	t = build_image(&o);
	check_rows_text(line, t, expected.rows);
	if (t->summary->damaged != expected.damaged || t->summary->outside != expected.outside)
		fail_msg("line %d: %u damaged, %u outside", line, t->summary->damaged,
			 t->summary->outside);
}

/* Every encoding of addresses; the function is [0x401010, 0x401030), told at 0x602020. */
static void addresses_are_decoded(void **state)
{
	static const struct {
		int line;
		const char *augmentation_data;
		struct bytes location;
		struct expected expected;
	} cases[] = {
#define FOUND "10 rsp+8 same c-8; 30 none", 0, 0
#define DAMAGED "", 1, 0
#define OUTSIDE "", 0, 1
		{ __LINE__,
		  "\x01\x00",
		  BYTES("\x10\x10\x40\0\0\0\0\0\x20\0\0\0\0\0\0\0"),
		  { FOUND } },
		{ __LINE__,
		  "\x01\x04",
		  BYTES("\x10\x10\x40\0\0\0\0\0\x20\0\0\0\0\0\0\0"),
		  { FOUND } },
		{ __LINE__,
		  "\x01\x0c",
		  BYTES("\x10\x10\x40\0\0\0\0\0\x20\0\0\0\0\0\0\0"),
		  { FOUND } },
		{ __LINE__, "\x01\x03", BYTES("\x10\x10\x40\0\x20\0\0\0"), { FOUND } },
		{ __LINE__, "\x01\x0b", BYTES("\x10\x10\x40\0\x20\0\0\0"), { FOUND } },
		{ __LINE__, "\x01\x01", BYTES("\x90\xa0\x80\x02\x20"), { FOUND } },
		{ __LINE__, "\x01\x09", BYTES("\x90\xa0\x80\x02\x20"), { FOUND } },
		{ __LINE__, "\x01\x1b", BYTES("\xf0\xef\xdf\xff\x20\0\0\0"), { FOUND } },
		{ __LINE__,
		  "\x01\x1c",
		  BYTES("\xf0\xef\xdf\xff\xff\xff\xff\xff\x20\0\0\0\0\0\0\0"),
		  { FOUND } },
		{ __LINE__, "\x01\x3b", BYTES("\x10\x10\xf0\xff\x20\0\0\0"), { FOUND } },
		{ __LINE__, "\x01\x02", BYTES("\x10\x10\x20\0"), { OUTSIDE } },
		{ __LINE__, "\x01\x13", BYTES("\xf0\xef\xdf\xff\x20\0\0\0"), { OUTSIDE } },
		{ __LINE__, "\x01\x1a", BYTES("\xf0\xef\x20\0"), { OUTSIDE } },
		{ __LINE__, "\x01\x9b", BYTES("\xf0\xef\xdf\xff\x20\0\0\0"), { DAMAGED } },
		{ __LINE__,
		  "\x01\x80",
		  BYTES("\x10\x10\x40\0\0\0\0\0\x20\0\0\0\0\0\0\0"),
		  { DAMAGED } },
		{ __LINE__, "\x01\x2b", BYTES("\x10\x10\x40\0\x20\0\0\0"), { DAMAGED } },
		{ __LINE__, "\x01\x4b", BYTES("\x10\x10\x40\0\x20\0\0\0"), { DAMAGED } },
		{ __LINE__,
		  "\x01\x50",
		  BYTES("\x10\x10\x40\0\0\0\0\0\x20\0\0\0\0\0\0\0"),
		  { DAMAGED } },
		{ __LINE__, "\x01\x0d", BYTES("\x10\x10\x40\0\x20\0\0\0"), { DAMAGED } },
		{ __LINE__, "\x01\xff", BYTES("\x10\x10\x40\0\x20\0\0\0"), { DAMAGED } },
		/* endless, cut off, round the end of the address space */
		{ __LINE__,
		  "\x01\x01",
		  BYTES("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
		  { DAMAGED } },
		{ __LINE__, "\x01\x00", BYTES("\x10\x10\x40\0\0\0\0"), { DAMAGED } },
		{ __LINE__,
		  "\x01\x04",
		  BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\0\0\0"),
		  { DAMAGED } },
		{ __LINE__,
		  "\x01\x04",
		  BYTES("\x10\x10\x40\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
		  { DAMAGED } },
		{ __LINE__,
		  "\x01\x04",
		  BYTES("\x10\x10\x40\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\x7f"),
		  { OUTSIDE } },
		/* half outside; describes nothing */
		{ __LINE__, "\x01\x03", BYTES("\xf0\x1f\x40\0\x11\0\0\0"), { OUTSIDE } },
		{ __LINE__, "\x01\x03", BYTES("\xf0\x0f\x40\0\x20\0\0\0"), { OUTSIDE } },
		{ __LINE__, "\x01\x03", BYTES("\x10\x10\x40\0\0\0\0\0"), { "", 0, 0 } },
		{ __LINE__,
		  "\x01\x03",
		  BYTES("\xf0\x1f\x40\0\x10\0\0\0"),
		  { "ff0 rsp+8 same c-8; 1000 none", 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer b = { 0 };
		size_t cie =
			put_cie(&b, EM_X86_64,
				&(struct cie_options){
					.augmentation_data = { cases[i].augmentation_data, 2 } });

		put_fde(&b, cie, &(struct fde_options){ .location = cases[i].location });
		check_frame(cases[i].line, (struct image_options){ .got = 0x500000 }, &b,
			    cases[i].expected);
		buffer_done(&b);
	}
}

/* Data-relative, and no DT_PLTGOT to count from. */
static void unknown_base_is_damage(void **state)
{
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64,
			     &(struct cie_options){ .augmentation_data = BYTES("\x01\x3b") });

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .location = BYTES("\x10\x10\xf0\xff\x20\0\0\0") });
	check_frame(__LINE__, (struct image_options){ 0 }, &b, (struct expected){ "", 1, 0 });
	buffer_done(&b);
}

/* What a CIE may say of itself. One that cannot be read, and each FDE of it, counts as damaged. */
static void cies_are_understood_or_left_out(void **state)
{
#define PLAIN "0 rsp+8 same c-8; 100 none", 0, 0
#define UNREADABLE "", 2, 0
	static const struct bytes absolute = BYTES("\0\x10\x40\0\0\0\0\0\0\x01\0\0\0\0\0\0");
	const struct {
		int line;
		struct cie_options cie;
		bool absolute, no_augmentation;
		struct expected expected;
	} cases[] = {
		{ __LINE__, { .version = 1 }, false, false, { PLAIN } },
		{ __LINE__, { .version = 3 }, false, false, { PLAIN } },
		{ __LINE__, { .version = 2 }, false, false, { UNREADABLE } },
		{ __LINE__, { .version = 4 }, false, false, { UNREADABLE } },
		{ __LINE__, { .augmentation = "" }, true, true, { PLAIN } },
		{ __LINE__,
		  { .augmentation = "z", .augmentation_data = BYTES("\0") },
		  true,
		  false,
		  { PLAIN } },
		{ __LINE__,
		  { .augmentation = "zPLR",
		    .augmentation_data = BYTES("\x07\x9b\1\2\3\4\x1b\x1b") },
		  false,
		  false,
		  { PLAIN } },
		{ __LINE__,
		  { .augmentation = "zPR",
		    .augmentation_data = BYTES("\x0a\0\1\2\3\4\5\6\7\x08\x1b") },
		  false,
		  false,
		  { PLAIN } },
		{ __LINE__,
		  { .augmentation = "zPR", .augmentation_data = BYTES("\x02\xff\x1b") },
		  false,
		  false,
		  { PLAIN } },
		{ __LINE__, { .augmentation = "zRB" }, false, false, { PLAIN } },
		{ __LINE__, { .augmentation = "zRG" }, false, false, { PLAIN } },
		{ __LINE__,
		  { .augmentation = "zR", .augmentation_data = BYTES("\x04\x1b\1\2\3") },
		  false,
		  false,
		  { PLAIN } },
		{ __LINE__, { .augmentation = "zRX" }, false, false, { UNREADABLE } },
		{ __LINE__, { .augmentation = "R" }, false, false, { UNREADABLE } },
		{ __LINE__, { .augmentation = "armcc+" }, false, false, { UNREADABLE } },
		{ __LINE__,
		  { .augmentation = "zRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR" },
		  false,
		  false,
		  { UNREADABLE } },
		{ __LINE__,
		  { .augmentation = "zR", .augmentation_data = BYTES("\x7f\x1b") },
		  false,
		  false,
		  { UNREADABLE } },
		{ __LINE__,
		  { .augmentation = "zR",
		    .augmentation_data = BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1b") },
		  false,
		  false,
		  { UNREADABLE } },
		{ __LINE__,
		  { .augmentation = "zR", .augmentation_data = BYTES("\0") },
		  false,
		  false,
		  { UNREADABLE } },
		/* another return address column: helpers with conventions of their own */
		{ __LINE__, { .ra = 3 }, false, false, { "0 unsupported return; 100 none", 0, 0 } },
		/* instructions: none, a place, a state that was never remembered */
		{ __LINE__,
		  { .code = BYTES("") },
		  false,
		  false,
		  { "0 unsupported expression; 100 none", 0, 0 } },
		{ __LINE__, { .code = BYTES("\x0e\x08") }, false, false, { UNREADABLE } },
		{ __LINE__,
		  { .code = BYTES("\x0c\x07\x08\x90\x01\x44") },
		  false,
		  false,
		  { UNREADABLE } },
		{ __LINE__,
		  { .code = BYTES("\x0c\x07\x08\x90\x01\x01\0\0\0\0") },
		  false,
		  false,
		  { UNREADABLE } },
		{ __LINE__, { .code = BYTES("\x0b") }, false, false, { UNREADABLE } },
		{ __LINE__, { .code = BYTES("\xc6") }, false, false, { UNREADABLE } },
		{ __LINE__, { .code = BYTES("\x3f") }, false, false, { UNREADABLE } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer b = { 0 };
		size_t cie = put_cie(&b, EM_X86_64, &cases[i].cie);

		put_fde(&b, cie,
			&(struct fde_options){ .location = cases[i].absolute ? absolute
									     : (struct bytes){ 0 },
					       .no_augmentation = cases[i].no_augmentation });
		check_frame(cases[i].line, (struct image_options){ 0 }, &b, cases[i].expected);
		buffer_done(&b);
	}
}

/* gcc 2's "eh", whose 8 bytes come before the alignment factors. */
static void old_augmentation_is_skipped(void **state)
{
	struct buffer b = { 0 };
	size_t at = entry_begin(&b, false);

	(void)state;
	put_literal(&b, BYTES("\0\0\0\0\x01"
			      "eh\0\1\2\3\4\5\6\7\x08\x01\x78\x10\x0c\x07\x08\x90\x01"));
	entry_end(&b, at, false);
	put_fde(&b, at,
		&(struct fde_options){ .location = BYTES("\0\x10\x40\0\0\0\0\0\0\x01\0\0\0\0\0\0"),
				       .no_augmentation = true });
	check_frame(__LINE__, (struct image_options){ 0 }, &b, (struct expected){ PLAIN });
	buffer_done(&b);
}

#define BEHIND "0 rsp+8 same c-8; 100 none"

/* A whole function behind whatever comes first. */
static void damage_costs_only_its_own(void **state)
{
	static const struct {
		int line;
		struct bytes first;
		struct expected expected;
	} cases[] = {
		{ __LINE__, BYTES("\x01\0\0\0\0"), { BEHIND, 1, 0 } },
		{ __LINE__, BYTES("\x04\0\0\0\x07\0\0\0"), { BEHIND, 1, 0 } }, /* no CIE there */
		{ __LINE__, BYTES("\x04\0\0\0\xff\xff\xff\x7f"), { BEHIND, 1, 0 } },
		{ __LINE__, BYTES("\x04\0\0\0\x04\0\0\0"), { BEHIND, 1, 0 } }, /* itself */
		{ __LINE__, BYTES("\x04\0\0\0\0\0\0\0"), { BEHIND, 1, 0 } }, /* an empty CIE */
		{ __LINE__, BYTES("\x08\0\0\0\0\0\0\0\x01zRz"), { BEHIND, 1, 0 } },
		{ __LINE__, BYTES("\0\0\0\0"), { PLAIN } }, /* between the objects of a link */
		{ __LINE__, BYTES("\xff\xff\xff\xff\0\0\0\0\0\0\0\0"), { PLAIN } },
		{ __LINE__,
		  BYTES("\xff\xff\xff\xff\x08\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1"),
		  { BEHIND, 1, 0 } },
		/* lengths that lead out of the section end the reading */
		{ __LINE__, BYTES("\xfe\xff\xff\xff\0\0\0\0"), { "", 1, 0 } },
		{ __LINE__,
		  BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		  { "", 1, 0 } },
		{ __LINE__,
		  BYTES("\xff\xff\xff\xff\xf4\xff\xff\xff\xff\xff\xff\xff"),
		  { "", 1, 0 } },
		{ __LINE__, BYTES("\0\0\x01\0\0\0\0\0"), { "", 1, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer b = { 0 };
		size_t cie;

		put_literal(&b, cases[i].first);
		cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });
		put_fde(&b, cie, &(struct fde_options){ .code = BYTES("") });
		check_frame(cases[i].line, (struct image_options){ 0 }, &b, cases[i].expected);
		buffer_done(&b);
	}
}

/* A section may end anywhere. */
static void every_cut_is_survived(void **state)
{
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .code = BYTES("\x44\x0e\x10") });
	for (size_t size = 0; size < b.size; size++) {
		const struct image_options o = { .frame = { b.data, size } };
		_cleanup_(unwind_table_freep) struct unwind_table *t = build_image(&o);

		assert_int_equal(t->n_rows, 0);
		assert_null(unwind_table_find(t, TEXT_OFFSET));
	}
	buffer_done(&b);
}

/* Too large a CIE is left out, too large an FDE as well; what follows is not. */
static void large_entries_are_left_out(void **state)
{
	static const uint8_t nops[5000];
	struct buffer b = { 0 };
	size_t cie =
		put_cie(&b, EM_X86_64, &(struct cie_options){ .code = { nops, sizeof(nops) } });

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .code = BYTES("") });
	cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });
	put_fde(&b, cie, &(struct fde_options){ .code = { nops, sizeof(nops) } });
	check_frame(__LINE__, (struct image_options){ 0 }, &b,
		    (struct expected){ "0 rsp+8 same c-8; 100 none", 2, 0 });
	buffer_done(&b);
}

struct piece {
	uint32_t start, size;
	struct bytes code;
};

/* Functions in any order, with gaps and overlaps, give one sorted table. */
static void functions_are_merged(void **state)
{
#define FRAME BYTES("\x41\x0e\x10\x44\x0e\x08") /* 16 from 1 to 5 */
#define OPEN BYTES("\x41\x0e\x10") /* 16 from 1 to its end: it does not return */
	static const struct {
		int line;
		struct piece pieces[4];
		const char *rows;
		uint64_t covered;
	} cases[] = {
		{ __LINE__,
		  { { 0, 16, FRAME } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 5 rsp+8 same c-8; 10 none",
		  16 },
		/* side by side: the second one's beginning is the first one's end */
		{ __LINE__,
		  { { 0, 16, FRAME }, { 16, 16, FRAME } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 5 rsp+8 same c-8; 11 rsp+16 same c-8; "
		  "15 rsp+8 same c-8; 20 none",
		  32 },
		/* padding up to an aligned place, after a function that ends as it began */
		{ __LINE__,
		  { { 0, 9, FRAME }, { 16, 16, FRAME } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 5 rsp+8 same c-8; 11 rsp+16 same c-8; "
		  "15 rsp+8 same c-8; 20 none",
		  25 },
		/* and after one that does not */
		{ __LINE__,
		  { { 0, 9, OPEN }, { 16, 16, FRAME } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 9 none; 10 rsp+8 same c-8; "
		  "11 rsp+16 same c-8; 15 rsp+8 same c-8; 20 none",
		  25 },
		/* up to a place that is not aligned, or far away */
		{ __LINE__,
		  { { 0, 9, FRAME }, { 12, 4, BYTES("") } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 5 rsp+8 same c-8; 9 none; "
		  "c rsp+8 same c-8; 10 none",
		  13 },
		{ __LINE__,
		  { { 0, 16, FRAME }, { 32, 4, BYTES("") } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 5 rsp+8 same c-8; 10 none; "
		  "20 rsp+8 same c-8; 24 none",
		  20 },
		/* in any order */
		{ __LINE__,
		  { { 32, 4, BYTES("") }, { 0, 16, OPEN }, { 64, 1, OPEN } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 10 none; 20 rsp+8 same c-8; 24 none; "
		  "40 rsp+8 same c-8; 41 none",
		  21 },
		/* one over the end of another, one inside another, the same twice */
		{ __LINE__,
		  { { 0, 32, OPEN }, { 16, 32, FRAME } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 10 rsp+8 same c-8; 11 rsp+16 same c-8; "
		  "15 rsp+8 same c-8; 30 none",
		  48 },
		{ __LINE__,
		  { { 0, 64, OPEN }, { 16, 16, BYTES("") } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 10 rsp+8 same c-8; 20 none",
		  32 },
		{ __LINE__,
		  { { 0, 16, OPEN }, { 0, 16, OPEN } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 10 none",
		  16 },
		{ __LINE__,
		  { { 0, 16, OPEN }, { 0, 8, BYTES("") }, { 0, 4, OPEN } },
		  "0 rsp+8 same c-8; 1 rsp+16 same c-8; 4 none",
		  4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
		struct buffer b = { 0 };
		size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

		for (size_t p = 0; p < 4 && cases[i].pieces[p].size; p++)
			put_fde(&b, cie,
				&(struct fde_options){ .start = cases[i].pieces[p].start,
						       .size = cases[i].pieces[p].size,
						       .code = cases[i].pieces[p].code });
		t = build_image(&(struct image_options){ .frame = { b.data, b.size } });
		check_rows_text(cases[i].line, t, cases[i].rows);
		if (t->summary->covered_bytes != cases[i].covered)
			fail_msg("line %d: %u bytes", cases[i].line,
				 (unsigned int)t->summary->covered_bytes);
		buffer_done(&b);
	}
}

/* .debug_frame of DWARF 2 to 4, narrow and wide; wide entries in .eh_frame. */
static void other_forms_are_read(void **state)
{
	(void)state;
	for (unsigned int form = 0; form < 7; form++) {
		static const uint8_t versions[] = { 1, 3, 4 };
		bool debug_frame = form < 6, wide = form % 2 || !debug_frame;
		struct buffer b = { 0 };
		size_t cie = put_cie(&b, EM_X86_64,
				     &(struct cie_options){ .debug_frame = debug_frame,
							    .wide = wide,
							    .version = versions[form / 2 % 3] });
		struct image_options o = { .debug_frame = debug_frame };

		put_fde(&b, cie,
			&(struct fde_options){ .debug_frame = debug_frame,
					       .wide = wide,
					       .code = BYTES("\x44\x0e\x10") });
		check_frame(
			(int)form, o, &b,
			(struct expected){ "0 rsp+8 same c-8; 4 rsp+16 same c-8; 100 none", 0, 0 });
		buffer_done(&b);
	}
}

/* In .debug_frame an FDE may come before its CIE; functions that were dropped are at 0. */
static void debug_frame_has_its_own_order(void **state)
{
	const struct image_options o = { .debug_frame = true };
	struct buffer b = { 0 };

	(void)state;
	/* 4 + 4 + 8 + 8 bytes each, then the CIE */
	put_fde(&b, 48, &(struct fde_options){ .debug_frame = true, .code = BYTES("") });
	put_fde(&b, 48,
		&(struct fde_options){ .debug_frame = true,
				       .location = BYTES("\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0") });
	assert_int_equal(put_cie(&b, EM_X86_64, &(struct cie_options){ .debug_frame = true }), 48);
	put_fde(&b, 48,
		&(struct fde_options){ .debug_frame = true, .start = 0x200, .code = BYTES("") });
	put_fde(&b, 24, &(struct fde_options){ .debug_frame = true, .code = BYTES("") });
	check_frame(__LINE__, o, &b,
		    (struct expected){ "0 rsp+8 same c-8; 100 none; 200 rsp+8 same c-8; 300 none",
				       1, 0 });
	buffer_done(&b);
}

/* Looking for CIEs that come later is bounded. */
static void late_cies_are_bounded(void **state)
{
	enum { FDES = 300, FDE_BYTES = 24 };
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	struct buffer b = { 0 };
	size_t cie[2] = { FDES * FDE_BYTES };

	(void)state;
	for (unsigned int i = 0; i < FDES; i++) {
		/* Not the same one twice in a row: that one is kept. */
		cie[1] = cie[0] + 20;
		put_fde(&b, cie[i % 2],
			&(struct fde_options){
				.debug_frame = true, .start = i, .size = 1, .code = BYTES("") });
	}
	assert_int_equal(b.size, FDES * FDE_BYTES);
	assert_int_equal(put_cie(&b, EM_X86_64, &(struct cie_options){ .debug_frame = true }),
			 cie[0]);
	assert_int_equal(put_cie(&b, EM_X86_64, &(struct cie_options){ .debug_frame = true }),
			 cie[1]);
	t = build_image(
		&(struct image_options){ .debug_frame = true, .frame = { b.data, b.size } });
	/* Of those beyond 256, every second one has the CIE that was read last. */
	assert_int_equal(t->summary->functions, 256 + (FDES - 256) / 2);
	assert_int_equal(t->summary->damaged, (FDES - 256) / 2);
	buffer_done(&b);
}

/* .eh_frame's place by its header's word; what follows its end is not read. */
static void files_without_sections_are_read(void **state)
{
	const struct image_options o = { .no_sections = true };
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .code = BYTES("") });
	put_int(&b, 0, 4);
	put_fde(&b, cie, &(struct fde_options){ .start = 0x200, .code = BYTES("") });
	check_frame(__LINE__, o, &b, (struct expected){ PLAIN });
	buffer_done(&b);
}

/* An entry point without rows is a root, in what is begun there; not in a library. */
static void entry_points_are_roots(void **state)
{
	static const struct {
		int line;
		struct image_options o;
		const char *rows;
	} cases[] = {
		{ __LINE__,
		  { .entry = TEXT_ADDRESS + 0x300 },
		  "0 rsp+8 same c-8; 100 none; 300 end; 380 none" },
		{ __LINE__,
		  { .entry = TEXT_ADDRESS + 0x300, .needed = true },
		  "0 rsp+8 same c-8; 100 none" },
		{ __LINE__,
		  { .entry = TEXT_ADDRESS + 0x300, .needed = true, .interpreter = true },
		  "0 rsp+8 same c-8; 100 none; 300 end; 380 none" },
		{ __LINE__, { .entry = TEXT_ADDRESS + 0x80 }, "0 rsp+8 same c-8; 100 none" },
		{ __LINE__,
		  { .entry = TEXT_ADDRESS + 0xff0 },
		  "0 rsp+8 same c-8; 100 none; ff0 end; 1000 none" },
		{ __LINE__,
		  { .entry = TEXT_ADDRESS + 0x100 },
		  "0 rsp+8 same c-8; 100 end; 180 none" },
		{ __LINE__, { .entry = TEXT_ADDRESS - 1 }, "0 rsp+8 same c-8; 100 none" },
		{ __LINE__, { .entry = UINT64_MAX }, "0 rsp+8 same c-8; 100 none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer b = { 0 };
		size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

		put_fde(&b, cie, &(struct fde_options){ .code = BYTES("") });
		check_frame(cases[i].line, cases[i].o, &b,
			    (struct expected){ cases[i].rows, 0, 0 });
		buffer_done(&b);
	}
}

/* Tables of stubs that lld, and GNU ld on arm64, leave undescribed; what is not known is left
 * alone. */
static void undescribed_stubs_have_rows(void **state)
{
#define HEADER "\xff\x35\1\0\0\0\xff\x25\2\0\0\0\x0f\x1f\x40\0"
	static const struct {
		int line;
		uint16_t machine;
		struct bytes code;
		const char *rows;
	} cases[] = {
		{ __LINE__, EM_X86_64, BYTES(HEADER "\xff\x25\1\0\0\0\x68\0\0\0\0\xe9\1\2\3\4"),
		  "; 400 rsp+16 same c-8; 406 rsp+24 same c-8; 410 plt+11 same c-8; 420 none" },
		{ __LINE__, EM_X86_64,
		  BYTES(HEADER "\xf3\x0f\x1e\xfa\x68\0\0\0\0\xe9\1\2\3\4\x66\x90"),
		  "; 400 rsp+16 same c-8; 406 rsp+24 same c-8; 410 plt+9 same c-8; 420 none" },
		{ __LINE__, EM_X86_64, BYTES(HEADER "\x68\0\0\0\0\xf2\xe9\1\2\3\4\x0f\x1f\x44\0\0"),
		  "; 400 rsp+16 same c-8; 406 rsp+24 same c-8; 410 plt+5 same c-8; 420 none" },
		/* not lazy: .plt.got, .plt.sec */
		{ __LINE__, EM_X86_64,
		  BYTES("\xff\x25\1\0\0\0\x66\x90\xff\x25\2\0\0\0\x66\x90"
			"\xff\x25\1\0\0\0\x66\x90\xff\x25\2\0\0\0\x66\x90"),
		  "; 400 rsp+8 same c-8; 420 none" },
		{ __LINE__, EM_X86_64,
		  BYTES("\xf3\x0f\x1e\xfa\xf2\xff\x25\1\0\0\0\x0f\x1f\x44\0\0"
			"\xf3\x0f\x1e\xfa\xf2\xff\x25\1\0\0\0\x0f\x1f\x44\0\0"),
		  "; 400 rsp+8 same c-8; 420 none" },
		/* a header before something else; retpolines; nothing */
		{ __LINE__, EM_X86_64, BYTES(HEADER HEADER), "" },
		{ __LINE__, EM_X86_64,
		  BYTES("\xff\x35\1\0\0\0\x4c\x8b\x1d\1\0\0\0\xe8\x0e\0"
			"\0\0\xf3\x90\x0f\xae\xe8\xeb\xf9\xcc\xcc\xcc\xcc\xcc\xcc\xcc"),
		  "" },
		{ __LINE__, EM_X86_64, BYTES("\xff\x25\1\0\0\0\x66\x90"), "" },
		{ __LINE__, EM_AARCH64,
		  BYTES("\xf0\x7b\xbf\xa9\xb0\x0b\0\xd0\x11\xfe\x47\xf9\x10\xe2\x3f\x91"
			"\x20\x02\x1f\xd6\x1f\x20\x03\xd5\x1f\x20\x03\xd5\x1f\x20\x03\xd5"
			"\xb0\x0b\0\xf0\x11\x02\x40\xf9\x10\x02\0\x91\x20\x02\x1f\xd6"),
		  "; 400 sp+0 same lr; 404 sp+16 same c-8; 420 sp+0 same lr; 430 none" },
		{ __LINE__, EM_AARCH64,
		  BYTES("\x5f\x24\x03\xd5\xf0\x7b\xbf\xa9\xb0\x0b\0\xd0\x11\xfe\x47\xf9"
			"\x10\xe2\x3f\x91\x20\x02\x1f\xd6\x1f\x20\x03\xd5\x1f\x20\x03\xd5"),
		  "; 400 sp+0 same lr; 408 sp+16 same c-8; 420 none" },
		{ __LINE__, EM_AARCH64,
		  BYTES("\xb0\x0b\0\xf0\x11\x02\x40\xf9\x10\x02\0\x91\x20\x02\x1f\xd6"
			"\xb0\x0b\0\xf0\x11\x02\x40\xf9\x10\x02\0\x91\x20\x02\x1f\xd6"),
		  "; 400 sp+0 same lr; 420 none" },
		{ __LINE__, EM_AARCH64,
		  BYTES("\1\2\3\4\1\2\3\4\1\2\3\4\1\2\3\4\1\2\3\4\1\2\3\4\1\2\3\4\1\2\3\4"), "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buffer b = { 0 };
		size_t cie = put_cie(&b, cases[i].machine, &(struct cie_options){ 0 });
		char rows[256];

		put_fde(&b, cie, &(struct fde_options){ .code = BYTES("") });
		snprintf(rows, sizeof(rows), "0 %s; 100 none%s",
			 cases[i].machine == EM_AARCH64 ? "sp+0 same lr" : "rsp+8 same c-8",
			 cases[i].rows);
		check_frame(
			cases[i].line,
			(struct image_options){ .machine = cases[i].machine, .plt = cases[i].code },
			&b, (struct expected){ rows, 0, 0 });
		buffer_done(&b);
	}
}

/* A table that the linker described is not touched. */
static void described_stubs_are_left_alone(void **state)
{
	const struct image_options o = {
		.plt = BYTES("\xff\x25\1\0\0\0\x66\x90\xff\x25\2\0\0\0\x66\x90"
			     "\xff\x25\1\0\0\0\x66\x90\xff\x25\2\0\0\0\x66\x90"),
	};
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

	(void)state;
	put_fde(&b, cie,
		&(struct fde_options){ .start = 0x400, .size = 0x20, .code = BYTES("\x0e\x10") });
	check_frame(__LINE__, o, &b, (struct expected){ "400 rsp+16 same c-8; 420 none", 0, 0 });
	buffer_done(&b);
}

static void summary_tells_what_there_is(void **state)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });
	const struct unwind_summary *s;

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .size = 0x20, .code = BYTES("\x44\x0c\x0a\x08") });
	put_fde(&b, cie,
		&(struct fde_options){ .start = 0x40, .size = 0x10, .code = BYTES("\x07\x10") });
	t = build_image(&(struct image_options){ .frame = { b.data, b.size } });
	s = t->summary;
	assert_int_equal(s->machine, EM_X86_64);
	assert_int_equal(s->source, UNWIND_SOURCE_EH_FRAME);
	assert_int_equal(s->functions, 2);
	assert_int_equal(s->text_bytes, TEXT_BYTES);
	assert_int_equal(s->covered_bytes, 0x30);
	assert_int_equal(s->rows_by_kind[ROW_CFA_SP], 1);
	assert_int_equal(s->rows_by_kind[ROW_UNSUPPORTED], 1);
	assert_int_equal(s->rows_by_kind[ROW_END], 1);
	assert_int_equal(s->rows_by_kind[ROW_NONE], 2);
	assert_int_equal(s->bytes_by_kind[ROW_CFA_SP], 4);
	assert_int_equal(s->bytes_by_kind[ROW_UNSUPPORTED], 0x1c);
	assert_int_equal(s->bytes_by_kind[ROW_NONE], 0x20);
	assert_int_equal(s->bytes_by_kind[ROW_END], 0x10);
	assert_int_equal(t->base, TEXT_OFFSET);
	buffer_done(&b);
}

static void rows_are_found(void **state)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .start = 0x10, .code = BYTES("\x44\x0e\x10") });
	t = build_image(&(struct image_options){ .frame = { b.data, b.size } });
	assert_null(unwind_table_find(t, 0));
	assert_null(unwind_table_find(t, TEXT_OFFSET + 0xf));
	assert_int_equal(unwind_table_find(t, TEXT_OFFSET + 0x10)->cfa_words, 1);
	assert_int_equal(unwind_table_find(t, TEXT_OFFSET + 0x13)->cfa_words, 1);
	assert_int_equal(unwind_table_find(t, TEXT_OFFSET + 0x14)->cfa_words, 2);
	assert_int_equal(unwind_table_find(t, TEXT_OFFSET + 0x10f)->cfa_words, 2);
	assert_null(unwind_table_find(t, TEXT_OFFSET + 0x110));
	assert_null(unwind_table_find(t, UINT64_MAX));
	buffer_done(&b);
}

/* Where nothing is described, nobody knows where the code at the entry point ends. */
static void undescribed_files_have_no_root(void **state)
{
	const struct image_options o = { .entry = TEXT_ADDRESS + 0x300 };
	struct buffer b = { 0 };

	(void)state;
	put_int(&b, 0, 4);
	check_frame(__LINE__, o, &b, (struct expected){ "", 0, 0 });
	buffer_done(&b);
}

/* Go's .debug_frame is wrong of the frame pointer: it is not used. */
static void go_has_no_rows(void **state)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ .debug_frame = true });

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .debug_frame = true, .code = BYTES("") });
	t = build_image(&(struct image_options){
		.debug_frame = true, .go = true, .frame = { b.data, b.size } });
	assert_int_equal(t->n_rows, 0);
	assert_true(t->summary->go);
	assert_int_equal(t->summary->source, UNWIND_SOURCE_NONE);
	buffer_done(&b);
}

static void other_files_are_refused(void **state)
{
	struct unwind_table *t;
	struct image *i = image_new(&(struct image_options){ .machine = EM_RISCV });

	(void)state;
	assert_int_equal(build_bytes(i, sizeof(*i), &t), -EOPNOTSUPP);
	free(i);
	i = image_new(&(struct image_options){ 0 });
	((Elf64_Phdr *)(i->data + sizeof(Elf64_Ehdr)))->p_flags = PF_R;
	assert_int_equal(build_bytes(i, sizeof(*i), &t), -ENOEXEC);
	free(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_decoded),
		cmocka_unit_test(unknown_base_is_damage),
		cmocka_unit_test(cies_are_understood_or_left_out),
		cmocka_unit_test(old_augmentation_is_skipped),
		cmocka_unit_test(damage_costs_only_its_own),
		cmocka_unit_test(every_cut_is_survived),
		cmocka_unit_test(large_entries_are_left_out),
		cmocka_unit_test(functions_are_merged),
		cmocka_unit_test(other_forms_are_read),
		cmocka_unit_test(debug_frame_has_its_own_order),
		cmocka_unit_test(late_cies_are_bounded),
		cmocka_unit_test(files_without_sections_are_read),
		cmocka_unit_test(entry_points_are_roots),
		cmocka_unit_test(undescribed_stubs_have_rows),
		cmocka_unit_test(described_stubs_are_left_alone),
		cmocka_unit_test(undescribed_files_have_no_root),
		cmocka_unit_test(summary_tells_what_there_is),
		cmocka_unit_test(rows_are_found),
		cmocka_unit_test(go_has_no_rows),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
