// SPDX-License-Identifier: Apache-2.0
#include "collect/argv_text.h"

#include <string.h>

static bool is_plain(const char *text, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "%+,-./:=@_";

	for (size_t i = 0; i < size; i++)
		if (!memchr(plain, text[i], sizeof(plain) - 1))
			return false;
	return size > 0;
}

/* Within single quotes nothing means anything but their end. */
static void put_quoted(struct buffer *out, const char *text, size_t size)
{
	buffer_put_byte(out, '\'');
	for (size_t i = 0; i < size; i++)
		if (text[i] == '\'')
			buffer_put(out, "'\\''", 4);
		else
			buffer_put_byte(out, (uint8_t)text[i]);
	buffer_put_byte(out, '\'');
}

unsigned int argv_text_put(struct buffer *out, const char *argv, size_t size, size_t max,
			   bool *ret_cut)
{
	unsigned int n = 0;
	bool cut = false;

	for (size_t at = 0, length; at < size; at += length + 1, n++) {
		length = strnlen(argv + at, size - at);
		cut |= length >= max || at + length == size;
		if (n)
			buffer_put_byte(out, ' ');
		if (is_plain(argv + at, length))
			buffer_put(out, argv + at, length);
		else
			put_quoted(out, argv + at, length);
	}
	*ret_cut = cut;
	return n;
}
