/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A kernel and its PMUs, made up: counters that others hold, CPUs that go, PMUs that refuse. Time
 * is its own: every call takes a microsecond, fake_advance() the rest.
 *
 * Groups are given counters in the order they were opened, all or nothing, and the first that does
 * not fit ends it, as the kernel does for those that want to run.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "pmu/perf_ops.h"

#define FAKE_EVENTS 8192
#define FAKE_FIRST_FD 1000
#define FAKE_NONE UINT64_MAX
#define FAKE_ANY_TYPE UINT32_MAX

struct fake_event {
	bool open, enabled;
	struct perf_event_attr attr;
	int cpu, leader;
	pid_t pid;
	uint64_t count, enabled_ns, running_ns, settled_ns;
	double rest; /* of a count */
};

/* What holds for events of this type and config (FAKE_NONE: any); the first that matches. */
struct fake_rule {
	uint32_t type;
	uint64_t config;
	int cpu; /* -1: any */
	int open_error, enable_error;
	bool no_exclude; /* EINVAL for exclude bits */
	bool free_of_charge; /* a fixed counter */
	bool end_of_file;
	uint64_t leader; /* refused unless behind an event of this config; 0: any */
	int leader_error; /* 0: EINVAL */
	double per_ns; /* counts */
	double running; /* the part of the time it runs; 0: all */
	bool never_runs;
	uint64_t starts_at;
};

struct fake_pmu {
	uint32_t type;
	int counters; /* in all */
	int held; /* by others */
};

struct fake {
	struct fake_rule rules[16];
	size_t n_rules;
	struct fake_pmu pmus[8];
	size_t n_pmus;
	int offline; /* this CPU; -1: none */
	size_t max_files; /* 0: no limit */
	bool cannot_reserve;
	uint64_t now_ns;
	uint64_t move_ns; /* how long one waits on the next CPU */
	uint64_t enable_ns; /* and for each event that is to begin */
	struct fake_event events[FAKE_EVENTS];
	int n;
	size_t open, opened, most_open, moves, reads;
	int at_cpu;
	size_t remote; /* calls for a CPU the thread was not on */
	struct perf_ops ops;
};

static const struct fake_rule *fake_rule(const struct fake *f, const struct fake_event *e)
{
	static const struct fake_rule none = { .per_ns = 1 };

	for (size_t i = 0; i < f->n_rules; i++) {
		const struct fake_rule *r = &f->rules[i];

		if ((r->type == FAKE_ANY_TYPE || r->type == e->attr.type) &&
		    (r->config == FAKE_NONE || r->config == e->attr.config) &&
		    (r->cpu < 0 || r->cpu == e->cpu))
			return r;
	}
	return &none;
}

static const struct fake_pmu *fake_pmu(const struct fake *f, uint32_t type)
{
	uint32_t core =
		type == PERF_TYPE_HARDWARE || type == PERF_TYPE_HW_CACHE ? PERF_TYPE_RAW : type;

	for (size_t i = 0; i < f->n_pmus; i++)
		if (f->pmus[i].type == core)
			return &f->pmus[i];
	return NULL;
}

static int fake_cost(const struct fake *f, int leader)
{
	int cost = 0;

	for (int i = leader; i < f->n; i++)
		if (f->events[i].open && f->events[i].leader == leader)
			cost += !fake_rule(f, &f->events[i])->free_of_charge;
	return cost;
}

/* Whether the group of this leader has its counters. */
static bool fake_scheduled(const struct fake *f, int leader)
{
	const struct fake_event *e = &f->events[leader];
	const struct fake_pmu *pmu = fake_pmu(f, e->attr.type);
	int left = pmu ? pmu->counters - pmu->held : 0;

	for (int i = 0; pmu && i <= leader; i++) {
		const struct fake_event *other = &f->events[i];

		if (!other->open || !other->enabled || other->leader != i || other->cpu != e->cpu ||
		    fake_pmu(f, other->attr.type) != pmu)
			continue;
		left -= fake_cost(f, i);
		if (left < 0)
			return false;
	}
	return true;
}

static void fake_settle(struct fake *f, int i, bool scheduled)
{
	struct fake_event *e = &f->events[i];
	const struct fake_rule *r = fake_rule(f, e);
	uint64_t ns = f->now_ns - e->settled_ns, ran = ns;

	e->settled_ns = f->now_ns;
	if (!f->events[e->leader].enabled || !e->enabled ||
	    (f->offline >= 0 && e->cpu == f->offline))
		return;
	e->enabled_ns += ns;
	if (!scheduled || r->never_runs)
		return;
	if (r->running > 0)
		ran = (uint64_t)((double)ns * r->running);
	e->running_ns += ran;
	e->rest += (double)ran * r->per_ns;
	e->count += (uint64_t)e->rest;
	e->rest -= (double)(uint64_t)e->rest;
}

/* All events of a CPU, before anything changes on it. */
static void fake_settle_cpu(struct fake *f, int cpu)
{
	for (int i = 0; i < f->n; i++)
		if (f->events[i].open && f->events[i].cpu == cpu)
			fake_settle(f, i, fake_scheduled(f, f->events[i].leader));
}

static struct fake_event *fake_enter(struct fake *f, int fd)
{
	struct fake_event *e = &f->events[fd - FAKE_FIRST_FD];

	assert_true(fd >= FAKE_FIRST_FD && fd < FAKE_FIRST_FD + f->n && e->open);
	f->now_ns += 1000;
	if (e->cpu >= 0 && e->cpu != f->at_cpu)
		f->remote++;
	fake_settle_cpu(f, e->cpu);
	return e;
}

static int fake_open_event(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata)
{
	struct fake *f = userdata;
	struct fake_event e = { .open = true, .attr = *attr, .cpu = t->cpu, .pid = t->pid };
	const struct fake_pmu *pmu = fake_pmu(f, attr->type);
	const struct fake_rule *r = fake_rule(f, &e);

	f->opened++;
	f->now_ns += 1000;
	if (f->max_files && f->open >= f->max_files)
		return -EMFILE;
	if (r->open_error)
		return r->open_error;
	if (f->offline >= 0 && t->cpu == f->offline)
		return -ENODEV;
	if (r->no_exclude && (attr->exclude_guest || attr->exclude_kernel || attr->exclude_user))
		return -EINVAL;
	if (r->leader &&
	    (t->group_fd < 0 || f->events[t->group_fd - FAKE_FIRST_FD].attr.config != r->leader))
		return r->leader_error ? r->leader_error : -EINVAL;
	if (f->n == FAKE_EVENTS)
		return -ENOMEM;
	e.leader = t->group_fd >= 0 ? t->group_fd - FAKE_FIRST_FD : f->n;
	if (pmu && e.leader != f->n && !r->free_of_charge &&
	    fake_cost(f, e.leader) + 1 > pmu->counters)
		return -EINVAL;
	fake_settle_cpu(f, t->cpu);
	e.settled_ns = f->now_ns;
	e.count = r->starts_at;
	e.enabled = !attr->disabled;
	f->events[f->n] = e;
	f->open++;
	f->most_open = f->open > f->most_open ? f->open : f->most_open;
	return FAKE_FIRST_FD + f->n++;
}

static int fake_ioctl(int fd, unsigned long request, unsigned long argument, void *userdata)
{
	struct fake *f = userdata;
	struct fake_event *leader = fake_enter(f, fd);
	int error = fake_rule(f, leader)->enable_error;

	assert_int_equal(argument, 0);
	if (request == PERF_EVENT_IOC_ENABLE && error)
		return error;
	leader->enabled = request == PERF_EVENT_IOC_ENABLE;
	f->now_ns += leader->enabled ? f->enable_ns : 0;
	return 0;
}

static ssize_t fake_read(int fd, void *buffer, size_t size, void *userdata)
{
	struct fake *f = userdata;
	struct fake_event *leader = fake_enter(f, fd);
	uint64_t *words = buffer, n = 0;

	f->reads++;
	if (fake_rule(f, leader)->end_of_file)
		return 0;
	for (int i = leader->leader; i < f->n; i++)
		if (f->events[i].open && f->events[i].leader == leader->leader) {
			if (size < (4 + n) * sizeof(uint64_t))
				return -ENOSPC;
			words[3 + n++] = f->events[i].count;
		}
	words[0] = n;
	words[1] = leader->enabled_ns;
	words[2] = leader->running_ns;
	return (ssize_t)((3 + n) * sizeof(uint64_t));
}

static void fake_close(int fd, void *userdata)
{
	struct fake *f = userdata;

	fake_enter(f, fd)->open = false;
	f->open--;
	while (f->n && !f->events[f->n - 1].open)
		f->n--;
}

static int fake_set_affinity(const cpu_set_t *set, size_t size, void *userdata)
{
	struct fake *f = userdata;

	f->moves++;
	f->now_ns += f->move_ns;
	f->at_cpu = -1;
	if (CPU_COUNT_S(size, set) == 1)
		for (int i = 0; f->at_cpu < 0; i++)
			if (CPU_ISSET_S((size_t)i, size, set))
				f->at_cpu = i;
	return 0;
}

static int fake_reserve_files(size_t n, void *userdata)
{
	struct fake *f = userdata;

	(void)n;
	return f->cannot_reserve ? -EMFILE : 0;
}

static uint64_t fake_now_ns(void *userdata)
{
	struct fake *f = userdata;

	return f->now_ns += 100;
}

static inline void fake_advance(struct fake *f, uint64_t ns)
{
	f->now_ns += ns;
}

/* Adds a rule; those added first come first. */
static void fake_rule_add(struct fake *f, struct fake_rule rule)
{
	assert_true(f->n_rules < sizeof(f->rules) / sizeof(f->rules[0]));
	f->rules[f->n_rules++] = rule;
}

static inline void fake_pmu_add(struct fake *f, uint32_t type, int counters, int held)
{
	assert_true(f->n_pmus < sizeof(f->pmus) / sizeof(f->pmus[0]));
	f->pmus[f->n_pmus++] = (struct fake_pmu){ type, counters, held };
}

static struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->offline = f->at_cpu = -1;
	f->now_ns = 1000000000;
	f->ops = (struct perf_ops){
		.open = fake_open_event,
		.ioctl = fake_ioctl,
		.read = fake_read,
		.close = fake_close,
		.set_affinity = fake_set_affinity,
		.reserve_files = fake_reserve_files,
		.now_ns = fake_now_ns,
		.userdata = f,
	};
	return f;
}

/* Everything that was opened is closed. */
static void fake_free(struct fake *f)
{
	assert_int_equal(f->open, 0);
	free(f);
}
