/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Makes a sysfs tree in a temporary directory of tests/fixtures/sysfs/NAME.tree, whose README.md
 * describes the language.
 */
#include <limits.h>

#include "pmu/cpu_list.h"
#include "pmu_tree.h"

#define FIXTURES "tests/fixtures/sysfs/"

struct fixture {
	char *root;
	char pmu[256]; /* the braces still in it */
};

/* The k-th word of a pattern with one "{a,b}" or "{first..last}"; false beyond the last. */
static bool fixture_expand(const char *pattern, int k, char *out, size_t size)
{
	const char *open = strchr(pattern, '{'), *close = open ? strchr(open, '}') : NULL;
	const char *dots = open ? strstr(open, "..") : NULL;
	char words[256], *rest = words, *word = NULL;

	if (!close) {
		snprintf(out, size, "%s", pattern);
		return k == 0;
	}
	if (dots && dots < close) {
		int v = atoi(open + 1) + k;

		snprintf(out, size, "%.*s%d%s", (int)(open - pattern), pattern, v, close + 1);
		return v <= atoi(dots + 2);
	}
	snprintf(words, sizeof(words), "%.*s", (int)(close - open - 1), open + 1);
	for (int i = 0; i <= k; i++)
		word = strsep(&rest, ",");
	if (word)
		snprintf(out, size, "%.*s%s%s", (int)(open - pattern), pattern, word, close + 1);
	return word;
}

static void fixture_write(const struct fixture *f, const char *path, const char *text)
{
	char below[1024];

	/* tree_write starts at the devices of the event sources */
	snprintf(below, sizeof(below), "../../../%s", path);
	tree_write(f->root,
		   strncmp(path, TREE_DEVICES + 1, strlen(TREE_DEVICES) - 1) == 0
			   ? path + strlen(TREE_DEVICES) - 1
			   : below,
		   text);
}

/* The value of "key=value" on the line, "" when it is not there. */
static const char *fixture_option(const char *line, const char *key, char *out, size_t size)
{
	char spaced[64];
	const char *p;

	snprintf(spaced, sizeof(spaced), " %s=", key);
	p = strstr(line, spaced);
	p = p ? p + strlen(spaced) : "";
	snprintf(out, size, "%.*s", (int)strcspn(p, " \n"), p);
	return out;
}

static int fixture_number(const char *line, const char *key, int fallback)
{
	char text[64];

	return *fixture_option(line, key, text, sizeof(text)) ? atoi(text) : fallback;
}

static void fixture_cpu(const struct fixture *f, int cpu, int socket, int core)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), "devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
	snprintf(text, sizeof(text), "%d\n", socket);
	fixture_write(f, path, text);
	snprintf(path, sizeof(path), "devices/system/cpu/cpu%d/topology/core_id", cpu);
	snprintf(text, sizeof(text), "%d\n", core);
	fixture_write(f, path, text);
}

static void fixture_cpus(const struct fixture *f, const char *line)
{
	int sockets = fixture_number(line, "sockets", 1), cores = fixture_number(line, "cores", 1);
	int threads = fixture_number(line, "threads", 1), *ids = NULL;
	int fixed = fixture_number(line, "socket-id", INT_MAX);
	char text[256];
	size_t n = 0;

	fixture_option(line, "core-ids", text, sizeof(text));
	assert(pmu_cpu_list_parse(text, &ids, &n) == 0 && (n == 0 || n == (size_t)cores));
	for (int i = 0; i < sockets * cores * threads; i++) {
		int core = i % cores, socket = i / cores % sockets;

		fixture_cpu(f, i, fixed == INT_MAX ? socket : fixed, ids ? ids[core] : core);
	}
	free(ids);
	snprintf(text, sizeof(text), "0-%d\n", sockets * cores * threads - 1);
	fixture_write(f, "devices/system/cpu/online", text);
	fixture_write(f, "devices/system/cpu/possible", text);
	fixture_write(f, "devices/system/cpu/smt/active", threads > 1 ? "1\n" : "0\n");
}

static void fixture_pmu_file(const struct fixture *f, const char *file, const char *text)
{
	char name[300], path[600];

	for (int k = 0; fixture_expand(f->pmu, k, name, sizeof(name)); k++) {
		snprintf(path, sizeof(path), "%s%s/%s", TREE_DEVICES + 1, name, file);
		fixture_write(f, path, text);
	}
}

static void fixture_pmu(struct fixture *f, const char *line)
{
	int type = fixture_number(line, "type", -1);
	char name[300], path[600], text[600];

	snprintf(f->pmu, sizeof(f->pmu), "%.*s", (int)strcspn(line + 4, " \n"), line + 4);
	for (int k = 0; fixture_expand(f->pmu, k, name, sizeof(name)); k++) {
		snprintf(path, sizeof(path), "%s%s/type", TREE_DEVICES + 1, name);
		snprintf(text, sizeof(text), "%d\n", type + k);
		fixture_write(f, path, text);
	}
	if (*fixture_option(line, "cpumask", text, sizeof(text) - 1))
		fixture_pmu_file(f, "cpumask", strcat(text, "\n"));
}

static void fixture_line(struct fixture *f, char *line)
{
	char *equal = strstr(line, " = ");

	if (strncmp(line, "cpus ", 5) == 0)
		fixture_cpus(f, line);
	else if (strncmp(line, "pmu ", 4) == 0)
		fixture_pmu(f, line);
	else if (strncmp(line, "  ", 2) == 0 && equal) {
		*equal = 0;
		fixture_pmu_file(f, line + 2, equal + 3);
	} else
		assert(*line == '#' || *line == '\n');
}

/* The root of the tree, for tree_free. */
static char *fixture_new(const char *name)
{
	struct fixture f = { .root = tree_new(NULL, 0) };
	char path[300], line[512];
	FILE *in;

	snprintf(path, sizeof(path), FIXTURES "%s.tree", name);
	in = fopen(path, "re");
	assert(in);
	while (fgets(line, sizeof(line), in))
		fixture_line(&f, line);
	fclose(in);
	return f.root;
}

/* For tables whose rows are sorted by machine: the tree of the row before, when it is the same one.
 * Ends with NULL. */
static inline char *fixture_next(char *root, const char **machine, const char *name)
{
	if (root && name && strcmp(*machine, name) == 0)
		return root;
	if (root)
		tree_free(root);
	*machine = name;
	return name ? fixture_new(name) : NULL;
}
