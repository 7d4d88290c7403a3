/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * metric_list apart from the system call, so that every machine can be made up in a test.
 */
#include "pmu/metric.h"
#include "pmu/open.h"

/* Like metric_list; with k = NULL nothing is tried. */
int metric_list_by(const struct pmu_kernel *k, enum metric_family family, const char *pattern,
		   struct metric_listed **ret, size_t *ret_n);
