/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Which cgroups there are, what each one is, and where its files lie: cgroup v2, v1, and both side
 * by side ("hybrid": controllers on v1, and v2 at /sys/fs/cgroup/unified for the rest).
 *
 * A resource is where its controller is: on the v2 hierarchy when that has it, else on the v1
 * hierarchy whose directory names it ("cpu", "cpu,cpuacct", "blkio" ...), else nowhere. A group is
 * one path, whichever hierarchies know it. Containers are not descended into: what is below belongs
 * to them.
 *
 * The tree is walked every CGROUPS_AGE_NS only; in between, a group that is gone is forgotten when
 * its files are missed, and a new one is not yet known.
 */
#include "collect/container_names.h"
#include "collect/roots.h"

#define CGROUPS_AGE_NS (30 * NSEC_PER_SEC)
#define CGROUPS_MAX 4096
#define CGROUPS_DEPTH 16
#define CGROUPS_PATH 1024 /* bytes, of one group's path */

enum cgroup_resource {
	CGROUP_CPU,
	CGROUP_CPUACCT, /* v1's second half of the cpu controller; v2: the same as CGROUP_CPU */
	CGROUP_MEMORY,
	CGROUP_IO, /* v1: blkio */
	CGROUP_PIDS,
	CGROUP_PRESSURE, /* v2 only */
	CGROUP_RESOURCES,
};

enum cgroup_kind { CGROUP_CONTAINER, CGROUP_POD, CGROUP_UNIT, CGROUP_OTHER };

struct cgroup_hierarchy {
	bool present, v2;
	char base[128]; /* below sysfs: "fs/cgroup/memory" */
	size_t first; /* of the resources that share it */
	int group; /* of the first one: the directory of the group entered last, or -1 */
};

struct cgroup {
	enum cgroup_kind kind;
	const char *runtime; /* "docker", "containerd", "cri-o", "podman", "lxc", "nspawn", "unknown";
				"" no container */
	bool gone; /* since the walk */
	unsigned int in; /* bit set of enum cgroup_resource: whose hierarchies know it */
	struct container_names names; /* "" where nothing is known */
	char unit[256], container[256], pod[64]; /* pod: its UID */
	char path[]; /* begins with "/" */
};

struct cgroups {
	struct roots *roots; /* borrowed */
	struct cgroup_hierarchy at[CGROUP_RESOURCES];
	struct container_names_source names;
	struct cgroup **list; /* sorted by path */
	size_t n, capacity;
	bool walked, too_many;
	uint64_t walk_ns; /* of the last one */
	uint64_t directories; /* ever listed */
};

/* Finds the hierarchies. 0, or -ENOENT: there are no cgroups. */
int cgroups_open(struct cgroups *c, struct roots *roots, const char *procfs);
void cgroups_close(struct cgroups *c);
/* Walks the tree when the last walk is too old. */
void cgroups_renew(struct cgroups *c, uint64_t now_ns);

/* Opens the group's directories for cgroups_read(); false: no hierarchy has it any more. */
bool cgroups_enter(struct cgroups *c, const struct cgroup *g);
/*
 * Reads a file of the group entered last into c->roots->text. -ENOENT: there is no such hierarchy,
 * or file.
 */
int cgroups_read(struct cgroups *c, enum cgroup_resource resource, const char *file);
/*
 * A process of the group, or of one below it: 0 when it has none, or none that is seen from here.
 */
pid_t cgroups_process(struct cgroups *c, const struct cgroup *g);

/* The group of that path, or else the nearest above it that the walk found; NULL: there is none. */
const struct cgroup *cgroups_around(const struct cgroups *c, const char *path);
/* Its name into the row begun last: of the container, else its id's first digits, else the unit. */
void cgroup_put_name(const struct cgroup *g, struct rows *rows, unsigned int column);

const char *cgroup_kind_name(enum cgroup_kind kind);
