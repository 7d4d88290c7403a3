// SPDX-License-Identifier: Apache-2.0
/*
 * Events that several vendors' CPUs have under one name: those the kernel encodes itself, and those
 * of its own PMUs for free-running registers, energy and idle states.
 */
#include "pmu/internal.h"
#include "pmu/metric_table.h"

#define EVENT(families, name, spec, native, source)                                                \
	{                                                                                          \
		families, name, spec, native, source, NULL                                         \
	}

#define KERNEL "perf_event_open(2)"
#define MSR "Linux arch/x86/events/msr.c"
#define RAPL "Linux arch/x86/events/rapl.c"

static const struct metric_event rows[] = {
	EVENT(EVERY, "cycles", "cycles", "core cycles while not halted", KERNEL),
	EVENT(EVERY, "instructions", "instructions", "instructions retired", KERNEL),
	EVENT(INTEL, "ref_cycles", "ref-cycles", "cycles at the TSC's rate while not halted",
	      KERNEL),
	EVENT(GENERIC, "branch_misses", "branch-misses", "kernel's generic event", KERNEL),
	EVENT(GENERIC, "l1d_fills", "L1-dcache-load-misses", "kernel's generic event", KERNEL),
	EVENT(GENERIC, "llc_load_misses", "LLC-load-misses", "kernel's generic event", KERNEL),
	EVENT(GENERIC, "dtlb_walks", "dTLB-load-misses", "kernel's generic event", KERNEL),
	EVENT(GENERIC, "itlb_walks", "iTLB-load-misses", "kernel's generic event", KERNEL),
	EVENT(GENERIC, "stall_frontend", "stalled-cycles-frontend", "kernel's generic event",
	      KERNEL),
	EVENT(GENERIC, "stall_backend", "stalled-cycles-backend", "kernel's generic event", KERNEL),

	EVENT(INTEL | AMD | GENERIC, "tsc", "msr/tsc/", "time-stamp counter", MSR),
	EVENT(AMD | GENERIC, "aperf", "msr/aperf/", "APERF", MSR),
	EVENT(AMD | GENERIC, "mperf", "msr/mperf/", "MPERF", MSR),

	EVENT(INTEL | AMD | GENERIC, "energy_pkg", "power/energy-pkg/", "RAPL package domain",
	      RAPL),
	EVENT(INTEL | GENERIC, "energy_ram", "power/energy-ram/", "RAPL DRAM domain", RAPL),
};

const struct metric_event_table metric_events_shared = { rows, ARRAY_SIZE(rows) };
