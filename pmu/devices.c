// SPDX-License-Identifier: Apache-2.0
#include "pmu/devices.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "pmu/cpu_list.h"
#include "pmu/internal.h"
#include "pmu/sysfs.h"

/* PMUs that are named, since nothing in sysfs tells their kind. */
static const struct {
	const char *prefix;
	enum pmu_kind kind;
} known[] = {
	{ "power", PMU_KIND_ENERGY },	  { "cstate_", PMU_KIND_CSTATE },
	{ "msr", PMU_KIND_MSR },	  { "software", PMU_KIND_SOFTWARE },
	{ "tracepoint", PMU_KIND_OTHER }, { "breakpoint", PMU_KIND_OTHER },
	{ "kprobe", PMU_KIND_OTHER },	  { "uprobe", PMU_KIND_OTHER },
	{ "ibs_", PMU_KIND_OTHER },	  { "intel_pt", PMU_KIND_OTHER },
	{ "intel_bts", PMU_KIND_OTHER },  { "arm_spe_", PMU_KIND_OTHER },
	{ "cs_etm", PMU_KIND_OTHER },	  { "hisi_ptt", PMU_KIND_OTHER },
};

static const char *const kind_names[] = {
	[PMU_KIND_CORE] = "core",     [PMU_KIND_UNCORE] = "uncore",
	[PMU_KIND_ENERGY] = "energy", [PMU_KIND_CSTATE] = "c-state",
	[PMU_KIND_MSR] = "msr",	      [PMU_KIND_SOFTWARE] = "software",
	[PMU_KIND_OTHER] = "other",
};

const char *pmu_kind_name(enum pmu_kind kind)
{
	return kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : "other";
}

bool pmu_kind_is_limited(enum pmu_kind kind)
{
	return kind == PMU_KIND_CORE || kind == PMU_KIND_UNCORE;
}

static enum pmu_kind kind_of(const char *sysfs, const char *name, bool has_cpumask)
{
	if (sysfs_is_core(sysfs, name))
		return PMU_KIND_CORE;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strncmp(name, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].kind;
	return has_cpumask ? PMU_KIND_UNCORE : PMU_KIND_OTHER;
}

/* uncore_imc_4 is number 4 of uncore_imc; armv8_pmuv3_0 likewise. */
static int split_name(struct pmu_device *d)
{
	const char *digits = d->name + strlen(d->name);
	bool numbered;

	while (digits > d->name && isdigit((unsigned char)digits[-1]))
		digits--;
	numbered = *digits && strlen(digits) <= 6 && digits - d->name > 1 && digits[-1] == '_';
	d->number = numbered ? atoi(digits) : -1;
	d->family = numbered ? strndup(d->name, (size_t)(digits - 1 - d->name)) : strdup(d->name);
	return d->family ? 0 : -ENOMEM;
}

static int read_cpus(const char *sysfs, const char *name, struct pmu_device *d, bool *ret_cpumask)
{
	_cleanup_(pmu_freep) char *text = NULL;
	int r = pmu_read_file(&text, "%s/" SYSFS_DEVICES "/%s/cpumask", sysfs, name);

	*ret_cpumask = r == 0;
	if (r < 0)
		r = pmu_read_file(&text, "%s/" SYSFS_DEVICES "/%s/cpus", sysfs, name);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return pmu_cpu_list_parse(text, &d->cpus, &d->n_cpus);
}

static void device_done(struct pmu_device *d)
{
	free(d->name);
	free(d->family);
	free(d->cpus);
	*d = (struct pmu_device){ 0 };
}

static int read_device(const char *sysfs, const char *name, struct pmu_device *ret)
{
	struct pmu_device d = { 0 };
	bool has_cpumask;
	uint64_t type;
	int r;

	r = pmu_read_u64(&type, "%s/" SYSFS_DEVICES "/%s/type", sysfs, name);
	if (r == 0 && type > UINT32_MAX)
		r = -ERANGE;
	if (r == 0)
		r = read_cpus(sysfs, name, &d, &has_cpumask);
	if (r == 0) {
		d.type = (uint32_t)type;
		d.kind = kind_of(sysfs, name, has_cpumask);
		d.name = strdup(name);
		r = d.name ? split_name(&d) : -ENOMEM;
	}
	if (r < 0) {
		device_done(&d);
		return r;
	}
	*ret = d;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct pmu_device *x = a, *y = b;
	int r = strcmp(x->family, y->family);

	return r ? r : (x->number > y->number) - (x->number < y->number);
}

static int append(const char *sysfs, const char *name, struct pmu_devices *d)
{
	struct pmu_device *grown = realloc(d->list, (d->n + 1) * sizeof(*grown));
	int r;

	if (!grown)
		return -ENOMEM;
	d->list = grown;
	r = read_device(sysfs, name, &grown[d->n]);
	if (r == 0)
		d->n++;
	return r == -ENOMEM ? r : 0;
}

static DIR *open_devices(const char *sysfs)
{
	_cleanup_(pmu_freep) char *path = NULL;

	if (asprintf(&path, "%s/" SYSFS_DEVICES, sysfs) < 0) {
		path = NULL;
		errno = ENOMEM;
		return NULL;
	}
	return opendir(path);
}

int pmu_devices_read(const char *sysfs, struct pmu_devices *ret)
{
	struct pmu_devices d = { 0 };
	struct dirent *e;
	DIR *dir = open_devices(sysfs);
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			r = append(sysfs, e->d_name, &d);
	closedir(dir);
	if (r < 0) {
		pmu_devices_done(&d);
		return r;
	}
	if (d.n)
		qsort(d.list, d.n, sizeof(*d.list), by_name);
	*ret = d;
	return 0;
}

void pmu_devices_done(struct pmu_devices *d)
{
	for (size_t i = 0; i < d->n; i++)
		device_done(&d->list[i]);
	free(d->list);
	*d = (struct pmu_devices){ 0 };
}

/* FNV-1a, summed over the names, so that the directory's order does not matter. */
uint64_t pmu_devices_fingerprint(const char *sysfs)
{
	DIR *dir = open_devices(sysfs);
	struct dirent *e;
	uint64_t sum = 0;

	while (dir && (e = readdir(dir))) {
		uint64_t hash = 0xcbf29ce484222325;

		for (const char *p = e->d_name; *p; p++)
			hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
		sum += hash;
	}
	if (dir)
		closedir(dir);
	return sum;
}

bool pmu_device_is_named(const struct pmu_device *d, const char *name)
{
	static const char uncore[] = "uncore_";
	size_t n = strncmp(d->name, uncore, strlen(uncore)) == 0 ? strlen(uncore) : 0;

	return strcmp(d->name, name) == 0 || strcmp(d->family, name) == 0 ||
	       strcmp(d->name + n, name) == 0 || strcmp(d->family + n, name) == 0;
}

const struct pmu_device *pmu_devices_find(const struct pmu_devices *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->list[i].name, name) == 0)
			return &d->list[i];
	return NULL;
}
