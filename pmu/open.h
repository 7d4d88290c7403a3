/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The ladder of pmu_event_open apart from the system call, so that every kernel's answers can be
 * made up in a test.
 */
#include <linux/perf_event.h>
#include <sys/types.h>

#include "pmu/pmu.h"

struct pmu_target {
	pid_t pid;
	int cpu, group_fd;
	unsigned long flags;
};

struct pmu_kernel {
	/* perf_event_open(2): an fd or a negative errno */
	int (*open)(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata);
	void *userdata;
	const char *sysfs;
};

/* The system call itself, for a struct pmu_kernel. */
int pmu_ask_kernel(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata);
/* Like pmu_event_open. */
int pmu_event_open_by(const struct pmu_kernel *k, struct pmu_event *ev, const struct pmu_target *t);

struct perf_ops;

/*
 * The same of an event that may need another in front of it: on Sapphire Rapids, and the large
 * cores of Alder Lake, loads have a data source only in a group with mem-loads-aux, which counts;
 * without it the kernel says ENODATA (Linux arch/x86/events/intel/core.c,
 * require_mem_loads_aux_event). *ret_leader is then its descriptor, which is enabled and closed
 * with that of the event; else -1.
 */
int pmu_event_open_led(const struct perf_ops *ops, const char *sysfs, struct pmu_event *ev,
		       const struct pmu_target *t, int *ret_leader);
