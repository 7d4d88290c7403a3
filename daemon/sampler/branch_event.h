/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An event whose samples carry the calls that have not returned, as the processor recorded them: Intel's
 * LBRs in call-stack mode, from Haswell on. Other processors record branches as they come, AMD's from
 * Zen 4 on, and of those most have returned.
 *
 * Seldom on purpose: while such an event is open the kernel reads the records at each of its samples, and
 * at every context switch it clears them, or saves and restores them (intel_pmu_lbr_sched_task()).
 */
#include "pmu/pmu.h"

#define BRANCH_EVENT_HZ 7

struct perf_ops;

/* cycles of user code, BRANCH_EVENT_HZ times a second on each CPU. As pmu_events_parse(). */
int branch_event_make(struct pmu_event *ret);
/* Opens it and closes it again: 0, or why it cannot be had, with a heap sentence. */
int branch_event_try(const struct perf_ops *ops, const char *sysfs, struct pmu_event *ev, int cpu,
		     char **ret_error);
