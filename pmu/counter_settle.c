// SPDX-License-Identifier: Apache-2.0
/*
 * Each event is opened alone before any group is made: that settles the form the kernel takes it
 * in, and sorts out what it does not take at all, so that later a refusal of a group is about the
 * group.
 *
 * A few events live only in a group led by another (Intel's topdown-* behind slots). Refused alone,
 * they are tried behind the events before them; the one that leads is then always a leader.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/internal.h"

static int try_open(struct planner *p, struct pmu_event *const *events, size_t n,
		    const struct pmu_target *t)
{
	struct counter_group *g;
	int r;

	cpu_walk_to(&p->walk, t->cpu);
	r = counter_group_open(p->c->ops, p->c->sysfs, events, n, t, &g);
	if (r == 0)
		counter_group_close(p->c->ops, g);
	return r;
}

static int open_alone(struct planner *p, struct counter_event *e, size_t instance)
{
	struct pmu_event *ev = &e->instances[instance];
	struct pmu_target t;

	if (!counter_probe_target(p->c, e, instance, &t))
		return -ENODEV;
	return try_open(p, &ev, 1, &t);
}

static bool may_lead(const struct counter_event *leader, const struct counter_event *e)
{
	return !leader->error && leader->leader == COUNTER_NO_EVENT && leader->n_instances == 1 &&
	       leader->brace == e->brace && leader->batch == e->batch &&
	       strcmp(leader->pmu, e->pmu) == 0;
}

static bool find_leader(struct planner *p, size_t event)
{
	struct counter_event *e = &p->c->events[event];
	struct pmu_target t;

	if (e->kind != PMU_KIND_CORE || e->n_instances != 1 ||
	    !counter_probe_target(p->c, e, 0, &t))
		return false;
	for (size_t i = event; i-- > 0;) {
		struct counter_event *leader = &p->c->events[i];
		struct pmu_event *pair[] = { leader->instances, e->instances };

		if (may_lead(leader, e) && try_open(p, pair, 2, &t) == 0) {
			leader->leads = true;
			e->leader = i;
			return true;
		}
	}
	return false;
}

static char *only_whole_host(const struct counter_event *e)
{
	char *text;

	if (asprintf(&text,
		     "the PMU %s counts for a socket or a cluster of CPUs, and cannot tell whose "
		     "doing it was; count the whole host",
		     e->pmu) < 0)
		return NULL;
	return text;
}

/* Opening may change the name: ":u" where the kernel half is out of reach. */
static int take_name(struct counter_event *e)
{
	char *name = strdup(e->instances[0].name);

	if (!name)
		return -ENOMEM;
	free(e->name);
	e->name = name;
	return 0;
}

/* Moves what can be opened to the front; returns the first error of the others. */
static int sort_out(struct planner *p, struct counter_event *e, size_t *ret_kept)
{
	size_t kept = 0;
	int error = 0;

	for (size_t i = 0; i < e->n_instances; i++) {
		int r = open_alone(p, e, i);
		struct pmu_event ev = e->instances[i];

		if (r < 0) {
			error = error ? error : r;
			continue;
		}
		e->instances[i] = e->instances[kept];
		e->instances[kept++] = ev;
	}
	*ret_kept = kept;
	return error;
}

/* Keeps the instances that can be opened; without any the event has the error of the first. */
int counter_settle(struct planner *p, size_t event)
{
	struct counter_event *e = &p->c->events[event];
	bool single = e->n_instances == 1;
	size_t kept = 0;
	int error;

	e->leader = COUNTER_NO_EVENT;
	e->counted_as = event;
	e->leads = false;
	if (e->error)
		return 0;
	if (counters_of_tasks(p->c) && e->grain != PMU_GRAIN_CPU) {
		counter_event_fail(p->c, e, -EOPNOTSUPP, only_whole_host(e));
		return 0;
	}
	error = sort_out(p, e, &kept);
	if (kept == 0 && error == -EINVAL && find_leader(p, event))
		return 0;
	if (kept == 0) {
		counter_event_fail(p->c, e, error, NULL);
		return 0;
	}
	while (e->n_instances > kept)
		pmu_event_done(&e->instances[--e->n_instances]);
	return single ? take_name(e) : 0;
}
