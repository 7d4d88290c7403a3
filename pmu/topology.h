/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the CPUs sit: socket, die, core. Of CPUs that are offline the kernel says nothing.
 */
#include <stddef.h>

struct pmu_place {
	int cpu;
	int socket; /* the physical package; 0 where the firmware numbers none */
	int die; /* counted within the socket */
	int core; /* counted within the die; not contiguous */
};

struct pmu_topology {
	struct pmu_place *cpus; /* online, ascending */
	size_t n;
};

/* `sysfs` is the root of a sysfs tree. Negative errno when the list of CPUs cannot be had. */
int pmu_topology_read(const char *sysfs, struct pmu_topology *ret);
void pmu_topology_done(struct pmu_topology *t);
/* NULL: not online. */
const struct pmu_place *pmu_topology_find(const struct pmu_topology *t, int cpu);
