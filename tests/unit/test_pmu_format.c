// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "pmu/format.h"
#include "util/cleanup.h"

/* A format file names one word and a set of its bits, and anything else is refused. */
static void test_parse(void **state)
{
	static const struct {
		int line;
		const char *text;
		int r;
		unsigned int word;
		uint64_t mask;
	} rows[] = {
		{ __LINE__, "config:0-7", 0, 0, 0xff },
		{ __LINE__, "config:18", 0, 0, 1 << 18 },
		{ __LINE__, "config1:0-63", 0, 1, ~0ULL },
		{ __LINE__, "config2:63", 0, 2, 1ULL << 63 },
		{ __LINE__, "config:0-7,21", 0, 0, 0x2000ff },
		{ __LINE__, "config:0-7,32-35,59-60", 0, 0, 0x1800000f000000ff },
		{ __LINE__, "config:8-15,24-27", 0, 0, 0x0f00ff00 },
		{ __LINE__, "config:32-35,0-7", 0, 0, 0xf000000ff },
		{ __LINE__, "config3:0-7", -EOPNOTSUPP, 0, 0 },
		{ __LINE__, "", -EINVAL, 0, 0 },
		{ __LINE__, "config", -EINVAL, 0, 0 },
		{ __LINE__, "config:", -EINVAL, 0, 0 },
		{ __LINE__, "config:64", -EINVAL, 0, 0 },
		{ __LINE__, "config:0-64", -EINVAL, 0, 0 },
		{ __LINE__, "config:99999999999999999999", -EINVAL, 0, 0 },
		{ __LINE__, "config:7-0", -EINVAL, 0, 0 },
		{ __LINE__, "config:0-", -EINVAL, 0, 0 },
		{ __LINE__, "config:-7", -EINVAL, 0, 0 },
		{ __LINE__, "config:0,", -EINVAL, 0, 0 },
		{ __LINE__, "config:0,,1", -EINVAL, 0, 0 },
		{ __LINE__, "config:0-7 ", -EINVAL, 0, 0 },
		{ __LINE__, "config:0x7", -EINVAL, 0, 0 },
		{ __LINE__, "config12:0", -EINVAL, 0, 0 },
		{ __LINE__, "attr:0-7", -EINVAL, 0, 0 },
		{ __LINE__, "Config:0-7", -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pmu_format f = { .word = 77, .mask = 77 };
		int r = pmu_format_parse(rows[i].text, &f);

		if (r != rows[i].r || f.word != (r ? 77 : rows[i].word) ||
		    f.mask != (r ? 77 : rows[i].mask))
			fail_msg("line %d: %s gave %d, word %u, mask %#llx", rows[i].line,
				 rows[i].text, r, f.word, (unsigned long long)f.mask);
	}
}

/* A value is spread over its bits from the lowest up, other bits stay, and too large is an error.
 */
static void test_scatter(void **state)
{
	static const struct {
		int line;
		const char *format;
		uint64_t value, before;
		int r;
		uint64_t after;
	} rows[] = {
		{ __LINE__, "config:0-7", 0x3c, 0, 0, 0x3c },
		{ __LINE__, "config:8-15", 0x3c, 0xff, 0, 0x3cff },
		/* amd_df: DRAM channel 4 of a Zen 2 is event 0x107 */
		{ __LINE__, "config:0-7,32-35,59-60", 0x107, 0, 0, 0x100000007 },
		{ __LINE__, "config:0-7,32-35,59-60", 0x3fff, 0, 0, 0x1800000f000000ff },
		{ __LINE__, "config:0-7,32-35,59-60", 0x4000, 5, -ERANGE, 5 },
		/* amd core: event 0x1a0 */
		{ __LINE__, "config:0-7,32-35", 0x1a0, 0, 0, 0x1000000a0 },
		/* QPI: bit 8 of the event is the extension, bit 21 */
		{ __LINE__, "config:0-7,21", 0x102, 0, 0, 0x200002 },
		/* PerfMonV2: umask 0x1ff */
		{ __LINE__, "config:8-15,24-27", 0x1ff, 0, 0, 0x0100ff00 },
		{ __LINE__, "config:0-63", ~0ULL, 0, 0, ~0ULL },
		{ __LINE__, "config:63", 1, 0, 0, 1ULL << 63 },
		{ __LINE__, "config:63", 2, 0, -ERANGE, 0 },
		/* a second value replaces the first */
		{ __LINE__, "config:0-7,32-35", 0, ~0ULL, 0, 0xfffffff0ffffff00 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct perf_event_attr attr = { .config = rows[i].before };
		struct pmu_format f;
		int r;

		assert_int_equal(pmu_format_parse(rows[i].format, &f), 0);
		r = pmu_format_set(&f, rows[i].value, &attr);
		if (r != rows[i].r || attr.config != rows[i].after)
			fail_msg("line %d: gave %d, %#llx", rows[i].line, r,
				 (unsigned long long)attr.config);
	}
}

/* config1 and config2 fields land in their own words. */
static void test_words(void **state)
{
	struct pmu_format f = { .word = 1, .mask = 0xff00 };
	struct perf_event_attr attr = { 0 };

	(void)state;
	assert_int_equal(pmu_format_set(&f, 0x12, &attr), 0);
	f.word = 2;
	assert_int_equal(pmu_format_set(&f, 0x34, &attr), 0);
	assert_int_equal(attr.config, 0);
	assert_int_equal(attr.config1, 0x1200);
	assert_int_equal(attr.config2, 0x3400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_scatter),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
