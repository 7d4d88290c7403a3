// SPDX-License-Identifier: Apache-2.0
/*
 * devices/system/cpu/online and cpuN/topology. Ids that a kernel or firmware does not give (-1 on
 * many Arm machines, die_id before 5.2) are 0: one socket, one die. A CPU without a core_id is a
 * core of its own.
 */
#include "pmu/topology.h"

#include <errno.h>
#include <limits.h>

#include "pmu/cpu_list.h"
#include "pmu/internal.h"

static int read_id(const char *sysfs, int cpu, const char *file, int fallback)
{
	uint64_t v;

	if (pmu_read_u64(&v, "%s/devices/system/cpu/cpu%d/topology/%s", sysfs, cpu, file) < 0 ||
	    v > INT_MAX)
		return fallback;
	return (int)v;
}

static struct pmu_place read_place(const char *sysfs, int cpu)
{
	return (struct pmu_place){
		.cpu = cpu,
		.socket = read_id(sysfs, cpu, "physical_package_id", 0),
		.die = read_id(sysfs, cpu, "die_id", 0),
		.core = read_id(sysfs, cpu, "core_id", cpu),
	};
}

int pmu_topology_read(const char *sysfs, struct pmu_topology *ret)
{
	_cleanup_(pmu_freep) char *text = NULL;
	_cleanup_(pmu_freep) int *cpus = NULL;
	struct pmu_topology t = { 0 };
	int r;

	r = pmu_read_file(&text, "%s/devices/system/cpu/online", sysfs);
	if (r == 0)
		r = pmu_cpu_list_parse(text, &cpus, &t.n);
	if (r < 0)
		return r;
	if (t.n == 0)
		return -EINVAL;
	t.cpus = calloc(t.n, sizeof(*t.cpus));
	if (!t.cpus)
		return -ENOMEM;
	for (size_t i = 0; i < t.n; i++)
		t.cpus[i] = read_place(sysfs, cpus[i]);
	*ret = t;
	return 0;
}

void pmu_topology_done(struct pmu_topology *t)
{
	free(t->cpus);
	*t = (struct pmu_topology){ 0 };
}

const struct pmu_place *pmu_topology_find(const struct pmu_topology *t, int cpu)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->cpus[middle].cpu == cpu)
			return &t->cpus[middle];
		if (t->cpus[middle].cpu < cpu)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
