/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * NUMA nodes and their CPUs. `sysfs` is the root of a sysfs tree, NULL: /sys. A kernel without NUMA
 * is one node, 0, with every online CPU.
 */
#include <stddef.h>

/*
 * node_of_cpu[cpu] for the CPUs 0 .. n_cpus - 1, heap array; -1 where no node names the CPU (it is
 * offline).
 */
int host_numa_nodes(const char *sysfs, size_t n_cpus, int **ret_node_of_cpu);
/* The CPU lists of node 0, 1, 2 ... joined by ";", heap string: "0-15;16-31". A node id that does
 * not exist, or a node of memory only, is an empty list. */
int host_numa_describe(const char *sysfs, char **ret);
