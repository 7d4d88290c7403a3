// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/segment_reader.h"
#include "store/segment_writer.h"

static char directory[256];

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/test_segment.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* A block of one epoch: an event, a process, and `n` samples. */
static void put_block(struct buffer *b, struct record_coder *c, bool epoch_start, uint64_t first,
		      unsigned int n)
{
	struct record r = { .type = RECORD_EVENT };
	const uint32_t frames[] = { 1, 0, 1, 0 };

	if (epoch_start) {
		record_coder_reset(c);
		record_put(b, c, &r);
		r = (struct record){ .type = RECORD_PROCESS, .process = { .pid = 42 } };
		record_put(b, c, &r);
		r = (struct record){ .type = RECORD_THREAD, .thread = { .tid = 43 } };
		record_put(b, c, &r);
		r = (struct record){ .type = RECORD_OBJECT };
		record_put(b, c, &r);
		for (unsigned int i = 0; i < 2; i++) {
			r = (struct record){ .type = RECORD_FRAME, .frame = { .offset = i } };
			record_put(b, c, &r);
		}
	}
	for (unsigned int i = 0; i < n; i++) {
		r = (struct record){ .type = RECORD_SAMPLE };
		r.sample.time_ns = (first + i) * 1000000;
		r.sample.cpu = i % 2;
		r.sample.period = 1 + i % 5;
		r.sample.kernel_frames = 2;
		r.sample.user_frames = i % 3 ? 2 : 1;
		r.sample.frames = frames;
		record_put(b, c, &r);
	}
	assert_int_equal(b->error, 0);
}

static void submit_some(struct segment_writer *w, unsigned int blocks, unsigned int n)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	struct buffer b = { 0 };
	uint64_t next = 1;

	for (unsigned int i = 0; i < blocks; i++) {
		bool start = segment_writer_wants_epoch(w);

		put_block(&b, c, start, next, n);
		assert_int_equal(segment_writer_submit(w, &b, start, next * 1000000,
						       (next + n - 1) * 1000000, n),
				 i + 1);
		next += n;
	}
}

static uint64_t count_samples(const char *path)
{
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_free_ char *error = NULL;
	const struct segment_info *info;
	uint64_t samples = 0;

	assert_int_equal(segment_reader_open(path, &reader, &error), 0);
	info = segment_reader_info(reader);
	for (size_t i = 0; i < info->n_epochs; i++) {
		struct epoch_walk *walk;
		struct record r;
		int n;

		assert_int_equal(epoch_walk_open(reader, i, &walk), 0);
		while ((n = epoch_walk_next(walk, &r)) == 1)
			samples += r.type == RECORD_SAMPLE;
		assert_int_equal(n, 0);
		epoch_walk_close(walk);
	}
	return samples;
}

static uint64_t count_all(const char *path)
{
	uint64_t samples = 0;
	char **paths;
	size_t n;

	assert_int_equal(segment_find(path, &paths, &n), 0);
	for (size_t i = 0; i < n; i++)
		samples += count_samples(paths[i]);
	segment_paths_free(paths, n);
	return samples;
}

/* What is submitted comes back, from a directory and from a single file */
static void test_round_trip(void **state)
{
	_cleanup_free_ char *error = NULL, *file = NULL;
	struct segment_writer *w;

	(void)state;
	assert_int_equal(
		segment_writer_open(&(struct segment_writer_options){ .directory = directory,
								      .epoch_bytes = 200 },
				    &w, &error),
		0);
	submit_some(w, 20, 50);
	assert_int_equal(segment_writer_finish(w), 0);
	segment_writer_close(w);
	assert_int_equal(count_all(directory), 1000);

	assert_true(asprintf(&file, "%s/one", directory) > 0);
	assert_int_equal(
		segment_writer_open(&(struct segment_writer_options){ .file = file }, &w, &error),
		0);
	submit_some(w, 3, 7);
	segment_writer_close(w);
	assert_int_equal(count_all(file), 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, make_directory, remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
