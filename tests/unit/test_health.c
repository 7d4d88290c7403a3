// SPDX-License-Identifier: Apache-2.0
// The budget: rates fall when samples are what costs, not when something else is, and come back.
#include <linux/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/health.h"

#define BUDGET 1.0

/* `n` intervals of a daemon that takes `other` percent of a CPU, and `full` for samples at the full rate. */
static unsigned int run(struct health *h, unsigned int n, double other, double full)
{
	unsigned int changes = 0;

	for (unsigned int i = 0; i < n; i++) {
		h->samples_cpu_percent = full * h->rate_factor;
		h->cpu_percent = other + h->samples_cpu_percent;
		changes |= health_keep_budget(h, BUDGET);
	}
	return changes;
}

static void samples_are_lowered_to_the_budget(void **state)
{
	struct health h = { .rate_factor = 1 };

	(void)state;
	assert_int_equal(run(&h, 2, 0.1, 4), 0); /* a moment is no reason */
	assert_int_equal(run(&h, 60, 0.1, 4), HEALTH_RATE_LOWERED);
	assert_true(h.cpu_percent <= BUDGET && h.cpu_percent > 0.5 * BUDGET);
	assert_false(h.over_budget);
}

static void rates_come_back(void **state)
{
	struct health h = { .rate_factor = 1 };

	(void)state;
	run(&h, 60, 0.1, 4);
	assert_int_equal(run(&h, 60, 0.1, 0.5), HEALTH_RATE_RAISED);
	assert_true(h.rate_factor == 1);
	assert_int_equal(run(&h, 60, 0.1, 0.5), 0);
}

/* Others take it all: the rate stays, and that is told as long as it is so. */
static void samples_do_not_pay_for_others(void **state)
{
	struct health h = { .rate_factor = 1 };

	(void)state;
	assert_int_equal(run(&h, 60, 2, 0.02), 0);
	assert_true(h.rate_factor == 1);
	assert_true(h.over_budget);
	assert_int_equal(run(&h, 1, 0.2, 0.02), 0);
	assert_false(h.over_budget);
}

/* Both are too much: samples keep their quarter, and a rate once found does not swing. */
static void samples_keep_their_quarter(void **state)
{
	struct health h = { .rate_factor = 1 };
	double factor;

	(void)state;
	assert_int_equal(run(&h, 60, 2, 4), HEALTH_RATE_LOWERED);
	assert_true(h.samples_cpu_percent > 0.24 * BUDGET && h.samples_cpu_percent < 0.26 * BUDGET);
	assert_true(h.over_budget);
	factor = h.rate_factor;
	assert_int_equal(run(&h, 600, 2, 4), 0);
	assert_true(h.rate_factor == factor);
	/* A rate that had to be low comes back even so, when samples have become cheap. */
	assert_int_equal(run(&h, 600, 2, 0.02), HEALTH_RATE_RAISED);
	assert_true(h.rate_factor == 1);
}

static void no_budget_no_change(void **state)
{
	struct health h = { .rate_factor = 1, .cpu_percent = 50, .samples_cpu_percent = 50 };

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(health_keep_budget(&h, 0), 0);
	assert_false(h.over_budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_lowered_to_the_budget),
		cmocka_unit_test(rates_come_back),
		cmocka_unit_test(samples_do_not_pay_for_others),
		cmocka_unit_test(samples_keep_their_quarter),
		cmocka_unit_test(no_budget_no_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
