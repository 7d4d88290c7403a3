// SPDX-License-Identifier: Apache-2.0
/*
 * Which events share a group. Each is opened alone first, which settles the form the kernel takes
 * it in; then groups grow, event by event, as long as they run beside the reserve on what others
 * leave free. All of it is measured, on the first box of each scope; free counters on every CPU,
 * and the CPU with the fewest decides.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/cpu_list.h"
#include "pmu/internal.h"

/* Fillers tried for a scope without an event that surely goes on every counter. */
#define FILLER_TRIES 4

/* Everything a plan is made with: who moves, and what braces were refused for. */
struct planner {
	struct pmu_counters *c;
	struct cpu_walk walk;
	char **ret_error;
};

static int open_alone(struct planner *p, struct counter_event *e, size_t instance)
{
	struct pmu_event *ev = &e->instances[instance];
	struct counter_group *g;
	struct pmu_target t;
	int r;

	if (!counter_probe_target(p->c, e, instance, &t))
		return -ENODEV;
	cpu_walk_to(&p->walk, t.cpu);
	r = counter_group_open(p->c->ops, p->c->sysfs, &ev, 1, &t, &g);
	if (r == 0)
		counter_group_close(p->c->ops, g);
	return r;
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

/* Keeps the instances that can be opened; without any the event has the error of the first. */
static int settle(struct planner *p, struct counter_event *e)
{
	bool single = e->n_instances == 1;
	size_t kept = 0;
	int error = 0;

	if (e->error)
		return 0;
	if (counters_of_tasks(p->c) && e->grain != PMU_GRAIN_CPU) {
		counter_event_fail(p->c, e, -EOPNOTSUPP, only_whole_host(e));
		return 0;
	}
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
	if (kept == 0) {
		counter_event_fail(p->c, e, error, NULL);
		return 0;
	}
	while (e->n_instances > kept)
		pmu_event_done(&e->instances[--e->n_instances]);
	return single ? take_name(e) : 0;
}

/* --- scopes --- */

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

static int find_scope(struct planner *p, const struct counter_event *e, size_t *ret)
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

/* --- plans --- */

static const char *kernel_holder(const struct pmu_counters *c)
{
	return c->machine.nmi_watchdog ? "; the NMI watchdog holds one of them "
					 "(kernel.nmi_watchdog), other profilers and guests with a "
					 "virtual PMU may hold others"
				       : "; other profilers and guests with a virtual PMU may hold "
					 "some of them";
}

/* "the PMU cpu has 6 counters, 3 are free; ..., 1 is kept in reserve" */
static char *describe_shortage(const struct pmu_counters *c, const struct counter_scope *s)
{
	char *text, reserve[80] = "";

	if (c->reserve)
		snprintf(reserve, sizeof(reserve), "; %u of them %s kept in reserve", c->reserve,
			 c->reserve == 1 ? "is" : "are");
	if (asprintf(&text, "the PMU %s has %u counters, %u %s free here%s%s", s->pmu, s->total,
		     s->free, s->free == 1 ? "is" : "are", reserve,
		     s->total > s->free ? kernel_holder(c) : "") < 0)
		return NULL;
	return text;
}

/* The cost of these events as one group, or a negative errno when they do not run as one. */
static int measure_plan(struct planner *p, const struct counter_plan *plan)
{
	const struct counter_scope *s = &p->c->scopes[plan->scope];
	struct pmu_event *events[COUNTER_GROUP_MAX];
	int beside;

	if (!s->filler)
		return 0;
	for (size_t i = 0; i < plan->n; i++)
		events[i] = &p->c->events[plan->events[i]].instances[0];
	cpu_walk_to(&p->walk, s->probe.target.cpu);
	beside = counter_measure_beside(&s->probe, events, plan->n);
	if (beside < 0)
		return beside;
	if ((unsigned int)beside < p->c->reserve)
		return -ENOSPC;
	/* more are free than before when someone else has left meanwhile */
	return (unsigned int)beside > s->free ? 0 : (int)s->free - beside;
}

/* In the same boxes: a generic event of a hybrid CPU is on both kinds of core, its PMU's own on
 * one. */
static bool same_boxes(const struct counter_event *a, const struct counter_event *b)
{
	if (a->n_instances != b->n_instances)
		return false;
	for (size_t i = 0; i < a->n_instances; i++)
		if (strcmp(a->instances[i].pmu, b->instances[i].pmu) != 0 ||
		    strcmp(a->instances[i].cpus ? a->instances[i].cpus : "",
			   b->instances[i].cpus ? b->instances[i].cpus : "") != 0)
			return false;
	return true;
}

static bool could_join(const struct pmu_counters *c, const struct counter_plan *plan,
		       const struct counter_event *e, size_t scope)
{
	return plan->n < COUNTER_GROUP_MAX && plan->scope == scope && plan->brace == e->brace &&
	       plan->batch == e->batch && plan->priority == e->priority &&
	       same_boxes(&c->events[plan->events[0]], e);
}

/* Puts the event into the group if it still runs then. */
static bool join(struct planner *p, struct counter_plan *plan, size_t event)
{
	int cost;

	plan->events[plan->n++] = event;
	cost = measure_plan(p, plan);
	if (cost < 0) {
		plan->n--;
		return false;
	}
	plan->cost = (unsigned int)cost;
	p->c->events[event].plan = (size_t)(plan - p->c->plans);
	return true;
}

static int add_plan(struct planner *p, size_t event, size_t scope)
{
	struct pmu_counters *c = p->c;
	struct counter_event *e = &c->events[event];
	struct counter_plan *grown = realloc(c->plans, (c->n_plans + 1) * sizeof(*grown));
	int cost;

	if (!grown)
		return -ENOMEM;
	c->plans = grown;
	grown += c->n_plans;
	*grown = (struct counter_plan){
		.events = { event },
		.n = 1,
		.scope = scope,
		.brace = e->brace,
		.batch = e->batch,
		.priority = e->priority,
	};
	cost = measure_plan(p, grown);
	if (cost < 0) {
		counter_event_fail(c, e, cost,
				   cost == -ENOSPC ? describe_shortage(c, &c->scopes[scope])
						   : NULL);
		return 0;
	}
	grown->cost = (unsigned int)cost;
	e->plan = c->n_plans++;
	return 0;
}

/* "{a,b,c}" of all events in braces. */
static char *list_brace(const struct pmu_counters *c, size_t brace)
{
	char *text = strdup("{"), *longer;

	for (size_t i = 0; i < c->n_events && text; i++) {
		if (c->events[i].brace != brace)
			continue;
		if (asprintf(&longer, "%s%s%s", text, text[1] ? "," : "", c->events[i].name) < 0)
			longer = NULL;
		free(text);
		text = longer;
	}
	return text;
}

static int refuse_brace(struct planner *p, const struct counter_event *e, size_t scope,
			bool same_pmu)
{
	_cleanup_(pmu_freep) char *group = list_brace(p->c, e->brace), *why = NULL;

	if (!group)
		return -ENOMEM;
	if (!same_pmu)
		return pmu_fail(p->ret_error, -EINVAL,
				"the group %s} is no group: its events belong to different PMUs",
				group);
	why = describe_shortage(p->c, &p->c->scopes[scope]);
	if (!why)
		return -ENOMEM;
	return pmu_fail(p->ret_error, -ENOSPC,
			"the group %s} does not run as one: %s; or two of its events need the same "
			"counter",
			group, why);
}

static int place(struct planner *p, size_t event)
{
	struct pmu_counters *c = p->c;
	struct counter_event *e = &c->events[event];
	size_t scope = 0;
	int r = find_scope(p, e, &scope);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_plans; i++)
		if (could_join(c, &c->plans[i], e, scope) && join(p, &c->plans[i], event))
			return 0;
	for (size_t i = 0; i < c->n_plans && e->brace; i++)
		if (c->plans[i].brace == e->brace)
			return refuse_brace(p, e, scope, c->plans[i].scope == scope);
	return add_plan(p, event, scope);
}

static int plan_events(struct planner *p)
{
	struct pmu_counters *c = p->c;
	int r = 0;

	for (size_t i = 0; i < c->n_events && r == 0; i++)
		r = settle(p, &c->events[i]);
	for (size_t i = 0; i < c->n_events && r == 0; i++)
		if (!c->events[i].error)
			r = place(p, i);
	return r;
}

int counter_plan_all(struct pmu_counters *c, char **ret_error)
{
	struct planner p = { .c = c, .ret_error = ret_error };
	int r;

	cpu_walk_begin(&p.walk, c->ops);
	r = plan_events(&p);
	cpu_walk_end(&p.walk);
	for (size_t i = 0; i < c->n_scopes && r == 0; i++) {
		c->scopes[i].turns = counter_turn_count(c, i);
		counter_turn_next(c, i);
	}
	return r;
}

void counter_plan_done(struct pmu_counters *c)
{
	for (size_t i = 0; i < c->n_scopes; i++) {
		free(c->scopes[i].pmu);
		pmu_events_free(c->scopes[i].filler, 1);
	}
	free(c->scopes);
	free(c->plans);
	c->scopes = NULL;
	c->plans = NULL;
	c->n_scopes = c->n_plans = 0;
}
