// SPDX-License-Identifier: Apache-2.0
#include "collect/hardware_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "collect/scan.h"
#include "util/parse.h"

#define MAX_NODES 65536
#define MAX_RELATIONS (4 * MAX_NODES)

enum { SOURCE_HOST, SOURCE_CPUS, SOURCE_MEMORY, SOURCE_DISKS, SOURCE_NETWORK };

static const char *const sources[HARDWARE_SOURCES] = {
	[SOURCE_HOST] = "host_info",	[SOURCE_CPUS] = "cpu_info",
	[SOURCE_MEMORY] = "memory_info", [SOURCE_DISKS] = "disk_info",
	[SOURCE_NETWORK] = "network_info",
};

/* --- nodes and relations --- */

static bool grow(struct hardware_tree *t, void *list, size_t n, size_t *capacity, size_t size,
		 size_t limit)
{
	size_t wanted = MAX(2 * *capacity, (size_t)64);
	void **place = list, *grown;

	if (n < *capacity)
		return true;
	grown = n < limit ? reallocarray(*place, wanted, size) : NULL;
	if (!grown) {
		t->error = -ENOMEM;
		return false;
	}
	*place = grown;
	*capacity = wanted;
	return true;
}

static _printf_(1, 0) char *print(const char *format, va_list arguments)
{
	char *text;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

/* `name` NULL: the same as the id. Returns its index; HARDWARE_NO_PARENT on failure. */
static _printf_(6, 7) size_t
	add(struct hardware_tree *t, const char *kind, size_t parent, const struct row *row,
	    const char *name, const char *format, ...)
{
	struct hardware_node n = { .kind = kind, .parent = parent, .row = row };
	va_list arguments;

	if (!grow(t, &t->nodes, t->n_nodes, &t->nodes_capacity, sizeof(*t->nodes), MAX_NODES))
		return HARDWARE_NO_PARENT;
	va_start(arguments, format);
	n.id = print(format, arguments);
	va_end(arguments);
	n.name = n.id ? strdup(name ? name : n.id) : NULL;
	if (!n.name) {
		free(n.id);
		t->error = -ENOMEM;
		return HARDWARE_NO_PARENT;
	}
	t->nodes[t->n_nodes] = n;
	return t->n_nodes++;
}

static void relate(struct hardware_tree *t, const char *kind, size_t from, size_t to,
		   uint64_t value)
{
	if (from == HARDWARE_NO_PARENT || to == HARDWARE_NO_PARENT ||
	    !grow(t, &t->relations, t->n_relations, &t->relations_capacity, sizeof(*t->relations),
		  MAX_RELATIONS))
		return;
	t->relations[t->n_relations++] = (struct hardware_relation){ from, to, kind, value };
}

static size_t find(const struct hardware_tree *t, const char *id)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		if (strcmp(t->nodes[i].id, id) == 0)
			return i;
	return HARDWARE_NO_PARENT;
}

static size_t find_number(const struct hardware_tree *t, const char *prefix, uint64_t number)
{
	char id[64];

	snprintf(id, sizeof(id), "%s%llu", prefix, (unsigned long long)number);
	return find(t, id);
}

/* --- what rows say --- */

static const struct row_value *value_of(const struct row *row, const char *column)
{
	for (size_t i = 0; i < row->table->n_columns; i++)
		if (strcmp(row->table->columns[i].name, column) == 0)
			return row->values[i].present ? &row->values[i] : NULL;
	return NULL;
}

static bool number_of(const struct row *row, const char *column, uint64_t *ret)
{
	const struct row_value *v = value_of(row, column);

	if (v)
		*ret = v->u;
	return v != NULL;
}

/* Heap; NULL: absent, or no memory. */
static char *text_of(const struct row *row, const char *column)
{
	const struct row_value *v = value_of(row, column);

	return v ? strndup(v->text.data, v->text.size) : NULL;
}

static const struct row *first_of(const struct rows *rows, const char *table)
{
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->list[i].table->name, table) == 0)
			return &rows->list[i];
	return NULL;
}

/* --- the tree --- */

static size_t put_system(struct hardware_tree *t)
{
	const struct row *row = first_of(&t->rows[SOURCE_HOST], "host_info");
	_cleanup_free_ char *name = row ? text_of(row, "hostname") : NULL;

	return add(t, "system", HARDWARE_NO_PARENT, row, name, "system");
}

static void near_node(struct hardware_tree *t, const struct row *row, size_t what)
{
	uint64_t node;

	if (number_of(row, "node", &node))
		relate(t, "numa", find_number(t, "node", node), what, 0);
}

/* The rows come sorted by package and core. */
static void put_cpus(struct hardware_tree *t, size_t system)
{
	const struct rows *rows = &t->rows[SOURCE_CPUS];
	const struct row *info = first_of(rows, "cpu_info");
	_cleanup_free_ char *model = info ? text_of(info, "model_name") : NULL;
	uint64_t in_package = UINT64_MAX, in_core = UINT64_MAX;
	size_t package_node = system, core_node = system;

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];
		uint64_t cpu, package = 0, core;

		if (strcmp(row->table->name, "cpu_info_cpu") != 0 || !number_of(row, "cpu", &cpu))
			continue;
		number_of(row, "package", &package);
		if (!number_of(row, "core", &core))
			core = cpu;
		if (package != in_package) {
			package_node = add(t, "package", system, info, model, "package%llu",
					   (unsigned long long)package);
			in_core = UINT64_MAX;
		}
		if (core != in_core)
			core_node = add(t, "core", package_node, NULL, NULL, "package%llu/core%llu",
					(unsigned long long)package, (unsigned long long)core);
		in_package = package;
		in_core = core;
		near_node(t, row,
			  add(t, "cpu", core_node, row, NULL, "cpu%llu", (unsigned long long)cpu));
	}
}

static void put_caches(struct hardware_tree *t, size_t system)
{
	const struct rows *rows = &t->rows[SOURCE_CPUS];

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];
		_cleanup_free_ char *type = NULL, *cpus = NULL;
		_cleanup_free_ int *list = NULL;
		size_t n = 0, cache;
		uint64_t level;
		char letter;

		if (strcmp(row->table->name, "cpu_info_cache") != 0)
			continue;
		type = text_of(row, "type");
		cpus = text_of(row, "cpus");
		if (!type || !cpus || !number_of(row, "level", &level))
			continue;
		letter = *type == 'D' ? 'd' : *type == 'I' ? 'i' : 0;
		cache = add(t, "cache", system, row, NULL, "cache-l%llu%.*s-%s",
			    (unsigned long long)level, letter != 0, &letter, cpus);
		if (parse_cpu_list(cpus, &list, &n) < 0)
			continue;
		for (size_t k = 0; k < n; k++)
			relate(t, "cache", cache, find_number(t, "cpu", (uint64_t)list[k]), 0);
	}
}

static void put_memory(struct hardware_tree *t, size_t system)
{
	const struct rows *rows = &t->rows[SOURCE_MEMORY];
	const struct row *info = first_of(rows, "memory_info");
	size_t memory = add(t, "memory", system, info, NULL, "memory");

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];
		uint64_t node;

		if (strcmp(row->table->name, "memory_info_node") == 0 &&
		    number_of(row, "node", &node))
			add(t, "numa_node", memory, row, NULL, "node%llu",
			    (unsigned long long)node);
	}
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];
		_cleanup_free_ char *locator = NULL;
		uint64_t module;

		if (strcmp(row->table->name, "memory_info_module") != 0 ||
		    !number_of(row, "module", &module))
			continue;
		locator = text_of(row, "locator");
		add(t, "module", memory, row, locator, "module%llu", (unsigned long long)module);
	}
}

/* The n-th number is the distance to the n-th node there is, in ascending order. */
static void put_distances(struct hardware_tree *t)
{
	const struct rows *rows = &t->rows[SOURCE_MEMORY];
	uint64_t numbers[1024], number;
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		size_t at = n;

		if (strcmp(rows->list[i].table->name, "memory_info_node") != 0 ||
		    !number_of(&rows->list[i], "node", &number) || n == ARRAY_SIZE(numbers))
			continue;
		for (; at > 0 && numbers[at - 1] > number; at--)
			numbers[at] = numbers[at - 1];
		numbers[at] = number;
		n++;
	}
	for (size_t i = 0; i < rows->n; i++) {
		const struct row_value *v;
		struct scan s;
		uint64_t distance;

		if (strcmp(rows->list[i].table->name, "memory_info_node") != 0 ||
		    !number_of(&rows->list[i], "node", &number))
			continue;
		v = value_of(&rows->list[i], "distances");
		s = v ? scan_bytes(v->text.data, v->text.size) : scan_bytes(NULL, 0);
		for (size_t k = 0; k < n && scan_unsigned(&s, &distance); k++)
			relate(t, "distance", find_number(t, "node", number),
			       find_number(t, "node", numbers[k]), distance);
	}
}

static void put_disks(struct hardware_tree *t, size_t system)
{
	const struct rows *rows = &t->rows[SOURCE_DISKS];

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->list[i];
		_cleanup_free_ char *device = text_of(row, "device");
		_cleanup_free_ char *partition = text_of(row, "partition");
		char parent[300];
		size_t node;

		if (!device)
			continue;
		if (!partition) {
			node = add(t, "disk", system, row, device, "disk-%s", device);
			near_node(t, row, node);
			continue;
		}
		snprintf(parent, sizeof(parent), "disk-%s", device);
		node = find(t, parent);
		add(t, "partition", node == HARDWARE_NO_PARENT ? system : node, row, partition,
		    "partition-%s", partition);
	}
}

static void put_interfaces(struct hardware_tree *t, size_t system)
{
	const struct rows *rows = &t->rows[SOURCE_NETWORK];

	for (size_t i = 0; i < rows->n; i++) {
		_cleanup_free_ char *name = text_of(&rows->list[i], "interface");

		if (name)
			near_node(t, &rows->list[i],
				  add(t, "interface", system, &rows->list[i], name, "interface-%s",
				      name));
	}
}

/* --- reading --- */

static int read_source(const struct collector_settings *s, const char *name, struct rows *rows,
		       uint64_t time_ns)
{
	const struct collector *c = collector_find(name);
	_cleanup_free_ char *error = NULL;
	void *state;
	int r = c->open(s, &state, &error);

	rows_init(rows, c->tables, time_ns);
	if (r < 0)
		return r;
	r = c->read(state, rows);
	c->close(state);
	return r;
}

int hardware_tree_read(const struct collector_settings *s, uint64_t time_ns,
		       struct hardware_tree *ret)
{
	struct hardware_tree t = {};
	int results[HARDWARE_SOURCES], r;
	size_t system;

	for (size_t i = 0; i < HARDWARE_SOURCES; i++)
		results[i] = read_source(s, sources[i], &t.rows[i], time_ns);
	r = results[SOURCE_CPUS];
	if (r == 0) {
		system = put_system(&t);
		put_memory(&t, system);
		put_cpus(&t, system);
		put_caches(&t, system);
		put_distances(&t);
		put_disks(&t, system);
		put_interfaces(&t, system);
		r = t.error;
	}
	if (r < 0) {
		hardware_tree_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void hardware_tree_done(struct hardware_tree *t)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		free(t->nodes[i].id);
		free(t->nodes[i].name);
	}
	free(t->nodes);
	free(t->relations);
	for (size_t i = 0; i < HARDWARE_SOURCES; i++)
		rows_done(&t->rows[i]);
	*t = (struct hardware_tree){};
}
