// SPDX-License-Identifier: Apache-2.0
// Each address belongs to the innermost symbol around it, whatever the order the symbols came in;
// an index survives the disk, and no damaged one is taken.
#include "symbols_fixture.h"

#include <errno.h>

#include "symbols/function_index.h"

#define LIMIT 0x10000
#define SIZELESS_MAX 0x100

struct symbol {
	uint64_t start, size;
	const char *name;
	enum function_rank rank;
};

/* In place of a name: a function that has none. */
static const char place[] = "(place)";

static struct function_index *build(const struct symbol *s, size_t n, bool backwards)
{
	_cleanup_(function_index_builder_freep) struct function_index_builder *b =
		function_index_builder_new(SIZELESS_MAX);
	struct function_index *index = NULL;
	int r;

	assert_non_null(b);
	for (size_t i = 0; i < n; i++) {
		const struct symbol *one = &s[backwards ? n - 1 - i : i];

		if (one->name == place)
			r = function_index_builder_add_place(b, one->start, one->size);
		else
			r = function_index_builder_add(b, one->start, one->size, LIMIT, one->name,
						       strlen(one->name), one->rank);
		assert_int_equal(r, 0);
	}
	r = function_index_builder_finish(b, 0, (const uint8_t *)"id", 2, &index);
	assert_true(r == 0 || (r == -ENODATA && n == 0));
	return index;
}

static const struct {
	int line;
	struct symbol symbols[5];
	/* "ADDRESS NAME" ...: what must be found; "-" is nothing. */
	struct {
		uint64_t address;
		const char *name;
	} expected[8];
} cases[] = {
	{ __LINE__,
	  { { 0x10, 0x10, "a", RANK_GLOBAL }, { 0x30, 0x10, "b", RANK_GLOBAL } },
	  { { 0x0f, "-" },
	    { 0x10, "a" },
	    { 0x1f, "a" },
	    { 0x20, "-" },
	    { 0x30, "b" },
	    { 0x3f, "b" },
	    { 0x40, "-" } } },
	/* nested: the outer one goes on behind the inner one */
	{ __LINE__,
	  { { 0x10, 0x40, "outer", RANK_GLOBAL },
	    { 0x20, 0x10, "inner", RANK_LOCAL },
	    { 0x24, 0x04, "core", RANK_LOCAL } },
	  { { 0x1f, "outer" },
	    { 0x20, "inner" },
	    { 0x24, "core" },
	    { 0x27, "core" },
	    { 0x28, "inner" },
	    { 0x30, "outer" },
	    { 0x4f, "outer" },
	    { 0x50, "-" } } },
	/* overlapping: the later start wins */
	{ __LINE__,
	  { { 0x10, 0x20, "a", RANK_GLOBAL }, { 0x20, 0x20, "b", RANK_GLOBAL } },
	  { { 0x1f, "a" }, { 0x20, "b" }, { 0x3f, "b" }, { 0x40, "-" } } },
	/* same start, other size */
	{ __LINE__,
	  { { 0x10, 0x20, "long", RANK_GLOBAL }, { 0x10, 0x08, "short", RANK_GLOBAL } },
	  { { 0x10, "short" }, { 0x17, "short" }, { 0x18, "long" }, { 0x2f, "long" } } },
	/* aliases: global before weak before local, fewer underscores, longer, then the alphabet */
	{ __LINE__,
	  { { 0x10, 8, "local", RANK_LOCAL },
	    { 0x10, 8, "weak_one", RANK_WEAK },
	    { 0x10, 8, "glob", RANK_GLOBAL } },
	  { { 0x10, "glob" } } },
	{ __LINE__,
	  { { 0x10, 8, "__libc_read", RANK_GLOBAL }, { 0x10, 8, "read", RANK_GLOBAL } },
	  { { 0x10, "read" } } },
	{ __LINE__,
	  { { 0x10, 8, "rea", RANK_GLOBAL }, { 0x10, 8, "read", RANK_GLOBAL } },
	  { { 0x10, "read" } } },
	{ __LINE__,
	  { { 0x10, 8, "reab", RANK_GLOBAL }, { 0x10, 8, "read", RANK_GLOBAL } },
	  { { 0x10, "reab" } } },
	/* sizeless: to the next one, or as far as allowed */
	{ __LINE__,
	  { { 0x10, 0, "a", RANK_LABEL }, { 0x30, 0x10, "b", RANK_GLOBAL } },
	  { { 0x10, "a" }, { 0x2f, "a" }, { 0x30, "b" } } },
	{ __LINE__,
	  { { 0x10, 0, "a", RANK_GLOBAL }, { 0x1000, 0x10, "b", RANK_GLOBAL } },
	  { { 0x10, "a" }, { 0x10f, "a" }, { 0x110, "-" }, { 0xfff, "-" } } },
	/* a sizeless one inside a sized one, or at its start, is a label */
	{ __LINE__,
	  { { 0x10, 0x40, "a", RANK_LOCAL },
	    { 0x20, 0, "label", RANK_GLOBAL },
	    { 0x10, 0, "start", RANK_GLOBAL } },
	  { { 0x10, "a" }, { 0x20, "a" }, { 0x4f, "a" }, { 0x50, "-" } } },
	/* and right behind one it is a function */
	{ __LINE__,
	  { { 0x10, 0x10, "a", RANK_LOCAL }, { 0x20, 0, "b", RANK_LABEL } },
	  { { 0x1f, "a" }, { 0x20, "b" } } },
	/* a function without a symbol has no name, and none takes anything from one that has */
	{ __LINE__,
	  { { 0x10, 0x20, place, 0 } },
	  { { 0x0f, "-" }, { 0x10, "" }, { 0x2f, "" }, { 0x30, "-" } } },
	{ __LINE__,
	  { { 0x10, 0x40, place, 0 }, { 0x20, 0x10, "a", RANK_GLOBAL } },
	  { { 0x10, "" },
	    { 0x1f, "" },
	    { 0x20, "a" },
	    { 0x2f, "a" },
	    { 0x30, "" },
	    { 0x50, "-" } } },
	{ __LINE__,
	  { { 0x10, 0x40, "a", RANK_GLOBAL },
	    { 0x10, 0x10, place, 0 },
	    { 0x30, 0x40, place, 0 },
	    { 0x80, 0x10, "b", RANK_GLOBAL } },
	  { { 0x10, "a" },
	    { 0x30, "a" },
	    { 0x4f, "a" },
	    { 0x50, "" },
	    { 0x6f, "" },
	    { 0x70, "-" },
	    { 0x80, "b" } } },
	/* what begins with a function has its size, and what lies in one ends with it */
	{ __LINE__,
	  { { 0x10, 0, "a", RANK_GLOBAL }, { 0x10, 0x300, place, 0 } },
	  { { 0x10, "a" }, { 0x30f, "a" }, { 0x310, "-" } } },
	{ __LINE__,
	  { { 0x20, 0, "a", RANK_GLOBAL }, { 0x10, 0x20, place, 0 }, { 0x30, 0x20, place, 0 } },
	  { { 0x1f, "" }, { 0x20, "a" }, { 0x2f, "a" }, { 0x30, "" }, { 0x50, "-" } } },
	/* beyond the limit, without a name: not taken; over the limit: cut */
	{ __LINE__,
	  { { LIMIT, 0x10, "behind", RANK_GLOBAL },
	    { LIMIT - 8, 0x100, "over", RANK_GLOBAL },
	    { LIMIT - 0x20, 0x10, "\0", RANK_GLOBAL } },
	  { { LIMIT - 8, "over" }, { LIMIT - 1, "over" }, { LIMIT, "-" }, { LIMIT - 0x20, "-" } } },
	{ __LINE__,
	  { { 0x10, UINT64_MAX, "endless", RANK_GLOBAL } },
	  { { 0x10, "endless" }, { LIMIT - 1, "endless" }, { LIMIT, "-" }, { UINT64_MAX, "-" } } },
};

static void innermost_symbol_wins(void **state)
{
	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		size_t n = 0;

		while (n < ARRAY_SIZE(cases[c].symbols) && cases[c].symbols[n].name)
			n++;
		for (int backwards = 0; backwards < 2; backwards++) {
			_cleanup_(function_index_freep) struct function_index *index =
				build(cases[c].symbols, n, backwards);

			for (size_t i = 0; i < ARRAY_SIZE(cases[c].expected); i++) {
				uint64_t address = cases[c].expected[i].address;
				const char *name = cases[c].expected[i].name;
				struct function f = { .name = "-" };

				if (!name)
					break;
				if (function_index_find(index, address, &f))
					assert_true(address - f.start < f.size);
				if (strcmp(f.name, name) != 0)
					fail_msg("line %d: %#llx gives %s, not %s", cases[c].line,
						 (unsigned long long)address, f.name, name);
			}
		}
	}
}

/* The same rule, said in another way: of the symbols around an address, the one that starts last;
 * at the same start the shortest. */
static const struct symbol *innermost(const struct symbol *s, size_t n, uint64_t address)
{
	const struct symbol *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (address >= s[i].start && address - s[i].start < s[i].size &&
		    (!best || s[i].start > best->start ||
		     (s[i].start == best->start && s[i].size < best->size)))
			best = &s[i];
	return best;
}

static void nested_symbols_agree_with_a_search(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		static char names[24][8];
		struct symbol s[24];
		size_t n = 1 + (size_t)rand_r(&seed) % 24;
		_cleanup_(function_index_freep) struct function_index *index = NULL;

		/* Properly nested or apart, as the rule about overlaps is another one. */
		for (size_t i = 0; i < n; i++) {
			unsigned int bits = (unsigned int)rand_r(&seed) % 7;

			snprintf(names[i], sizeof(names[i]), "f%zu", i);
			s[i].size = 1ULL << bits;
			s[i].start = ((uint64_t)rand_r(&seed) % 256) & ~(s[i].size - 1);
			s[i].name = names[i];
			s[i].rank = RANK_GLOBAL;
		}
		index = build(s, n, false);
		for (uint64_t address = 0; address < 400; address++) {
			const struct symbol *best = innermost(s, n, address);
			struct function f = { 0 };

			assert_int_equal(function_index_find(index, address, &f), best != NULL);
			if (!best)
				continue;
			assert_true(address >= f.start && address - f.start < f.size);
			assert_true(f.start >= best->start &&
				    f.start + f.size <= best->start + best->size);
		}
	}
}

static void order_does_not_matter(void **state)
{
	static char names[100][8];
	struct symbol s[100];
	unsigned int seed = 7;
	size_t a_size, b_size;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "%sf%zu", i % 3 ? "_" : "", i);
		s[i] = (struct symbol){ .start = (uint64_t)rand_r(&seed) % 512,
					.size = (uint64_t)rand_r(&seed) % 40,
					.name = names[i],
					.rank = (enum function_rank)(i % 4) };
	}
	_cleanup_(function_index_freep) struct function_index *a = build(s, 100, false);
	_cleanup_(function_index_freep) struct function_index *b = build(s, 100, true);
	const void *a_data = function_index_data(a, &a_size),
		   *b_data = function_index_data(b, &b_size);

	assert_int_equal(a_size, b_size);
	assert_memory_equal(a_data, b_data, a_size);
}

/* Whatever lies between them, buckets lead to each function and to nothing beside it: sizes from
 * one function to some, gaps that grow from none to all that an index can span */
static void functions_are_found_at_any_distance(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 9, 64, 1000 };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
		for (unsigned int power = 0; power <= 28; power += 4) {
			_cleanup_(function_index_builder_freep) struct function_index_builder *b =
				function_index_builder_new(SIZELESS_MAX);
			_cleanup_(function_index_freep) struct function_index *index = NULL;
			uint64_t last = UINT32_MAX - 16, at = 0;
			struct function f;
			size_t n = 0;

			for (; n < sizes[k] && at <= last; n++, at += 16 + (n << power))
				function_index_builder_add(b, at, 16, UINT64_MAX, "f", 1,
							   RANK_GLOBAL);
			if (n > 1)
				function_index_builder_add(b, last, 16, UINT64_MAX, "f", 1,
							   RANK_GLOBAL);
			assert_int_equal(function_index_builder_finish(b, 0, NULL, 0, &index), 0);
			at = 0;
			for (size_t i = 0; i < n; i++, at += 16 + (i << power)) {
				assert_true(function_index_find(index, at, &f) && f.start == at);
				assert_true(function_index_find(index, at + 15, &f) &&
					    f.start == at);
				if (i + 1 < n && power)
					assert_false(function_index_find(index, at + 16, &f));
			}
			if (n > 1)
				assert_true(function_index_find(index, last + 7, &f) &&
					    f.start == last);
		}
}

static void too_much_is_refused(void **state)
{
	_cleanup_(function_index_builder_freep) struct function_index_builder *b =
		function_index_builder_new(SIZELESS_MAX);
	_cleanup_free_ char *name = malloc(FUNCTION_NAME_MAX + 1);
	int r = 0;

	(void)state;
	assert_non_null(name);
	memset(name, 'x', FUNCTION_NAME_MAX + 1);
	assert_int_equal(function_index_builder_add(b, 1, 1, LIMIT, name, FUNCTION_NAME_MAX + 1,
						    RANK_GLOBAL),
			 0);
	assert_int_equal(function_index_builder_size(b), 0);
	for (size_t i = 0; r == 0 && i <= FUNCTION_NAMES_BYTES_MAX / FUNCTION_NAME_MAX; i++)
		r = function_index_builder_add(b, i, 1, LIMIT, name, FUNCTION_NAME_MAX,
					       RANK_GLOBAL);
	assert_int_equal(r, -E2BIG);
}

static int map_bytes(const char *path, const void *data, size_t size, struct function_index **ret)
{
	_cleanup_close_ int fd = -1;

	write_file(path, data, size);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return function_index_map(fd, (const uint8_t *)"id", 2, ret);
}

static void any_flipped_bit_or_cut_is_noticed(void **state)
{
	const struct symbol s[] = { { 0x10, 0x10, "first", RANK_GLOBAL },
				    { 0x20, 0x10, "second", RANK_GLOBAL } };
	_cleanup_(function_index_freep) struct function_index *index = build(s, 2, false);
	const char *path = in(*state, "index");
	struct function_index *mapped;
	struct function f;
	size_t size;
	const uint8_t *data = function_index_data(index, &size);
	_cleanup_free_ uint8_t *copy = malloc(size + 1);

	assert_int_equal(map_bytes(path, data, size, &mapped), 0);
	assert_true(function_index_find(mapped, 0x2f, &f));
	assert_string_equal(f.name, "second");
	function_index_free(mapped);
	for (size_t bit = 0; bit < size * 8; bit++) {
		memcpy(copy, data, size);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(map_bytes(path, copy, size, &mapped), -EBADMSG);
	}
	memcpy(copy, data, size);
	copy[size] = 0;
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(map_bytes(path, copy, cut, &mapped), -EBADMSG);
	assert_int_equal(map_bytes(path, copy, size + 1, &mapped), -EBADMSG);
}

static void another_build_id_is_refused(void **state)
{
	const struct symbol s[] = { { 0x10, 0x10, "f", RANK_GLOBAL } };
	_cleanup_(function_index_freep) struct function_index *index = build(s, 1, false);
	_cleanup_close_ int fd = -1;
	struct function_index *mapped;
	size_t size;
	const void *data = function_index_data(index, &size);

	write_file(in(*state, "index"), data, size);
	fd = open(in(*state, "index"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(function_index_map(fd, (const uint8_t *)"ie", 2, &mapped), -EBADMSG);
	assert_int_equal(function_index_map(fd, (const uint8_t *)"id0", 3, &mapped), -EBADMSG);
	assert_int_equal(function_index_map(fd, NULL, 0, &mapped), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(innermost_symbol_wins),
		cmocka_unit_test(nested_symbols_agree_with_a_search),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(functions_are_found_at_any_distance),
		cmocka_unit_test_setup_teardown(any_flipped_bit_or_cut_is_noticed, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(another_build_id_is_refused, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
