// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <perfmon/pfmlib.h>
#include <perfmon/pfmlib_perf_event.h>

#include "metric_machines.h"
#include "pmu/internal.h"
#include "pmu/metric_table.h"

/* An encoding in the fields the vendors publish it in. */
struct published {
	int line;
	uint32_t families;
	const char *name; /* in formulas */
	const char *native; /* where it was published; "X, all": all of X's masks at once */
	uint64_t event, umask;
	unsigned int cmask, edge, any;
	uint64_t config1;
};

/*
 * Where the numbers are from: the events of these names in tools/perf/pmu-events/arch of Linux
 * 6.12, which holds what Intel, AMD and Arm publish (links of Zen 5: of Linux 6.15; codes of Arm's
 * events are those of the architecture: arm64/common-and-microarch.json). Not in there:
 * PERF_METRICS and slots are in arch/x86/events/intel/core.c, hnf_mc_reqs in
 * drivers/perf/arm-cmn.c, the filters of Skylake-SP's caching agents in
 * arch/x86/events/intel/uncore_snbep.c.
 */
static const char *const directories[METRIC_N_FAMILIES] = {
	[METRIC_BROADWELL_EP] = "x86/broadwellx",
	[METRIC_SKYLAKE_SP] = "x86/skylakex, x86/cascadelakex",
	[METRIC_ICELAKE_SP] = "x86/icelakex",
	[METRIC_SAPPHIRE_RAPIDS] = "x86/sapphirerapids, x86/emeraldrapids",
	[METRIC_GRANITE_RAPIDS] = "x86/graniterapids",
	[METRIC_ZEN2] = "x86/amdzen2",
	[METRIC_ZEN2_DESKTOP] = "x86/amdzen2",
	[METRIC_ZEN3] = "x86/amdzen3",
	[METRIC_ZEN3_DESKTOP] = "x86/amdzen3",
	[METRIC_ZEN4] = "x86/amdzen4",
	[METRIC_ZEN4_DESKTOP] = "x86/amdzen4",
	[METRIC_ZEN5] = "x86/amdzen5",
	[METRIC_ZEN5_DESKTOP] = "x86/amdzen5",
	[METRIC_NEOVERSE_N1] = "arm64/arm/neoverse-n1",
	[METRIC_NEOVERSE_V1] = "arm64/arm/neoverse-v1",
	[METRIC_NEOVERSE_N2] = "arm64/arm/neoverse-n2-v2",
	[METRIC_NEOVERSE_V2] = "arm64/arm/neoverse-n2-v2",
};

#define ROW(in, called, theirs, code, mask, ...)                                                   \
	{                                                                                          \
		.line = __LINE__, .families = in, .name = called, .native = theirs, .event = code, \
		.umask = mask, ##__VA_ARGS__                                                       \
	}

static const struct published published[] = {
	ROW(INTEL, "l1d_fills", "L1D.REPLACEMENT", 0x51, 0x01),
	ROW(BDX, "l2_fills", "L2_LINES_IN.ALL", 0xf1, 0x07),
	ROW(SKX | ICX, "l2_fills", "L2_LINES_IN.ALL", 0xf1, 0x1f),
	ROW(SPR | GNR, "l2_fills", "L2_LINES_IN.ALL", 0x25, 0x1f),
	ROW(BDX, "llc_load_misses", "MEM_LOAD_UOPS_RETIRED.L3_MISS", 0xd1, 0x20),
	ROW(INTEL & ~BDX, "llc_load_misses", "MEM_LOAD_RETIRED.L3_MISS", 0xd1, 0x20),
	ROW(INTEL, "branch_misses", "BR_MISP_RETIRED.ALL_BRANCHES", 0xc5, 0x00),
	ROW(BDX | SKX | ICX, "dtlb_load_walks", "DTLB_LOAD_MISSES.WALK_COMPLETED", 0x08, 0x0e),
	ROW(BDX | SKX | ICX, "dtlb_store_walks", "DTLB_STORE_MISSES.WALK_COMPLETED", 0x49, 0x0e),
	ROW(BDX | SKX | ICX, "itlb_walks", "ITLB_MISSES.WALK_COMPLETED", 0x85, 0x0e),
	ROW(SPR | GNR, "dtlb_load_walks", "DTLB_LOAD_MISSES.WALK_COMPLETED", 0x12, 0x0e),
	ROW(SPR | GNR, "dtlb_store_walks", "DTLB_STORE_MISSES.WALK_COMPLETED", 0x13, 0x0e),
	ROW(SPR | GNR, "itlb_walks", "ITLB_MISSES.WALK_COMPLETED", 0x11, 0x0e),
	ROW(BDX, "dtlb_load_walk_cycles", "DTLB_LOAD_MISSES.WALK_DURATION", 0x08, 0x10),
	ROW(BDX, "dtlb_store_walk_cycles", "DTLB_STORE_MISSES.WALK_DURATION", 0x49, 0x10),
	ROW(BDX, "itlb_walk_cycles", "ITLB_MISSES.WALK_DURATION", 0x85, 0x10),
	ROW(SKX | ICX, "dtlb_load_walk_cycles", "DTLB_LOAD_MISSES.WALK_PENDING", 0x08, 0x10),
	ROW(SKX | ICX, "dtlb_store_walk_cycles", "DTLB_STORE_MISSES.WALK_PENDING", 0x49, 0x10),
	ROW(SKX | ICX, "itlb_walk_cycles", "ITLB_MISSES.WALK_PENDING", 0x85, 0x10),
	ROW(SKX, "ept_walk_cycles", "EPT.WALK_PENDING", 0x4f, 0x10),
	ROW(SPR | GNR, "dtlb_load_walk_cycles", "DTLB_LOAD_MISSES.WALK_PENDING", 0x12, 0x10),
	ROW(SPR | GNR, "dtlb_store_walk_cycles", "DTLB_STORE_MISSES.WALK_PENDING", 0x13, 0x10),
	ROW(SPR | GNR, "itlb_walk_cycles", "ITLB_MISSES.WALK_PENDING", 0x11, 0x10),
	ROW(BDX | SKX, "cycles_any", "CPU_CLK_UNHALTED.THREAD_P_ANY", 0x3c, 0x00, .any = 1),
	ROW(ICX | SPR | GNR, "cycles_core", "CPU_CLK_UNHALTED.DISTRIBUTED", 0xec, 0x02),
	ROW(BDX | SKX, "fetch_bubbles", "IDQ_UOPS_NOT_DELIVERED.CORE", 0x9c, 0x01),
	ROW(BDX | SKX, "uops_issued", "UOPS_ISSUED.ANY", 0x0e, 0x01),
	ROW(BDX | SKX, "slots_retired", "UOPS_RETIRED.RETIRE_SLOTS", 0xc2, 0x02),
	ROW(BDX, "recovery_any", "INT_MISC.RECOVERY_CYCLES_ANY", 0x0d, 0x03, .cmask = 1, .any = 1),
	ROW(SKX, "recovery_any", "INT_MISC.RECOVERY_CYCLES_ANY", 0x0d, 0x01, .any = 1),
	ROW(ICX | SPR | GNR, "slots", "TOPDOWN.SLOTS", 0x00, 0x04),
	ROW(ICX | SPR | GNR, "td_retiring", "PERF_METRICS", 0x00, 0x80),
	ROW(ICX | SPR | GNR, "td_bad_spec", "PERF_METRICS", 0x00, 0x81),
	ROW(ICX | SPR | GNR, "td_fe_bound", "PERF_METRICS", 0x00, 0x82),
	ROW(ICX | SPR | GNR, "td_be_bound", "PERF_METRICS", 0x00, 0x83),
	ROW(SPR | GNR, "td_heavy_ops", "PERF_METRICS", 0x00, 0x84),
	ROW(SPR | GNR, "td_br_mispredict", "PERF_METRICS", 0x00, 0x85),
	ROW(SPR | GNR, "td_fetch_lat", "PERF_METRICS", 0x00, 0x86),
	ROW(SPR | GNR, "td_mem_bound", "PERF_METRICS", 0x00, 0x87),
	ROW(ICX, "uops_dropped", "INT_MISC.UOP_DROPPING", 0x0d, 0x10),
	ROW(SPR | GNR, "uops_dropped", "INT_MISC.UOP_DROPPING", 0xad, 0x10),
	ROW(ICX, "clears", "INT_MISC.CLEARS_COUNT", 0x0d, 0x01, .cmask = 1, .edge = 1),
	ROW(BDX, "local_dram_loads", "MEM_LOAD_UOPS_L3_MISS_RETIRED.LOCAL_DRAM", 0xd3, 0x01),
	ROW(BDX, "remote_dram_loads", "MEM_LOAD_UOPS_L3_MISS_RETIRED.REMOTE_DRAM", 0xd3, 0x04),
	ROW(INTEL & ~BDX, "local_dram_loads", "MEM_LOAD_L3_MISS_RETIRED.LOCAL_DRAM", 0xd3, 0x01),
	ROW(INTEL & ~BDX, "remote_dram_loads", "MEM_LOAD_L3_MISS_RETIRED.REMOTE_DRAM", 0xd3, 0x02),
	ROW(BDX | SKX, "dram_reads", "UNC_M_CAS_COUNT.RD", 0x04, 0x03),
	ROW(BDX | SKX, "dram_writes", "UNC_M_CAS_COUNT.WR", 0x04, 0x0c),
	ROW(ICX, "dram_reads", "UNC_M_CAS_COUNT.RD", 0x04, 0x0f),
	ROW(ICX, "dram_writes", "UNC_M_CAS_COUNT.WR", 0x04, 0x30),
	ROW(SPR, "dram_reads", "UNC_M_CAS_COUNT.RD", 0x05, 0xcf),
	ROW(SPR, "dram_writes", "UNC_M_CAS_COUNT.WR", 0x05, 0xf0),
	ROW(GNR, "dram_reads_0", "UNC_M_CAS_COUNT_SCH0.RD", 0x05, 0xcf),
	ROW(GNR, "dram_reads_1", "UNC_M_CAS_COUNT_SCH1.RD", 0x06, 0xcf),
	ROW(GNR, "dram_writes_0", "UNC_M_CAS_COUNT_SCH0.WR", 0x05, 0xf0),
	ROW(GNR, "dram_writes_1", "UNC_M_CAS_COUNT_SCH1.WR", 0x06, 0xf0),
	ROW(BDX, "link_data", "UNC_Q_TxL_FLITS_G0.DATA", 0x00, 0x02),
	ROW(INTEL & ~BDX, "link_data", "UNC_UPI_TxL_FLITS.ALL_DATA", 0x02, 0x0f),
	ROW(BDX, "local_reads", "UNC_H_REQUESTS.READS_LOCAL", 0x01, 0x01),
	ROW(BDX, "remote_reads", "UNC_H_REQUESTS.READS_REMOTE", 0x01, 0x02),
	/* opcode DRd (0x202) in bits 41-50, near and far memory in 36 and 37, local 33, remote 32
	 */
	ROW(SKX, "local_reads", "UNC_CHA_TOR_INSERTS.IA_MISS, local DRd", 0x35, 0x21,
	    .config1 = 0x202ULL << 41 | 3ULL << 36 | 1ULL << 33),
	ROW(SKX, "remote_reads", "UNC_CHA_TOR_INSERTS.IA_MISS, remote DRd", 0x35, 0x21,
	    .config1 = 0x202ULL << 41 | 3ULL << 36 | 1ULL << 32),
	ROW(ICX | SPR | GNR, "local_reads", "UNC_CHA_TOR_INSERTS.IA_MISS_DRD_LOCAL", 0x35,
	    0xc816fe01),
	ROW(ICX | SPR | GNR, "remote_reads", "UNC_CHA_TOR_INSERTS.IA_MISS_DRD_REMOTE", 0x35,
	    0xc8177e01),
	ROW(ICX | SPR | GNR, "local_prefetches", "UNC_CHA_TOR_INSERTS.IA_MISS_DRD_PREF_LOCAL", 0x35,
	    0xc896fe01),
	ROW(ICX | SPR | GNR, "remote_prefetches", "UNC_CHA_TOR_INSERTS.IA_MISS_DRD_PREF_REMOTE",
	    0x35, 0xc8977e01),
	ROW(ZEN2, "l1d_fills", "l2_cache_accesses_from_dc_misses", 0x60, 0xc8),
	ROW(ZEN3, "l1d_fills", "ls_any_fills_from_sys, all six", 0x44, 0x5f),
	ROW(ZEN4 | ZEN5, "l1d_fills", "ls_any_fills_from_sys.all", 0x44, 0xff),
	ROW(AMD, "l2_demand_misses", "l2_cache_req_stat.ic_dc_miss_in_l2", 0x64, 0x09),
	ROW(ZEN2 | ZEN3, "l2_prefetch_l3_hits", "l2_pf_miss_l2_hit_l3", 0x71, 0xff),
	ROW(ZEN2 | ZEN3, "l2_prefetch_l3_misses", "l2_pf_miss_l2_l3", 0x72, 0xff),
	ROW(ZEN4, "l2_prefetch_l3_hits", "l2_pf_miss_l2_hit_l3.all", 0x71, 0xff),
	ROW(ZEN4, "l2_prefetch_l3_misses", "l2_pf_miss_l2_l3.all", 0x72, 0xff),
	ROW(ZEN5, "l2_prefetch_l3_hits", "l2_pf_miss_l2_hit_l3.l2_hwpf", 0x71, 0x1f),
	ROW(ZEN5, "l2_prefetch_l3_misses", "l2_pf_miss_l2_l3.l2_hwpf", 0x72, 0x1f),
	ROW(ZEN2, "memory_fills", "ls_refills_from_sys, local and remote DRAM", 0x43, 0x48),
	ROW(ZEN3, "memory_fills", "ls_dmnd_fills_from_sys, mem_io_local and _remote", 0x43, 0x48),
	ROW(ZEN4 | ZEN5, "memory_fills", "ls_dmnd_fills_from_sys, dram_io_near and _far", 0x43,
	    0x48),
	ROW(ZEN2 | ZEN3, "l3_misses", "l3_comb_clstr_state.request_miss", 0x06, 0x01),
	ROW(ZEN2 | ZEN3, "l3_accesses", "l3_lookup_state.all_l3_req_typs", 0x04, 0xff),
	ROW(ZEN4 | ZEN5, "l3_misses", "l3_lookup_state.l3_miss", 0x04, 0x01),
	ROW(ZEN4 | ZEN5, "l3_accesses", "l3_lookup_state.all_coherent_accesses_to_l3", 0x04, 0xff),
	ROW(AMD, "branch_misses", "ex_ret_brn_misp", 0xc3, 0x00),
	ROW(ZEN2 | ZEN3, "dtlb_walks", "ls_l1_d_tlb_miss, all four l2_miss", 0x45, 0xf0),
	ROW(ZEN4 | ZEN5, "dtlb_walks", "ls_l1_d_tlb_miss.all_l2_miss", 0x45, 0xf0),
	ROW(ZEN2 | ZEN3, "itlb_walks", "bp_l1_tlb_miss_l2_tlb_miss", 0x85, 0xff),
	ROW(ZEN4 | ZEN5, "itlb_walks", "bp_l1_tlb_miss_l2_tlb_miss.all", 0x85, 0x0f),
	ROW(ZEN2 | ZEN3, "op_queue_empty", "de_dis_uop_queue_empty_di0", 0xa9, 0x00),
	ROW(ZEN2 | ZEN3, "dispatch_stalls_1", "de_dis_dispatch_token_stalls1, all", 0xae, 0xff),
	ROW(ZEN2, "dispatch_stalls_2", "de_dis_dispatch_token_stalls0, all", 0xaf, 0x7f),
	ROW(ZEN3, "dispatch_stalls_2", "de_dis_dispatch_token_stalls2, all", 0xaf, 0x3f),
	ROW(ZEN4 | ZEN5, "slots_no_ops", "de_no_dispatch_per_slot.no_ops_from_frontend", 0x1a0,
	    0x01),
	ROW(ZEN4 | ZEN5, "slots_backend", "de_no_dispatch_per_slot.backend_stalls", 0x1a0, 0x1e),
	ROW(ZEN4 | ZEN5, "slots_smt", "de_no_dispatch_per_slot.smt_contention", 0x1a0, 0x60),
	ROW(ZEN4 | ZEN5, "ops_dispatched", "de_src_op_disp.all", 0xaa, 0x07),
	ROW(ZEN4 | ZEN5, "ops_retired", "ex_ret_ops", 0xc1, 0x00),
	ROW(FAMILY(ZEN2), "near_fills", "ls_refills_from_sys.ls_mabresp_lcl_dram", 0x43, 0x08),
	ROW(FAMILY(ZEN2), "far_fills", "ls_refills_from_sys.ls_mabresp_rmt_dram", 0x43, 0x40),
	ROW(FAMILY(ZEN3), "near_fills", "ls_any_fills_from_sys.mem_io_local", 0x44, 0x08),
	ROW(FAMILY(ZEN3), "far_fills", "ls_any_fills_from_sys.mem_io_remote", 0x44, 0x40),
	ROW(EPYC &(ZEN4 | ZEN5), "near_fills", "ls_any_fills_from_sys.dram_io_near", 0x44, 0x08),
	ROW(EPYC &(ZEN4 | ZEN5), "far_fills", "ls_any_fills_from_sys.dram_io_far", 0x44, 0x40),
	ROW(ZEN2 | ZEN3, "dram_beats_0", "dram_channel_data_controller_0", 0x07, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_1", "dram_channel_data_controller_1", 0x47, 0x38),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "dram_beats_2", "dram_channel_data_controller_2", 0x87,
	    0x38),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "dram_beats_3", "dram_channel_data_controller_3", 0xc7,
	    0x38),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "dram_beats_4", "dram_channel_data_controller_4", 0x107,
	    0x38),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "dram_beats_5", "dram_channel_data_controller_5", 0x147,
	    0x38),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "dram_beats_6", "dram_channel_data_controller_6", 0x187,
	    0x38),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "dram_beats_7", "dram_channel_data_controller_7", 0x1c7,
	    0x38),
	ROW(ZEN4 | ZEN5, "dram_reads", "umc_cas_cmd.rd", 0x0a, 0x01),
	ROW(ZEN4 | ZEN5, "dram_writes", "umc_cas_cmd.wr", 0x0a, 0x02),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_0", "remote_outbound_data_controller_0", 0x7c7,
	    0x02),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_1", "remote_outbound_data_controller_1", 0x807,
	    0x02),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_2", "remote_outbound_data_controller_2", 0x847,
	    0x02),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_3", "remote_outbound_data_controller_3", 0x887,
	    0x02),
	ROW(FAMILY(ZEN4), "link_data_0", "local_socket_outbound_data_beats_link0", 0xb5f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_1", "local_socket_outbound_data_beats_link1", 0xb9f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_2", "local_socket_outbound_data_beats_link2", 0xbdf, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_3", "local_socket_outbound_data_beats_link3", 0xc1f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_4", "local_socket_outbound_data_beats_link4", 0xc5f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_5", "local_socket_outbound_data_beats_link5", 0xc9f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_6", "local_socket_outbound_data_beats_link6", 0xcdf, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_7", "local_socket_outbound_data_beats_link7", 0xd1f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_0", "local_socket_outbound_data_beats_link_0", 0xd5f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_1", "local_socket_outbound_data_beats_link_1", 0xd9f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_2", "local_socket_outbound_data_beats_link_2", 0xddf, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_3", "local_socket_outbound_data_beats_link_3", 0xe1f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_4", "local_socket_outbound_data_beats_link_4", 0xe5f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_5", "local_socket_outbound_data_beats_link_5", 0xe9f, 0xf3e),
	ROW(ARM, "l1d_fills", "L1D_CACHE_REFILL", 0x03, 0x00),
	ROW(ARM, "l2_fills", "L2D_CACHE_REFILL", 0x17, 0x00),
	ROW(ARM, "llc_read_misses", "LL_CACHE_MISS_RD", 0x37, 0x00),
	ROW(ARM, "dtlb_walks", "DTLB_WALK", 0x34, 0x00),
	ROW(ARM, "itlb_walks", "ITLB_WALK", 0x35, 0x00),
	ROW(ARM, "branch_misses", "BR_MIS_PRED_RETIRED", 0x22, 0x00),
	ROW(ARM, "remote_accesses", "REMOTE_ACCESS", 0x31, 0x00),
	ROW(ARM, "memory_accesses", "MEM_ACCESS", 0x13, 0x00),
	ROW(N1, "stall_frontend", "STALL_FRONTEND", 0x23, 0x00),
	ROW(N1, "stall_backend", "STALL_BACKEND", 0x24, 0x00),
	ROW(V1 | N2 | V2, "cnt_cycles", "CNT_CYCLES", 0x4004, 0x00),
	ROW(V1 | N2 | V2, "ops_retired", "OP_RETIRED", 0x3a, 0x00),
	ROW(V1 | N2 | V2, "ops_speculated", "OP_SPEC", 0x3b, 0x00),
	ROW(V1 | N2 | V2, "stall_slots", "STALL_SLOT", 0x3f, 0x00),
	ROW(V1 | N2 | V2, "stall_slots_fe", "STALL_SLOT_FRONTEND", 0x3e, 0x00),
	ROW(V1 | N2 | V2, "stall_slots_be", "STALL_SLOT_BACKEND", 0x3d, 0x00),
	ROW(V1 | N2 | V2, "branch_mispredicts", "BR_MIS_PRED", 0x10, 0x00),
	/* node type HN-F, event 0x0d from bit 16 */
	ROW(ARM, "dram_requests", "hnf_mc_reqs", 0x0d << 16 | 5, 0x00),
};

/* Where the fields lie, as the architecture manuals and the kernel's drivers have it. */
static uint64_t config_of(const struct published *p, uint32_t family)
{
	uint64_t event = p->event, umask = p->umask;

	if (family & ARM)
		return event;
	if (family & AMD && strncmp(p->name, "dram_beats", 10) == 0)
		return (event & 0xff) | umask << 8 | (event >> 8 & 0xf) << 32;
	if (family & AMD && strncmp(p->name, "link_data", 9) == 0)
		return (event & 0xff) | (umask & 0xff) << 8 | (umask >> 8) << 24 |
		       (event >> 8 & 0xf) << 32;
	if (family & AMD)
		return (event & 0xff) | umask << 8 | (event >> 8) << 32;
	/* the caching agents' mask goes on in the upper half */
	return event | (umask & 0xff) << 8 | (umask >> 8) << 32 | (uint64_t)p->edge << 18 |
	       (uint64_t)p->any << 21 | (uint64_t)p->cmask << 24;
}

static const struct published *find_published(uint32_t family, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++)
		if ((published[i].families & family) && strcmp(published[i].name, name) == 0)
			return &published[i];
	return NULL;
}

/* What the kernel encodes itself, and what has a name in sysfs: there is nothing to publish. */
static bool is_named(const struct metric_event *e)
{
	return strcmp(e->source, "perf_event_open(2)") == 0 || strncmp(e->spec, "msr/", 4) == 0 ||
	       strncmp(e->spec, "power/", 6) == 0 || strncmp(e->spec, "cstate_", 7) == 0;
}

static void check_event(size_t number, const struct metric_event *e, const char *root)
{
	uint32_t family = 1U << number;
	const struct pmu_defaults defaults = { .sysfs = root };
	const struct published *p = find_published(family, e->name);
	struct pmu_event *events;
	char *specs, *error = NULL;
	size_t n;

	if (metric_event_specs(e, root, &specs) < 0)
		fail_msg("there is no PMU for %s", e->spec);
	if (pmu_events_parse(specs, &defaults, &events, &n, &error) < 0)
		fail_msg("%s: %s", e->name, error);
	for (size_t i = 0; i < n; i++) {
		const struct perf_event_attr *attr = &events[i].attr;

		if (is_named(e))
			continue;
		if (!p)
			fail_msg("%s (%s) is published nowhere", e->name, e->spec);
		if (strcmp(p->native, e->native) != 0)
			fail_msg("line %d: %s, and the catalogue says %s", p->line, p->native,
				 e->native);
		if (attr->config != config_of(p, family) || attr->config1 != p->config1)
			fail_msg("line %d: %s is %#llx, config1 %#llx, and not %s of %s", p->line,
				 events[i].spec, (unsigned long long)attr->config,
				 (unsigned long long)attr->config1, p->native, directories[number]);
	}
	pmu_events_free(events, n);
	free(specs);
}

/*
 * Every event of every family is resolved by every instance of its PMU on a machine of the family,
 * into the encoding that was published.
 */
static void test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < METRIC_N_FAMILIES; i++) {
		char *root = fixture_new(metric_machines[i]);
		const struct metric_event *e = NULL;

		while ((e = metric_event_next((enum metric_family)i, e)))
			check_event(i, e, root);
		tree_free(root);
	}
}

/* Nothing is published that the catalogue does not have. */
static void test_no_leftovers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		bool used = false;

		for (size_t f = 0; f < METRIC_N_FAMILIES; f++)
			used |= (published[i].families & 1U << f) &&
				metric_event_find((enum metric_family)f, published[i].name);
		if (!used)
			fail_msg("line %d: %s", published[i].line, published[i].name);
	}
}

static bool libpfm4_config(const char *name, uint64_t *ret)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	pfm_perf_encode_arg_t arg = { .attr = &attr, .size = sizeof(arg) };

	errno = 0;
	if (pfm_get_os_event_encoding(name, PFM_PLM3 | PFM_PLM0, PFM_OS_PERF_EVENT_EXT, &arg) !=
	    PFM_SUCCESS)
		return false;
	*ret = attr.config;
	return true;
}

/*
 * libpfm4's tables agree where they are right; the wrong ones are named, so that a libpfm4 that
 * mends them is noticed.
 */
static void test_libpfm4(void **state)
{
	static const struct {
		int line;
		uint32_t family;
		const char *event; /* of the catalogue */
		const char *name; /* libpfm4's */
	} rows[] = {
		{ __LINE__, BDX, "l1d_fills", "bdw_ep::L1D:REPLACEMENT" },
		{ __LINE__, SKX, "l1d_fills", "skx::L1D:REPLACEMENT" },
		{ __LINE__, ICX, "l1d_fills", "icx::L1D:REPLACEMENT" },
		{ __LINE__, SPR, "l1d_fills", "spr::L1D:REPLACEMENT" },
		{ __LINE__, BDX, "l2_fills", "bdw_ep::L2_LINES_IN:ALL" },
		{ __LINE__, SKX, "l2_fills", "skx::L2_LINES_IN:ALL" },
		{ __LINE__, ICX, "l2_fills", "icx::L2_LINES_IN:ALL" },
		{ __LINE__, SPR, "l2_fills", "spr::L2_LINES_IN:ALL" },
		{ __LINE__, BDX, "llc_load_misses", "bdw_ep::MEM_LOAD_UOPS_RETIRED:L3_MISS" },
		{ __LINE__, SKX, "llc_load_misses", "skx::MEM_LOAD_RETIRED:L3_MISS" },
		{ __LINE__, ICX, "llc_load_misses", "icx::MEM_LOAD_RETIRED:L3_MISS" },
		{ __LINE__, SPR, "llc_load_misses", "spr::MEM_LOAD_RETIRED:L3_MISS" },
		{ __LINE__, BDX, "branch_misses", "bdw_ep::BR_MISP_RETIRED:ALL_BRANCHES" },
		{ __LINE__, SPR, "branch_misses", "spr::BR_MISP_RETIRED:ALL_BRANCHES" },
		{ __LINE__, BDX, "dtlb_load_walks", "bdw_ep::DTLB_LOAD_MISSES:WALK_COMPLETED" },
		{ __LINE__, SKX, "dtlb_store_walks", "skx::DTLB_STORE_MISSES:WALK_COMPLETED" },
		{ __LINE__, ICX, "itlb_walks", "icx::ITLB_MISSES:WALK_COMPLETED" },
		{ __LINE__, SPR, "dtlb_load_walks", "spr::DTLB_LOAD_MISSES:WALK_COMPLETED" },
		{ __LINE__, SPR, "dtlb_store_walks", "spr::DTLB_STORE_MISSES:WALK_COMPLETED" },
		{ __LINE__, SPR, "itlb_walks", "spr::ITLB_MISSES:WALK_COMPLETED" },
		{ __LINE__, BDX, "dtlb_load_walk_cycles",
		  "bdw_ep::DTLB_LOAD_MISSES:WALK_DURATION" },
		{ __LINE__, BDX, "dtlb_store_walk_cycles",
		  "bdw_ep::DTLB_STORE_MISSES:WALK_DURATION" },
		{ __LINE__, BDX, "itlb_walk_cycles", "bdw_ep::ITLB_MISSES:WALK_DURATION" },
		{ __LINE__, SKX, "dtlb_load_walk_cycles", "skx::DTLB_LOAD_MISSES:WALK_PENDING" },
		{ __LINE__, SKX, "itlb_walk_cycles", "skx::ITLB_MISSES:WALK_PENDING" },
		{ __LINE__, SKX, "ept_walk_cycles", "skx::EPT:WALK_PENDING" },
		{ __LINE__, ICX, "dtlb_load_walk_cycles", "icx::DTLB_LOAD_MISSES:WALK_PENDING" },
		{ __LINE__, SPR, "dtlb_load_walk_cycles", "spr::DTLB_LOAD_MISSES:WALK_PENDING" },
		{ __LINE__, BDX, "cycles_any", "bdw_ep::CPU_CLK_THREAD_UNHALTED:THREAD_P:t" },
		{ __LINE__, SKX, "cycles_any", "skx::CPU_CLK_THREAD_UNHALTED:THREAD_P:t" },
		{ __LINE__, ICX, "cycles_core", "icx::CPU_CLK_UNHALTED:DISTRIBUTED" },
		{ __LINE__, SPR, "cycles_core", "spr::CPU_CLK_UNHALTED:DISTRIBUTED" },
		{ __LINE__, BDX, "fetch_bubbles", "bdw_ep::IDQ_UOPS_NOT_DELIVERED:CORE" },
		{ __LINE__, SKX, "fetch_bubbles", "skx::IDQ_UOPS_NOT_DELIVERED:CORE" },
		{ __LINE__, BDX, "uops_issued", "bdw_ep::UOPS_ISSUED:ANY" },
		{ __LINE__, SKX, "uops_issued", "skx::UOPS_ISSUED:ANY" },
		{ __LINE__, BDX, "slots_retired", "bdw_ep::UOPS_RETIRED:RETIRE_SLOTS" },
		{ __LINE__, SKX, "slots_retired", "skx::UOPS_RETIRED:RETIRE_SLOTS" },
		{ __LINE__, BDX, "recovery_any", "bdw_ep::INT_MISC:RECOVERY_CYCLES_ANY" },
		{ __LINE__, SKX, "recovery_any", "skx::INT_MISC:RECOVERY_CYCLES_ANY" },
		{ __LINE__, ICX, "uops_dropped", "icx::INT_MISC:UOP_DROPPING" },
		{ __LINE__, SPR, "uops_dropped", "spr::INT_MISC:UOP_DROPPING" },
		{ __LINE__, ICX, "clears", "icx::INT_MISC:CLEARS_COUNT" },
		{ __LINE__, ICX, "slots", "icx::TOPDOWN:SLOTS" },
		{ __LINE__, SPR, "slots", "spr::TOPDOWN:SLOTS" },
		{ __LINE__, BDX, "local_dram_loads",
		  "bdw_ep::MEM_LOAD_UOPS_L3_MISS_RETIRED:LOCAL_DRAM" },
		{ __LINE__, BDX, "remote_dram_loads",
		  "bdw_ep::MEM_LOAD_UOPS_L3_MISS_RETIRED:REMOTE_DRAM" },
		{ __LINE__, SKX, "local_dram_loads", "skx::MEM_LOAD_L3_MISS_RETIRED:LOCAL_DRAM" },
		{ __LINE__, SKX, "remote_dram_loads", "skx::MEM_LOAD_L3_MISS_RETIRED:REMOTE_DRAM" },
		{ __LINE__, ICX, "remote_dram_loads", "icx::MEM_LOAD_L3_MISS_RETIRED:REMOTE_DRAM" },
		{ __LINE__, SPR, "remote_dram_loads", "spr::MEM_LOAD_L3_MISS_RETIRED:REMOTE_DRAM" },

		{ __LINE__, FAMILY(ZEN2), "memory_fills",
		  "amd64_fam17h_zen2::DATA_CACHE_REFILLS_FROM_SYSTEM:LS_MABRESP_LCL_DRAM:"
		  "LS_MABRESP_RMT_DRAM" },
		{ __LINE__, FAMILY(ZEN3), "memory_fills",
		  "amd64_fam19h_zen3::DEMAND_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_LCL:MEM_IO_RMT" },
		{ __LINE__, FAMILY(ZEN3), "near_fills",
		  "amd64_fam19h_zen3::ANY_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_LCL" },
		{ __LINE__, FAMILY(ZEN3), "far_fills",
		  "amd64_fam19h_zen3::ANY_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_RMT" },
		{ __LINE__, FAMILY(ZEN2), "branch_misses",
		  "amd64_fam17h_zen2::RETIRED_BRANCH_INSTRUCTIONS_MISPREDICTED" },
		{ __LINE__, FAMILY(ZEN2), "l2_demand_misses",
		  "amd64_fam17h_zen2::CORE_TO_L2_CACHEABLE_REQUEST_ACCESS_STATUS:LS_RD_BLK_C:"
		  "IC_FILL_MISS" },
		{ __LINE__, FAMILY(ZEN2), "dtlb_walks",
		  "amd64_fam17h_zen2::L1_DTLB_MISS:TLB_RELOAD_1G_L2_MISS:TLB_RELOAD_2M_L2_MISS:"
		  "TLB_RELOAD_COALESCED_PAGE_MISS:TLB_RELOAD_4K_L2_MISS" },
		{ __LINE__, FAMILY(ZEN4), "itlb_walks",
		  "amd64_fam19h_zen4::L1_ITLB_MISS_L2_ITLB_MISS:COALESCED4K:IF1G:IF2M:IF4K" },
		{ __LINE__, FAMILY(ZEN2), "op_queue_empty", "amd64_fam17h_zen2::UOPS_QUEUE_EMPTY" },
		{ __LINE__, FAMILY(ZEN3), "op_queue_empty", "amd64_fam19h_zen3::UOPS_QUEUE_EMPTY" },
		{ __LINE__, FAMILY(ZEN4), "slots_no_ops",
		  "amd64_fam19h_zen4::DISPATCH_STALLS_1:FE_NO_OPS" },
		{ __LINE__, FAMILY(ZEN4), "slots_backend",
		  "amd64_fam19h_zen4::DISPATCH_STALLS_1:BE_STALLS" },
		{ __LINE__, FAMILY(ZEN4), "slots_smt",
		  "amd64_fam19h_zen4::DISPATCH_STALLS_1:SMT_CONTENTION" },
		{ __LINE__, FAMILY(ZEN4), "ops_dispatched",
		  "amd64_fam19h_zen4::OPS_SOURCE_DISPATCHED_FROM_DECODER:DECODER:OPCACHE:LOOP_"
		  "BUFFER" },
		{ __LINE__, FAMILY(ZEN4), "ops_retired", "amd64_fam19h_zen4::RETIRED_OPS" },
	};
	static const struct {
		int line;
		const char *name;
		uint64_t published, theirs;
	} wrong[] = {
		/* why the top-down events come from sysfs: SLOTS is 0x400, core cycles 0x200 */
		{ __LINE__, "icx::TOPDOWN:BACKEND_BOUND_SLOTS", 0x2a4, 0x200 },
		{ __LINE__, "spr::TOPDOWN:BACKEND_BOUND_SLOTS", 0x2a4, 0x200 },
		{ __LINE__, "spr::TOPDOWN:BAD_SPEC_SLOTS", 0x4a4, 0x400 },
		{ __LINE__, "bdw_ep::L2_RQSTS:DEMAND_DATA_RD_HIT", 0xc124, 0x4124 },
	};
	uint64_t config;

	(void)state;
	setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
	pfm_terminate(); /* the library was started without it */
	assert_int_equal(pfm_initialize(), PFM_SUCCESS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct published *p = find_published(rows[i].family, rows[i].event);

		if (!libpfm4_config(rows[i].name, &config))
			fail_msg("line %d: libpfm4 has no %s", rows[i].line, rows[i].name);
		else if (!p || config != config_of(p, rows[i].family))
			fail_msg("line %d: libpfm4 has %#llx", rows[i].line,
				 (unsigned long long)config);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (!libpfm4_config(wrong[i].name, &config) || config != wrong[i].theirs)
			fail_msg("line %d: libpfm4 has %#llx, published is %#llx", wrong[i].line,
				 (unsigned long long)config,
				 (unsigned long long)wrong[i].published);
	pfm_terminate();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_no_leftovers),
#if defined(__x86_64__)
		cmocka_unit_test(test_libpfm4),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
