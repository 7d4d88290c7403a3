// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/perf_event.h>
#include <perfmon/pfmlib.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "pmu/catalog.h"
#include "pmu/internal.h"

static const struct pmu_cpu broadwell = { "GenuineIntel", 6, 0x4f };
static const struct pmu_cpu zen1 = { "AuthenticAMD", 0x17, 0x01 };
static const struct pmu_cpu zen2 = { "AuthenticAMD", 0x17, 0x71 };
static const struct pmu_cpu zen3 = { "AuthenticAMD", 0x19, 0x21 };
static const struct pmu_cpu zen5 = { "AuthenticAMD", 0x1a, 0x02 };
static const struct pmu_cpu hygon = { "HygonGenuine", 0x18, 0x01 };
static const struct pmu_cpu k10 = { "AuthenticAMD", 0x10, 0x02 };
static const struct pmu_cpu unknown = { "", 0, 0 };

/* perf's names, in any case and in their short forms, are the kernel's generic encodings. */
static void test_names(void **state)
{
	static const struct {
		int line;
		const char *name, *shown;
		uint32_t type;
		uint64_t config;
	} rows[] = {
		{ __LINE__, "cycles", "cycles", 0, 0 },
		{ __LINE__, "instructions", "instructions", 0, 1 },
		{ __LINE__, "cache-references", "cache-references", 0, 2 },
		{ __LINE__, "cache-misses", "cache-misses", 0, 3 },
		{ __LINE__, "branch-instructions", "branches", 0, 4 },
		{ __LINE__, "branch-misses", "branch-misses", 0, 5 },
		{ __LINE__, "bus-cycles", "bus-cycles", 0, 6 },
		{ __LINE__, "idle-cycles-frontend", "stalled-cycles-frontend", 0, 7 },
		{ __LINE__, "stalled-cycles-backend", "stalled-cycles-backend", 0, 8 },
		{ __LINE__, "ref-cycles", "ref-cycles", 0, 9 },
		{ __LINE__, "cpu-clock", "cpu-clock", 1, 0 },
		{ __LINE__, "task-clock", "task-clock", 1, 1 },
		{ __LINE__, "faults", "page-faults", 1, 2 },
		{ __LINE__, "cs", "context-switches", 1, 3 },
		{ __LINE__, "migrations", "cpu-migrations", 1, 4 },
		{ __LINE__, "minor-faults", "minor-faults", 1, 5 },
		{ __LINE__, "major-faults", "major-faults", 1, 6 },
		{ __LINE__, "alignment-faults", "alignment-faults", 1, 7 },
		{ __LINE__, "emulation-faults", "emulation-faults", 1, 8 },
		{ __LINE__, "dummy", "dummy", 1, 9 },
		{ __LINE__, "bpf-output", "bpf-output", 1, 10 },
		{ __LINE__, "cgroup-switches", "cgroup-switches", 1, 11 },
		/* cache | op << 8 | miss << 16 */
		{ __LINE__, "L1-dcache-loads", "L1-dcache-loads", 3, 0x00000 },
		{ __LINE__, "L1-dcache-load-misses", "L1-dcache-load-misses", 3, 0x10000 },
		{ __LINE__, "l1d-misses", "L1-dcache-load-misses", 3, 0x10000 },
		{ __LINE__, "L1d-store-misses", "L1-dcache-store-misses", 3, 0x10100 },
		{ __LINE__, "L1-data-prefetches", "L1-dcache-prefetches", 3, 0x00200 },
		{ __LINE__, "L1-icache-load-misses", "L1-icache-load-misses", 3, 0x10001 },
		{ __LINE__, "L1i-prefetches", "L1-icache-prefetches", 3, 0x00201 },
		{ __LINE__, "LLC-loads", "LLC-loads", 3, 0x00002 },
		{ __LINE__, "llc-load-misses", "LLC-load-misses", 3, 0x10002 },
		{ __LINE__, "L3-load-misses", "LLC-load-misses", 3, 0x10002 },
		{ __LINE__, "LLC-stores", "LLC-stores", 3, 0x00102 },
		{ __LINE__, "LLC-prefetch-misses", "LLC-prefetch-misses", 3, 0x10202 },
		{ __LINE__, "dTLB-loads", "dTLB-loads", 3, 0x00003 },
		{ __LINE__, "dtlb-store-misses", "dTLB-store-misses", 3, 0x10103 },
		{ __LINE__, "iTLB-load-misses", "iTLB-load-misses", 3, 0x10004 },
		{ __LINE__, "iTLB-misses", "iTLB-load-misses", 3, 0x10004 },
		{ __LINE__, "branch-loads", "branch-loads", 3, 0x00005 },
		{ __LINE__, "branch-load-misses", "branch-load-misses", 3, 0x10005 },
		{ __LINE__, "bpu-load-misses", "branch-load-misses", 3, 0x10005 },
		{ __LINE__, "node-loads", "node-loads", 3, 0x00006 },
		{ __LINE__, "node-prefetch-misses", "node-prefetch-misses", 3, 0x10206 },
	};
	struct catalog_entry e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!catalog_find(rows[i].name, &broadwell, &e) || e.type != rows[i].type ||
		    e.config != rows[i].config || strcmp(e.name, rows[i].shown) != 0)
			fail_msg("line %d: %s", rows[i].line, rows[i].name);
}

/* The L2 is never passed off as the last level, and combinations without a meaning do not exist. */
static void test_strangers(void **state)
{
	static const char *const names[] = { "",
					     "L2-loads",
					     "L2-load-misses",
					     "LLC",
					     "LLC-",
					     "LLC-load",
					     "LLC-loads-misses",
					     "iTLB-stores",
					     "branch-stores",
					     "L1-icache-stores",
					     "L1-dcache-loads ",
					     "cycle",
					     "cyclesx",
					     "L1-dcache",
					     "node" };
	struct catalog_entry e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (catalog_find(names[i], &broadwell, &e))
			fail_msg("'%s' was found as %s", names[i], e.name);
}

static bool is_prime(uint64_t n)
{
	for (uint64_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

struct walk {
	size_t n;
	char last[40];
};

static int check_entry(const struct pmu_known *known, void *userdata)
{
	struct walk *w = userdata;
	struct catalog_entry e;

	w->n++;
	assert_true(catalog_find(known->name, &unknown, &e));
	assert_string_equal(e.name, known->name);
	assert_true(*e.description && strlen(e.description) < sizeof(e.description) - 1);
	assert_false(e.freq_hz && e.period);
	if (e.freq_hz)
		assert_int_equal(e.freq_hz, 99);
	else if (e.period > 1)
		assert_true(is_prime(e.period));
	/* what misses is rare and comes in bursts: by period; what ticks with the clock: by Hz */
	if (strstr(e.name, "-misses") || strstr(e.name, "-faults"))
		assert_true(e.period);
	if (strstr(e.name, "cycles") || strstr(e.name, "clock"))
		assert_true(e.freq_hz);
	return 0;
}

/* Every listed name finds itself, is described, and has one default rate, a prime where a period.
 */
static void test_rates(void **state)
{
	struct walk w = { 0 };

	(void)state;
	assert_int_equal(catalog_each(check_entry, &w), 0);
	/* 22 hardware and software events, 6 + 4 + 6 + 6 + 2 + 2 + 6 of caches */
	assert_int_equal(w.n, 54);
}

/* The promised periods. */
static void test_promised(void **state)
{
	static const struct {
		const char *name;
		uint64_t hz, period;
	} rows[] = {
		{ "cycles", 99, 0 },
		{ "cpu-clock", 99, 0 },
		{ "LLC-load-misses", 0, 100003 },
		{ "dTLB-load-misses", 0, 100003 },
		{ "page-faults", 0, 1009 },
		{ "branch-misses", 0, 1000003 },
		{ "dummy", 0, 0 },
	};
	struct catalog_entry e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(catalog_find(rows[i].name, &broadwell, &e));
		assert_int_equal(e.freq_hz, rows[i].hz);
		assert_int_equal(e.period, rows[i].period);
	}
}

static uint64_t libpfm4_config(const char *name)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	pfm_perf_encode_arg_t arg = { .attr = &attr, .size = sizeof(arg) };

	assert_int_equal(
		pfm_get_os_event_encoding(name, PFM_PLM3 | PFM_PLM0, PFM_OS_PERF_EVENT_EXT, &arg),
		PFM_SUCCESS);
	return attr.config;
}

/* On Zen cores LLC events are the core's own fill counters, as libpfm4's tables spell them. */
static void test_zen(void **state)
{
	static const struct {
		int line;
		const struct pmu_cpu *cpu;
		const char *alias;
		const char *libpfm4; /* NULL: stays the kernel's generic event */
	} rows[] = {
		{ __LINE__, &zen1, "LLC-load-misses", NULL },
		{ __LINE__, &zen2, "LLC-load-misses",
		  "amd64_fam17h_zen2::DATA_CACHE_REFILLS_FROM_SYSTEM:"
		  "LS_MABRESP_LCL_DRAM:LS_MABRESP_RMT_DRAM" },
		{ __LINE__, &zen2, "LLC-loads",
		  "amd64_fam17h_zen2::DATA_CACHE_REFILLS_FROM_SYSTEM:LS_MABRESP_LCL_CACHE:"
		  "LS_MABRESP_RMT_CACHE:LS_MABRESP_LCL_DRAM:LS_MABRESP_RMT_DRAM" },
		{ __LINE__, &zen3, "LLC-load-misses",
		  "amd64_fam19h_zen3::DEMAND_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_LCL:MEM_IO_RMT" },
		{ __LINE__, &zen3, "LLC-loads",
		  "amd64_fam19h_zen3::DEMAND_DATA_CACHE_FILLS_FROM_SYSTEM:INT_CACHE:EXT_CACHE_LCL:"
		  "EXT_CACHE_RMT:MEM_IO_LCL:MEM_IO_RMT" },
		{ __LINE__, &zen2, "dTLB-load-misses", NULL },
		{ __LINE__, &broadwell, "LLC-load-misses", NULL },
		{ __LINE__, &hygon, "LLC-load-misses", NULL },
		{ __LINE__, &k10, "LLC-load-misses", NULL },
		{ __LINE__, &unknown, "LLC-load-misses", NULL },
	};
	struct catalog_entry e;

	(void)state;
	setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
	assert_int_equal(pfm_initialize(), PFM_SUCCESS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(catalog_find(rows[i].alias, rows[i].cpu, &e));
		if (!rows[i].libpfm4 && e.type == PERF_TYPE_HW_CACHE)
			continue;
		if (!rows[i].libpfm4 || e.type != PERF_TYPE_RAW ||
		    e.config != libpfm4_config(rows[i].libpfm4))
			fail_msg("line %d: type %u, config %#llx", rows[i].line, e.type,
				 (unsigned long long)e.config);
		assert_string_equal(e.name, rows[i].alias);
	}
	assert_true(catalog_find("LLC-load-misses", &zen5, &e));
	assert_int_equal(e.config, 0x4843);
	pfm_terminate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_rates), cmocka_unit_test(test_promised),
		cmocka_unit_test(test_zen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
