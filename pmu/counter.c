// SPDX-License-Identifier: Apache-2.0
/*
 * What is to be counted: the names, their groups, and what became of them.
 */
#include "pmu/counter.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/internal.h"

#define MAX_PRIORITY 1000U

static int set_up(struct pmu_counters *c, const struct pmu_counters_options *o)
{
	c->ops = o->ops ? o->ops : &perf_ops_kernel;
	c->sysfs = strdup(o->sysfs ? o->sysfs : "/sys");
	c->guests = o->guests;
	c->at_exec = o->at_exec;
	c->reserve = o->reserve;
	if (!c->sysfs)
		return -ENOMEM;
	if (!o->tasks)
		return 0;
	if (o->n_tasks == 0)
		return -EINVAL;
	c->tasks = calloc(o->n_tasks, sizeof(*c->tasks));
	if (!c->tasks)
		return -ENOMEM;
	memcpy(c->tasks, o->tasks, o->n_tasks * sizeof(*c->tasks));
	c->n_tasks = o->n_tasks;
	return 0;
}

int pmu_counters_new(const struct pmu_counters_options *options, struct pmu_counters **ret)
{
	struct pmu_counters *c = calloc(1, sizeof(*c));
	int r = c ? set_up(c, options) : -ENOMEM;

	if (r < 0) {
		pmu_counters_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

/* --- the list of names --- */

struct list {
	struct pmu_counters *c;
	struct counter_event pattern; /* priority, optional, batch, and the brace it is in */
	char **ret_error;
};

static int add_event(struct list *l, const char *spec, size_t length)
{
	struct pmu_counters *c = l->c;
	struct counter_event *grown;

	while (length && isspace((unsigned char)*spec)) {
		spec++;
		length--;
	}
	while (length && isspace((unsigned char)spec[length - 1]))
		length--;
	if (length == 0)
		return pmu_fail(l->ret_error, -EINVAL, "an event name is empty");
	grown = realloc(c->events, (c->n_events + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->events = grown;
	grown += c->n_events;
	*grown = l->pattern;
	grown->counted_as = c->n_events;
	grown->leader = COUNTER_NO_EVENT;
	grown->spec = strndup(spec, length);
	if (!grown->spec)
		return -ENOMEM;
	c->n_events++;
	return 0;
}

static int open_brace(struct list *l)
{
	if (l->pattern.brace)
		return pmu_fail(l->ret_error, -EINVAL, "a group in braces is within another");
	l->pattern.brace = ++l->c->n_braces;
	return 0;
}

/* What may follow a closing brace. */
static int close_brace(struct list *l, const char *after)
{
	if (!l->pattern.brace)
		return pmu_fail(l->ret_error, -EINVAL, "there is a '}' without a '{'");
	l->pattern.brace = 0;
	after += strspn(after, " \t");
	if (*after && *after != ',')
		return pmu_fail(l->ret_error, -EINVAL, "after '}' comes a comma or nothing");
	return 0;
}

/* Length of a name: up to a comma or brace outside of slashes. */
static size_t name_length(const char *s)
{
	bool inside = false;
	size_t n;

	for (n = 0; s[n] && (inside || !strchr(",{}", s[n])); n++)
		if (s[n] == '/')
			inside = !inside;
	return n;
}

/* One name, or one group in braces; *s moves behind it and its comma. */
static int add_next(struct list *l, const char **s)
{
	const char *p = *s;
	size_t n;
	int r;

	p += strspn(p, " \t");
	if (*p == '{') {
		r = open_brace(l);
		if (r < 0)
			return r;
		p++;
	}
	n = name_length(p);
	r = add_event(l, p, n);
	if (r < 0)
		return r;
	p += n;
	if (*p == '{')
		return pmu_fail(l->ret_error, -EINVAL, "before '{' comes a comma or nothing");
	if (*p == '}') {
		p++;
		r = close_brace(l, p);
		if (r < 0)
			return r;
		p += strspn(p, " \t");
	}
	*s = *p == ',' ? p + 1 : NULL;
	return 0;
}

static int add_list(struct list *l, const char *specs)
{
	int r;

	do
		r = add_next(l, &specs);
	while (r == 0 && specs);
	if (r == 0 && l->pattern.brace)
		r = pmu_fail(l->ret_error, -EINVAL, "the '}' is missing");
	return r;
}

/* Names are looked up at once, so that a typing error is told before anything is opened. */
static int check_names(struct list *l, size_t first)
{
	struct pmu_counters *c = l->c;
	int r = 0;

	if (!c->devices.list)
		(void)pmu_devices_read(c->sysfs, &c->devices);
	for (size_t i = first; i < c->n_events && r == 0; i++) {
		struct counter_event *e = &c->events[i];

		r = counter_event_resolve(c, e);
		if (r == -ENOMEM || r == 0)
			continue;
		if (e->optional)
			r = 0;
		else if (e->reason)
			pmu_fail(l->ret_error, r, "%s", e->reason);
	}
	return r;
}

int pmu_counters_add(struct pmu_counters *c, const char *specs, unsigned int priority,
		     unsigned int flags, size_t *ret_first, size_t *ret_n, char **ret_error)
{
	size_t first = c->n_events;
	char *error = NULL;
	struct list l = { .c = c, .ret_error = &error };
	int r;

	l.pattern.priority = priority == 0 ? 1 : priority > MAX_PRIORITY ? MAX_PRIORITY : priority;
	l.pattern.optional = flags & PMU_COUNTERS_OPTIONAL;
	l.pattern.batch = flags & PMU_COUNTERS_TOGETHER ? ++c->n_batches : 0;
	r = add_list(&l, specs);
	if (r == 0)
		r = check_names(&l, first);
	if (r < 0) {
		while (c->n_events > first)
			counter_event_done(&c->events[--c->n_events]);
		if (!error)
			pmu_fail(&error, r, "%s", strerror(-r));
		*ret_error = error;
		return r;
	}
	free(error);
	if (ret_first)
		*ret_first = first;
	if (ret_n)
		*ret_n = c->n_events - first;
	return 0;
}

/* --- what became of them --- */

size_t pmu_counters_n_events(const struct pmu_counters *c)
{
	return c->n_events;
}

struct pmu_counters_event pmu_counters_event(const struct pmu_counters *c, size_t event)
{
	const struct counter_event *e = &c->events[event], *counted = &c->events[e->counted_as];
	const struct counter_event *failed = e->error ? e : counted;

	return (struct pmu_counters_event){
		.name = e->name,
		.pmu = e->pmu,
		.unit = e->n_instances ? e->instances[0].unit : "",
		.scale = e->n_instances ? e->instances[0].scale : 1,
		.kind = e->kind,
		.grain = e->grain,
		.boxes = counted->boxes,
		.counted_as = e->counted_as,
		.error = failed->error,
		.reason = failed->reason ? failed->reason : "",
	};
}

bool pmu_counters_of_tasks(const struct pmu_counters *c)
{
	return counters_of_tasks(c);
}

const struct pmu_topology *pmu_counters_topology(const struct pmu_counters *c)
{
	return &c->topology;
}

size_t pmu_counters_n_budgets(const struct pmu_counters *c)
{
	return c->n_scopes;
}

struct pmu_budget pmu_counters_budget(const struct pmu_counters *c, size_t i)
{
	const struct counter_scope *s = &c->scopes[i];
	struct pmu_budget b = {
		.pmu = s->pmu,
		.total = s->total,
		.free = s->free,
		.reserve = c->reserve,
		.turns = s->turns,
	};

	for (size_t k = 0; k < c->n_plans; k++)
		b.groups += c->plans[k].scope == i;
	return b;
}

unsigned int pmu_counters_turns(const struct pmu_counters *c)
{
	unsigned int turns = 1;

	for (size_t i = 0; i < c->n_scopes; i++)
		if (c->scopes[i].turns > turns)
			turns = c->scopes[i].turns;
	return turns;
}

const char *pmu_counters_phantoms(const struct pmu_counters *c)
{
	return c->phantom_text;
}
