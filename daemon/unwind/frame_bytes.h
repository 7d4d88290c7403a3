/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The integers of call frame information, read by the cursor of untrusted bytes.
 */
#include <errno.h>
#include <string.h>

#include "util/buffer.h"

/* `size` bytes, 1 to 8, little endian. */
static inline uint64_t cursor_get_fixed(struct cursor *c, size_t size)
{
	uint64_t value = 0;

	if (c->error || cursor_left(c) < size) {
		c->error = -EBADMSG;
		return 0;
	}
	memcpy(&value, c->pos, size);
	c->pos += size;
	return value;
}

static inline int64_t sign_extend(uint64_t value, unsigned int bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static inline int64_t cursor_get_signed(struct cursor *c, size_t size)
{
	return sign_extend(cursor_get_fixed(c, size), (unsigned int)size * 8);
}

/* Signed LEB128, at most 10 bytes. */
static inline int64_t cursor_get_sleb(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		uint8_t byte = (uint8_t)cursor_get_fixed(c, 1);

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return shift + 7 < 64 ? sign_extend(value, shift + 7) : (int64_t)value;
	}
	c->error = -EBADMSG;
	return 0;
}
