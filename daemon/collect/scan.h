/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reading words and numbers off the texts of /proc and /sys, which are taken as hostile: nothing
 * is skipped that does not fit, a number that overflows is none, and nothing is read behind `end`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/record.h"
#include "util/buffer.h"

struct scan {
	const char *at, *end;
};

static inline struct scan scan_bytes(const void *data, size_t size)
{
	/* Nothing may be at NULL. */
	return (struct scan){ .at = data, .end = size ? (const char *)data + size : data };
}

static inline struct scan scan_buffer(const struct buffer *b)
{
	return scan_bytes(b->data, b->size);
}

/* The next line without its newline; false at the end. */
bool scan_line(struct scan *s, struct scan *ret);
/* The next word: what stands up to a blank, a tab or a newline; false when there is none. */
bool scan_word(struct scan *s, struct record_bytes *ret);
/* Takes `word` when it is the next one. */
bool scan_literal(struct scan *s, const char *word);
/* Takes one character when it comes next, after blanks. */
bool scan_char(struct scan *s, char c);
/*
 * Numbers, after blanks; what ends one must be the end, a blank or one of "/:,.;)%" - anything else
 * means that it was no number. On false nothing is taken.
 */
bool scan_unsigned(struct scan *s, uint64_t *ret);
bool scan_signed(struct scan *s, int64_t *ret);
bool scan_hex(struct scan *s, uint64_t *ret);
bool scan_real(struct scan *s, double *ret); /* digits, at most one point, no exponent */
/* True when nothing but blanks is left. */
bool scan_end(struct scan *s);

/* True when `text` is exactly `word`. */
static inline bool bytes_are(struct record_bytes text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}
