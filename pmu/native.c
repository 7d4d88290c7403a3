// SPDX-License-Identifier: Apache-2.0
/*
 * Encodings for aliases which the kernel's generic tables leave empty on some CPU family.
 *
 * AMD's cores from Zen 2 on: the kernel has no LLC events there (the L3's own counters belong to a
 * cluster of cores and cannot sample), but the load-store unit counts demand fills of the L1 data
 * cache by where the line came from, which is the same question asked from the core's side. Unit
 * masks of PMCx043 in AMD's Processor Programming References: 0x02 L3 or another L2 of the cluster,
 * 0x04 (family 19h on) and 0x10 a cache of another cluster, near and far, 0x08 and 0x40 memory,
 * near and far. Unlike the generic events elsewhere they count stores as well as loads.
 */
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <stdio.h>
#include <string.h>

#include "pmu/catalog.h"
#include "pmu/internal.h"

#define ZEN2_MODEL 0x30 /* of family 17h; Zen and Zen+ are below and document no such event */

static const struct native {
	const char *vendor;
	unsigned int first_family, first_model; /* the model bounds the first family only */
	unsigned int last_family;
	const char *alias;
	uint64_t config; /* PERF_TYPE_RAW */
	const char *description;
} natives[] = {
	{ "AuthenticAMD", 0x17, ZEN2_MODEL, 0x17, "LLC-loads", 0x5a43,
	  "demand fills (loads and stores) from beyond the core's own L2" },
	{ "AuthenticAMD", 0x19, 0, 0x1a, "LLC-loads", 0x5e43,
	  "demand fills (loads and stores) from beyond the core's own L2" },
	{ "AuthenticAMD", 0x17, ZEN2_MODEL, 0x1a, "LLC-load-misses", 0x4843,
	  "demand fills (loads and stores) from memory: every cache was missed, the L3 too" },
};

static bool is_for(const struct native *n, const struct pmu_cpu *cpu)
{
	if (strcmp(cpu->vendor, n->vendor) != 0 || cpu->family > n->last_family)
		return false;
	return cpu->family > n->first_family ||
	       (cpu->family == n->first_family && cpu->model >= n->first_model);
}

bool native_replace(const struct pmu_cpu *cpu, struct catalog_entry *entry)
{
	for (size_t i = 0; i < ARRAY_SIZE(natives); i++) {
		const struct native *n = &natives[i];

		if (!is_for(n, cpu) || strcmp(entry->name, n->alias) != 0)
			continue;
		entry->type = PERF_TYPE_RAW;
		entry->config = n->config;
		snprintf(entry->description, sizeof(entry->description), "%s", n->description);
		return true;
	}
	return false;
}

void pmu_cpu_detect(struct pmu_cpu *ret)
{
	*ret = (struct pmu_cpu){ 0 };
#if defined(__x86_64__) || defined(__i386__)
	unsigned int a, b, c, d;

	if (!__get_cpuid(0, &a, &b, &c, &d))
		return;
	memcpy(ret->vendor, &b, 4);
	memcpy(ret->vendor + 4, &d, 4);
	memcpy(ret->vendor + 8, &c, 4);
	if (!__get_cpuid(1, &a, &b, &c, &d))
		return;
	/* AMD64 and Intel manuals, CPUID function 1: the extended fields count only beside 0xf */
	ret->family = (a >> 8) & 0xf;
	ret->model = (a >> 4) & 0xf;
	if (ret->family == 0xf) {
		ret->model |= (a >> 12) & 0xf0;
		ret->family += (a >> 20) & 0xff;
	} else if (ret->family == 6) {
		ret->model |= (a >> 12) & 0xf0;
	}
#endif
}
