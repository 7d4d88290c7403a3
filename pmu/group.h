/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One perf group on one CPU or task: it runs as a whole or not at all, so that ratios within it are
 * of the same time, and one read gives all its values.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmu/perf_ops.h"
#include "pmu/pmu.h"

#define COUNTER_GROUP_MAX 32

struct counter_member {
	int fd;
	uint64_t count; /* as last read */
};

struct counter_group {
	size_t n;
	bool enabled;
	uint64_t enabled_ns, running_ns; /* as last read */
	struct counter_member members[];
};

/* What a read found since the one before. */
struct counter_step {
	uint64_t enabled_ns, running_ns;
	uint64_t deltas[COUNTER_GROUP_MAX];
};

/*
 * Opens the events, first one first, disabled. `t` says where; its group_fd is not looked at. What
 * the ladder of pmu_event_open found is left in the events. -E2BIG: more than COUNTER_GROUP_MAX.
 */
int counter_group_open(const struct perf_ops *ops, const char *sysfs,
		       struct pmu_event *const *events, size_t n, const struct pmu_target *t,
		       struct counter_group **ret);
struct counter_group *counter_group_close(const struct perf_ops *ops, struct counter_group *g);
int counter_group_enable(const struct perf_ops *ops, struct counter_group *g);
int counter_group_disable(const struct perf_ops *ops, struct counter_group *g);
/*
 * Counts are 64 bits wide and wrap. -ENODATA: the kernel has given the group up (a pinned one that
 * did not get its counters reads as end of file); -EIO: an answer of another shape.
 */
int counter_group_read(const struct perf_ops *ops, struct counter_group *g,
		       struct counter_step *ret);
