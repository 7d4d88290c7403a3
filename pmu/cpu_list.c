// SPDX-License-Identifier: Apache-2.0
#include "pmu/cpu_list.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "pmu/internal.h"

static int parse_id(const char **p, int *ret)
{
	long v = 0;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	for (; isdigit((unsigned char)**p); (*p)++) {
		v = v * 10 + (**p - '0');
		if (v > PMU_MAX_CPU)
			return -ERANGE;
	}
	*ret = (int)v;
	return 0;
}

/* "4" or "4-7" */
static int parse_range(const char **p, int *ret_first, int *ret_last)
{
	int r = parse_id(p, ret_first);

	*ret_last = *ret_first;
	if (r == 0 && **p == '-') {
		(*p)++;
		r = parse_id(p, ret_last);
	}
	return r < 0 ? r : *ret_last < *ret_first ? -EINVAL : 0;
}

static int mark(const char *p, unsigned char *bits)
{
	int first, last, r;

	for (;;) {
		r = parse_range(&p, &first, &last);
		if (r < 0)
			return r;
		for (int i = first; i <= last; i++)
			bits[i / 8] |= (unsigned char)(1U << i % 8);
		if (*p != ',')
			return *p ? -EINVAL : 0;
		p++;
	}
}

int pmu_cpu_list_parse(const char *text, int **ret, size_t *ret_n)
{
	unsigned char bits[(PMU_MAX_CPU + 1) / 8] = { 0 };
	size_t n = 0, at = 0;
	int *cpus, r;

	if (!*text) {
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	r = mark(text, bits);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(bits); i++)
		n += (size_t)__builtin_popcount(bits[i]);
	cpus = malloc(n * sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	for (int i = 0; i <= PMU_MAX_CPU; i++)
		if (bits[i / 8] >> i % 8 & 1)
			cpus[at++] = i;
	*ret = cpus;
	*ret_n = n;
	return 0;
}

bool pmu_cpu_list_has(const int *cpus, size_t n, int cpu)
{
	for (size_t i = 0; i < n; i++)
		if (cpus[i] == cpu)
			return true;
	return false;
}
