// SPDX-License-Identifier: Apache-2.0
#include "pmu/budget.h"

#include <errno.h>
#include <stdbool.h>

#include "pmu/internal.h"

/*
 * Read right after enabling: what was given a counter has run all the time, what was not, not at
 * all. Rotation among oversubscribing others may blur that to a part.
 */
static int runs(const struct perf_ops *ops, struct counter_group *g)
{
	struct counter_step step;
	int r = counter_group_read(ops, g, &step);

	if (r == -ENODATA)
		return false;
	return r < 0 ? r : step.running_ns > 0 && step.running_ns >= step.enabled_ns / 2;
}

static int start(const struct perf_ops *ops, struct counter_group *g)
{
	int r = counter_group_enable(ops, g);

	return r < 0 ? r : runs(ops, g);
}

/* Enables fillers until one does not run; all are closed again. */
static int count_fillers(const struct counter_probe *p)
{
	struct counter_group *fillers[COUNTER_FILLERS];
	size_t n = 0;
	int r = 1;

	while (n < COUNTER_FILLERS && r > 0) {
		r = counter_group_open(p->ops, p->sysfs, &p->filler, 1, &p->target, &fillers[n]);
		if (r < 0)
			break;
		r = start(p->ops, fillers[n++]);
	}
	for (size_t i = 0; i < n; i++)
		counter_group_close(p->ops, fillers[i]);
	return r < 0 ? r : (int)n - (r == 0);
}

int counter_measure_free(const struct counter_probe *p)
{
	return count_fillers(p);
}

int counter_measure_total(const struct counter_probe *p)
{
	struct pmu_event *events[COUNTER_FILLERS];
	struct counter_group *g;
	int r;

	for (size_t i = 0; i < COUNTER_FILLERS; i++)
		events[i] = p->filler;
	for (int n = 1; n <= COUNTER_FILLERS; n++) {
		r = counter_group_open(p->ops, p->sysfs, events, (size_t)n, &p->target, &g);
		if ((r == -EINVAL || r == -ENOSPC) && n > 1)
			return n - 1;
		if (r < 0)
			return r;
		counter_group_close(p->ops, g);
	}
	return COUNTER_FILLERS;
}

int counter_measure_beside(const struct counter_probe *p, struct pmu_event *const *events, size_t n)
{
	struct counter_group *g;
	int r = counter_group_open(p->ops, p->sysfs, events, n, &p->target, &g);

	if (r < 0)
		return r;
	r = start(p->ops, g);
	r = r > 0 ? count_fillers(p) : r < 0 ? r : -ENOSPC;
	counter_group_close(p->ops, g);
	return r;
}
