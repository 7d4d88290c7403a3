// SPDX-License-Identifier: Apache-2.0
/*
 * Events of AMD's cores from Zen 2 on. Core events are raw: bits 0-7 and 32-35 of config are the
 * event, 8-15 the unit mask (AMD64 manual volume 2, PerfEvtSeln), so that event 0x1a0 with mask 1
 * is 0x1000001a0. The last level is never asked of the kernel's generic events: cache-misses is the
 * L2 here. What the data fabric's events count is published for servers only.
 */
#include "pmu/internal.h"
#include "pmu/metric_table.h"

#define EVENT(families, name, spec, native, json)                                                  \
	{                                                                                          \
		families, name, spec, native, "Linux pmu-events " json, NULL                       \
	}
#define ZEN2_JSON(families, name, spec, native) EVENT(families, name, spec, native, "amdzen2")
#define ZEN3_JSON(families, name, spec, native) EVENT(families, name, spec, native, "amdzen3")
#define ZEN4_JSON(families, name, spec, native) EVENT(families, name, spec, native, "amdzen4")
#define ZEN5_JSON(families, name, spec, native) EVENT(families, name, spec, native, "amdzen5")

#define EPYC2_3 (FAMILY(ZEN2) | FAMILY(ZEN3))
#define RYZEN2_3 (FAMILY(ZEN2_DESKTOP) | FAMILY(ZEN3_DESKTOP))

static const struct metric_event rows[] = {
	ZEN2_JSON(ZEN2, "l1d_fills", "rc860", "l2_cache_accesses_from_dc_misses"),
	ZEN3_JSON(ZEN3, "l1d_fills", "r5f44", "ls_any_fills_from_sys, all six"),
	ZEN4_JSON(ZEN4 | ZEN5, "l1d_fills", "rff44", "ls_any_fills_from_sys.all"),
	ZEN2_JSON(AMD, "l2_demand_misses", "r964", "l2_cache_req_stat.ic_dc_miss_in_l2"),
	ZEN2_JSON(ZEN2 | ZEN3, "l2_prefetch_l3_hits", "rff71", "l2_pf_miss_l2_hit_l3"),
	ZEN2_JSON(ZEN2 | ZEN3, "l2_prefetch_l3_misses", "rff72", "l2_pf_miss_l2_l3"),
	ZEN4_JSON(ZEN4, "l2_prefetch_l3_hits", "rff71", "l2_pf_miss_l2_hit_l3.all"),
	ZEN4_JSON(ZEN4, "l2_prefetch_l3_misses", "rff72", "l2_pf_miss_l2_l3.all"),
	ZEN5_JSON(ZEN5, "l2_prefetch_l3_hits", "r1f71", "l2_pf_miss_l2_hit_l3.l2_hwpf"),
	ZEN5_JSON(ZEN5, "l2_prefetch_l3_misses", "r1f72", "l2_pf_miss_l2_l3.l2_hwpf"),
	ZEN2_JSON(ZEN2, "memory_fills", "r4843", "ls_refills_from_sys, local and remote DRAM"),
	ZEN3_JSON(ZEN3, "memory_fills", "r4843",
		  "ls_dmnd_fills_from_sys, mem_io_local and _remote"),
	ZEN4_JSON(ZEN4 | ZEN5, "memory_fills", "r4843",
		  "ls_dmnd_fills_from_sys, dram_io_near and _far"),
	ZEN2_JSON(ZEN2 | ZEN3, "l3_misses", "amd_l3/event=0x06,umask=0x01/",
		  "l3_comb_clstr_state.request_miss"),
	ZEN2_JSON(ZEN2 | ZEN3, "l3_accesses", "amd_l3/event=0x04,umask=0xff/",
		  "l3_lookup_state.all_l3_req_typs"),
	ZEN4_JSON(ZEN4 | ZEN5, "l3_misses", "amd_l3/event=0x04,umask=0x01/",
		  "l3_lookup_state.l3_miss"),
	ZEN4_JSON(ZEN4 | ZEN5, "l3_accesses", "amd_l3/event=0x04,umask=0xff/",
		  "l3_lookup_state.all_coherent_accesses_to_l3"),
	ZEN2_JSON(AMD, "branch_misses", "rc3", "ex_ret_brn_misp"),

	ZEN2_JSON(ZEN2 | ZEN3, "dtlb_walks", "rf045", "ls_l1_d_tlb_miss, all four l2_miss"),
	ZEN4_JSON(ZEN4 | ZEN5, "dtlb_walks", "rf045", "ls_l1_d_tlb_miss.all_l2_miss"),
	ZEN2_JSON(ZEN2 | ZEN3, "itlb_walks", "rff85", "bp_l1_tlb_miss_l2_tlb_miss"),
	ZEN4_JSON(ZEN4 | ZEN5, "itlb_walks", "rf85", "bp_l1_tlb_miss_l2_tlb_miss.all"),

	ZEN2_JSON(ZEN2 | ZEN3, "op_queue_empty", "ra9", "de_dis_uop_queue_empty_di0"),
	ZEN2_JSON(ZEN2 | ZEN3, "dispatch_stalls_1", "rffae", "de_dis_dispatch_token_stalls1, all"),
	ZEN2_JSON(ZEN2, "dispatch_stalls_2", "r7faf", "de_dis_dispatch_token_stalls0, all"),
	ZEN3_JSON(ZEN3, "dispatch_stalls_2", "r3faf", "de_dis_dispatch_token_stalls2, all"),
	ZEN4_JSON(ZEN4 | ZEN5, "slots_no_ops", "r1000001a0",
		  "de_no_dispatch_per_slot.no_ops_from_frontend"),
	ZEN4_JSON(ZEN4 | ZEN5, "slots_backend", "r100001ea0",
		  "de_no_dispatch_per_slot.backend_stalls"),
	ZEN4_JSON(ZEN4 | ZEN5, "slots_smt", "r1000060a0", "de_no_dispatch_per_slot.smt_contention"),
	ZEN4_JSON(ZEN4 | ZEN5, "ops_dispatched", "r7aa", "de_src_op_disp.all"),
	ZEN4_JSON(ZEN4 | ZEN5, "ops_retired", "rc1", "ex_ret_ops"),

	ZEN2_JSON(FAMILY(ZEN2), "near_fills", "r843", "ls_refills_from_sys.ls_mabresp_lcl_dram"),
	ZEN2_JSON(FAMILY(ZEN2), "far_fills", "r4043", "ls_refills_from_sys.ls_mabresp_rmt_dram"),
	ZEN3_JSON(FAMILY(ZEN3), "near_fills", "r844", "ls_any_fills_from_sys.mem_io_local"),
	ZEN3_JSON(FAMILY(ZEN3), "far_fills", "r4044", "ls_any_fills_from_sys.mem_io_remote"),
	ZEN4_JSON(EPYC &(ZEN4 | ZEN5), "near_fills", "r844", "ls_any_fills_from_sys.dram_io_near"),
	ZEN4_JSON(EPYC &(ZEN4 | ZEN5), "far_fills", "r4044", "ls_any_fills_from_sys.dram_io_far"),

	ZEN2_JSON(EPYC2_3 | RYZEN2_3, "dram_beats_0", "amd_df/event=0x07,umask=0x38/",
		  "dram_channel_data_controller_0"),
	ZEN2_JSON(EPYC2_3 | RYZEN2_3, "dram_beats_1", "amd_df/event=0x47,umask=0x38/",
		  "dram_channel_data_controller_1"),
	ZEN2_JSON(EPYC2_3, "dram_beats_2", "amd_df/event=0x87,umask=0x38/",
		  "dram_channel_data_controller_2"),
	ZEN2_JSON(EPYC2_3, "dram_beats_3", "amd_df/event=0xc7,umask=0x38/",
		  "dram_channel_data_controller_3"),
	ZEN2_JSON(EPYC2_3, "dram_beats_4", "amd_df/event=0x107,umask=0x38/",
		  "dram_channel_data_controller_4"),
	ZEN2_JSON(EPYC2_3, "dram_beats_5", "amd_df/event=0x147,umask=0x38/",
		  "dram_channel_data_controller_5"),
	ZEN2_JSON(EPYC2_3, "dram_beats_6", "amd_df/event=0x187,umask=0x38/",
		  "dram_channel_data_controller_6"),
	ZEN2_JSON(EPYC2_3, "dram_beats_7", "amd_df/event=0x1c7,umask=0x38/",
		  "dram_channel_data_controller_7"),
	ZEN4_JSON(ZEN4 | ZEN5, "dram_reads", "amd_umc/event=0x0a,rdwrmask=0x1/", "umc_cas_cmd.rd"),
	ZEN4_JSON(ZEN4 | ZEN5, "dram_writes", "amd_umc/event=0x0a,rdwrmask=0x2/", "umc_cas_cmd.wr"),

	ZEN2_JSON(EPYC2_3, "link_data_0", "amd_df/event=0x7c7,umask=0x02/",
		  "remote_outbound_data_controller_0"),
	ZEN2_JSON(EPYC2_3, "link_data_1", "amd_df/event=0x807,umask=0x02/",
		  "remote_outbound_data_controller_1"),
	ZEN2_JSON(EPYC2_3, "link_data_2", "amd_df/event=0x847,umask=0x02/",
		  "remote_outbound_data_controller_2"),
	ZEN2_JSON(EPYC2_3, "link_data_3", "amd_df/event=0x887,umask=0x02/",
		  "remote_outbound_data_controller_3"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_0", "amd_df/event=0xb5f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link0"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_1", "amd_df/event=0xb9f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link1"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_2", "amd_df/event=0xbdf,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link2"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_3", "amd_df/event=0xc1f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link3"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_4", "amd_df/event=0xc5f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link4"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_5", "amd_df/event=0xc9f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link5"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_6", "amd_df/event=0xcdf,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link6"),
	ZEN4_JSON(FAMILY(ZEN4), "link_data_7", "amd_df/event=0xd1f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link7"),
	ZEN5_JSON(FAMILY(ZEN5), "link_data_0", "amd_df/event=0xd5f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link_0"),
	ZEN5_JSON(FAMILY(ZEN5), "link_data_1", "amd_df/event=0xd9f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link_1"),
	ZEN5_JSON(FAMILY(ZEN5), "link_data_2", "amd_df/event=0xddf,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link_2"),
	ZEN5_JSON(FAMILY(ZEN5), "link_data_3", "amd_df/event=0xe1f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link_3"),
	ZEN5_JSON(FAMILY(ZEN5), "link_data_4", "amd_df/event=0xe5f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link_4"),
	ZEN5_JSON(FAMILY(ZEN5), "link_data_5", "amd_df/event=0xe9f,umask=0xf3e/",
		  "local_socket_outbound_data_beats_link_5"),
};

const struct metric_event_table metric_events_amd = { rows, ARRAY_SIZE(rows) };
