/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A machine of each family: one of tests/fixtures/sysfs, the family's own or the predecessor whose
 * PMUs have the same layout.
 */
#include "pmu/metric.h"
#include "sysfs_fixture.h"

static const char *const metric_machines[METRIC_N_FAMILIES] = {
	[METRIC_GENERIC] = "i3.metal",
	[METRIC_BROADWELL_EP] = "i3.metal",
	[METRIC_SKYLAKE_SP] = "skx",
	[METRIC_ICELAKE_SP] = "icx",
	[METRIC_SAPPHIRE_RAPIDS] = "spr",
	[METRIC_GRANITE_RAPIDS] = "gnr",
	[METRIC_ZEN2] = "rome",
	[METRIC_ZEN2_DESKTOP] = "ax41",
	[METRIC_ZEN3] = "rome",
	[METRIC_ZEN3_DESKTOP] = "ax41",
	[METRIC_ZEN4] = "zen4",
	[METRIC_ZEN4_DESKTOP] = "zen4",
	[METRIC_ZEN5] = "zen4",
	[METRIC_ZEN5_DESKTOP] = "zen4",
	[METRIC_NEOVERSE_N1] = "graviton2",
	[METRIC_NEOVERSE_V1] = "graviton2",
	[METRIC_NEOVERSE_N2] = "graviton2",
	[METRIC_NEOVERSE_V2] = "graviton2",
};
