// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <pthread.h>

#include "segment_fixture.h"
#include "store/crc32c.h"
#include "store/frame.h"
#include "store/segment_store.h"

static struct feeder open_feeder(const struct segment_writer_options *options)
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
static uint64_t make_segment(const char *name, unsigned int blocks, uint64_t n)
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

/* CRC32C is the one of the standards, and the same with and without the CPU's instruction */
static void test_crc32c(void **state)
{
	/* RFC 3720 B.4, and the check value of the CRC catalogues. */
	uint8_t data[300] = { 0 };

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, data, 32), 0x8a9136aa);
	memset(data, 0xff, 32);
	assert_int_equal(crc32c(0, data, 32), 0x62a8ab43);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37);
	for (size_t size = 0; size <= sizeof(data); size++) {
		size_t half = size / 3;

		assert_int_equal(crc32c(0, data, size), crc32c_portable(0, data, size));
		assert_int_equal(crc32c(crc32c(0, data, half), data + half, size - half),
				 crc32c(0, data, size));
	}
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

/* Every flipped bit of a sealed segment is found, and a reader takes no harm and invents nothing */
static void test_bit_flips(void **state)
{
	uint64_t samples = make_segment("good", 3, 8);
	_cleanup_free_ char *bad = strdup(in_directory("bad"));
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;
	int fd;

	(void)state;
	data = read_file(in_directory("good"), &size);
	write_file(bad, data, size);
	assert_int_equal(verify_all(bad), 0);
	fd = open(bad, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < size * 8; i++) {
		uint8_t byte = data[i / 8] ^ (uint8_t)(1 << i % 8);
		struct segment_check check = { 0 };
		struct contents c;

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(i / 8)), 1);
		if (segment_verify(bad, &check) != -EBADMSG || !check.findings[0])
			fail_msg("bit %zu of byte %zu is not missed", i % 8, i / 8);
		free(check.findings);
		c = read_all(bad);
		assert_true(c.samples <= samples);
		assert_int_equal(pwrite(fd, &data[i / 8], 1, (off_t)(i / 8)), 1);
	}
	close(fd);
}

/* A file cut off anywhere gives every sample of its whole frames; sealed, it is known to be cut */
static void test_truncation(void **state)
{
	uint64_t samples = make_segment("good", 6, 12), last = 0;
	_cleanup_free_ char *bad = strdup(in_directory("cut.active")),
			    *cut = strdup(in_directory("cut"));
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;

	(void)state;
	data = read_file(in_directory("good"), &size);
	for (size_t n = 0; n < size; n++) {
		struct segment_check check = { 0 };
		struct contents c;
		int r;

		write_file(bad, data, n);
		c = read_all(bad);
		assert_true(c.samples >= last && c.samples <= samples);
		assert_int_equal(c.broken_epochs, 0);
		last = c.samples;
		r = segment_verify(bad, &check);
		if (r != (c.files ? 0 : -EBADMSG))
			fail_msg("%zu bytes: %d %s", n, r, check.findings);
		free(check.findings);
		write_file(cut, data, n);
		assert_int_equal(segment_verify(cut, &check), -EBADMSG);
		free(check.findings);
	}
	assert_int_equal(last, samples);
}

/* Whatever a crash leaves is repaired by the next writer: cut to whole frames, sealed, not deleted
 */
static void test_repair(void **state)
{
	static const char name[] = "20250101T000000Z-00000007.seg";
	_cleanup_free_ uint8_t *data = NULL;
	struct contents c;
	struct stat st;
	size_t size;
	uint64_t last = 0;

	(void)state;
	make_segment("good", 5, 10);
	data = read_file(in_directory("good"), &size);
	assert_int_equal(unlink(in_directory("good")), 0);
	for (size_t n = 1; n <= size; n += n < size - 10 ? 7 : 1) {
		char active[300];
		struct feeder f;

		snprintf(active, sizeof(active), "%s.active", name);
		write_file(in_directory(active), data, n);
		f = open_feeder(&(struct segment_writer_options){ .directory = directory });
		feeder_done(&f);
		assert_int_equal(stat(in_directory(active), &st), -1);
		assert_int_equal(stat(in_directory(name), &st), 0);
		c = read_all(in_directory(name));
		assert_true(c.samples >= last);
		last = c.samples;
		if (c.files)
			assert_int_equal(verify_all(in_directory(name)), 0);
		assert_int_equal(unlink(in_directory(name)), 0);
	}
	assert_int_equal(last, 50);
}

/* Zeros behind the last frame, as a power loss leaves them, are no damage and are cut off */
static void test_zero_tail(void **state)
{
	static const char name[] = "20250101T000000Z-00000007.seg";
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	_cleanup_free_ uint8_t *data = NULL;
	uint64_t index_offset, frames;
	struct segment_check check;
	struct feeder f;
	size_t size;

	(void)state;
	make_segment("good", 3, 10);
	data = read_file(in_directory("good"), &size);
	frame_footer_decode(data + size - FOOTER_PAYLOAD_SIZE, &index_offset, &frames);
	buffer_put(&b, data, index_offset);
	for (unsigned int i = 0; i < 5000; i++)
		buffer_put_byte(&b, 0);
	write_file(in_directory("20250101T000000Z-00000007.seg.active"), b.data, b.size);
	assert_int_equal(
		segment_verify(in_directory("20250101T000000Z-00000007.seg.active"), &check), 0);
	assert_int_equal(check.torn_bytes, 5000);
	assert_int_equal(check.samples, 30);
	free(check.findings);
	assert_int_equal(unlink(in_directory("good")), 0);
	f = open_feeder(&(struct segment_writer_options){ .directory = directory });
	feeder_done(&f);
	assert_int_equal(verify_all(in_directory(name)), 0);
	assert_int_equal(read_all(directory).samples, 30);
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

/* --- files made by hand -------------------------------------------------- */

static void put_frame(struct buffer *b, struct frame_head h, const void *payload, size_t size)
{
	uint8_t head[FRAME_HEAD_SIZE];

	h.payload_size = (uint32_t)size;
	h.payload_crc = crc32c(0, payload, size);
	frame_head_encode(&h, head);
	buffer_put(b, head, sizeof(head));
	buffer_put(b, payload, size);
}

static void put_header(struct buffer *b, uint16_t major, uint16_t minor)
{
	_cleanup_(buffer_donep) struct buffer payload = { 0 };

	frame_file_header_encode(
		&(struct frame_file_header){ .major = major, .minor = minor, .writer = "test" },
		&payload);
	buffer_put(&payload, "more", 4);
	put_frame(b, (struct frame_head){ .type = FRAME_HEADER }, payload.data, payload.size);
}

/* A zstd frame of one raw block: its magic, a window of 1 MiB, a block that is not the last. */
static void put_block(struct buffer *b, struct frame_head h, const struct buffer *records)
{
	_cleanup_(buffer_donep) struct buffer payload = { 0 };
	uint32_t header = (uint32_t)records->size << 3;

	if (h.flags & FRAME_EPOCH_START)
		buffer_put(&payload, "\x28\xb5\x2f\xfd\x00\x50", 6);
	buffer_put(&payload, &header, 3);
	buffer_put(&payload, records->data, records->size);
	h.type = FRAME_BLOCK;
	h.raw_size += (uint32_t)records->size;
	put_frame(b, h, payload.data, payload.size);
}

/* What is not a segment, and what a later program wrote, is told apart, in a sentence */
static void test_foreign(void **state)
{
	static const char zeros[100000];
	_cleanup_(buffer_donep) struct buffer next = { 0 }, minor = { 0 }, major0 = { 0 };
	const struct {
		int line;
		const void *data;
		size_t size;
		int error;
		const char *sentence;
	} rows[] = {
		{ __LINE__, "", 0, -EBADMSG, "not a segment" },
		{ __LINE__, "PERFILE2", 8, -EBADMSG, "not a segment" },
		{ __LINE__, zeros, sizeof(zeros), -EBADMSG, "not a segment" },
		{ __LINE__, next.data, 0, -EPROTONOSUPPORT, "newer format" },
		{ __LINE__, minor.data, 1, 0, NULL },
		{ __LINE__, major0.data, 2, -EBADMSG, "not a segment" },
	};
	struct buffer *made[] = { &next, &minor, &major0 };

	(void)state;
	put_header(&next, FORMAT_MAJOR + 1, 0);
	put_header(&minor, FORMAT_MAJOR, FORMAT_MINOR + 1);
	put_header(&major0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
		_cleanup_free_ char *error = NULL;
		const struct buffer *b = i >= 3 ? made[rows[i].size] : NULL;
		int r;

		write_file(in_directory("x"), b ? b->data : rows[i].data,
			   b ? b->size : rows[i].size);
		r = segment_reader_open(in_directory("x"), &reader, &error);
		if (r != rows[i].error || (r < 0 && !strstr(error, rows[i].sentence)))
			fail_msg("line %d: %d %s", rows[i].line, r, error);
	}
}

/* Paths that are no regular files are refused without waiting */
static void test_no_file(void **state)
{
	_cleanup_free_ char *error = NULL, *error2 = NULL, *error3 = NULL;
	struct segment_reader *reader;
	char **paths;
	size_t n;

	(void)state;
	assert_int_equal(mkfifo(in_directory("fifo.seg"), 0600), 0);
	assert_int_equal(segment_reader_open(in_directory("fifo.seg"), &reader, &error), -EBADMSG);
	assert_int_equal(segment_reader_open(directory, &reader, &error2), -EBADMSG);
	assert_int_equal(segment_reader_open(in_directory("none"), &reader, &error3), -ENOENT);
	assert_int_equal(segment_find(in_directory("none"), &paths, &n), -ENOENT);
	assert_int_equal(unlink(in_directory("fifo.seg")), 0);
	assert_int_equal(segment_find(directory, &paths, &n), -ENOENT);
}

/* Frames and records of unknown kinds are skipped and counted, those around them are read */
static void test_unknown(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	_cleanup_(buffer_donep) struct buffer file = { 0 }, records = { 0 };
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_free_ char *error = NULL;
	struct segment_check check;
	struct contents contents = { 0 };

	(void)state;
	put_header(&file, FORMAT_MAJOR, FORMAT_MINOR + 3);
	put_frame(&file, (struct frame_head){ .type = 77, .seq = 1 }, "what", 4);
	put_dictionary(&records, c);
	record_put(&records, c, &(struct record){ .type = 0x3e, .raw.data = { "future", 6 } });
	put_samples(&records, c, 1, 20);
	put_block(&file, (struct frame_head){ .flags = FRAME_EPOCH_START, .seq = 2, .samples = 20 },
		  &records);
	put_frame(&file, (struct frame_head){ .type = 78, .seq = 3 }, "is this", 7);
	buffer_reset(&records);
	put_samples(&records, c, 21, 10);
	put_block(&file, (struct frame_head){ .seq = 4, .samples = 10 }, &records);
	write_file(in_directory("new.active"), file.data, file.size);

	assert_int_equal(segment_reader_open(in_directory("new.active"), &reader, &error), 0);
	assert_int_equal(segment_reader_info(reader)->skipped_frames, 2);
	assert_int_equal(segment_reader_info(reader)->n_epochs, 1);
	assert_int_equal(segment_reader_info(reader)->epochs[0].samples, 30);
	read_epoch(reader, 0, &contents);
	assert_int_equal(contents.samples, 30);
	assert_int_equal(contents.raw, 1);
	assert_int_equal(segment_verify(in_directory("new.active"), &check), 0);
	assert_int_equal(check.skipped_frames, 2);
	assert_int_equal(check.skipped_records, 1);
	free(check.findings);
}

/* Damage costs the rest of its epoch, and only that */
static void test_damage(void **state)
{
	enum { HEAD, PAYLOAD, MISSING, RAW_SIZE, RECORDS, KINDS };
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();

	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		_cleanup_(buffer_donep) struct buffer file = { 0 }, records = { 0 };
		struct contents contents;

		put_header(&file, FORMAT_MAJOR, FORMAT_MINOR);
		for (uint32_t i = 0; i < 9; i++) {
			bool start = i % 3 == 0, hit = i == 4;
			struct frame_head h = { .flags = start, .seq = 1 + i, .samples = 10 };
			size_t at = file.size;

			buffer_reset(&records);
			if (start)
				put_dictionary(&records, c);
			put_samples(&records, c, 1 + i * 10, 10);
			if (hit && kind == RECORDS)
				records.data[0] = 0x00;
			put_block(&file, h, &records);
			if (!hit)
				continue;
			if (kind == HEAD)
				file.data[at + 9] ^= 1;
			if (kind == PAYLOAD)
				file.data[at + FRAME_HEAD_SIZE + 20] ^= 1;
			if (kind == MISSING)
				file.size = at;
			if (kind == RAW_SIZE) {
				file.size = at;
				h.raw_size = 1;
				put_block(&file, h, &records);
			}
		}
		write_file(in_directory("x.active"), file.data, file.size);
		contents = read_all(in_directory("x.active"));
		if (contents.samples != 70)
			fail_msg("kind %u: %lu samples", kind, contents.samples);
		assert_int_not_equal(verify_all(in_directory("x.active")), 0);
	}
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
		TEST(test_crc32c),	    TEST(test_round_trip),
		TEST(test_active),	    TEST(test_rotation),
		TEST(test_retention_bytes), TEST(test_retention_tiny),
		TEST(test_retention_age),   TEST(test_lock),
		TEST(test_single_file),	    TEST(test_broken_epoch),
		TEST(test_queue_full),	    TEST(test_bit_flips),
		TEST(test_truncation),	    TEST(test_repair),
		TEST(test_zero_tail),	    TEST(test_sequence),
		TEST(test_deleted_file),    TEST(test_foreign),
		TEST(test_no_file),	    TEST(test_unknown),
		TEST(test_damage),	    TEST(test_parallel_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
