// SPDX-License-Identifier: Apache-2.0
#include "record_fixture.h"

/* How many records come back as they were; *ret is what ended it. */
static size_t decode(const struct stream *s, const uint8_t *data, size_t size, int *ret)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	struct cursor in = { .pos = data, .end = data + size };
	struct record r;
	size_t n = 0;

	assert_non_null(c);
	while ((*ret = record_get(&in, c, &r)) == 1) {
		if (n >= s->n || !same_record(&r, &s->records[n]))
			fail_msg("record %zu came back differently", n);
		n++;
	}
	return n;
}

/* --- tests --------------------------------------------------------------- */

/* Whatever is written comes back: random streams of every kind of record */
static void test_round_trip(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		_cleanup_(buffer_donep) struct buffer b = { 0 };
		struct stream *s = make_stream(seed, 4 + seed * 40);
		int r;

		assert_non_null(c);
		encode(s, c, &b);
		assert_int_equal(decode(s, b.data, b.size, &r), s->n);
		assert_int_equal(r, 0);
		free_stream(s);
	}
}

/* After a reset nothing of the epoch before is left on either side */
static void test_reset(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *d = record_coder_new();
	_cleanup_(buffer_donep) struct buffer first = { 0 }, second = { 0 };
	struct stream *s = make_stream(7, 1500);

	(void)state;
	assert_true(c && d);
	encode(s, c, &first);
	record_coder_reset(c);
	encode(s, c, &second);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	for (int i = 0; i < 2; i++) {
		struct cursor in = { .pos = first.data, .end = first.data + first.size };
		struct record r;
		size_t n = 0;

		record_coder_reset(d);
		for (; record_get(&in, d, &r) == 1; n++)
			assert_true(same_record(&r, &s->records[n]));
		assert_int_equal(n, s->n);
	}
	free_stream(s);
}

/* A stream cut off anywhere gives the records before the cut, and then an end or -EBADMSG */
static void test_truncation(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	struct stream *s = make_stream(3, 150);
	size_t last = 0;

	(void)state;
	encode(s, c, &b);
	for (size_t size = 0; size <= b.size; size++) {
		/* Exactly sized, so that ASan sees a read behind the end. */
		uint8_t *copy = malloc(size ? size : 1);
		size_t n;
		int r;

		assert_non_null(copy);
		memcpy(copy, b.data, size);
		n = decode(s, copy, size, &r);
		assert_true(r == 0 || r == -EBADMSG);
		assert_true(n == last || n == last + 1);
		last = n;
		free(copy);
	}
	assert_int_equal(last, s->n);
	free_stream(s);
}

/* Bytes that were tampered with are read without harm, and every id handed out is defined */
static void test_tampering(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *d = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	struct stream *s = make_stream(5, 120);

	(void)state;
	encode(s, c, &b);
	for (size_t i = 0; i < b.size * 8; i++) {
		struct cursor in = { .pos = b.data, .end = b.data + b.size };
		struct record r;

		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		record_coder_reset(d);
		while (record_get(&in, d, &r) == 1) {
			if (r.type != RECORD_SAMPLE)
				continue;
			assert_true(r.sample.thread < d->defined[DICTIONARY_THREAD]);
			assert_true(r.sample.event < d->defined[DICTIONARY_EVENT]);
			for (size_t k = 0; k < r.sample.kernel_frames + r.sample.user_frames; k++)
				assert_true(r.sample.frames[k] < d->defined[DICTIONARY_FRAME]);
		}
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free_stream(s);
}

struct bytes_row {
	int line;
	const char *hex;
	int result; /* of the last record_get() */
	size_t records; /* read before */
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned int byte;

		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
		hex++;
	}
	return n;
}

/* An event, a process, a thread, an object, and two frames: the shortest way to each. */
#define DEFINED "03 00  05 00  07 01 00  04 00  40 20  40 02  "

/* Hand-made bytes mean what docs/format.md says, and nothing undefined is accepted */
static void test_bytes(void **state)
{
	static const struct bytes_row rows[] = {
		{ __LINE__, "", 0, 0 },
		{ __LINE__, DEFINED, 0, 6 },
		{ __LINE__, "00 00", -EBADMSG, 0 }, /* a sample has no type byte */
		{ __LINE__, "08 00", -EBADMSG, 0 }, /* nor has a frame */
		{ __LINE__, "3f 02 aa bb", 0, 1 }, /* unknown: skipped by its length */
		{ __LINE__, "3f 03 aa bb", -EBADMSG, 0 },
		{ __LINE__, "01", -EBADMSG, 0 },
		{ __LINE__, "01 00", 0, 1 }, /* fields missing at the end are empty */
		{ __LINE__, "02 04 01 02 03 04", 0, 1 }, /* fields unknown at the end are ignored */
		{ __LINE__, "02 01 80", -EBADMSG, 0 }, /* a number beyond the record */
		{ __LINE__, "01 02 05 61", -EBADMSG, 0 }, /* a string beyond the record */
		{ __LINE__, "02 0a ff ff ff ff ff ff ff ff ff 02", -EBADMSG, 0 }, /* 65 bits */
		{ __LINE__, "05 06 ff ff ff ff ff 01", -EBADMSG, 0 }, /* a pid of 35 bits */
		{ __LINE__, "04 01 63", 0, 1 }, /* an object of an unknown kind */
		{ __LINE__, "07 01 00", -EBADMSG, 0 }, /* no such process */
		{ __LINE__, "06 00", -EBADMSG, 0 },
		{ __LINE__, "09 00", -EBADMSG, 0 },
		{ __LINE__, "0a 00", -EBADMSG, 0 },
		{ __LINE__, "40 20", -EBADMSG, 0 }, /* no such object */
		{ __LINE__, "80 00", -EBADMSG, 0 }, /* no thread, no event */
		{ __LINE__, DEFINED "80 02", 0, 7 },
		{ __LINE__, DEFINED "80", -EBADMSG, 6 }, /* the time is missing */
		{ __LINE__, DEFINED "81 03 02", 0, 7 }, /* CPU 3 */
		{ __LINE__, DEFINED "81 80 40 02", -EBADMSG, 6 }, /* CPU 8192 */
		{ __LINE__, DEFINED "82 00 02", 0, 7 }, /* the newest thread */
		{ __LINE__, DEFINED "82 01 02", -EBADMSG, 6 }, /* the one before it */
		{ __LINE__, DEFINED "84 07 00 02 41 02", 0, 7 }, /* event, period, status */
		{ __LINE__, DEFINED "84 01 01 02", -EBADMSG, 6 }, /* no such event */
		{ __LINE__, DEFINED "84 08 00 02", -EBADMSG, 6 }, /* an unknown change */
		{ __LINE__, DEFINED "90 08 00 00 02", 0, 7 }, /* one user frame, the newest */
		{ __LINE__, DEFINED "90 08 00 01 02", 0, 7 }, /* the one before it */
		{ __LINE__, DEFINED "90 08 00 02 02", -EBADMSG, 6 }, /* before the first */
		{ __LINE__, DEFINED "90 00 02", -EBADMSG, 6 }, /* a place nobody has */
		{ __LINE__, DEFINED "90 08 01 02", -EBADMSG, 6 }, /* the same, far */
		{ __LINE__, DEFINED "90 64 02", -EBADMSG, 6 }, /* no pair of codes */
		{ __LINE__, DEFINED "90 08", -EBADMSG, 6 },
		{ __LINE__, DEFINED "90 59 00 01 00 00 02", 0, 7 }, /* far, end: two frames */
		{ __LINE__, DEFINED "90 59 00 01 00 00 02  98 01 50 00 00 02", 0,
		  8 }, /* known, end */
		{ __LINE__, DEFINED "90 59 00 01 00 00 02  98 01 51 00 00 02", -EBADMSG, 7 },
		{ __LINE__, DEFINED "90 59 00 01 00 00 02  98 01 08 01 02", 0, 8 },
		{ __LINE__, DEFINED "90 08 00 00 02  88 01 02", 0, 8 }, /* the frame goes again */
		{ __LINE__, DEFINED "90 08 00 00 02  88 02 02", -EBADMSG, 7 }, /* more than one */
		{ __LINE__, DEFINED "a0 08 00 00 02  90 08 00 00 02", -EBADMSG, 7 },
		{ __LINE__, DEFINED "c0 02 03 aa bb cc", 0, 7 }, /* an extension is skipped */
		{ __LINE__, DEFINED "c0 02 03 aa bb", -EBADMSG, 6 },
		{ __LINE__, DEFINED "c0 02 05 01 00 07 01 15", 0, 7 }, /* 5, all the time */
		{ __LINE__, DEFINED "c0 02 07 01 01 07 01 16 e7 07", 0, 7 }, /* 999 thousandths */
		{ __LINE__, DEFINED "c0 02 07 01 01 07 01 16 e9 07", -EBADMSG, 6 }, /* 1001 */
		{ __LINE__, DEFINED "c0 02 04 01 00 07 09", -EBADMSG, 6 }, /* nine counters */
		{ __LINE__, DEFINED "c0 02 04 01 00 07 01", -EBADMSG, 6 }, /* no value */
		{ __LINE__, DEFINED "c0 02 02 02 00", 0, 7 }, /* an access that says nothing */
		{ __LINE__, DEFINED "c0 02 08 02 07 80 02 22 c8 01 ff", 0, 7 }, /* and unknown */
		{ __LINE__, DEFINED "c0 02 02 02 01", -EBADMSG, 6 }, /* no address */
		{ __LINE__, DEFINED "c0 02 03 02 04 80", -EBADMSG, 6 }, /* half a latency */
		{ __LINE__, DEFINED "c0 02 04 02 09 02 77", 0, 7 }, /* a part not known yet */
		{ __LINE__, DEFINED "c0 02 08 01 00 07 01 15 02 04 07", 0, 7 }, /* both */
		{ __LINE__, DEFINED "c0 02 07 01 00 07 01 15 02 04", -EBADMSG, 6 },
		{ __LINE__, DEFINED "c0 02 88 00 01 00 07 01 15 02 04 07", 0, 7 }, /* long length */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		uint8_t data[256];
		struct cursor in = { .pos = data, .end = data + from_hex(rows[i].hex, data) };
		struct record r;
		size_t n = 0;
		int result;

		while ((result = record_get(&in, c, &r)) == 1)
			n++;
		if (result != rows[i].result || n != rows[i].records)
			fail_msg("line %d: %zu records, then %d", rows[i].line, n, result);
		/* An error stays. */
		assert_int_equal(record_get(&in, c, &r), result);
	}
}

/* The example of docs/format.md reads as it says there, and is what is written */
static void test_example(void **state)
{
	static const uint32_t first[] = { 1, 0 }, second[] = { 2, 1, 0 };
	static const char hex[] =
		"03 15 00 00 09 63 70 75 2d 63 6c 6f 63 6b 00 00 00 00 00 00 01 63 00"
		"05 0a 2a 00 00 02 73 68 00 00 00 00  07 05 00 2a 02 73 68"
		"04 0b 00 07 2f 62 69 6e 2f 73 68 00 00"
		"04 0c 01 08 5b 6b 65 72 6e 65 6c 5d 00 00"
		"40 80 40  40 e8 08  41 80 01"
		"95 01 06 a4 84 d1 09 40 59 00 02 00 01 90 4e"
		"a4 04 41 08 00 00 ea 9d 01  88 01 00";
	const struct record want[] = {
		{ .type = RECORD_EVENT,
		  .event = { .fired = record_string("cpu-clock"), .freq = true, .value = 99 } },
		{ .type = RECORD_PROCESS, .process = { .pid = 42, .comm = record_string("sh") } },
		{ .type = RECORD_THREAD, .thread = { .tid = 42, .name = record_string("sh") } },
		{ .type = RECORD_OBJECT, .object = { .path = record_string("/bin/sh") } },
		{ .type = RECORD_OBJECT,
		  .object = { .kind = OBJECT_KERNEL, .path = record_string("[kernel]") } },
		{ .type = RECORD_FRAME, .frame = { .object = 0, .offset = 0x1000 } },
		{ .type = RECORD_FRAME, .frame = { .object = 0, .offset = 0x1234 } },
		{ .type = RECORD_FRAME, .frame = { .object = 1, .offset = 0x40 } },
		{ .type = RECORD_SAMPLE,
		  .sample = { .time_ns = 5000000,
			      .cpu = 1,
			      .period = 10101010,
			      .user_status = 4,
			      .user_frames = 2,
			      .frames = first } },
		{ .type = RECORD_SAMPLE,
		  .sample = { .time_ns = 15101000,
			      .cpu = 1,
			      .period = 10101010,
			      .user_status = 4,
			      .kernel_status = 1,
			      .kernel_frames = 1,
			      .user_frames = 2,
			      .frames = second } },
		{ .type = RECORD_SAMPLE,
		  .sample = { .time_ns = 25202000,
			      .cpu = 1,
			      .period = 10101010,
			      .user_status = 4,
			      .user_frames = 2,
			      .frames = first } },
	};
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *d = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	uint8_t data[256];
	size_t size = from_hex(hex, data), n = 0;
	struct cursor in = { .pos = data, .end = data + size };
	struct record r;

	(void)state;
	while (record_get(&in, c, &r) == 1) {
		assert_true(n < ARRAY_SIZE(want));
		assert_true(same_record(&r, &want[n]));
		record_put(&b, d, &want[n++]);
	}
	assert_int_equal(in.error, 0);
	assert_int_equal(n, ARRAY_SIZE(want));
	assert_int_equal(b.size, size);
	assert_memory_equal(b.data, data, size);
}

/* The example of a memory access in docs/format.md, and one whose address is told against it */
static void test_access_example(void **state)
{
	static const struct record_access want[] = {
		{ .address = 0x7f0000001040, .source = 0x268801042, .latency = 200 },
		{ .address = 0x7f0000001000 },
	};
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *d = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	uint8_t data[256];
	size_t size = from_hex(DEFINED "c0 02 10 02 07 80 c1 80 80 80 c0 3f c2 a0 80 c4 26 c8 01"
				       " c0 02 03 02 01 7f",
			       data),
	       n = 0;
	struct cursor in = { .pos = data, .end = data + size };
	struct record r;

	(void)state;
	while (record_get(&in, c, &r) == 1) {
		record_put(&b, d, &r);
		if (r.type == RECORD_SAMPLE)
			assert_memory_equal(&r.sample.access, &want[n++], sizeof(want[0]));
	}
	assert_int_equal(in.error, 0);
	assert_int_equal(n, ARRAY_SIZE(want));
	assert_int_equal(b.error, 0);
}

/* A writer is told when it refers to what it did not define, or goes beyond a limit */
static void test_refusals(void **state)
{
	static const uint32_t frames[RECORD_MAX_STACK + 1], wrong[] = { 1 };
	const struct {
		int line;
		struct record r;
		int error;
	} rows[] = {
		{ __LINE__, { .type = RECORD_SAMPLE }, 0 },
		{ __LINE__,
		  { .type = RECORD_SAMPLE, .sample = { .cpu = RECORD_MAX_CPUS } },
		  -EINVAL },
		{ __LINE__,
		  { .type = RECORD_SAMPLE, .sample = { .cpu = RECORD_MAX_CPUS - 1 } },
		  0 },
		{ __LINE__, { .type = RECORD_SAMPLE, .sample = { .event = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_SAMPLE, .sample = { .thread = 1 } }, -EINVAL },
		{ __LINE__,
		  { .type = RECORD_SAMPLE, .sample = { .user_frames = 1, .frames = wrong } },
		  -EINVAL },
		{ __LINE__,
		  { .type = RECORD_SAMPLE,
		    .sample = { .user_frames = RECORD_MAX_STACK / 2,
				.kernel_frames = RECORD_MAX_STACK / 2,
				.frames = frames } },
		  0 },
		{ __LINE__,
		  { .type = RECORD_SAMPLE,
		    .sample = { .user_frames = RECORD_MAX_STACK,
				.kernel_frames = 1,
				.frames = frames } },
		  -EINVAL },
		{ __LINE__, { .type = RECORD_THREAD, .thread = { .process = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_FRAME, .frame = { .object = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_FUNCTION, .function = { .object = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_MAPPING, .mapping = { .object = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_LEDGER, .ledger = { .event = 1 } }, -EINVAL },
		{ __LINE__, { .type = 0x3f }, 0 },
		{ __LINE__, { .type = 0x40 }, -EINVAL },
		{ __LINE__, { .type = 0x100 }, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		_cleanup_(buffer_donep) struct buffer b = { 0 };
		uint8_t data[64];
		struct cursor in = { .pos = data, .end = data + from_hex(DEFINED, data) };
		struct record r;

		while (record_get(&in, c, &r) == 1)
			;
		c->defined[DICTIONARY_FRAME] = 1;
		record_put(&b, c, &rows[i].r);
		if (b.error != rows[i].error)
			fail_msg("line %d: %d", rows[i].line, b.error);
	}
}

/* No more events than RECORD_MAX_EVENTS exist in an epoch, for a writer or for a reader */
static void test_id_limit(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	const struct record event = { .type = RECORD_EVENT };
	uint8_t data[2 * (RECORD_MAX_EVENTS + 1)];
	struct cursor in = { .pos = data, .end = data + sizeof(data) };
	struct record r;
	int n = 0, result;

	(void)state;
	for (unsigned int i = 0; i < RECORD_MAX_EVENTS; i++)
		record_put(&b, c, &event);
	assert_int_equal(b.error, 0);
	record_put(&b, c, &event);
	assert_int_equal(b.error, -E2BIG);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 2 ? 0 : RECORD_EVENT;
	record_coder_reset(c);
	while ((result = record_get(&in, c, &r)) == 1)
		n++;
	assert_int_equal(n, RECORD_MAX_EVENTS);
	assert_int_equal(result, -EBADMSG);
}

/* A buffer that is full says so, wherever in a record that happens */
static void test_full_buffer(void **state)
{
	struct stream *s = make_stream(11, 400);

	(void)state;
	for (size_t limit = 1; limit < 3000; limit += 61) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		_cleanup_(buffer_donep) struct buffer b = { .limit = limit };

		for (size_t i = 0; i < s->n; i++)
			record_put(&b, c, &s->records[i]);
		assert_int_equal(b.error, -E2BIG);
		assert_true(b.size <= b.capacity);
	}
	free_stream(s);
}

/* The place a reader would see, by looking at all callees. */
static uint32_t place_by_hand(const struct record_coder *c, uint32_t caller, uint32_t frame)
{
	const struct coder_callees *k = &c->callees[caller];

	for (uint32_t i = 0; i < record_coder_places(k); i++)
		if (c->pool[k->at + i] == frame)
			return i;
	return RECORD_NONE;
}

/* What a writer remembers of callers says what their callees say: also of a frame with many
 * callers, and of a caller whose places are taken again */
static void test_places(void **state)
{
	enum { FRAMES = 700, SHARED = 5, ROUNDS = 40000 };
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	uint64_t random = 1;
	size_t found = 0;

	(void)state;
	for (uint32_t i = 0; i < FRAMES; i++)
		assert_true(record_coder_add_frame(c, i));
	assert_true(record_coder_begin_writing(c));
	for (size_t i = 0; i < ROUNDS; i++) {
		uint32_t callers, caller, frame, context, place;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		/* Five callers call everything, everybody calls five. */
		frame = (uint32_t)(random >> 33) % (random >> 62 ? FRAMES : SHARED);
		callers = frame < SHARED ? FRAMES : SHARED;
		caller = CALLERS + (uint32_t)(random >> 40) % callers;
		context = caller;
		place = record_coder_find(c, frame, &context);
		assert_int_equal(context, c->callees[caller].n ? caller : CALLER_NEW);
		assert_int_equal(place, place_by_hand(c, context, frame));
		found += place != RECORD_NONE;
		if (place == RECORD_NONE)
			assert_true(record_coder_learn(c, context, frame));
		if (context != caller)
			assert_true(record_coder_learn(c, caller, frame));
	}
	assert_in_range(found, ROUNDS / 4, ROUNDS);
	assert_true(c->callees[CALLERS].n > RECORD_MAX_CALLEES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_reset),
		cmocka_unit_test(test_truncation),  cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_bytes),	    cmocka_unit_test(test_example),
		cmocka_unit_test(test_refusals),    cmocka_unit_test(test_id_limit),
		cmocka_unit_test(test_full_buffer), cmocka_unit_test(test_access_example),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
