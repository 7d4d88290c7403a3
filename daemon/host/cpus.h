/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which CPUs there are, and where they sit. `sysfs` is the root of a sysfs tree, NULL: /sys.
 */
#include <stddef.h>

/* Ids of the CPUs that run now, ascending, heap array. -ENOENT: no such file; -EINVAL: nonsense in
 * it. */
int host_cpus_online(const char *sysfs, int **ret, size_t *ret_n);
/* One more than the highest id a CPU can ever have here: the size of an array indexed by CPU. */
int host_cpus_possible_count(const char *sysfs, size_t *ret);
/* The physical package (socket) of a CPU; negative errno when unknown or offline. */
int host_cpu_package(const char *sysfs, int cpu);
