/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One entry of our own catalogue, and where a CPU family has a better encoding for it than the
 * kernel's generic one.
 */
#include <stdbool.h>
#include <stdint.h>

struct pmu_cpu {
	char vendor[13]; /* as CPUID spells it; "" when unknown */
	unsigned int family, model;
};

struct catalog_entry {
	char name[40];
	char description[160];
	uint32_t type;
	uint64_t config;
	uint64_t freq_hz, period; /* both 0: only ever counts */
};

/* The running CPU. */
void pmu_cpu_detect(struct pmu_cpu *ret);
/* Looks an alias up by any of its names, without regard to case. */
bool catalog_find(const char *name, const struct pmu_cpu *cpu, struct catalog_entry *ret);
/* Puts this CPU's own encoding into `entry` where the kernel has none; true when it did. */
bool native_replace(const struct pmu_cpu *cpu, struct catalog_entry *entry);
