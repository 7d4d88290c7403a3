// SPDX-License-Identifier: Apache-2.0
#include "util/buffer.h"

#include <errno.h>
#include <stdarg.h>

void buffer_done(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ .limit = b->limit };
}

void buffer_reset(struct buffer *b)
{
	b->size = 0;
	b->error = 0;
}

bool buffer_reserve(struct buffer *b, size_t more)
{
	size_t need, capacity;
	uint8_t *data;

	if (b->error)
		return false;
	if (__builtin_add_overflow(b->size, more, &need) || (b->limit && need > b->limit)) {
		b->error = -E2BIG;
		return false;
	}
	if (need <= b->capacity)
		return true;
	capacity = MAX(b->capacity * 2, (size_t)256);
	capacity = MAX(capacity, need);
	if (b->limit) /* the inline puts look at the capacity alone */
		capacity = MIN(capacity, b->limit);
	data = realloc(b->data, capacity);
	if (!data) {
		b->error = -ENOMEM;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

void buffer_put(struct buffer *b, const void *data, size_t size)
{
	if (size == 0 || !buffer_reserve(b, size))
		return;
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0 || !buffer_reserve(b, (size_t)n + 1))
		return;
	va_start(ap, format);
	vsnprintf((char *)b->data + b->size, (size_t)n + 1, format, ap);
	va_end(ap);
	b->size += (size_t)n;
}

char *buffer_take_string(struct buffer *b)
{
	char *s;

	buffer_put_byte(b, 0);
	if (b->error)
		return NULL;
	s = (char *)b->data;
	b->data = NULL;
	b->size = b->capacity = 0;
	return s;
}

void buffer_put_bytes(struct buffer *b, const void *data, size_t size)
{
	buffer_put_varint(b, size);
	buffer_put(b, data, size);
}

void buffer_put_string(struct buffer *b, const char *s)
{
	buffer_put_bytes(b, s, s ? strlen(s) : 0);
}

static uint64_t damaged(struct cursor *c)
{
	c->error = -EBADMSG;
	return 0;
}

uint8_t cursor_get_byte(struct cursor *c)
{
	if (c->error || c->pos >= c->end)
		return (uint8_t)damaged(c);
	return *c->pos++;
}

uint64_t cursor_get_varint_slow(struct cursor *c)
{
	const uint8_t *p = c->pos;
	uint64_t value = 0;

	if (c->error)
		return 0;
	for (unsigned int shift = 0; shift < 64 && p < c->end; shift += 7) {
		uint8_t byte = *p++;

		if (shift == 63 && byte > 1)
			return damaged(c);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			c->pos = p;
			return value;
		}
	}
	return damaged(c);
}

const void *cursor_get_bytes(struct cursor *c, size_t *ret_size)
{
	uint64_t size = cursor_get_varint(c);
	const void *data = c->pos;

	if (c->error || size > cursor_left(c)) {
		c->error = -EBADMSG;
		*ret_size = 0;
		return "";
	}
	c->pos += size;
	*ret_size = (size_t)size;
	return data;
}
