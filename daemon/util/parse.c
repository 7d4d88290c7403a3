// SPDX-License-Identifier: Apache-2.0
#include "util/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"

#define MAX_CPU_ID 65535

int parse_u64(const char *s, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10);
	if (errno)
		return -errno;
	if (*end)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* Digits with at most one point; no sign, exponent or hexadecimal, which strtod() would take. */
static int parse_decimal(const char *s, const char **ret_end, double *ret)
{
	size_t n = strspn(s, "0123456789.");
	char *end;
	double v;

	errno = 0;
	v = strtod(s, &end);
	if (n == 0 || end != s + n)
		return -EINVAL;
	if (errno || !isfinite(v))
		return -ERANGE;
	*ret_end = end;
	*ret = v;
	return 0;
}

int parse_double(const char *s, double *ret)
{
	const char *end;
	double v;
	int r;

	r = parse_decimal(s, &end, &v);
	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	*ret = v;
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const words[][4] = { { "no", "false", "off", "0" },
						{ "yes", "true", "on", "1" } };

	for (size_t value = 0; value < 2; value++)
		for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++)
			if (strcasecmp(s, words[value][i]) == 0) {
				*ret = value;
				return 0;
			}
	return -EINVAL;
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "KMGTP";
	const char *unit, *end;
	unsigned int shift = 0;
	double v;
	int r;

	r = parse_decimal(s, &end, &v);
	if (r < 0)
		return r;
	while (*end == ' ')
		end++;
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unsigned int)(unit - units + 1);
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'B')
		end++;
	if (*end)
		return -EINVAL;
	v *= (double)(1ULL << shift);
	if (v >= 18446744073709551616.0)
		return -ERANGE;
	*ret_bytes = (uint64_t)v;
	return 0;
}

static uint64_t duration_unit(const char *s, size_t n)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", NSEC_PER_USEC },
		{ "ms", NSEC_PER_MSEC },
		{ "s", NSEC_PER_SEC },
		{ "sec", NSEC_PER_SEC },
		{ "m", 60 * NSEC_PER_SEC },
		{ "min", 60 * NSEC_PER_SEC },
		{ "h", 3600 * NSEC_PER_SEC },
		{ "d", 86400 * NSEC_PER_SEC },
		{ "w", 7 * 86400 * NSEC_PER_SEC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0)
			return units[i].ns;
	return 0;
}

int parse_duration(const char *s, uint64_t *ret_ns)
{
	double total = 0;

	if (!*s)
		return -EINVAL;
	while (*s) {
		uint64_t unit = NSEC_PER_SEC;
		size_t n = 0;
		double v;
		int r;

		r = parse_decimal(s, &s, &v);
		if (r < 0)
			return r;
		while (isalpha((unsigned char)s[n]))
			n++;
		if (n) {
			unit = duration_unit(s, n);
			if (!unit)
				return -EINVAL;
		} else if (*s || total > 0) {
			return -EINVAL;
		}
		s += n;
		while (*s == ' ')
			s++;
		total += v * (double)unit;
	}
	if (total >= 9.2e18)
		return -ERANGE;
	*ret_ns = (uint64_t)total;
	return 0;
}

static int moment_from_calendar(struct tm *tm, bool utc, uint64_t *ret_ns)
{
	int day = tm->tm_mday;
	time_t t;

	tm->tm_isdst = -1;
	t = utc ? timegm(tm) : mktime(tm);
	/* The 30th of February would become the 2nd of March. */
	if (t < 0 || tm->tm_mday != day)
		return -EINVAL;
	if ((uint64_t)t > UINT64_MAX / NSEC_PER_SEC)
		return -ERANGE;
	*ret_ns = (uint64_t)t * NSEC_PER_SEC;
	return 0;
}

static int parse_calendar(const char *s, uint64_t now_ns, uint64_t *ret_ns)
{
	static const char *const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d",	     "%H:%M:%S",	  "%H:%M"
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		time_t now = (time_t)(now_ns / NSEC_PER_SEC);
		const char *end;
		struct tm tm;

		localtime_r(&now, &tm);
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		end = strptime(s, formats[i], &tm);
		if (end && (!*end || strcmp(end, "Z") == 0))
			return moment_from_calendar(&tm, *end == 'Z', ret_ns);
	}
	return -EINVAL;
}

int parse_moment(const char *s, uint64_t now_ns, uint64_t *ret_ns)
{
	uint64_t v;
	int r;

	if (strcmp(s, "now") == 0) {
		*ret_ns = now_ns;
		return 0;
	}
	if (*s == '-') {
		r = parse_duration(s + 1, &v);
		if (r < 0)
			return r;
		if (v > now_ns)
			return -ERANGE;
		*ret_ns = now_ns - v;
		return 0;
	}
	if (*s == '@') {
		double seconds;

		r = parse_double(s + 1, &seconds);
		if (r < 0)
			return r;
		if (seconds > 9.2e9)
			return -ERANGE;
		*ret_ns = (uint64_t)(seconds * 1e9);
		return 0;
	}
	return parse_calendar(s, now_ns, ret_ns);
}

static int compare_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static size_t sort_unique(int *list, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(list, n, sizeof(*list), compare_int);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || list[kept - 1] != list[i])
			list[kept++] = list[i];
	return kept;
}

/* One "A" or "A-B"; moves *s behind it. */
static int parse_range(const char **s, unsigned long *ret_first, unsigned long *ret_last)
{
	unsigned long bound[2];

	for (int i = 0; i < 2; i++) {
		char *end;

		if (!isdigit((unsigned char)**s))
			return -EINVAL;
		bound[i] = strtoul(*s, &end, 10);
		*s = end;
		if (bound[i] > MAX_CPU_ID)
			return -ERANGE;
		if (i == 0 && **s == '-')
			(*s)++;
		else if (i == 0) {
			bound[1] = bound[0];
			break;
		}
	}
	if (bound[0] > bound[1])
		return -EINVAL;
	*ret_first = bound[0];
	*ret_last = bound[1];
	return 0;
}

int parse_cpu_list(const char *s, int **ret, size_t *ret_n)
{
	_cleanup_free_ int *list = NULL;
	size_t n = 0;

	while (*s && *s != '\n') {
		unsigned long first, last;
		int *grown;
		int r = parse_range(&s, &first, &last);

		if (r < 0)
			return r;
		if (n + last - first > MAX_CPU_ID)
			return -ERANGE;
		grown = realloc(list, (n + last - first + 1) * sizeof(*list));
		if (!grown)
			return -ENOMEM;
		list = grown;
		for (unsigned long id = first; id <= last; id++)
			list[n++] = (int)id;
		if (*s == ',' && s[1])
			s++;
		else if (*s && *s != '\n')
			return -EINVAL;
	}
	*ret_n = sort_unique(list, n);
	*ret = TAKE_PTR(list);
	return 0;
}

char *format_size(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes;
	size_t unit = 0;

	while (v >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
		v /= 1000;
		unit++;
	}
	snprintf(out, size, unit && v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return out;
}

char *format_count(double n, char *out, size_t size)
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };
	size_t unit = 0;

	while (n >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
		n /= 1000;
		unit++;
	}
	snprintf(out, size, unit && n < 99.95 ? "%.1f%s" : "%.0f%s", n, units[unit]);
	return out;
}

char *format_duration(uint64_t ns, char *out, size_t size)
{
	uint64_t s = ns / NSEC_PER_SEC;

	if (ns < NSEC_PER_MSEC)
		snprintf(out, size, "%llu us", (unsigned long long)(ns / NSEC_PER_USEC));
	else if (ns < NSEC_PER_SEC)
		snprintf(out, size, "%llu ms", (unsigned long long)(ns / NSEC_PER_MSEC));
	else if (s < 60)
		snprintf(out, size, "%.3g s", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(out, size, s % 60 ? "%llu min %llu s" : "%llu min",
			 (unsigned long long)(s / 60), (unsigned long long)(s % 60));
	else if (s < 86400)
		snprintf(out, size, s % 3600 ? "%llu h %llu min" : "%llu h",
			 (unsigned long long)(s / 3600), (unsigned long long)(s % 3600 / 60));
	else
		snprintf(out, size, s % 86400 ? "%llu d %llu h" : "%llu d",
			 (unsigned long long)(s / 86400), (unsigned long long)(s % 86400 / 3600));
	return out;
}
