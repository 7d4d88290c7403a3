// SPDX-License-Identifier: Apache-2.0
// A file is read whole, whatever its size claims to be, and never beyond the limit.
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

// Sizes around the pieces it is read in come back equal and ended by a NUL; the limit holds.
static void test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 3999, 4000, 4095, 4096, 4097, 100000 };
	char path[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_(buffer_donep) struct buffer b = { 0 }, limited = { .limit = 4096 };
		_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(write(fd, &(char){ (char)(k % 251) }, 1), 1);
		assert_int_equal(file_read(AT_FDCWD, path, &b), 0);
		assert_int_equal(file_read(AT_FDCWD, path, &b), 0); /* anew, not appended */
		assert_int_equal(b.size, sizes[i]);
		assert_int_equal(b.data[b.size], 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(b.data[k], k % 251);
		if (sizes[i] > 4096)
			assert_int_equal(file_read(AT_FDCWD, path, &limited), -E2BIG);
		if (sizes[i] == 1)
			assert_int_equal(file_read(AT_FDCWD, path, &limited), 0);
	}
}

// What cannot be read is an errno; files of /proc, whose size is 0, are read.
static void test_errors(void **state)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, "/nonexistent", &b), -ENOENT);
	assert_int_equal(file_read(AT_FDCWD, "/", &b), -EISDIR);
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/maps", &b), 0);
	assert_true(b.size > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sizes),
					    cmocka_unit_test(test_errors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
