// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel says about its PMUs below bus/event_source/devices: their types, the CPUs they
 * count on, and the names of their events. Types are handed out at boot, so that they are read
 * anew each time.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmu/internal.h"
#include "pmu/sysfs.h"

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static DIR *open_directory(const char *sysfs, const char *below)
{
	_cleanup_(pmu_freep) char *path = NULL;

	if (asprintf(&path, "%s/" SYSFS_DEVICES "%s", sysfs, below) < 0) {
		path = NULL;
		return NULL;
	}
	return opendir(path);
}

static const char *next_name(DIR *d)
{
	struct dirent *e;

	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			return e->d_name;
	return NULL;
}

bool sysfs_has(const char *sysfs, const char *pmu, const char *file)
{
	_cleanup_(pmu_freep) char *path = NULL;

	if (asprintf(&path, "%s/" SYSFS_DEVICES "/%s/%s", sysfs, pmu, file) < 0) {
		path = NULL;
		return false;
	}
	return access(path, F_OK) == 0;
}

bool sysfs_is_core(const char *sysfs, const char *pmu)
{
	return strcmp(pmu, "cpu") == 0 || sysfs_has(sysfs, pmu, "cpus");
}

char *sysfs_core_pmu(const char *sysfs)
{
	_cleanup_(closedirp) DIR *d = NULL;
	const char *name;

	if (sysfs_has(sysfs, "cpu", "type"))
		return strdup("cpu");
	if (sysfs_has(sysfs, "cpu_core", "type"))
		return strdup("cpu_core");
	d = open_directory(sysfs, "");
	while (d && (name = next_name(d)))
		if (sysfs_has(sysfs, name, "cpus") && sysfs_has(sysfs, name, "format/event"))
			return strdup(name);
	return strdup("");
}

int sysfs_pmu_by_type(const char *sysfs, uint32_t type, char **ret_name)
{
	_cleanup_(closedirp) DIR *d = open_directory(sysfs, "");
	const char *name;
	uint64_t v;

	while (d && (name = next_name(d)))
		if (pmu_read_u64(&v, "%s/" SYSFS_DEVICES "/%s/type", sysfs, name) == 0 &&
		    v == type) {
			*ret_name = strdup(name);
			return *ret_name ? 0 : -ENOMEM;
		}
	return -ENOENT;
}

/*
 * A PMU with a cpumask counts for a socket or a cluster and raises no interrupt for one task's code
 * (uncore, RAPL, C-states); msr's registers run freely.
 */
int sysfs_describe_pmu(const char *sysfs, const char *pmu, struct pmu_event *ev)
{
	char *cpus = NULL;
	int r;

	r = pmu_read_file(&cpus, "%s/" SYSFS_DEVICES "/%s/cpumask", sysfs, pmu);
	ev->countable_only = r == 0 || strcmp(pmu, "msr") == 0;
	if (r < 0)
		r = pmu_read_file(&cpus, "%s/" SYSFS_DEVICES "/%s/cpus", sysfs, pmu);
	if (r == -ENOMEM)
		return r;
	if (cpus && !*cpus) {
		free(cpus);
		cpus = NULL;
	}
	free(ev->cpus);
	ev->cpus = cpus;
	free(ev->pmu);
	ev->pmu = strdup(pmu);
	return ev->pmu ? 0 : -ENOMEM;
}

/* Files like NAME.scale describe NAME and are no events. */
static bool is_attribute(const char *name)
{
	static const char *const suffixes[] = { ".scale", ".unit", ".snapshot", ".per-pkg" };
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t k = strlen(suffixes[i]);

		if (n > k && strcmp(name + n - k, suffixes[i]) == 0)
			return true;
	}
	return false;
}

/* "event=0x04,umask=0x03, in MiB" on the heap; NULL when unreadable. */
static char *describe_event(const char *sysfs, const char *pmu, const char *event)
{
	_cleanup_(pmu_freep) char *terms = NULL, *unit = NULL;
	char *text;

	if (pmu_read_file(&terms, "%s/" SYSFS_DEVICES "/%s/events/%s", sysfs, pmu, event) < 0)
		return NULL;
	if (pmu_read_file(&unit, "%s/" SYSFS_DEVICES "/%s/events/%s.unit", sysfs, pmu, event) < 0)
		return strdup(terms);
	return asprintf(&text, "%s, in %s", terms, unit) < 0 ? NULL : text;
}

static int each_event(const char *sysfs, const char *pmu, pmu_known_fn each, void *userdata)
{
	_cleanup_(closedirp) DIR *d = NULL;
	char below[300], full[600];
	const char *name;
	int r;

	snprintf(below, sizeof(below), "/%s/events", pmu);
	d = open_directory(sysfs, below);
	while (d && (name = next_name(d))) {
		_cleanup_(pmu_freep) char *description = NULL;

		if (is_attribute(name))
			continue;
		snprintf(full, sizeof(full), "%s/%s/", pmu, name);
		description = describe_event(sysfs, pmu, name);
		r = each(&(struct pmu_known){ full, description, pmu }, userdata);
		if (r)
			return r;
	}
	return 0;
}

int sysfs_each(const char *sysfs, pmu_known_fn each, void *userdata)
{
	_cleanup_(closedirp) DIR *d = open_directory(sysfs, "");
	const char *name;
	int r;

	while (d && (name = next_name(d))) {
		r = each_event(sysfs, name, each, userdata);
		if (r)
			return r;
	}
	return 0;
}
