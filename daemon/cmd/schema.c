// SPDX-License-Identifier: Apache-2.0
/*
 * ebpf-profiler schema: every table that collectors write, with its columns.
 */
#include <getopt.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "collect/collector.h"
#include "util/json.h"

static void help(void)
{
	printf("Usage: ebpf-profiler schema [OPTION]... [NAME]...\n\n"
	       "Lists the tables of all collectors, or of those named, with their columns.\n\n"
	       "      --json    one JSON document\n"
	       "  -h, --help    this text\n\n"
	       "Kinds of columns: key says what a row is about; gauge is a value as it is now;\n"
	       "counter only grows; rate is a change, or a change per second; text is text.\n\n"
	       "Exit codes: 0 done, 1 there is no such collector or table, 2 wrong usage\n");
}

static bool wanted(const struct row_table *t, char *const *names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strcmp(*names, t->name) == 0 || strcmp(*names, t->collector) == 0)
			return true;
	return false;
}

static void print_table(const struct row_table *t)
{
	printf("%s: %s (collector %s)\n", t->name, t->summary, t->collector);
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct row_column *c = &t->columns[i];

		printf("  %-28s %-8s %-9s %-9s %s\n", c->name, row_kind_name(c->kind),
		       row_type_name(c->type), c->unit ? c->unit : "", c->help ? c->help : "");
	}
	printf("\n");
}

static void put_table(struct json *j, const struct row_table *t)
{
	json_open_object(j, NULL);
	json_string(j, "table", t->name);
	json_string(j, "collector", t->collector);
	json_string(j, "summary", t->summary);
	json_open_array(j, "columns");
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct row_column *c = &t->columns[i];

		json_open_object(j, NULL);
		json_string(j, "name", c->name);
		json_string(j, "kind", row_kind_name(c->kind));
		json_string(j, "type", row_type_name(c->type));
		json_string(j, "unit", c->unit ? c->unit : "");
		json_string(j, "help", c->help ? c->help : "");
		json_close_object(j);
	}
	json_close_array(j);
	json_close_object(j);
}

static size_t print_tables(char *const *names, struct json *j)
{
	size_t n = 0;

	for (size_t i = 0; i < n_collectors; i++)
		for (size_t k = 0; k < collectors[i]->n_tables; k++) {
			const struct row_table *t = &collectors[i]->tables[k];

			if (!wanted(t, names))
				continue;
			n++;
			if (j)
				put_table(j, t);
			else
				print_table(t);
		}
	return n;
}

static size_t print_json(char *const *names)
{
	_cleanup_(buffer_donep) struct buffer out = {};
	struct json j;
	size_t n;

	json_init(&j, &out, true);
	json_open_object(&j, NULL);
	json_open_array(&j, "tables");
	n = print_tables(names, &j);
	json_close_array(&j);
	json_close_object(&j);
	if (!out.error)
		fwrite(out.data, 1, out.size, stdout);
	return out.error ? 0 : n;
}

int cmd_schema(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool json = false;
	size_t n;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'h':
			help();
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	n = json ? print_json(argv + optind) : print_tables(argv + optind, NULL);
	if (n)
		return EXIT_OK;
	fprintf(stderr, "ebpf-profiler schema: there is no collector or table of that name\n");
	return EXIT_FAILED;
}
