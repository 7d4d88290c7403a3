// SPDX-License-Identifier: Apache-2.0
/*
 * The memory, its NUMA nodes, and the modules it is made of. A kernel without NUMA has one node, 0,
 * with all CPUs and memory.
 */
#include <errno.h>
#include <stdio.h>

#include "collect/basic.h"
#include "collect/memory_modules.h"

#define MAX_NODES 1024

enum { TABLE_MEMORY, TABLE_NODES, TABLE_MODULES };
enum { MEMORY_TOTAL, MEMORY_NODES, MEMORY_NUMA, MEMORY_BALANCING, MEMORY_MODULES };
enum { NODE_NODE, NODE_TOTAL, NODE_CPUS, NODE_DISTANCES };

/* clang-format off */
static const struct row_column memory_columns[] = {
	[MEMORY_TOTAL] = { "total", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "usable memory" },
	[MEMORY_NODES] = { "nodes", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "NUMA nodes" },
	[MEMORY_NUMA] = { "numa", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "1: there are several" },
	[MEMORY_BALANCING] = { "balancing", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0,
			       "1: this kernel can move pages to their users" },
	[MEMORY_MODULES] = { "modules", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "in their slots; absent: not known" },
};

static const struct row_column module_columns[] = {
	MODULE_COLUMNS,
};

static const struct row_column node_columns[] = {
	[NODE_NODE] = { "node", "id", ROW_KEY, ROW_UNSIGNED, 0, 0, "number" },
	[NODE_TOTAL] = { "total", "bytes", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "its memory" },
	[NODE_CPUS] = { "cpus", "", ROW_WORDS, ROW_TEXT, 0, 0, "list of its CPUs; absent: none" },
	[NODE_DISTANCES] = { "distances", "", ROW_WORDS, ROW_TEXT, 0, 0, "to each node in turn; 10: to itself" },
};

static const struct row_table tables[] = {
	[TABLE_MEMORY] = { .name = "memory_info", .collector = "memory_info", .summary = "the memory",
			   .columns = memory_columns, .n_columns = ARRAY_SIZE(memory_columns) },
	[TABLE_NODES] = { .name = "memory_info_node", .collector = "memory_info", .summary = "NUMA nodes",
			  .columns = node_columns, .n_columns = ARRAY_SIZE(node_columns) },
	[TABLE_MODULES] = { .name = "memory_info_module", .collector = "memory_info",
			    .summary = "memory modules and empty slots", .columns = module_columns,
			    .n_columns = ARRAY_SIZE(module_columns) },
};
/* clang-format on */

/* "MemTotal:  123 kB", with "Node 0 " before it in a node's file. */
static bool find_total(struct scan text, uint64_t *ret)
{
	struct scan line;
	uint64_t node, kb;

	while (scan_line(&text, &line)) {
		if (scan_literal(&line, "Node"))
			scan_unsigned(&line, &node);
		if (scan_literal(&line, "MemTotal:"))
			return scan_unsigned(&line, &kb) && scan_literal(&line, "kB") &&
			       !__builtin_mul_overflow(kb, 1024ULL, ret);
	}
	return false;
}

static void put_node(struct basic *b, uint64_t node, struct rows *rows)
{
	char path[80], text[1024];
	uint64_t total;

	rows_add(rows, TABLE_NODES);
	rows_unsigned(rows, NODE_NODE, node);
#define AT(file)                                                                                   \
	(snprintf(path, sizeof(path), "devices/system/node/node%llu/" file,                        \
		  (unsigned long long)node),                                                       \
	 path)
	if (roots_need(&b->roots, b->roots.sys, AT("meminfo"), rows) == 0 &&
	    find_total(scan_buffer(&b->roots.text), &total))
		rows_unsigned(rows, NODE_TOTAL, total);
	if (roots_read_string(&b->roots, b->roots.sys, AT("cpulist"), text, sizeof(text)) == 0 &&
	    *text)
		rows_string(rows, NODE_CPUS, text);
	if (roots_read_string(&b->roots, b->roots.sys, AT("distance"), text, sizeof(text)) == 0 &&
	    *text)
		rows_string(rows, NODE_DISTANCES, text);
#undef AT
}

static uint64_t put_nodes(struct basic *b, struct rows *rows)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	uint64_t n = 0, node;
	struct dirent *d;

	if (roots_list(b->roots.sys, "devices/system/node", &dir) < 0)
		return 0;
	while ((d = readdir(dir)) && n < MAX_NODES) {
		struct scan s = scan_bytes(d->d_name, strlen(d->d_name));

		if (strncmp(d->d_name, "node", 4) != 0)
			continue;
		s.at += 4;
		if (!scan_unsigned(&s, &node) || !scan_end(&s))
			continue;
		put_node(b, node, rows);
		n++;
	}
	return n;
}

/* What a kernel without NUMA has. */
static void put_only_node(struct basic *b, uint64_t total, struct rows *rows)
{
	char cpus[1024];

	rows_add(rows, TABLE_NODES);
	rows_unsigned(rows, NODE_NODE, 0);
	rows_unsigned(rows, NODE_TOTAL, total);
	if (roots_read_string(&b->roots, b->roots.sys, "devices/system/cpu/online", cpus,
			      sizeof(cpus)) == 0 &&
	    *cpus)
		rows_string(rows, NODE_CPUS, cpus);
	rows_string(rows, NODE_DISTANCES, "10");
}

static int memory_info_read(void *state, struct rows *rows)
{
	struct basic *b = state;
	uint64_t total, nodes, modules, balancing;
	int r = roots_need(&b->roots, b->roots.proc, "meminfo", rows);

	if (r < 0)
		return r;
	if (!find_total(scan_buffer(&b->roots.text), &total)) {
		rows_problem(rows, "/proc/meminfo has no MemTotal");
		return -EBADMSG;
	}
	nodes = put_nodes(b, rows);
	if (nodes == 0)
		put_only_node(b, total, rows);
	modules = memory_modules_put(&b->roots, rows, TABLE_MODULES);
	rows_add(rows, TABLE_MEMORY);
	rows_unsigned(rows, MEMORY_TOTAL, total);
	rows_unsigned(rows, MEMORY_NODES, MAX(nodes, (uint64_t)1));
	rows_unsigned(rows, MEMORY_NUMA, nodes > 1);
	rows_unsigned(rows, MEMORY_BALANCING,
		      roots_read_unsigned(&b->roots, b->roots.proc, "sys/kernel/numa_balancing",
					  &balancing) == 0);
	if (modules)
		rows_unsigned(rows, MEMORY_MODULES, modules);
	return 0;
}

const struct collector collector_memory_info = {
	.name = "memory_info",
	.summary = "the memory, its NUMA nodes and how far they are apart, its modules",
	.needs = "/proc/meminfo, /sys/devices/system/node; for modules /sys/firmware/dmi or edac",
	.kind = COLLECTOR_ONCE,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = memory_info_read,
	.close = basic_close,
};
