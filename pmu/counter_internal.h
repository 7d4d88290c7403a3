/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the counter_*.c files share.
 *
 * An event is what the user named; its instances are what the kernel opens: one, or one for each
 * PMU of the family. A box is an instance on one CPU of its mask (or on every CPU, or a task). A
 * plan is a group of events that goes into a perf group on each box: a unit.
 *
 *   events x instances --plan--> plans --boxes--> units
 *
 * A scope is a PMU or family whose events compete for the same counters; its plans take turns
 * together on all boxes, so that sums over CPUs are of the same time.
 */
#include "pmu/budget.h"
#include "pmu/counter.h"
#include "pmu/cpu_walk.h"
#include "pmu/group.h"
#include "pmu/strerror.h"

struct counter_event {
	char *spec;
	unsigned int priority;
	bool optional;
	size_t brace; /* the group asked for; 0: none */
	size_t batch; /* shares groups with its own batch only; 0 is everybody's */

	char *name, *pmu;
	struct pmu_event *instances;
	size_t n_instances;
	enum pmu_kind kind;
	enum pmu_grain grain;
	size_t boxes;
	size_t plan;
	size_t counted_as; /* another event of the plan that counts the same; usually itself */
	size_t leader; /* the event it needs in front of its group */
	bool leads;
	int error;
	char *reason;
};

#define COUNTER_NO_EVENT SIZE_MAX

struct counter_plan {
	size_t events[COUNTER_GROUP_MAX];
	size_t n;
	size_t scope, brace, batch;
	unsigned int priority;
	unsigned int cost; /* counters */
	bool active; /* has its turn */
	uint64_t pass; /* stride scheduling: the lowest is next */
};

struct counter_scope {
	char *pmu;
	enum pmu_kind kind;
	struct pmu_event *filler; /* NULL: no shortage */
	struct counter_probe probe;
	unsigned int total, free;
	unsigned int turns;
};

struct counter_unit {
	struct counter_group *group; /* NULL: see error */
	size_t plan, instance;
	struct pmu_target target;
	struct pmu_place place;
	int error;
	uint64_t read_ns; /* when it was read, or enabled first */
};

struct phantom {
	char *pmu;
	int cpu;
};

struct pmu_counters {
	char *sysfs;
	const struct perf_ops *ops;
	pid_t *tasks;
	size_t n_tasks;
	bool at_exec, guests;
	unsigned int reserve;

	struct counter_event *events;
	size_t n_events, n_braces, n_batches;

	/* from open to open */
	struct pmu_topology topology;
	struct pmu_devices devices;
	struct pmu_machine machine;
	char *online;
	uint64_t fingerprint;
	struct phantom *phantoms;
	size_t n_phantoms;
	char *phantom_text;
	struct counter_scope *scopes;
	size_t n_scopes;
	struct counter_plan *plans;
	size_t n_plans;
	struct counter_unit *units; /* by CPU */
	size_t n_units;
	bool started, yielded;

	struct pmu_count *counts;
	size_t counts_size;
};

static inline bool counters_of_tasks(const struct pmu_counters *c)
{
	return c->n_tasks > 0;
}

static inline unsigned int scope_usable(const struct pmu_counters *c, const struct counter_scope *s)
{
	return s->free > c->reserve ? s->free - c->reserve : 0;
}

/* counter_event.c */

/* Looks the event up anew in sysfs; on failure it has no instances, error and reason are set. */
int counter_event_resolve(struct pmu_counters *c, struct counter_event *e);
void counter_event_done(struct counter_event *e);
/* The event is counted nowhere; `reason` is taken over, NULL: what pmu_why says. */
void counter_event_fail(struct pmu_counters *c, struct counter_event *e, int error, char *reason);

/* counter_box.c */

/* The boxes of one instance, phantoms left out; heap, NULL and 0 when none is online. */
int counter_boxes(const struct pmu_counters *c, const struct counter_event *e, size_t instance,
		  struct counter_unit **ret, size_t *ret_n);
/* Where it is found out whether an instance can be counted: its first box, or this thread. */
bool counter_probe_target(const struct pmu_counters *c, const struct counter_event *e,
			  size_t instance, struct pmu_target *ret);
/* Finds the boxes without hardware behind them. */
int counter_find_phantoms(struct pmu_counters *c);

/* Everything a plan is made with: who moves, and where the sentence goes. */
struct planner {
	struct pmu_counters *c;
	struct cpu_walk walk;
	char **ret_error;
};

/* counter_settle.c: an event that cannot be opened is failed, which is 0. */
int counter_settle(struct planner *p, size_t event);

/* counter_scope.c: the scope of an event's PMU, measured when it is new. */
int counter_scope_find(struct planner *p, const struct counter_event *e, size_t *ret);

/* counter_plan.c */

/* Opens each event alone, then makes plans that fit. The sentence is of a group in braces. */
int counter_plan_all(struct pmu_counters *c, char **ret_error);
void counter_plan_done(struct pmu_counters *c);

/* counter_turn.c */

/* Marks the plans of a scope that have the next turn. */
void counter_turn_next(struct pmu_counters *c, size_t scope);
/* Turns until each of its plans had one; before the first. */
unsigned int counter_turn_count(struct pmu_counters *c, size_t scope);

/* counter_unit.c */
int counter_units_open(struct pmu_counters *c, char **ret_error);
void counter_units_close(struct pmu_counters *c, bool only_limited);
int counter_units_start(struct pmu_counters *c);
/* Tries again what could not be opened. */
void counter_units_retry(struct pmu_counters *c);
