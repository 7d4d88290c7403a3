// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pmu/internal.h"
#include "pmu/metric.h"
#include "pmu_tree.h"

/* cpuinfo and MIDR_EL1 name the family; what is not known, or not there, is generic. */
static void test_identify(void **state)
{
	static const struct {
		int line;
		const char *cpuinfo, *midr;
		enum metric_family family;
	} rows[] = {
#define X86(vendor, family, model)                                                                 \
	"processor\t: 0\nvendor_id\t: " vendor "\ncpu family\t: " family "\nmodel\t\t: " model     \
	"\nmodel name\t: any\nstepping\t: 1\n\nprocessor\t: 1\nmodel\t\t: 1\n"
		{ __LINE__, X86("GenuineIntel", "6", "79"), NULL, METRIC_BROADWELL_EP },
		{ __LINE__, X86("GenuineIntel", "6", "85"), NULL, METRIC_SKYLAKE_SP },
		{ __LINE__, X86("GenuineIntel", "6", "106"), NULL, METRIC_ICELAKE_SP },
		{ __LINE__, X86("GenuineIntel", "6", "108"), NULL, METRIC_ICELAKE_SP },
		{ __LINE__, X86("GenuineIntel", "6", "107"), NULL, METRIC_GENERIC },
		{ __LINE__, X86("GenuineIntel", "6", "143"), NULL, METRIC_SAPPHIRE_RAPIDS },
		{ __LINE__, X86("GenuineIntel", "6", "207"), NULL, METRIC_SAPPHIRE_RAPIDS },
		{ __LINE__, X86("GenuineIntel", "6", "173"), NULL, METRIC_GRANITE_RAPIDS },
		{ __LINE__, X86("GenuineIntel", "6", "175"), NULL, METRIC_GENERIC },
		{ __LINE__, X86("GenuineIntel", "19", "79"), NULL, METRIC_GENERIC },
		{ __LINE__, X86("AuthenticAMD", "23", "1"), NULL, METRIC_GENERIC },
		{ __LINE__, X86("AuthenticAMD", "23", "49"), NULL, METRIC_ZEN2 },
		{ __LINE__, X86("AuthenticAMD", "23", "113"), NULL, METRIC_ZEN2_DESKTOP },
		{ __LINE__, X86("AuthenticAMD", "23", "96"), NULL, METRIC_ZEN2_DESKTOP },
		{ __LINE__, X86("AuthenticAMD", "25", "1"), NULL, METRIC_ZEN3 },
		{ __LINE__, X86("AuthenticAMD", "25", "33"), NULL, METRIC_ZEN3_DESKTOP },
		{ __LINE__, X86("AuthenticAMD", "25", "80"), NULL, METRIC_ZEN3_DESKTOP },
		{ __LINE__, X86("AuthenticAMD", "25", "17"), NULL, METRIC_ZEN4 },
		{ __LINE__, X86("AuthenticAMD", "25", "160"), NULL, METRIC_ZEN4 },
		{ __LINE__, X86("AuthenticAMD", "25", "97"), NULL, METRIC_ZEN4_DESKTOP },
		{ __LINE__, X86("AuthenticAMD", "26", "2"), NULL, METRIC_ZEN5 },
		{ __LINE__, X86("AuthenticAMD", "26", "17"), NULL, METRIC_ZEN5 },
		{ __LINE__, X86("AuthenticAMD", "26", "68"), NULL, METRIC_ZEN5_DESKTOP },
		{ __LINE__, X86("AuthenticAMD", "26", "80"), NULL, METRIC_GENERIC },
		{ __LINE__, X86("HygonGenuine", "24", "1"), NULL, METRIC_GENERIC },
#define ARM64(part)                                                                                \
	"processor\t: 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: " part "\n"
		{ __LINE__, ARM64("0xd0c"), NULL, METRIC_NEOVERSE_N1 },
		{ __LINE__, ARM64("0xd40"), NULL, METRIC_NEOVERSE_V1 },
		{ __LINE__, ARM64("0xd03"), NULL, METRIC_GENERIC },
		{ __LINE__, NULL, "0x00000000413fd0c1\n", METRIC_NEOVERSE_N1 },
		{ __LINE__, NULL, "0x00000000411fd401\n", METRIC_NEOVERSE_V1 },
		{ __LINE__, NULL, "0x00000000410fd493\n", METRIC_NEOVERSE_N2 },
		{ __LINE__, NULL, "0x00000000410fd4f1\n", METRIC_NEOVERSE_V2 },
		{ __LINE__, NULL, "0x00000000480fd4f1\n", METRIC_GENERIC },
		{ __LINE__, ARM64("0xd40"), "0x00000000413fd0c1\n", METRIC_NEOVERSE_N1 },
		{ __LINE__, ARM64("0xd40"), "nonsense\n", METRIC_NEOVERSE_V1 },
		{ __LINE__, NULL, NULL, METRIC_GENERIC },
		{ __LINE__, "", NULL, METRIC_GENERIC },
		{ __LINE__, "vendor_id GenuineIntel\nmodel\t\t: many\n", NULL, METRIC_GENERIC },
		{ __LINE__, "\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: 79\n", NULL,
		  METRIC_GENERIC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *root = tree_new(NULL, 0);
		enum metric_family family;

		if (rows[i].cpuinfo)
			tree_write(root, "../../../cpuinfo", rows[i].cpuinfo);
		if (rows[i].midr)
			tree_write(root,
				   "../../../devices/system/cpu/cpu0/regs/identification/midr_el1",
				   rows[i].midr);
		family = metric_family_detect(root, root);
		if (family != rows[i].family)
			fail_msg("line %d: %s", rows[i].line, metric_family_name(family));
		tree_free(root);
	}
	assert_int_equal(metric_family_detect("/nonexistent", "/nonexistent"), METRIC_GENERIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
