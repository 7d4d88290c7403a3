// SPDX-License-Identifier: Apache-2.0
// Each call frame instruction, alone and hostile, gives the rows it should, on x86-64 and on arm64.
#include "unwind_fixture.h"

/* DW_CFA_advance_loc by a few units. */
#define STEP4 "\x44"
#define STEP1 "\x41"

struct instruction_case {
	int line;
	struct bytes code; /* of an FDE of 0x100 bytes */
	const char *rows;
};

static const struct instruction_case x86_cases[] = {
	/* what a compiler writes for push %rbp; mov %rsp,%rbp; ... leave; ret */
	{ __LINE__, BYTES("\x41\x0e\x10\x86\x02\x43\x0d\x06\x02\x50\x0c\x07\x08"),
	  "0 rsp+8 same c-8; 1 rsp+16 c-16 c-8; 4 rbp+16 c-16 c-8; 54 rsp+8 c-16 c-8; 100 none" },
	{ __LINE__, BYTES(""), "0 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES("\0\0\0"), "0 rsp+8 same c-8; 100 none" },
	/* the ways to advance */
	{ __LINE__, BYTES("\x7f\x0e\x10"), "0 rsp+8 same c-8; 3f rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES("\x02\x80\x0e\x10"), "0 rsp+8 same c-8; 80 rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES("\x03\x81\0\x0e\x10"), "0 rsp+8 same c-8; 81 rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES("\x04\x82\0\0\0\x0e\x10"),
	  "0 rsp+8 same c-8; 82 rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES("\x1d\x83\0\0\0\0\0\0\0\x0e\x10"),
	  "0 rsp+8 same c-8; 83 rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES("\x40\x0e\x10"), "0 rsp+16 same c-8; 100 none" },
	/* beyond the end: what follows is of no use */
	{ __LINE__, BYTES("\x03\0\x01\x0e\x10\x3f"), "0 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES("\x04\xff\xff\xff\xff\x0e\x10"), "0 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES("\x1d\xff\xff\xff\xff\xff\xff\xff\xff\x0e\x10"),
	  "0 rsp+8 same c-8; 100 none" },
	/* what changes nothing gives no row */
	{ __LINE__, BYTES("\x44\x0e\x08\x44\x83\x03\x44\x2e\x10\x44"),
	  "0 rsp+8 same c-8; 100 none" },
	/* the CFA */
	{ __LINE__, BYTES(STEP4 "\x0c\x06\x10"), "0 rsp+8 same c-8; 4 rbp+16 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x12\x07\x7e"), "0 rsp+8 same c-8; 4 rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x13\x7d"), "0 rsp+8 same c-8; 4 rsp+24 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0d\x06"), "0 rsp+8 same c-8; 4 rbp+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0e\xf8\xff\x0f"),
	  "0 rsp+8 same c-8; 4 rsp+262136 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0e\x80\x80\x10"),
	  "0 rsp+8 same c-8; 4 unsupported offset; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0e\x0c"), "0 rsp+8 same c-8; 4 unsupported offset; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0c\x0a\x00"),
	  "0 rsp+8 same c-8; 4 unsupported register; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0c\x87\x02\x08"),
	  "0 rsp+8 same c-8; 4 unsupported register; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0c\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08"),
	  "0 rsp+8 same c-8; 4 unsupported register; 100 none" },
	/* expressions: gcc's realigned stacks, OpenSSL's saved ones, the linkers' PLT */
	{ __LINE__, BYTES(STEP4 "\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00"),
	  "0 rsp+8 same c-8; 4 *(rbp-8)+0 rbp+0 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x05\x77\x20\x06\x23\x08\x86\x03"),
	  "0 rsp+8 same c-8; 4 *(rsp+32)+8 c-24 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x06\x92\x07\x20\x06\x23\x08"),
	  "0 rsp+8 same c-8; 4 *(rsp+32)+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x02\x77\x10"),
	  "0 rsp+8 same c-8; 4 rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x04\x77\x10\x23\x08"),
	  "0 rsp+8 same c-8; 4 rsp+24 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"),
	  "0 rsp+8 same c-8; 4 plt+11 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3a\x2a\x33\x24\x22"),
	  "0 rsp+8 same c-8; 4 plt+10 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x2f\x2a\x33\x24\x22"),
	  "0 rsp+8 same c-8; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x32\x24\x22"),
	  "0 rsp+8 same c-8; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x04\x77\x20\x06\x06"),
	  "0 rsp+8 same c-8; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x04\x77\x20\x06\x9f"),
	  "0 rsp+8 same c-8; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x00"),
	  "0 rsp+8 same c-8; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x01\x77"),
	  "0 rsp+8 same c-8; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x03\x77\x80\x80"),
	  "0 rsp+8 same c-8; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x02\x7a\x10"),
	  "0 rsp+8 same c-8; 4 unsupported register; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x05\x77\x20\x06\x23\x04"),
	  "0 rsp+8 same c-8; 4 unsupported offset; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x06\x77\x20\x06\x23\x80\x01"),
	  "0 rsp+8 same c-8; 4 unsupported offset; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x05\x77\x80\x80\x01\x06"),
	  "0 rsp+8 same c-8; 4 unsupported offset; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x05\x77\xf8\xff\x00\x06"),
	  "0 rsp+8 same c-8; 4 *(rsp+16376)+0 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x05\x77\x80\x80\x7f\x06"),
	  "0 rsp+8 same c-8; 4 *(rsp-16384)+0 same c-8; 100 none" },
	/* register and offset count on what was said before an expression */
	{ __LINE__, BYTES(STEP4 "\x0e\x20\x0f\x03\x77\x20\x06" STEP4 "\x0d\x06"),
	  "0 rsp+8 same c-8; 4 *(rsp+32)+0 same c-8; 8 rbp+32 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\x03\x77\x20\x06" STEP4 "\x0e\x20" STEP4 "\x0d\x06"),
	  "0 rsp+8 same c-8; 4 *(rsp+32)+0 same c-8; c rbp+32 same c-8; 100 none" },
	/* the frame pointer */
	{ __LINE__, BYTES(STEP4 "\x86\x02"), "0 rsp+8 same c-8; 4 rsp+8 c-16 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x05\x06\x02"), "0 rsp+8 same c-8; 4 rsp+8 c-16 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x11\x06\x7e"), "0 rsp+8 same c-8; 4 rsp+8 c+16 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x2f\x06\x02"), "0 rsp+8 same c-8; 4 rsp+8 c+16 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x86\x02" STEP4 "\xc6"),
	  "0 rsp+8 same c-8; 4 rsp+8 c-16 c-8; 8 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x86\x02" STEP4 "\x06\x06"),
	  "0 rsp+8 same c-8; 4 rsp+8 c-16 c-8; 8 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x86\x02" STEP4 "\x08\x06"),
	  "0 rsp+8 same c-8; 4 rsp+8 c-16 c-8; 8 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x07\x06"), "0 rsp+8 same c-8; 4 rsp+8 lost c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x09\x06\x03"), "0 rsp+8 same c-8; 4 rsp+8 lost c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x09\x06\x06"), "0 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x14\x06\x02"), "0 rsp+8 same c-8; 4 rsp+8 lost c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x15\x06\x02"), "0 rsp+8 same c-8; 4 rsp+8 lost c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x16\x06\x02\x77\x00"),
	  "0 rsp+8 same c-8; 4 rsp+8 lost c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x10\x06\x02\x77\x10"),
	  "0 rsp+8 same c-8; 4 rsp+8 rsp+16 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x10\x06\x02\x76\x10"),
	  "0 rsp+8 same c-8; 4 rsp+8 lost c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x10\x06\x03\x77\x10\x06"),
	  "0 rsp+8 same c-8; 4 rsp+8 lost c-8; 100 none" },
	/* too far from the CFA, near its base */
	{ __LINE__, BYTES(STEP4 "\x0e\x90\x10\x05\x06\x80\x02"),
	  "0 rsp+8 same c-8; 4 rsp+2064 rsp+16 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x05\x06\x80\x01"),
	  "0 rsp+8 same c-8; 4 rsp+8 c-1024 c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0e\x90\x20\x05\x06\x81\x01"),
	  "0 rsp+8 same c-8; 4 rsp+4112 lost c-8; 100 none" },
	/* the return address */
	{ __LINE__, BYTES("\x07\x10"), "0 end; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x07\x10\x0c\x0a\x00"), "0 rsp+8 same c-8; 4 end; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x90\x02"), "0 rsp+8 same c-8; 4 unsupported return; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x09\x10\x02"),
	  "0 rsp+8 same c-8; 4 unsupported return; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x08\x10" STEP4 "\xd0"),
	  "0 rsp+8 same c-8; 4 unsupported return; 8 rsp+8 same c-8; 100 none" },
	/* remembered states bring the CFA back, too */
	{ __LINE__, BYTES(STEP4 "\x0e\x10\x86\x02" STEP4 "\x0a\xc6\x0e\x08" STEP1 "\x0b"),
	  "0 rsp+8 same c-8; 4 rsp+16 c-16 c-8; 8 rsp+8 same c-8; 9 rsp+16 c-16 c-8; 100 none" },
	{ __LINE__, BYTES("\x0a\x0e\x10\x0a\x0e\x18" STEP1 "\x0b" STEP1 "\x0b"),
	  "0 rsp+24 same c-8; 1 rsp+16 same c-8; 2 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0b"), "0 rsp+8 same c-8; 4 unsupported damaged; 100 none" },
	/* addresses relative to their own place: 0x10 bytes on; beyond the function; backwards */
	{ __LINE__, BYTES("\x01\xe6\xef\xdf\xff\x0e\x10"),
	  "0 rsp+8 same c-8; 10 rsp+16 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x01\0\0\0\0\x0e\x10"), "0 rsp+8 same c-8; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x01\xd8\xef\xdf\xff"),
	  "0 rsp+8 same c-8; 4 unsupported damaged; 100 none" },
	/* cut off, unknown, endless */
	{ __LINE__, BYTES(STEP4 "\x0e\x10" STEP4 "\x3f\x0e\x20"),
	  "0 rsp+8 same c-8; 4 rsp+16 same c-8; 8 unsupported damaged; 100 none" },
	{ __LINE__, BYTES(STEP4 "\0\0\x04\x01"),
	  "0 rsp+8 same c-8; 4 unsupported damaged; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0e\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"),
	  "0 rsp+8 same c-8; 4 unsupported damaged; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x13\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"),
	  "0 rsp+8 same c-8; 4 unsupported damaged; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x0f\xff\x7f\x77"),
	  "0 rsp+8 same c-8; 4 unsupported damaged; 100 none" },
	{ __LINE__, BYTES("\x10\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	  "0 unsupported damaged; 100 none" },
	{ __LINE__, BYTES(STEP4 "\x86"), "0 rsp+8 same c-8; 4 rsp+8 c+0 c-8; 100 none" },
};

static const struct instruction_case arm_cases[] = {
	/* stp x29, x30, [sp, -32]!; mov x29, sp; ... ldp x29, x30, [sp], 32; ret */
	{ __LINE__, BYTES("\x41\x0e\x20\x9d\x04\x9e\x03\x50\xde\xdd\x0e\x00"),
	  "0 sp+0 same lr; 4 sp+32 c-32 c-24; 44 sp+0 same lr; 100 none" },
	/* signed return addresses: nothing changes but the first row's rules */
	{ __LINE__, BYTES("\x41\x2d\x41\x0e\x10\x9d\x02\x9e\x01\x48\x2d\xde\xdd\x0e\x00"),
	  "0 sp+0 same lr; 8 sp+16 c-16 c-8; 28 sp+0 same lr; 100 none" },
	{ __LINE__, BYTES("\x41\x2c\x41\x0e\x10"), "0 sp+0 same lr; 8 sp+16 same lr; 100 none" },
	/* the link register alone */
	{ __LINE__, BYTES("\x41\x0e\x10\x9e\x02"), "0 sp+0 same lr; 4 sp+16 same c-16; 100 none" },
	/* a large frame: the pair is near sp, or x29 */
	{ __LINE__, BYTES("\x41\x0e\xa0\x20\x9d\x84\x04\x9e\x83\x04\x41\x0d\x1d"),
	  "0 sp+0 same lr; 4 sp+4128 sp+0 sp+8; 8 x29+4128 x29+0 x29+8; 100 none" },
	{ __LINE__, BYTES("\x41\x0e\xa0\x20\x9e\x83\x04"),
	  "0 sp+0 same lr; 4 unsupported offset; 100 none" },
	/* no pair */
	{ __LINE__, BYTES("\x41\x0e\x20\x9d\x04\x9e\x02"),
	  "0 sp+0 same lr; 4 unsupported return; 100 none" },
	{ __LINE__, BYTES("\x41\x0e\x20\x9d\x04"), "0 sp+0 same lr; 4 sp+32 c-32 lr; 100 none" },
	{ __LINE__, BYTES("\x41\x07\x1d\x9e\x02"),
	  "0 sp+0 same lr; 4 unsupported return; 100 none" },
	{ __LINE__, BYTES("\x41\x09\x1e\x0f"), "0 sp+0 same lr; 4 unsupported return; 100 none" },
	/* the end, and what is of another architecture */
	{ __LINE__, BYTES("\x07\x1e"), "0 end; 100 none" },
	{ __LINE__, BYTES("\x41\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"),
	  "0 sp+0 same lr; 4 unsupported expression; 100 none" },
	{ __LINE__, BYTES("\x41\x0c\x07\x10"), "0 sp+0 same lr; 4 unsupported register; 100 none" },
};

static void check_case(uint16_t machine, const struct instruction_case *c)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, machine, &(struct cie_options){ 0 });

	put_fde(&b, cie, &(struct fde_options){ .code = c->code });
	t = build_image(&(struct image_options){ .machine = machine, .frame = { b.data, b.size } });
	check_rows_text(c->line, t, c->rows);
	if (t->summary->damaged != (strstr(c->rows, "damaged") != NULL))
		fail_msg("line %d: %u damaged entries", c->line, t->summary->damaged);
	buffer_done(&b);
}

static void each_instruction_gives_its_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(x86_cases); i++)
		check_case(EM_X86_64, &x86_cases[i]);
	for (size_t i = 0; i < ARRAY_SIZE(arm_cases); i++)
		check_case(EM_AARCH64, &arm_cases[i]);
}

static void code_is_counted_in_its_unit(void **state)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ .code_align = 2 });

	(void)state;
	put_fde(&b, cie, &(struct fde_options){ .code = BYTES("\x44\x0e\x10") });
	t = build_image(&(struct image_options){ .frame = { b.data, b.size } });
	check_rows_text(__LINE__, t, "0 rsp+8 same c-8; 8 rsp+16 same c-8; 100 none");
	buffer_done(&b);
}

/* So many states that no program has them, and one more. */
static void remembered_states_are_bounded(void **state)
{
	(void)state;
	for (size_t n = 64; n <= 65; n++) {
		_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
		uint8_t code[80];
		struct buffer b = { 0 };
		size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

		memset(code, 0x0a, n);
		put_fde(&b, cie, &(struct fde_options){ .code = { code, n } });
		t = build_image(&(struct image_options){ .frame = { b.data, b.size } });
		check_rows_text(__LINE__, t,
				n == 64 ? "0 rsp+8 same c-8; 100 none"
					: "0 unsupported damaged; 100 none");
		buffer_done(&b);
	}
}

/* glibc's __restore_rt; another frame of the mark is what its rules say. */
static void signal_frames_are_known(void **state)
{
	static const struct {
		int line;
		uint16_t machine;
		struct bytes code;
		const char *rows;
	} cases[] = {
		{ __LINE__, EM_X86_64, BYTES("\x0f\x04\x77\xa0\x01\x06\x10\x10\x03\x77\xa8\x01"),
		  "0 signal; 100 none" },
		{ __LINE__, EM_X86_64, BYTES("\x0e\x20"), "0 rsp+32 same c-8; 100 none" },
		{ __LINE__, EM_X86_64, BYTES("\x0f\x04\x77\xa8\x01\x06"),
		  "0 *(rsp+168)+0 same c-8; 100 none" },
		{ __LINE__, EM_X86_64, BYTES("\x07\x10"), "0 end; 100 none" },
		{ __LINE__, EM_AARCH64, BYTES("\x0c\x1d\x00\x9d\x00\x11\x1e\x7f"),
		  "0 signal; 100 none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
		struct buffer b = { 0 };
		size_t cie = put_cie(&b, cases[i].machine,
				     &(struct cie_options){ .augmentation = "zRS" });

		put_fde(&b, cie, &(struct fde_options){ .code = cases[i].code });
		t = build_image(&(struct image_options){ .machine = cases[i].machine,
							 .frame = { b.data, b.size } });
		check_rows_text(cases[i].line, t, cases[i].rows);
		buffer_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instruction_gives_its_rows),
		cmocka_unit_test(code_is_counted_in_its_unit),
		cmocka_unit_test(remembered_states_are_bounded),
		cmocka_unit_test(signal_frames_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
