// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <pthread.h>

#include "segment_fixture.h"
#include "store/crc32c.h"
#include "store/frame.h"
#include "store/segment_store.h"

static uint64_t bytes_in_directory(void)
{
	struct dirent *entry;
	uint64_t bytes = 0;
	DIR *d = opendir(directory);

	assert_non_null(d);
	while ((entry = readdir(d))) {
		struct stat st;

		if (strstr(entry->d_name, ".seg") &&
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	}
	closedir(d);
	return bytes;
}

/* What is submitted comes back, from a directory and from a single file */
static void test_round_trip(void **state)
{
	struct segment_writer_status status;
	struct contents c;
	struct feeder f;

	(void)state;
	f = open_feeder(
		&(struct segment_writer_options){ .directory = directory, .epoch_bytes = 300 });
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(feed(&f, 50), i + 1);
		settle(&f, &status);
		assert_int_equal(status.acknowledged, i + 1);
	}
	assert_int_equal(segment_writer_finish(f.writer), 0);
	assert_int_equal(status.dropped_samples, 0);
	assert_int_equal(feed(&f, 1), -ESHUTDOWN);
	feeder_done(&f);
	c = read_all(directory);
	assert_int_equal(c.samples, 1000);
	assert_int_equal(c.highest, 1000);
	assert_int_equal(c.files, 1);
	assert_int_equal(verify_all(directory), 0);

	assert_int_equal(make_segment("single", 3, 7), 21);
	assert_int_equal(read_all(in_directory("single")).samples, 21);
	assert_int_equal(verify_all(in_directory("single")), 0);
}

/* A segment that is being written can be read at any time, and its files are for the group */
static void test_active(void **state)
{
	struct segment_writer_status status;
	struct contents c = { 0 };
	struct stat st;
	struct feeder f;
	char path[400];

	(void)state;
	umask(022);
	snprintf(path, sizeof(path), "%s/state", directory);
	f = open_feeder(&(struct segment_writer_options){ .directory = path });
	for (unsigned int i = 1; i <= 30; i++) {
		feed(&f, 10);
		settle(&f, &status);
		c = read_all(path);
		assert_int_equal(c.samples, i * 10);
		assert_int_equal(c.broken_epochs, 0);
		assert_int_equal(verify_all(path), 0);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(stat(status.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, status.bytes);
	feeder_done(&f);
	assert_int_equal(read_all(path).samples, 300);
}

/* Files are rotated by size, by time and on request, at the start of an epoch, and nothing is lost
 */
static void test_rotation(void **state)
{
	const struct {
		int line;
		struct segment_writer_options options;
		bool request;
	} rows[] = {
		{ __LINE__, { .rotate_bytes = 700 }, false },
		{ __LINE__, { .rotate_ns = 1 }, false },
		{ __LINE__, { .rotate_ns = 3600 * 1000000000ULL }, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct segment_writer_options options = rows[i].options;
		struct segment_writer_status status;
		struct contents c;
		struct feeder f;
		char path[400];

		snprintf(path, sizeof(path), "%s/%zu", directory, i);
		options.directory = path;
		f = open_feeder(&options);
		for (unsigned int k = 0; k < 40; k++) {
			feed(&f, 40);
			if (rows[i].request && k % 10 == 4)
				segment_writer_rotate(f.writer);
			settle(&f, &status);
		}
		feeder_done(&f);
		c = read_all(path);
		if (c.samples != 1600 || c.files < 4 || status.dropped_samples || c.broken_epochs)
			fail_msg("line %d: %lu samples in %lu files", rows[i].line, c.samples,
				 c.files);
		assert_int_equal(verify_all(path), 0);
	}
}

/* The segments never take more than retain_bytes; the oldest go; foreign files stay */
static void test_retention_bytes(void **state)
{
	static const char *const foreign[] = {
		"foreign.seg",
		"20250101T000000Z-00000000.seg.bak",
		"20250101T000000Z-.seg",
		"x20250101T000000Z-00000000.seg",
		"20250101T000000Z-99999999999999999999999.seg",
		"2025O101T000000Z-00000000.seg",
	};
	const uint64_t cap = 6000;
	struct segment_writer_status status;
	struct contents c;
	struct feeder f;
	struct stat st;

	(void)state;
	f = open_feeder(&(struct segment_writer_options){
		.directory = directory, .rotate_bytes = 1 << 20, .retain_bytes = cap });
	for (unsigned int i = 0; i < 300; i++) {
		feed(&f, 100);
		settle(&f, &status);
		assert_true(bytes_in_directory() <= cap);
		assert_true(status.bytes <= cap);
	}
	assert_int_equal(status.dropped_samples, 0);
	assert_true(status.deleted_files > 3);
	assert_true(status.bytes > cap / 2);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		write_file(in_directory(foreign[i]), "precious", 8);
	assert_int_equal(mkdir(in_directory("20000101T000000Z-00000000.seg"), 0700), 0);
	assert_int_equal(symlink("foreign.seg", in_directory("20000101T000000Z-00000001.seg")), 0);
	segment_writer_rotate(f.writer);
	for (unsigned int i = 0; i < 100; i++) {
		feed(&f, 100);
		settle(&f, &status);
	}
	feeder_done(&f);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		assert_int_equal(stat(in_directory(foreign[i]), &st), 0);
	assert_int_equal(lstat(in_directory("20000101T000000Z-00000000.seg"), &st), 0);
	assert_int_equal(lstat(in_directory("20000101T000000Z-00000001.seg"), &st), 0);
	c = read_all(directory);
	assert_int_equal(c.highest, 40000);
	assert_true(bytes_in_directory() <= cap + ARRAY_SIZE(foreign) * 8);
}

/* A cap so small that even one file fills it still holds, and what is dropped is counted */
static void test_retention_tiny(void **state)
{
	struct segment_writer_status status;
	struct feeder f;

	(void)state;
	f = open_feeder(
		&(struct segment_writer_options){ .directory = directory, .retain_bytes = 1500 });
	for (unsigned int i = 0; i < 200; i++) {
		feed(&f, 100);
		settle(&f, &status);
		assert_true(bytes_in_directory() <= 1500);
		assert_false(status.suspended);
	}
	feeder_done(&f);
	assert_true(status.dropped_samples < 20000);
	assert_int_equal(verify_all(directory), 0);
}

/* Segments older than retain_ns go, the file being written never does */
static void test_retention_age(void **state)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct segment_writer_options options = { .directory = directory, .rotate_ns = 1 };
	struct contents c;
	struct feeder f;
	char **paths;
	size_t n;

	(void)state;
	f = open_feeder(&options);
	for (unsigned int i = 0; i < 5; i++) {
		struct segment_writer_status status;

		feed(&f, 10);
		settle(&f, &status);
	}
	feeder_done(&f);
	assert_int_equal(segment_find(directory, &paths, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(utimensat(AT_FDCWD, paths[i], old, 0), 0);
	segment_paths_free(paths, n);

	options.retain_ns = 3600 * 1000000000ULL;
	f = open_feeder(&options);
	f.next = 51;
	feed(&f, 10);
	feeder_done(&f);
	c = read_all(directory);
	assert_int_equal(c.files, 3);
	assert_int_equal(c.samples, 30);
	assert_int_equal(c.highest, 60);
}

/* Of two writers in one directory, or on one file, the second is refused with a sentence */
static void test_lock(void **state)
{
	struct feeder f = open_feeder(&(struct segment_writer_options){ .directory = directory }),
		      g = open_feeder(
			      &(struct segment_writer_options){ .file = in_directory("one") });
	struct segment_writer *w = NULL;
	char *error = NULL;

	(void)state;
	assert_int_equal(
		segment_writer_open(&(struct segment_writer_options){ .directory = directory }, &w,
				    &error),
		-EBUSY);
	assert_non_null(strstr(error, "already writing"));
	free(error);
	assert_int_equal(
		segment_writer_open(&(struct segment_writer_options){ .file = in_directory("one") },
				    &w, &error),
		-EBUSY);
	assert_non_null(strstr(error, "is writing it"));
	free(error);
	feeder_done(&f);
	feeder_done(&g);
	f = open_feeder(&(struct segment_writer_options){ .directory = directory });
	feeder_done(&f);
}

/* A single file replaces an older segment and a crash's leftover, and nothing else */
static void test_single_file(void **state)
{
	const struct {
		int line;
		const char *name;
		int error;
		const char *sentence;
	} rows[] = {
		{ __LINE__, "segment", 0, NULL },
		{ __LINE__, "empty", 0, NULL },
		{ __LINE__, "leftover", 0, NULL },
		{ __LINE__, "text", -EEXIST, "not a segment" },
		{ __LINE__, "link", -ELOOP, "symbolic link" },
		{ __LINE__, "directory", -EEXIST, "not a regular file" },
		{ __LINE__, "fifo", -EEXIST, "not a regular file" },
		{ __LINE__, "missing/file", -ENOENT, "No such file" },
		{ __LINE__, "text/file", -ENOTDIR, "Not a directory" },
		{ __LINE__, "foreign", -EEXIST, "not a segment" },
		{ __LINE__, "", -EEXIST, "not a regular file" },
	};

	(void)state;
	make_segment("segment", 2, 5);
	make_segment("target", 2, 5);
	write_file(in_directory("empty"), "", 0);
	write_file(in_directory("text"), "precious", 8);
	write_file(in_directory("foreign.active"), "precious", 8);
	make_segment("leftover.active", 2, 5);
	assert_int_equal(symlink("target", in_directory("link")), 0);
	assert_int_equal(mkdir(in_directory("directory"), 0700), 0);
	assert_int_equal(mkfifo(in_directory("fifo"), 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct segment_writer *w = NULL;
		_cleanup_free_ char *error = NULL;
		int r = segment_writer_open(
			&(struct segment_writer_options){ .file = in_directory(rows[i].name) }, &w,
			&error);
		struct feeder f;

		if (r != rows[i].error || (r < 0 && !strstr(error, rows[i].sentence)))
			fail_msg("line %d: %d %s", rows[i].line, r, error);
		if (r < 0)
			continue;
		feeder_init(&f, w);
		feed(&f, 33);
		feeder_done(&f);
		assert_int_equal(read_all(in_directory(rows[i].name)).samples, 33);
	}
	assert_int_equal(read_all(in_directory("target")).samples, 10);
}

/* A block that is too large, or one without its epoch's start, costs its epoch and no more */
static void test_broken_epoch(void **state)
{
	struct segment_writer_status status;
	struct buffer b = { 0 };
	struct feeder f;

	(void)state;
	f = open_feeder(&(struct segment_writer_options){ .directory = directory });
	put_dictionary(&b, f.coder);
	put_samples(&b, f.coder, 1, 10);
	f.submitted = segment_writer_submit(f.writer, &b, false, 0, 0, 10);
	settle(&f, &status);
	assert_int_equal(status.dropped_samples, 10);
	assert_true(segment_writer_wants_epoch(f.writer));

	f.next = 11;
	feed(&f, 5);
	assert_true(buffer_reserve(&b, FRAME_MAX_RAW + 1));
	memset(b.data, 0, FRAME_MAX_RAW + 1);
	b.size = FRAME_MAX_RAW + 1;
	f.submitted = segment_writer_submit(f.writer, &b, false, 0, 0, 7);
	/* Not yet known to be of a broken epoch, or known: dropped all the same. */
	put_samples(&b, f.coder, f.next, 3);
	f.submitted = segment_writer_submit(f.writer, &b, false, 0, 0, 3);
	settle(&f, &status);
	assert_int_equal(status.dropped_samples, 20);
	assert_false(status.suspended);
	assert_true(segment_writer_wants_epoch(f.writer));
	feed(&f, 8);

	b.error = -ENOMEM;
	assert_int_equal(segment_writer_submit(f.writer, &b, false, 0, 0, 4), -ENOMEM);
	assert_true(segment_writer_wants_epoch(f.writer));
	feed(&f, 9);
	settle(&f, &status);
	assert_int_equal(status.dropped_samples, 24);
	assert_int_equal(segment_writer_finish(f.writer), 0);
	feeder_done(&f);
	assert_int_equal(read_all(directory).samples, 5 + 8 + 9);
	assert_int_equal(verify_all(directory), 0);
}

/* When more is handed over than the queue takes, -ENOBUFS tells, and all that is lost is counted */
static void test_queue_full(void **state)
{
	struct segment_writer_status status;
	uint64_t refused = 0;
	struct feeder f;

	(void)state;
	f = open_feeder(&(struct segment_writer_options){ .directory = directory });
	for (unsigned int i = 0; i < 40; i++)
		refused += feed(&f, 200000) == -ENOBUFS;
	settle(&f, &status);
	segment_writer_finish(f.writer);
	segment_writer_get_status(f.writer, &status);
	feeder_done(&f);
	assert_true(status.dropped_samples >= refused * 200000);
	assert_int_equal(read_all(directory).samples + status.dropped_samples, 40 * 200000);
	assert_int_equal(verify_all(directory), 0);
}

/* Numbers go on after a restart, even when the clock was set back */
static void test_sequence(void **state)
{
	struct feeder f;
	char **paths;
	size_t n;

	(void)state;
	write_file(in_directory("29990101T000000Z-00000041.seg"), "", 0);
	f = open_feeder(&(struct segment_writer_options){ .directory = directory });
	feed(&f, 1);
	feeder_done(&f);
	assert_int_equal(segment_find(directory, &paths, &n), 0);
	assert_int_equal(n, 2);
	assert_non_null(strstr(paths[1], "-00000042.seg"));
	segment_paths_free(paths, n);
}

/* A file that someone deletes under the writer costs its contents, and the next epoch has a new one
 */
static void test_deleted_file(void **state)
{
	struct segment_writer_status status;
	struct feeder f;

	(void)state;
	f = open_feeder(&(struct segment_writer_options){ .directory = directory });
	feed(&f, 10);
	settle(&f, &status);
	assert_int_equal(unlink(status.path), 0);
	do {
		feed(&f, 10);
		settle(&f, &status);
	} while (read_all(directory).samples == 0);
	feeder_done(&f);
	assert_int_equal(verify_all(directory), 0);
}

static void *walk_in_thread(void *userdata)
{
	struct segment_reader *reader = userdata;
	struct contents c = { 0 };

	for (size_t i = 0; i < segment_reader_info(reader)->n_epochs; i++)
		read_epoch(reader, i, &c);
	return (void *)(uintptr_t)c.samples;
}

/* One reader serves walks in several threads at once */
static void test_parallel_walks(void **state)
{
	uint64_t samples = make_segment("file", 40, 100);
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_free_ char *error = NULL;
	pthread_t threads[4];

	(void)state;
	assert_int_equal(segment_reader_open(in_directory("file"), &reader, &error), 0);
	assert_true(segment_reader_info(reader)->n_epochs > 4);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, walk_in_thread, reader), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_int_equal((uintptr_t)result, samples);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),	   TEST(test_active),
		TEST(test_rotation),	   TEST(test_retention_bytes),
		TEST(test_retention_tiny), TEST(test_retention_age),
		TEST(test_lock),	   TEST(test_single_file),
		TEST(test_broken_epoch),   TEST(test_queue_full),
		TEST(test_sequence),	   TEST(test_deleted_file),
		TEST(test_parallel_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
