// SPDX-License-Identifier: Apache-2.0
#include "pmu/cpu_walk.h"

#include <errno.h>
#include <stdlib.h>

#include "pmu/cpu_list.h"

#define MAX_MOVE_NS 1000000 /* 50 interrupts */

/* The kernel refuses a set smaller than its own (EINVAL), so it starts large enough for any. */
void cpu_walk_begin(struct cpu_walk *w, const struct perf_ops *ops)
{
	*w = (struct cpu_walk){ .ops = ops, .size = CPU_ALLOC_SIZE(PMU_MAX_CPU + 1), .at = -1 };
	w->home = CPU_ALLOC(PMU_MAX_CPU + 1);
	w->there = CPU_ALLOC(PMU_MAX_CPU + 1);
	if (w->home && w->there && sched_getaffinity(0, w->size, w->home) == 0) {
		CPU_ZERO_S(w->size, w->there);
		return;
	}
	CPU_FREE(w->home);
	CPU_FREE(w->there);
	w->home = w->there = NULL;
}

void cpu_walk_to(struct cpu_walk *w, int cpu)
{
	uint64_t began_ns;

	if (!w->there || w->stays || cpu < 0 || cpu == w->at)
		return;
	began_ns = w->ops->now_ns(w->ops->userdata);
	CPU_SET_S((size_t)cpu, w->size, w->there);
	if (w->ops->set_affinity(w->there, w->size, w->ops->userdata) == 0)
		w->at = cpu;
	w->stays = w->ops->now_ns(w->ops->userdata) - began_ns > MAX_MOVE_NS;
	CPU_CLR_S((size_t)cpu, w->size, w->there);
}

void cpu_walk_end(struct cpu_walk *w)
{
	if (w->at >= 0)
		(void)w->ops->set_affinity(w->home, w->size, w->ops->userdata);
	CPU_FREE(w->home);
	CPU_FREE(w->there);
	*w = (struct cpu_walk){ .at = -1 };
}
