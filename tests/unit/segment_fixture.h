/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Blocks of samples for the tests of segments, and ways to count what came back. Every test has a
 * directory of its own.
 */
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
	/* In memory where that is possible: the tests sync thousands of times. */
	snprintf(directory, sizeof(directory), "%s/test_segment.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static _unused_ const char *in_directory(const char *name)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* What every epoch begins with. */
static _unused_ void put_dictionary(struct buffer *b, struct record_coder *c)
{
	static const struct record records[] = {
		{ .type = RECORD_EVENT },
		{ .type = RECORD_PROCESS, .process = { .pid = 42 } },
		{ .type = RECORD_THREAD, .thread = { .tid = 43 } },
		{ .type = RECORD_OBJECT },
		{ .type = RECORD_FRAME, .frame = { .offset = 0x1000 } },
		{ .type = RECORD_FRAME, .frame = { .offset = 0x2000 } },
	};

	record_coder_reset(c);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		record_put(b, c, &records[i]);
}

/* n samples, one a millisecond; their periods are 1, 2, 3 ... from `first` on. */
static _unused_ void put_samples(struct buffer *b, struct record_coder *c, uint64_t first,
				 uint64_t n)
{
	static const uint32_t frames[] = { 1, 0, 1, 0 };

	for (uint64_t i = first; i < first + n; i++)
		record_put(b, c,
			   &(struct record){ .type = RECORD_SAMPLE,
					     .sample = { .time_ns = i * 1000000,
							 .cpu = i % 2,
							 .period = i,
							 .kernel_frames = 2,
							 .user_frames = i % 3 ? 2 : 1,
							 .frames = frames } });
	assert_int_equal(b->error, 0);
}

/* A caller of the writer, as the recorder is one. */
struct feeder {
	struct segment_writer *writer;
	struct record_coder *coder;
	uint64_t next; /* period of the next sample */
	int64_t submitted; /* number of the last block */
};

static _unused_ void feeder_init(struct feeder *f, struct segment_writer *w)
{
	*f = (struct feeder){ .writer = w, .coder = record_coder_new(), .next = 1 };
	assert_non_null(f->coder);
}

static _unused_ void feeder_done(struct feeder *f)
{
	record_coder_free(f->coder);
	segment_writer_close(f->writer);
}

/* Hands over a block of n samples. */
static _unused_ int64_t feed(struct feeder *f, uint64_t n)
{
	bool start = segment_writer_wants_epoch(f->writer);
	struct buffer b = { 0 };
	int64_t number;

	if (start)
		put_dictionary(&b, f->coder);
	put_samples(&b, f->coder, f->next, n);
	number = segment_writer_submit(f->writer, &b, start, f->next * 1000000,
				       (f->next + n - 1) * 1000000, n);
	assert_int_equal(b.size, 0);
	buffer_done(&b);
	f->next += n;
	if (number > 0)
		f->submitted = number;
	return number;
}

/* Waits until the worker has done with everything. */
static _unused_ void settle(struct feeder *f, struct segment_writer_status *ret)
{
	do {
		segment_writer_get_status(f->writer, ret);
		usleep(100);
	} while (ret->acknowledged < (uint64_t)f->submitted);
}

static _unused_ struct feeder open_feeder(const struct segment_writer_options *options)
{
	_cleanup_free_ char *error = NULL;
	struct segment_writer *w;
	struct feeder f;

	if (segment_writer_open(options, &w, &error) < 0)
		fail_msg("%s", error);
	feeder_init(&f, w);
	return f;
}

/* A small sealed segment of two epochs, at FILE `name`. Returns the number of samples. */
static _unused_ uint64_t make_segment(const char *name, unsigned int blocks, uint64_t n)
{
	struct feeder f = open_feeder(
		&(struct segment_writer_options){ .file = in_directory(name), .epoch_bytes = 300 });

	for (unsigned int i = 0; i < blocks; i++) {
		struct segment_writer_status status;

		feed(&f, n);
		settle(&f, &status);
	}
	assert_int_equal(segment_writer_finish(f.writer), 0);
	feeder_done(&f);
	return blocks * n;
}

struct contents {
	uint64_t samples;
	uint64_t highest; /* period */
	uint64_t raw; /* records of unknown type */
	uint64_t broken_epochs;
	uint64_t files;
};

static _unused_ void read_epoch(struct segment_reader *reader, size_t epoch, struct contents *c)
{
	struct epoch_walk *walk;
	struct record r;
	int n;

	assert_int_equal(epoch_walk_open(reader, epoch, &walk), 0);
	while ((n = epoch_walk_next(walk, &r)) == 1) {
		c->raw += r.type > RECORD_ROW;
		if (r.type != RECORD_SAMPLE)
			continue;
		c->samples++;
		c->highest = MAX(c->highest, r.sample.period);
		assert_int_equal(r.sample.time_ns, r.sample.period * 1000000);
		assert_int_equal(r.sample.kernel_frames, 2);
		assert_int_equal(r.sample.user_frames, r.sample.period % 3 ? 2 : 1);
		assert_int_equal(r.sample.frames[0], 1);
	}
	assert_true(n == 0 || n == -EBADMSG);
	c->broken_epochs += n < 0;
	epoch_walk_close(walk);
}

/* All that a file, or the files of a directory, hold. */
static _unused_ struct contents read_all(const char *path)
{
	struct contents c = { 0 };
	char **paths;
	size_t n;
	int r = segment_find(path, &paths, &n);

	if (r == -ENOENT)
		return c;
	assert_int_equal(r, 0);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
		_cleanup_free_ char *error = NULL;

		r = segment_reader_open(paths[i], &reader, &error);
		if (r == -EBADMSG || r == -ENOENT)
			continue;
		assert_int_equal(r, 0);
		c.files++;
		for (size_t k = 0; k < segment_reader_info(reader)->n_epochs; k++)
			read_epoch(reader, k, &c);
	}
	segment_paths_free(paths, n);
	return c;
}

/* 0 when every segment below `path` is whole. */
static _unused_ int verify_all(const char *path)
{
	int result = 0;
	char **paths;
	size_t n;

	assert_int_equal(segment_find(path, &paths, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct segment_check c = { 0 };
		int r = segment_verify(paths[i], &c);

		if (r < 0) {
			print_message("# %s: %d %s\n", paths[i], r, c.findings);
			result = r;
		}
		free(c.findings);
	}
	segment_paths_free(paths, n);
	return result;
}

static _unused_ uint8_t *read_file(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "re");
	uint8_t *data;
	long size;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	rewind(f);
	data = malloc((size_t)size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)size, f), size);
	fclose(f);
	*ret_size = (size_t)size;
	return data;
}

static _unused_ void write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}
