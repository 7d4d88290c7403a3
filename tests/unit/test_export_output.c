// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/output.h"
#include "util/cleanup.h"

static char directory[64];

static int enter_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/ebpf-profiler-output.XXXXXX");
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return chdir("/") == 0 ? system(command) : -1;
}

static size_t files_here(void)
{
	_cleanup_fclose_ FILE *in = popen("ls -A | wc -l", "r");
	size_t n = 0;

	assert_int_equal(fscanf(in, "%zu", &n), 1);
	return n;
}

/* A file appears when it is committed, whole, with the usual mode; without commit nothing is left.
 */
static void test_commit(void **state)
{
	struct output o;
	struct stat st;
	char *error = NULL;

	(void)state;
	umask(022);
	assert_int_equal(output_open(&o, "a", OUTPUT_SEEKABLE, &error), 0);
	fputs("whole", o.file);
	assert_int_equal(access("a", F_OK), -1);
	assert_int_equal(output_commit(&o, &error), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mode & 0777, 0644);

	assert_int_equal(output_open(&o, "a", OUTPUT_TEXT, &error), 0);
	fputs("longer than before", o.file);
	output_done(&o);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(files_here(), 1);
}

/* What is not a regular file is left alone, and the sentence says why. */
static void test_refused(void **state)
{
	static const struct {
		int line;
		const char *path, *said;
		int error;
	} rows[] = {
		{ __LINE__, "directory", "is a directory", -EEXIST },
		{ __LINE__, "link", "not a regular file", -EEXIST },
		{ __LINE__, "fifo", "not a regular file", -EEXIST },
		{ __LINE__, "/dev/null", "not a regular file", -EEXIST },
		{ __LINE__, "missing/a", "No such file", -ENOENT },
		{ __LINE__, "a/b", "Not a directory", -ENOTDIR },
		{ __LINE__, "bad\nname/\x1b", "bad\\x0aname/\\x1b", -ENOENT },
	};

	(void)state;
	assert_int_equal(mkdir("directory", 0755), 0);
	assert_int_equal(symlink("target", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *error = NULL;
		struct output o;
		int r = output_open(&o, rows[i].path, OUTPUT_TEXT, &error);

		if (r != rows[i].error || !error || !strstr(error, rows[i].said))
			fail_msg("row at line %d: %d, %s", rows[i].line, r, error);
	}
	assert_int_equal(files_here(), 4);
}

/* Binary formats do not go to a terminal; text does. */
static void test_terminal(void **state)
{
	_cleanup_free_ char *error = NULL;
	struct output o;
	int master, slave, saved = dup(STDOUT_FILENO);
	int r_binary, r_text;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	dup2(slave, STDOUT_FILENO);
	r_binary = output_open(&o, "-", OUTPUT_BINARY, &error);
	r_text = output_open(&o, "-", OUTPUT_TEXT, &error);
	output_done(&o);
	dup2(saved, STDOUT_FILENO);
	assert_int_equal(r_binary, -ENOTTY);
	assert_int_equal(r_text, 0);
	assert_non_null(strstr(error, "terminal"));
	close(saved);
	close(master);
	close(slave);
}

/* A format written out of order reaches a pipe in order. */
static void test_pipe(void **state)
{
	_cleanup_free_ char *error = NULL;
	struct output o;
	char got[8] = "";
	int fds[2], saved = dup(STDOUT_FILENO), r;

	(void)state;
	fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDOUT_FILENO);
	r = output_open(&o, "-", OUTPUT_SEEKABLE, &error);
	fputs("..cd", o.file);
	rewind(o.file);
	fputs("ab", o.file);
	r = r ? r : output_commit(&o, &error);
	dup2(saved, STDOUT_FILENO);
	close(fds[1]);
	assert_int_equal(r, 0);
	assert_int_equal(read(fds[0], got, sizeof(got)), 4);
	assert_string_equal(got, "abcd");
	close(fds[0]);
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
