// SPDX-License-Identifier: Apache-2.0
/*
 * A field need not be one piece: AMD's data fabric has event = config:0-7,32-35,59-60, so that
 * event 0x107 is 0x100000007 and a plain event | umask << 8 would count something else.
 */
#include "pmu/format.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "pmu/internal.h"

#define WORDS 3

static int parse_bit(const char **s, unsigned int *ret)
{
	unsigned int bit = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++) {
		bit = bit * 10 + (unsigned int)(**s - '0');
		if (bit > 63)
			return -EINVAL;
	}
	*ret = bit;
	return 0;
}

/* One "A" or "A-B". */
static int parse_bits(const char **s, uint64_t *mask)
{
	unsigned int first, last;
	int r;

	r = parse_bit(s, &first);
	if (r < 0)
		return r;
	last = first;
	if (**s == '-') {
		(*s)++;
		r = parse_bit(s, &last);
		if (r < 0)
			return r;
	}
	if (last < first)
		return -EINVAL;
	*mask |= (~0ULL >> (63 - (last - first))) << first;
	return 0;
}

int pmu_format_parse(const char *text, struct pmu_format *ret)
{
	struct pmu_format f = { 0 };
	int r;

	if (strncmp(text, "config", 6) != 0)
		return -EINVAL;
	text += 6;
	if (isdigit((unsigned char)*text))
		f.word = (unsigned int)(*text++ - '0');
	if (*text++ != ':')
		return -EINVAL;
	for (;;) {
		r = parse_bits(&text, &f.mask);
		if (r < 0)
			return r;
		if (!*text)
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	if (f.word >= WORDS)
		return -EOPNOTSUPP;
	*ret = f;
	return 0;
}

static uint64_t spread(uint64_t value, uint64_t mask, uint64_t *ret_rest)
{
	uint64_t bits = 0;

	for (; mask; mask &= mask - 1, value >>= 1)
		if (value & 1)
			bits |= mask & -mask;
	*ret_rest = value;
	return bits;
}

int pmu_format_set(const struct pmu_format *f, uint64_t value, struct perf_event_attr *attr)
{
	uint64_t rest, bits = spread(value, f->mask, &rest);

	if (rest)
		return -ERANGE;
	switch (f->word) {
	case 0:
		attr->config = (attr->config & ~f->mask) | bits;
		break;
	case 1:
		attr->config1 = (attr->config1 & ~f->mask) | bits;
		break;
	default:
		attr->config2 = (attr->config2 & ~f->mask) | bits;
		break;
	}
	return 0;
}
