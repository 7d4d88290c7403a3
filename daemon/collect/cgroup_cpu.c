// SPDX-License-Identifier: Apache-2.0
/*
 * CPU of a control group. v2: cpu.stat, cpu.max, cpu.weight. v1: cpuacct.usage, cpuacct.stat, and
 * the cpu controller's cpu.stat, cpu.cfs_quota_us, cpu.cfs_period_us, cpu.shares; the two are
 * separate hierarchies on some systems, one on most.
 */
#include "collect/cgroup_parts.h"
#include "util/parse.h"

#define V2_WEIGHT 100 /* the default, which is as many shares as v1's default */
#define V1_SHARES 1024

static bool read_v2(const struct cgroup_part *p)
{
	static const struct cgroup_keyed stat[] = {
		{ "usage_usec", CGROUP_CPU_COUNTER + CGROUP_CPU_USAGE, NSEC_PER_USEC },
		{ "user_usec", CGROUP_CPU_COUNTER + CGROUP_CPU_USER, NSEC_PER_USEC },
		{ "system_usec", CGROUP_CPU_COUNTER + CGROUP_CPU_SYSTEM, NSEC_PER_USEC },
		{ "nr_periods", CGROUP_CPU_COUNTER + CGROUP_CPU_PERIODS, 1 },
		{ "nr_throttled", CGROUP_CPU_COUNTER + CGROUP_CPU_THROTTLED, 1 },
		{ "throttled_usec", CGROUP_CPU_COUNTER + CGROUP_CPU_THROTTLED_TIME, NSEC_PER_USEC },
	};
	uint64_t v;
	struct scan s;

	if (!cgroup_read_keyed(p, CGROUP_CPU, "cpu.stat", stat, ARRAY_SIZE(stat)))
		return false;
	/* "max 100000" */
	if (cgroups_read(p->groups, CGROUP_CPU, "cpu.max") == 0) {
		s = scan_buffer(&p->groups->roots->text);
		if (scan_unsigned(&s, &v))
			rows_unsigned(p->rows, CGROUP_CPU_QUOTA, v);
		else if (!scan_literal(&s, "max"))
			rows_problem(p->rows, "cpu.max of %s is no quota", p->group->path);
		if (scan_unsigned(&s, &v))
			rows_unsigned(p->rows, CGROUP_CPU_PERIOD, v);
	}
	if (cgroup_read_number(p, CGROUP_CPU, "cpu.weight", 10001, &v))
		rows_unsigned(p->rows, CGROUP_CPU_SHARES, v * V1_SHARES / V2_WEIGHT);
	return true;
}

static bool read_v1(const struct cgroup_part *p)
{
	static const struct cgroup_keyed stat[] = {
		{ "nr_periods", CGROUP_CPU_COUNTER + CGROUP_CPU_PERIODS, 1 },
		{ "nr_throttled", CGROUP_CPU_COUNTER + CGROUP_CPU_THROTTLED, 1 },
		{ "throttled_time", CGROUP_CPU_COUNTER + CGROUP_CPU_THROTTLED_TIME, 1 },
	};
	const struct cgroup_keyed times[] = {
		{ "user", CGROUP_CPU_COUNTER + CGROUP_CPU_USER, NSEC_PER_SEC / p->hz },
		{ "system", CGROUP_CPU_COUNTER + CGROUP_CPU_SYSTEM, NSEC_PER_SEC / p->hz },
	};
	bool found;

	found = cgroup_put_number(p, CGROUP_CPUACCT, "cpuacct.usage", UINT64_MAX, 1,
				  CGROUP_CPU_COUNTER + CGROUP_CPU_USAGE);
	found |= cgroup_read_keyed(p, CGROUP_CPUACCT, "cpuacct.stat", times, ARRAY_SIZE(times));
	found |= cgroup_read_keyed(p, CGROUP_CPU, "cpu.stat", stat, ARRAY_SIZE(stat));
	found |= cgroup_put_number(p, CGROUP_CPU, "cpu.shares", UINT64_MAX, 1, CGROUP_CPU_SHARES);
	cgroup_put_number(p, CGROUP_CPU, "cpu.cfs_quota_us", UINT64_MAX, 1, CGROUP_CPU_QUOTA);
	cgroup_put_number(p, CGROUP_CPU, "cpu.cfs_period_us", UINT64_MAX, 1, CGROUP_CPU_PERIOD);
	return found;
}

static void put_shares(struct rows *rows)
{
	const struct row *row = rows_current(rows);
	const struct row_value *v = row ? row->values : NULL;

	if (!v || v[CGROUP_CPU_RESET].u || !v[CGROUP_CPU_INTERVAL].u)
		return;
	if (v[CGROUP_CPU_DELTA + CGROUP_CPU_USAGE].present)
		rows_real(rows, CGROUP_CPU_PERCENT,
			  100.0 * (double)v[CGROUP_CPU_DELTA + CGROUP_CPU_USAGE].u /
				  (double)v[CGROUP_CPU_INTERVAL].u);
	if (v[CGROUP_CPU_DELTA + CGROUP_CPU_PERIODS].u)
		rows_real(rows, CGROUP_CPU_THROTTLED_PERCENT,
			  100.0 * (double)v[CGROUP_CPU_DELTA + CGROUP_CPU_THROTTLED].u /
				  (double)v[CGROUP_CPU_DELTA + CGROUP_CPU_PERIODS].u);
}

void cgroup_cpu_read(const struct cgroup_part *p)
{
	cgroup_add_row(p, CGROUP_TABLE_CPU);
	if (!(p->groups->at[CGROUP_CPU].v2 ? read_v2(p) : read_v1(p)))
		rows_discard(p->rows);
	else if (rates_fill(p->rates, p->rows))
		put_shares(p->rows);
}
