/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Counts added up by socket, core or CPU. What belongs to a socket is not split among its cores: in
 * a table by CPU it stays a row of the socket.
 */
#include "pmu/counter.h"

enum pmu_sum_by {
	PMU_SUM_HOST,
	PMU_SUM_SOCKET,
	PMU_SUM_CORE,
	PMU_SUM_CPU,
};

struct pmu_sum {
	size_t event, group;
	int socket, die, core, cpu; /* -1: of all */
	double value; /* 0 when absent */
	uint64_t delta; /* not scaled */
	uint64_t enabled_ns, running_ns; /* of the CPUs and boxes that were counted */
	size_t counted, missing; /* CPUs, boxes or tasks */
	int error; /* 0, or why all of it is absent */
};

/* Sorted by place, then event; heap. */
int pmu_sum_counts(const struct pmu_counters *c, const struct pmu_count *counts, size_t n,
		   enum pmu_sum_by by, struct pmu_sum **ret, size_t *ret_n);
/* The part of the time it ran, 0..1. */
double pmu_sum_running_ratio(const struct pmu_sum *s);
/*
 * The time the counts of `n` sums cover, in the mean of their CPUs and boxes: each was enabled and
 * read at its own moment. 0: nothing was counted. Of tasks it is the time they ran.
 */
double pmu_sums_seconds(const struct pmu_sum *const *sums, size_t n);
