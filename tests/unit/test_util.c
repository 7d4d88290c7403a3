// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "util/buffer.h"
#include "util/json.h"
#include "util/parse.h"

/* --- parse.h -----------------------------------------------------------------------------------*/

/* Numbers, sizes and durations are taken whole or not at all */
static void test_numbers(void **state)
{
	const struct {
		int line;
		int (*parse)(const char *s, uint64_t *ret);
		const char *text;
		int result;
		uint64_t value;
	} rows[] = {
		{ __LINE__, parse_u64, "0", 0, 0 },
		{ __LINE__, parse_u64, "18446744073709551615", 0, UINT64_MAX },
		{ __LINE__, parse_u64, "0xfF", 0, 255 },
		{ __LINE__, parse_u64, "010", 0, 10 },
		{ __LINE__, parse_u64, "18446744073709551616", -ERANGE, 0 },
		{ __LINE__, parse_u64, "", -EINVAL, 0 },
		{ __LINE__, parse_u64, "-1", -EINVAL, 0 },
		{ __LINE__, parse_u64, "+1", -EINVAL, 0 },
		{ __LINE__, parse_u64, " 1", -EINVAL, 0 },
		{ __LINE__, parse_u64, "1 ", -EINVAL, 0 },
		{ __LINE__, parse_u64, "1.5", -EINVAL, 0 },
		{ __LINE__, parse_u64, "0x", -EINVAL, 0 },

		{ __LINE__, parse_size, "512", 0, 512 },
		{ __LINE__, parse_size, "64M", 0, 64ULL << 20 },
		{ __LINE__, parse_size, "64MB", 0, 64ULL << 20 },
		{ __LINE__, parse_size, "2GiB", 0, 2ULL << 30 },
		{ __LINE__, parse_size, "2 GiB", 0, 2ULL << 30 },
		{ __LINE__, parse_size, "1.5k", 0, 1536 },
		{ __LINE__, parse_size, "0", 0, 0 },
		{ __LINE__, parse_size, "3T", 0, 3ULL << 40 },
		{ __LINE__, parse_size, "16384P", -ERANGE, 0 },
		{ __LINE__, parse_size, "99999999999999999999999", -ERANGE, 0 },
		{ __LINE__, parse_size, "", -EINVAL, 0 },
		{ __LINE__, parse_size, "M", -EINVAL, 0 },
		{ __LINE__, parse_size, "-1M", -EINVAL, 0 },
		{ __LINE__, parse_size, "1MM", -EINVAL, 0 },
		{ __LINE__, parse_size, "1X", -EINVAL, 0 },
		{ __LINE__, parse_size, "1.2.3M", -EINVAL, 0 },
		{ __LINE__, parse_size, "0x10", -EINVAL, 0 },
		{ __LINE__, parse_size, "1e3", -EINVAL, 0 },
		{ __LINE__, parse_size, "nan", -EINVAL, 0 },

		{ __LINE__, parse_duration, "10", 0, 10 * NSEC_PER_SEC },
		{ __LINE__, parse_duration, "200ms", 0, 200 * NSEC_PER_MSEC },
		{ __LINE__, parse_duration, "1h30m", 0, 5400 * NSEC_PER_SEC },
		{ __LINE__, parse_duration, "1h 30min", 0, 5400 * NSEC_PER_SEC },
		{ __LINE__, parse_duration, "7d", 0, 7 * 86400 * NSEC_PER_SEC },
		{ __LINE__, parse_duration, "2w", 0, 14 * 86400 * NSEC_PER_SEC },
		{ __LINE__, parse_duration, "1.5s", 0, 1500 * NSEC_PER_MSEC },
		{ __LINE__, parse_duration, "3us", 0, 3000 },
		{ __LINE__, parse_duration, "0", 0, 0 },
		{ __LINE__, parse_duration, "", -EINVAL, 0 },
		{ __LINE__, parse_duration, "h", -EINVAL, 0 },
		{ __LINE__, parse_duration, "-1s", -EINVAL, 0 },
		{ __LINE__, parse_duration, "1h30", -EINVAL, 0 },
		{ __LINE__, parse_duration, "10 s", -EINVAL, 0 },
		{ __LINE__, parse_duration, "1y", -EINVAL, 0 },
		{ __LINE__, parse_duration, "0x10", -EINVAL, 0 },
		{ __LINE__, parse_duration, "1e3s", -EINVAL, 0 },
		{ __LINE__, parse_duration, "999999999w", -ERANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 12345;
		int r = rows[i].parse(rows[i].text, &value);

		if (r != rows[i].result || value != (r < 0 ? 12345 : rows[i].value))
			fail_msg("line %d: '%s' gives %d, %" PRIu64, rows[i].line, rows[i].text, r,
				 value);
	}
}

/* Fractions and switches likewise */
static void test_double_and_bool(void **state)
{
	const struct {
		int line;
		const char *text;
		int result;
		double value;
	} doubles[] = {
		{ __LINE__, "0", 0, 0 },	   { __LINE__, "1.25", 0, 1.25 },
		{ __LINE__, ".5", 0, 0.5 },	   { __LINE__, "", -EINVAL, 0 },
		{ __LINE__, ".", -EINVAL, 0 },	   { __LINE__, "-1", -EINVAL, 0 },
		{ __LINE__, "1%", -EINVAL, 0 },	   { __LINE__, "inf", -EINVAL, 0 },
		{ __LINE__, "nan", -EINVAL, 0 },   { __LINE__, "1,5", -EINVAL, 0 },
		{ __LINE__, "0x1p4", -EINVAL, 0 }, { __LINE__, "1.2.3", -EINVAL, 0 },
	};
	const struct {
		int line;
		const char *text;
		int result;
		bool value;
	} bools[] = {
		{ __LINE__, "yes", 0, true },	   { __LINE__, "True", 0, true },
		{ __LINE__, "ON", 0, true },	   { __LINE__, "1", 0, true },
		{ __LINE__, "no", 0, false },	   { __LINE__, "false", 0, false },
		{ __LINE__, "off", 0, false },	   { __LINE__, "0", 0, false },
		{ __LINE__, "", -EINVAL, false },  { __LINE__, "yess", -EINVAL, false },
		{ __LINE__, "2", -EINVAL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(doubles); i++) {
		double value = 0;

		if (parse_double(doubles[i].text, &value) != doubles[i].result ||
		    fabs(value - doubles[i].value) > 1e-12)
			fail_msg("line %d", doubles[i].line);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bools); i++) {
		bool value = false;

		if (parse_bool(bools[i].text, &value) != bools[i].result || value != bools[i].value)
			fail_msg("line %d", bools[i].line);
	}
}

/* A moment is what the wall clock of the place shows, and a day that does not exist is none */
static void test_moments(void **state)
{
	/* 2026-01-31 12:34:56 UTC */
	const uint64_t now = 1769862896 * NSEC_PER_SEC, midnight = 1769817600 * NSEC_PER_SEC;
	const struct {
		int line;
		const char *zone, *text;
		int result;
		uint64_t value;
	} rows[] = {
		{ __LINE__, "UTC", "now", 0, now },
		{ __LINE__, "UTC", "-5m", 0, now - 300 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "-1h30m", 0, now - 5400 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "-10", 0, now - 10 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "10:00", 0, midnight + 36000 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "10:00:30", 0, midnight + 36030 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "2026-01-31", 0, midnight },
		{ __LINE__, "UTC", "2026-01-31 10:00", 0, midnight + 36000 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "2026-01-31T10:00:30", 0, midnight + 36030 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "2026-01-31T10:00:30Z", 0, midnight + 36030 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "2024-02-29", 0, 1709164800 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "@1000", 0, 1000 * NSEC_PER_SEC },
		{ __LINE__, "UTC", "@1000.5", 0, 1000500 * NSEC_PER_MSEC },
		/* UTC+1 there, in winter and in summer */
		{ __LINE__, "XYZ-1", "10:00", 0, midnight + 32400 * NSEC_PER_SEC },
		{ __LINE__, "XYZ-1", "2026-01-31 10:00Z", 0, midnight + 36000 * NSEC_PER_SEC },
		{ __LINE__, "CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01 12:00", 0,
		  1782900000 * NSEC_PER_SEC },
		{ __LINE__, "CET-1CEST,M3.5.0,M10.5.0/3", "2026-12-01 12:00", 0,
		  1796122800 * NSEC_PER_SEC },

		{ __LINE__, "UTC", "", -EINVAL, 0 },
		{ __LINE__, "UTC", "-", -EINVAL, 0 },
		{ __LINE__, "UTC", "5m", -EINVAL, 0 },
		{ __LINE__, "UTC", "yesterday", -EINVAL, 0 },
		{ __LINE__, "UTC", "25:00", -EINVAL, 0 },
		{ __LINE__, "UTC", "10:60", -EINVAL, 0 },
		{ __LINE__, "UTC", "10:00x", -EINVAL, 0 },
		{ __LINE__, "UTC", "2026-02-30", -EINVAL, 0 },
		{ __LINE__, "UTC", "2025-02-29 10:00", -EINVAL, 0 },
		{ __LINE__, "UTC", "2026-13-01", -EINVAL, 0 },
		{ __LINE__, "UTC", "1969-01-01", -EINVAL, 0 },
		{ __LINE__, "UTC", "9999-01-01", -ERANGE, 0 },
		{ __LINE__, "UTC", "@-5", -EINVAL, 0 },
		{ __LINE__, "UTC", "@99999999999", -ERANGE, 0 },
		{ __LINE__, "UTC", "-9999w", -ERANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 0;
		int r;

		setenv("TZ", rows[i].zone, 1);
		tzset();
		r = parse_moment(rows[i].text, now, &value);
		if (r != rows[i].result || value != rows[i].value)
			fail_msg("line %d: '%s' gives %d, %" PRIu64, rows[i].line, rows[i].text, r,
				 value);
	}
}

/* CPU lists are sorted, without repetition, and bounded */
static void test_cpu_lists(void **state)
{
	const struct {
		int line;
		const char *text;
		int result;
		const char *list;
	} rows[] = {
		{ __LINE__, "", 0, "" },
		{ __LINE__, "0", 0, "0 " },
		{ __LINE__, "0-3", 0, "0 1 2 3 " },
		{ __LINE__, "0,2-4,7\n", 0, "0 2 3 4 7 " },
		{ __LINE__, "7,0-2,1", 0, "0 1 2 7 " },
		{ __LINE__, "65535", 0, "65535 " },
		{ __LINE__, "65536", -ERANGE, NULL },
		{ __LINE__, "99999999999999999999", -ERANGE, NULL },
		{ __LINE__, "3-1", -EINVAL, NULL },
		{ __LINE__, "1-", -EINVAL, NULL },
		{ __LINE__, "-1", -EINVAL, NULL },
		{ __LINE__, "1,", -EINVAL, NULL },
		{ __LINE__, ",1", -EINVAL, NULL },
		{ __LINE__, "1,,2", -EINVAL, NULL },
		{ __LINE__, "1 2", -EINVAL, NULL },
		{ __LINE__, "1-2-3", -EINVAL, NULL },
		{ __LINE__, "all", -EINVAL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ int *list = NULL;
		char text[256] = "";
		size_t n = 0, used = 0;
		int r = parse_cpu_list(rows[i].text, &list, &n);

		for (size_t k = 0; k < n; k++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%d ", list[k]);
		if (r != rows[i].result || (r == 0 && strcmp(text, rows[i].list) != 0))
			fail_msg("line %d: '%s' gives %d, %s", rows[i].line, rows[i].text, r, text);
	}
}

/* What is printed is short, and rounds without jumping a unit */
static void test_formats(void **state)
{
	const struct {
		int line;
		uint64_t value;
		const char *size, *count, *duration;
	} rows[] = {
		{ __LINE__, 0, "0 B", "0", "0 us" },
		{ __LINE__, 999, "999 B", "999", "0 us" },
		{ __LINE__, 1000, "1.0 kB", "1.0k", "1 us" },
		{ __LINE__, 999949, "1.0 MB", "1.0M", "999 us" },
		{ __LINE__, 12345678, "12 MB", "12.3M", "12 ms" },
		{ __LINE__, 1500 * NSEC_PER_MSEC, "1.5 GB", "1.5G", "1.5 s" },
		{ __LINE__, 90 * NSEC_PER_SEC, "90 GB", "90.0G", "1 min 30 s" },
		{ __LINE__, 5400 * NSEC_PER_SEC, "5.4 TB", "5.4T", "1 h 30 min" },
		{ __LINE__, 7200 * NSEC_PER_SEC, "7.2 TB", "7.2T", "2 h" },
		{ __LINE__, 90000 * NSEC_PER_SEC, "90 TB", "90.0T", "1 d 1 h" },
		{ __LINE__, UINT64_MAX, "18 EB", "18.4E", "213503 d 23 h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char size[32], count[32], duration[32];

		format_size(rows[i].value, size, sizeof(size));
		format_count((double)rows[i].value, count, sizeof(count));
		format_duration(rows[i].value, duration, sizeof(duration));
		if (strcmp(size, rows[i].size) != 0 || strcmp(count, rows[i].count) != 0 ||
		    strcmp(duration, rows[i].duration) != 0)
			fail_msg("line %d: %s, %s, %s", rows[i].line, size, count, duration);
	}
}

/* --- json.h ------------------------------------------------------------------------------------*/

/* Any bytes become a valid JSON string, and harmless text for a terminal */
static void test_escaping(void **state)
{
	const struct {
		int line;
		const char *bytes;
		size_t size; /* 0: up to the NUL */
		const char *json, *text;
	} rows[] = {
		{ __LINE__, "", 0, "", "" },
		{ __LINE__, "main", 0, "main", "main" },
		{ __LINE__, "a\"b\\c/", 0, "a\\\"b\\\\c/", "a\"b\\c/" },
		{ __LINE__, "a\nb\tc\x01", 0, "a\\u000ab\\u0009c\\u0001", "a\\x0ab\\x09c\\x01" },
		{ __LINE__, "a\0b", 3, "a\\u0000b", "a\\x00b" },
		{ __LINE__, "\x1b[31m\x7f", 0, "\\u001b[31m\\u007f", "\\x1b[31m\\x7f" },
		{ __LINE__, "</script>&", 0, "\\u003c/script\\u003e\\u0026", "</script>&" },
		{ __LINE__, "caf\xc3\xa9", 0, "caf\xc3\xa9", "caf\xc3\xa9" },
		{ __LINE__, "\xe2\x82\xac\xf0\x9f\x94\xa5", 0, "\xe2\x82\xac\xf0\x9f\x94\xa5",
		  "\xe2\x82\xac\xf0\x9f\x94\xa5" },
		/* C1 controls, which terminals obey: U+009B is ESC [ */
		{ __LINE__,
		  "\xc2\x9b"
		  "31m",
		  0, "\\u009b31m", "\\xc2\\x9b31m" },
		/* line and paragraph separator end a line of script */
		{ __LINE__, "\xe2\x80\xa8\xe2\x80\xa9", 0, "\\u2028\\u2029",
		  "\xe2\x80\xa8\xe2\x80\xa9" },
		/* not UTF-8: alone, overlong, surrogate, too large, cut off */
		{ __LINE__, "\xff", 0, "\xef\xbf\xbd", "\\xff" },
		{ __LINE__, "\x80", 0, "\xef\xbf\xbd", "\\x80" },
		{ __LINE__, "\xc0\xaf", 0, "\xef\xbf\xbd\xef\xbf\xbd", "\\xc0\\xaf" },
		{ __LINE__, "\xe0\x9f\xbf", 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		  "\\xe0\\x9f\\xbf" },
		{ __LINE__, "\xed\xa0\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		  "\\xed\\xa0\\x80" },
		{ __LINE__, "\xf4\x90\x80\x80", 0,
		  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\\xf4\\x90\\x80\\x80" },
		{ __LINE__, "a\xe2\x82", 0, "a\xef\xbf\xbd\xef\xbf\xbd", "a\\xe2\\x82" },
		{ __LINE__, "\xc3(", 0, "\xef\xbf\xbd(", "\\xc3(" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t size = rows[i].size ? rows[i].size : strlen(rows[i].bytes);
		struct buffer json = { 0 }, text = { 0 };
		_cleanup_free_ char *json_string = NULL, *text_string = NULL;
		char quoted[256], fixed[256];

		json_put_quoted(&json, rows[i].bytes, size);
		text_put_safe(&text, rows[i].bytes, size);
		json_string = buffer_take_string(&json);
		text_string = buffer_take_string(&text);
		snprintf(quoted, sizeof(quoted), "\"%s\"", rows[i].json);
		if (strcmp(json_string, quoted) != 0 || strcmp(text_string, rows[i].text) != 0)
			fail_msg("line %d: %s, %s", rows[i].line, json_string, text_string);
		if (!rows[i].size)
			assert_string_equal(text_safe(rows[i].bytes, fixed, sizeof(fixed)),
					    rows[i].text);
	}
}

/* A fixed array is never overrun, and never ends within a character or an escape */
static void test_text_safe_cut(void **state)
{
	const struct {
		int line;
		size_t size;
		const char *expected;
	} rows[] = {
		{ __LINE__, 1, "" },
		{ __LINE__, 2, "a" },
		{ __LINE__, 4, "a" },
		{ __LINE__, 5, "a\xe2\x82\xac" },
		{ __LINE__, 8, "a\xe2\x82\xac" },
		{ __LINE__, 9, "a\xe2\x82\xac\\x01" },
		{ __LINE__, 10, "a\xe2\x82\xac\\x01z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[16];

		memset(out, '#', sizeof(out));
		text_safe("a\xe2\x82\xac\x01z", out, rows[i].size);
		assert_int_equal(out[rows[i].size], '#');
		if (strcmp(out, rows[i].expected) != 0)
			fail_msg("line %d: %s", rows[i].line, out);
	}
}

/* Commas, nesting and numbers come out as RFC 8259 has them */
static void test_json_structure(void **state)
{
	struct buffer b = { 0 };
	_cleanup_free_ char *text = NULL;
	struct json j;

	(void)state;
	json_init(&j, &b, false);
	json_open_object(&j, NULL);
	json_string(&j, "s", "x");
	json_string(&j, "none", NULL);
	json_string_n(&j, "n", "xyz", 2);
	json_open_array(&j, "a");
	json_uint(&j, NULL, UINT64_MAX);
	json_int(&j, NULL, INT64_MIN);
	json_double(&j, NULL, 0.25);
	json_double(&j, NULL, INFINITY);
	json_double(&j, NULL, NAN);
	json_bool(&j, NULL, true);
	json_open_object(&j, NULL);
	json_close_object(&j);
	json_close_array(&j);
	json_open_array(&j, "empty");
	json_close_array(&j);
	json_close_object(&j);
	text = buffer_take_string(&b);
	assert_string_equal(text,
			    "{\"s\":\"x\",\"none\":null,\"n\":\"xy\",\"a\":[18446744073709551615,"
			    "-9223372036854775808,0.25,null,null,true,{}],\"empty\":[]}\n");
	free(text);

	json_init(&j, &b, true);
	json_open_object(&j, NULL);
	json_uint(&j, "a", 1);
	json_open_array(&j, "b");
	json_uint(&j, NULL, 2);
	json_close_array(&j);
	json_close_object(&j);
	text = buffer_take_string(&b);
	assert_string_equal(text, "{\n\t\"a\": 1,\n\t\"b\": [\n\t\t2\n\t]\n}\n");
}

/* --- buffer.h ----------------------------------------------------------------------------------*/

/* Every integer comes back, and takes the bytes that LEB128 takes */
static void test_varints(void **state)
{
	const struct {
		int line;
		uint64_t value;
		size_t bytes;
	} rows[] = {
		{ __LINE__, 0, 1 },
		{ __LINE__, 0x7f, 1 },
		{ __LINE__, 0x80, 2 },
		{ __LINE__, 0x3fff, 2 },
		{ __LINE__, 0x4000, 3 },
		{ __LINE__, UINT32_MAX, 5 },
		{ __LINE__, (1ULL << 63) - 1, 9 },
		{ __LINE__, 1ULL << 63, 10 },
		{ __LINE__, UINT64_MAX, 10 },
	};
	const int64_t numbers[] = { 0, -1, 1, -2, 2, INT64_MAX, INT64_MIN, -64, 63 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buffer b = { 0 };
		struct cursor c;

		buffer_put_varint(&b, rows[i].value);
		c = (struct cursor){ .pos = b.data, .end = b.data + b.size };
		if (b.size != rows[i].bytes || cursor_get_varint(&c) != rows[i].value ||
		    cursor_left(&c) || c.error)
			fail_msg("line %d", rows[i].line);
		/* one byte less is damage, wherever it is missing */
		for (size_t n = 0; n < b.size; n++) {
			c = (struct cursor){ .pos = b.data, .end = b.data + n };
			assert_int_equal(cursor_get_varint(&c), 0);
			assert_int_equal(c.error, -EBADMSG);
			assert_ptr_equal(c.pos, b.data);
		}
		buffer_done(&b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_true(zigzag_decode(zigzag_encode(numbers[i])) == numbers[i]);
	assert_int_equal(zigzag_encode(-1), 1);
	assert_int_equal(zigzag_encode(1), 2);
}

/* Damaged bytes give zero and an error that stays, and nothing outside is read */
static void test_cursor_damage(void **state)
{
	static const uint8_t too_long[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0x02, 0x01 };
	static const uint8_t no_end[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
					  0x80, 0x80, 0x80, 0x80, 0x80, 0x01 };
	static const uint8_t bytes[] = { 3, 'a', 'b', 'c', 5, 'd' };
	static const uint8_t huge[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01
	};
	struct cursor c;
	size_t size;

	(void)state;
	c = (struct cursor){ .pos = too_long, .end = too_long + sizeof(too_long) };
	assert_int_equal(cursor_get_varint(&c), 0);
	assert_int_equal(c.error, -EBADMSG);
	assert_int_equal(cursor_get_byte(&c), 0);
	c = (struct cursor){ .pos = no_end, .end = no_end + sizeof(no_end) };
	assert_int_equal(cursor_get_varint(&c), 0);
	assert_int_equal(c.error, -EBADMSG);

	c = (struct cursor){ .pos = bytes, .end = bytes + sizeof(bytes) };
	assert_memory_equal(cursor_get_bytes(&c, &size), "abc", 3);
	assert_int_equal(size, 3);
	cursor_get_bytes(&c, &size);
	assert_int_equal(size, 0);
	assert_int_equal(c.error, -EBADMSG);
	assert_int_equal(cursor_get_varint(&c), 0);

	c = (struct cursor){ .pos = huge, .end = huge + sizeof(huge) };
	cursor_get_bytes(&c, &size);
	assert_int_equal(c.error, -EBADMSG);
	c = (struct cursor){ .pos = bytes, .end = bytes };
	assert_int_equal(cursor_get_byte(&c), 0);
	assert_int_equal(c.error, -EBADMSG);
}

/* A buffer grows, stops at its limit with one error, and is usable again afterwards */
static void test_buffer(void **state)
{
	struct buffer b = { 0 };
	char *text;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++)
		buffer_put_byte(&b, (uint8_t)i);
	assert_int_equal(b.size, 10000);
	for (unsigned int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], (uint8_t)i);
	buffer_reset(&b);
	buffer_put(&b, NULL, 0);
	buffer_printf(&b, "%s-%d", "x", 42);
	buffer_put_string(&b, NULL);
	buffer_put_string(&b, "ab");
	text = buffer_take_string(&b);
	assert_memory_equal(text, "x-42\0\2ab", 9);
	free(text);
	assert_int_equal(b.size, 0);

	b.limit = 10;
	buffer_put(&b, "0123456789", 10);
	assert_int_equal(b.error, 0);
	buffer_put_byte(&b, 'x');
	buffer_put_varint(&b, 1);
	assert_int_equal(b.error, -E2BIG);
	assert_int_equal(b.size, 10);
	assert_false(buffer_reserve(&b, SIZE_MAX));
	buffer_reset(&b);
	buffer_put(&b, "ok", 2);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.size, 2);
	buffer_done(&b);
	assert_int_equal(b.limit, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	      cmocka_unit_test(test_double_and_bool),
		cmocka_unit_test(test_moments),	      cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_formats),	      cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_text_safe_cut), cmocka_unit_test(test_json_structure),
		cmocka_unit_test(test_varints),	      cmocka_unit_test(test_cursor_damage),
		cmocka_unit_test(test_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
