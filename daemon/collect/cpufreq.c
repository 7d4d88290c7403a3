// SPDX-License-Identifier: Apache-2.0
/*
 * Frequencies of CPUs, by the groups (policies) whose frequency is set together:
 * Documentation/admin-guide/pm/cpufreq.rst. Asking for the current one may interrupt an idle CPU,
 * so it is done every ten seconds.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"
#include "util/parse.h"

enum {
	FREQ_POLICY,
	FREQ_CPUS,
	FREQ_GOVERNOR,
	FREQ_DRIVER,
	FREQ_NOW,
	FREQ_SCALING_MIN,
	FREQ_SCALING_MAX,
	FREQ_MIN,
	FREQ_MAX,
};

#define HZ(name, help)                                                                             \
	{                                                                                          \
		name, "hz", ROW_GAUGE, ROW_UNSIGNED, 0, 0, help                                    \
	}

/* clang-format off */
static const struct row_column columns[] = {
	[FREQ_POLICY] = { "policy", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "number" },
	[FREQ_CPUS] = { "cpus", "", ROW_WORDS, ROW_TEXT, 0, 0, "CPUs it is about" },
	[FREQ_GOVERNOR] = { "governor", "", ROW_WORDS, ROW_TEXT, 0, 0, "performance, schedutil ..." },
	[FREQ_DRIVER] = { "driver", "", ROW_WORDS, ROW_TEXT, 0, 0, "intel_pstate, amd-pstate, acpi-cpufreq ..." },
	[FREQ_NOW] = HZ("frequency", "now"),
	[FREQ_SCALING_MIN] = HZ("lowest_allowed", "lowest the governor may choose"),
	[FREQ_SCALING_MAX] = HZ("highest_allowed", "highest the governor may choose"),
	[FREQ_MIN] = HZ("lowest", "lowest the CPU can do"),
	[FREQ_MAX] = HZ("highest", "highest the CPU can do"),
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "cpufreq",
	  .collector = "cpufreq",
	  .summary = "frequencies of CPUs",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

static void read_policy(struct basic *b, uint64_t policy, struct rows *rows)
{
	static const struct {
		const char *file;
		unsigned int column;
		bool text;
	} files[] = {
		{ "affected_cpus", FREQ_CPUS, true },
		{ "scaling_governor", FREQ_GOVERNOR, true },
		{ "scaling_driver", FREQ_DRIVER, true },
		{ "scaling_cur_freq", FREQ_NOW, false },
		{ "scaling_min_freq", FREQ_SCALING_MIN, false },
		{ "scaling_max_freq", FREQ_SCALING_MAX, false },
		{ "cpuinfo_min_freq", FREQ_MIN, false },
		{ "cpuinfo_max_freq", FREQ_MAX, false },
	};

	rows_add(rows, 0);
	rows_unsigned(rows, FREQ_POLICY, policy);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128], text[512];
		uint64_t khz, hz;

		snprintf(path, sizeof(path), "devices/system/cpu/cpufreq/policy%llu/%s",
			 (unsigned long long)policy, files[i].file);
		if (files[i].text) {
			if (roots_read_string(&b->roots, b->roots.sys, path, text, sizeof(text)) ==
			    0)
				rows_string(rows, files[i].column, text);
		} else if (roots_read_unsigned(&b->roots, b->roots.sys, path, &khz) == 0 &&
			   !__builtin_mul_overflow(khz, 1000ULL, &hz)) {
			rows_unsigned(rows, files[i].column, hz);
		}
	}
}

static int cpufreq_read(void *state, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct basic *b = state;
	struct dirent *d;
	int r = roots_list(b->roots.sys, "devices/system/cpu/cpufreq", &dir);

	if (r < 0)
		return r;
	while ((d = readdir(dir))) {
		struct scan s = scan_bytes(d->d_name, strlen(d->d_name));
		uint64_t policy;

		if (strncmp(d->d_name, "policy", 6) != 0)
			continue;
		s.at += 6;
		if (scan_unsigned(&s, &policy) && scan_end(&s))
			read_policy(b, policy, rows);
	}
	return 0;
}

static int cpufreq_probe(const struct collector_settings *s, char **ret_reason)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct roots roots;
	int r = roots_open(s, &roots);

	if (r < 0)
		return r;
	r = roots_list(roots.sys, "devices/system/cpu/cpufreq/policy0", &dir);
	roots_close(&roots);
	if (r < 0)
		*ret_reason =
			strdup("the kernel does not set the CPUs' frequencies here (a virtual "
			       "machine, or no cpufreq driver)");
	return r;
}

const struct collector collector_cpufreq = {
	.name = "cpufreq",
	.summary = "frequencies of CPUs, their limits and governors",
	.needs = "/sys/devices/system/cpu/cpufreq",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = cpufreq_probe,
	.open = basic_open,
	.read = cpufreq_read,
	.close = basic_close,
};
