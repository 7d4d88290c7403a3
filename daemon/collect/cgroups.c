// SPDX-License-Identifier: Apache-2.0
#include "collect/cgroups.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "process/cgroup.h"
#include "util/parse.h"

#define BASE "fs/cgroup"
#define POD_UID 36 /* bytes */

/* --- hierarchies --- */

static const struct {
	const char *v1, *v2; /* names of the controller; NULL: it has none */
} controllers[CGROUP_RESOURCES] = {
	[CGROUP_CPU] = { "cpu", "cpu" },
	[CGROUP_CPUACCT] = { "cpuacct", "cpu" },
	[CGROUP_MEMORY] = { "memory", "memory" },
	[CGROUP_IO] = { "blkio", "io" },
	[CGROUP_PIDS] = { "pids", "pids" },
	[CGROUP_PRESSURE] = { NULL, NULL },
};

static bool exists(const struct roots *r, const char *base, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", base, file);
	return r->sys >= 0 && faccessat(r->sys, path, F_OK, 0) == 0;
}

static void set(struct cgroup_hierarchy *h, bool v2, const char *base)
{
	*h = (struct cgroup_hierarchy){ .present = true, .v2 = v2, .group = -1 };
	snprintf(h->base, sizeof(h->base), "%s", base);
}

/* What the v2 hierarchy has; on its own it has all: a resource without controller has fewer files. */
static void find_v2(struct cgroups *c, const char *base, bool alone)
{
	struct scan s;
	struct record_bytes word;
	char path[160];

	set(&c->at[CGROUP_PRESSURE], true, base);
	if (alone)
		for (size_t i = 0; i < CGROUP_PRESSURE; i++)
			set(&c->at[i], true, base);
	snprintf(path, sizeof(path), "%s/cgroup.controllers", base);
	if (roots_read(c->roots, c->roots->sys, path) < 0)
		return;
	s = scan_buffer(&c->roots->text);
	while (scan_word(&s, &word))
		for (size_t i = 0; i < CGROUP_PRESSURE; i++)
			if (bytes_are(word, controllers[i].v2))
				set(&c->at[i], true, base);
}

/* A directory of v1 is called as its controllers, with commas between them. */
static void find_v1(struct cgroups *c, const char *directory)
{
	char base[128], names[128], *rest = names, *name;

	if (snprintf(base, sizeof(base), BASE "/%s", directory) >= (int)sizeof(base) ||
	    !exists(c->roots, base, "cgroup.procs"))
		return;
	snprintf(names, sizeof(names), "%s", directory);
	while ((name = strsep(&rest, ",")))
		for (size_t i = 0; i < CGROUP_RESOURCES; i++)
			if (controllers[i].v1 && strcmp(name, controllers[i].v1) == 0 &&
			    !c->at[i].present)
				set(&c->at[i], false, base);
}

static bool same_hierarchy(const struct cgroups *c, size_t a, size_t b)
{
	return c->at[a].present && c->at[b].present && strcmp(c->at[a].base, c->at[b].base) == 0;
}

/* Whether any was found. */
static bool find_shared(struct cgroups *c)
{
	bool found = false;

	for (size_t i = 0; i < CGROUP_RESOURCES; i++) {
		size_t k = 0;

		while (k < i && !same_hierarchy(c, k, i))
			k++;
		c->at[i].first = k;
		found |= c->at[i].present;
	}
	return found;
}

int cgroups_open(struct cgroups *c, struct roots *roots, const char *procfs)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *d;

	*c = (struct cgroups){ .roots = roots };
	for (size_t i = 0; i < CGROUP_RESOURCES; i++)
		c->at[i].group = -1;
	container_names_open(&c->names, procfs);
	if (exists(roots, BASE, "cgroup.controllers")) {
		find_v2(c, BASE, true);
		(void)find_shared(c);
		return 0;
	}
	if (exists(roots, BASE "/unified", "cgroup.controllers"))
		find_v2(c, BASE "/unified", false);
	if (roots_list(roots->sys, BASE, &dir) == 0)
		while ((d = readdir(dir)))
			if (d->d_name[0] != '.')
				find_v1(c, d->d_name);
	if (find_shared(c))
		return 0;
	cgroups_close(c);
	return -ENOENT;
}

static void forget_all(struct cgroups *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->list[i]);
	c->n = 0;
}

static void leave(struct cgroups *c)
{
	for (size_t i = 0; i < CGROUP_RESOURCES; i++)
		c->at[i].group = safe_close(c->at[i].group);
}

void cgroups_close(struct cgroups *c)
{
	leave(c);
	forget_all(c);
	free(c->list);
	c->list = NULL;
	c->capacity = 0;
	container_names_close(&c->names);
}

/* --- what a group is --- */

static const char *runtime_of(const char *path)
{
	static const struct {
		const char *text, *runtime;
	} marks[] = {
		{ "cri-containerd", "containerd" },
		{ "containerd", "containerd" },
		{ "nerdctl", "containerd" },
		{ "crio", "cri-o" },
		{ "libpod", "podman" },
		{ "podman", "podman" },
		{ "docker", "docker" },
		{ "lxc", "lxc" },
		{ "machine-", "nspawn" },
		{ "systemd-nspawn@", "nspawn" },
	};
	/* The container is the last component; before it a directory may name the runtime. */
	const char *last = strrchr(path, '/'), *from = last;

	while (from > path && from[-1] != '/')
		from--;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(last, marks[i].text))
			return marks[i].runtime;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strncmp(from, marks[i].text, strlen(marks[i].text)) == 0)
			return marks[i].runtime;
	return "unknown";
}

/* "pod8b6b..." of the cgroupfs driver, or "kubepods-burstable-pod8b6b....slice" with underscores. */
static void find_pod(const char *path, char *out)
{
	*out = 0;
	for (const char *p = strstr(path, "pod"); p; p = strstr(p + 1, "pod")) {
		size_t n = 0;

		if (p[-1] != '/' && p[-1] != '-')
			continue;
		while (n < POD_UID && (isxdigit((unsigned char)p[3 + n]) || p[3 + n] == '-' ||
				       p[3 + n] == '_'))
			n++;
		if (n < 32 || (p[3 + n] && p[3 + n] != '/' && p[3 + n] != '.'))
			continue;
		memcpy(out, p + 3, n);
		out[n] = 0;
		for (char *u = out; *u; u++)
			*u = *u == '_' ? '-' : *u;
		return;
	}
}

static void put(char *out, size_t size, struct span s)
{
	snprintf(out, size, "%.*s", (int)MIN(s.size, size - 1), s.data);
}

static bool is_hexadecimal(const char *s)
{
	return *s && s[strspn(s, "0123456789abcdefABCDEF")] == 0;
}

/* The pod's own group, and not one inside it. */
static bool is_pod(const char *path)
{
	const char *last = strrchr(path, '/') + 1;

	return strncmp(last, "pod", 3) == 0 || strncmp(last, "kubepods-", 9) == 0;
}

static struct cgroup *describe(struct cgroups *c, const char *path)
{
	struct cgroup *g = calloc(1, sizeof(*g) + strlen(path) + 1);
	struct span unit, container;
	const char *last;

	if (!g)
		return NULL;
	strcpy(g->path, path);
	last = strrchr(g->path, '/') + 1;
	unit = cgroup_unit(g->path);
	container = cgroup_container(g->path);
	find_pod(g->path, g->pod);
	put(g->unit, sizeof(g->unit), unit);
	put(g->container, sizeof(g->container), container);
	g->runtime = container.size ? runtime_of(g->path) : "";
	if (container.size)
		g->kind = CGROUP_CONTAINER;
	else if (*g->pod && is_pod(g->path))
		g->kind = CGROUP_POD;
	else if (unit.size && unit.data >= last)
		g->kind = CGROUP_UNIT;
	else
		g->kind = CGROUP_OTHER;
	if (is_hexadecimal(g->container))
		container_names_find(&c->names, g->runtime, g->container, &g->names);
	return g;
}

/* --- the walk --- */

static int compare(const void *a, const void *b)
{
	return strcmp((*(struct cgroup *const *)a)->path, (*(struct cgroup *const *)b)->path);
}

/* What the walk before found, sorted. */
struct walk {
	struct cgroups *c;
	struct cgroup **before;
	size_t n_before;
	size_t sorted; /* of c->list: what other hierarchies had */
	unsigned int resources; /* bit set: that this hierarchy has */
	char path[CGROUPS_PATH]; /* "" at the root */
};

static struct cgroup *find_sorted(struct cgroup **list, size_t n, const char *path)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(path, list[middle]->path);

		if (order == 0)
			return list[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* A group stays what it was, and its names are not looked up again, unless there were none. */
static struct cgroup *again(struct walk *w)
{
	struct cgroup *old = find_sorted(w->before, w->n_before, w->path), *g;

	if (!old || (old->kind == CGROUP_CONTAINER && !*old->names.name))
		return describe(w->c, w->path);
	g = malloc(sizeof(*g) + strlen(old->path) + 1);
	if (g) {
		memcpy(g, old, sizeof(*g) + strlen(old->path) + 1);
		g->gone = false;
		g->in = 0;
	}
	return g;
}

/* NULL: too many, or no memory. */
static struct cgroup *found(struct walk *w)
{
	struct cgroups *c = w->c;
	struct cgroup *g = find_sorted(c->list, w->sorted, w->path);

	if (g)
		return g;
	if (c->n == CGROUPS_MAX) {
		c->too_many = true;
		return NULL;
	}
	if (c->n == c->capacity) {
		size_t capacity = MAX(2 * c->capacity, (size_t)64);
		struct cgroup **grown = reallocarray(c->list, capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		c->list = grown;
		c->capacity = capacity;
	}
	g = again(w);
	if (g)
		c->list[c->n++] = g;
	return g;
}

static bool is_directory(DIR *dir, const struct dirent *d)
{
	struct stat st;

	if (d->d_name[0] == '.' || (d->d_type != DT_DIR && d->d_type != DT_UNKNOWN))
		return false;
	return d->d_type == DT_DIR ||
	       (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode));
}

static void walk_below(struct walk *w, const char *base, unsigned int depth)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	size_t size = strlen(w->path);
	char full[CGROUPS_PATH + 160];
	struct dirent *d;

	if (depth > CGROUPS_DEPTH)
		return;
	snprintf(full, sizeof(full), "%s%s", base, w->path);
	if (roots_list(w->c->roots->sys, full, &dir) < 0)
		return;
	w->c->directories++;
	while ((d = readdir(dir))) {
		struct cgroup *g;

		if (!is_directory(dir, d) || size + 1 + strlen(d->d_name) >= sizeof(w->path))
			continue;
		w->path[size] = '/';
		strcpy(w->path + size + 1, d->d_name);
		g = found(w);
		if (g)
			g->in |= w->resources;
		if (g && g->kind != CGROUP_CONTAINER)
			walk_below(w, base, depth + 1);
		w->path[size] = 0;
	}
}

void cgroups_renew(struct cgroups *c, uint64_t now_ns)
{
	struct walk w = { .c = c, .before = c->list, .n_before = c->n };

	if (c->walked && now_ns - c->walk_ns < CGROUPS_AGE_NS)
		return;
	c->list = NULL;
	c->n = c->capacity = 0;
	c->too_many = false;
	for (size_t i = 0; i < CGROUP_RESOURCES; i++) {
		if (!c->at[i].present || c->at[i].first != i)
			continue;
		w.resources = 0;
		for (size_t k = 0; k < CGROUP_RESOURCES; k++)
			w.resources |= c->at[k].present && c->at[k].first == i ? 1U << k : 0;
		walk_below(&w, c->at[i].base, 0);
		if (c->n)
			qsort(c->list, c->n, sizeof(*c->list), compare);
		w.sorted = c->n;
	}
	for (size_t i = 0; i < w.n_before; i++)
		free(w.before[i]);
	free(w.before);
	c->walked = true;
	c->walk_ns = now_ns;
}

/* --- files --- */

bool cgroups_enter(struct cgroups *c, const struct cgroup *g)
{
	char path[CGROUPS_PATH + 160];
	bool found = false;

	leave(c);
	for (size_t i = 0; i < CGROUP_RESOURCES; i++) {
		struct cgroup_hierarchy *h = &c->at[i];

		if (!(g->in & 1U << i) || h->first != i)
			continue;
		snprintf(path, sizeof(path), "%s%s", h->base, g->path);
		h->group = openat(c->roots->sys, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		found |= h->group >= 0;
	}
	return found;
}

int cgroups_read(struct cgroups *c, enum cgroup_resource resource, const char *file)
{
	const struct cgroup_hierarchy *h = &c->at[resource];

	return h->present ? roots_read_piece(c->roots, c->at[h->first].group, file) : -ENOENT;
}

/* The first of those a container's init put its processes into, where it has any. */
static pid_t process_below(struct cgroups *c, char *path, size_t size, unsigned int depth)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	size_t end = strlen(path);
	struct dirent *d;
	uint64_t pid;
	struct scan s;

	if (end + 16 >= size)
		return 0;
	strcpy(path + end, "/cgroup.procs");
	if (roots_read(c->roots, c->roots->sys, path) == 0) {
		s = scan_buffer(&c->roots->text);
		if (scan_unsigned(&s, &pid) && pid && pid <= INT32_MAX)
			return (pid_t)pid;
	}
	path[end] = 0;
	if (depth >= 3 || roots_list(c->roots->sys, path, &dir) < 0)
		return 0;
	while ((d = readdir(dir))) {
		pid_t found_pid;

		if (!is_directory(dir, d) || end + 2 + strlen(d->d_name) >= size)
			continue;
		path[end] = '/';
		strcpy(path + end + 1, d->d_name);
		found_pid = process_below(c, path, size, depth + 1);
		path[end] = 0;
		if (found_pid)
			return found_pid;
	}
	return 0;
}

pid_t cgroups_process(struct cgroups *c, const struct cgroup *g)
{
	char path[CGROUPS_PATH + 512];
	pid_t pid = 0;

	for (size_t i = 0; i < CGROUP_RESOURCES && !pid; i++) {
		if (!(g->in & 1U << i) || c->at[i].first != i)
			continue;
		snprintf(path, sizeof(path), "%s%s", c->at[i].base, g->path);
		pid = process_below(c, path, sizeof(path), 0);
	}
	return pid;
}

const struct cgroup *cgroups_around(const struct cgroups *c, const char *path)
{
	const struct cgroup *g = NULL;
	char above[CGROUPS_PATH];

	snprintf(above, sizeof(above), "%s", path);
	while (*above && !(g = find_sorted(c->list, c->n, above)))
		*strrchr(above, '/') = 0;
	return g;
}

void cgroup_put_name(const struct cgroup *g, struct rows *rows, unsigned int column)
{
	if (*g->names.name)
		rows_string(rows, column, g->names.name);
	else if (*g->container)
		rows_text(rows, column, g->container, strnlen(g->container, 12));
	else
		rows_string(rows, column, g->unit);
}

const char *cgroup_kind_name(enum cgroup_kind kind)
{
	static const char *const names[] = { [CGROUP_CONTAINER] = "container",
					     [CGROUP_POD] = "pod",
					     [CGROUP_UNIT] = "unit",
					     [CGROUP_OTHER] = "group" };

	return names[kind];
}
