// SPDX-License-Identifier: Apache-2.0
/*
 * All collectors, in the order in which they are listed. A new one: its file defines a constant
 * `collector_NAME`, which is declared and listed here; nothing registers itself.
 */
#include <string.h>

#include "collect/collector.h"
#include "util/parse.h"

extern const struct collector collector_pmu;
extern const struct collector collector_load;
extern const struct collector collector_memory;
extern const struct collector collector_cpu;
extern const struct collector collector_process;
extern const struct collector collector_memory_growth;
extern const struct collector collector_disk;
extern const struct collector collector_filesystem;
extern const struct collector collector_network;
extern const struct collector collector_tcp;
extern const struct collector collector_system;
extern const struct collector collector_interrupts;
extern const struct collector collector_softirqs;
extern const struct collector collector_pressure;
extern const struct collector collector_numa_stats;
extern const struct collector collector_cgroup;
extern const struct collector collector_host_info;
extern const struct collector collector_cpu_info;
extern const struct collector collector_memory_info;
extern const struct collector collector_disk_info;
extern const struct collector collector_network_info;
extern const struct collector collector_hardware;
extern const struct collector collector_kernel;
extern const struct collector collector_cpufreq;
extern const struct collector collector_temperature;
extern const struct collector collector_thermal_throttle;
extern const struct collector collector_edac;
extern const struct collector collector_machine_check;
extern const struct collector collector_exec;
extern const struct collector collector_processes;
extern const struct collector collector_oom;
extern const struct collector collector_syscalls;
extern const struct collector collector_sockets;
extern const struct collector collector_runqueue;
extern const struct collector collector_block_io;
extern const struct collector collector_faults;
extern const struct collector collector_irq;
extern const struct collector collector_cgroup_traffic;
extern const struct collector collector_xdp;

const struct collector *const collectors[] = {
	&collector_pmu,		 &collector_load,
	&collector_memory,	 &collector_cpu,
	&collector_process,	 &collector_memory_growth,
	&collector_disk,	 &collector_filesystem,
	&collector_network,	 &collector_tcp,
	&collector_system,	 &collector_interrupts,
	&collector_softirqs,	 &collector_pressure,
	&collector_numa_stats,	 &collector_cgroup,
	&collector_host_info,	 &collector_cpu_info,
	&collector_memory_info,	 &collector_disk_info,
	&collector_network_info, &collector_hardware,
	&collector_kernel,	 &collector_cpufreq,
	&collector_temperature,	 &collector_thermal_throttle,
	&collector_edac,	 &collector_machine_check,
	&collector_exec,	 &collector_processes,
	&collector_oom,		 &collector_syscalls,
	&collector_sockets,	 &collector_runqueue,
	&collector_block_io,	 &collector_faults,
	&collector_irq,		 &collector_cgroup_traffic,
	&collector_xdp,
};

const size_t n_collectors = ARRAY_SIZE(collectors);

const struct collector *collector_find(const char *name)
{
	for (size_t i = 0; i < n_collectors; i++)
		if (strcmp(collectors[i]->name, name) == 0)
			return collectors[i];
	return NULL;
}

uint64_t collector_interval_ns(const struct collector *c)
{
	static const uint64_t defaults[] = {
		[COLLECTOR_ONCE] = 3600 * NSEC_PER_SEC,
		[COLLECTOR_PERIODIC] = NSEC_PER_SEC,
		[COLLECTOR_STREAM] = 0,
	};

	return c->interval_ns ? c->interval_ns : defaults[c->kind];
}

bool collector_counts(const struct collector *c)
{
	if (c->keys & COLLECTOR_COUNTING)
		return true;
	for (size_t i = 0; i < c->n_tables; i++)
		if (c->tables[i].from_zero)
			return true;
	return false;
}

const char *collector_kind_name(enum collector_kind kind)
{
	static const char *const names[] = { "once", "periodic", "stream" };

	return names[kind];
}
