/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Every PMU of the machine, as bus/event_source/devices has them now. Types are handed out anew at
 * each boot and each loading of a driver, and drivers come late: nothing here outlives a look.
 *
 * A box is a PMU's instance in one socket (or die, or cluster): uncore_imc_1 is in each socket, and
 * its cpumask names a CPU in each. Numbers have gaps: a Xeon with four channels may have
 * uncore_imc_0, 1, 4 and 5.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pmu_kind {
	PMU_KIND_CORE, /* counts what one core does, in few counters that all share */
	PMU_KIND_UNCORE, /* memory controllers, caches, links: few counters to a box */
	PMU_KIND_ENERGY, /* RAPL */
	PMU_KIND_CSTATE, /* residencies, ticking with the TSC */
	PMU_KIND_MSR, /* registers that run freely */
	PMU_KIND_SOFTWARE,
	PMU_KIND_OTHER, /* traces, samplers, probes: nothing to count */
};

struct pmu_device {
	char *name; /* uncore_imc_4 */
	char *family; /* uncore_imc */
	int number; /* 4; -1: its name has none */
	uint32_t type;
	enum pmu_kind kind;
	int *cpus; /* where it is opened, one CPU for each box; NULL: on every CPU */
	size_t n_cpus;
};

struct pmu_devices {
	struct pmu_device *list; /* by family, then number */
	size_t n;
};

/* `sysfs` is the root of a sysfs tree. What cannot be read of one PMU leaves that one out. */
int pmu_devices_read(const char *sysfs, struct pmu_devices *ret);
void pmu_devices_done(struct pmu_devices *d);
/* Changes when a PMU comes or goes; cheap, for asking often. 0 when there is no directory. */
uint64_t pmu_devices_fingerprint(const char *sysfs);

/*
 * Whether a user's name means this PMU: its own name, its family's for all instances, both also
 * without the "uncore_" in front.
 */
bool pmu_device_is_named(const struct pmu_device *d, const char *name);
const struct pmu_device *pmu_devices_find(const struct pmu_devices *d, const char *name);
const char *pmu_kind_name(enum pmu_kind kind);
/* True where events share few counters, so that there are more than fit. */
bool pmu_kind_is_limited(enum pmu_kind kind);
