// SPDX-License-Identifier: Apache-2.0
/*
 * One event and its program: the best one that this kernel takes.
 */
#include <linux/types.h>

#include "sampler/sampler_state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "sampler/filter.h"
#include "util/parse.h"

void sampler_event_done(struct sampler_event *e)
{
	pmu_event_done(&e->pmu);
	e->counters = pmu_events_free(e->counters, e->n_counters);
	free(e->profile);
	free(e->requested);
	free(e->reason);
	*e = (struct sampler_event){};
}

static int sampler_event_copy(const struct sampler_event *from, struct sampler_event *ret)
{
	struct sampler_event e = {
		.flags = from->flags,
		.filter = from->filter,
		.split = from->split,
		.off_cpu = from->off_cpu,
		.branches = from->branches,
		.counters = calloc(MAX(from->n_counters, (size_t)1), sizeof(*e.counters)),
	};
	int r = e.counters ? pmu_event_copy(&from->pmu, &e.pmu) : -ENOMEM;

	for (; r == 0 && e.n_counters < from->n_counters; e.n_counters++)
		r = pmu_event_copy(&from->counters[e.n_counters], &e.counters[e.n_counters]);
	if (r < 0) {
		sampler_event_done(&e);
		return r;
	}
	e.profile = strdup(from->profile ? from->profile : "");
	e.requested = strdup(from->requested);
	e.reason = from->reason ? strdup(from->reason) : NULL;
	if (!e.profile || !e.requested || (from->reason && !e.reason)) {
		sampler_event_done(&e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

void event_done(struct sampler *s, struct event *e)
{
	for (size_t cpu = 0; e->slots && cpu < s->options.possible_cpus; cpu++)
		slot_close(&e->slots[cpu]);
	free(e->slots);
	free(e->only_cpus);
	program_free(e->program);
	sampler_event_done(&e->spec);
	*e = (struct event){};
}

bool event_samples_cpu(const struct event *e, int cpu)
{
	for (size_t i = 0; i < e->n_only_cpus; i++)
		if (e->only_cpus[i] == cpu)
			return true;
	return !e->only_cpus;
}

static bool is_clock(const struct pmu_event *ev)
{
	return ev->attr.type == PERF_TYPE_SOFTWARE && (ev->attr.config == PERF_COUNT_SW_CPU_CLOCK ||
						       ev->attr.config == PERF_COUNT_SW_TASK_CLOCK);
}

/* A clock event's time runs while the CPU idles; any other event's count tells how many samples
 * were due. */
struct ledger_rate event_rate(const struct pmu_event *ev)
{
	if (is_clock(ev) && (ev->attr.exclude_user || ev->attr.exclude_kernel))
		return (struct ledger_rate){ .as_seen = true };
	if (!ev->attr.freq)
		return (struct ledger_rate){ .period = ev->attr.sample_period };
	return (struct ledger_rate){ .by_time = is_clock(ev), .hz = (double)ev->attr.sample_freq };
}

/* What the sampler needs of every event beside what the event is. */
static void complete_attr(const struct sampler *s, struct perf_event_attr *attr, unsigned int flags)
{
	attr->disabled = 1;
	if (flags & SAMPLER_ACCESS)
		attr->sample_type |= PERF_SAMPLE_ADDR | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC;
	attr->read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	/* THROTTLE records go to the sideband's ring, which asks for the same clock and the same
	 * trailer. */
	attr->sample_type |= PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU;
	attr->sample_id_all = 1;
	attr->use_clockid = 1;
	attr->clockid = CLOCK_MONOTONIC;
	if (s->options.task > 0) {
		attr->inherit = 1;
		attr->enable_on_exec = 1;
	}
}

/* The program that unwinds, or, where that may be, the other one. */
static int load_unwinding(struct sampler *s, struct program_options *o, struct event *e,
			  char **ret_error)
{
	/* What is sampled at switches has a program of its own kind, which the others need not
	 * follow. */
	char **refusal = e->spec.off_cpu ? &s->switch_refusal : &s->unwind_refusal;
	bool stacks = e->spec.flags & SAMPLER_USER_STACK;
	int r;

	o->unwind = stacks ? s->options.unwind : NULL;
	r = program_load(o, &e->program, ret_error);
	if (r == 0 || !o->unwind || !s->options.unwind_optional)
		return r;
	free(*refusal);
	*refusal = TAKE_PTR(*ret_error);
	if (!e->spec.off_cpu)
		s->options.unwind = NULL;
	o->unwind = NULL;
	return program_load(o, &e->program, ret_error);
}

/*
 * Linux 4.18 knows no helper that reads counters in a program on a perf event: what cannot be read
 * is left out, and the reason kept.
 */
static int load_counting(struct sampler *s, struct program_options *o, struct event *e,
			 char **ret_error)
{
	const struct unwind_maps *unwind = s->options.unwind;
	_cleanup_free_ char *refusal = NULL;
	int r = load_unwinding(s, o, e, &refusal);

	if (r == 0)
		return 0;
	if (e->spec.n_counters == 0 || r == -EPERM || r == -ENOMEM) {
		*ret_error = TAKE_PTR(refusal);
		return r;
	}
	/* It was the counters that were refused, and not the unwinding, if it works without. */
	if (unwind) {
		free(s->unwind_refusal);
		s->unwind_refusal = NULL;
	}
	s->options.unwind = unwind;
	o->knobs.counters = o->knobs.split = 0;
	r = load_unwinding(s, o, e, ret_error);
	if (r < 0)
		return r;
	e->knobs = o->knobs;
	e->spec.counters = pmu_events_free(e->spec.counters, e->spec.n_counters);
	e->spec.n_counters = 0;
	free(s->counter_refusal);
	s->counter_refusal = TAKE_PTR(refusal);
	return 0;
}

/* What takes no counter of the hardware never has to give one up. */
static uint32_t steady_counters(const struct sampler_event *spec)
{
	uint32_t steady = 0;

	for (size_t i = 0; i < spec->n_counters; i++)
		if (!holds_counter(&spec->counters[i]))
			steady |= 1U << i;
	return steady;
}

static int load_program(struct sampler *s, struct event *e, uint32_t index, char **ret_error)
{
	struct program_options o = {
		.bpf_rings = s->rings.bpf,
		.possible_cpus = s->options.possible_cpus,
		.btf = s->options.btf,
		.rings_fd = s->rings.n || index ? program_rings_fd(s->events[0].program) : -1,
	};
	struct off_cpu_options off_cpu = {
		.min_ns = s->options.off_cpu.min_ns,
		.max_ns = s->options.off_cpu.max_ns ? s->options.off_cpu.max_ns : UINT64_MAX,
		.threads = s->options.off_cpu.threads,
		.task = s->options.task > 0 ? (uint32_t)s->options.task : 0,
	};
	size_t entries;
	int r;

	if (e->spec.off_cpu)
		o.off_cpu = &off_cpu;
	o.knobs = (struct sampler_knobs){
		.flags = e->spec.flags | sample_filter_flags(e->spec.filter) |
			 (s->guests ? SAMPLER_GUESTS : 0),
		.event = index,
		.depth = s->options.depth,
		.exclude_pid = s->options.exclude_self ? (uint32_t)getpid() : 0,
		.counters = (uint32_t)e->spec.n_counters,
		.cpus = (uint32_t)s->options.possible_cpus,
		.split = e->spec.n_counters && e->spec.split,
		.steady = steady_counters(&e->spec),
		.wake_bytes = (uint32_t)(s->rings.bytes / 2),
		.regs_offset = s->regs_offset,
	};
	e->knobs = o.knobs;
	if (e->spec.branches) {
		o.branches = true;
		o.unwind = s->options.unwind;
		r = program_load(&o, &e->program, ret_error);
	} else {
		r = load_counting(s, &o, e, ret_error);
	}
	if (r < 0)
		return r;
	r = sample_filter_apply(e->spec.filter, e->program, &entries);
	if (r < 0 && asprintf(ret_error, "cannot set the filter of %s: %s", e->spec.requested,
			      strerror(-r)) < 0)
		*ret_error = NULL;
	return r;
}

int event_init(struct sampler *s, struct event *e, uint32_t index, const struct sampler_event *spec,
	       char **ret_error)
{
	int r = sampler_event_copy(spec, &e->spec);

	if (r < 0)
		return r;
	if (spec->filter && spec->filter->cpus)
		r = parse_cpu_list(spec->filter->cpus, &e->only_cpus, &e->n_only_cpus);
	e->slots = calloc(s->options.possible_cpus, sizeof(*e->slots));
	if (r < 0 || !e->slots)
		return r < 0 ? r : -ENOMEM;
	for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
		slot_init(&e->slots[cpu]);
	complete_attr(s, &e->spec.pmu.attr, spec->flags);
	if (spec->off_cpu)
		e->spec.pmu.attr.sample_period = s->options.off_cpu.min_ns;
	e->rate = event_rate(&e->spec.pmu);
	e->clock = is_clock(&e->spec.pmu);
	e->configured = e->spec.pmu.attr.sample_freq; /* or sample_period: a union */
	return load_program(s, e, index, ret_error);
}

int event_open(struct sampler *s, struct event *e, char **ret_error)
{
	size_t open = 0;
	int r = -ENODEV;

	for (size_t i = 0; i < s->options.n_cpus; i++) {
		r = slot_open(s, e, s->options.cpus[i], ret_error);
		if (r == 0)
			open++;
		else if (r != -ENODEV)
			return r;
	}
	if (!open && r == -ENODEV &&
	    asprintf(ret_error, "%s: none of the CPUs to sample is online", e->spec.pmu.name) < 0)
		*ret_error = NULL;
	return open ? 0 : r;
}
