// SPDX-License-Identifier: Apache-2.0
/*
 * Which family a CPU belongs to, from what the kernel says about it: MIDR_EL1 in sysfs on Arm, the
 * first block of cpuinfo elsewhere. Model ranges as in the kernel's arch/x86/kernel/cpu/amd.c and
 * intel-family.h; of AMD's, those sold for servers and the rest are two families, since the data
 * fabric's events are published for servers only.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/internal.h"
#include "pmu/metric.h"

static const struct {
	const char *name, *title;
} families[METRIC_N_FAMILIES] = {
	[METRIC_GENERIC] = { "generic", "a CPU without a table of its own" },
	[METRIC_BROADWELL_EP] = { "broadwell-ep", "Intel Broadwell-EP" },
	[METRIC_SKYLAKE_SP] = { "skylake-sp", "Intel Skylake-SP, Cascade Lake" },
	[METRIC_ICELAKE_SP] = { "icelake-sp", "Intel Ice Lake-SP" },
	[METRIC_SAPPHIRE_RAPIDS] = { "sapphire-rapids", "Intel Sapphire Rapids, Emerald Rapids" },
	[METRIC_GRANITE_RAPIDS] = { "granite-rapids", "Intel Granite Rapids" },
	[METRIC_ZEN2] = { "zen2", "AMD Zen 2 (EPYC Rome)" },
	[METRIC_ZEN2_DESKTOP] = { "zen2-desktop", "AMD Zen 2 (Ryzen 3000 and relatives)" },
	[METRIC_ZEN3] = { "zen3", "AMD Zen 3 (EPYC Milan)" },
	[METRIC_ZEN3_DESKTOP] = { "zen3-desktop", "AMD Zen 3 (Ryzen 5000 and relatives)" },
	[METRIC_ZEN4] = { "zen4", "AMD Zen 4 (EPYC Genoa, Bergamo)" },
	[METRIC_ZEN4_DESKTOP] = { "zen4-desktop", "AMD Zen 4 (Ryzen 7000 and relatives)" },
	[METRIC_ZEN5] = { "zen5", "AMD Zen 5 (EPYC Turin)" },
	[METRIC_ZEN5_DESKTOP] = { "zen5-desktop", "AMD Zen 5 (Ryzen 9000 and relatives)" },
	[METRIC_NEOVERSE_N1] = { "neoverse-n1", "Arm Neoverse N1" },
	[METRIC_NEOVERSE_V1] = { "neoverse-v1", "Arm Neoverse V1" },
	[METRIC_NEOVERSE_N2] = { "neoverse-n2", "Arm Neoverse N2" },
	[METRIC_NEOVERSE_V2] = { "neoverse-v2", "Arm Neoverse V2" },
};

static const struct x86_models {
	const char *vendor;
	unsigned int family, first, last;
	enum metric_family is;
} x86_models[] = {
	{ "GenuineIntel", 6, 0x4f, 0x4f, METRIC_BROADWELL_EP },
	{ "GenuineIntel", 6, 0x55, 0x55, METRIC_SKYLAKE_SP },
	{ "GenuineIntel", 6, 0x6a, 0x6a, METRIC_ICELAKE_SP },
	{ "GenuineIntel", 6, 0x6c, 0x6c, METRIC_ICELAKE_SP },
	{ "GenuineIntel", 6, 0x8f, 0x8f, METRIC_SAPPHIRE_RAPIDS },
	{ "GenuineIntel", 6, 0xcf, 0xcf, METRIC_SAPPHIRE_RAPIDS },
	{ "GenuineIntel", 6, 0xad, 0xae, METRIC_GRANITE_RAPIDS },
	{ "AuthenticAMD", 0x17, 0x30, 0x3f, METRIC_ZEN2 },
	{ "AuthenticAMD", 0x17, 0x40, 0x4f, METRIC_ZEN2_DESKTOP },
	{ "AuthenticAMD", 0x17, 0x60, 0x7f, METRIC_ZEN2_DESKTOP },
	{ "AuthenticAMD", 0x17, 0x90, 0x91, METRIC_ZEN2_DESKTOP },
	{ "AuthenticAMD", 0x17, 0xa0, 0xaf, METRIC_ZEN2_DESKTOP },
	{ "AuthenticAMD", 0x19, 0x00, 0x0f, METRIC_ZEN3 },
	{ "AuthenticAMD", 0x19, 0x30, 0x3f, METRIC_ZEN3 },
	{ "AuthenticAMD", 0x19, 0x20, 0x2f, METRIC_ZEN3_DESKTOP },
	{ "AuthenticAMD", 0x19, 0x40, 0x5f, METRIC_ZEN3_DESKTOP },
	{ "AuthenticAMD", 0x19, 0x10, 0x1f, METRIC_ZEN4 },
	{ "AuthenticAMD", 0x19, 0xa0, 0xaf, METRIC_ZEN4 },
	{ "AuthenticAMD", 0x19, 0x60, 0x9f, METRIC_ZEN4_DESKTOP },
	{ "AuthenticAMD", 0x1a, 0x00, 0x1f, METRIC_ZEN5 },
	{ "AuthenticAMD", 0x1a, 0x20, 0x2f, METRIC_ZEN5_DESKTOP },
	{ "AuthenticAMD", 0x1a, 0x40, 0x4f, METRIC_ZEN5_DESKTOP },
	{ "AuthenticAMD", 0x1a, 0x60, 0x7f, METRIC_ZEN5_DESKTOP },
};

#define IMPLEMENTER_ARM 0x41

static const struct {
	unsigned int part;
	enum metric_family is;
} arm_parts[] = {
	{ 0xd0c, METRIC_NEOVERSE_N1 },
	{ 0xd40, METRIC_NEOVERSE_V1 },
	{ 0xd49, METRIC_NEOVERSE_N2 },
	{ 0xd4f, METRIC_NEOVERSE_V2 },
};

struct cpu_identity {
	char vendor[32];
	uint64_t family, model; /* x86 */
	uint64_t implementer, part; /* Arm; 0: another architecture */
};

const char *metric_family_name(enum metric_family family)
{
	return family < METRIC_N_FAMILIES ? families[family].name : "unknown";
}

const char *metric_family_title(enum metric_family family)
{
	return family < METRIC_N_FAMILIES ? families[family].title : "unknown";
}

bool metric_family_find(const char *name, enum metric_family *ret)
{
	for (size_t i = 0; i < METRIC_N_FAMILIES; i++)
		if (strcasecmp(families[i].name, name) == 0) {
			*ret = (enum metric_family)i;
			return true;
		}
	return false;
}

/* One "key<tab>: value" of cpuinfo. */
static void take_line(struct cpu_identity *id, char *line)
{
	char *colon = strchr(line, ':'), *end = colon;
	char *value;

	if (!colon)
		return;
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	value = colon + 1 + strspn(colon + 1, " \t");
	value[strcspn(value, " \t\n")] = 0;
	if (strcmp(line, "vendor_id") == 0)
		snprintf(id->vendor, sizeof(id->vendor), "%s", value);
	else if (strcmp(line, "cpu family") == 0)
		pmu_parse_u64(value, &id->family);
	else if (strcmp(line, "model") == 0)
		pmu_parse_u64(value, &id->model);
	else if (strcmp(line, "CPU implementer") == 0)
		pmu_parse_u64(value, &id->implementer);
	else if (strcmp(line, "CPU part") == 0)
		pmu_parse_u64(value, &id->part);
}

/* An empty line ends the first CPU's block; that of a large machine is not read to its end. */
static void read_cpuinfo(const char *procfs, struct cpu_identity *id)
{
	_cleanup_(pmu_freep) char *path = NULL, *line = NULL;
	size_t size = 0;
	FILE *in;

	if (asprintf(&path, "%s/cpuinfo", procfs) < 0) {
		path = NULL;
		return;
	}
	in = fopen(path, "re");
	if (!in)
		return;
	while (getline(&line, &size, in) > 1)
		take_line(id, line);
	fclose(in);
}

/* Bits 31-24 are the implementer, 15-4 the part (Arm ARM, MIDR_EL1). */
static bool read_midr(const char *sysfs, struct cpu_identity *id)
{
	uint64_t midr;

	if (pmu_read_u64(&midr, "%s/devices/system/cpu/cpu0/regs/identification/midr_el1", sysfs) <
	    0)
		return false;
	id->implementer = midr >> 24 & 0xff;
	id->part = midr >> 4 & 0xfff;
	return true;
}

static enum metric_family arm_family(const struct cpu_identity *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(arm_parts); i++)
		if (id->implementer == IMPLEMENTER_ARM && id->part == arm_parts[i].part)
			return arm_parts[i].is;
	return METRIC_GENERIC;
}

static enum metric_family x86_family(const struct cpu_identity *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(x86_models); i++) {
		const struct x86_models *m = &x86_models[i];

		if (strcmp(id->vendor, m->vendor) == 0 && id->family == m->family &&
		    id->model >= m->first && id->model <= m->last)
			return m->is;
	}
	return METRIC_GENERIC;
}

enum metric_family metric_family_detect(const char *procfs, const char *sysfs)
{
	struct cpu_identity id = { 0 };

	if (!read_midr(sysfs ? sysfs : "/sys", &id))
		read_cpuinfo(procfs ? procfs : "/proc", &id);
	return id.implementer ? arm_family(&id) : x86_family(&id);
}
