// SPDX-License-Identifier: Apache-2.0
/*
 * Which events share a group. Groups grow, event by event, as long as they run beside the reserve
 * on what others leave free; that is measured with the group itself, so that nobody has to know
 * which counter an event needs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/internal.h"

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

/* What has to lead goes to the front, unless something else has to; what needs it is behind it. */
static bool is_led_right(const struct pmu_counters *c, const struct counter_plan *plan,
			 const struct counter_event *e)
{
	if (e->leads)
		return !c->events[plan->events[0]].leads;
	return e->leader == COUNTER_NO_EVENT || plan->events[0] == e->leader;
}

static bool could_join(const struct pmu_counters *c, const struct counter_plan *plan,
		       const struct counter_event *e, size_t scope)
{
	return plan->n < COUNTER_GROUP_MAX && plan->scope == scope && plan->brace == e->brace &&
	       plan->batch == e->batch && plan->priority == e->priority &&
	       is_led_right(c, plan, e) && same_boxes(&c->events[plan->events[0]], e);
}

/* Puts the event into the group if it still runs then. */
static bool join(struct planner *p, struct counter_plan *plan, size_t event)
{
	const struct counter_plan before = *plan;
	size_t at = p->c->events[event].leads ? 0 : plan->n;
	int cost;

	memmove(&plan->events[at + 1], &plan->events[at], (plan->n - at) * sizeof(plan->events[0]));
	plan->events[at] = event;
	plan->n++;
	cost = measure_plan(p, plan);
	if (cost < 0) {
		*plan = before;
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
	int r = counter_scope_find(p, e, &scope);

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

/* The event of the plan that counts the same; COUNTER_NO_EVENT: none. */
static size_t find_equal(const struct pmu_counters *c, const struct counter_plan *plan,
			 const struct counter_event *e)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct counter_event *other = &c->events[plan->events[i]];

		if (same_boxes(other, e) && pmu_event_equal(&other->instances[0], &e->instances[0]))
			return plan->events[i];
	}
	return COUNTER_NO_EVENT;
}

/* The events of one batch and scope. */
struct share {
	size_t events[COUNTER_GROUP_MAX];
	size_t n, scope;
};

static bool could_share(const struct pmu_counters *c, const struct counter_plan *plan,
			const struct share *s)
{
	const struct counter_event *first = &c->events[s->events[0]];
	const struct counter_event *head = &c->events[plan->events[0]];

	if (!plan->batch || plan->scope != s->scope || plan->priority != first->priority)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		const struct counter_event *e = &c->events[s->events[i]];

		if (!same_boxes(head, e))
			return false;
		if (e->leads && find_equal(c, plan, e) != plan->events[0])
			return false;
	}
	return true;
}

/* All of them in a group that exists, those it lacks added; all or none. */
static bool share_plan(struct planner *p, struct counter_plan *plan, const struct share *s)
{
	struct pmu_counters *c = p->c;
	const struct counter_plan before = *plan;
	size_t at = (size_t)(plan - c->plans);
	int cost;

	for (size_t i = 0; i < s->n; i++) {
		struct counter_event *e = &c->events[s->events[i]];
		size_t equal = find_equal(c, plan, e);

		e->counted_as = equal == COUNTER_NO_EVENT ? s->events[i] : equal;
		if (equal != COUNTER_NO_EVENT)
			continue;
		if (plan->n == COUNTER_GROUP_MAX)
			break;
		plan->events[plan->n++] = s->events[i];
	}
	cost = plan->n == COUNTER_GROUP_MAX ? -E2BIG : (int)plan->cost;
	if (cost >= 0 && plan->n > before.n)
		cost = measure_plan(p, plan);
	if (cost < 0)
		*plan = before;
	else
		plan->cost = (unsigned int)cost;
	for (size_t i = 0; i < s->n; i++) {
		c->events[s->events[i]].plan = at;
		if (cost < 0)
			c->events[s->events[i]].counted_as = s->events[i];
	}
	return cost >= 0;
}

/* A group that has all of them already comes first, one that grows second. */
static bool share_any(struct planner *p, const struct share *s)
{
	struct pmu_counters *c = p->c;

	for (int grow = 0; grow < 2; grow++)
		for (size_t i = 0; i < c->n_plans; i++) {
			size_t lacking = 0;

			if (!could_share(c, &c->plans[i], s))
				continue;
			for (size_t k = 0; k < s->n; k++)
				lacking += find_equal(c, &c->plans[i], &c->events[s->events[k]]) ==
					   COUNTER_NO_EVENT;
			if (grow == (lacking > 0) && share_plan(p, &c->plans[i], s))
				return true;
		}
	return false;
}

/* The events from `from` up to `end` that belong to one scope with the first; marks them done. */
static int collect_share(struct planner *p, size_t from, size_t end, bool *done, struct share *ret)
{
	struct pmu_counters *c = p->c;
	struct share s = { .n = 0 };

	for (size_t i = from; i < end && s.n < COUNTER_GROUP_MAX; i++) {
		size_t scope;
		int r;

		if (c->events[i].error || done[i - from])
			continue;
		r = counter_scope_find(p, &c->events[i], &scope);
		if (r < 0)
			return r;
		if (s.n && scope != s.scope)
			continue;
		s.scope = scope;
		s.events[s.n++] = i;
		done[i - from] = true;
	}
	*ret = s;
	return 0;
}

/*
 * A batch goes into one group for each PMU: the one of another batch where that can be, so that
 * what many metrics are made of is counted once; else one of its own, or as many as it takes.
 */
static int place_batch(struct planner *p, size_t first, size_t end)
{
	_cleanup_(pmu_freep) bool *done = calloc(end - first, sizeof(*done));
	struct share s;
	int r;

	if (!done)
		return -ENOMEM;
	for (;;) {
		r = collect_share(p, first, end, done, &s);
		if (r < 0 || s.n == 0)
			return r;
		if (share_any(p, &s))
			continue;
		for (size_t i = 0; i < s.n && r == 0; i++)
			r = place(p, s.events[i]);
		if (r < 0)
			return r;
	}
}

static size_t batch_end(const struct pmu_counters *c, size_t first)
{
	size_t end = first + 1;

	while (end < c->n_events && c->events[end].batch == c->events[first].batch)
		end++;
	return end;
}

static int plan_events(struct planner *p)
{
	struct pmu_counters *c = p->c;
	size_t next;
	int r = 0;

	for (size_t i = 0; i < c->n_events && r == 0; i++)
		r = counter_settle(p, i);
	for (size_t i = 0; i < c->n_events && r == 0; i = next) {
		next = c->events[i].batch ? batch_end(c, i) : i + 1;
		if (c->events[i].batch)
			r = place_batch(p, i, next);
		else if (!c->events[i].error)
			r = place(p, i);
	}
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
