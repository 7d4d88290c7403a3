// SPDX-License-Identifier: Apache-2.0
/*
 * libpfm4 is told to take this machine for a Broadwell-EP, so that its names are the same wherever
 * the test runs; on another architecture those tests are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "pmu/internal.h"
#include "pmu_tree.h"
#include "util/cleanup.h"

static const struct tree_file machine[] = {
	{ "cpu/type", "4\n" },
	{ "cpu/format/event", "config:0-7\n" },
	{ "cpu/events/cpu-cycles", "event=0x3c\n" },
	{ "uncore_imc_0/type", "17\n" },
	{ "uncore_imc_0/cpumask", "0\n" },
	{ "uncore_imc_0/format/event", "config:0-7\n" },
	{ "uncore_imc_0/events/cas_count_read", "event=0x04\n" },
	{ "uncore_imc_0/events/cas_count_read.unit", "MiB\n" },
	{ "uncore_imc_0/events/cas_count_read.scale", "6.103515625e-5\n" },
	{ "uncore_imc_0/events/.hidden", "event=0x04\n" },
};

static bool has_broadwell(void)
{
	struct pmu_event ev = { 0 };
	char *error = NULL;
	bool has = pfm_resolve("INST_RETIRED:ANY_P", "/nonexistent", &ev, &error) != -ENOENT;

	free(error);
	pmu_event_done(&ev);
	return has;
}

/* Encodings and names of core events are those of Intel's tables, modifiers of both kinds included.
 */
static void test_libpfm4(void **state)
{
	static const struct {
		int line;
		const char *spec, *name;
		uint64_t config;
		int user, kernel; /* excluded */
		uint64_t hz, period;
		unsigned int precise;
	} rows[] = {
		{ __LINE__, "LONGEST_LAT_CACHE:MISS", "LONGEST_LAT_CACHE:MISS", 0x412e, 0, 0, 99, 0,
		  0 },
		{ __LINE__, "longest_lat_cache.miss", "LONGEST_LAT_CACHE:MISS", 0x412e, 0, 0, 99, 0,
		  0 },
		{ __LINE__, "bdw_ep::LONGEST_LAT_CACHE:MISS@7", "LONGEST_LAT_CACHE:MISS", 0x412e, 0,
		  0, 0, 7, 0 },
		{ __LINE__, "INST_RETIRED:ANY_P:u", "INST_RETIRED:ANY_P:u", 0xc0, 0, 1, 99, 0, 0 },
		{ __LINE__, "INST_RETIRED:ANY_P:k:c=2", "INST_RETIRED:ANY_P:c=2:k", 0x20000c0, 1, 0,
		  99, 0, 0 },
		{ __LINE__, "INST_RETIRED:ANY_P:uk", "INST_RETIRED:ANY_P", 0xc0, 0, 0, 99, 0, 0 },
		{ __LINE__, "MEM_LOAD_UOPS_RETIRED:L3_MISS:upp",
		  "MEM_LOAD_UOPS_RETIRED:L3_MISS:upp", 0x20d1, 0, 1, 99, 0, 2 },
		{ __LINE__, "MEM_LOAD_UOPS_RETIRED:L3_MISS:precise=1",
		  "MEM_LOAD_UOPS_RETIRED:L3_MISS:precise=1", 0x20d1, 0, 0, 99, 0, 1 },
		{ __LINE__, "INST_RETIRED:ANY_P:period=1000", "INST_RETIRED:ANY_P", 0xc0, 0, 0, 0,
		  1000, 0 },
		{ __LINE__, "INST_RETIRED:ANY_P:freq=49", "INST_RETIRED:ANY_P", 0xc0, 0, 0, 49, 0,
		  0 },
	};
	const struct pmu_defaults d = { .sysfs = *state };

	if (!has_broadwell())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pmu_event *ev = NULL;
		struct perf_event_attr *a;
		char *error = NULL;
		size_t n = 0;

		/* what another library call left behind must not matter */
		errno = ERANGE;
		if (pmu_events_parse(rows[i].spec, &d, &ev, &n, &error))
			fail_msg("line %d: %s", rows[i].line, error);
		a = &ev->attr;
		if (a->type != PERF_TYPE_RAW || a->config != rows[i].config ||
		    a->exclude_user != rows[i].user || a->exclude_kernel != rows[i].kernel ||
		    a->precise_ip != rows[i].precise || ev->source != PMU_SOURCE_LIBPFM4)
			fail_msg("line %d: type %u, config %#llx, precise %d", rows[i].line,
				 a->type, (unsigned long long)a->config, a->precise_ip);
		if ((a->freq ? a->sample_freq : 0) != rows[i].hz ||
		    (a->freq ? 0 : a->sample_period) != rows[i].period)
			fail_msg("line %d: rate %llu", rows[i].line,
				 (unsigned long long)a->sample_freq);
		assert_string_equal(ev->name, rows[i].name);
		assert_string_equal(ev->pmu, "cpu");
		assert_int_equal(!!(a->sample_type & PERF_SAMPLE_CALLCHAIN), a->precise_ip > 0);
		pmu_events_free(ev, n);
	}
}

/* A wrong unit mask lists the right ones; another machine's event is told from a typing error. */
static void test_libpfm4_refused(void **state)
{
	static const struct {
		int line;
		const char *spec;
		int r;
		const char *says;
	} rows[] = {
		{ __LINE__, "LONGEST_LAT_CACHE:MIS", -EINVAL, "unit masks: MISS, REFERENCE" },
		{ __LINE__, "LONGEST_LAT_CACHE:MISS:zz=1", -EINVAL, "unit masks" },
		{ __LINE__, "MEM_LOAD_UOPS_RETIRED", -EINVAL, "unit mask" },
		{ __LINE__, "LONGEST_LAT_CACHE:MISS:c=999", -EINVAL, "" },
		{ __LINE__, "LONGEST_LAT_CACH:MISS", -ENOENT, "near it: LONGEST_LAT_CACHE:MISS" },
		{ __LINE__, "bdw_ep::NOPE", -ENOENT, "no such event" },
		{ __LINE__, "amd64_fam17h_zen2::RETIRED_INSTRUCTIONS", -EOPNOTSUPP,
		  "knows it for amd64_fam17h_zen2" },
		{ __LINE__, "RETIRED_INSTRUCTIONS", -EOPNOTSUPP, "knows it for amd64" },
		{ __LINE__, "LONGEST_LAT_CACHE:MISS@0", -EINVAL, "out of range" },
		{ __LINE__, "::", -ENOENT, "" },
		{ __LINE__, "bdw_ep::", -ENOENT, "" },
		{ __LINE__, ":u", -ENOENT, "" },
		{ __LINE__, "LONGEST LAT", -ENOENT, "" },
	};
	const struct pmu_defaults d = { .sysfs = *state };

	if (!has_broadwell())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pmu_event *ev;
		char *error = NULL;
		size_t n;
		int r = pmu_events_parse(rows[i].spec, &d, &ev, &n, &error);

		if (r != rows[i].r || !strstr(error, rows[i].says))
			fail_msg("line %d: %d, %s", rows[i].line, r, error);
		free(error);
	}
}

/* LIBPFM_ENCODE_INACTIVE in the caller's environment is kept from libpfm4, and left as it was. */
static void test_environment(void **state)
{
	const struct pmu_defaults d = { .sysfs = *state };
	struct pmu_event *ev;
	char *error = NULL;
	size_t n;

	assert_int_equal(
		pmu_events_parse("amd64_fam17h_zen2::RETIRED_INSTRUCTIONS", &d, &ev, &n, &error),
		has_broadwell() ? -EOPNOTSUPP : -ENOENT);
	free(error);
	assert_string_equal(getenv("LIBPFM_ENCODE_INACTIVE"), "1");
	assert_null(getenv("LIBPFM_DISABLED_PMUS"));
}

/* A slip of the fingers, and the same words in another spelling, find what was meant. */
static void test_near(void **state)
{
	static const struct {
		int line;
		const char *name;
		const char *first; /* NULL: nothing is near */
	} rows[] = {
		{ __LINE__, "cycels", "cycles" },
		{ __LINE__, "cyclse", "cycles" },
		{ __LINE__, "Instruction", "instructions" },
		{ __LINE__, "pagefaults", "page-faults" },
		{ __LINE__, "page_faults", "page-faults" },
		{ __LINE__, "cpuclock", "cpu-clock" },
		{ __LINE__, "LLC-load-mises", "LLC-load-misses" },
		{ __LINE__, "misses-load-dTLB", "dTLB-load-misses" },
		{ __LINE__, "cpu/cpu-cycle/", "cpu/cpu-cycles/" },
		{ __LINE__, "cas_count_read", "uncore_imc_0/cas_count_read/" },
		{ __LINE__, "uncore_imc/cas_count_read/", "uncore_imc_0/cas_count_read/" },
		{ __LINE__, "xylophone", NULL },
		{ __LINE__, "", NULL },
		{ __LINE__, "\xff\xfe\x01", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *near = pmu_near_names(rows[i].name, *state);

		if (!rows[i].first != !near ||
		    (near && strncmp(near, rows[i].first, strlen(rows[i].first)) != 0))
			fail_msg("line %d: '%s' gave %s", rows[i].line, rows[i].name, near);
	}
}

struct seen {
	size_t n[PMU_SOURCE_RAW];
	size_t last_source;
	const char *last_name;
};

/* The list has every source, sorted, one ability each, and a reason exactly where sampling fails.
 */
static void test_list(void **state)
{
	struct pmu_listed *list = NULL;
	struct seen seen = { 0 };
	size_t n = 0;

	assert_int_equal(pmu_list(NULL, *state, &list, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_true(list[i].source < PMU_SOURCE_RAW && list[i].source >= seen.last_source);
		if (list[i].source == seen.last_source && seen.last_name)
			assert_true(strcmp(seen.last_name, list[i].name) < 0);
		seen.last_source = list[i].source;
		seen.last_name = list[i].name;
		seen.n[list[i].source]++;
		assert_int_equal(list[i].ability == PMU_SAMPLES, !list[i].reason);
		assert_int_equal(list[i].ability == PMU_SAMPLES, !list[i].error);
		assert_non_null(list[i].description);
		assert_non_null(list[i].pmu);
	}
	assert_int_equal(seen.n[PMU_SOURCE_ALIAS], 54);
	assert_int_equal(seen.n[PMU_SOURCE_SYSFS], 2);
	if (has_broadwell())
		assert_true(seen.n[PMU_SOURCE_LIBPFM4] > 300);
	pmu_listed_free(list, n);
}

/* A pattern is part of a name in any case; .unit and .scale are no events of their own. */
static void test_list_pattern(void **state)
{
	struct pmu_listed *list = NULL;
	size_t n = 0;

	assert_int_equal(pmu_list("CAS_count", *state, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, "uncore_imc_0/cas_count_read/");
	assert_string_equal(list[0].description, "event=0x04, in MiB");
	assert_string_equal(list[0].pmu, "uncore_imc_0");
	assert_int_not_equal(list[0].ability, PMU_SAMPLES);
	list = pmu_listed_free(list, n);
	assert_int_equal(pmu_list("no such thing", *state, &list, &n), 0);
	assert_int_equal(n, 0);
	pmu_listed_free(list, n);
}

static int setup(void **state)
{
	setenv("LIBPFM_FORCE_PMU", "bdw_ep", 1);
	setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
	unsetenv("LIBPFM_DISABLED_PMUS");
	*state = tree_new(machine, ARRAY_SIZE(machine));
	return 0;
}

static int teardown(void **state)
{
	tree_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libpfm4),	    cmocka_unit_test(test_libpfm4_refused),
		cmocka_unit_test(test_environment), cmocka_unit_test(test_near),
		cmocka_unit_test(test_list),	    cmocka_unit_test(test_list_pattern),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
