/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How many counters there really are, measured: no table knows of the NMI watchdog, another
 * profiler, a guest's virtual PMU or a firmware that keeps one.
 *
 * The kernel gives counters to events in the order they came, and stops at the first that does not
 * fit. So what runs at once when fillers are enabled one by one is what others leave free; and with
 * a group enabled before them, what that group leaves. No event's constraints have to be known.
 */
#include <stddef.h>

#include "pmu/group.h"
#include "pmu/perf_ops.h"
#include "pmu/pmu.h"

/* More general counters than any PMU has; a PMU that runs all has no shortage. */
#define COUNTER_FILLERS 16

struct counter_probe {
	const struct perf_ops *ops;
	const char *sysfs;
	struct pmu_event *filler; /* any event that every counter can count */
	struct pmu_target target;
};

/* Counters that nobody holds at this moment; negative errno when the filler cannot be opened. */
int counter_measure_free(const struct counter_probe *p);
/* The largest group the PMU would ever take: all its counters, held or not. */
int counter_measure_total(const struct counter_probe *p);
/*
 * Counters that stay free while the group runs. -ENOSPC: it does not run beside what others hold;
 * -EINVAL: the PMU can never run it at once; other errors are the kernel's.
 */
int counter_measure_beside(const struct counter_probe *p, struct pmu_event *const *events,
			   size_t n);
