// SPDX-License-Identifier: Apache-2.0
/*
 * Formulas: any bytes are either parsed into one that is evaluated within its stack, whatever the
 * values, or refused at a place within the text. No result is inf or nan.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmu/metric.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Values made of the name: some absent, some zero, some beyond all bounds. */
static bool look_up(const char *name, void *userdata, double *ret)
{
	static const double values[] = { 0, 1, -1, 1e-320, 1e308, -1e308, INFINITY, NAN, 3.5 };
	unsigned int hash = *(unsigned int *)userdata;

	for (; *name; name++)
		hash = hash * 31 + (unsigned char)*name;
	*ret = values[hash % (sizeof(values) / sizeof(values[0]))];
	return hash % 11 != 0;
}

static void check_formula(const struct metric_formula *f)
{
	assert(f->n_ops > 0 && f->n_ops <= METRIC_MAX_OPS && f->n_names <= METRIC_MAX_NAMES);
	for (unsigned int seed = 0; seed < 8; seed++) {
		const char *absent = NULL;
		double v;
		int r = metric_eval(f, look_up, &seed, &v, &absent);

		assert(r == 0 || r == -ENODATA || r == -EDOM);
		assert(!absent == (r != -ENODATA));
		assert(r < 0 || isfinite(v));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct metric_formula f;
	size_t at = 0;
	char *text;
	int r;

	if (size > 4096)
		return 0;
	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = 0;
	r = metric_formula_parse(text, &f, &at);
	assert(r == 0 || r == -EINVAL || r == -E2BIG);
	if (r == 0)
		check_formula(&f);
	else
		assert(at <= strlen(text));
	free(text);
	return 0;
}
