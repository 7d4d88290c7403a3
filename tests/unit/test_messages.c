// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/cleanup.h"

#define MAX_MESSAGES 64

struct ids {
	char id[MAX_MESSAGES][33];
	size_t n;
};

/* Collects the id in each line of `path` that sscanf takes by `format`. */
static void collect(const char *path, const char *format, struct ids *ret)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char id[33];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (sscanf(line, format, id) != 1)
			continue;
#pragma GCC diagnostic pop
		assert_true(ret->n < MAX_MESSAGES);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		strcpy(ret->id[ret->n++], id);
	}
}

static bool contains(const struct ids *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->id[i], id) == 0)
			return true;
	return false;
}

static void header_and_catalog_agree(void **state)
{
	/* Every MESSAGE_ID of messages.h is once in the catalog, and the catalog has no others. */
	struct ids header = { .n = 0 }, catalog = { .n = 0 };

	(void)state;
	collect("daemon/engine/messages.h", "#define MESSAGE_%*[A-Z_] \"%32[^\"]\"", &header);
	collect("systemd/ebpf-profiler.catalog", "-- %32s", &catalog);
	assert_true(header.n > 10);
	assert_int_equal(header.n, catalog.n);
	for (size_t i = 0; i < header.n; i++) {
		if (!contains(&catalog, header.id[i]))
			fail_msg("the catalog lacks %s", header.id[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(header.id[i], header.id[j]);
	}
}

static void entries_are_whole(void **state)
{
	/* Every entry has a subject and names its origin and a manual page. */
	static const char *const fields[] = { "Subject: ", "Defined-By: ebpf-profiler",
					      "Documentation: man:" };
	_cleanup_fclose_ FILE *f = fopen("systemd/ebpf-profiler.catalog", "r");
	size_t entries = 0, seen[ARRAY_SIZE(fields)] = { 0 };
	char line[512];

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		entries += strncmp(line, "-- ", 3) == 0;
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			if (strncmp(line, fields[i], strlen(fields[i])) == 0 &&
			    ++seen[i] != entries)
				fail_msg("entry %zu: %s twice, or missing before", entries,
					 fields[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		assert_int_equal(seen[i], entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_and_catalog_agree),
		cmocka_unit_test(entries_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
