// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler hardware: what this machine is made of, as a tree.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/row_print.h"
#include "collect/hardware_attributes.h"
#include "engine/collecting.h"
#include "util/clock.h"
#include "util/parse.h"

#define MAX_VALUE 48 /* bytes of one attribute, in the table for people */

static void help(void)
{
	printf("Usage: ebpf-profiler hardware [OPTION]...\n\n"
	       "Prints what this machine is made of: sockets, cores, CPUs and caches, memory with "
	       "its NUMA nodes\nand modules, disks, partitions, network interfaces; with machine-id, "
	       "boot-id and the UUID of the\nfirmware. The daemon records the same every five "
	       "minutes.\n\n"
	       "      --json          one JSON document: nodes, and relations between them\n"
	       "  -c, --config=FILE   instead of /etc/ebpf-profiler/ebpf-profiler.conf\n"
	       "  -h, --help          this text\n\n"
	       "Exit codes: 0 printed, 1 failed, 2 wrong usage, 6 the configuration is wrong\n");
}

struct options {
	const char *config_path;
	bool json;
};

/* 0: go on; -1: done; > 0: an exit code. */
static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 'c':
			o->config_path = optarg;
			break;
		case 'h':
			help();
			return -1;
		default:
			return EXIT_USAGE;
		}
	if (optind == argc)
		return 0;
	fprintf(stderr, "ebpf-profiler: hardware takes no argument ('%s')\n", argv[optind]);
	return EXIT_USAGE;
}

/* --- JSON --- */

static void put_json(const struct hardware_tree *t, struct buffer *out)
{
	struct json j;

	json_init(&j, out, true);
	json_open_object(&j, NULL);
	json_open_array(&j, "nodes");
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct hardware_node *n = &t->nodes[i];

		json_open_object(&j, NULL);
		json_string(&j, "id", n->id);
		json_string(&j, "kind", n->kind);
		json_string(&j, "name", n->name);
		json_string(&j, "parent",
			    n->parent == HARDWARE_NO_PARENT ? NULL : t->nodes[n->parent].id);
		json_open_object(&j, "attributes");
		hardware_put_attributes(&j, n);
		json_close_object(&j);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_open_array(&j, "relations");
	for (size_t i = 0; i < t->n_relations; i++) {
		const struct hardware_relation *r = &t->relations[i];

		json_open_object(&j, NULL);
		json_string(&j, "from", t->nodes[r->from].id);
		json_string(&j, "to", t->nodes[r->to].id);
		json_string(&j, "kind", r->kind);
		if (r->value)
			json_uint(&j, "value", r->value);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_close_object(&j);
}

/* --- text --- */

/* Memory comes in powers of two, disks in powers of ten, and a packet's size is looked up. */
static void put_bytes(const struct hardware_node *n, uint64_t bytes, struct buffer *out)
{
	static const char units[] = "KMGT";
	bool binary = strcmp(n->kind, "cache") == 0 || strcmp(n->kind, "memory") == 0 ||
		      strcmp(n->kind, "numa_node") == 0;
	double scaled = (double)bytes;
	size_t unit = 0;
	char text[32];

	if (bytes < 10000) {
		buffer_printf(out, "%" PRIu64 " B", bytes);
		return;
	}
	if (!binary) {
		buffer_printf(out, "%s", format_size(bytes, text, sizeof(text)));
		return;
	}
	for (scaled /= 1024; scaled >= 1024 && unit + 2 < sizeof(units); unit++)
		scaled /= 1024;
	buffer_printf(out, "%.4g %ciB", scaled, units[unit]);
}

/* What fills a screen and tells least is left to JSON. */
static void put_attributes(const struct hardware_node *n, struct buffer *out)
{
	for (size_t i = 0; n->row && i < n->row->table->n_columns; i++) {
		const struct row_column *c = &n->row->table->columns[i];
		const struct row_value *v = &n->row->values[i];
		_cleanup_(buffer_donep) struct buffer value = {};

		if (!v->present || c->kind == ROW_KEY || strcmp(c->name, "flags") == 0)
			continue;
		buffer_printf(out, "  %s=", c->name);
		if (c->type == ROW_UNSIGNED && strcmp(c->unit, "bytes") == 0) {
			put_bytes(n, v->u, out);
			continue;
		}
		row_print_value(&value, c, v);
		buffer_put(out, value.data, MIN(value.size, (size_t)MAX_VALUE));
	}
}

static void put_below(const struct hardware_tree *t, size_t parent, unsigned int depth,
		      struct buffer *out)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct hardware_node *n = &t->nodes[i];

		if (n->parent != parent)
			continue;
		buffer_printf(out, "%*s%s", (int)(2 * depth), "", n->id);
		if (strcmp(n->name, n->id) != 0 && !strstr(n->id, n->name)) {
			buffer_put(out, "  ", 2);
			text_put_safe(out, n->name, strlen(n->name));
		}
		put_attributes(n, out);
		buffer_put_byte(out, '\n');
		put_below(t, i, depth + 1, out);
	}
}

static int print(const struct collector_settings *s, bool json)
{
	_cleanup_(buffer_donep) struct buffer out = {};
	struct hardware_tree t;
	int r;

	r = hardware_tree_read(s, now_ns(), &t);
	if (r < 0) {
		fprintf(stderr, "ebpf-profiler: cannot read the hardware from %s and %s: %s\n",
			s->procfs, s->sysfs, strerror(-r));
		return EXIT_FAILED;
	}
	if (json)
		put_json(&t, &out);
	else
		put_below(&t, HARDWARE_NO_PARENT, 0, &out);
	hardware_tree_done(&t);
	return !out.error && fwrite(out.data, 1, out.size, stdout) == out.size ? EXIT_OK :
										 EXIT_FAILED;
}

int cmd_hardware(int argc, char **argv)
{
	_cleanup_(config_done) struct config config = {};
	_cleanup_free_ char *messages = NULL, *reason = NULL;
	struct collector_settings settings = {};
	struct options o = {};
	int r = parse_options(&o, argc, argv);

	if (r != 0)
		return r < 0 ? EXIT_OK : r;
	r = config_load(o.config_path, &config, &messages);
	if (r < 0) {
		fputs(messages ? messages : "ebpf-profiler: out of memory\n", stderr);
		return EXIT_CONFIG;
	}
	r = collecting_settings(&config, collector_find("hardware"), &settings, &reason);
	if (r < 0) {
		fprintf(stderr, "ebpf-profiler: %s\n", reason ? reason : strerror(-r));
		return EXIT_FAILED;
	}
	r = print(&settings, o.json);
	collector_settings_done(&settings);
	return r;
}
