// SPDX-License-Identifier: Apache-2.0
/*
 * The tree of the hardware (hardware_tree.h) as rows: at the start and every five minutes, so that
 * every window of the recording tells what it was measured on.
 */
#include <errno.h>

#include "collect/hardware_attributes.h"
#include "collect/settings.h"
#include "util/parse.h"

enum { TABLE_NODES, TABLE_RELATIONS };
enum { NODE_ID, NODE_KIND, NODE_NAME, NODE_PARENT, NODE_ATTRIBUTES };
enum { RELATION_FROM, RELATION_TO, RELATION_KIND, RELATION_VALUE };

/* clang-format off */
#define KEY(name, help) { name, "", ROW_KEY, ROW_TEXT, 0, 0, help }
#define WORDS(name, help) { name, "", ROW_WORDS, ROW_TEXT, 0, 0, help }

static const struct row_column node_columns[] = {
	[NODE_ID] = KEY("id", "of the node"),
	[NODE_KIND] = WORDS("kind", "system, package, core, cpu, memory, numa_node, module, cache, disk, partition or interface"),
	[NODE_NAME] = WORDS("name", "for people"),
	[NODE_PARENT] = WORDS("parent", "id of the node it is in; absent: of none"),
	[NODE_ATTRIBUTES] = WORDS("attributes", "a JSON object: the fields of host_info, cpu_info, memory_info, disk_info or network_info"),
};

static const struct row_column relation_columns[] = {
	[RELATION_FROM] = KEY("from", "id of a node"),
	[RELATION_TO] = KEY("to", "id of a node"),
	[RELATION_KIND] = KEY("kind", "numa: is near; distance: of two NUMA nodes; cache: is shared by"),
	[RELATION_VALUE] = { "value", "", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "the distance; 10: to itself" },
};

static const struct row_table tables[] = {
	[TABLE_NODES] = { .name = "hardware_node", .collector = "hardware", .summary = "what the machine is made of",
			  .columns = node_columns, .n_columns = ARRAY_SIZE(node_columns), .no_metrics = true },
	[TABLE_RELATIONS] = { .name = "hardware_relation", .collector = "hardware",
			      .summary = "how these parts belong together", .columns = relation_columns,
			      .n_columns = ARRAY_SIZE(relation_columns), .no_metrics = true },
};
/* clang-format on */

static void put_value(struct json *j, const struct row_column *column, const struct row_value *v)
{
	switch (column->type) {
	case ROW_UNSIGNED:
		json_uint(j, column->name, v->u);
		break;
	case ROW_SIGNED:
		json_int(j, column->name, v->i);
		break;
	case ROW_REAL:
		json_double(j, column->name, v->d);
		break;
	case ROW_TEXT:
		json_string_n(j, column->name, v->text.data, v->text.size);
		break;
	case ROW_COUNTS:
		break;
	}
}

void hardware_put_attributes(struct json *j, const struct hardware_node *n)
{
	for (size_t i = 0; n->row && i < n->row->table->n_columns; i++)
		if (n->row->values[i].present)
			put_value(j, &n->row->table->columns[i], &n->row->values[i]);
}

static void put_node(const struct hardware_tree *t, const struct hardware_node *n,
		     struct rows *rows)
{
	_cleanup_(buffer_donep) struct buffer text = {};
	struct json j;

	rows_add(rows, TABLE_NODES);
	rows_string(rows, NODE_ID, n->id);
	rows_string(rows, NODE_KIND, n->kind);
	rows_string(rows, NODE_NAME, n->name);
	if (n->parent != HARDWARE_NO_PARENT)
		rows_string(rows, NODE_PARENT, t->nodes[n->parent].id);
	if (!n->row)
		return;
	json_init(&j, &text, false);
	json_open_object(&j, NULL);
	hardware_put_attributes(&j, n);
	json_close_object(&j);
	while (text.size && text.data[text.size - 1] == '\n')
		text.size--;
	if (!text.error)
		rows_text(rows, NODE_ATTRIBUTES, (const char *)text.data, text.size);
}

static void put_relation(const struct hardware_tree *t, const struct hardware_relation *r,
			 struct rows *rows)
{
	rows_add(rows, TABLE_RELATIONS);
	rows_string(rows, RELATION_FROM, t->nodes[r->from].id);
	rows_string(rows, RELATION_TO, t->nodes[r->to].id);
	rows_string(rows, RELATION_KIND, r->kind);
	if (r->value)
		rows_unsigned(rows, RELATION_VALUE, r->value);
}

static int hardware_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct collector_settings *copy = calloc(1, sizeof(*copy));
	int r = copy ? collector_settings_copy(s, copy) : -ENOMEM;

	(void)ret_error;
	if (r < 0) {
		free(copy);
		return r;
	}
	*ret = copy;
	return 0;
}

static void hardware_close(void *state)
{
	collector_settings_done(state);
	free(state);
}

static int hardware_read(void *state, struct rows *rows)
{
	struct hardware_tree t;
	int r = hardware_tree_read(state, rows->time_ns, &t);

	if (r < 0)
		return r;
	for (size_t i = 0; i < HARDWARE_SOURCES; i++) {
		if (t.rows[i].problems)
			rows_problem(rows, "%s", t.rows[i].problem);
		rows->missing += t.rows[i].missing;
	}
	for (size_t i = 0; i < t.n_nodes; i++)
		put_node(&t, &t.nodes[i], rows);
	for (size_t i = 0; i < t.n_relations; i++)
		put_relation(&t, &t.relations[i], rows);
	hardware_tree_done(&t);
	return 0;
}

const struct collector collector_hardware = {
	.name = "hardware",
	.summary = "the machine as a tree: sockets, cores, CPUs, caches, NUMA nodes, memory modules, disks, interfaces",
	.needs = "what host_info, cpu_info, memory_info, disk_info and network_info need",
	.kind = COLLECTOR_ONCE,
	.interval_ns = 300 * NSEC_PER_SEC,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = hardware_open,
	.read = hardware_read,
	.close = hardware_close,
};
