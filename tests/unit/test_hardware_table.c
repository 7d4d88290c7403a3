// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/perf_event.h>
#include <perfmon/pfmlib.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define TABLE "tests/hardware/libpfm4-events.txt"

#if defined(__x86_64__)
#define BUILT_FOR_X86 true
#else
#define BUILT_FOR_X86 false
#endif

/* libpfm4's name of the family's PMU; a build for x86 has no tables for arm, and the other way
 * round. */
static const struct {
	const char *family, *pmu;
} pmus[] = {
	{ "bdw_ep", "bdw_ep" },
	{ "skx", "skx" },
	{ "icx", "icx" },
	{ "spr", "spr" },
	{ "zen2", "amd64_fam17h_zen2" },
	{ "zen3", "amd64_fam19h_zen3" },
	{ "zen4", "amd64_fam19h_zen4" },
	{ "arm_n1", "arm_n1" },
	{ "arm_n2", "arm_n2" },
	{ "arm_v1", "arm_v1" },
	{ "arm_v2", "arm_v2" },
};

static const char *pmu_of(const char *family)
{
	for (size_t i = 0; i < ARRAY_SIZE(pmus); i++)
		if (strcmp(pmus[i].family, family) == 0)
			return pmus[i].pmu;
	return NULL;
}

/* 1: encoded; 0: this build of libpfm4 has no tables for the family. */
static int encode(const char *pmu, const char *event, uint64_t *ret)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	pfm_perf_encode_arg_t arg = { .attr = &attr, .size = sizeof(arg) };
	char name[300];
	int r;

	snprintf(name, sizeof(name), "%s::%s", pmu, event);
	r = pfm_get_os_event_encoding(name, PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT, &arg);
	if (r == PFM_ERR_NOTFOUND && (strncmp(pmu, "arm_", 4) == 0) == BUILT_FOR_X86)
		return 0;
	assert_int_equal(r, PFM_SUCCESS);
	*ret = attr.config;
	return 1;
}

/* In the hardware tests' table each name has the encoding that stands beside it. */
static void test_encodings(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(TABLE, "re");
	char line[300], family[32], event[200], fires[16];
	uint64_t config, raw;
	int encoded = 0;

	(void)state;
	assert_non_null(f);
	setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
	assert_int_equal(pfm_initialize(), PFM_SUCCESS);
	for (int n = 1; fgets(line, sizeof(line), f); n++) {
		if (line[0] == '#')
			continue;
		if (sscanf(line, "%31s %199s r%lx %15s", family, event, &raw, fires) != 4 ||
		    !pmu_of(family) ||
		    (strcmp(fires, "always") != 0 && strcmp(fires, "perhaps") != 0))
			fail_msg("%s:%d: %s", TABLE, n, line);
		if (!encode(pmu_of(family), event, &config))
			continue;
		encoded++;
		if (config != raw)
			fail_msg("%s:%d: libpfm4 says %#lx: %s", TABLE, n, config, line);
	}
	assert_true(encoded > 60 || !BUILT_FOR_X86);
	pfm_terminate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
