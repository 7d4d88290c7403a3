// SPDX-License-Identifier: Apache-2.0
#include <linux/types.h>

#include "sampler/sampler_state.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "host/btf.h"
#include "host/idle.h"
#include "pmu/perf_ops.h"
#include "sampler/branch_event.h"
#include "sampler/filter.h"

/* --- opening and closing --- */

static int copy_options(struct sampler *s, const struct sampler_options *o)
{
	s->options = *o;
	s->cpus = malloc(MAX(o->n_cpus, (size_t)1) * sizeof(*s->cpus));
	s->counts = calloc(o->possible_cpus, sizeof(*s->counts));
	s->idle_ns = calloc(o->possible_cpus, sizeof(*s->idle_ns));
	if (!s->cpus || !s->counts || !s->idle_ns)
		return -ENOMEM;
	memcpy(s->cpus, o->cpus, o->n_cpus * sizeof(*s->cpus));
	s->options.cpus = s->cpus;
	return rings_init(&s->rings, o->transport == TRANSPORT_BPF, o->ring_bytes);
}

/*
 * A program that an interrupt of the PMU may interrupt must not use its BPF ring: before Linux 6.15
 * samples are dropped, later kernels up to 6.18 freeze. Perf rings nest.
 */
static int check_rings(const struct sampler_options *o, const struct sampler_event *events,
		       size_t n_events, char **ret_error)
{
	size_t off_cpu = 0;

	for (size_t i = 0; i < n_events; i++)
		off_cpu += events[i].off_cpu;
	if (o->transport != TRANSPORT_BPF || off_cpu == 0 || off_cpu == n_events)
		return 0;
	if (asprintf(ret_error,
		     "offcpu cannot share BPF rings with other events: transport = perf, "
		     "or record it alone") < 0)
		*ret_error = NULL;
	return -EOPNOTSUPP;
}

static int try_branches(struct sampler *s, struct event *e, struct sampler_event *spec,
			char **ret_error)
{
	int r;

	if (!s->options.unwind)
		return -EOPNOTSUPP;
	r = branch_event_make(&spec->pmu);
	if (r == 0)
		r = branch_event_try(&perf_ops_kernel, "/sys", &spec->pmu, s->options.cpus[0],
				     ret_error);
	if (r == 0)
		r = event_init(s, e, (uint32_t)s->n_events, spec, ret_error);
	return r < 0 ? r : event_open(s, e, ret_error);
}

/* What cannot be had costs the check, and nothing else. */
static void open_branches(struct sampler *s)
{
	struct sampler_event spec = {
		.requested = (char *)"branches", .flags = SAMPLER_USER_STACK, .branches = true
	};
	struct event *e = &s->events[s->n_events];
	int r = try_branches(s, e, &spec, &s->branch_refusal);

	pmu_event_done(&spec.pmu);
	if (r == 0) {
		s->n_events++;
		return;
	}
	event_done(s, e);
	if (!s->branch_refusal)
		s->branch_refusal = strdup(s->options.unwind ? strerror(-r)
							     : "user stacks are not unwound by rows");
}

/* As the programs find it out. */
static bool knows_tasks(const char *btf, const struct sampler_event *events, size_t n_events)
{
	bool wanted = false;

	for (size_t i = 0; i < n_events; i++)
		wanted |= events[i].n_counters > 0;
	return wanted && host_btf_describes(btf, "task_struct", "nivcsw");
}

int sampler_open(const struct sampler_options *options, const struct sampler_event *events,
		 size_t n_events, struct sampler **ret, char **ret_error)
{
	_cleanup_(sampler_closep) struct sampler *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = check_rings(options, events, n_events, ret_error);
	if (r == 0)
		r = copy_options(s, options);
	if (r < 0)
		return r;
	/* Of KVM, loaded or built in. */
	s->guests = access("/sys/module/kvm", F_OK) == 0;
	s->tasks_known = knows_tasks(s->options.btf, events, n_events);
	if (s->options.unwind)
		s->regs_offset = program_find_registers(s->options.btf);
	s->events = calloc(n_events + 1, sizeof(*s->events));
	if (!s->events)
		return -ENOMEM;
	for (; s->n_events < n_events; s->n_events++) {
		r = event_init(s, &s->events[s->n_events], (uint32_t)s->n_events,
			       &events[s->n_events], ret_error);
		if (r < 0) {
			event_done(s, &s->events[s->n_events]);
			return r;
		}
	}
	s->n_profiled = n_events;
	r = rings_open(&s->rings, program_rings_fd(s->events[0].program), s->cpus,
		       s->options.n_cpus, ret_error);
	for (size_t i = 0; r == 0 && i < n_events; i++)
		r = event_open(s, &s->events[i], ret_error);
	if (r == 0 && options->branches)
		open_branches(s);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct sampler *sampler_close(struct sampler *s)
{
	if (!s)
		return NULL;
	/* Events first: afterwards nothing writes to the rings. */
	for (size_t i = 0; i < s->n_events; i++)
		event_done(s, &s->events[i]);
	free(s->events);
	rings_done(&s->rings);
	free(s->cpus);
	free(s->unwind_refusal);
	free(s->switch_refusal);
	free(s->counter_refusal);
	free(s->branch_refusal);
	free(s->counts);
	free(s->idle_ns);
	free(s);
	return NULL;
}

int sampler_replace(struct sampler *s, size_t i, const struct sampler_event *by, char **ret_error)
{
	struct event *e = &s->events[i], fresh = {};
	int r = event_init(s, &fresh, (uint32_t)i, by, ret_error);

	if (r == 0)
		r = event_open(s, &fresh, ret_error);
	if (r < 0) {
		event_done(s, &fresh);
		return r;
	}
	event_done(s, e);
	*e = fresh;
	return s->enabled ? sampler_enable(s) : 0;
}

/* --- running --- */

/* Only a clock needs it; a task's runs only while the task does, so that the CPU's idle time is
 * none of its business. */
static void read_idle(struct sampler *s)
{
	bool wanted = false;

	for (size_t i = 0; i < s->n_events; i++)
		wanted |= s->events[i].rate.by_time;
	if (wanted && s->options.task <= 0)
		(void)host_idle_read(NULL, s->idle_ns, s->options.possible_cpus);
}

static int slot_enable(struct sampler *s, struct event *e, int cpu)
{
	struct slot *slot = &e->slots[cpu];

	ledger_start_event(&slot->ledger, s->idle_ns[cpu]);
	if (s->options.task > 0 || (s->yielded && holds_counter(&e->spec.pmu)))
		return 0;
	return slot_switch(slot, PERF_EVENT_IOC_ENABLE);
}

int sampler_enable(struct sampler *s)
{
	int r = 0;

	read_idle(s);
	s->enabled = true;
	for (size_t i = 0; i < s->n_events && r == 0; i++)
		r = program_start(s->events[i].program);
	for (size_t i = 0; i < s->n_events; i++)
		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
			if (r == 0 && s->events[i].slots[cpu].fd >= 0)
				r = slot_enable(s, &s->events[i], (int)cpu);
	return r;
}

int sampler_disable(struct sampler *s)
{
	int r = 0;

	s->enabled = false;
	for (size_t i = 0; i < s->n_events; i++)
		program_stop(s->events[i].program);
	for (size_t i = 0; i < s->n_events; i++)
		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++) {
			const struct slot *slot = &s->events[i].slots[cpu];
			int one = slot->fd < 0 ? 0 : slot_switch(slot, PERF_EVENT_IOC_DISABLE);

			r = one < 0 ? one : r;
		}
	return r;
}

static void switch_slot(struct sampler *s, struct event *e, size_t cpu, unsigned long request)
{
	struct slot *slot = &e->slots[cpu];

	if (s->enabled && slot->fd >= 0 && holds_counter(&e->spec.pmu))
		(void)slot_switch(slot, request);
	for (size_t i = 0; i < e->spec.n_counters; i++)
		if (slot->counters[i] >= 0 && holds_counter(&e->spec.counters[i]))
			(void)ioctl(slot->counters[i], request, 0);
}

void sampler_yield(struct sampler *s, bool yield)
{
	if (s->yielded == yield)
		return;
	s->yielded = yield;
	for (size_t i = 0; i < s->n_events; i++)
		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
			switch_slot(s, &s->events[i], cpu,
				    yield ? PERF_EVENT_IOC_DISABLE : PERF_EVENT_IOC_ENABLE);
}

int sampler_fd(const struct sampler *s)
{
	return s->rings.epoll_fd;
}

struct ring *sampler_rings(struct sampler *s, size_t *ret_n)
{
	*ret_n = s->rings.n;
	return s->rings.list;
}

void sampler_received(struct sampler *s, const struct sample_record *rec)
{
	if (rec->event < s->n_events && rec->head.cpu < s->options.possible_cpus)
		ledger_receive(&s->events[rec->event].slots[rec->head.cpu].ledger, rec);
}

/* On how many CPUs the event's time is enabled at once. */
static size_t enabled_cpus(const struct sampler *s, const struct event *e)
{
	size_t n = 0;

	for (size_t cpu = 0; s->options.task > 0 && cpu < s->options.possible_cpus; cpu++)
		n += e->slots[cpu].fd >= 0;
	return MAX(n, (size_t)1);
}

static void read_slot(struct sampler *s, struct event *e, size_t cpu)
{
	struct slot *slot = &e->slots[cpu];
	uint64_t value[3];

	/* The dummy counts nothing. */
	if (e->spec.off_cpu)
		return;
	if (slot->fd >= 0 && read(slot->fd, value, sizeof(value)) == sizeof(value))
		ledger_read_event(&slot->ledger, value, enabled_cpus(s, e), s->idle_ns[cpu],
				  &e->rate);
}

void sampler_ledger(struct sampler *s, uint64_t now_ns,
		    void (*each)(const struct record_ledger *l, void *userdata), void *userdata)
{
	read_idle(s);
	for (size_t i = 0; i < s->n_profiled; i++) {
		struct event *e = &s->events[i];
		bool counted = program_read_counts(e->program, s->counts) == 0;

		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++) {
			struct slot *slot = &e->slots[cpu];
			struct record_ledger l;

			if (counted)
				ledger_balance(&slot->ledger, &s->counts[cpu]);
			read_slot(s, e, cpu);
			if (!ledger_report(&slot->ledger, &l))
				continue;
			l.time_ns = now_ns;
			l.event = (uint32_t)i;
			l.cpu = (uint32_t)cpu;
			each(&l, userdata);
		}
	}
}

size_t sampler_n_events(const struct sampler *s)
{
	return s->n_profiled;
}

const struct sampler_event *sampler_get_event(const struct sampler *s, size_t i)
{
	return &s->events[i].spec;
}

const char *sampler_transport_name(const struct sampler *s)
{
	return s->rings.bpf ? "BPF ring buffer" : "perf ring buffer";
}

const char *sampler_counter_refusal(const struct sampler *s)
{
	return s->counter_refusal;
}

const char *sampler_branch_refusal(const struct sampler *s)
{
	return s->branch_refusal;
}

const char *sampler_unwind_refusal(const struct sampler *s)
{
	return s->unwind_refusal;
}

const char *sampler_switch_refusal(const struct sampler *s)
{
	return s->switch_refusal;
}

const char *sampler_attach_name(const struct sampler *s)
{
	return s->linked ? "bpf_link" : "ioctl";
}

size_t sampler_ring_bytes(const struct sampler *s)
{
	return s->rings.bytes;
}

uint64_t sampler_seen(struct sampler *s, size_t event)
{
	uint64_t seen = 0;

	if (program_read_counts(s->events[event].program, s->counts) < 0)
		return 0;
	for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
		seen += s->counts[cpu].seen;
	return seen;
}

uint64_t sampler_lost_by_kernel(struct sampler *s)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < s->rings.n; i++)
		lost += s->rings.list[i].lost;
	return lost;
}

void sampler_set_output(struct sampler *s, int cpu, int fd)
{
	for (size_t i = 0; i < s->n_events; i++)
		if (s->events[i].slots[cpu].fd >= 0)
			(void)ioctl(s->events[i].slots[cpu].fd, PERF_EVENT_IOC_SET_OUTPUT, fd);
}

void sampler_throttled(struct sampler *s, uint64_t id)
{
	for (size_t i = 0; i < s->n_events; i++)
		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
			if (s->events[i].slots[cpu].fd >= 0 && s->events[i].slots[cpu].id == id)
				s->events[i].slots[cpu].ledger.throttled++;
}

void sampler_cpu_offline(struct sampler *s, int cpu)
{
	read_idle(s);
	for (size_t i = 0; i < s->n_events; i++) {
		read_slot(s, &s->events[i], (size_t)cpu);
		slot_close(&s->events[i].slots[cpu]);
	}
}

int sampler_cpu_online(struct sampler *s, int cpu)
{
	int r = rings_reopen(&s->rings, program_rings_fd(s->events[0].program), cpu);

	read_idle(s);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_events; i++) {
		struct slot *slot = &s->events[i].slots[cpu];
		int one;

		slot_close(slot);
		if (!event_samples_cpu(&s->events[i], cpu))
			continue;
		one = slot_open(s, &s->events[i], cpu, NULL);
		if (one == 0 && s->enabled)
			one = slot_enable(s, &s->events[i], cpu);
		r = r < 0 ? r : one; /* one event that fails does not cost the others */
	}
	return r;
}

/*
 * A clock event is opened anew: the kernel would go on to report the period it was opened with
 * (hw.last_period of an hrtimer event is set once, kernel/events/core.c).
 */
static void reopen_slot(struct sampler *s, struct event *e, int cpu)
{
	struct slot *slot = &e->slots[cpu];

	read_slot(s, e, (size_t)cpu);
	slot_close(slot);
	if (slot_open(s, e, cpu, NULL) == 0 && s->enabled)
		(void)slot_enable(s, e, cpu);
}

static void change_slot(struct sampler *s, struct event *e, int cpu, uint64_t value)
{
	if (e->clock) {
		reopen_slot(s, e, cpu);
		return;
	}
	read_slot(s, e, (size_t)cpu); /* what was due until now */
	(void)ioctl(e->slots[cpu].fd, PERF_EVENT_IOC_PERIOD, &value);
}

void sampler_scale_rate(struct sampler *s, double factor)
{
	read_idle(s);
	for (size_t i = 0; i < s->n_events; i++) {
		struct event *e = &s->events[i];
		struct perf_event_attr *attr = &e->spec.pmu.attr;
		double scaled = (double)e->configured * (attr->freq ? factor : 1 / factor);
		uint64_t value = (uint64_t)MIN(MAX(scaled, 1.0), (double)(INT64_MAX / 2));

		if (attr->sample_freq == value || e->spec.off_cpu)
			continue;
		attr->sample_freq = value;
		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
			if (e->slots[cpu].fd >= 0)
				change_slot(s, e, (int)cpu, value);
		e->rate = event_rate(&e->spec.pmu);
	}
}

void sampler_refresh_filters(struct sampler *s)
{
	for (size_t i = 0; i < s->n_events; i++) {
		const struct sample_filter *f = s->events[i].spec.filter;
		size_t entries;

		if (f && ((f->units && f->units[0]) || (f->cgroups && f->cgroups[0])))
			(void)sample_filter_apply(f, s->events[i].program, &entries);
	}
}
