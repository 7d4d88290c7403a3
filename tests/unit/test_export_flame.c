// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <linux/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/flame.h"
#include "export/flame_tree.h"
#include "profile_fixture.h"

/* The node at the end of a path of names; names are labels, then functions + n_labels. */
static const struct flame_node *at(const struct flame_tree *t, size_t n, const uint32_t *path)
{
	uint32_t node = 0;

	for (size_t i = 0; i < n; i++) {
		node = t->nodes[node].first_child;
		while (node != 0 && t->nodes[node].name != path[i])
			node = t->nodes[node].next_sibling;
		assert_int_not_equal(node, 0);
	}
	return &t->nodes[node];
}

#define AT(t, ...)                                                                                 \
	at(t, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),                        \
	   (const uint32_t[]){ __VA_ARGS__ })

/* Frames of one function under one parent are one box; totals hold what is below. */
static void test_tree(void **state)
{
	_cleanup_(flame_tree_donep) struct flame_tree t = { 0 };
	_cleanup_(flame_names_donep) struct flame_names names = { 0 };
	struct fixture f;
	uint32_t n;

	(void)state;
	fixture_init(&f);
	assert_int_equal(flame_names_init(&names, &f.p, ROOT_PROCESS), 0);
	assert_int_equal(names.labels.n, 3); /* and "all", for cells without a thread */
	n = (uint32_t)names.labels.n;
	assert_string_equal(names.labels.texts[2], "demo");
	assert_int_equal(flame_tree_init(&t, &f.p, 0, &names), 0);
	assert_int_equal(t.nodes[0].samples, 100);
	assert_int_equal(t.nodes[0].weight, 100 * CPU_PERIOD);
	assert_int_equal(AT(&t, 2)->samples, 80);
	/* main as a caller and main as the leaf of the user half */
	assert_int_equal(AT(&t, 2, n + MAIN)->samples, 80);
	assert_int_equal(AT(&t, 2, n + MAIN, n + WORK)->samples, 50);
	assert_int_equal(AT(&t, 2, n + MAIN, n + WORK)->self_samples, 0);
	assert_int_equal(AT(&t, 2, n + MAIN, n + DO_SYSCALL_64)->samples, 30);
	assert_int_equal(AT(&t, 0, n + MAIN, n + WORK)->self_samples, 15);
	assert_int_equal(AT(&t, 0)->self_samples, 1); /* the sample without a stack */
	assert_int_equal(t.functions[n + MAIN].samples, 95);
	assert_int_equal(t.functions[n + WORK].self_samples, 15);
	assert_int_equal(t.functions[n + WORK].samples, 65);
	assert_int_equal(t.functions[n + WORK].weight, 65 * CPU_PERIOD);
}

/* A function that calls itself counts once. */
static void test_recursion(void **state)
{
	_cleanup_(flame_tree_donep) struct flame_tree t = { 0 };
	_cleanup_(flame_names_donep) struct flame_names names = { 0 };
	struct fixture f;
	uint32_t n;

	(void)state;
	fixture_init(&f);
	/* main, main, work, work in place of main, do_syscall_64, vfs_read ... */
	f.frames[DO_SYSCALL_64].function[0] = f.frames[DO_SYSCALL_64].function[1] = MAIN;
	f.frames[VFS_READ].function[0] = f.frames[VFS_READ].function[1] = WORK;
	f.frames[NFT_DO_CHAIN].function[0] = f.frames[NFT_DO_CHAIN].function[1] = WORK;
	assert_int_equal(flame_names_init(&names, &f.p, ROOT_ALL), 0);
	assert_int_equal(names.labels.n, 1);
	n = 1;
	assert_int_equal(flame_tree_init(&t, &f.p, 0, &names), 0);
	assert_int_equal(AT(&t, 0, n + MAIN, n + MAIN, n + WORK, n + WORK)->samples, 30);
	assert_int_equal(t.functions[n + MAIN].samples, 95);
	assert_int_equal(t.functions[n + WORK].samples, 95);
}

/* Functions of the same name and module are one box, from whatever build of the module; a module of
 * another name keeps its own. */
static void test_same_function(void **state)
{
	static const struct {
		int line;
		const char *module;
		uint64_t samples;
	} rows[] = {
		{ __LINE__, "demo", 4 + 95 },
		{ __LINE__, "other", 95 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(flame_tree_donep) struct flame_tree t = { 0 };
		_cleanup_(flame_names_donep) struct flame_names names = { 0 };
		struct fixture f;

		fixture_init(&f);
		f.functions[JITTED].name = "main";
		f.objects[JIT_MEMORY].name = rows[i].module;
		assert_int_equal(flame_names_init(&names, &f.p, ROOT_ALL), 0);
		assert_int_equal(flame_tree_init(&t, &f.p, 0, &names), 0);
		if (AT(&t, 0, 1 + MAIN)->samples != rows[i].samples)
			fail_msg("row at line %d: %" PRIu64, rows[i].line,
				 AT(&t, 0, 1 + MAIN)->samples);
	}
}

/* Boxes below the threshold go, whole subtrees at a time, and never more remain than allowed. */
static void test_threshold(void **state)
{
	static const struct {
		int line;
		double percent;
		size_t max, kept_at_most, kept_at_least;
	} rows[] = {
		{ __LINE__, 0, 1000, 14, 14 },	{ __LINE__, 0.01, 1000, 14, 14 },
		{ __LINE__, 20, 1000, 10, 10 }, { __LINE__, 0, 5, 5, 1 },
		{ __LINE__, 100, 1000, 1, 1 },	{ __LINE__, 0, 1, 1, 1 },
	};
	_cleanup_(flame_tree_donep) struct flame_tree t = { 0 };
	_cleanup_(flame_names_donep) struct flame_names names = { 0 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(flame_names_init(&names, &f.p, ROOT_PROCESS), 0);
	assert_int_equal(flame_tree_init(&t, &f.p, 0, &names), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t threshold = flame_tree_threshold(&t, rows[i].percent, rows[i].max);
		size_t kept = 0;

		for (uint32_t k = 0; k < t.n_nodes; k++)
			kept += flame_tree_value(&t, k) >= threshold;
		if (kept > rows[i].kept_at_most || kept < rows[i].kept_at_least)
			fail_msg("row at line %d: %zu of %zu", rows[i].line, kept, t.n_nodes);
	}
}

/* The sum of an array of numbers in the page's data. */
static uint64_t sum_of(const char *data, const char *key, size_t first, size_t step)
{
	const char *s = strstr(data, key);
	uint64_t sum = 0;

	assert_non_null(s);
	s = strchr(s, '[') + 1;
	for (size_t i = 0; *s != ']'; i++) {
		char *end;
		uint64_t v = strtoull(s, &end, 10);

		assert_ptr_not_equal(end, s);
		sum += i >= first && (i - first) % step == 0 ? v : 0;
		s = *end == ',' ? end + 1 : end;
	}
	return sum;
}

/* The data in the page: from behind its element's start to before its end; a heap string. */
static char *data_of(const char *page)
{
	static const char begin[] = "<script type=\"application/json\" id=\"data\">";
	const char *s = strstr(page, begin), *end;

	assert_non_null(s);
	s += strlen(begin);
	end = strstr(s, "</script>");
	assert_non_null(end);
	return strndup(s, (size_t)(end - s));
}

/* The data is one well-formed value that cannot end its element, and every sample is in it or
 * counted as left out. */
static void test_data(void **state)
{
	static const double percents[] = { 0, 0.01, 20, 45, 100 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		struct flame_options options = { .min_percent = percents[i],
						 .title = HOSTILE,
						 .command = HOSTILE };
		_cleanup_free_ char *page = NULL, *data = NULL;
		const char *top;
		uint64_t sum;
		size_t size;

		page = CAPTURE(&size, export_flame(&f.p, &options, out));
		data = data_of(page);
		assert_ptr_equal(json_skip(json_check(data)), data + strlen(data));
		assert_null(strpbrk(data, "<>&\x1b\xff"));
		top = strstr(data, "\"pruned_top_samples\":");
		assert_non_null(top);
		sum = sum_of(data, "\"samples\":[", 0, 1) + sum_of(data, "\"pruned\":", 1, 3) +
		      strtoull(strchr(top, ':') + 1, NULL, 10);
		assert_int_equal(sum, 100);
	}
}

/* Whatever is left out, the sums of a metric are all there: in boxes, or told apart. */
static void test_metric(void **state)
{
	static const double percents[] = { 0, 0.01, 20, 45, 100 };
	struct profile_counter counters[8 * 2] = { 0 };
	struct sample_metric m;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < 2 * f.p.n_cells; i++)
		counters[i] = (struct profile_counter){ 1 + i, 10 * (double)i, i * 7000, i * 7000 };
	f.p.counters = counters;
	f.p.n_counters = 2;
	f.events[0].counters = "instructions,cycles";
	f.events[1].counters = "";
	assert_int_equal(sample_metric_parse("ipc", &m), 0);
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		struct flame_options options = { .min_percent = percents[i], .metric = &m };
		_cleanup_free_ char *page = NULL, *data = NULL;
		const char *own, *left, *missing;
		size_t size;

		page = CAPTURE(&size, export_flame(&f.p, &options, out));
		data = data_of(page);
		assert_ptr_equal(json_skip(json_check(data)), data + strlen(data));
		own = strstr(data, "\"counters\":[{");
		left = strstr(own, "\"pruned\":[{");
		assert_non_null(left);
		/* the first counter: cells 0 to 5 are of the first event, their numbers even */
		assert_int_equal(sum_of(own, "\"us\"", 0, 1) + sum_of(left, "\"us\"", 0, 1),
				 7 * (0 + 2 + 4 + 6 + 8 + 10));
		assert_int_equal(sum_of(own, "\"sum\"", 0, 1) + sum_of(left, "\"sum\"", 0, 1),
				 10 * (0 + 2 + 4 + 6 + 8 + 10));
		assert_int_equal(sum_of(own, "\"samples\"", 0, 1) +
					 sum_of(left, "\"samples\"", 0, 1),
				 1 + 3 + 5 + 7 + 9 + 11);
		missing = strstr(left, "\"missing\":\"No counters were read at the samples of "
				       "page-faults");
		assert_non_null(missing);
		assert_null(strstr(missing, "\"counters\":["));
	}
}

/* The policy allows the two inlined parts by their hashes and nothing else. */
static void test_policy(void **state)
{
	struct flame_options options = { 0 };
	struct fixture f;
	size_t size;
	_cleanup_free_ char *page = NULL;

	(void)state;
	fixture_init(&f);
	page = CAPTURE(&size, export_flame(&f.p, &options, out));
	assert_non_null(strstr(page, "content=\"default-src 'none'; script-src 'sha256-"));
	assert_non_null(strstr(page, "style-src 'sha256-"));
	assert_null(strstr(page, "unsafe"));
	assert_null(strstr(page, "http:"));
	assert_null(strstr(page, "https:"));
	assert_null(strstr(page, "innerHTML"));
	assert_null(strstr(page, "@DATA@"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),	      cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_same_function), cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_metric),	      cmocka_unit_test(test_data),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
