// SPDX-License-Identifier: Apache-2.0
/*
 * Who has the counters next, where not all groups fit at once. Stride scheduling: each group's pass
 * grows by an amount inverse to its priority whenever it had a turn, and the lowest pass is next;
 * so a group of priority 4 runs four times as long as one of priority 1, and none starves.
 * (Waldspurger and Weihl 1995, "Stride Scheduling".)
 */
#include "pmu/counter_internal.h"
#include "pmu/internal.h"

#define STRIDE_ONE (1U << 20)
/* A round longer than that is nobody's time axis any more. */
#define MAX_TURNS 64

static unsigned int total_cost(const struct pmu_counters *c, size_t scope)
{
	unsigned int cost = 0;

	for (size_t i = 0; i < c->n_plans; i++)
		if (c->plans[i].scope == scope)
			cost += c->plans[i].cost;
	return cost;
}

static bool fits_at_once(const struct pmu_counters *c, size_t scope)
{
	const struct counter_scope *s = &c->scopes[scope];

	return !s->filler || counters_of_tasks(c) || total_cost(c, scope) <= scope_usable(c, s);
}

/* The plan with the lowest pass that is not active and costs no more; n_plans: none. */
static size_t pick(const struct pmu_counters *c, size_t scope, unsigned int usable)
{
	size_t best = c->n_plans;

	for (size_t i = 0; i < c->n_plans; i++) {
		const struct counter_plan *p = &c->plans[i];

		if (p->scope == scope && !p->active && p->cost <= usable &&
		    (best == c->n_plans || p->pass < c->plans[best].pass))
			best = i;
	}
	return best;
}

void counter_turn_next(struct pmu_counters *c, size_t scope)
{
	bool all = fits_at_once(c, scope);
	unsigned int usable = scope_usable(c, &c->scopes[scope]);
	size_t next;

	for (size_t i = 0; i < c->n_plans; i++)
		if (c->plans[i].scope == scope)
			c->plans[i].active = all;
	while (!all && (next = pick(c, scope, usable)) < c->n_plans) {
		struct counter_plan *p = &c->plans[next];

		p->active = true;
		p->pass += STRIDE_ONE / p->priority;
		usable -= p->cost;
	}
}

static bool all_had_one(const struct pmu_counters *c, size_t scope)
{
	for (size_t i = 0; i < c->n_plans; i++)
		if (c->plans[i].scope == scope && c->plans[i].pass == 0)
			return false;
	return true;
}

/* Plays the turns through; passes end as they began, at zero. */
unsigned int counter_turn_count(struct pmu_counters *c, size_t scope)
{
	unsigned int turns = 1;

	if (fits_at_once(c, scope))
		return 1;
	counter_turn_next(c, scope);
	for (; turns < MAX_TURNS && !all_had_one(c, scope); turns++)
		counter_turn_next(c, scope);
	for (size_t i = 0; i < c->n_plans; i++)
		if (c->plans[i].scope == scope)
			c->plans[i].pass = 0;
	return turns;
}
