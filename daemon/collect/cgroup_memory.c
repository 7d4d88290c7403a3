// SPDX-License-Identifier: Apache-2.0
/*
 * Memory of a control group (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). Where
 * v1 has a number of the group alone and one that counts those below it ("total_"), the latter is
 * taken, which is what v2 has.
 */
#include "collect/cgroup_parts.h"

/* v1's way to say that there is no limit: the largest number of whole pages, of up to 64 KiB. */
#define V1_UNLIMITED 0x7fffffffffff0000ULL

#define COUNTER(i) (CGROUP_MEMORY_COUNTER + (i))

static bool read_v2(const struct cgroup_part *p)
{
	static const struct cgroup_keyed stat[] = {
		{ "anon", CGROUP_MEMORY_ANON, 1 },
		{ "file", CGROUP_MEMORY_FILE, 1 },
		{ "kernel", CGROUP_MEMORY_KERNEL, 1 },
		{ "slab", CGROUP_MEMORY_SLAB, 1 },
		{ "sock", CGROUP_MEMORY_SOCKETS, 1 },
		{ "shmem", CGROUP_MEMORY_SHMEM, 1 },
		{ "file_mapped", CGROUP_MEMORY_MAPPED, 1 },
		{ "file_dirty", CGROUP_MEMORY_DIRTY, 1 },
		{ "file_writeback", CGROUP_MEMORY_WRITEBACK, 1 },
		{ "active_anon", CGROUP_MEMORY_ACTIVE_ANON, 1 },
		{ "inactive_anon", CGROUP_MEMORY_INACTIVE_ANON, 1 },
		{ "active_file", CGROUP_MEMORY_ACTIVE_FILE, 1 },
		{ "inactive_file", CGROUP_MEMORY_INACTIVE_FILE, 1 },
		{ "pgfault", COUNTER(CGROUP_MEMORY_FAULTS), 1 },
		{ "pgmajfault", COUNTER(CGROUP_MEMORY_MAJOR_FAULTS), 1 },
	};
	static const struct cgroup_keyed events[] = {
		{ "high", COUNTER(CGROUP_MEMORY_AT_HIGH), 1 },
		{ "max", COUNTER(CGROUP_MEMORY_AT_LIMIT), 1 },
		{ "oom", COUNTER(CGROUP_MEMORY_OOMS), 1 },
		{ "oom_kill", COUNTER(CGROUP_MEMORY_KILLS), 1 },
	};

	if (!cgroup_put_number(p, CGROUP_MEMORY, "memory.current", UINT64_MAX, 1,
			       CGROUP_MEMORY_CURRENT))
		return false;
	cgroup_put_number(p, CGROUP_MEMORY, "memory.peak", UINT64_MAX, 1, CGROUP_MEMORY_PEAK);
	cgroup_put_number(p, CGROUP_MEMORY, "memory.max", UINT64_MAX, 1, CGROUP_MEMORY_LIMIT);
	cgroup_put_number(p, CGROUP_MEMORY, "memory.high", UINT64_MAX, 1, CGROUP_MEMORY_HIGH);
	cgroup_put_number(p, CGROUP_MEMORY, "memory.swap.current", UINT64_MAX, 1,
			  CGROUP_MEMORY_SWAP);
	cgroup_put_number(p, CGROUP_MEMORY, "memory.swap.max", UINT64_MAX, 1,
			  CGROUP_MEMORY_SWAP_LIMIT);
	cgroup_read_keyed(p, CGROUP_MEMORY, "memory.stat", stat, ARRAY_SIZE(stat));
	cgroup_read_keyed(p, CGROUP_MEMORY, "memory.events", events, ARRAY_SIZE(events));
	return true;
}

static bool read_v1(const struct cgroup_part *p)
{
	static const struct cgroup_keyed stat[] = {
		{ "total_rss", CGROUP_MEMORY_ANON, 1 },
		{ "total_cache", CGROUP_MEMORY_FILE, 1 },
		{ "total_shmem", CGROUP_MEMORY_SHMEM, 1 },
		{ "total_mapped_file", CGROUP_MEMORY_MAPPED, 1 },
		{ "total_dirty", CGROUP_MEMORY_DIRTY, 1 },
		{ "total_writeback", CGROUP_MEMORY_WRITEBACK, 1 },
		{ "total_swap", CGROUP_MEMORY_SWAP, 1 },
		{ "total_active_anon", CGROUP_MEMORY_ACTIVE_ANON, 1 },
		{ "total_inactive_anon", CGROUP_MEMORY_INACTIVE_ANON, 1 },
		{ "total_active_file", CGROUP_MEMORY_ACTIVE_FILE, 1 },
		{ "total_inactive_file", CGROUP_MEMORY_INACTIVE_FILE, 1 },
		{ "total_pgfault", COUNTER(CGROUP_MEMORY_FAULTS), 1 },
		{ "total_pgmajfault", COUNTER(CGROUP_MEMORY_MAJOR_FAULTS), 1 },
	};
	static const struct cgroup_keyed oom[] = {
		{ "under_oom", CGROUP_MEMORY_UNDER_OOM, 1 },
		{ "oom_kill", COUNTER(CGROUP_MEMORY_KILLS), 1 },
	};

	if (!cgroup_put_number(p, CGROUP_MEMORY, "memory.usage_in_bytes", UINT64_MAX, 1,
			       CGROUP_MEMORY_CURRENT))
		return false;
	cgroup_put_number(p, CGROUP_MEMORY, "memory.max_usage_in_bytes", UINT64_MAX, 1,
			  CGROUP_MEMORY_PEAK);
	cgroup_put_number(p, CGROUP_MEMORY, "memory.limit_in_bytes", V1_UNLIMITED, 1,
			  CGROUP_MEMORY_LIMIT);
	cgroup_put_number(p, CGROUP_MEMORY, "memory.kmem.usage_in_bytes", UINT64_MAX, 1,
			  CGROUP_MEMORY_KERNEL);
	cgroup_put_number(p, CGROUP_MEMORY, "memory.failcnt", UINT64_MAX, 1,
			  COUNTER(CGROUP_MEMORY_AT_LIMIT));
	cgroup_read_keyed(p, CGROUP_MEMORY, "memory.stat", stat, ARRAY_SIZE(stat));
	cgroup_read_keyed(p, CGROUP_MEMORY, "memory.oom_control", oom, ARRAY_SIZE(oom));
	return true;
}

static void put_shares(struct rows *rows)
{
	const struct row *row = rows_current(rows);
	const struct row_value *v = row ? row->values : NULL;
	double current;

	if (!v)
		return;
	current = (double)v[CGROUP_MEMORY_CURRENT].u;
	if (v[CGROUP_MEMORY_LIMIT].present && v[CGROUP_MEMORY_LIMIT].u)
		rows_real(rows, CGROUP_MEMORY_USED_PERCENT,
			  100.0 * current / (double)v[CGROUP_MEMORY_LIMIT].u);
	if (v[CGROUP_MEMORY_FILE].present && v[CGROUP_MEMORY_CURRENT].u)
		rows_real(rows, CGROUP_MEMORY_FILE_PERCENT,
			  MIN(100.0 * (double)v[CGROUP_MEMORY_FILE].u / current, 100.0));
}

/* v2 only counts how often it was. */
static void put_under_oom(struct rows *rows)
{
	const struct row *row = rows_current(rows);
	const struct row_value *v = row ? row->values : NULL;

	if (v && v[CGROUP_MEMORY_DELTA + CGROUP_MEMORY_OOMS].present)
		rows_unsigned(rows, CGROUP_MEMORY_UNDER_OOM,
			      v[CGROUP_MEMORY_DELTA + CGROUP_MEMORY_OOMS].u > 0);
}

void cgroup_memory_read(const struct cgroup_part *p)
{
	bool v2 = p->groups->at[CGROUP_MEMORY].v2;

	cgroup_add_row(p, CGROUP_TABLE_MEMORY);
	if (!(v2 ? read_v2(p) : read_v1(p))) {
		rows_discard(p->rows);
		return;
	}
	put_shares(p->rows);
	if (rates_fill(p->rates, p->rows) && v2)
		put_under_oom(p->rows);
}
