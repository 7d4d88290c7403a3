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
	const char *name;
	uint64_t event, umask;
	unsigned int cmask, edge, any;
	uint64_t config1;
};

/*
 * As published by intel/perfmon (BDX, SKX, ICX, SPR, GNR; core and uncore) and by the kernel's
 * pmu-events (amdzen2, 3, 4, 5; arm64/arm).
 */
#define ROW(in, called, code, mask, ...)                                                           \
	{                                                                                          \
		.line = __LINE__, .families = in, .name = called, .event = code, .umask = mask,    \
		##__VA_ARGS__                                                                      \
	}

static const struct published published[] = {
	ROW(INTEL, "l1d_fills", 0x51, 0x01),
	ROW(BDX, "l2_fills", 0xf1, 0x07),
	ROW(SKX | ICX, "l2_fills", 0xf1, 0x1f),
	ROW(SPR | GNR, "l2_fills", 0x25, 0x1f),
	ROW(INTEL, "llc_load_misses", 0xd1, 0x20),
	ROW(INTEL, "branch_misses", 0xc5, 0x00),
	ROW(BDX | SKX | ICX, "dtlb_load_walks", 0x08, 0x0e),
	ROW(BDX | SKX | ICX, "dtlb_store_walks", 0x49, 0x0e),
	ROW(BDX | SKX | ICX, "itlb_walks", 0x85, 0x0e),
	ROW(SPR | GNR, "dtlb_load_walks", 0x12, 0x0e),
	ROW(SPR | GNR, "dtlb_store_walks", 0x13, 0x0e),
	ROW(SPR | GNR, "itlb_walks", 0x11, 0x0e),
	ROW(BDX | SKX | ICX, "dtlb_load_walk_cycles", 0x08, 0x10),
	ROW(BDX | SKX | ICX, "dtlb_store_walk_cycles", 0x49, 0x10),
	ROW(BDX | SKX | ICX, "itlb_walk_cycles", 0x85, 0x10),
	ROW(SPR | GNR, "dtlb_load_walk_cycles", 0x12, 0x10),
	ROW(SPR | GNR, "dtlb_store_walk_cycles", 0x13, 0x10),
	ROW(SPR | GNR, "itlb_walk_cycles", 0x11, 0x10),
	ROW(SKX, "ept_walk_cycles", 0x4f, 0x10),
	ROW(BDX | SKX, "cycles_any", 0x3c, 0x00, .any = 1),
	ROW(ICX | SPR | GNR, "cycles_core", 0xec, 0x02),
	ROW(BDX | SKX, "fetch_bubbles", 0x9c, 0x01),
	ROW(BDX | SKX, "uops_issued", 0x0e, 0x01),
	ROW(BDX | SKX, "slots_retired", 0xc2, 0x02),
	ROW(BDX, "recovery_any", 0x0d, 0x03, .cmask = 1, .any = 1),
	ROW(SKX, "recovery_any", 0x0d, 0x01, .any = 1),
	ROW(ICX, "uops_dropped", 0x0d, 0x10),
	ROW(SPR | GNR, "uops_dropped", 0xad, 0x10),
	ROW(ICX, "clears", 0x0d, 0x01, .cmask = 1, .edge = 1),
	ROW(ICX | SPR | GNR, "slots", 0x00, 0x04),
	ROW(ICX | SPR | GNR, "td_retiring", 0x00, 0x80),
	ROW(ICX | SPR | GNR, "td_bad_spec", 0x00, 0x81),
	ROW(ICX | SPR | GNR, "td_fe_bound", 0x00, 0x82),
	ROW(ICX | SPR | GNR, "td_be_bound", 0x00, 0x83),
	ROW(SPR | GNR, "td_heavy_ops", 0x00, 0x84),
	ROW(SPR | GNR, "td_br_mispredict", 0x00, 0x85),
	ROW(SPR | GNR, "td_fetch_lat", 0x00, 0x86),
	ROW(SPR | GNR, "td_mem_bound", 0x00, 0x87),
	ROW(INTEL, "local_dram_loads", 0xd3, 0x01),
	ROW(BDX, "remote_dram_loads", 0xd3, 0x04),
	ROW(INTEL & ~BDX, "remote_dram_loads", 0xd3, 0x02),
	ROW(BDX | SKX, "dram_reads", 0x04, 0x03),
	ROW(BDX | SKX, "dram_writes", 0x04, 0x0c),
	ROW(ICX, "dram_reads", 0x04, 0x0f),
	ROW(ICX, "dram_writes", 0x04, 0x30),
	ROW(SPR, "dram_reads", 0x05, 0xcf),
	ROW(SPR, "dram_writes", 0x05, 0xf0),
	ROW(GNR, "dram_reads_0", 0x05, 0xcf),
	ROW(GNR, "dram_writes_0", 0x05, 0xf0),
	ROW(GNR, "dram_reads_1", 0x06, 0xcf),
	ROW(GNR, "dram_writes_1", 0x06, 0xf0),
	ROW(BDX, "link_data", 0x00, 0x02),
	ROW(INTEL & ~BDX, "link_data", 0x02, 0x0f),
	ROW(BDX, "local_reads", 0x01, 0x01),
	ROW(BDX, "remote_reads", 0x01, 0x02),
	/* opcode DRd (0x202) in bits 41-50, near and far memory in 36 and 37, local 33, remote 32
	 */
	ROW(SKX, "local_reads", 0x35, 0x21, .config1 = 0x202ULL << 41 | 3ULL << 36 | 1ULL << 33),
	ROW(SKX, "remote_reads", 0x35, 0x21, .config1 = 0x202ULL << 41 | 3ULL << 36 | 1ULL << 32),
	ROW(ICX | SPR | GNR, "local_reads", 0x35, 0xc816fe01),
	ROW(ICX | SPR | GNR, "remote_reads", 0x35, 0xc8177e01),
	ROW(ICX | SPR | GNR, "local_prefetches", 0x35, 0xc896fe01),
	ROW(ICX | SPR | GNR, "remote_prefetches", 0x35, 0xc8977e01),

	ROW(ZEN2, "l1d_fills", 0x60, 0xc8),
	ROW(AMD & ~ZEN2, "l1d_fills", 0x44, 0xff),
	ROW(AMD, "l2_demand_misses", 0x64, 0x09),
	ROW(AMD, "l2_prefetch_l3_hits", 0x71, 0x1f),
	ROW(AMD, "l2_prefetch_l3_misses", 0x72, 0x1f),
	ROW(AMD, "memory_fills", 0x43, 0x08 | 0x40),
	ROW(AMD, "l3_misses", 0x04, 0x01),
	ROW(AMD, "l3_accesses", 0x04, 0xff),
	ROW(AMD, "branch_misses", 0xc3, 0x00),
	ROW(AMD, "dtlb_walks", 0x45, 0xf0),
	ROW(ZEN2, "itlb_walks", 0x85, 0x07),
	ROW(AMD & ~ZEN2, "itlb_walks", 0x85, 0x0f),
	ROW(ZEN2 | ZEN3, "op_queue_empty", 0xa9, 0x00),
	ROW(ZEN2, "dispatch_stalls_1", 0xae, 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40 | 0x80),
	ROW(ZEN2, "dispatch_stalls_2", 0xaf, 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40),
	ROW(ZEN3, "dispatch_stalls_1", 0xae, 0x01 | 0x02 | 0x04 | 0x10 | 0x20 | 0x40 | 0x80),
	ROW(ZEN3, "dispatch_stalls_2", 0xaf, 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20),
	ROW(ZEN4 | ZEN5, "slots_no_ops", 0x1a0, 0x01),
	ROW(ZEN4 | ZEN5, "slots_backend", 0x1a0, 0x1e),
	ROW(ZEN4 | ZEN5, "slots_smt", 0x1a0, 0x60),
	ROW(ZEN4 | ZEN5, "ops_dispatched", 0xaa, 0x07),
	ROW(ZEN4 | ZEN5, "ops_retired", 0xc1, 0x00),
	ROW(FAMILY(ZEN2), "near_fills", 0x43, 0x08),
	ROW(FAMILY(ZEN2), "far_fills", 0x43, 0x40),
	ROW(EPYC & ~FAMILY(ZEN2), "near_fills", 0x44, 0x08),
	ROW(EPYC & ~FAMILY(ZEN2), "far_fills", 0x44, 0x40),
	ROW(ZEN2 | ZEN3, "dram_beats_0", 0x07, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_1", 0x47, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_2", 0x87, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_3", 0xc7, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_4", 0x107, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_5", 0x147, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_6", 0x187, 0x38),
	ROW(ZEN2 | ZEN3, "dram_beats_7", 0x1c7, 0x38),
	ROW(ZEN4 | ZEN5, "dram_reads", 0x0a, 0x1),
	ROW(ZEN4 | ZEN5, "dram_writes", 0x0a, 0x2),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_0", 0x7c7, 0x02),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_1", 0x807, 0x02),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_2", 0x847, 0x02),
	ROW(FAMILY(ZEN2) | FAMILY(ZEN3), "link_data_3", 0x887, 0x02),
	ROW(FAMILY(ZEN4), "link_data_0", 0xb5f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_1", 0xb9f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_2", 0xbdf, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_3", 0xc1f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_4", 0xc5f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_5", 0xc9f, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_6", 0xcdf, 0xf3e),
	ROW(FAMILY(ZEN4), "link_data_7", 0xd1f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_0", 0xd5f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_1", 0xd9f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_2", 0xddf, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_3", 0xe1f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_4", 0xe5f, 0xf3e),
	ROW(FAMILY(ZEN5), "link_data_5", 0xe9f, 0xf3e),

	ROW(ARM, "l1d_fills", 0x03, 0),
	ROW(ARM, "l2_fills", 0x17, 0),
	ROW(ARM, "llc_read_misses", 0x37, 0),
	ROW(ARM, "dtlb_walks", 0x34, 0),
	ROW(ARM, "itlb_walks", 0x35, 0),
	ROW(ARM, "branch_misses", 0x22, 0),
	ROW(ARM, "remote_accesses", 0x31, 0),
	ROW(ARM, "memory_accesses", 0x13, 0),
	ROW(N1, "stall_frontend", 0x23, 0),
	ROW(N1, "stall_backend", 0x24, 0),
	ROW(V1 | N2 | V2, "cnt_cycles", 0x4004, 0),
	ROW(V1 | N2 | V2, "ops_retired", 0x3a, 0),
	ROW(V1 | N2 | V2, "ops_speculated", 0x3b, 0),
	ROW(V1 | N2 | V2, "stall_slots", 0x3f, 0),
	ROW(V1 | N2 | V2, "stall_slots_fe", 0x3e, 0),
	ROW(V1 | N2 | V2, "stall_slots_be", 0x3d, 0),
	ROW(V1, "branch_mispredicts", 0x10, 0),
	/* node type HN-F, event 0x0d from bit 16 */
	ROW(ARM, "dram_requests", 0x0d << 16 | 5, 0),
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

static void check_event(uint32_t family, const struct metric_event *e, const char *root)
{
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
		if (attr->config != config_of(p, family) || attr->config1 != p->config1)
			fail_msg("line %d: %s is %#llx, config1 %#llx", p->line, events[i].spec,
				 (unsigned long long)attr->config,
				 (unsigned long long)attr->config1);
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
			check_event(1U << i, e, root);
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
		{ __LINE__, FAMILY(ZEN2), "l2_prefetch_l3_hits",
		  "amd64_fam17h_zen2::L2_PREFETCH_HIT_L3:ANY" },
		{ __LINE__, FAMILY(ZEN3), "l2_prefetch_l3_hits",
		  "amd64_fam19h_zen3::L2_PREFETCH_HIT_L3:L2_HW_PREFETCHER" },
		{ __LINE__, FAMILY(ZEN3), "l2_prefetch_l3_misses",
		  "amd64_fam19h_zen3::L2_PREFETCH_MISS_L3:L2_HW_PREFETCHER" },
		{ __LINE__, FAMILY(ZEN2), "dtlb_walks",
		  "amd64_fam17h_zen2::L1_DTLB_MISS:TLB_RELOAD_1G_L2_MISS:TLB_RELOAD_2M_L2_MISS:"
		  "TLB_RELOAD_COALESCED_PAGE_MISS:TLB_RELOAD_4K_L2_MISS" },
		{ __LINE__, FAMILY(ZEN2), "itlb_walks",
		  "amd64_fam17h_zen2::L1_ITLB_MISS_L2_ITLB_MISS:IF1G:IF2M:IF4K" },
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
