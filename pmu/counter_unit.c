// SPDX-License-Identifier: Apache-2.0
/*
 * The perf groups themselves: every plan on every box, in the order of the CPUs, so that one walk
 * serves all that is open on each.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/internal.h"

static bool is_limited(const struct pmu_counters *c, const struct counter_unit *u)
{
	return pmu_kind_is_limited(c->scopes[c->plans[u->plan].scope].kind);
}

static int append_boxes(struct pmu_counters *c, size_t plan, size_t instance)
{
	const struct counter_event *first = &c->events[c->plans[plan].events[0]];
	_cleanup_(pmu_freep) struct counter_unit *boxes = NULL;
	struct counter_unit *grown;
	size_t n;
	int r;

	r = counter_boxes(c, first, instance, &boxes, &n);
	if (r < 0 || n == 0)
		return r;
	grown = realloc(c->units, (c->n_units + n) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->units = grown;
	for (size_t i = 0; i < n; i++) {
		boxes[i].plan = plan;
		grown[c->n_units++] = boxes[i];
	}
	return 0;
}

static int by_cpu(const void *a, const void *b)
{
	const struct counter_unit *x = a, *y = b;

	if (x->target.cpu != y->target.cpu)
		return x->target.cpu < y->target.cpu ? -1 : 1;
	if (x->target.pid != y->target.pid)
		return x->target.pid < y->target.pid ? -1 : 1;
	if (x->plan != y->plan)
		return x->plan < y->plan ? -1 : 1;
	return (x->instance > y->instance) - (x->instance < y->instance);
}

static int make_units(struct pmu_counters *c)
{
	int r = 0;

	for (size_t i = 0; i < c->n_plans; i++) {
		const struct counter_event *first = &c->events[c->plans[i].events[0]];

		for (size_t k = 0; k < first->n_instances && r == 0; k++)
			r = append_boxes(c, i, k);
	}
	if (c->n_units)
		qsort(c->units, c->n_units, sizeof(*c->units), by_cpu);
	return r;
}

size_t pmu_counters_n_files(const struct pmu_counters *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_units; i++)
		n += c->plans[c->units[i].plan].n;
	return n;
}

static void open_unit(struct pmu_counters *c, struct counter_unit *u)
{
	const struct counter_plan *plan = &c->plans[u->plan];
	struct pmu_event *events[COUNTER_GROUP_MAX];

	for (size_t i = 0; i < plan->n; i++)
		events[i] = &c->events[plan->events[i]].instances[u->instance];
	u->error = counter_group_open(c->ops, c->sysfs, events, plan->n, &u->target, &u->group);
}

static int too_many_files(const struct pmu_counters *c, int error, char **ret_error)
{
	return pmu_fail(ret_error, error,
			"counting takes %zu file descriptors, one for each event and CPU, and the "
			"limit cannot be raised so far (%s); raise it with 'ulimit -n' or "
			"LimitNOFILE=, or count fewer events",
			pmu_counters_n_files(c), error == -EMFILE ? "EMFILE" : "ENFILE");
}

/* The events of a plan that is open nowhere are counted nowhere. */
static void note_boxes(struct pmu_counters *c)
{
	for (size_t i = 0; i < c->n_events; i++)
		c->events[i].boxes = 0;
	for (size_t i = 0; i < c->n_units; i++) {
		const struct counter_plan *p = &c->plans[c->units[i].plan];

		for (size_t k = 0; k < p->n && c->units[i].group; k++)
			c->events[p->events[k]].boxes++;
	}
	for (size_t i = 0; i < c->n_units; i++) {
		const struct counter_plan *p = &c->plans[c->units[i].plan];

		for (size_t k = 0; k < p->n; k++) {
			struct counter_event *e = &c->events[p->events[k]];

			if (!e->boxes && !e->error)
				counter_event_fail(c, e, c->units[i].error, NULL);
		}
	}
}

int counter_units_open(struct pmu_counters *c, char **ret_error)
{
	struct cpu_walk walk;
	int r = make_units(c);

	if (r == 0)
		r = c->ops->reserve_files(pmu_counters_n_files(c), c->ops->userdata);
	if (r == -EMFILE)
		return too_many_files(c, r, ret_error);
	if (r < 0)
		return r;
	cpu_walk_begin(&walk, c->ops);
	for (size_t i = 0; i < c->n_units && r == 0; i++) {
		struct counter_unit *u = &c->units[i];

		cpu_walk_to(&walk, u->target.cpu);
		open_unit(c, u);
		if (u->error == -EMFILE || u->error == -ENFILE || u->error == -ENOMEM)
			r = u->error;
	}
	cpu_walk_end(&walk);
	if (r == -EMFILE || r == -ENFILE)
		return too_many_files(c, r, ret_error);
	note_boxes(c);
	return r;
}

void counter_units_close(struct pmu_counters *c, bool only_limited)
{
	struct cpu_walk walk;

	cpu_walk_begin(&walk, c->ops);
	for (size_t i = 0; i < c->n_units; i++) {
		struct counter_unit *u = &c->units[i];

		if (!u->group || (only_limited && !is_limited(c, u)))
			continue;
		cpu_walk_to(&walk, u->target.cpu);
		u->group = counter_group_close(c->ops, u->group);
		u->error = -ECANCELED;
	}
	cpu_walk_end(&walk);
}

static void start_unit(struct pmu_counters *c, struct counter_unit *u)
{
	int r;

	u->read_ns = c->ops->now_ns(c->ops->userdata);
	if (!c->plans[u->plan].active || c->at_exec)
		return;
	r = counter_group_enable(c->ops, u->group);
	if (r < 0) {
		u->group = counter_group_close(c->ops, u->group);
		u->error = r;
	}
}

int counter_units_start(struct pmu_counters *c)
{
	struct cpu_walk walk;

	cpu_walk_begin(&walk, c->ops);
	for (size_t i = 0; i < c->n_units; i++) {
		if (!c->units[i].group)
			continue;
		cpu_walk_to(&walk, c->units[i].target.cpu);
		start_unit(c, &c->units[i]);
	}
	cpu_walk_end(&walk);
	return 0;
}

/* It is counted now, though perhaps nowhere before. */
static void note_opened(struct pmu_counters *c, const struct counter_unit *u)
{
	const struct counter_plan *p = &c->plans[u->plan];

	for (size_t i = 0; i < p->n; i++) {
		struct counter_event *e = &c->events[p->events[i]];

		e->boxes++;
		e->error = 0;
		free(e->reason);
		e->reason = NULL;
	}
}

void counter_units_retry(struct pmu_counters *c)
{
	struct cpu_walk walk;

	cpu_walk_begin(&walk, c->ops);
	for (size_t i = 0; i < c->n_units; i++) {
		struct counter_unit *u = &c->units[i];

		if (u->group || (c->yielded && is_limited(c, u)))
			continue;
		cpu_walk_to(&walk, u->target.cpu);
		open_unit(c, u);
		if (!u->group)
			continue;
		note_opened(c, u);
		if (c->started)
			start_unit(c, u);
	}
	cpu_walk_end(&walk);
}

static bool turn_changed(const struct pmu_counters *c, const struct counter_unit *u)
{
	return u->group && u->group->enabled != c->plans[u->plan].active;
}

/* On each CPU all that ends before anything begins: the counters have to be free first. */
static void switch_cpu(struct pmu_counters *c, struct counter_unit *units, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (turn_changed(c, &units[i]) && units[i].group->enabled)
			counter_group_disable(c->ops, units[i].group);
	for (size_t i = 0; i < n; i++)
		if (turn_changed(c, &units[i]))
			counter_group_enable(c->ops, units[i].group);
}

static bool any_changed(const struct pmu_counters *c, const struct counter_unit *units, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (turn_changed(c, &units[i]))
			return true;
	return false;
}

int pmu_counters_rotate(struct pmu_counters *c)
{
	struct cpu_walk walk;
	size_t n;

	if (!c->started || pmu_counters_turns(c) == 1)
		return 0;
	for (size_t i = 0; i < c->n_scopes; i++)
		counter_turn_next(c, i);
	cpu_walk_begin(&walk, c->ops);
	for (size_t i = 0; i < c->n_units; i += n) {
		for (n = 1; i + n < c->n_units; n++)
			if (c->units[i + n].target.cpu != c->units[i].target.cpu)
				break;
		if (!any_changed(c, &c->units[i], n))
			continue;
		cpu_walk_to(&walk, c->units[i].target.cpu);
		switch_cpu(c, &c->units[i], n);
	}
	cpu_walk_end(&walk);
	return 0;
}
