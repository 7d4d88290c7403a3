// SPDX-License-Identifier: Apache-2.0
/*
 * PMUs and how many of their counters are free: measured on every CPU of a core PMU, and on the
 * first box of the others.
 */
#include <errno.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/cpu_list.h"
#include "pmu/internal.h"

/* Events tried as filler in a scope without one that surely goes on every counter. */
#define FILLER_TRIES 4

static int find_filler(const struct counter_probe *p, struct pmu_event **ret)
{
	static const char *const names[] = { "branches", "branch-misses", "instructions" };
	const struct pmu_defaults defaults = { .sysfs = p->sysfs };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct pmu_event *ev;
		struct counter_probe probe = *p;
		char *error = NULL;
		size_t n;

		if (pmu_events_parse(names[i], &defaults, &ev, &n, &error) < 0) {
			free(error);
			continue;
		}
		pmu_set_period(&ev->attr, 0);
		probe.filler = ev;
		if (counter_measure_free(&probe) >= 0) {
			*ret = ev;
			return 0;
		}
		pmu_events_free(ev, n);
	}
	return -ENOENT;
}

/* Of a PMU without generic events: the one of its events that runs most often at once. */
static int find_own_filler(const struct pmu_counters *c, const struct counter_scope *s,
			   struct pmu_event **ret)
{
	const struct pmu_event *best = NULL;
	int most = 0, tries = FILLER_TRIES;
	struct pmu_event *copy;

	for (size_t i = 0; i < c->n_events && tries > 0; i++) {
		const struct counter_event *e = &c->events[i];
		struct counter_probe probe = s->probe;
		int n;

		if (e->error || strcmp(e->pmu, s->pmu) != 0)
			continue;
		probe.filler = &e->instances[0];
		n = counter_measure_free(&probe);
		if (n > most) {
			most = n;
			best = probe.filler;
		}
		tries--;
	}
	if (!best)
		return -ENOENT;
	copy = calloc(1, sizeof(*copy));
	if (!copy || pmu_event_copy(best, copy) < 0) {
		free(copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

/* The CPU with the fewest, of those that have any, decides, and is the one to try groups on. */
static int measure_each_cpu(struct planner *p, struct counter_scope *s)
{
	const struct pmu_device *d = pmu_devices_find(&p->c->devices, s->pmu);
	struct counter_probe probe = s->probe;
	int fewest = 0;

	for (size_t i = 0; i < p->c->topology.n; i++) {
		int n;

		probe.target.cpu = p->c->topology.cpus[i].cpu;
		if (d && d->cpus && !pmu_cpu_list_has(d->cpus, d->n_cpus, probe.target.cpu))
			continue;
		cpu_walk_to(&p->walk, probe.target.cpu);
		n = counter_measure_free(&probe);
		if (n > 0 && (fewest == 0 || n < fewest)) {
			fewest = n;
			s->probe.target.cpu = probe.target.cpu;
		}
	}
	return fewest;
}

/* A scope whose counters cannot be measured, or that runs every filler, has no shortage. */
static int measure(struct planner *p, struct counter_scope *s)
{
	int r, n, total;

	if (!pmu_kind_is_limited(s->kind))
		return 0;
	cpu_walk_to(&p->walk, s->probe.target.cpu);
	r = s->kind == PMU_KIND_CORE ? find_filler(&s->probe, &s->filler)
				     : find_own_filler(p->c, s, &s->filler);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	s->probe.filler = s->filler;
	total = counter_measure_total(&s->probe);
	n = s->kind == PMU_KIND_CORE && !counters_of_tasks(p->c) ? measure_each_cpu(p, s)
								 : counter_measure_free(&s->probe);
	if (n < 0 || n == COUNTER_FILLERS) {
		s->filler = s->probe.filler = pmu_events_free(s->filler, 1);
		return 0;
	}
	s->free = (unsigned int)n;
	s->total = total > n ? (unsigned int)total : (unsigned int)n;
	return 0;
}

int counter_scope_find(struct planner *p, const struct counter_event *e, size_t *ret)
{
	struct pmu_counters *c = p->c;
	struct counter_scope *s;
	size_t i;

	for (i = 0; i < c->n_scopes; i++)
		if (strcmp(c->scopes[i].pmu, e->pmu) == 0) {
			*ret = i;
			return 0;
		}
	s = realloc(c->scopes, (c->n_scopes + 1) * sizeof(*s));
	if (!s)
		return -ENOMEM;
	c->scopes = s;
	s += c->n_scopes;
	*s = (struct counter_scope){ .kind = e->kind, .turns = 1, .pmu = strdup(e->pmu) };
	if (!s->pmu)
		return -ENOMEM;
	c->n_scopes++;
	s->probe = (struct counter_probe){ .ops = c->ops, .sysfs = c->sysfs };
	(void)counter_probe_target(c, e, 0, &s->probe.target);
	*ret = i;
	return measure(p, s);
}
