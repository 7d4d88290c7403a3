// SPDX-License-Identifier: Apache-2.0
/*
 * NUMA nodes: where pages were taken from, and what memory is left
 * (Documentation/admin-guide/numastat.rst). A host with one node has one row, and a node without
 * memory counts zeroes.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"

enum { COUNTERS = 6, GAUGES = 4 };

enum {
	NUMA_NODE,
	NUMA_COUNTER,
	NUMA_GAUGE = NUMA_COUNTER + 3 * COUNTERS,
	NUMA_INTERVAL = NUMA_GAUGE + GAUGES,
	NUMA_RESET,
};

enum { TABLE_NODES, TABLE_SUMMARY };
enum { SUMMARY_ENABLED, SUMMARY_NODES, SUMMARY_BALANCING };

#define COUNTER(i, name, help) RATES_COLUMNS(NUMA_COUNTER, COUNTERS, i, name, "pages", help)
#define GAUGE(i, name, help)                                                                       \
	[NUMA_GAUGE + i] = { name, "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, help }

/* clang-format off */
static const struct row_column node_columns[] = {
	[NUMA_NODE] = { "node", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "number" },
	COUNTER(0, "hit", "taken here, as wanted"),
	COUNTER(1, "miss", "taken here, though wanted elsewhere"),
	COUNTER(2, "foreign", "wanted here, but taken elsewhere"),
	COUNTER(3, "interleave_hit", "interleaved, and taken here as wanted"),
	COUNTER(4, "local", "taken here by a process that ran here"),
	COUNTER(5, "other", "taken here by a process that ran elsewhere"),
	GAUGE(0, "free", "memory nobody uses"),
	GAUGE(1, "used", "memory in use"),
	GAUGE(2, "file_pages", "cache of files"),
	GAUGE(3, "anonymous", "of processes, without a file"),
	[NUMA_INTERVAL] = RATES_INTERVAL_COLUMN,
	[NUMA_RESET] = RATES_RESET_COLUMN,
};

static const struct row_column summary_columns[] = {
	[SUMMARY_ENABLED] = { "enabled", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "1: there are several nodes" },
	[SUMMARY_NODES] = { "nodes", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "number of nodes" },
	[SUMMARY_BALANCING] = { "balancing", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0,
				"kernel.numa_balancing: 0 off, 1 on, 2 tiering, 3 both" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_NODES] = { .name = "numa_stats",
			  .collector = "numa_stats",
			  .summary = "pages and memory of NUMA nodes",
			  .columns = node_columns,
			  .n_columns = ARRAY_SIZE(node_columns) },
	[TABLE_SUMMARY] = { .name = "numa_balancing",
			    .collector = "numa_stats",
			    .summary = "number of NUMA nodes, and their balancing",
			    .columns = summary_columns,
			    .n_columns = ARRAY_SIZE(summary_columns) },
};

/* "numa_hit 76557759" */
static void parse_numastat(struct scan s, struct rows *rows)
{
	static const char *const names[COUNTERS] = {
		"numa_hit",	  "numa_miss",	"numa_foreign",
		"interleave_hit", "local_node", "other_node",
	};
	struct scan line;

	while (scan_line(&s, &line))
		for (unsigned int i = 0; i < COUNTERS; i++) {
			uint64_t v;

			if (!scan_literal(&line, names[i]))
				continue;
			if (scan_unsigned(&line, &v) && scan_end(&line))
				rows_unsigned(rows, NUMA_COUNTER + i, v);
			else
				rows_problem(rows, "%s of a numastat is no number", names[i]);
		}
}

/* "Node 0 MemFree:        12345 kB" */
static void parse_meminfo(struct scan s, struct rows *rows)
{
	static const char *const names[GAUGES] = { "MemFree:", "MemUsed:", "FilePages:",
						   "AnonPages:" };
	struct scan line;

	while (scan_line(&s, &line)) {
		struct record_bytes name;
		uint64_t node, kb, bytes;

		if (!scan_literal(&line, "Node") || !scan_unsigned(&line, &node) ||
		    !scan_word(&line, &name))
			continue;
		for (unsigned int i = 0; i < GAUGES; i++) {
			if (!bytes_are(name, names[i]))
				continue;
			if (scan_unsigned(&line, &kb) && scan_literal(&line, "kB") &&
			    !__builtin_mul_overflow(kb, 1024ULL, &bytes))
				rows_unsigned(rows, NUMA_GAUGE + i, bytes);
			else
				rows_problem(rows, "%s of a node is no size", names[i]);
		}
	}
}

static bool read_node(struct basic *b, uint64_t node, struct rows *rows)
{
	char path[64];

	snprintf(path, sizeof(path), "devices/system/node/node%llu/numastat",
		 (unsigned long long)node);
	if (roots_need(&b->roots, b->roots.sys, path, rows) < 0)
		return false;
	rows_add(rows, TABLE_NODES);
	rows_unsigned(rows, NUMA_NODE, node);
	parse_numastat(scan_buffer(&b->roots.text), rows);
	snprintf(path, sizeof(path), "devices/system/node/node%llu/meminfo",
		 (unsigned long long)node);
	if (roots_need(&b->roots, b->roots.sys, path, rows) == 0)
		parse_meminfo(scan_buffer(&b->roots.text), rows);
	rates_fill(&b->rates, rows);
	return true;
}

static int numa_read(void *state, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct basic *b = state;
	struct dirent *d;
	uint64_t nodes = 0, balancing;
	int r = roots_list(b->roots.sys, "devices/system/node", &dir);

	if (r < 0)
		return r;
	while ((d = readdir(dir))) {
		struct scan s = scan_bytes(d->d_name, strlen(d->d_name));
		uint64_t node;

		if (strncmp(d->d_name, "node", 4) != 0)
			continue;
		s.at += 4;
		if (scan_unsigned(&s, &node) && scan_end(&s) && node < 65536)
			nodes += read_node(b, node, rows);
	}
	rates_end(&b->rates);
	rows_add(rows, TABLE_SUMMARY);
	rows_unsigned(rows, SUMMARY_ENABLED, nodes > 1);
	rows_unsigned(rows, SUMMARY_NODES, nodes);
	if (roots_read_unsigned(&b->roots, b->roots.proc, "sys/kernel/numa_balancing",
				&balancing) == 0)
		rows_unsigned(rows, SUMMARY_BALANCING, balancing);
	return nodes ? 0 : -ENOENT;
}

static int numa_probe(const struct collector_settings *s, char **ret_reason)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct roots roots;
	int r = roots_open(s, &roots);

	if (r < 0)
		return r;
	r = roots_list(roots.sys, "devices/system/node", &dir);
	roots_close(&roots);
	if (r < 0)
		*ret_reason = strdup("this kernel knows no NUMA nodes (CONFIG_NUMA is off)");
	return r;
}

const struct collector collector_numa_stats = {
	.name = "numa_stats",
	.summary = "pages taken on and off their NUMA node, memory of each node",
	.needs = "/sys/devices/system/node",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = numa_probe,
	.open = basic_open,
	.read = numa_read,
	.close = basic_close,
};
