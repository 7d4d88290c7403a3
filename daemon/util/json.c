// SPDX-License-Identifier: Apache-2.0
#include "util/json.h"

#include <inttypes.h>
#include <math.h>

/*
 * Length of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), 0 when there is none.
 */
static size_t utf8_length(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (left < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

void json_put_quoted(struct buffer *b, const char *value, size_t size)
{
	const uint8_t *p = (const uint8_t *)value;

	buffer_put_byte(b, '"');
	for (size_t i = 0; i < size;) {
		size_t n = utf8_length(p + i, size - i);

		if (n == 0) {
			buffer_put(b, "\xef\xbf\xbd", 3);
			n = 1;
		} else if (p[i] == '"' || p[i] == '\\') {
			buffer_put_byte(b, '\\');
			buffer_put_byte(b, p[i]);
		} else if (p[i] < 0x20 || p[i] == 0x7f || p[i] == '<' || p[i] == '>' ||
			   p[i] == '&') {
			buffer_printf(b, "\\u%04x", p[i]);
		} else if (n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0) {
			buffer_printf(b, "\\u%04x", p[i + 1]); /* terminals obey C1 as well */
		} else if (n == 3 && p[i] == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] | 1) == 0xa9) {
			buffer_printf(b, "\\u20%02x",
				      p[i + 2] - 0x80); /* line separators end a script line */
		} else {
			buffer_put(b, p + i, n);
		}
		i += n;
	}
	buffer_put_byte(b, '"');
}

void text_put_safe(struct buffer *b, const char *value, size_t size)
{
	const uint8_t *p = (const uint8_t *)value;

	for (size_t i = 0; i < size;) {
		size_t n = utf8_length(p + i, size - i);
		bool control =
			p[i] < 0x20 || p[i] == 0x7f || (n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);

		if (n == 0 || control) {
			buffer_printf(b, "\\x%02x", p[i]);
			n = 1;
		} else {
			buffer_put(b, p + i, n);
		}
		i += n;
	}
}

char *text_safe(const char *value, char *out, size_t out_size)
{
	const uint8_t *p = (const uint8_t *)value;
	size_t size = strlen(value), used = 0;

	for (size_t i = 0; i < size;) {
		size_t n = utf8_length(p + i, size - i);
		bool control =
			p[i] < 0x20 || p[i] == 0x7f || (n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);

		if (n == 0 || control) {
			if (used + 5 > out_size)
				break;
			used += (size_t)snprintf(out + used, 5, "\\x%02x", p[i]);
			n = 1;
		} else {
			if (used + n + 1 > out_size)
				break;
			memcpy(out + used, p + i, n);
			used += n;
		}
		i += n;
	}
	if (out_size)
		out[used] = 0;
	return out;
}

void json_init(struct json *j, struct buffer *out, bool pretty)
{
	*j = (struct json){ .out = out, .pretty = pretty };
}

static void newline(struct json *j)
{
	if (!j->pretty || j->depth == 0)
		return;
	buffer_put_byte(j->out, '\n');
	for (unsigned int i = 0; i < j->depth; i++)
		buffer_put_byte(j->out, '\t');
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		buffer_put_byte(j->out, ',');
	newline(j);
	j->comma = true;
	if (!key)
		return;
	json_put_quoted(j->out, key, strlen(key));
	buffer_put(j->out, ": ", j->pretty ? 2 : 1);
}

static void open_level(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	buffer_put_byte(j->out, (uint8_t)bracket);
	j->depth++;
	j->comma = false;
}

static void close_level(struct json *j, char bracket)
{
	bool empty = !j->comma;

	j->depth--;
	if (!empty) {
		if (j->pretty && j->depth == 0)
			buffer_put_byte(j->out, '\n');
		else
			newline(j);
	}
	buffer_put_byte(j->out, (uint8_t)bracket);
	j->comma = true;
	if (j->depth == 0) {
		buffer_put_byte(j->out, '\n');
		j->comma = false;
	}
}

void json_open_object(struct json *j, const char *key)
{
	open_level(j, key, '{');
}

void json_open_array(struct json *j, const char *key)
{
	open_level(j, key, '[');
}

void json_close_object(struct json *j)
{
	close_level(j, '}');
}

void json_close_array(struct json *j)
{
	close_level(j, ']');
}

void json_string_n(struct json *j, const char *key, const char *value, size_t size)
{
	begin(j, key);
	json_put_quoted(j->out, value, size);
}

void json_string(struct json *j, const char *key, const char *value)
{
	if (value) {
		json_string_n(j, key, value, strlen(value));
		return;
	}
	begin(j, key);
	buffer_put(j->out, "null", 4);
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	buffer_printf(j->out, "%" PRIu64, value);
}

void json_int(struct json *j, const char *key, int64_t value)
{
	begin(j, key);
	buffer_printf(j->out, "%" PRId64, value);
}

void json_double(struct json *j, const char *key, double value)
{
	begin(j, key);
	if (isfinite(value))
		buffer_printf(j->out, "%.6g", value);
	else
		buffer_put(j->out, "null", 4);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	buffer_printf(j->out, "%s", value ? "true" : "false");
}
