// SPDX-License-Identifier: Apache-2.0
/*
 * Control groups: what systemd units, containers and pods use of CPU, memory, I/O, network and
 * processes, and how long they waited. Which groups there are: cgroups.h; each resource is one file
 * cgroup_*.c. Values of a group hold those of the groups below it, as the kernel counts them.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "collect/basic.h"
#include "collect/cgroup_parts.h"
#include "util/parse.h"

struct cgroup_collector {
	struct basic basic;
	struct cgroups groups;
	uint64_t hz;
	bool open;
};

static void cgroup_close(void *state)
{
	struct cgroup_collector *c = state;

	if (c->open)
		cgroups_close(&c->groups);
	basic_done(&c->basic);
	free(c);
}

static int cgroup_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	struct cgroup_collector *c = calloc(1, sizeof(*c));
	int r = c ? basic_init(&c->basic, s) : -ENOMEM;

	if (r < 0) {
		free(c);
		return r;
	}
	r = cgroups_open(&c->groups, &c->basic.roots, s->procfs);
	if (r < 0) {
		if (asprintf(ret_error, "there is no cgroup hierarchy below %s/fs/cgroup",
			     s->sysfs) < 0)
			*ret_error = NULL;
		cgroup_close(c);
		return r;
	}
	c->open = true;
	c->hz = (uint64_t)sysconf(_SC_CLK_TCK);
	*ret = c;
	return 0;
}

/* --- for the parts --- */

void cgroup_add_row(const struct cgroup_part *p, enum cgroup_table table)
{
	const struct cgroup *g = p->group;

	rows_add(p->rows, table);
	rows_string(p->rows, CGROUP_KEY_PATH, g->path);
	cgroup_put_name(g, p->rows, CGROUP_KEY_NAME);
}

bool cgroup_read_keyed(const struct cgroup_part *p, enum cgroup_resource resource, const char *file,
		       const struct cgroup_keyed *keys, size_t n)
{
	struct scan s, line;
	bool found = false;

	if (cgroups_read(p->groups, resource, file) < 0)
		return false;
	s = scan_buffer(&p->groups->roots->text);
	while (scan_line(&s, &line)) {
		struct record_bytes key;
		uint64_t v;

		if (!scan_word(&line, &key))
			continue;
		for (size_t i = 0; i < n; i++) {
			struct scan value = line;

			if (!bytes_are(key, keys[i].key))
				continue;
			if (!scan_unsigned(&value, &v) || !scan_end(&value) ||
			    __builtin_mul_overflow(v, keys[i].scale, &v)) {
				rows_problem(p->rows, "%s of %s: %s is no number", file,
					     p->group->path, keys[i].key);
				continue;
			}
			rows_unsigned(p->rows, keys[i].column, v);
			found = true;
		}
	}
	return found;
}

bool cgroup_read_number(const struct cgroup_part *p, enum cgroup_resource resource,
			const char *file, uint64_t unlimited, uint64_t *ret)
{
	struct scan s;
	uint64_t v;

	if (cgroups_read(p->groups, resource, file) < 0)
		return false;
	s = scan_buffer(&p->groups->roots->text);
	if (scan_literal(&s, "max"))
		return false;
	if (!scan_unsigned(&s, &v)) {
		/* v1 says -1 where there is no limit. */
		if (!scan_literal(&s, "-1"))
			rows_problem(p->rows, "%s of %s is no number", file, p->group->path);
		return false;
	}
	if (v >= unlimited)
		return false;
	*ret = v;
	return true;
}

bool cgroup_put_number(const struct cgroup_part *p, enum cgroup_resource resource, const char *file,
		       uint64_t unlimited, uint64_t scale, unsigned int column)
{
	uint64_t v;

	if (!cgroup_read_number(p, resource, file, unlimited, &v) ||
	    __builtin_mul_overflow(v, scale, &v))
		return false;
	rows_unsigned(p->rows, column, v);
	return true;
}

/* --- the read --- */

static void put_word(struct rows *rows, unsigned int column, const char *word)
{
	if (*word)
		rows_string(rows, column, word);
}

static void put_identity(const struct cgroup_part *p)
{
	const struct cgroup *g = p->group;

	cgroup_add_row(p, CGROUP_TABLE_IDENTITY);
	rows_string(p->rows, CGROUP_ID_KIND, cgroup_kind_name(g->kind));
	put_word(p->rows, CGROUP_ID_UNIT, g->unit);
	put_word(p->rows, CGROUP_ID_CONTAINER, g->container);
	put_word(p->rows, CGROUP_ID_RUNTIME, g->runtime);
	put_word(p->rows, CGROUP_ID_IMAGE, g->names.image);
	put_word(p->rows, CGROUP_ID_POD_UID, g->pod);
	put_word(p->rows, CGROUP_ID_POD, g->names.pod);
	put_word(p->rows, CGROUP_ID_NAMESPACE, g->names.namespace);
}

static void read_group(struct cgroup_collector *c, struct cgroup *g, struct cgroup_part *p)
{
	static void (*const parts[])(const struct cgroup_part *p) = {
		cgroup_cpu_read,     cgroup_memory_read, cgroup_io_read,
		cgroup_network_read, cgroup_pids_read,	 cgroup_pressure_read,
	};

	if (g->gone || !cgroups_enter(&c->groups, g)) {
		if (!g->gone)
			rows_missing(p->rows);
		g->gone = true;
		return;
	}
	p->group = g;
	put_identity(p);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i](p);
}

static int cgroup_read(void *state, struct rows *rows)
{
	struct cgroup_collector *c = state;
	struct cgroup_part p = {
		.groups = &c->groups,
		.rates = &c->basic.rates,
		.rows = rows,
		.host_netns = cgroup_network_namespace(&c->basic.roots, "1"),
		.hz = c->hz,
	};

	cgroups_renew(&c->groups, rows->time_ns);
	if (c->groups.too_many)
		rows_problem(rows, "there are more than %d cgroups; the rest is left out",
			     CGROUPS_MAX);
	for (size_t i = 0; i < c->groups.n; i++)
		read_group(c, c->groups.list[i], &p);
	rates_end(&c->basic.rates);
	return 0;
}

static int cgroup_probe(const struct collector_settings *s, char **ret_reason)
{
	struct cgroups groups;
	struct roots roots;
	int r = roots_open(s, &roots);

	if (r < 0)
		return r;
	r = cgroups_open(&groups, &roots, s->procfs);
	if (r == 0)
		cgroups_close(&groups);
	else
		*ret_reason = strdup("no cgroup hierarchy is mounted at /sys/fs/cgroup");
	roots_close(&roots);
	return r;
}

const struct collector collector_cgroup = {
	.name = "cgroup",
	.summary = "what systemd units, containers and pods use, and how long they waited",
	.needs = "/sys/fs/cgroup (v2, v1 or both), /proc/PID/net/dev; CAP_SYS_PTRACE for networks and "
		 "for names beside a foreign /proc",
	.kind = COLLECTOR_PERIODIC,
	.interval_ns = 10 * NSEC_PER_SEC,
	.keys = COLLECTOR_RATES,
	.tables = cgroup_tables,
	.n_tables = CGROUP_TABLES,
	.probe = cgroup_probe,
	.open = cgroup_open,
	.read = cgroup_read,
	.close = cgroup_close,
};
