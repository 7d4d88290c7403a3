// SPDX-License-Identifier: Apache-2.0
/* Threads of a control group; v1 and v2 have the same files. */
#include "collect/cgroup_parts.h"

void cgroup_pids_read(const struct cgroup_part *p)
{
	static const struct cgroup_keyed events[] = { { "max", CGROUP_PIDS_REFUSED, 1 } };

	cgroup_add_row(p, CGROUP_TABLE_PIDS);
	if (!cgroup_put_number(p, CGROUP_PIDS, "pids.current", UINT64_MAX, 1,
			       CGROUP_PIDS_CURRENT)) {
		rows_discard(p->rows);
		return;
	}
	cgroup_put_number(p, CGROUP_PIDS, "pids.peak", UINT64_MAX, 1, CGROUP_PIDS_PEAK);
	cgroup_put_number(p, CGROUP_PIDS, "pids.max", UINT64_MAX, 1, CGROUP_PIDS_LIMIT);
	cgroup_read_keyed(p, CGROUP_PIDS, "pids.events", events, ARRAY_SIZE(events));
	rates_fill(p->rates, p->rows);
}
