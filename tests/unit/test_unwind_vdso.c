// SPDX-License-Identifier: Apache-2.0
// Rows read from arm64 code are the compiler's own of that code; this host's vDSO has rows.
#include "symbols_fixture.h"
#include "unwind_fixture.h"

#include <errno.h>
#include <sys/auxv.h>

#include "symbols/vdso.h"
#include "unwind/unwind_build.h"

#define FRAMES "tests/fixtures/arm64/frames.so"
#define NOP "\x1f\x20\x03\xd5"
#define SIGRETURN "\x68\x11\x80\xd2"

static struct unwind_table *build_as(const uint8_t *data, size_t size, bool vdso)
{
	const struct elf_source source = { .fd = -1, .data = data, .size = size };
	struct unwind_table *t;
	struct elf_file f;

	assert_int_equal(elf_file_open(&source, &f), 0);
	assert_int_equal(unwind_build(&f, vdso, &t), 0);
	elf_file_done(&f);
	return t;
}

/* Its call frame information is no more found. */
static void hide_frame_information(uint8_t *data)
{
	Elf64_Ehdr h;
	Elf64_Shdr *sections;
	Elf64_Phdr *segments;

	memcpy(&h, data, sizeof(h));
	sections = (Elf64_Shdr *)(data + h.e_shoff);
	segments = (Elf64_Phdr *)(data + h.e_phoff);
	for (size_t i = 0; i < h.e_shnum; i++)
		if (strcmp((char *)data + sections[h.e_shstrndx].sh_offset + sections[i].sh_name,
			   ".eh_frame") == 0)
			sections[i].sh_type = SHT_NOBITS;
	for (size_t i = 0; i < h.e_phnum; i++)
		if (segments[i].p_type == PT_GNU_EH_FRAME)
			segments[i].p_type = PT_NULL;
}

/* Where the pair {x29, x30} is, from the CFA. */
static int pair_of(const struct unwind_row *row)
{
	int place = row->fp_words * 8;

	return ROW_FP(row->rule) == ROW_FP_AT_BASE ? place - row->cfa_words * 8 : place;
}

/*
 * One counts from sp, the other, as soon as it can, from x29, which points to the saved pair. When
 * the pair has been loaded, and sp is not yet moved, both places of it are right; *loaded counts.
 */
static void check_same(uint32_t pc, const struct unwind_row *compiler,
		       const struct unwind_row *ours, uint32_t *loaded)
{
	if (!compiler || !ours)
		fail_msg("nothing is known of 0x%x", pc);
	if (ROW_RA(compiler->rule) == ROW_RA_AT_CFA && ROW_RA(ours->rule) == ROW_RA_IN_LR &&
	    compiler->cfa_words == ours->cfa_words) {
		++*loaded;
		return;
	}
	if ((ROW_CFA(compiler->rule) == ROW_SIGNAL) != (ROW_CFA(ours->rule) == ROW_SIGNAL))
		fail_msg("0x%x: one takes it for a signal's frame", pc);
	if (ROW_RA(compiler->rule) != ROW_RA(ours->rule))
		fail_msg("0x%x: the return address is elsewhere", pc);
	if (ROW_RA(ours->rule) == ROW_RA_AT_CFA && pair_of(compiler) != pair_of(ours))
		fail_msg("0x%x: the pair is at %d, not %d", pc, pair_of(compiler), pair_of(ours));
	if (ROW_CFA(ours->rule) == ROW_CFA_FP)
		assert_int_equal(ours->cfa_words * 8, -pair_of(compiler));
	else if (compiler->cfa_words != ours->cfa_words)
		fail_msg("0x%x: sp+%d, not sp+%d", pc, compiler->cfa_words * 8,
			 ours->cfa_words * 8);
}

static void code_is_read_as_the_compiler_described_it(void **state)
{
	_cleanup_(unwind_table_freep) struct unwind_table *compiler = NULL, *ours = NULL;
	_cleanup_free_ uint8_t *data = NULL;
	uint32_t compared = 0, framed = 0, loaded = 0;
	size_t size;

	(void)state;
	data = read_whole(FRAMES, &size);
	compiler = build_as(data, size, false);
	assert_int_equal(compiler->summary->functions, 12);
	hide_frame_information(data);
	ours = build_as(data, size, false);
	assert_int_equal(ours->n_rows, 0);
	unwind_table_free(ours);
	ours = build_as(data, size, true);
	for (uint32_t i = 0; i + 1 < compiler->n_rows; i++)
		for (uint32_t pc = compiler->rows[i].pc; pc < compiler->rows[i + 1].pc; pc += 4) {
			uint64_t at = compiler->base + pc;

			if (!unwind_table_find(compiler, at) ||
			    (memcmp(data + at, NOP, 4) == 0 &&
			     memcmp(data + at + 4, SIGRETURN, 4) != 0))
				continue; /* between functions */
			check_same(pc, unwind_table_find(compiler, at), unwind_table_find(ours, at),
				   &loaded);
			framed += ROW_CFA(unwind_table_find(ours, at)->rule) == ROW_CFA_FP;
			compared++;
		}
	assert_true(compared > 180);
	assert_true(framed > 50);
	assert_true(loaded < 20);
	assert_int_equal(ours->summary->bytes_by_kind[ROW_SIGNAL], 12);
}

/* The kernel maps one, and clock_gettime() is in it. */
static void this_hosts_vdso_has_rows(void **state)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	struct elf_source source;
	int r = unwind_table_build_vdso(&t);

	(void)state;
	if (getauxval(AT_SYSINFO_EHDR) == 0) {
		assert_int_equal(r, -ENODATA);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(vdso_source(&source), 0);
	assert_true(t->n_rows > 4);
	assert_true(t->summary->covered_bytes * 2 > t->summary->text_bytes);
	assert_int_equal(t->summary->rows_by_kind[ROW_UNSUPPORTED], 0);
	for (uint32_t i = 0; i < t->n_rows; i++)
		assert_true(t->base + t->rows[i].pc <= source.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_is_read_as_the_compiler_described_it),
		cmocka_unit_test(this_hosts_vdso_has_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
