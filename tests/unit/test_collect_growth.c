// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that leaks is told from memory that does not: simulators of both, sampled every ten
 * seconds for an hour. A leak gains a confidence above 90 and keeps it; what only looks like one
 * never reaches 50, at no moment.
 */
#include <errno.h>
#include <math.h>

#include "collect_fixture.h"

#include "collect/growth.h"

#define MIB (1024.0 * 1024)
#define SECONDS 10
#define SAMPLES 360

static uint64_t seed;

/* 0 to 1, the same in every run. */
static double random_share(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(seed >> 40) / (double)(1 << 24);
}

/* --- simulators: bytes at a time in seconds --- */

static double steady_leak(double t)
{
	return 50 * MIB + 0.1 * MIB * t;
}

static double slow_leak(double t)
{
	return 200 * MIB + 0.01 * MIB * t;
}

/* Requests come at random, each leaks. */
static double noisy_leak(double t)
{
	static double bytes;

	bytes = t == 0 ? 100 * MIB : bytes + (0.5 + random_share()) * MIB;
	return bytes;
}

/* A leak below a garbage collector's ups and downs of two minutes. */
static double leak_below_sawtooth(double t)
{
	return 100 * MIB + 0.2 * MIB * t + 30 * MIB * fmod(t, 120) / 120;
}

/* A leak of a batch every minute. */
static double leak_in_steps(double t)
{
	return 80 * MIB + 5 * MIB * floor(t / 60);
}

static double sawtooth(double t)
{
	return 100 * MIB + 200 * MIB * fmod(t, 180) / 180;
}

static double slow_sawtooth(double t)
{
	return 100 * MIB + 200 * MIB * fmod(t, 400) / 400;
}

static double warming_cache(double t)
{
	return 50 * MIB + 500 * MIB * (1 - exp(-t / 120));
}

static double slowly_warming_cache(double t)
{
	return 50 * MIB + 500 * MIB * (1 - exp(-t / 600));
}

/* An LRU that fills at a constant rate up to its limit. */
static double filling_cache(double t)
{
	return 50 * MIB + fmin(300 * MIB, 1 * MIB * t);
}

static double one_allocation(double t)
{
	return t < 300 ? 50 * MIB : 900 * MIB;
}

static double flat(double t)
{
	(void)t;
	return 100 * MIB;
}

static double noise(double t)
{
	(void)t;
	return 100 * MIB + 20 * MIB * random_share();
}

static double shrinking(double t)
{
	return 500 * MIB - 0.1 * MIB * t;
}

static double creeping(double t)
{
	return 1000 * MIB + 100 * t; /* 100 bytes a second */
}

static void test_simulators(void **state)
{
	static const struct {
		int line;
		const char *name;
		double (*bytes)(double t);
		bool leak;
	} rows[] = {
		{ __LINE__, "steady leak", steady_leak, true },
		{ __LINE__, "slow leak", slow_leak, true },
		{ __LINE__, "noisy leak", noisy_leak, true },
		{ __LINE__, "leak below a sawtooth", leak_below_sawtooth, true },
		{ __LINE__, "leak in steps", leak_in_steps, true },
		{ __LINE__, "sawtooth", sawtooth, false },
		{ __LINE__, "slow sawtooth", slow_sawtooth, false },
		{ __LINE__, "warming cache", warming_cache, false },
		{ __LINE__, "slowly warming cache", slowly_warming_cache, false },
		{ __LINE__, "filling cache", filling_cache, false },
		{ __LINE__, "one allocation", one_allocation, false },
		{ __LINE__, "flat", flat, false },
		{ __LINE__, "noise", noise, false },
		{ __LINE__, "shrinking", shrinking, false },
		{ __LINE__, "creeping", creeping, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct growth_judgement j = {};
		struct growth g = {};
		double most = 0, least_late = 100;

		seed = 1;
		for (unsigned int k = 0; k < SAMPLES; k++) {
			growth_add(&g, (1000 + k * SECONDS) * NSEC_PER_SEC,
				   (uint64_t)rows[i].bytes(k * SECONDS));
			growth_judge(&g, &j);
			most = fmax(most, j.confidence);
			if (k * SECONDS >= 1200)
				least_late = fmin(least_late, j.confidence);
		}
		printf("%-24s at most %3.0f %%, after 20 minutes at least %3.0f %%\n",
		       rows[i].name, most, least_late);
		if (rows[i].leak ? least_late <= 90 : most >= 50)
			fail_msg("line %d: %s: at most %.1f, late at least %.1f", rows[i].line,
				 rows[i].name, most, least_late);
	}
}

/* The rate is the leak's, and the history never grows. */
static void test_rate(void **state)
{
	struct growth_judgement j;
	struct growth g = {};

	(void)state;
	for (unsigned int k = 0; k < 100000; k++)
		growth_add(&g, (1 + k) * NSEC_PER_SEC, 1000000 + 2000ULL * k);
	growth_judge(&g, &j);
	assert_true(g.n <= GROWTH_SAMPLES);
	assert_true(fabs(j.per_second - 2000) < 2000 * 0.15);
	assert_int_equal(j.watched_ns, 99999 * NSEC_PER_SEC);
	assert_true(j.confidence > 90);
}

static void test_too_early(void **state)
{
	struct growth_judgement j;
	struct growth g = {};

	(void)state;
	growth_judge(&g, &j);
	assert_true(j.confidence == 0);
	for (unsigned int k = 0; k < 2 * GROWTH_PARTS - 1; k++)
		growth_add(&g, (1 + k) * 100 * NSEC_PER_SEC, k * 100000000ULL);
	growth_judge(&g, &j);
	assert_true(j.confidence == 0 && j.grown == 0);
	/* All at the same moment: no time has passed. */
	g = (struct growth){};
	for (unsigned int k = 0; k < 100; k++)
		growth_add(&g, 5, k * 100000000ULL);
	growth_judge(&g, &j);
	assert_true(j.confidence == 0);
}

/* --- the collector --- */

static void put_process(struct tree *t, unsigned int pid, unsigned int start, double own_bytes,
			double file_bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t own = (uint64_t)own_bytes / page, file = (uint64_t)file_bytes / page;
	char path[64], text[512];

	snprintf(path, sizeof(path), "proc/%u/stat", pid);
	snprintf(text, sizeof(text),
		 "%u (a (b) c) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %u 999999999 %llu 0\n", pid,
		 start, (unsigned long long)(own + file));
	tree_put(t, path, text);
	snprintf(path, sizeof(path), "proc/%u/statm", pid);
	snprintf(text, sizeof(text), "99999 %llu %llu 1 0 9 0\n", (unsigned long long)(own + file),
		 (unsigned long long)file);
	tree_put(t, path, text);
}

static void test_collector(void **state)
{
	_cleanup_free_ char *text = NULL, *again = NULL, *bad = NULL;
	struct tree t;

	(void)state;
	tree_init(&t);
	tree_open(&t, "memory_growth");
	for (unsigned int k = 0; k < 120; k++) {
		put_process(&t, 10, 5, steady_leak(k * SECONDS), 0);
		put_process(&t, 11, 5, 20 * MIB, 20 * MIB + MIB * k); /* reads files */
		put_process(&t, 12, 5, 1 * MIB, 0); /* too small */
		free(text);
		text = tree_read(&t);
		t.now_ns += (SECONDS - 1) * TEST_SECOND_NS;
	}
	assert_int_equal(t.result, 0);
	assert_int_equal(t.problems, 0);
	assert_non_null(strstr(text, "memory_growth pid=10 start=5 comm=\"a (b) c\" "
				     "confidence=100% memory="));
	assert_null(strstr(text, "pid=11"));
	assert_non_null(strstr(text, "memory_growth_counts watched=2 suspected=1 left_out=0\n"));

	/* Another process of the same pid begins anew. */
	put_process(&t, 10, 6, 300 * MIB, 0);
	again = tree_read(&t);
	assert_string_equal(again, "memory_growth_counts watched=2 suspected=0 left_out=0\n");

	tree_put(&t, "proc/10/stat", "nonsense");
	tree_put(&t, "proc/11/statm", "1 2");
	bad = tree_read(&t);
	assert_int_equal(t.result, 0);
	assert_int_equal(t.problems, 1);
	assert_string_equal(bad, "memory_growth_counts watched=0 suspected=0 left_out=0\n");
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simulators),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_too_early),
		cmocka_unit_test(test_collector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
