/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The tables of the catalogue, and the sets of families their rows are for.
 *
 * Rules of the rows. "LLC" is the last level, never an L2 or L1 event in disguise. Misses are per
 * 1000 instructions, shares of 1. What two threads of a core count together has the scope of the
 * core. Whatever is not what its name says (a proxy, an undocumented event, an erratum) says so in
 * `approximate`. A threshold is one that somebody published: those of the top-down method.
 */
#include "pmu/metric.h"

#define FAMILY(name) (1U << METRIC_##name)

#define GENERIC FAMILY(GENERIC)
#define BDX FAMILY(BROADWELL_EP)
#define SKX FAMILY(SKYLAKE_SP)
#define ICX FAMILY(ICELAKE_SP)
#define SPR FAMILY(SAPPHIRE_RAPIDS)
#define GNR FAMILY(GRANITE_RAPIDS)
#define INTEL (BDX | SKX | ICX | SPR | GNR)

#define ZEN2 (FAMILY(ZEN2) | FAMILY(ZEN2_DESKTOP))
#define ZEN3 (FAMILY(ZEN3) | FAMILY(ZEN3_DESKTOP))
#define ZEN4 (FAMILY(ZEN4) | FAMILY(ZEN4_DESKTOP))
#define ZEN5 (FAMILY(ZEN5) | FAMILY(ZEN5_DESKTOP))
#define AMD (ZEN2 | ZEN3 | ZEN4 | ZEN5)
#define EPYC (FAMILY(ZEN2) | FAMILY(ZEN3) | FAMILY(ZEN4) | FAMILY(ZEN5))

#define N1 FAMILY(NEOVERSE_N1)
#define V1 FAMILY(NEOVERSE_V1)
#define N2 FAMILY(NEOVERSE_N2)
#define V2 FAMILY(NEOVERSE_V2)
#define ARM (N1 | V1 | N2 | V2)

#define EVERY (GENERIC | INTEL | AMD | ARM)

/* Who published formulas. */
#define PERFMON_JSON "intel/perfmon"
#define TMA_JSON "intel/perfmon, TMA"
#define AMD_JSON "Linux pmu-events amdzen2-5"
#define ARM_JSON "Linux pmu-events arm64/arm"
#define DEFINITION "by definition"

/* Errata of Broadwell-EP. */
#define BDM69 "erratum BDM69: page walks may be miscounted"
#define BDM100 "erratum BDM100: loads that missed the L3 may be undercounted"

struct metric_table {
	const struct metric *rows;
	size_t n;
};

/* In the order in which metrics are shown. */
extern const struct metric_table metric_rows_core, metric_rows_topdown, metric_rows_socket;

struct metric_event_table {
	const struct metric_event *rows;
	size_t n;
};

extern const struct metric_event_table metric_events_shared, metric_events_intel, metric_events_amd,
	metric_events_arm;
