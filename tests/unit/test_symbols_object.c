// SPDX-License-Identifier: Apache-2.0
// One object per binary, however many processes map it by however many paths; it lives as long as
// somebody holds it.
#include "symbols_fixture.h"

#include "symbols/object.h"

static const uint8_t id_a[20] = { 0xaa }, id_b[20] = { 0xbb };

static void equal_keys_give_one_object(void **state)
{
	static const struct {
		int line;
		struct object_key a, b;
		bool same;
	} cases[] = {
		{ __LINE__, { .path = "/a", .inode = 1 }, { .path = "/a", .inode = 1 }, true },
		{ __LINE__, { .path = "/a", .inode = 1 }, { .path = "/b", .inode = 1 }, false },
		{ __LINE__, { .path = "/a", .inode = 1 }, { .path = "/a", .inode = 2 }, false },
		{ __LINE__, { .path = "/a", .device = 1 }, { .path = "/a", .device = 2 }, false },
		{ __LINE__, { .path = "/a", .base = 1 }, { .path = "/a", .base = 2 }, false },
		{ __LINE__, { .path = NULL }, { .path = "" }, true },
		{ __LINE__,
		  { .path = "/a", .kind = OBJECT_FILE },
		  { .path = "/a", .kind = OBJECT_MODULE },
		  false },
		/* a build-id says all */
		{ __LINE__,
		  { .path = "/a", .build_id = id_a, .build_id_size = 20, .inode = 1 },
		  { .path = "/b", .build_id = id_a, .build_id_size = 20, .device = 2 },
		  true },
		{ __LINE__,
		  { .path = "/a", .build_id = id_a, .build_id_size = 20 },
		  { .path = "/a", .build_id = id_b, .build_id_size = 20 },
		  false },
		{ __LINE__,
		  { .path = "/a", .build_id = id_a, .build_id_size = 20 },
		  { .path = "/a", .build_id = id_a, .build_id_size = 8 },
		  false },
		{ __LINE__,
		  { .path = "/a", .build_id = id_a, .build_id_size = 20 },
		  { .path = "/a" },
		  false },
		/* but a module at another address has other offsets */
		{ __LINE__,
		  { .kind = OBJECT_MODULE, .build_id = id_a, .build_id_size = 20, .base = 1 },
		  { .kind = OBJECT_MODULE, .build_id = id_a, .build_id_size = 20, .base = 2 },
		  false },
		{ __LINE__,
		  { .path = "/a", .build_id = NULL, .build_id_size = 20 },
		  { .path = "/a" },
		  true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(object_table_freep) struct object_table *t = object_table_new();
		_cleanup_(object_unrefp) struct object *a = object_table_get(t, &cases[i].a);
		_cleanup_(object_unrefp) struct object *b = object_table_get(t, &cases[i].b);

		assert_non_null(a);
		assert_non_null(b);
		if ((a == b) != cases[i].same)
			fail_msg("line %d", cases[i].line);
		assert_int_equal(object_table_size(t), cases[i].same ? 1 : 2);
	}
}

static struct object *get_numbered(struct object_table *t, size_t i)
{
	char path[32];

	snprintf(path, sizeof(path), "/object/%zu", i);
	return object_table_get(t, &(struct object_key){ .path = path, .inode = i % 7 });
}

static void pruning_keeps_what_is_held(void **state)
{
	enum { N = 5000 };
	_cleanup_(object_table_freep) struct object_table *t = object_table_new();
	static struct object *held[N];

	(void)state;
	for (size_t i = 0; i < N; i++)
		held[i] = get_numbered(t, i);
	assert_int_equal(object_table_size(t), N);
	object_table_prune(t);
	assert_int_equal(object_table_size(t), N);
	for (size_t i = 0; i < N; i++)
		if (i % 10)
			held[i] = object_unref(held[i]);
	object_table_prune(t);
	assert_int_equal(object_table_size(t), N / 10);
	for (size_t i = 0; i < N; i += 10) {
		struct object *again = get_numbered(t, i);

		assert_ptr_equal(again, held[i]);
		object_unref(again);
		held[i] = object_unref(held[i]);
	}
	object_table_prune(t);
	assert_int_equal(object_table_size(t), 0);
}

static void object_outlives_its_table(void **state)
{
	struct object_table *t = object_table_new();
	struct object *o = get_numbered(t, 1);

	(void)state;
	object_table_free(t);
	assert_string_equal(o->path, "/object/1");
	object_unref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_keys_give_one_object),
		cmocka_unit_test(pruning_keeps_what_is_held),
		cmocka_unit_test(object_outlives_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
