// SPDX-License-Identifier: Apache-2.0
/*
 * What of the catalogue this machine can compute, by trying: each event of the family that a
 * formula names is opened once, for counting.
 */
#include "pmu/metric_list.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmu/devices.h"
#include "pmu/internal.h"
#include "pmu/strerror.h"

/* An event that was tried; `reason` is NULL when it counts. */
struct probed {
	const struct metric_event *event;
	char *reason;
};

struct listing {
	const struct pmu_kernel *kernel;
	enum metric_family family;
	struct pmu_machine machine;
	struct probed *probed;
	size_t n_probed;
	struct metric_listed *rows;
	size_t n;
};

static int append_spec(char **specs, const char *pmu, const char *rest)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s%s", *specs ? *specs : "", *specs ? "," : "", pmu, rest) < 0)
		return -ENOMEM;
	free(*specs);
	*specs = longer;
	return 0;
}

static int specs_of_instances(const char *spec, const struct pmu_devices *devices, char **ret)
{
	_cleanup_(pmu_freep) char *pmu = NULL, *specs = NULL;
	size_t n = strcspn(spec, "/");
	int r = 0;

	pmu = strndup(spec, n);
	if (!pmu)
		return -ENOMEM;
	for (size_t i = 0; i < devices->n && r == 0; i++)
		if (pmu_device_is_named(&devices->list[i], pmu))
			r = append_spec(&specs, devices->list[i].name, spec + n);
	if (r == 0 && !specs)
		r = -ENOENT;
	if (r < 0)
		return r;
	*ret = specs;
	specs = NULL;
	return 0;
}

int metric_event_specs(const struct metric_event *event, const char *sysfs, char **ret)
{
	struct pmu_devices devices;
	int r;

	if (!strchr(event->spec, '/')) {
		*ret = strdup(event->spec);
		return *ret ? 0 : -ENOMEM;
	}
	r = pmu_devices_read(sysfs ? sysfs : "/sys", &devices);
	if (r < 0)
		return r == -ENOMEM ? r : -ENOENT;
	r = specs_of_instances(event->spec, &devices, ret);
	pmu_devices_done(&devices);
	return r;
}

/* The module that brings a PMU, where there is one. */
static const char *driver_of(const char *pmu)
{
	static const struct {
		const char *prefix, *module;
	} drivers[] = {
		{ "uncore_", "intel_uncore" }, { "cstate_", "intel_cstate" }, { "power", "rapl" },
		{ "amd_", "amd_uncore" },      { "arm_cmn", "arm-cmn" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (strncmp(pmu, drivers[i].prefix, strlen(drivers[i].prefix)) == 0)
			return drivers[i].module;
	return NULL;
}

static char *why_no_pmu(const struct metric_event *event)
{
	int n = (int)strcspn(event->spec, "/");
	const char *driver = driver_of(event->spec);
	char *text = NULL;

	if (driver)
		pmu_fail(&text, -ENOENT,
			 "there is no PMU %.*s: its driver (%s) is not loaded, or this machine's "
			 "hardware or hypervisor does not have it",
			 n, event->spec, driver);
	else
		pmu_fail(&text, -ENOENT, "there is no PMU %.*s on this machine", n, event->spec);
	return text;
}

/* The first instance, for counting. Negative errno with the reason on the heap. */
static int resolve(const struct listing *l, const struct metric_event *event, struct pmu_event *ret,
		   char **ret_reason)
{
	_cleanup_(pmu_freep) char *specs = NULL;
	char *others;
	int r;

	r = metric_event_specs(event, l->kernel->sysfs, &specs);
	if (r == -ENOENT)
		*ret_reason = why_no_pmu(event);
	if (r < 0)
		return r;
	others = strstr(specs, "/,");
	if (others)
		others[1] = 0;
	r = pmu_resolve(specs, l->kernel->sysfs, ret, ret_reason);
	if (r == -ENOENT && !*ret_reason)
		pmu_fail(ret_reason, r, "there is no event %s here", specs);
	if (r < 0)
		return r;
	pmu_set_period(&ret->attr, 0);
	pmu_set_precise(&ret->attr, 0);
	return 0;
}

/* An fd, or negative errno with the reason. */
static int open_event(const struct listing *l, const struct metric_event *event, int group_fd,
		      char **ret_reason)
{
	struct pmu_target target = { .pid = -1, .group_fd = group_fd };
	struct pmu_event ev;
	int r;

	r = resolve(l, event, &ev, ret_reason);
	if (r < 0)
		return r;
	target.cpu = pmu_event_cpu(&ev, sched_getcpu());
	target.flags = PERF_FLAG_FD_CLOEXEC;
	r = pmu_event_open_by(l->kernel, &ev, &target);
	if (r < 0)
		*ret_reason = pmu_why(&ev, r, &l->machine);
	pmu_event_done(&ev);
	return r;
}

/* 0 when it counts, else -ENOENT with the reason. */
static int probe(const struct listing *l, const struct metric_event *event, char **ret_reason)
{
	const struct metric_event *leader =
		event->leader ? metric_event_find(l->family, event->leader) : NULL;
	int leader_fd = -1, fd;

	if (leader) {
		leader_fd = open_event(l, leader, -1, ret_reason);
		if (leader_fd < 0)
			return *ret_reason ? -ENOENT : -ENOMEM;
	}
	fd = open_event(l, event, leader_fd, ret_reason);
	if (leader_fd >= 0)
		close(leader_fd);
	if (fd < 0)
		return *ret_reason ? -ENOENT : -ENOMEM;
	close(fd);
	return 0;
}

/* *ret_reason stays NULL when the event counts; it belongs to the listing. */
static int probe_once(struct listing *l, const struct metric_event *event, const char **ret_reason)
{
	struct probed *p;
	int r;

	for (size_t i = 0; i < l->n_probed; i++)
		if (l->probed[i].event == event) {
			*ret_reason = l->probed[i].reason;
			return 0;
		}
	p = realloc(l->probed, (l->n_probed + 1) * sizeof(*p));
	if (!p)
		return -ENOMEM;
	l->probed = p;
	p += l->n_probed;
	*p = (struct probed){ .event = event };
	r = probe(l, event, &p->reason);
	if (r == -ENOMEM)
		return r;
	l->n_probed++;
	*ret_reason = p->reason;
	return 0;
}

/* Whether what the caller of metric_eval would look up can be had. */
static int check_name(struct listing *l, const char *name, struct metric_listed *row)
{
	static const char *const of_machine[] = { "smt", "width", "timer_hz" };
	const struct metric_event *event = metric_event_find(l->family, name);
	const char *reason = NULL;
	double value;
	int r;

	if (event) {
		r = probe_once(l, event, &reason);
		if (r < 0 || !reason)
			return r;
		row->missing = event;
		row->reason = strdup(reason);
		return row->reason ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_machine); i++)
		if (strcmp(name, of_machine[i]) == 0 &&
		    !metric_machine_constant(l->family, name, l->kernel->sysfs, &value)) {
			pmu_fail(&row->reason, -ENODATA, "'%s' is not known here", name);
			return row->reason ? 0 : -ENOMEM;
		}
	return 0;
}

static int add(struct listing *l, const struct metric *m)
{
	struct metric_listed row = { .metric = m }, *grown;
	size_t at;
	int r;

	r = metric_formula_parse(m->formula, &row.formula, &at);
	for (size_t i = 0; l->kernel && i < row.formula.n_names && r == 0 && !row.reason; i++)
		r = check_name(l, row.formula.names[i], &row);
	grown = r < 0 ? NULL : realloc(l->rows, (l->n + 1) * sizeof(*grown));
	if (!grown) {
		free(row.reason);
		return r < 0 ? r : -ENOMEM;
	}
	row.available = l->kernel && !row.reason;
	l->rows = grown;
	l->rows[l->n++] = row;
	return 0;
}

struct metric_listed *metric_listed_free(struct metric_listed *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		free(list[i].reason);
	free(list);
	return NULL;
}

int metric_list_by(const struct pmu_kernel *k, enum metric_family family, const char *pattern,
		   struct metric_listed **ret, size_t *ret_n)
{
	struct listing l = { .kernel = k, .family = family };
	const struct metric *m = NULL;
	int r = 0;

	if (k)
		pmu_machine_read(k->sysfs, &l.machine);
	while (r == 0 && (m = metric_next(family, m)))
		if (!pattern || strcasestr(m->name, pattern))
			r = add(&l, m);
	for (size_t i = 0; i < l.n_probed; i++)
		free(l.probed[i].reason);
	free(l.probed);
	if (r < 0) {
		metric_listed_free(l.rows, l.n);
		return r;
	}
	*ret = l.rows;
	*ret_n = l.n;
	return 0;
}

int metric_list(enum metric_family family, const char *pattern, bool try, const char *sysfs,
		struct metric_listed **ret, size_t *ret_n)
{
	const struct pmu_kernel kernel = { pmu_ask_kernel, NULL, sysfs ? sysfs : "/sys" };

	return metric_list_by(try ? &kernel : NULL, family, pattern, ret, ret_n);
}
