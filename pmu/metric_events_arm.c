// SPDX-License-Identifier: Apache-2.0
/*
 * Events of Arm's server cores: the architecture's numbers (Arm ARM, D13.12), which every
 * implementation that has the event shares. They are raw; the PMU's type is another in each kernel.
 */
#include "pmu/internal.h"
#include "pmu/metric_table.h"

#define EVENT(families, name, spec, native, source)                                                \
	{                                                                                          \
		families, name, spec, native, source, NULL                                         \
	}
#define ARCHITECTURE(families, name, spec, native)                                                 \
	EVENT(families, name, spec, native, "Linux pmu-events arm64/common-and-microarch.json")
#define CMN(families, name, spec, native)                                                          \
	EVENT(families, name, spec, native, "Linux drivers/perf/arm-cmn.c")

static const struct metric_event rows[] = {
	ARCHITECTURE(ARM, "l1d_fills", "r3", "L1D_CACHE_REFILL"),
	ARCHITECTURE(ARM, "l2_fills", "r17", "L2D_CACHE_REFILL"),
	ARCHITECTURE(ARM, "llc_read_misses", "r37", "LL_CACHE_MISS_RD"),
	ARCHITECTURE(ARM, "dtlb_walks", "r34", "DTLB_WALK"),
	ARCHITECTURE(ARM, "itlb_walks", "r35", "ITLB_WALK"),
	ARCHITECTURE(ARM, "branch_misses", "r22", "BR_MIS_PRED_RETIRED"),
	ARCHITECTURE(ARM, "remote_accesses", "r31", "REMOTE_ACCESS"),
	ARCHITECTURE(ARM, "memory_accesses", "r13", "MEM_ACCESS"),

	ARCHITECTURE(N1, "stall_frontend", "r23", "STALL_FRONTEND"),
	ARCHITECTURE(N1, "stall_backend", "r24", "STALL_BACKEND"),
	ARCHITECTURE(V1 | N2 | V2, "cnt_cycles", "r4004", "CNT_CYCLES"),
	ARCHITECTURE(V1 | N2 | V2, "ops_retired", "r3a", "OP_RETIRED"),
	ARCHITECTURE(V1 | N2 | V2, "ops_speculated", "r3b", "OP_SPEC"),
	ARCHITECTURE(V1 | N2 | V2, "stall_slots", "r3f", "STALL_SLOT"),
	ARCHITECTURE(V1 | N2 | V2, "stall_slots_fe", "r3e", "STALL_SLOT_FRONTEND"),
	ARCHITECTURE(V1 | N2 | V2, "stall_slots_be", "r3d", "STALL_SLOT_BACKEND"),
	ARCHITECTURE(V1 | N2 | V2, "branch_mispredicts", "r10", "BR_MIS_PRED"),

	CMN(ARM, "dram_requests", "arm_cmn/hnf_mc_reqs/", "hnf_mc_reqs"),
};

const struct metric_event_table metric_events_arm = { rows, ARRAY_SIZE(rows) };
