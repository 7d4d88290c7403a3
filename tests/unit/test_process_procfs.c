// SPDX-License-Identifier: Apache-2.0
// The text of /proc/PID/stat and maps is understood whatever bytes the process chose for its names.
#include "process/procfs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/file.h"

#define FIELDS " 0 -1 4194304 100 0 0 0 1 2 3 4 20 0 7 0 123456 1000 10 18446744073709551615"

// The comm reaches to the last parenthesis, and the numbers behind it are found.
static void test_stat(void **state)
{
	static const struct {
		int line;
		int result;
		const char *text;
		struct proc_stat expect;
	} rows[] = {
		{ __LINE__, 0, "42 (cat) R 1 42 42" FIELDS, { "cat", 'R', 1, false, 7, 123456 } },
		{ __LINE__, 0, "42 () S 0 0 0" FIELDS, { "", 'S', 0, false, 7, 123456 } },
		{ __LINE__,
		  0,
		  "42 (a) R 1 (b) Z 9 42 42" FIELDS,
		  { "a) R 1 (b", 'Z', 9, false, 7, 123456 } },
		{ __LINE__,
		  0,
		  "42 ()\n) )) S 5 42 42" FIELDS,
		  { ")\n) )", 'S', 5, false, 7, 123456 } },
		{ __LINE__,
		  0,
		  "42 (\x1b[31m\xff;'\") S 5 42 42" FIELDS,
		  { "\x1b[31m\xff;'\"", 'S', 5, false, 7, 123456 } },
		{ __LINE__,
		  0,
		  "42 (kworker/u16:1-events_unbound) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 "
		  "0 9",
		  { "kworker/u16:1-e", 'I', 2, true, 1, 9 } },
		{ __LINE__, -1, "", { .state = 0 } },
		{ __LINE__, -1, "42", { .state = 0 } },
		{ __LINE__, -1, "42 (cat", { .state = 0 } },
		{ __LINE__, -1, "42 )cat( R 1", { .state = 0 } },
		{ __LINE__, -1, "42 (cat)", { .state = 0 } },
		{ __LINE__, -1, "42 (cat) R", { .state = 0 } },
		{ __LINE__, -1, "42 (cat) R 1 2 3", { .state = 0 } },
		{ __LINE__, -1, "42 (cat) R x 42 42" FIELDS, { .state = 0 } },
		{ __LINE__,
		  -1,
		  "42 (cat) R 1 42 42 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 18446744073709551616",
		  { .state = 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t size = strlen(rows[i].text);
		_cleanup_free_ char *copy = malloc(size ?: 1); /* no NUL: overreads are found */
		struct proc_stat s;
		int r;

		memcpy(copy, rows[i].text, size);
		r = proc_parse_stat(copy, size, &s);
		if (r != 0 && rows[i].result != 0)
			continue;
		if (r != rows[i].result || strcmp(s.comm, rows[i].expect.comm) != 0 ||
		    s.state != rows[i].expect.state || s.ppid != rows[i].expect.ppid ||
		    s.kernel != rows[i].expect.kernel || s.threads != rows[i].expect.threads ||
		    s.start_ticks != rows[i].expect.start_ticks)
			fail_msg("row of line %d", rows[i].line);
	}
}

// Our own stat file says what getppid() says, under the nastiest name a process can give itself.
static void test_own_stat(void **state)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	static const char name[] = ") R 1\n\x1b(\xff) ;";
	struct proc_stat s;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/stat", &b), 0);
	assert_int_equal(proc_parse_stat((const char *)b.data, b.size, &s), 0);
	assert_string_equal(s.comm, name);
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(s.threads, 1);
	assert_false(s.kernel);
}

struct expected_map {
	uint64_t start, end, pgoff;
	bool executable;
	unsigned int major, minor;
	uint64_t inode;
	const char *path;
};

// Every line of maps gives its fields and the path as the process sees it; damaged lines are left
// out.
static void test_maps(void **state)
{
	static const char text[] =
		"55d0c0a00000-55d0c0a01000 r-xp 00001000 fd:01 1234567                    "
		"/bin/cat\n"
		"nonsense\n"
		"7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n"
		"7f0000002000-7f0000003000 r-xp 00000000 00:00 0                          [vdso]\n"
		"7f0000003000-7f0000003000 r-xp 00000000 00:00 0                          empty\n"
		"7f0000004000-7f0000003000 r-xp 00000000 00:00 0                          "
		"inverted\n"
		"7f0000005000-7f0000006000 r-xp 00000000 08:11 77  /a b/x\\012y\x1b\xff (deleted)\n"
		"7f0000006000-7f0000007000 r--p 00000000 08:11 78  /data\n"
		"7f0000008000-7f0000009000 r-xp 00000000 00:01 5   /memfd:jit (deleted)\n"
		"7f000000a000-7f000000b000 r-x\n"
		"7f000000a000-7f000000b000 r-xp 0000000g 00:00 0 x\n"
		"11117f000000a000-7f000000b00000000 r-xp 0 00:00 0 overflow\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  "
		"[vsyscall]\n"
		"10000-20000 r-xp 00000000 103:5 4294967296 /last";
	static const struct expected_map rows[] = {
		{ 0x55d0c0a00000, 0x55d0c0a01000, 0x1000, true, 0xfd, 1, 1234567, "/bin/cat" },
		{ 0x7f0000000000, 0x7f0000001000, 0, true, 0, 0, 0, "" },
		{ 0x7f0000002000, 0x7f0000003000, 0, true, 0, 0, 0, "[vdso]" },
		{ 0x7f0000005000, 0x7f0000006000, 0, true, 8, 0x11, 77, "/a b/x\ny\x1b\xff" },
		{ 0x7f0000006000, 0x7f0000007000, 0, false, 8, 0x11, 78, "/data" },
		{ 0x7f0000008000, 0x7f0000009000, 0, true, 0, 1, 5, "/memfd:jit" },
		{ 0xffffffffff600000, 0xffffffffff601000, 0, true, 0, 0, 0, "[vsyscall]" },
		{ 0x10000, 0x20000, 0, true, 0x103, 5, 4294967296, "/last" },
	};
	const char *p = text, *end = text + sizeof(text) - 1;
	struct proc_map m;
	size_t n = 0;

	(void)state;
	for (; proc_next_map(&p, end, &m); n++) {
		char path[64];

		assert_true(n < ARRAY_SIZE(rows));
		map_path_decode(m.path, m.path_size, path, sizeof(path));
		assert_string_equal(path, rows[n].path);
		assert_int_equal(m.start, rows[n].start);
		assert_int_equal(m.end, rows[n].end);
		assert_int_equal(m.pgoff, rows[n].pgoff);
		assert_int_equal(m.executable, rows[n].executable);
		assert_int_equal(m.device, makedev(rows[n].major, rows[n].minor));
		assert_int_equal(m.inode, rows[n].inode);
	}
	assert_int_equal(n, ARRAY_SIZE(rows));
}

// A path that is longer than its room is cut and ended.
static void test_path_cut(void **state)
{
	char out[4];

	(void)state;
	map_path_decode("/abc\\012", 8, out, sizeof(out));
	assert_string_equal(out, "/ab");
	map_path_decode("/a\\012bc", 8, out, sizeof(out));
	assert_string_equal(out, "/a\n");
	map_path_decode("", 0, out, sizeof(out));
	assert_string_equal(out, "");
	map_path_decode(" (deleted)", 10, out, sizeof(out));
	assert_string_equal(out, " (d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_own_stat),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_path_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
