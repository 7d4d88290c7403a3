// SPDX-License-Identifier: Apache-2.0
#include "pmu/metric_set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/internal.h"

#define N_LEVELS (PMU_SUM_CPU + 1)

/* A name of a formula: an event of the counters, or a constant. */
struct operand {
	bool is_event, is_machine; /* neither: a constant of the interval or the aggregate */
	bool known;
	size_t event;
	double value;
};

struct member {
	const struct metric *metric;
	struct metric_formula formula;
	struct operand operands[METRIC_MAX_NAMES];
};

struct metric_set {
	enum metric_family family;
	char *sysfs;
	struct pmu_counters *c;
	struct member *members;
	size_t n;
};

/* The sums of one level, in the order of pmu_sum_counts. */
struct level {
	struct pmu_sum *sums;
	size_t n;
};

/* What a formula's names are looked up in. */
struct place {
	const struct metric_set *set;
	const struct member *member;
	const struct level *level;
	const struct pmu_sum *at; /* any sum of the place */
	double time_s, seconds; /* of the read, and what the counts cover of it */
	double running_ratio;
};

int metric_set_new(enum metric_family family, const char *sysfs, struct pmu_counters *c,
		   struct metric_set **ret)
{
	struct metric_set *s = calloc(1, sizeof(*s));

	if (s)
		*s = (struct metric_set){ .family = family, .c = c };
	if (s)
		s->sysfs = strdup(sysfs ? sysfs : "/sys");
	if (!s || !s->sysfs) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct metric_set *metric_set_free(struct metric_set *s)
{
	if (!s)
		return NULL;
	free(s->members);
	free(s->sysfs);
	free(s);
	return NULL;
}

size_t metric_set_size(const struct metric_set *s)
{
	return s->n;
}

/* --- adding --- */

/* Appends "spec,spec" of those of the formula's events that need a leader, or of the others. */
static int list_specs(struct metric_set *s, struct member *m, bool led, size_t *n, char **specs)
{
	for (size_t i = 0; i < m->formula.n_names; i++) {
		const struct metric_event *e = metric_event_find(s->family, m->formula.names[i]);
		char *longer;

		if (!e || (e->leader != NULL) != led)
			continue;
		if (asprintf(&longer, "%s%s%s", *specs ? *specs : "", *specs ? "," : "", e->spec) <
		    0)
			return -ENOMEM;
		free(*specs);
		*specs = longer;
		m->operands[i] = (struct operand){ .is_event = true, .event = (*n)++ };
	}
	return 0;
}

static bool is_named(const struct metric_formula *f, const char *name)
{
	for (size_t i = 0; i < f->n_names; i++)
		if (strcmp(f->names[i], name) == 0)
			return true;
	return false;
}

/* A leader that the formula does not name is counted with it all the same. */
static int list_leader(struct metric_set *s, const struct member *m, size_t *n, char **specs)
{
	for (size_t i = 0; i < m->formula.n_names; i++) {
		const struct metric_event *e = metric_event_find(s->family, m->formula.names[i]);
		const struct metric_event *leader;

		if (!e || !e->leader || is_named(&m->formula, e->leader))
			continue;
		leader = metric_event_find(s->family, e->leader);
		if (!leader)
			return -EINVAL;
		*specs = strdup(leader->spec);
		(*n)++;
		return *specs ? 0 : -ENOMEM;
	}
	return 0;
}

static int add_events(struct metric_set *s, struct member *m, unsigned int priority)
{
	_cleanup_(pmu_freep) char *specs = NULL, *error = NULL;
	size_t first = pmu_counters_n_events(s->c), n = first;
	int r;

	r = list_leader(s, m, &n, &specs);
	if (r == 0)
		r = list_specs(s, m, false, &n, &specs);
	if (r == 0)
		r = list_specs(s, m, true, &n, &specs);
	if (r < 0 || n == first)
		return r;
	return pmu_counters_add(s->c, specs, priority,
				PMU_COUNTERS_TOGETHER | PMU_COUNTERS_OPTIONAL, NULL, NULL, &error);
}

int metric_set_add(struct metric_set *s, const struct metric *metric, unsigned int priority)
{
	struct member *grown = realloc(s->members, (s->n + 1) * sizeof(*grown));
	struct member *m;
	size_t at;
	int r;

	if (!grown)
		return -ENOMEM;
	s->members = grown;
	m = &grown[s->n];
	*m = (struct member){ .metric = metric };
	r = metric_formula_parse(metric->formula, &m->formula, &at);
	if (r < 0)
		return -EINVAL;
	r = add_events(s, m, priority);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m->formula.n_names; i++) {
		struct operand *o = &m->operands[i];

		if (!o->is_event)
			o->is_machine = o->known = metric_machine_constant(
				s->family, m->formula.names[i], s->sysfs, &o->value);
	}
	s->n++;
	return 0;
}

/* --- evaluating --- */

static bool same_place(const struct pmu_sum *a, const struct pmu_sum *b)
{
	return a->socket == b->socket && a->die == b->die && a->core == b->core && a->cpu == b->cpu;
}

/* What else is counted at the place lies beside it. */
static const struct pmu_sum *find_sum(const struct place *p, size_t event)
{
	const struct level *l = p->level;
	size_t at = (size_t)(p->at - l->sums);

	for (size_t i = at; i < l->n && same_place(&l->sums[i], p->at); i++)
		if (l->sums[i].event == event)
			return &l->sums[i];
	for (size_t i = at; i-- > 0 && same_place(&l->sums[i], p->at);)
		if (l->sums[i].event == event)
			return &l->sums[i];
	return NULL;
}

static bool is_in(const struct pmu_place *c, const struct pmu_sum *at)
{
	return (at->socket < 0 || c->socket == at->socket) &&
	       (at->core < 0 || (c->core == at->core && c->die == at->die)) &&
	       (at->cpu < 0 || c->cpu == at->cpu);
}

static double count_cpus(const struct place *p)
{
	const struct pmu_topology *t = pmu_counters_topology(p->set->c);
	double n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += is_in(&t->cpus[i], p->at);
	return n;
}

static double count_sockets(const struct place *p)
{
	const struct pmu_topology *t = pmu_counters_topology(p->set->c);
	uint64_t sockets = 0;

	for (size_t i = 0; i < t->n; i++)
		if (is_in(&t->cpus[i], p->at))
			sockets |= 1ULL << (t->cpus[i].socket & 63);
	return __builtin_popcountll(sockets);
}

static const struct pmu_sum *sum_of(const struct place *p, const struct operand *o)
{
	return find_sum(p, pmu_counters_event(p->set->c, o->event).counted_as);
}

/* The time the formula's own counts cover; a task's would be that in which it ran. */
static double seconds_at(const struct place *p)
{
	const struct pmu_sum *sums[METRIC_MAX_NAMES];
	const struct pmu_sum *s;
	size_t n = 0;
	double seconds = 0;

	for (size_t i = 0; i < p->member->formula.n_names; i++) {
		const struct operand *o = &p->member->operands[i];

		s = o->is_event ? sum_of(p, o) : NULL;
		if (s)
			sums[n++] = s;
	}
	if (!pmu_counters_of_tasks(p->set->c))
		seconds = pmu_sums_seconds(sums, n);
	return seconds > 0 ? seconds : p->time_s;
}

static bool lookup_constant(const struct place *p, const char *name, double *ret)
{
	if (strcmp(name, "time_s") == 0)
		*ret = p->seconds;
	else if (pmu_counters_of_tasks(p->set->c))
		return false;
	else if (strcmp(name, "cpus") == 0)
		*ret = count_cpus(p);
	else if (strcmp(name, "sockets") == 0)
		*ret = count_sockets(p);
	else
		return false;
	return true;
}

static bool lookup(const char *name, void *userdata, double *ret)
{
	struct place *p = userdata;
	const struct pmu_sum *sum;
	const struct operand *o;
	size_t i = 0;
	double ratio;

	while (i < p->member->formula.n_names && strcmp(p->member->formula.names[i], name) != 0)
		i++;
	if (i == p->member->formula.n_names)
		return false;
	o = &p->member->operands[i];
	if (o->is_machine)
		*ret = o->value;
	if (!o->is_event)
		return o->is_machine ? o->known : lookup_constant(p, name, ret);
	sum = sum_of(p, o);
	if (!sum || !sum->counted)
		return false;
	ratio = pmu_sum_running_ratio(sum);
	p->running_ratio = ratio < p->running_ratio ? ratio : p->running_ratio;
	*ret = sum->value;
	return true;
}

/* The error of the event behind a name, with the sentence to it if it is counted nowhere. */
static void explain(const struct place *p, struct metric_value *v)
{
	const struct member *m = p->member;

	v->error = -ENODATA;
	for (size_t i = 0; i < m->formula.n_names; i++) {
		struct pmu_counters_event e;
		const struct pmu_sum *sum;

		if (strcmp(m->formula.names[i], v->absent) != 0 || !m->operands[i].is_event)
			continue;
		e = pmu_counters_event(p->set->c, m->operands[i].event);
		sum = find_sum(p, e.counted_as);
		v->error = e.error ? e.error : sum && sum->error ? sum->error : -ENODATA;
		v->reason = e.reason;
	}
}

static struct metric_value eval_at(struct place *p)
{
	struct metric_value v = {
		.metric = p->member->metric,
		.socket = p->at->socket,
		.die = p->at->die,
		.core = p->at->core,
		.cpu = p->at->cpu,
		.reason = "",
	};

	p->running_ratio = 1;
	p->seconds = v.seconds = seconds_at(p);
	v.error = metric_eval(&p->member->formula, lookup, p, &v.value, &v.absent);
	if (v.error == -ENODATA)
		explain(p, &v);
	else
		v.absent = NULL;
	if (v.error)
		v.value = 0;
	else
		v.running_ratio = p->running_ratio;
	return v;
}

static enum pmu_sum_by level_of(const struct metric *m, enum pmu_sum_by by)
{
	static const enum pmu_sum_by finest[] = {
		[METRIC_CPU] = PMU_SUM_CPU,
		[METRIC_CORE] = PMU_SUM_CORE,
		[METRIC_SOCKET] = PMU_SUM_SOCKET,
		[METRIC_HOST] = PMU_SUM_HOST,
	};

	return by < finest[m->scope] ? by : finest[m->scope];
}

/* The aggregates of the level; what is only in larger ones (a socket's boxes beside CPUs) is not.
 */
static bool is_of_level(const struct pmu_sum *sum, enum pmu_sum_by by, bool tasks)
{
	switch (by) {
	case PMU_SUM_CPU:
		return tasks || sum->cpu >= 0;
	case PMU_SUM_CORE:
		return tasks || sum->core >= 0;
	case PMU_SUM_SOCKET:
		return tasks || sum->socket >= 0;
	default:
		return true;
	}
}

static size_t eval_member(struct metric_set *s, const struct member *m, const struct level *l,
			  enum pmu_sum_by by, double time_s, struct metric_value *values)
{
	struct place p = { .set = s, .member = m, .level = l, .time_s = time_s };
	bool tasks = pmu_counters_of_tasks(s->c);
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!is_of_level(&l->sums[i], by, tasks) ||
		    (i > 0 && same_place(&l->sums[i], &l->sums[i - 1])))
			continue;
		p.at = &l->sums[i];
		values[n++] = eval_at(&p);
	}
	return n;
}

/* A metric none of whose events is counted anywhere has no place: one value tells why. */
static struct metric_value eval_nowhere(struct metric_set *s, const struct member *m, double time_s)
{
	struct pmu_sum host = { .socket = -1, .die = -1, .core = -1, .cpu = -1 };
	const struct level level = { .sums = &host, .n = 1 };
	struct place p = { .set = s, .member = m, .level = &level, .at = &host, .time_s = time_s };

	return eval_at(&p);
}

static int make_levels(struct metric_set *s, const struct pmu_count *counts, size_t n,
		       enum pmu_sum_by by, struct level *levels)
{
	for (size_t i = 0; i < s->n; i++) {
		enum pmu_sum_by k = level_of(s->members[i].metric, by);
		int r = levels[k].sums
				? 0
				: pmu_sum_counts(s->c, counts, n, k, &levels[k].sums, &levels[k].n);

		if (r < 0)
			return r;
	}
	return 0;
}

static int eval_all(struct metric_set *s, const struct level *levels, enum pmu_sum_by by,
		    double time_s, struct metric_value **ret, size_t *ret_n)
{
	struct metric_value *values;
	size_t most = 1, n = 0;

	for (size_t i = 0; i < s->n; i++)
		most += levels[level_of(s->members[i].metric, by)].n + 1;
	values = calloc(most, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		const struct member *m = &s->members[i];
		enum pmu_sum_by k = level_of(m->metric, by);
		size_t got = eval_member(s, m, &levels[k], k, time_s, &values[n]);

		if (got == 0)
			values[n + got++] = eval_nowhere(s, m, time_s);
		n += got;
	}
	*ret = values;
	*ret_n = n;
	return 0;
}

int metric_set_eval(struct metric_set *s, const struct pmu_count *counts, size_t n,
		    enum pmu_sum_by by, double time_s, struct metric_value **ret, size_t *ret_n)
{
	struct level levels[N_LEVELS] = { 0 };
	int r = make_levels(s, counts, n, by, levels);

	if (r == 0)
		r = eval_all(s, levels, by, time_s, ret, ret_n);
	for (size_t i = 0; i < N_LEVELS; i++)
		free(levels[i].sums);
	return r;
}
