// SPDX-License-Identifier: Apache-2.0
/*
 * Events of Intel's servers. Core events are raw: event | umask << 8 | edge << 18 | any << 21 |
 * cmask << 24 (Intel SDM volume 3, IA32_PERFEVTSELx). The fixed counter SLOTS and PERF_METRICS come
 * from sysfs: they have pseudo-encodings that only the kernel knows, and libpfm4's are those of
 * other events.
 */
#include "pmu/internal.h"
#include "pmu/metric_table.h"

#define CORE_C "Linux arch/x86/events/intel/core.c"

#define PERFMON(families, name, spec, native)                                                      \
	{                                                                                          \
		families, name, spec, native, "intel/perfmon", NULL                                \
	}
#define SLOTS(families, name, spec)                                                                \
	{                                                                                          \
		families, name, spec, "TOPDOWN.SLOTS", CORE_C, NULL                                \
	}
#define PERF_METRIC(families, name, spec)                                                          \
	{                                                                                          \
		families, name, spec, "PERF_METRICS", CORE_C, "slots"                              \
	}
#define CSTATE(families, name, spec, native)                                                       \
	{                                                                                          \
		families, name, spec, native, "Linux arch/x86/events/intel/cstate.c", NULL         \
	}

/*
 * The filter of Skylake-SP's caching agents lies in config1 from bit 32: 1 is remote, 2 is local
 * memory, 0x30 the near and far memory controllers, 0x202 << 9 the opcode DRd. (pmu-events give the
 * same numbers from bit 0, where the driver, arch/x86/events/intel/uncore_snbep.c, masks them out.)
 */
#define DRD_REMOTE "0x4043100000000"
#define DRD_LOCAL "0x4043200000000"

static const struct metric_event rows[] = {
	PERFMON(INTEL, "l1d_fills", "r151", "L1D.REPLACEMENT"),
	PERFMON(BDX, "l2_fills", "r7f1", "L2_LINES_IN.ALL"),
	PERFMON(SKX | ICX, "l2_fills", "r1ff1", "L2_LINES_IN.ALL"),
	PERFMON(SPR | GNR, "l2_fills", "r1f25", "L2_LINES_IN.ALL"),
	PERFMON(BDX, "llc_load_misses", "r20d1", "MEM_LOAD_UOPS_RETIRED.L3_MISS"),
	PERFMON(INTEL & ~BDX, "llc_load_misses", "r20d1", "MEM_LOAD_RETIRED.L3_MISS"),
	PERFMON(INTEL, "branch_misses", "rc5", "BR_MISP_RETIRED.ALL_BRANCHES"),

	PERFMON(BDX | SKX | ICX, "dtlb_load_walks", "re08", "DTLB_LOAD_MISSES.WALK_COMPLETED"),
	PERFMON(BDX | SKX | ICX, "dtlb_store_walks", "re49", "DTLB_STORE_MISSES.WALK_COMPLETED"),
	PERFMON(BDX | SKX | ICX, "itlb_walks", "re85", "ITLB_MISSES.WALK_COMPLETED"),
	PERFMON(SPR | GNR, "dtlb_load_walks", "re12", "DTLB_LOAD_MISSES.WALK_COMPLETED"),
	PERFMON(SPR | GNR, "dtlb_store_walks", "re13", "DTLB_STORE_MISSES.WALK_COMPLETED"),
	PERFMON(SPR | GNR, "itlb_walks", "re11", "ITLB_MISSES.WALK_COMPLETED"),

	PERFMON(BDX, "dtlb_load_walk_cycles", "r1008", "DTLB_LOAD_MISSES.WALK_DURATION"),
	PERFMON(BDX, "dtlb_store_walk_cycles", "r1049", "DTLB_STORE_MISSES.WALK_DURATION"),
	PERFMON(BDX, "itlb_walk_cycles", "r1085", "ITLB_MISSES.WALK_DURATION"),
	PERFMON(SKX | ICX, "dtlb_load_walk_cycles", "r1008", "DTLB_LOAD_MISSES.WALK_PENDING"),
	PERFMON(SKX | ICX, "dtlb_store_walk_cycles", "r1049", "DTLB_STORE_MISSES.WALK_PENDING"),
	PERFMON(SKX | ICX, "itlb_walk_cycles", "r1085", "ITLB_MISSES.WALK_PENDING"),
	PERFMON(SKX, "ept_walk_cycles", "r104f", "EPT.WALK_PENDING"),
	PERFMON(SPR | GNR, "dtlb_load_walk_cycles", "r1012", "DTLB_LOAD_MISSES.WALK_PENDING"),
	PERFMON(SPR | GNR, "dtlb_store_walk_cycles", "r1013", "DTLB_STORE_MISSES.WALK_PENDING"),
	PERFMON(SPR | GNR, "itlb_walk_cycles", "r1011", "ITLB_MISSES.WALK_PENDING"),

	PERFMON(BDX | SKX, "cycles_any", "r20003c", "CPU_CLK_UNHALTED.THREAD_P_ANY"),
	PERFMON(ICX | SPR | GNR, "cycles_core", "r2ec", "CPU_CLK_UNHALTED.DISTRIBUTED"),
	PERFMON(BDX | SKX, "fetch_bubbles", "r19c", "IDQ_UOPS_NOT_DELIVERED.CORE"),
	PERFMON(BDX | SKX, "uops_issued", "r10e", "UOPS_ISSUED.ANY"),
	PERFMON(BDX | SKX, "slots_retired", "r2c2", "UOPS_RETIRED.RETIRE_SLOTS"),
	PERFMON(BDX, "recovery_any", "r120030d", "INT_MISC.RECOVERY_CYCLES_ANY"),
	PERFMON(SKX, "recovery_any", "r20010d", "INT_MISC.RECOVERY_CYCLES_ANY"),

	SLOTS(ICX | SPR | GNR, "slots", "cpu/slots/"),
	PERF_METRIC(ICX | SPR | GNR, "td_retiring", "cpu/topdown-retiring/"),
	PERF_METRIC(ICX | SPR | GNR, "td_bad_spec", "cpu/topdown-bad-spec/"),
	PERF_METRIC(ICX | SPR | GNR, "td_fe_bound", "cpu/topdown-fe-bound/"),
	PERF_METRIC(ICX | SPR | GNR, "td_be_bound", "cpu/topdown-be-bound/"),
	PERF_METRIC(SPR | GNR, "td_heavy_ops", "cpu/topdown-heavy-ops/"),
	PERF_METRIC(SPR | GNR, "td_br_mispredict", "cpu/topdown-br-mispredict/"),
	PERF_METRIC(SPR | GNR, "td_fetch_lat", "cpu/topdown-fetch-lat/"),
	PERF_METRIC(SPR | GNR, "td_mem_bound", "cpu/topdown-mem-bound/"),
	PERFMON(ICX, "uops_dropped", "r100d", "INT_MISC.UOP_DROPPING"),
	PERFMON(SPR | GNR, "uops_dropped", "r10ad", "INT_MISC.UOP_DROPPING"),
	PERFMON(ICX, "clears", "r104010d", "INT_MISC.CLEARS_COUNT"),

	PERFMON(BDX, "local_dram_loads", "r1d3", "MEM_LOAD_UOPS_L3_MISS_RETIRED.LOCAL_DRAM"),
	PERFMON(BDX, "remote_dram_loads", "r4d3", "MEM_LOAD_UOPS_L3_MISS_RETIRED.REMOTE_DRAM"),
	PERFMON(INTEL & ~BDX, "local_dram_loads", "r1d3", "MEM_LOAD_L3_MISS_RETIRED.LOCAL_DRAM"),
	PERFMON(INTEL & ~BDX, "remote_dram_loads", "r2d3", "MEM_LOAD_L3_MISS_RETIRED.REMOTE_DRAM"),

	PERFMON(BDX | SKX, "dram_reads", "uncore_imc/event=0x04,umask=0x03/", "UNC_M_CAS_COUNT.RD"),
	PERFMON(BDX | SKX, "dram_writes", "uncore_imc/event=0x04,umask=0x0c/",
		"UNC_M_CAS_COUNT.WR"),
	PERFMON(ICX, "dram_reads", "uncore_imc/event=0x04,umask=0x0f/", "UNC_M_CAS_COUNT.RD"),
	PERFMON(ICX, "dram_writes", "uncore_imc/event=0x04,umask=0x30/", "UNC_M_CAS_COUNT.WR"),
	PERFMON(SPR, "dram_reads", "uncore_imc/event=0x05,umask=0xcf/", "UNC_M_CAS_COUNT.RD"),
	PERFMON(SPR, "dram_writes", "uncore_imc/event=0x05,umask=0xf0/", "UNC_M_CAS_COUNT.WR"),
	PERFMON(GNR, "dram_reads_0", "uncore_imc/event=0x05,umask=0xcf/",
		"UNC_M_CAS_COUNT_SCH0.RD"),
	PERFMON(GNR, "dram_reads_1", "uncore_imc/event=0x06,umask=0xcf/",
		"UNC_M_CAS_COUNT_SCH1.RD"),
	PERFMON(GNR, "dram_writes_0", "uncore_imc/event=0x05,umask=0xf0/",
		"UNC_M_CAS_COUNT_SCH0.WR"),
	PERFMON(GNR, "dram_writes_1", "uncore_imc/event=0x06,umask=0xf0/",
		"UNC_M_CAS_COUNT_SCH1.WR"),

	PERFMON(BDX, "link_data", "uncore_qpi/event=0x00,umask=0x02/", "UNC_Q_TxL_FLITS_G0.DATA"),
	PERFMON(INTEL & ~BDX, "link_data", "uncore_upi/event=0x02,umask=0x0f/",
		"UNC_UPI_TxL_FLITS.ALL_DATA"),

	PERFMON(BDX, "local_reads", "uncore_ha/event=0x01,umask=0x01/",
		"UNC_H_REQUESTS.READS_LOCAL"),
	PERFMON(BDX, "remote_reads", "uncore_ha/event=0x01,umask=0x02/",
		"UNC_H_REQUESTS.READS_REMOTE"),
	PERFMON(SKX, "local_reads", "uncore_cha/event=0x35,umask=0x21,config1=" DRD_LOCAL "/",
		"UNC_CHA_TOR_INSERTS.IA_MISS, local DRd"),
	PERFMON(SKX, "remote_reads", "uncore_cha/event=0x35,umask=0x21,config1=" DRD_REMOTE "/",
		"UNC_CHA_TOR_INSERTS.IA_MISS, remote DRd"),
	PERFMON(ICX | SPR | GNR, "local_reads", "uncore_cha/event=0x35,umask=0xc816fe01/",
		"UNC_CHA_TOR_INSERTS.IA_MISS_DRD_LOCAL"),
	PERFMON(ICX | SPR | GNR, "remote_reads", "uncore_cha/event=0x35,umask=0xc8177e01/",
		"UNC_CHA_TOR_INSERTS.IA_MISS_DRD_REMOTE"),
	PERFMON(ICX | SPR | GNR, "local_prefetches", "uncore_cha/event=0x35,umask=0xc896fe01/",
		"UNC_CHA_TOR_INSERTS.IA_MISS_DRD_PREF_LOCAL"),
	PERFMON(ICX | SPR | GNR, "remote_prefetches", "uncore_cha/event=0x35,umask=0xc8977e01/",
		"UNC_CHA_TOR_INSERTS.IA_MISS_DRD_PREF_REMOTE"),

	CSTATE(ICX | SPR | GNR, "core_c1", "cstate_core/c1-residency/", "MSR_CORE_C1_RES"),
	CSTATE(BDX, "core_c3", "cstate_core/c3-residency/", "MSR_CORE_C3_RESIDENCY"),
	CSTATE(INTEL, "core_c6", "cstate_core/c6-residency/", "MSR_CORE_C6_RESIDENCY"),
	CSTATE(INTEL, "package_c2", "cstate_pkg/c2-residency/", "MSR_PKG_C2_RESIDENCY"),
	CSTATE(INTEL, "package_c6", "cstate_pkg/c6-residency/", "MSR_PKG_C6_RESIDENCY"),
};

const struct metric_event_table metric_events_intel = { rows, ARRAY_SIZE(rows) };
