/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A growable byte buffer with the integer encodings of the segment format (LEB128 varint, zigzag),
 * and a cursor that reads them back from untrusted bytes.
 *
 * Writing never fails in the middle: when memory runs out, or `limit` is reached, `error` is set to
 * -ENOMEM or -E2BIG, further puts are ignored, and the owner checks once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/cleanup.h"

struct buffer {
	uint8_t *data;
	size_t size;
	size_t capacity;
	size_t limit; /* 0: none */
	int error;
};

void buffer_done(struct buffer *b); /* frees; the buffer is empty and usable again */
void buffer_reset(struct buffer *b); /* empties, keeps the memory, clears error */
bool buffer_reserve(struct buffer *b,
		    size_t more); /* true when `more` bytes can be put without growing */
void buffer_put(struct buffer *b, const void *data, size_t size);
void buffer_printf(struct buffer *b, const char *format, ...) _printf_(2, 3);
/* The bytes as a heap string, NUL added; the buffer is left empty. NULL when out of memory. */
char *buffer_take_string(struct buffer *b);

static inline void buffer_put_byte(struct buffer *b, uint8_t value)
{
	if (b->size < b->capacity || buffer_reserve(b, 1))
		b->data[b->size++] = value;
}

static inline void buffer_put_varint(struct buffer *b, uint64_t value)
{
	if (b->capacity - b->size < 10 && !buffer_reserve(b, 10))
		return;
	while (value >= 0x80) {
		b->data[b->size++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	b->data[b->size++] = (uint8_t)value;
}

static inline uint64_t zigzag_encode(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t zigzag_decode(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* varint length, then the bytes */
void buffer_put_bytes(struct buffer *b, const void *data, size_t size);
void buffer_put_string(struct buffer *b, const char *s); /* NULL is written as "" */

/* Reads from [pos, end). On damage `error` becomes -EBADMSG, every further get gives 0, and pos
 * stays put. */
struct cursor {
	const uint8_t *pos, *end;
	int error;
};

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->pos);
}

uint8_t cursor_get_byte(struct cursor *c);
uint64_t cursor_get_varint_slow(struct cursor *c);

static inline uint64_t cursor_get_varint(struct cursor *c)
{
	if (c->pos < c->end && *c->pos < 0x80 && !c->error)
		return *c->pos++;
	return cursor_get_varint_slow(c);
}

/* Points into the input; *ret_size bytes, not NUL-terminated. */
const void *cursor_get_bytes(struct cursor *c, size_t *ret_size);

static inline void buffer_donep(struct buffer *b)
{
	buffer_done(b);
}
