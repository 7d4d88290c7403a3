// SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "segment_fixture.h"

/*
 * Writes small blocks for ever, syncs each, and tells the number of samples that were acknowledged
 * so far through the pipe.
 */
static void write_until_killed(int fd)
{
	_cleanup_free_ char *error = NULL;
	struct segment_writer *w;
	struct feeder f;

	if (segment_writer_open(&(struct segment_writer_options){ .directory = directory,
								  .rotate_bytes = 3000,
								  .epoch_bytes = 700 },
				&w, &error) < 0)
		_exit(1);
	feeder_init(&f, w);
	for (;;) {
		struct segment_writer_status status;
		uint64_t samples;

		feed(&f, 20);
		settle(&f, &status);
		samples = f.next - 1;
		if (write(fd, &samples, sizeof(samples)) != sizeof(samples))
			_exit(1);
	}
}

/* A writer killed at any moment, 100 times: what it acknowledged can be read at once, and again
 * after the next writer's repair */
static void test_kill(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t acknowledged = 0, more;
		struct contents c;
		struct feeder f = { 0 };
		int fds[2];
		pid_t pid;

		assert_int_equal(make_directory(NULL), 0);
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			write_until_killed(fds[1]);
		close(fds[1]);
		for (unsigned int k = 0; k <= i; k++)
			assert_int_equal(read(fds[0], &acknowledged, 8), 8);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(fds[0], &more, sizeof(more)) == sizeof(more))
			acknowledged = more;
		close(fds[0]);

		c = read_all(directory);
		assert_true(c.samples >= acknowledged);
		assert_int_equal(c.highest, c.samples);
		assert_int_equal(c.broken_epochs, 0);
		assert_int_equal(verify_all(directory), 0);
		assert_int_equal(segment_writer_open(
					 &(struct segment_writer_options){ .directory = directory },
					 &f.writer, &(char *){ NULL }),
				 0);
		feeder_done(&f);
		assert_int_equal(read_all(directory).samples, c.samples);
		assert_int_equal(verify_all(directory), 0);
		assert_int_equal(remove_directory(NULL), 0);
	}
}

/* A tmpfs of 256 KiB in a mount namespace of its own; false where that is not allowed. */
static bool mount_small_disk(const char *path)
{
	if (mkdir(path, 0700) < 0)
		return false;
	if (unshare(CLONE_NEWNS) < 0)
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", path, "tmpfs", 0, "size=256k") == 0;
}

/* Fills the disk until nothing more goes. */
static void fill_disk(const char *path)
{
	static const char bytes[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
}

/* A full disk suspends the writer, which counts what it drops and resumes by itself; nothing that
 * is in the files is damaged */
static void test_full_disk(void **state)
{
	struct segment_writer_options options = { .retry_ns = 1000000, .rotate_bytes = 20000 };
	struct segment_writer_status status;
	char path[300], filler[320];
	struct contents c;
	struct feeder f = { 0 };

	(void)state;
	snprintf(path, sizeof(path), "%s/disk", directory);
	snprintf(filler, sizeof(filler), "%s/filler", path);
	if (!mount_small_disk(path)) {
		print_message("# needs CAP_SYS_ADMIN to mount a tmpfs\n");
		skip();
	}
	options.directory = path;
	assert_int_equal(segment_writer_open(&options, &f.writer, &(char *){ NULL }), 0);
	feeder_init(&f, f.writer);
	feed(&f, 100);
	settle(&f, &status);
	for (unsigned int round = 0; round < 3; round++) {
		uint64_t dropped;

		fill_disk(filler);
		do {
			feed(&f, 500);
			settle(&f, &status);
		} while (!status.suspended);
		assert_int_equal(status.error, -ENOSPC);
		dropped = status.dropped_samples;
		assert_true(dropped > 0);
		feed(&f, 10);
		settle(&f, &status);
		assert_int_equal(status.dropped_samples, dropped + 10);
		assert_int_equal(verify_all(path), 0);

		assert_int_equal(unlink(filler), 0);
		do {
			feed(&f, 10);
			settle(&f, &status);
		} while (status.suspended);
		assert_int_equal(status.error, 0);
	}
	assert_int_equal(segment_writer_finish(f.writer), 0);
	segment_writer_get_status(f.writer, &status);
	c = read_all(path);
	assert_int_equal(c.samples + status.dropped_samples, f.next - 1);
	assert_int_equal(c.broken_epochs, 0);
	assert_int_equal(verify_all(path), 0);
	feeder_done(&f);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

/* With keep_free_percent a full disk costs the oldest segments instead of the newest samples */
static void test_full_disk_keep_free(void **state)
{
	struct segment_writer_options options = { .rotate_bytes = 8000, .keep_free_percent = 20 };
	struct segment_writer_status status;
	struct feeder f = { 0 };
	char path[300];

	(void)state;
	snprintf(path, sizeof(path), "%s/disk", directory);
	if (!mount_small_disk(path)) {
		print_message("# needs CAP_SYS_ADMIN to mount a tmpfs\n");
		skip();
	}
	options.directory = path;
	assert_int_equal(segment_writer_open(&options, &f.writer, &(char *){ NULL }), 0);
	feeder_init(&f, f.writer);
	do {
		feed(&f, 2000);
		settle(&f, &status);
		assert_false(status.suspended);
	} while (status.deleted_files < 5);
	assert_int_equal(status.dropped_samples, 0);
	assert_int_equal(segment_writer_finish(f.writer), 0);
	assert_int_equal(read_all(path).highest, f.next - 1);
	assert_int_equal(verify_all(path), 0);
	feeder_done(&f);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

/* A limit on the size of files is met like a full disk, and the signal it sends harms nobody */
static void test_file_size_limit(void **state)
{
	struct segment_writer_status status;
	struct feeder f = { 0 };
	struct rlimit before, limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ .rlim_cur = 4000, .rlim_max = before.rlim_max };
	assert_int_equal(
		segment_writer_open(&(struct segment_writer_options){ .directory = directory },
				    &f.writer, &(char *){ NULL }),
		0);
	feeder_init(&f, f.writer);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	do {
		feed(&f, 200);
		settle(&f, &status);
	} while (!status.suspended);
	assert_int_equal(status.error, -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(segment_writer_finish(f.writer), 0);
	assert_int_equal(read_all(directory).samples + status.dropped_samples, f.next - 1);
	feeder_done(&f);
	assert_int_equal(verify_all(directory), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill),
		TEST(test_full_disk),
		TEST(test_full_disk_keep_free),
		TEST(test_file_size_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
