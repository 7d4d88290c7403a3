// SPDX-License-Identifier: Apache-2.0
/*
 * What the sockets of each control group send and receive, also where groups share a network
 * namespace. Groups are those of cgroup v2, each without the ones below it; the kernel knows them
 * by the inode of their directory. The collector cgroup counts without BPF, but only groups that
 * have a network namespace of their own.
 */
#include <linux/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bpf/cgroup_traffic.h"
#include "cgroup_traffic.skel.h"
#include "collect/cgroups.h"
#include "collect/tracer.h"

enum { TRAFFIC_GROUP, TRAFFIC_NAME, TRAFFIC_ID, TRAFFIC_COUNTERS };
enum { LOSS_OWNERLESS, LOSS_UNCOUNTED, LOSS_UNNAMED };
enum { TABLE_TRAFFIC, TABLE_LOSSES };

/* clang-format off */
#define COUNTER(i, name, unit, help) [TRAFFIC_COUNTERS + (i)] = { name, unit, ROW_COUNTER, ROW_UNSIGNED, 0, 0, help }

/* The counters stand as in struct cgroup_traffic. */
static const struct row_column traffic_columns[] = {
	[TRAFFIC_GROUP] = { "cgroup", "", ROW_KEY, ROW_TEXT, 0, 0, "its path in cgroup v2" },
	[TRAFFIC_NAME] = { "name", "", ROW_KEY, ROW_TEXT, 0, 0,
			   "of the container it is, or is in, else the first digits of its id, else the unit's" },
	[TRAFFIC_ID] = { "id", "id", ROW_GAUGE, ROW_UNSIGNED, 0, 0, "the kernel's number of the group" },
	COUNTER(0, "rx", "bytes", "received by its sockets, IP headers included, over all interfaces but lo"),
	COUNTER(1, "rx_packets", "", "packets received, as they come to the socket"),
	COUNTER(2, "tx", "bytes", "sent by its sockets"),
	COUNTER(3, "tx_packets", "", "packets sent, before the device cuts large ones"),
	COUNTER(4, "lo_rx", "bytes", "received over lo"),
	COUNTER(5, "lo_rx_packets", "", "packets received over lo"),
	COUNTER(6, "lo_tx", "bytes", "sent over lo"),
	COUNTER(7, "lo_tx_packets", "", "packets sent over lo"),
};
_Static_assert(ARRAY_SIZE(traffic_columns) == TRAFFIC_COUNTERS + CGROUP_TRAFFIC_WORDS, "one column a counter");

static const struct row_column loss_columns[] = {
	[LOSS_OWNERLESS] = { "ownerless", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0,
			     "packets of no full socket: the kernel's own answers" },
	[LOSS_UNCOUNTED] = { "uncounted", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0, "packets of groups beyond the first 4,096" },
	[LOSS_UNNAMED] = { "unnamed", "", ROW_COUNTER, ROW_UNSIGNED, 0, 0,
			   "packets of groups that were gone before they were seen" },
};
/* clang-format on */

static const struct row_table tables[] = {
	[TABLE_TRAFFIC] = { .name = "cgroup_traffic",
			    .collector = "cgroup_traffic",
			    .summary = "what the sockets of control groups send and receive",
			    .columns = traffic_columns,
			    .n_columns = ARRAY_SIZE(traffic_columns),
			    .from_zero = true },
	[TABLE_LOSSES] = { .name = "cgroup_traffic_losses",
			   .collector = "cgroup_traffic",
			   .summary = "what the cgroup_traffic collector could not tell",
			   .columns = loss_columns,
			   .n_columns = ARRAY_SIZE(loss_columns),
			   .from_zero = true },
};

struct group {
	uint64_t id;
	char *path; /* NULL: not found yet */
	bool gone; /* its directory; then it is told once more */
};

struct cgroup_traffic_collector {
	struct tracer tracer;
	struct cgroup_traffic_bpf *skel;
	struct cgroups groups;
	struct group *list; /* that had traffic, by their ids */
	size_t n;
	uint64_t unnamed;
};

/* --- opening ------------------------------------------------------------------------------------
 */

/* The root directory of cgroup v2; -ENOENT: there is none. */
static int open_hierarchy(const struct cgroups *c)
{
	const struct cgroup_hierarchy *h = &c->at[CGROUP_PRESSURE];
	int fd = h->present ? openat(c->roots->sys, h->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			    : -1;

	if (fd >= 0)
		return fd;
	return h->present ? -errno : -ENOENT;
}

static int start(void *state)
{
	struct cgroup_traffic_collector *c = state;
	struct bpf_program *program;
	_cleanup_close_ int root = -1;
	int r;

	c->list = calloc(CGROUP_TRAFFIC_GROUPS, sizeof(*c->list));
	r = c->list ? cgroups_open(&c->groups, &c->tracer.roots, c->tracer.settings->procfs)
		    : -ENOMEM;
	root = r < 0 ? r : open_hierarchy(&c->groups);
	if (root < 0)
		return root;
	c->skel = cgroup_traffic_bpf__open_opts(&c->tracer.options);
	if (!c->skel)
		return -errno;
	r = tracer_load(&c->tracer, c->skel->obj);
	bpf_object__for_each_program(program, c->skel->obj)
	{
		if (r == 0)
			r = tracer_keep_link(&c->tracer, program,
					     bpf_program__attach_cgroup(program, root));
	}
	return r;
}

static void cgroup_traffic_close(void *state)
{
	struct cgroup_traffic_collector *c = state;

	if (c->groups.roots)
		cgroups_close(&c->groups);
	tracer_done(&c->tracer);
	cgroup_traffic_bpf__destroy(c->skel);
	for (size_t i = 0; i < c->n; i++)
		free(c->list[i].path);
	free(c->list);
	free(c);
}

static int cgroup_traffic_open(const struct collector_settings *s, void **ret, char **ret_error)
{
	return tracer_open(sizeof(struct cgroup_traffic_collector), s, start, cgroup_traffic_close,
			   ret, ret_error);
}

static int cgroup_traffic_probe(const struct collector_settings *s, char **ret_reason)
{
	_cleanup_(roots_close) struct roots roots = {};
	_cleanup_close_ int root = -1;
	struct cgroups groups;
	int r = tracer_probe(s, TRACER_NET_ADMIN, NULL, ret_reason);

	if (r < 0)
		return r;
	r = roots_open(s, &roots);
	if (r < 0)
		return r;
	r = cgroups_open(&groups, &roots, s->procfs);
	if (r == 0) {
		root = open_hierarchy(&groups);
		cgroups_close(&groups);
	}
	if (r == 0 && root >= 0)
		return 0;
	*ret_reason =
		strdup("cgroup v2 is mounted nowhere below /sys/fs/cgroup; the collector cgroup "
		       "counts groups with a network namespace of their own");
	return -ENOENT;
}

/* --- names --------------------------------------------------------------------------------------
 */

/* The first one whose id is not below this. */
static struct group *place_of(const struct cgroup_traffic_collector *c, uint64_t id)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->list[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return &c->list[low];
}

static struct group *find_group(const struct cgroup_traffic_collector *c, uint64_t id)
{
	struct group *g = place_of(c, id);

	return g < c->list + c->n && g->id == id ? g : NULL;
}

static void name(struct group *g, const char *path, size_t *missing)
{
	if (!g || g->path)
		return;
	g->path = strdup(path);
	--*missing;
}

/* Looks for the directories of the groups that have no path yet. */
static void name_below(struct cgroup_traffic_collector *c, char *path, unsigned int depth,
		       size_t *missing)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	size_t end = strlen(path);
	char full[CGROUPS_PATH + 160];
	struct dirent *d;

	snprintf(full, sizeof(full), "%s%s", c->groups.at[CGROUP_PRESSURE].base, path);
	if (depth > CGROUPS_DEPTH || roots_list(c->tracer.roots.sys, full, &dir) < 0)
		return;
	while (*missing && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.' ||
		    end + 2 + strlen(d->d_name) > CGROUPS_PATH)
			continue;
		path[end] = '/';
		strcpy(path + end + 1, d->d_name);
		name(find_group(c, d->d_ino), path, missing);
		name_below(c, path, depth + 1, missing);
		path[end] = 0;
	}
}

static void name_root(struct cgroup_traffic_collector *c, size_t *missing)
{
	_cleanup_close_ int fd = open_hierarchy(&c->groups);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		name(find_group(c, st.st_ino), "/", missing);
}

static bool note_group(const void *key, const void *value, void *userdata)
{
	struct cgroup_traffic_collector *c = userdata;
	struct group *place;
	uint64_t id;

	(void)value;
	memcpy(&id, key, sizeof(id));
	if (find_group(c, id) || c->n == CGROUP_TRAFFIC_GROUPS)
		return true;
	place = place_of(c, id);
	memmove(place + 1, place, (size_t)(c->list + c->n++ - place) * sizeof(*place));
	*place = (struct group){ .id = id };
	return true;
}

static void name_groups(struct cgroup_traffic_collector *c)
{
	char path[CGROUPS_PATH] = "";
	size_t missing = 0;

	for (size_t i = 0; i < c->n; i++)
		missing += !c->list[i].path;
	if (!missing)
		return;
	name_root(c, &missing);
	name_below(c, path, 0, &missing);
}

/* Whether the directory is still this group's. */
static bool is_there(const struct cgroup_traffic_collector *c, const struct group *g)
{
	char full[CGROUPS_PATH + 160];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", c->groups.at[CGROUP_PRESSURE].base, g->path);
	return fstatat(c->tracer.roots.sys, full, &st, 0) == 0 && st.st_ino == g->id;
}

/* --- reading ------------------------------------------------------------------------------------
 */

static void put_group(struct cgroup_traffic_collector *c, struct group *g, const uint64_t *sums)
{
	const struct cgroup *known = cgroups_around(&c->groups, g->path);

	rows_add(c->tracer.rows, TABLE_TRAFFIC);
	rows_string(c->tracer.rows, TRAFFIC_GROUP, g->path);
	if (known)
		cgroup_put_name(known, c->tracer.rows, TRAFFIC_NAME);
	rows_unsigned(c->tracer.rows, TRAFFIC_ID, g->id);
	for (size_t i = 0; i < CGROUP_TRAFFIC_WORDS; i++)
		rows_unsigned(c->tracer.rows, TRAFFIC_COUNTERS + (unsigned int)i, sums[i]);
}

static bool put_traffic(const void *key, const void *value, void *userdata)
{
	struct cgroup_traffic_collector *c = userdata;
	const struct cgroup_traffic *t = value;
	uint64_t sums[CGROUP_TRAFFIC_WORDS] = {}, id;
	struct group *g;

	memcpy(&id, key, sizeof(id));
	for (size_t cpu = 0; cpu < c->tracer.cpus; cpu++)
		for (size_t i = 0; i < CGROUP_TRAFFIC_WORDS; i++)
			sums[i] += ((const uint64_t *)&t[cpu])[i];
	g = find_group(c, id);
	if (!g)
		return true; /* it came after the names were looked for: the next read tells */
	if (!g->path) {
		c->unnamed += sums[1] + sums[3] + sums[5] + sums[7];
		g->gone = true;
		return false;
	}
	g->gone = !is_there(c, g);
	put_group(c, g, sums);
	return !g->gone;
}

static void forget_gone(struct cgroup_traffic_collector *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].gone)
			free(c->list[i].path);
		else
			c->list[kept++] = c->list[i];
	c->n = kept;
}

static int cgroup_traffic_read(void *state, struct rows *rows)
{
	struct cgroup_traffic_collector *c = state;
	struct cgroup_traffic_counts counts = {};
	const struct bpf_map *groups = c->skel->maps.groups;
	int r;

	c->tracer.rows = rows;
	cgroups_renew(&c->groups, rows->time_ns);
	r = tracer_each(&c->tracer, groups, note_group, c);
	if (r < 0)
		return r;
	name_groups(c);
	r = tracer_each(&c->tracer, groups, put_traffic, c);
	forget_gone(c);
	if (r == 0)
		r = tracer_counts(&c->tracer, c->skel->maps.counts, &counts, sizeof(counts));
	if (r < 0)
		return r;
	rows_add(rows, TABLE_LOSSES);
	rows_unsigned(rows, LOSS_OWNERLESS, counts.ownerless);
	rows_unsigned(rows, LOSS_UNCOUNTED, counts.uncounted);
	rows_unsigned(rows, LOSS_UNNAMED, c->unnamed);
	return 0;
}

const struct collector collector_cgroup_traffic = {
	.name = "cgroup_traffic",
	.summary = "what the sockets of systemd units, containers and pods send and receive",
	.needs = "CAP_BPF, CAP_NET_ADMIN, cgroup v2 (also beside v1), Linux 5.7",
	.kind = COLLECTOR_PERIODIC,
	.off = true,
	.interval_ns = 10000000000,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.probe = cgroup_traffic_probe,
	.open = cgroup_traffic_open,
	.read = cgroup_traffic_read,
	.close = cgroup_traffic_close,
};
