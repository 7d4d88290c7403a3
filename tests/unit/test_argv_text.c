// SPDX-License-Identifier: Apache-2.0
/* Arguments become one line that a shell reads back, whatever bytes they hold; what was cut is
 * told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "collect/argv_text.h"

#define LONGEST 8
#define ARGV(text) text, sizeof(text) - 1

static const struct {
	int line;
	const char *argv;
	size_t size;
	const char *text;
	unsigned int n;
	bool cut;
} rows[] = {
	{ __LINE__, ARGV(""), "", 0, false },
	{ __LINE__, ARGV("ls\0"), "ls", 1, false },
	{ __LINE__, ARGV("ls\0-l\0/tmp\0"), "ls -l /tmp", 3, false },
	{ __LINE__, ARGV("\0"), "''", 1, false },
	{ __LINE__, ARGV("a\0\0b\0"), "a '' b", 3, false },
	{ __LINE__, ARGV("a b\0"), "'a b'", 1, false },
	{ __LINE__, ARGV("it's\0"), "'it'\\''s'", 1, false },
	{ __LINE__, ARGV("$HOME\0`x`\0"), "'$HOME' '`x`'", 2, false },
	{ __LINE__, ARGV("~\0*\0#\0"), "'~' '*' '#'", 3, false },
	{ __LINE__, ARGV("\n\0\xff\0"), "'\n' '\xff'", 2, false },
	{ __LINE__, ARGV("A=b,c:d/e.f-g+h@i%j_k\0"), "A=b,c:d/e.f-g+h@i%j_k", 1, true },
	{ __LINE__, ARGV("1234567\0"), "1234567", 1, false },
	{ __LINE__, ARGV("12345678\0x\0"), "12345678 x", 2, true },
	{ __LINE__, ARGV("ls\0-"), "ls -", 2, true },
};

static void arguments_can_be_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer out = {};
		bool cut;
		char *heap = malloc(rows[i].size + 1); /* so that a read behind the end is found */

		assert_non_null(heap);
		memcpy(heap, rows[i].argv, rows[i].size);
		heap = realloc(heap, rows[i].size ? rows[i].size : 1);
		if (argv_text_put(&out, heap, rows[i].size, LONGEST, &cut) != rows[i].n ||
		    cut != rows[i].cut || out.size != strlen(rows[i].text) ||
		    (out.size && memcmp(out.data, rows[i].text, out.size) != 0))
			fail_msg("line %d: %.*s, cut %d", rows[i].line, (int)out.size,
				 (const char *)out.data, cut);
		free(heap);
		buffer_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(arguments_can_be_read_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
