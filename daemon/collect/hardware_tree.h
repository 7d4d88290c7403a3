/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The hardware as a tree of nodes with relations beside it, made of the rows of the collectors
 * host_info, cpu_info, memory_info, disk_info and network_info:
 *
 *   system               host_info
 *     package0             a socket
 *       package0/core1
 *         cpu3
 *     memory               memory_info
 *       node0                NUMA node
 *       module0              slot of a memory module
 *     cache-l3-0-7         shared by CPUs 0 to 7
 *     disk-nvme0n1
 *       partition-nvme0n1p1
 *     interface-eth0
 *
 * A child is contained in its parent. Relations say what the tree does not: "numa" from a node to
 * what is near it, "distance" from node to node, "cache" from a cache to the CPUs that share it.
 */
#include "collect/collector.h"

#define HARDWARE_NO_PARENT SIZE_MAX

struct hardware_node {
	char *id;
	const char *kind; /* system, package, core, cpu, memory, numa_node, module, cache, disk,
			     partition, interface */
	char *name; /* for people */
	size_t parent; /* index */
	const struct row *row; /* its attributes; NULL: none */
};

struct hardware_relation {
	size_t from, to;
	const char *kind;
	uint64_t value; /* of a distance */
};

#define HARDWARE_SOURCES 5

struct hardware_tree {
	struct rows rows[HARDWARE_SOURCES];
	struct hardware_node *nodes; /* a parent comes before its children */
	size_t n_nodes, nodes_capacity;
	struct hardware_relation *relations;
	size_t n_relations, relations_capacity;
	int error; /* -ENOMEM */
};

/*
 * Reads everything. What could not be read is absent, and counted in the rows. -ENOMEM, or the
 * reason why not even the processors are known.
 */
int hardware_tree_read(const struct collector_settings *s, uint64_t time_ns,
		       struct hardware_tree *ret);
void hardware_tree_done(struct hardware_tree *t);
