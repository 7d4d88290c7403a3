// SPDX-License-Identifier: Apache-2.0
/*
 * What was counted since the last read. Each difference is scaled by the part of this interval in
 * which the group ran; scaled over its lifetime, a value would carry what was long ago.
 */
#include <errno.h>
#include <stdlib.h>

#include "pmu/counter_internal.h"

/* More than a box of any machine counts in a second: what it shows is no count. */
#define UNCORE_MAX_HZ 1e11

/*
 * Time that a group was off since others had their turn counts as enabled: it wanted to run. The
 * kernel does not see it so, hence our own clock.
 */
static uint64_t enabled_ns(struct pmu_counters *c, struct counter_unit *u,
			   const struct counter_step *step)
{
	uint64_t now, since;

	if (c->scopes[c->plans[u->plan].scope].turns == 1)
		return step->enabled_ns;
	now = c->ops->now_ns(c->ops->userdata);
	since = now - u->read_ns;
	u->read_ns = now;
	return since > step->running_ns ? since : step->running_ns;
}

/* Time stands still on a CPU that went offline, and while a task sleeps: then nothing happened. */
static int why_absent(const struct pmu_counters *c, const struct counter_unit *u,
		      const struct counter_step *step)
{
	if (step->running_ns)
		return 0;
	if (step->enabled_ns == 0 && counters_of_tasks(c))
		return 0;
	return step->enabled_ns == 0 && u->group->enabled ? -ENODEV : -EAGAIN;
}

static bool is_impossible(enum pmu_kind kind, uint64_t delta, uint64_t running_ns)
{
	if (delta >> 63)
		return true;
	return kind == PMU_KIND_UNCORE &&
	       (double)delta > UNCORE_MAX_HZ * ((double)running_ns / 1e9 + 1e-3);
}

static void fill_value(const struct counter_event *e, const struct counter_unit *u,
		       struct pmu_count *count)
{
	double scale = e->instances[u->instance].scale;

	if (is_impossible(e->kind, count->delta, count->running_ns))
		count->error = -ERANGE;
	else if (count->running_ns)
		count->value = (double)count->delta * scale *
			       ((double)count->enabled_ns / (double)count->running_ns);
	else
		count->value = (double)count->delta * scale;
}

static struct pmu_count count_of(const struct counter_event *e, const struct counter_unit *u)
{
	return (struct pmu_count){
		.group = u->plan,
		.pmu = e->instances[u->instance].pmu,
		.cpu = u->target.cpu,
		.task = u->target.cpu < 0 ? u->target.pid : 0,
		.socket = u->place.socket,
		.die = u->place.die,
		.core = u->place.core,
		.error = u->error,
	};
}

/* One read for the whole group; returns how many counts it gave. */
static size_t read_unit(struct pmu_counters *c, struct counter_unit *u, struct pmu_count *counts)
{
	const struct counter_plan *plan = &c->plans[u->plan];
	struct counter_step step = { 0 };
	uint64_t enabled = 0;
	int error = u->error;

	if (u->group) {
		error = counter_group_read(c->ops, u->group, &step);
		enabled = enabled_ns(c, u, &step);
		if (error == 0)
			error = why_absent(c, u, &step);
	}
	for (size_t i = 0; i < plan->n; i++) {
		const struct counter_event *e = &c->events[plan->events[i]];
		struct pmu_count *count = &counts[i];

		*count = count_of(e, u);
		count->event = plan->events[i];
		count->enabled_ns = enabled;
		count->running_ns = step.running_ns;
		count->delta = step.deltas[i];
		count->error = error;
		if (!error)
			fill_value(e, u, count);
	}
	return plan->n;
}

int pmu_counters_read(struct pmu_counters *c, const struct pmu_count **ret, size_t *ret_n)
{
	size_t needed = pmu_counters_n_files(c), n = 0;
	struct cpu_walk walk;

	if (needed > c->counts_size) {
		struct pmu_count *grown = realloc(c->counts, needed * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		c->counts = grown;
		c->counts_size = needed;
	}
	cpu_walk_begin(&walk, c->ops);
	for (size_t i = 0; i < c->n_units; i++) {
		if (c->units[i].group)
			cpu_walk_to(&walk, c->units[i].target.cpu);
		n += read_unit(c, &c->units[i], &c->counts[n]);
	}
	cpu_walk_end(&walk);
	*ret = c->counts;
	*ret_n = n;
	return 0;
}
