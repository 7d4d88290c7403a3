// SPDX-License-Identifier: Apache-2.0
// Laying mappings over each other gives what a page-by-page model gives, whoever shares the list.
#include "process/mappings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PAGES 64
#define OBJECTS 4

/* The model: for every page which object it shows, and where in it. */
struct model {
	struct object *object[PAGES];
	uint64_t offset[PAGES];
};

static unsigned int next_random(unsigned int *state, unsigned int below)
{
	*state = *state * 1103515245 + 12345;
	return *state / 65536 % below;
}

static void check_invariants(const struct mappings *m)
{
	for (size_t i = 0; m && i < m->n; i++) {
		assert_true(m->list[i].start < m->list[i].end);
		if (i == 0)
			continue;
		assert_true(m->list[i - 1].end <= m->list[i].start);
		/* what continues its neighbour is one with it */
		if (m->list[i - 1].end == m->list[i].start &&
		    m->list[i - 1].object == m->list[i].object)
			assert_true(m->list[i - 1].pgoff + m->list[i - 1].end -
					    m->list[i - 1].start !=
				    m->list[i].pgoff);
	}
}

static void check_against(const struct mappings *m, const struct model *model)
{
	check_invariants(m);
	for (uint64_t page = 0; page < PAGES; page++) {
		const struct mapping *found = mappings_find(m, page * 4096 + 123);

		if (!model->object[page]) {
			assert_null(found);
			continue;
		}
		assert_non_null(found);
		assert_ptr_equal(found->object, model->object[page]);
		assert_int_equal(page * 4096 - found->start + found->pgoff, model->offset[page]);
	}
}

static void apply_to_model(struct model *model, const struct mapping *m)
{
	for (uint64_t a = m->start; a < m->end; a += 4096) {
		model->object[a / 4096] = m->object;
		model->offset[a / 4096] = a - m->start + m->pgoff;
	}
}

static struct mapping random_mapping(struct object *objects, unsigned int *random)
{
	uint64_t start = next_random(random, PAGES);
	uint64_t n = 1 + next_random(random, (unsigned int)MIN(PAGES - start, 12ULL));

	return (struct mapping){
		.start = start * 4096,
		.end = (start + n) * 4096,
		/* often the offset that continues a neighbour */
		.pgoff = next_random(random, 2) ? start * 4096 : next_random(random, 8) * 4096ULL,
		.object = &objects[next_random(random, OBJECTS)],
	};
}

// A thousand random overlays per seed agree with the model, and so do the copies kept on the way.
static void test_property(void **state)
{
	struct object objects[OBJECTS] = { 0 };

	(void)state;
	for (unsigned int seed = 1; seed <= 30; seed++) {
		_cleanup_(mappings_unrefp) struct mappings *m = NULL, *kept = NULL;
		struct model model = { 0 }, kept_model = { 0 };
		unsigned int random = seed;

		for (unsigned int i = 0; i < OBJECTS; i++)
			objects[i].refs = 1;
		for (unsigned int step = 0; step < 1000; step++) {
			struct mapping add = random_mapping(objects, &random);
			int r = mappings_overlay(&m, &add);

			assert_true(r == 0 || r == 1);
			if (r == 0) /* nothing changed: the model has it already */
				check_against(m, &model);
			apply_to_model(&model, &add);
			check_against(m, &model);
			check_against(kept, &kept_model);
			if (next_random(&random, 50) == 0) {
				mappings_unref(kept);
				kept = mappings_ref(m);
				kept_model = model;
			}
		}
		m = mappings_unref(m);
		kept = mappings_unref(kept);
		for (unsigned int i = 0; i < OBJECTS; i++)
			assert_int_equal(objects[i].refs, 1);
	}
}

// Ranges the kernel cannot have meant are refused, and the list stays as it was.
static void test_refused(void **state)
{
	struct object o = { .refs = 1 };
	_cleanup_(mappings_unrefp) struct mappings *m = NULL;
	static const struct mapping rows[] = {
		{ .start = 4096, .end = 4096 },
		{ .start = 8192, .end = 4096 },
		{ .start = 0, .end = 8192, .pgoff = UINT64_MAX - 4096 },
	};

	(void)state;
	assert_int_equal(
		mappings_overlay(&m, &(struct mapping){ .start = 0, .end = 4096, .object = &o }),
		1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mapping bad = rows[i];

		bad.object = &o;
		assert_int_equal(mappings_overlay(&m, &bad), -EINVAL);
	}
	assert_int_equal(m->n, 1);
	assert_int_equal(o.refs, 2);
}

// A list ends at MAPPINGS_MAX ranges; what fits into it is still taken.
static void test_limit(void **state)
{
	struct object o[2] = { { .refs = 1 }, { .refs = 1 } };
	_cleanup_(mappings_unrefp) struct mappings *m = NULL;
	struct mapping add = { 0 };

	(void)state;
	for (uint64_t i = 0; i < MAPPINGS_MAX; i++) {
		add = (struct mapping){ .start = i * 8192, .end = i * 8192 + 4096, .object = o };
		assert_int_equal(mappings_overlay(&m, &add), 1);
	}
	add = (struct mapping){ .start = MAPPINGS_MAX * 8192ULL,
				.end = MAPPINGS_MAX * 8192ULL + 4096,
				.object = o };
	assert_int_equal(mappings_overlay(&m, &add), -ENOSPC);
	assert_int_equal(m->n, MAPPINGS_MAX);
	add = (struct mapping){ .start = 8192, .end = 8192 + 4096, .object = o + 1 };
	assert_int_equal(mappings_overlay(&m, &add), 1);
	assert_int_equal(m->n, MAPPINGS_MAX);
	assert_ptr_equal(mappings_find(m, 8200)->object, o + 1);
	add = (struct mapping){ .start = 0, .end = UINT64_MAX, .object = o + 1 };
	assert_int_equal(mappings_overlay(&m, &add), 1);
	assert_int_equal(m->n, 1);
	assert_int_equal(o[0].refs, 1);
}

// The empty list has nothing at any address, and edges belong to the side they should.
static void test_find(void **state)
{
	struct object o = { .refs = 1 };
	_cleanup_(mappings_unrefp) struct mappings *m = NULL;

	(void)state;
	assert_null(mappings_find(NULL, 0));
	mappings_overlay(&m, &(struct mapping){ .start = 10, .end = 20, .object = &o });
	mappings_overlay(&m, &(struct mapping){ .start = 30, .end = UINT64_MAX, .object = &o });
	assert_null(mappings_find(m, 9));
	assert_int_equal(mappings_find(m, 10)->start, 10);
	assert_int_equal(mappings_find(m, 19)->start, 10);
	assert_null(mappings_find(m, 20));
	assert_null(mappings_find(m, 29));
	assert_int_equal(mappings_find(m, UINT64_MAX - 1)->start, 30);
	assert_null(mappings_find(m, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
