// SPDX-License-Identifier: Apache-2.0
/* Folded stacks, JSON lines, speedscope. */
#include <errno.h>
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

#include "export/export.h"
#include "export/frames.h"
#include "profile_fixture.h"

static char *folded(const struct export_options *options)
{
	struct fixture f;
	size_t size;

	fixture_init(&f);
	return CAPTURE(&size, export_folded(&f.p, options, out));
}

/* Every stack is one line, its count behind it; separators in names are escaped. */
static void test_folded_lines(void **state)
{
	static const char hostile[] = "<script>alert(1)</script>\\x3b\"'\\&\\x0a\\x1b[31m\\xff]]>";
	_cleanup_free_ char *text = folded(&(struct export_options){ .event = 0 });
	_cleanup_free_ char *want = NULL;

	(void)state;
	assert_true(asprintf(&want,
			     "a\\x3bb\\x0a\\x1b[2J\\xff<b> 1\n"
			     "a\\x3bb\\x0a\\x1b[2J\\xff<b>;main;work 15\n"
			     "a\\x3bb\\x0a\\x1b[2J\\xff<b>;jitted 4\n"
			     "demo;main;work;%s 40\n"
			     "demo;main;work;[libc.so.6+0x5000] 10\n"
			     "demo;main;do_syscall_64;vfs_read;nft_do_chain;bpf_prog_x 30\n",
			     hostile) > 0);
	for (char *line = strtok(want, "\n"); line; line = strtok(NULL, "\n")) {
		const char *found = strstr(text, line);

		assert_non_null(found);
		assert_int_equal(found[strlen(line)], '\n');
	}
}

/* Two nodes of the same functions, at different places in them, are one line. */
static void test_folded_places(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct fixture f;
	uint32_t work = 0;
	size_t size;

	(void)state;
	fixture_init(&f);
	while (f.nodes[work].frame != WORK || f.nodes[work].leaf_of_half)
		work++;
	fixture_cell(&f, 1, work, 1, 5, 1009);
	text = CAPTURE(&size, export_folded(&f.p, &(struct export_options){ .event = 1 }, out));
	assert_string_equal(text, "demo;main;work 8\n");
}

/* Options change what is counted, what stands first, and how the kernel is marked. */
static void test_folded_options(void **state)
{
	static const struct {
		int line;
		struct export_options options;
		const char *want;
	} rows[] = {
		{ __LINE__, { .event = 1 }, "demo;main;work 3\n" },
		{ __LINE__, { .event = 1, .weights = true }, "demo;main;work 3027\n" },
		{ __LINE__, { .event = 1, .root = ROOT_THREAD }, "demo-worker;main;work 3\n" },
		{ __LINE__, { .event = 1, .root = ROOT_PID }, "demo (100);main;work 3\n" },
		{ __LINE__, { .event = 1, .root = ROOT_UNIT }, "demo.service;main;work 3\n" },
		{ __LINE__, { .event = 1, .root = ROOT_CONTAINER }, "(host);main;work 3\n" },
		{ __LINE__, { .event = 1, .root = ROOT_ALL }, "all;main;work 3\n" },
		{ __LINE__, { .event = 0, .root = ROOT_UNIT }, "(no unit);jitted 4\n" },
		{ __LINE__, { .event = 0, .root = ROOT_CONTAINER }, "0123456789ab;jitted 4\n" },
		{ __LINE__,
		  { .event = 0, .mark_kernel = true },
		  "demo;main;do_syscall_64_[k];vfs_read_[k];nft_do_chain_[k];bpf_prog_x_[k] 30\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = folded(&rows[i].options);

		if (!strstr(text, rows[i].want))
			fail_msg("row at line %d: got\n%s", rows[i].line, text);
	}
}

/* Names of the root are read strictly. */
static void test_root_names(void **state)
{
	enum stack_root root;

	(void)state;
	for (int i = 0; i < ROOT_MAX; i++) {
		assert_int_equal(stack_root_parse(stack_root_name((enum stack_root)i), &root), 0);
		assert_int_equal(root, i);
	}
	assert_int_equal(stack_root_parse("", &root), -EINVAL);
	assert_int_equal(stack_root_parse("Process", &root), -EINVAL);
}

/* A guest is of a kind of its own: it stands where the kernel would, and is not the kernel. */
static void test_guests(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct fixture f;
	size_t size;

	(void)state;
	fixture_init(&f);
	f.objects[KERNEL_MODULE].path = f.objects[KERNEL_MODULE].name = RECORD_GUEST;
	assert_true(frame_is_kernel(&f.p, NFT_DO_CHAIN));
	assert_false(function_is_kernel(&f.p, NFT_DO_CHAIN));
	text = CAPTURE(&size, export_json(&f.p, &(struct export_options){ 0 }, out));
	assert_non_null(strstr(text, "\"kind\":\"guest\",\"name\":\"[guest]\""));
	assert_null(strstr(text, "\"kind\":\"module\""));
}

/* Every line of JSON lines is one well-formed object without raw control characters, and the
 * stacks' samples add up. */
static void test_json_lines(void **state)
{
	struct fixture f;
	uint64_t samples = 0;
	size_t size, stacks = 0;
	_cleanup_free_ char *text = NULL;

	(void)state;
	fixture_init(&f);
	text = CAPTURE(&size, export_json(&f.p, &(struct export_options){ 0 }, out));
	assert_int_equal(strlen(text), size);
	assert_null(strpbrk(text, "<>&\x1b\xff"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		const char *end = json_check(line), *count = strstr(line, "\"samples\":");

		assert_ptr_equal(end, line + strlen(line));
		if (strncmp(line, "{\"record\":\"stack\"", 17) != 0)
			continue;
		stacks++;
		samples += strtoull(count + 10, NULL, 10);
	}
	assert_int_equal(stacks, f.p.n_cells);
	assert_int_equal(samples, 103);
}

/* The speedscope file is one well-formed object with one profile per event, whose end is the sum of
 * its weights. */
static void test_speedscope(void **state)
{
	struct fixture f;
	size_t size;
	char want[128];
	_cleanup_free_ char *text = NULL;

	(void)state;
	fixture_init(&f);
	text = CAPTURE(&size, export_speedscope(&f.p, &(struct export_options){ 0 }, out));
	assert_ptr_equal(json_skip(json_check(text)), text + size);
	assert_null(strpbrk(text, "<>&\x1b\xff"));
	snprintf(want, sizeof(want),
		 "\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":%" PRIu64,
		 100 * CPU_PERIOD);
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "\"endValue\":3027"));
}

/* A stream that cannot be written is an error, not a short file. */
static void test_full_disk(void **state)
{
	int (*const writers[])(const struct profile *, const struct export_options *,
			       FILE *) = { export_folded, export_json, export_speedscope,
					   export_pprof };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		_cleanup_fclose_ FILE *out = fopen("/dev/full", "w");
		struct export_options options = { 0 };
		int r = writers[i](&f.p, &options, out);

		/* What stdio still holds is the committer's to flush. */
		if (r == 0)
			r = fflush(out) != 0 ? -errno : 0;
		assert_int_equal(r, -ENOSPC);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folded_lines),   cmocka_unit_test(test_folded_places),
		cmocka_unit_test(test_folded_options), cmocka_unit_test(test_root_names),
		cmocka_unit_test(test_json_lines),     cmocka_unit_test(test_speedscope),
		cmocka_unit_test(test_full_disk),      cmocka_unit_test(test_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
