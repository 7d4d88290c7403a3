/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The facts that turn an errno into a cause, apart from the sentences, so that every machine can be
 * made up in a test.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pmu/pmu.h"

struct pmu_machine {
	bool has_core_pmu;
	bool paranoid_known; /* false: no perf in the kernel, or a hidden /proc */
	int paranoid;
	bool nmi_watchdog; /* holds a counter on every CPU */
	bool cap_perfmon, cap_sys_admin; /* effective */
	uint64_t max_sample_rate_hz; /* 0: unknown */
	uint64_t max_files;
};

void pmu_machine_read(const char *sysfs, struct pmu_machine *ret);
/* The cause and the remedy, without the event's name; heap, NULL when out of memory. */
char *pmu_why(const struct pmu_event *ev, int error, const struct pmu_machine *m);
