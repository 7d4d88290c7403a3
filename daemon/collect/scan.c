// SPDX-License-Identifier: Apache-2.0
#include "collect/scan.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end && blank(*s->at))
		s->at++;
}

static bool ends_number(const struct scan *s)
{
	return s->at == s->end || blank(*s->at) || (*s->at && strchr("/:,.;)%", *s->at));
}

bool scan_line(struct scan *s, struct scan *ret)
{
	const char *newline;

	if (s->at == s->end)
		return false;
	newline = memchr(s->at, '\n', (size_t)(s->end - s->at));
	*ret = (struct scan){ .at = s->at, .end = newline ? newline : s->end };
	s->at = newline ? newline + 1 : s->end;
	return true;
}

bool scan_word(struct scan *s, struct record_bytes *ret)
{
	const char *start;

	skip_blanks(s);
	start = s->at;
	while (s->at < s->end && !blank(*s->at))
		s->at++;
	*ret = (struct record_bytes){ .data = start, .size = (size_t)(s->at - start) };
	return ret->size > 0;
}

bool scan_literal(struct scan *s, const char *word)
{
	struct scan rest = *s;
	struct record_bytes next;

	if (!scan_word(&rest, &next) || !bytes_are(next, word))
		return false;
	*s = rest;
	return true;
}

bool scan_char(struct scan *s, char c)
{
	struct scan rest = *s;

	skip_blanks(&rest);
	if (rest.at == rest.end || *rest.at != c)
		return false;
	rest.at++;
	*s = rest;
	return true;
}

bool scan_unsigned(struct scan *s, uint64_t *ret)
{
	struct scan rest = *s;
	const char *start;
	uint64_t v = 0;

	skip_blanks(&rest);
	start = rest.at;
	for (; rest.at < rest.end && *rest.at >= '0' && *rest.at <= '9'; rest.at++)
		if (__builtin_mul_overflow(v, 10ULL, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*rest.at - '0'), &v))
			return false;
	if (rest.at == start || !ends_number(&rest))
		return false;
	*s = rest;
	*ret = v;
	return true;
}

bool scan_signed(struct scan *s, int64_t *ret)
{
	struct scan rest = *s;
	bool negative;
	uint64_t v;

	negative = scan_char(&rest, '-');
	if (negative && (rest.at == rest.end || blank(*rest.at)))
		return false;
	if (!scan_unsigned(&rest, &v) || v > (uint64_t)INT64_MAX + negative)
		return false;
	*s = rest;
	*ret = negative ? (int64_t)-v : (int64_t)v;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool scan_hex(struct scan *s, uint64_t *ret)
{
	struct scan rest = *s;
	const char *start;
	uint64_t v = 0;

	skip_blanks(&rest);
	if (rest.end - rest.at > 2 && rest.at[0] == '0' && rest.at[1] == 'x')
		rest.at += 2;
	start = rest.at;
	for (; rest.at < rest.end && hex_digit(*rest.at) >= 0; rest.at++) {
		if (v >> 60)
			return false;
		v = v << 4 | (uint64_t)hex_digit(*rest.at);
	}
	if (rest.at == start || !ends_number(&rest))
		return false;
	*s = rest;
	*ret = v;
	return true;
}

bool scan_real(struct scan *s, double *ret)
{
	struct scan rest = *s;
	double v = 0, weight = 1;
	const char *start;
	bool point = false;
	size_t digits = 0;

	skip_blanks(&rest);
	start = rest.at;
	for (; rest.at < rest.end && rest.at - start < 64; rest.at++) {
		if (*rest.at == '.' && !point && digits) {
			point = true;
			continue;
		}
		if (*rest.at < '0' || *rest.at > '9')
			break;
		digits++;
		v = v * 10 + (*rest.at - '0');
		if (point)
			weight *= 10;
	}
	if (digits == 0 || rest.at[-1] == '.' || !ends_number(&rest) ||
	    (rest.at < rest.end && *rest.at == '.'))
		return false;
	*s = rest;
	*ret = v / weight;
	return true;
}

bool scan_end(struct scan *s)
{
	skip_blanks(s);
	return s->at == s->end;
}
