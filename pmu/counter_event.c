// SPDX-License-Identifier: Apache-2.0
/*
 * From names to what the kernel opens for counting. A family's name stands for every instance of
 * it, each of which has its own type.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/internal.h"

void counter_event_fail(struct pmu_counters *c, struct counter_event *e, int error, char *reason)
{
	if (!reason && e->n_instances)
		reason = pmu_why(&e->instances[0], error, &c->machine);
	free(e->reason);
	e->reason = reason;
	e->error = error;
}

static void forget(struct counter_event *e)
{
	pmu_events_free(e->instances, e->n_instances);
	e->instances = NULL;
	e->n_instances = 0;
	free(e->name);
	free(e->pmu);
	free(e->reason);
	e->name = e->pmu = e->reason = NULL;
	e->error = 0;
}

void counter_event_done(struct counter_event *e)
{
	forget(e);
	free(e->spec);
	*e = (struct counter_event){ 0 };
}

static void make_counting(const struct pmu_counters *c, struct pmu_event *ev)
{
	pmu_event_count_only(ev);
	if (c->guests)
		ev->attr.exclude_guest = 0;
	ev->attr.inherit = counters_of_tasks(c);
	ev->attr.enable_on_exec = c->at_exec;
}

static int add_instance(struct pmu_counters *c, struct counter_event *e, const char *spec,
			char **ret_error)
{
	const struct pmu_defaults defaults = { .sysfs = c->sysfs };
	struct pmu_event *grown, *parsed;
	size_t n;
	int r;

	grown = realloc(e->instances, (e->n_instances + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	e->instances = grown;
	r = pmu_events_parse(spec, &defaults, &parsed, &n, ret_error);
	if (r < 0)
		return r;
	/* a comma inside braces or slashes ends no name, so that there is one */
	grown[e->n_instances] = parsed[0];
	make_counting(c, &grown[e->n_instances]);
	e->n_instances++;
	free(parsed);
	return 0;
}

/* One instance for each PMU that the part before the slash means; not all need to have the event.
 */
static int add_family(struct pmu_counters *c, struct counter_event *e, const char *pmu,
		      const char *rest, char **ret_error)
{
	for (size_t i = 0; i < c->devices.n; i++) {
		_cleanup_(pmu_freep) char *spec = NULL, *said = NULL;
		int r;

		if (!pmu_device_is_named(&c->devices.list[i], pmu))
			continue;
		if (asprintf(&spec, "%s%s", c->devices.list[i].name, rest) < 0) {
			spec = NULL;
			return -ENOMEM;
		}
		r = add_instance(c, e, spec, &said);
		if (r == -ENOMEM)
			return r;
		if (r < 0 && !*ret_error) {
			*ret_error = said;
			said = NULL;
		}
	}
	return e->n_instances ? 0 : -ENOENT;
}

static int find_instances(struct pmu_counters *c, struct counter_event *e, char **ret_error)
{
	const char *slash = strchr(e->spec, '/');
	_cleanup_(pmu_freep) char *pmu = slash ? strndup(e->spec, (size_t)(slash - e->spec)) : NULL;
	int r;

	if (slash && !pmu)
		return -ENOMEM;
	r = slash && !pmu_devices_find(&c->devices, pmu) ? add_family(c, e, pmu, slash, ret_error)
							 : -ENOENT;
	if (r == -ENOENT && !*ret_error)
		r = add_instance(c, e, e->spec, ret_error);
	return r;
}

static enum pmu_kind kind_by_type(uint32_t type)
{
	switch (type) {
	case PERF_TYPE_HARDWARE:
	case PERF_TYPE_HW_CACHE:
	case PERF_TYPE_RAW:
		return PMU_KIND_CORE;
	case PERF_TYPE_SOFTWARE:
		return PMU_KIND_SOFTWARE;
	default:
		return PMU_KIND_OTHER;
	}
}

static enum pmu_grain grain_of(enum pmu_kind kind, const struct pmu_event *ev)
{
	if (kind == PMU_KIND_CORE || !ev->cpus)
		return PMU_GRAIN_CPU;
	if ((kind == PMU_KIND_CSTATE || kind == PMU_KIND_ENERGY) && strstr(ev->pmu, "_core"))
		return PMU_GRAIN_CORE;
	return PMU_GRAIN_SOCKET;
}

/* Several instances go by the name they were asked for, unless name= gives one. */
static int describe(struct pmu_counters *c, struct counter_event *e)
{
	const struct pmu_event *first = &e->instances[0];
	const struct pmu_device *d = pmu_devices_find(&c->devices, first->pmu);
	bool family = e->n_instances > 1;

	e->kind = d ? d->kind : kind_by_type(first->attr.type);
	e->grain = grain_of(e->kind, first);
	e->name = strdup(family && strchr(first->name, '/') ? e->spec : first->name);
	e->pmu = strdup(d && family ? d->family : first->pmu);
	return e->name && e->pmu ? 0 : -ENOMEM;
}

/* "NAME@97Hz": a rate is for samples. */
static bool has_rate(const char *spec)
{
	const char *slash = strrchr(spec, '/');

	return strchr(slash ? slash : spec, '@');
}

int counter_event_resolve(struct pmu_counters *c, struct counter_event *e)
{
	char *error = NULL;
	int r;

	forget(e);
	r = has_rate(e->spec) ? pmu_fail(&error, -EINVAL,
					 "event '%s': it is counted and not sampled, so that a "
					 "rate has no meaning",
					 e->spec)
			      : find_instances(c, e, &error);
	if (r == 0)
		r = describe(c, e);
	if (r == 0) {
		free(error); /* of instances that do not have the event */
		return 0;
	}
	forget(e);
	e->name = strdup(e->spec);
	e->pmu = strdup("");
	e->kind = PMU_KIND_OTHER;
	e->error = r;
	e->reason = error;
	return e->name && e->pmu ? r : -ENOMEM;
}
