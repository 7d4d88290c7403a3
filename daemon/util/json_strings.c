// SPDX-License-Identifier: Apache-2.0
#include "util/json_strings.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "util/cleanup.h"

struct reader {
	const char *at, *end;
	bool (*each)(const char *path, const char *value, void *userdata);
	void *userdata;
	bool enough;
	size_t path_size;
	char path[JSON_STRINGS_PATH];
	char value[JSON_STRINGS_VALUE];
};

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* "\u00e9" as UTF-8; halves of a pair as "?". */
static int take_code(struct reader *r, char *out, size_t *ret_size)
{
	unsigned int code = 0;

	if (r->end - r->at < 4)
		return -EBADMSG;
	for (int i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef";
		char c = *r->at++;
		const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

		if (!digit)
			return -EBADMSG;
		code = code << 4 | (unsigned int)(digit - digits);
	}
	if (code == 0 || (code >= 0xd800 && code < 0xe000))
		code = '?';
	*ret_size = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
	if (*ret_size == 1) {
		out[0] = (char)code;
	} else if (*ret_size == 2) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
	} else {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
	}
	return 0;
}

static int take_escape(struct reader *r, char *out, size_t *ret_size)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p;

	if (r->at == r->end)
		return -EBADMSG;
	if (*r->at == 'u') {
		r->at++;
		return take_code(r, out, ret_size);
	}
	p = *r->at ? strchr(from, *r->at) : NULL;
	if (!p)
		return -EBADMSG;
	r->at++;
	out[0] = to[p - from];
	*ret_size = 1;
	return 0;
}

/* Behind the opening quote. What does not fit into out[size] is left out. */
static int take_string(struct reader *r, char *out, size_t size)
{
	size_t n = 0;

	while (r->at < r->end && *r->at != '"') {
		char piece[3];
		size_t piece_size = 1;

		if (*r->at == '\\') {
			int error;

			r->at++;
			error = take_escape(r, piece, &piece_size);
			if (error < 0)
				return error;
		} else {
			piece[0] = *r->at++;
			if (piece[0] == 0)
				return -EBADMSG;
		}
		if (n + piece_size < size) {
			memcpy(out + n, piece, piece_size);
			n += piece_size;
		}
	}
	out[n] = 0;
	return take(r, '"') ? 0 : -EBADMSG;
}

/* Returns what leave() takes. */
static size_t enter(struct reader *r, const char *key)
{
	size_t before = r->path_size, n = strlen(key), slash = before > 0;

	if (before + slash + n < sizeof(r->path)) {
		if (slash)
			r->path[before] = '/';
		memcpy(r->path + before + slash, key, n + 1);
		r->path_size = before + slash + n;
	}
	return before;
}

static void leave(struct reader *r, size_t before)
{
	r->path_size = before;
	r->path[before] = 0;
}

static int take_value(struct reader *r, unsigned int depth);

static int take_object(struct reader *r, unsigned int depth)
{
	char key[JSON_STRINGS_PATH];

	if (take(r, '}'))
		return 0;
	do {
		size_t before;
		int error = take(r, '"') ? take_string(r, key, sizeof(key)) : -EBADMSG;

		if (error < 0 || !take(r, ':'))
			return -EBADMSG;
		before = enter(r, key);
		error = take_value(r, depth);
		leave(r, before);
		if (error < 0 || r->enough)
			return error;
	} while (take(r, ','));
	return take(r, '}') ? 0 : -EBADMSG;
}

static int take_array(struct reader *r, unsigned int depth)
{
	if (take(r, ']'))
		return 0;
	do {
		size_t before = enter(r, "#");
		int error = take_value(r, depth);

		leave(r, before);
		if (error < 0 || r->enough)
			return error;
	} while (take(r, ','));
	return take(r, ']') ? 0 : -EBADMSG;
}

/* Numbers, true, false and null are not looked at closely. */
static int take_word(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && *r->at && !strchr(" \t\r\n,:]}[{\"", *r->at))
		r->at++;
	return r->at > start ? 0 : -EBADMSG;
}

static int take_value(struct reader *r, unsigned int depth)
{
	int error;

	if (depth > JSON_STRINGS_DEPTH)
		return -E2BIG;
	if (take(r, '{'))
		return take_object(r, depth + 1);
	if (take(r, '['))
		return take_array(r, depth + 1);
	if (!take(r, '"'))
		return take_word(r);
	error = take_string(r, r->value, sizeof(r->value));
	if (error < 0)
		return error;
	r->enough = !r->each(r->path, r->value, r->userdata);
	return 0;
}

int json_strings(const char *data, size_t size,
		 bool (*each)(const char *path, const char *value, void *userdata), void *userdata)
{
	_cleanup_free_ struct reader *r = malloc(sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	*r = (struct reader){
		.at = data, .end = data + size, .each = each, .userdata = userdata
	};
	error = take_value(r, 0);
	if (error < 0 || r->enough)
		return error;
	skip_blanks(r);
	return r->at == r->end ? 0 : -EBADMSG;
}
