// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <linux/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "export/export.h"
#include "profile_fixture.h"

/* --- a reader of protobuf that shares nothing with the writer ----------------------------------
 */

struct message {
	const uint8_t *data;
	size_t size;
};

struct field {
	unsigned int number, wire;
	uint64_t value; /* varint */
	struct message bytes;
};

static uint64_t read_varint(struct message *m)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		assert_true(m->size > 0);
		value |= (uint64_t)(*m->data & 0x7f) << shift;
		m->size--;
		if (!(*m->data++ & 0x80))
			return value;
	}
	fail_msg("a varint has more than ten bytes");
	return 0;
}

static bool read_field(struct message *m, struct field *ret)
{
	uint64_t tag;

	if (m->size == 0)
		return false;
	tag = read_varint(m);
	*ret = (struct field){ .number = (unsigned int)(tag >> 3), .wire = tag & 7 };
	if (ret->wire == 0) {
		ret->value = read_varint(m);
		return true;
	}
	assert_int_equal(ret->wire, 2);
	ret->bytes.size = read_varint(m);
	assert_true(ret->bytes.size <= m->size);
	ret->bytes.data = m->data;
	m->data += ret->bytes.size;
	m->size -= ret->bytes.size;
	return true;
}

/* The n-th field with this number; its value, 0 when there is none. */
static struct field nth(struct message m, unsigned int number, size_t n)
{
	struct field f;

	while (read_field(&m, &f))
		if (f.number == number && n-- == 0)
			return f;
	return (struct field){ 0 };
}

static uint64_t value_of(struct message m, unsigned int number)
{
	return nth(m, number, 0).value;
}

static size_t count_of(struct message m, unsigned int number)
{
	size_t n = 0;
	struct field f;

	while (read_field(&m, &f))
		n += f.number == number;
	return n;
}

struct decoded {
	uint8_t data[256 * 1024];
	struct message all;
};

static void decode(struct decoded *d, const struct profile *p, const struct export_options *o)
{
	z_stream zip = { 0 };
	size_t size;
	_cleanup_free_ char *packed = CAPTURE(&size, export_pprof(p, o, out));

	assert_int_equal(inflateInit2(&zip, 15 + 16), Z_OK);
	zip.next_in = (Bytef *)packed;
	zip.avail_in = (uInt)size;
	zip.next_out = d->data;
	zip.avail_out = sizeof(d->data);
	assert_int_equal(inflate(&zip, Z_FINISH), Z_STREAM_END);
	assert_int_equal(zip.avail_in, 0);
	d->all = (struct message){ d->data, sizeof(d->data) - zip.avail_out };
	inflateEnd(&zip);
}

/* A string of the table as a heap string. */
static char *text(const struct decoded *d, uint64_t index)
{
	struct field f = nth(d->all, 6, index);

	assert_int_equal(f.number, 6);
	return strndup((const char *)f.bytes.data, f.bytes.size);
}

static void assert_text(const struct decoded *d, uint64_t index, const char *want)
{
	_cleanup_free_ char *s = text(d, index);

	assert_string_equal(s, want);
}

/* The message with this id (field 1) among the fields `number`. */
static struct message with_id(const struct decoded *d, unsigned int number, uint64_t id)
{
	for (size_t i = 0; i < count_of(d->all, number); i++) {
		struct message m = nth(d->all, number, i).bytes;

		if (value_of(m, 1) == id)
			return m;
	}
	fail_msg("field %u has no message with id %" PRIu64, number, id);
	return (struct message){ 0 };
}

/* "leaf<caller<..." of a sample. */
static char *stack_of(const struct decoded *d, struct message sample)
{
	struct message ids = nth(sample, 1, 0).bytes;
	struct buffer b = { 0 };

	while (ids.size > 0) {
		struct message location = with_id(d, 4, read_varint(&ids));
		struct message line = nth(location, 4, 0).bytes;
		struct message function = with_id(d, 5, value_of(line, 1));
		_cleanup_free_ char *name = text(d, value_of(function, 2));

		buffer_printf(&b, "%s%s", b.size ? "<" : "", name);
	}
	return buffer_take_string(&b);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

/* Types, times, period and comments tell what was measured, and how well. */
static void test_head(void **state)
{
	struct fixture f;
	struct decoded d;

	(void)state;
	fixture_init(&f);
	decode(&d, &f.p, &(struct export_options){ .event = 0 });
	assert_text(&d, 0, "");
	assert_int_equal(count_of(d.all, 1), 2);
	assert_text(&d, value_of(nth(d.all, 1, 0).bytes, 1), "samples");
	assert_text(&d, value_of(nth(d.all, 1, 0).bytes, 2), "count");
	assert_text(&d, value_of(nth(d.all, 1, 1).bytes, 1), "cpu");
	assert_text(&d, value_of(nth(d.all, 1, 1).bytes, 2), "nanoseconds");
	assert_text(&d, value_of(nth(d.all, 11, 0).bytes, 1), "cpu");
	assert_int_equal(value_of(d.all, 12), 1000000000 / 99);
	assert_int_equal(value_of(d.all, 9), 1700000000000000000);
	assert_int_equal(value_of(d.all, 10), 10000000000);
	assert_text(&d, nth(d.all, 13, 2).value, "requested cycles: no PMU <here>");
	assert_text(&d, nth(d.all, 13, 3).value, "samples 100, lost 7, not delivered 13");
	assert_text(&d, nth(d.all, 13, 4).value, "stacks truncated: kernel 0, user 5");
}

/* An event that does not count time keeps its name and its period. */
static void test_other_event(void **state)
{
	struct fixture f;
	struct decoded d;
	struct message values;

	(void)state;
	fixture_init(&f);
	decode(&d, &f.p, &(struct export_options){ .event = 1 });
	assert_text(&d, value_of(nth(d.all, 1, 1).bytes, 1), "page-faults");
	assert_text(&d, value_of(nth(d.all, 1, 1).bytes, 2), "count");
	assert_int_equal(value_of(d.all, 12), 1009);
	assert_int_equal(count_of(d.all, 2), 1);
	values = nth(nth(d.all, 2, 0).bytes, 2, 0).bytes;
	assert_int_equal(read_varint(&values), 3);
	assert_int_equal(read_varint(&values), 3 * 1009);
}

/* Stacks are leaf first with every name, values add up to the profile's. */
static void test_samples(void **state)
{
	static const char *const stacks[] = {
		"<script>alert(1)</script>;\"'\\&\\x0a\\x1b[31m\\xff]]><work<main",
		"[libc.so.6+0x5000]<work<main",
		"bpf_prog_x<nft_do_chain<vfs_read<do_syscall_64<main",
		"work<main",
		"jitted",
		"",
	};
	struct fixture f;
	struct decoded d;
	uint64_t samples = 0, weight = 0;

	(void)state;
	fixture_init(&f);
	decode(&d, &f.p, &(struct export_options){ .event = 0 });
	assert_int_equal(count_of(d.all, 2), ARRAY_SIZE(stacks));
	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		struct message sample = nth(d.all, 2, i).bytes;
		struct message values = nth(sample, 2, 0).bytes;
		_cleanup_free_ char *stack = stack_of(&d, sample);

		assert_string_equal(stack, stacks[i]);
		samples += read_varint(&values);
		weight += read_varint(&values);
		assert_int_equal(values.size, 0);
	}
	assert_int_equal(samples, f.events[0].samples);
	assert_int_equal(weight, f.events[0].weight);
}

/* Samples say whose they are; empty labels are left out. */
static void test_labels(void **state)
{
	static const struct {
		int line;
		size_t sample;
		const char *key, *text; /* NULL: a number, or no such label when that is 0 */
		uint64_t number;
	} rows[] = {
		{ __LINE__, 0, "pid", NULL, 100 },
		{ __LINE__, 0, "tid", NULL, 100 },
		{ __LINE__, 1, "tid", NULL, 102 },
		{ __LINE__, 0, "comm", "demo", 0 },
		{ __LINE__, 1, "thread", "demo-worker", 0 },
		{ __LINE__, 0, "unit", "demo.service", 0 },
		{ __LINE__, 0, "container", NULL, 0 },
		{ __LINE__, 3, "comm", "a;b\\x0a\\x1b[2J\\xff<b>", 0 },
		{ __LINE__, 3, "unit", NULL, 0 },
		{ __LINE__, 3, "container", "0123456789abcdef0123", 0 },
		{ __LINE__, 3, "cpu", NULL, 0 },
	};
	struct fixture f;
	struct decoded d;

	(void)state;
	fixture_init(&f);
	decode(&d, &f.p, &(struct export_options){ .event = 0 });
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct message sample = nth(d.all, 2, rows[i].sample).bytes;
		_cleanup_free_ char *found = NULL;
		uint64_t number = 0;

		for (size_t k = 0; k < count_of(sample, 3); k++) {
			struct message label = nth(sample, 3, k).bytes;
			_cleanup_free_ char *key = text(&d, value_of(label, 1));

			if (strcmp(key, rows[i].key) != 0)
				continue;
			number = value_of(label, 3);
			if (value_of(label, 2)) {
				assert_null(found);
				found = text(&d, value_of(label, 2));
			}
		}
		if (number != rows[i].number || !found != !rows[i].text ||
		    (found && strcmp(found, rows[i].text) != 0))
			fail_msg("row at line %d: got '%s', %" PRIu64, rows[i].line, found, number);
	}
}

/* With cpu_label the CPU of a cell is a label. */
static void test_cpu_label(void **state)
{
	struct fixture f;
	struct decoded d;
	struct message sample;
	size_t n;

	(void)state;
	fixture_init(&f);
	f.cells[0].cpu = 1;
	decode(&d, &f.p, &(struct export_options){ .event = 0, .cpu_label = true });
	sample = nth(d.all, 2, 0).bytes;
	n = count_of(sample, 3);
	assert_text(&d, value_of(nth(sample, 3, n - 1).bytes, 1), "cpu");
	assert_int_equal(value_of(nth(sample, 3, n - 1).bytes, 3), 1);
}

/* A file mapped by two processes at two places is one mapping; addresses lie in it, and those of
 * callers one byte before the return address. */
static void test_mappings(void **state)
{
	static const struct {
		int line;
		const char *file, *build_id;
		uint64_t start, limit, offset;
	} rows[] = {
		{ __LINE__, "/opt/demo", "1234000000000000000000000000000000000000", 0x560000001000,
		  0x560000003000, 0x1000 },
		{ __LINE__, "/lib/libc.so.6", "5600000000000000000000000000000000000000",
		  0x7fff00004000, 0x7fff00008000, 0x4000 },
		{ __LINE__, "[bpf]", "", 0xffffffffc0200000, 0xffffffffc0200081, 0 },
		{ __LINE__, "[nf_tables]", "", 0xffffffffc0100000, 0xffffffffc0100401, 0 },
		{ __LINE__, "[kernel]", "aabb000000000000000000000000000000000000",
		  0xffffffff81000000, 0xffffffff81002101, 0 },
		{ __LINE__, "[anon]", "", 0x7f0000000000, 0x7f0000010000, 0 },
	};
	struct fixture f;
	struct decoded d;

	(void)state;
	fixture_init(&f);
	decode(&d, &f.p, &(struct export_options){ .event = 0 });
	assert_int_equal(count_of(d.all, 3), ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct message m = with_id(&d, 3, i + 1);
		_cleanup_free_ char *file = text(&d, value_of(m, 5));
		_cleanup_free_ char *build_id = text(&d, value_of(m, 6));

		if (strcmp(file, rows[i].file) || strcmp(build_id, rows[i].build_id) ||
		    value_of(m, 2) != rows[i].start || value_of(m, 3) != rows[i].limit ||
		    value_of(m, 4) != rows[i].offset)
			fail_msg("row at line %d: %s %s %" PRIx64 "-%" PRIx64 " %" PRIx64,
				 rows[i].line, file, build_id, value_of(m, 2), value_of(m, 3),
				 value_of(m, 4));
	}
	/* hostile function, work and main of the first sample */
	assert_int_equal(value_of(with_id(&d, 4, 1), 3), 0x560000001310);
	assert_int_equal(value_of(with_id(&d, 4, 2), 3), 0x56000000120f);
	assert_int_equal(value_of(with_id(&d, 4, 3), 3), 0x56000000110f);
	for (size_t i = 0; i < count_of(d.all, 4); i++) {
		struct message location = nth(d.all, 4, i).bytes;
		struct message mapping = with_id(&d, 3, value_of(location, 2));

		assert_true(value_of(location, 3) >= value_of(mapping, 2));
		assert_true(value_of(location, 3) < value_of(mapping, 3));
		/* or pprof would name what has no name here */
		assert_int_equal(value_of(mapping, 7), 1);
	}
}

/* The same profile gives the same bytes. */
static void test_reproducible(void **state)
{
	struct export_options options = { 0 };
	struct fixture f;
	size_t a_size, b_size;
	_cleanup_free_ char *a = NULL, *b = NULL;

	(void)state;
	fixture_init(&f);
	a = CAPTURE(&a_size, export_pprof(&f.p, &options, out));
	b = CAPTURE(&b_size, export_pprof(&f.p, &options, out));
	assert_int_equal(a_size, b_size);
	assert_memory_equal(a, b, a_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),	     cmocka_unit_test(test_other_event),
		cmocka_unit_test(test_samples),	     cmocka_unit_test(test_labels),
		cmocka_unit_test(test_cpu_label),    cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_reproducible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
