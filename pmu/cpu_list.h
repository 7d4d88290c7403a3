/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The kernel's lists of CPUs: "0-17,36-53". Ranges and gaps are usual, in cpumasks too.
 */
#include <stdbool.h>
#include <stddef.h>

/* Ids above it are nonsense: no kernel is built for more CPUs. */
#define PMU_MAX_CPU 65535

/*
 * Ascending, distinct ids in a heap array; "" is the empty list (*ret NULL, 0). -EINVAL when it is
 * no list, -ERANGE for an id above PMU_MAX_CPU.
 */
int pmu_cpu_list_parse(const char *text, int **ret, size_t *ret_n);
bool pmu_cpu_list_has(const int *cpus, size_t n, int cpu);
