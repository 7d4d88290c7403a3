/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Writes JSON, and makes foreign bytes harmless for terminals. No document is kept: text goes
 * straight into a buffer.
 *
 * Strings may hold anything: invalid UTF-8 becomes U+FFFD, control characters (C1 too) are
 * escaped, and < > & are written as \u003c ... so that the text can stand inside a <script> element.
 */
#include <stdbool.h>
#include <stdint.h>

#include "util/buffer.h"

struct json {
	struct buffer *out;
	unsigned int depth;
	bool comma; /* something precedes on this level */
	bool pretty; /* one member a line */
};

void json_init(struct json *j, struct buffer *out, bool pretty);
/* `key` is NULL inside arrays and at the top. */
void json_open_object(struct json *j, const char *key);
void json_open_array(struct json *j, const char *key);
void json_close_object(struct json *j);
void json_close_array(struct json *j);
void json_string(struct json *j, const char *key, const char *value); /* NULL: null */
void json_string_n(struct json *j, const char *key, const char *value, size_t size);
void json_uint(struct json *j, const char *key, uint64_t value);
void json_int(struct json *j, const char *key, int64_t value);
void json_double(struct json *j, const char *key, double value); /* null when not finite */
void json_bool(struct json *j, const char *key, bool value);

/* The bytes of one JSON string, with its quotes. */
void json_put_quoted(struct buffer *b, const char *value, size_t size);

/*
 * For terminals and line-based text: printable UTF-8 as it is; C0 and C1 control characters, and
 * bytes that are not UTF-8, as \xNN. A backslash stays.
 */
void text_put_safe(struct buffer *b, const char *value, size_t size);
/* The same into a fixed array, cut at a character; always NUL-terminated. Returns out. */
char *text_safe(const char *value, char *out, size_t out_size);
