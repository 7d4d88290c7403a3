// SPDX-License-Identifier: Apache-2.0
/*
 * How numbers and words are read, printed and described. What print writes, parse reads back.
 */
#include "engine/config_types.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "util/parse.h"

static void put(struct buffer *out, const char *text)
{
	buffer_put(out, text, strlen(text));
}

/* --- numbers --- */

static int store_number(const struct config_key *k, uint64_t v, void *field)
{
	if ((v < k->min || v > k->max) && !(v == 0 && k->zero))
		return -ERANGE;
	if (k->type->size == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)v;
	else
		*(uint64_t *)field = v;
	return 0;
}

static uint64_t load_number(const struct config_key *k, const void *field)
{
	return k->type->size == sizeof(uint32_t) ? *(const uint32_t *)field
						 : *(const uint64_t *)field;
}

static int parse_number(const struct config_key *k, const char *text, void *field)
{
	uint64_t v;
	int r = parse_u64(text, &v);

	return r < 0 ? r : store_number(k, v, field);
}

static void put_number(uint64_t v, struct buffer *out)
{
	buffer_printf(out, "%llu", (unsigned long long)v);
}

static void print_number(const struct config_key *k, const void *field, struct buffer *out)
{
	put_number(load_number(k, field), out);
}

static void put_allowed(const struct config_key *k, const char *what,
			void (*put_one)(uint64_t, struct buffer *), struct buffer *out)
{
	buffer_printf(out, "%s from ", what);
	put_one(k->min, out);
	put(out, " to ");
	put_one(k->max, out);
	if (k->zero)
		buffer_printf(out, ", or 0: %s", k->zero);
}

static void allowed_number(const struct config_key *k, struct buffer *out)
{
	put_allowed(k, "a number", put_number, out);
}

const struct value_type type_uint = {
	.size = sizeof(uint32_t),
	.parse = parse_number,
	.print = print_number,
	.allowed = allowed_number,
};

const struct value_type type_u64 = {
	.size = sizeof(uint64_t),
	.parse = parse_number,
	.print = print_number,
	.allowed = allowed_number,
};

static int parse_size_value(const struct config_key *k, const char *text, void *field)
{
	uint64_t v;
	int r = parse_size(text, &v);

	return r < 0 ? r : store_number(k, v, field);
}

static void put_size(uint64_t v, struct buffer *out)
{
	static const char units[] = "KMGTP";
	size_t unit = 0;

	while (v && v % 1024 == 0 && unit < sizeof(units) - 1) {
		v /= 1024;
		unit++;
	}
	put_number(v, out);
	if (unit)
		buffer_put_byte(out, (uint8_t)units[unit - 1]);
}

static void print_size(const struct config_key *k, const void *field, struct buffer *out)
{
	put_size(load_number(k, field), out);
}

static void allowed_size(const struct config_key *k, struct buffer *out)
{
	put_allowed(k, "a size", put_size, out);
}

const struct value_type type_size = {
	.size = sizeof(uint64_t),
	.parse = parse_size_value,
	.print = print_size,
	.allowed = allowed_size,
};

/* Rings are addressed by masking, in the kernel too. */
static int parse_ring_size(const struct config_key *k, const char *text, void *field)
{
	uint64_t v, rounded;
	int r = parse_size(text, &v);

	if (r < 0)
		return r;
	if (v == 0 || v > k->max)
		return -ERANGE;
	rounded = v & (v - 1) ? 1ULL << (64 - __builtin_clzll(v)) : v;
	r = store_number(k, rounded, field);
	return r < 0 ? r : rounded != v;
}

const struct value_type type_ring_size = {
	.size = sizeof(uint64_t),
	.parse = parse_ring_size,
	.print = print_size,
	.allowed = allowed_size,
};

static int parse_duration_value(const struct config_key *k, const char *text, void *field)
{
	uint64_t v;
	int r = parse_duration(text, &v);

	return r < 0 ? r : store_number(k, v, field);
}

static void put_duration(uint64_t v, struct buffer *out)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "d", 86400 * NSEC_PER_SEC },
		{ "h", 3600 * NSEC_PER_SEC },
		{ "min", 60 * NSEC_PER_SEC },
		{ "s", NSEC_PER_SEC },
		{ "ms", NSEC_PER_MSEC },
		{ "us", NSEC_PER_USEC },
		{ "ns", 1 },
	};
	size_t i = 0;

	while (v % units[i].ns != 0)
		i++;
	put_number(v / units[i].ns, out);
	if (v)
		put(out, units[i].name);
}

static void print_duration(const struct config_key *k, const void *field, struct buffer *out)
{
	put_duration(load_number(k, field), out);
}

static void allowed_duration(const struct config_key *k, struct buffer *out)
{
	put_allowed(k, "a time", put_duration, out);
}

const struct value_type type_duration = {
	.size = sizeof(uint64_t),
	.parse = parse_duration_value,
	.print = print_duration,
	.allowed = allowed_duration,
};

/* Permissions are written in octal, with or without the 0 in front. */
static int parse_mode(const struct config_key *k, const char *text, void *field)
{
	uint64_t v = 0;

	if (!*text || strlen(text) > 6)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return -EINVAL;
		v = v << 3 | (uint64_t)(*text - '0');
	}
	return store_number(k, v, field);
}

static void put_mode(uint64_t v, struct buffer *out)
{
	buffer_printf(out, "%04llo", (unsigned long long)v);
}

static void print_mode(const struct config_key *k, const void *field, struct buffer *out)
{
	put_mode(load_number(k, field), out);
}

static void allowed_mode(const struct config_key *k, struct buffer *out)
{
	put_allowed(k, "permissions", put_mode, out);
}

const struct value_type type_mode = {
	.size = sizeof(uint32_t),
	.parse = parse_mode,
	.print = print_mode,
	.allowed = allowed_mode,
};

/* A percent sign may follow. */
static int parse_percent(const struct config_key *k, const char *text, void *field)
{
	char number[32];
	size_t n = strlen(text);
	double v;
	int r;

	if (n && text[n - 1] == '%')
		n--;
	if (n >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, n);
	number[n] = 0;
	r = parse_double(number, &v);
	if (r < 0)
		return r;
	if (v < (double)k->min || v > (double)k->max)
		return -ERANGE;
	*(double *)field = v;
	return 0;
}

static void print_percent(const struct config_key *k, const void *field, struct buffer *out)
{
	(void)k;
	buffer_printf(out, "%.15g", *(const double *)field);
}

static void allowed_percent(const struct config_key *k, struct buffer *out)
{
	put_allowed(k, "a percentage", put_number, out);
}

const struct value_type type_percent = {
	.parse = parse_percent,
	.print = print_percent,
	.allowed = allowed_percent,
};

/* --- words --- */

static int parse_bool_value(const struct config_key *k, const char *text, void *field)
{
	(void)k;
	return parse_bool(text, field);
}

static void print_bool(const struct config_key *k, const void *field, struct buffer *out)
{
	(void)k;
	put(out, *(const bool *)field ? "yes" : "no");
}

static void allowed_bool(const struct config_key *k, struct buffer *out)
{
	(void)k;
	put(out, "yes or no");
}

const struct value_type type_bool = {
	.parse = parse_bool_value,
	.print = print_bool,
	.allowed = allowed_bool,
};

static int parse_choice(const struct config_key *k, const char *text, void *field)
{
	for (int i = 0; k->words[i]; i++)
		if (strcasecmp(k->words[i], text) == 0) {
			*(unsigned int *)field = (unsigned int)i;
			return 0;
		}
	return -EINVAL;
}

static void print_choice(const struct config_key *k, const void *field, struct buffer *out)
{
	put(out, k->words[*(const unsigned int *)field]);
}

static void allowed_choice(const struct config_key *k, struct buffer *out)
{
	for (size_t i = 0; k->words[i]; i++) {
		if (i)
			put(out, k->words[i + 1] ? ", " : " or ");
		put(out, k->words[i]);
	}
}

const struct value_type type_choice = {
	.parse = parse_choice,
	.print = print_choice,
	.allowed = allowed_choice,
};
