// SPDX-License-Identifier: Apache-2.0
/*
 * union perf_mem_data_src in words (include/uapi/linux/perf_event.h). Where the data came from
 * stands in it twice: as a number since Linux 4.14, and before that, and on some CPUs still, as a
 * set of bits.
 */
#include "profile/memory_access.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/parse.h"

/* Newer than the header of the oldest build host. */
#define LEVEL_L2_MHB 5
#define LEVEL_MSC 6
#define LEVEL_L0 7
#define LEVEL_UNCACHED 8
#define LEVEL_CXL 9
#define LEVEL_IO 10
#define HOPS_SHIFT 43

#define LINE_BYTES 64
#define PAGE_BYTES 4096

struct word {
	uint64_t bit;
	const char *text;
};

struct words {
	char *text;
	size_t size, used;
};

static void add(struct words *w, const char *between, const char *text)
{
	int n = snprintf(w->text + w->used, w->size - w->used, "%s%s", w->used ? between : "",
			 text);

	w->used = MIN(w->used + (size_t)MAX(n, 0), w->size - 1);
}

/* The words of the bits that are set, joined by " or ". */
static void add_set(struct words *w, const struct word *list, size_t n, uint64_t bits)
{
	const char *between = ", ";

	for (size_t i = 0; i < n; i++) {
		if (!(bits & list[i].bit))
			continue;
		add(w, between, list[i].text);
		between = " or ";
	}
}

/* --- data source -------------------------------------------------------------------------------*/

static const char *level_name(unsigned int number)
{
	static const char *const names[] = {
		[PERF_MEM_LVLNUM_L1] = "L1",
		[PERF_MEM_LVLNUM_L2] = "L2",
		[PERF_MEM_LVLNUM_L3] = "L3",
		[PERF_MEM_LVLNUM_L4] = "L4",
		[LEVEL_L2_MHB] = "L2 miss handling buffer",
		[LEVEL_MSC] = "memory-side cache",
		[LEVEL_L0] = "L0",
		[LEVEL_UNCACHED] = "uncached memory",
		[LEVEL_CXL] = "CXL memory",
		[LEVEL_IO] = "I/O",
		[PERF_MEM_LVLNUM_ANY_CACHE] = "some cache",
		[PERF_MEM_LVLNUM_LFB] = "line fill buffer",
		[PERF_MEM_LVLNUM_RAM] = "RAM",
		[PERF_MEM_LVLNUM_PMEM] = "persistent memory",
	};

	return number < ARRAY_SIZE(names) ? names[number] : NULL;
}

static const struct word old_levels[] = {
	{ PERF_MEM_LVL_L1, "L1" },
	{ PERF_MEM_LVL_LFB, "line fill buffer" },
	{ PERF_MEM_LVL_L2, "L2" },
	{ PERF_MEM_LVL_L3, "L3" },
	{ PERF_MEM_LVL_LOC_RAM, "RAM" },
	{ PERF_MEM_LVL_REM_RAM1, "remote RAM, one hop" },
	{ PERF_MEM_LVL_REM_RAM2, "remote RAM, two hops" },
	{ PERF_MEM_LVL_REM_CCE1, "remote cache, one hop" },
	{ PERF_MEM_LVL_REM_CCE2, "remote cache, two hops" },
	{ PERF_MEM_LVL_IO, "I/O" },
	{ PERF_MEM_LVL_UNC, "uncached memory" },
};

static void add_level(struct words *w, union perf_mem_data_src s)
{
	const char *name = level_name(s.mem_lvl_num);

	if (name && s.mem_remote) {
		add(w, ", ", "remote");
		add(w, " ", name);
	} else if (name) {
		add(w, ", ", name);
	} else if (s.mem_lvl & ~(PERF_MEM_LVL_NA | PERF_MEM_LVL_HIT | PERF_MEM_LVL_MISS)) {
		add_set(w, old_levels, ARRAY_SIZE(old_levels), s.mem_lvl);
	} else {
		add(w, ", ", "from where is not told");
		return;
	}
	if (s.mem_lvl & PERF_MEM_LVL_MISS)
		add(w, " ", "miss");
	else if (s.mem_lvl & PERF_MEM_LVL_HIT)
		add(w, " ", "hit");
}

static const char *hops_name(uint64_t hops)
{
	static const char *const names[] = { NULL, "of another core", "of another node",
					     "of another socket", "of another board" };

	return hops < ARRAY_SIZE(names) ? names[hops] : NULL;
}

static void name_source(struct words *w, uint64_t key)
{
	static const struct word operations[] = {
		{ PERF_MEM_OP_LOAD, "load" },
		{ PERF_MEM_OP_STORE, "store" },
		{ PERF_MEM_OP_PFETCH, "prefetch" },
		{ PERF_MEM_OP_EXEC, "instruction fetch" },
	};
	static const struct word snoops[] = {
		{ PERF_MEM_SNOOP_HIT, "snoop hit" },
		{ PERF_MEM_SNOOP_MISS, "snoop miss" },
		{ PERF_MEM_SNOOP_HITM, "snoop HITM" },
	};
	static const struct word more_snoops[] = { { 1, "forwarded" }, { 2, "from a peer" } };
	union perf_mem_data_src s = { .val = key };
	const char *hops = hops_name(key >> HOPS_SHIFT & 7);

	add_set(w, operations, ARRAY_SIZE(operations), s.mem_op);
	add_level(w, s);
	if (hops)
		add(w, " ", hops);
	add_set(w, snoops, ARRAY_SIZE(snoops), s.mem_snoop);
	add_set(w, more_snoops, ARRAY_SIZE(more_snoops), s.mem_snoopx);
	if (s.mem_lock & PERF_MEM_LOCK_LOCKED)
		add(w, ", ", "locked");
}

uint64_t memory_access_source(uint64_t data_src)
{
	union perf_mem_data_src s = { .val = data_src };

	if ((s.mem_op & ~PERF_MEM_OP_NA) == 0 && (s.mem_lvl & ~PERF_MEM_LVL_NA) == 0)
		return 0;
	return data_src;
}

/* Not the TLB, which is a part of its own, nor what blocked a load. */
static uint64_t source_key(uint64_t source)
{
	union perf_mem_data_src s = { .val = source };

	s.mem_dtlb = 0;
	s.mem_blk = 0;
	return s.val;
}

/* --- TLB ---------------------------------------------------------------------------------------*/

static void name_tlb(struct words *w, uint64_t key)
{
	static const struct word levels[] = {
		{ PERF_MEM_TLB_L1, "L1" },
		{ PERF_MEM_TLB_L2, "L2" },
		{ PERF_MEM_TLB_WK, "page walk" },
		{ PERF_MEM_TLB_OS, "fault handler" },
	};

	add_set(w, levels, ARRAY_SIZE(levels), key);
	if (key & PERF_MEM_TLB_MISS)
		add(w, " ", "miss");
	else if (key & PERF_MEM_TLB_HIT)
		add(w, " ", "hit");
}

static uint64_t tlb_key(uint64_t source)
{
	union perf_mem_data_src s = { .val = source };

	return s.mem_dtlb & ~(uint64_t)PERF_MEM_TLB_NA;
}

/* --- all of it ---------------------------------------------------------------------------------*/

uint64_t memory_access_key(enum memory_access_part part, const struct record_access *a)
{
	switch (part) {
	case ACCESS_BY_SOURCE:
		return a->source ? source_key(a->source) : 0;
	case ACCESS_BY_TLB:
		return a->source ? tlb_key(a->source) : 0;
	case ACCESS_BY_LATENCY:
		return a->latency ? 64 - (unsigned int)__builtin_clzll(a->latency) : 0;
	case ACCESS_BY_ADDRESS:
		return a->address & ~(uint64_t)(LINE_BYTES - 1);
	case ACCESS_BY_PAGE:
		return a->address & ~(uint64_t)(PAGE_BYTES - 1);
	case ACCESS_PARTS:
		break;
	}
	return 0;
}

const char *memory_access_name(enum memory_access_part part, uint64_t key, char *text, size_t size)
{
	static const char *const untold[] = {
		[ACCESS_BY_SOURCE] = "[no data source]", [ACCESS_BY_TLB] = "[TLB not told]",
		[ACCESS_BY_LATENCY] = "[no latency]",	 [ACCESS_BY_ADDRESS] = "[no address]",
		[ACCESS_BY_PAGE] = "[no address]",
	};
	struct words w = { .text = text, .size = size };

	if (key == 0)
		return untold[part];
	text[0] = 0;
	if (part == ACCESS_BY_SOURCE)
		name_source(&w, key);
	else if (part == ACCESS_BY_TLB)
		name_tlb(&w, key);
	else if (part == ACCESS_BY_LATENCY && key == 1)
		snprintf(text, size, "1 cycle");
	else if (part == ACCESS_BY_LATENCY)
		snprintf(text, size, "%" PRIu64 " to %" PRIu64 " cycles", UINT64_C(1) << (key - 1),
			 (UINT64_C(1) << (key - 1)) * 2 - 1);
	else
		snprintf(text, size, "0x%" PRIx64, key);
	return text;
}
