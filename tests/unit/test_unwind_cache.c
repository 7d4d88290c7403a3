// SPDX-License-Identifier: Apache-2.0
// Unwind tables come back from disk as they went there, or not at all.
#include "symbols_fixture.h"
#include "unwind_fixture.h"

#include <errno.h>
#include <time.h>

#include "store/crc32c.h"
#include "unwind/unwind_block.h"
#include "unwind/unwind_cache.h"

static const struct build_id id = { .bytes = { 0x12, 0x34, 0x56, 0x78 }, .size = 4 };

static struct unwind_table *small_table(void)
{
	struct unwind_table *t;
	struct buffer b = { 0 };
	size_t cie = put_cie(&b, EM_X86_64, &(struct cie_options){ 0 });

	put_fde(&b, cie, &(struct fde_options){ .code = BYTES("\x44\x0e\x10") });
	t = build_image(&(struct image_options){ .frame = { b.data, b.size } });
	buffer_done(&b);
	return t;
}

static void tables_come_back(void **state)
{
	struct fixture *f = *state;
	_cleanup_(unwind_cache_closep) struct unwind_cache *c = NULL;
	_cleanup_(unwind_table_freep) struct unwind_table *t = small_table();
	_cleanup_(unwind_table_freep) struct unwind_table *again = NULL;
	struct unwind_table *none;

	assert_int_equal(unwind_cache_open(in(f, "rows"), 1 << 20, &c), 0);
	assert_int_equal(unwind_cache_load(c, &id, 0, &none), -ENOENT);
	assert_int_equal(unwind_cache_store(c, &id, 0, &t), 0);
	assert_true(t->mapped);
	check_rows_text(__LINE__, t, "0 rsp+8 same c-8; 4 rsp+16 same c-8; 100 none");
	assert_int_equal(unwind_cache_load(c, &id, 0, &again), 0);
	check_rows_text(__LINE__, again, "0 rsp+8 same c-8; 4 rsp+16 same c-8; 100 none");
	assert_memory_equal(again->summary, t->summary, sizeof(*t->summary));
	assert_int_equal(again->base, TEXT_OFFSET);
	/* another user's file of the same build-id is another file */
	assert_int_equal(unwind_cache_load(c, &id, 1000, &none), -ENOENT);
	assert_int_equal(access(in(f, "rows/12345678.rows"), F_OK), 0);
}

/* Whatever bit is wrong, a stored table is no more; nor one cut off or prolonged. */
static void damaged_files_are_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_(unwind_cache_closep) struct unwind_cache *c = NULL;
	_cleanup_(unwind_table_freep) struct unwind_table *t = small_table();
	const char *path = in(f, "rows/12345678.rows");
	_cleanup_free_ uint8_t *whole = NULL;
	struct unwind_table *none;
	size_t size;

	assert_int_equal(unwind_cache_open(in(f, "rows"), 1 << 20, &c), 0);
	assert_int_equal(unwind_cache_store(c, &id, 0, &t), 0);
	whole = read_whole(path, &size);
	for (size_t at = 0; at < size; at++) {
		whole[at] ^= 0x10;
		write_file(path, whole, size);
		whole[at] ^= 0x10;
		if (unwind_cache_load(c, &id, 0, &none) != -ENOENT)
			fail_msg("byte %zu may be anything", at);
		assert_int_equal(access(path, F_OK), -1);
	}
	for (size_t n = 0; n < size; n++) {
		write_file(path, whole, n);
		assert_int_equal(unwind_cache_load(c, &id, 0, &none), -ENOENT);
	}
	write_file(path, whole, size + 1);
	assert_int_equal(unwind_cache_load(c, &id, 0, &none), -ENOENT);
}

/* With a right checksum: what a hostile hand would write. */
static void wrong_content_is_refused(void **state)
{
	static const struct {
		int line;
		size_t row;
		struct unwind_row value;
	} cases[] = {
		{ __LINE__, 1, { .pc = 0, .rule = ROW_CFA_SP } }, /* not after the first */
		{ __LINE__, 2, { .pc = 4, .rule = ROW_NONE } },
		{ __LINE__, 2, { .pc = 0x100, .rule = ROW_CFA_SP } }, /* no end */
		{ __LINE__, 1, { .pc = 4, .rule = UNWIND_KINDS } },
		{ __LINE__, 1, { .pc = 4, .rule = 0x80 | ROW_CFA_SP } },
	};
	struct fixture *f = *state;
	_cleanup_(unwind_cache_closep) struct unwind_cache *c = NULL;

	assert_int_equal(unwind_cache_open(in(f, "rows"), 1 << 20, &c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(unwind_table_freep) struct unwind_table *t = small_table();
		struct unwind_header *h = t->block;
		struct unwind_table *none;

		((struct unwind_row *)(h + 1))[cases[i].row] = cases[i].value;
		h->crc = 0;
		h->crc = crc32c(0, t->block, t->block_size);
		write_file(in(f, "rows/12345678.rows"), t->block, t->block_size);
		if (unwind_cache_load(c, &id, 0, &none) != -ENOENT)
			fail_msg("line %d: it is accepted", cases[i].line);
	}
}

static void other_build_ids_are_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_(unwind_cache_closep) struct unwind_cache *c = NULL;
	_cleanup_(unwind_table_freep) struct unwind_table *t = small_table();
	const struct build_id other = { .bytes = { 0xab }, .size = 1 };
	struct unwind_table *none;

	assert_int_equal(unwind_cache_open(in(f, "rows"), 1 << 20, &c), 0);
	write_file(in(f, "rows/ab.rows"), t->block, t->block_size);
	assert_int_equal(unwind_cache_load(c, &other, 0, &none), -ENOENT);
	assert_int_equal(symlink("/etc/passwd", in(f, "rows/ab.rows")), 0);
	assert_true(unwind_cache_load(c, &other, 0, &none) < 0);
}

/* The longest unused ones go; others' files in the directory stay. */
static void cache_is_bounded(void **state)
{
	enum { FILES = 40, BLOCK = 65536, LIMIT = 20 * BLOCK };
	static const uint8_t block[BLOCK];
	struct fixture *f = *state;
	_cleanup_(unwind_cache_closep) struct unwind_cache *c = NULL;
	struct unwind_table *t;

	assert_int_equal(mkdir(in(f, "rows"), 0700), 0);
	write_text(in(f, "rows/somebody.else"), "x");
	for (unsigned int i = 0; i < FILES; i++) {
		struct timespec times[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };
		char name[32];

		snprintf(name, sizeof(name), "rows/%08x.rows", i);
		write_file(in(f, name), block, sizeof(block));
		assert_int_equal(utimensat(AT_FDCWD, in(f, name), times, 0), 0);
	}
	assert_int_equal(unwind_cache_open(in(f, "rows"), LIMIT, &c), 0);
	assert_true(unwind_cache_bytes(c) <= LIMIT);
	assert_int_equal(access(in(f, "rows/00000000.rows"), F_OK), -1);
	assert_int_equal(access(in(f, "rows/00000027.rows"), F_OK), 0);
	assert_int_equal(access(in(f, "rows/somebody.else"), F_OK), 0);
	t = small_table();
	assert_int_equal(unwind_cache_store(c, &id, 0, &t), 0);
	unwind_table_free(t);
}

static void larger_than_the_cache_is_not_stored(void **state)
{
	struct fixture *f = *state;
	_cleanup_(unwind_cache_closep) struct unwind_cache *c = NULL;
	_cleanup_(unwind_table_freep) struct unwind_table *t = small_table();

	assert_int_equal(unwind_cache_open(in(f, "rows"), 100, &c), 0);
	assert_int_equal(unwind_cache_store(c, &id, 0, &t), -E2BIG);
	assert_false(t->mapped);
	check_rows_text(__LINE__, t, "0 rsp+8 same c-8; 4 rsp+16 same c-8; 100 none");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tables_come_back),		TEST(damaged_files_are_refused),
		TEST(wrong_content_is_refused), TEST(other_build_ids_are_refused),
		TEST(cache_is_bounded),		TEST(larger_than_the_cache_is_not_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
