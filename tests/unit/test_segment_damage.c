// SPDX-License-Identifier: Apache-2.0
#include "segment_fixture.h"
#include "store/crc32c.h"
#include "store/frame.h"

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

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		TEST(test_crc32c),  TEST(test_bit_flips), TEST(test_truncation),
		TEST(test_repair),  TEST(test_zero_tail), TEST(test_foreign),
		TEST(test_no_file), TEST(test_unknown),	  TEST(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
