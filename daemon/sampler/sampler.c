// SPDX-License-Identifier: Apache-2.0
/*
 * The sampler as one object: programs (one per event), slots (event x CPU), rings (one per CPU).
 */
#include <linux/types.h>

#include "sampler/sampler.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "host/idle.h"
#include "pmu/perf_ops.h"
#include "sampler/filter.h"
#include "sampler/ledger.h"
#include "sampler/program.h"
#include "sampler/rings.h"
#include "util/parse.h"

/* One event on one CPU. */
struct slot {
	int fd; /* -1: not open (CPU offline) */
	int leader; /* what it has to stand behind, -1: nothing */
	int link; /* bpf_link, -1: attached by ioctl */
	uint64_t id; /* the kernel's, as in THROTTLE records */
	int counters[SAMPLE_MAX_COUNTERS + 1]; /* fds, -1: none; context switches behind the last */
	struct ledger ledger;
};

struct event {
	struct sampler_event spec;
	struct program *program;
	struct sampler_knobs knobs;
	struct slot *slots; /* [possible_cpus] */
	int *only_cpus; /* the filter's; NULL: all */
	size_t n_only_cpus;
	struct ledger_rate rate;
	bool clock;
	uint64_t configured; /* frequency or period, before any back-off */
};

struct sampler {
	struct sampler_options options;
	struct event *events;
	size_t n_events;
	struct rings rings;
	bool linked; /* attached by bpf_link */
	bool enabled, yielded;
	int *cpus; /* copy behind options.cpus */
	uint32_t regs_offset;
	bool guests; /* the host may have some */
	char *unwind_refusal, *switch_refusal;
	char *counter_refusal;
	struct sampler_counts *counts; /* [possible_cpus], scratch of the ledger */
	uint64_t *idle_ns; /* [possible_cpus], likewise */
};

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

static void slot_init(struct slot *slot)
{
	*slot = (struct slot){ .fd = -1, .leader = -1, .link = -1 };
	for (size_t i = 0; i < ARRAY_SIZE(slot->counters); i++)
		slot->counters[i] = -1;
}

static void slot_close(struct slot *slot)
{
	for (size_t i = 0; i < ARRAY_SIZE(slot->counters); i++)
		slot->counters[i] = safe_close(slot->counters[i]);
	slot->link = safe_close(slot->link);
	slot->fd = safe_close(slot->fd);
	slot->leader = safe_close(slot->leader);
}

static int slot_switch(const struct slot *slot, unsigned long request)
{
	int r = ioctl(slot->fd, request, 0) < 0 ? -errno : 0;

	if (slot->leader >= 0 && ioctl(slot->leader, request, 0) < 0 && r == 0)
		r = -errno;
	return r;
}

static void event_done(struct sampler *s, struct event *e)
{
	for (size_t cpu = 0; e->slots && cpu < s->options.possible_cpus; cpu++)
		slot_close(&e->slots[cpu]);
	free(e->slots);
	free(e->only_cpus);
	program_free(e->program);
	sampler_event_done(&e->spec);
	*e = (struct event){};
}

/* --- attaching --- */

/* bpf_link for perf events came with Linux 5.15; older kernels say EINVAL. */
static int attach_link(struct sampler *s, struct event *e, struct slot *slot)
{
	int fd = bpf_link_create(program_fd(e->program), slot->fd, BPF_PERF_EVENT, NULL);

	if (fd < 0)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	slot->link = fd;
	s->linked = true;
	return 0;
}

static int attach_ioctl(struct event *e, struct slot *slot)
{
	return ioctl(slot->fd, PERF_EVENT_IOC_SET_BPF, program_fd(e->program)) < 0 ? -errno : 0;
}

static int attach(struct sampler *s, struct event *e, struct slot *slot)
{
	int r;

	if (s->options.attach == ATTACH_IOCTL)
		return attach_ioctl(e, slot);
	r = attach_link(s, e, slot);
	if (r < 0 && s->options.attach == ATTACH_AUTO && r != -EPROTO)
		return attach_ioctl(e, slot);
	return r;
}

static char *attach_error(const struct sampler *s, const struct event *e, int error)
{
	const char *how = s->options.attach == ATTACH_IOCTL ? "PERF_EVENT_IOC_SET_BPF" : "bpf_link";
	const char *hint = "";
	char *text;

	if (error == -EOPNOTSUPP && s->options.attach == ATTACH_LINK)
		hint = "; bpf_link for perf events needs Linux 5.15, 'attach = ioctl' works before";
	if (asprintf(&text, "cannot attach the BPF program to %s by %s: %s%s", e->spec.pmu.name,
		     how, strerror(-error), hint) < 0)
		return NULL;
	return text;
}

static bool samples_cpu(const struct event *e, int cpu)
{
	for (size_t i = 0; i < e->n_only_cpus; i++)
		if (e->only_cpus[i] == cpu)
			return true;
	return !e->only_cpus;
}

/* Does it take one of the few counters of the hardware? */
static bool holds_counter(const struct pmu_event *ev)
{
	return ev->attr.type != PERF_TYPE_SOFTWARE && ev->attr.type != PERF_TYPE_TRACEPOINT &&
	       ev->attr.type != PERF_TYPE_BREAKPOINT;
}

static int open_counter(struct sampler *s, struct event *e, size_t place, struct pmu_event *counter,
			int cpu)
{
	int fd = pmu_event_open(counter, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	int r;

	if (fd < 0)
		return fd;
	e->slots[cpu].counters[place] = fd;
	r = program_set_counter(e->program, place, cpu, fd);
	if (r == 0 && !(s->yielded && holds_counter(counter)) &&
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		r = -errno;
	return r;
}

/* A counter that cannot be had on this CPU is absent in its samples. */
static void open_counters(struct sampler *s, struct event *e, int cpu)
{
	struct pmu_event switches = { .name = (char *)"context-switches" };

	for (size_t i = 0; i < e->spec.n_counters; i++)
		(void)open_counter(s, e, i, &e->spec.counters[i], cpu);
	if (e->spec.n_counters == 0)
		return;
	switches.attr.type = PERF_TYPE_SOFTWARE;
	switches.attr.size = sizeof(switches.attr);
	switches.attr.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
	switches.attr.disabled = 1;
	(void)open_counter(s, e, e->spec.n_counters, &switches, cpu);
}

/* Opens and attaches one event on one CPU. -ENODEV: the CPU is offline or not to be sampled. */
static int slot_open(struct sampler *s, struct event *e, int cpu, char **ret_error)
{
	struct slot *slot = &e->slots[cpu];
	const struct pmu_target target = { .pid = s->options.task > 0 ? s->options.task : -1,
					   .cpu = cpu,
					   .group_fd = -1,
					   .flags = PERF_FLAG_FD_CLOEXEC };
	int fd, r;

	if (!samples_cpu(e, cpu))
		return -ENODEV;
	fd = pmu_event_open_led(&perf_ops_kernel, "/sys", &e->spec.pmu, &target, &slot->leader);
	if (fd < 0) {
		if (fd != -ENODEV && ret_error)
			*ret_error = pmu_event_strerror(&e->spec.pmu, fd);
		return fd;
	}
	slot->fd = fd;
	open_counters(s, e, cpu);
	(void)ioctl(fd, PERF_EVENT_IOC_ID, &slot->id);
	r = e->spec.off_cpu ? 0 : attach(s, e, slot);
	if (r < 0) {
		if (ret_error)
			*ret_error = attach_error(s, e, r);
		slot_close(slot);
	}
	return r;
}

/* --- opening and closing --- */

static bool is_clock(const struct pmu_event *ev)
{
	return ev->attr.type == PERF_TYPE_SOFTWARE && (ev->attr.config == PERF_COUNT_SW_CPU_CLOCK ||
						       ev->attr.config == PERF_COUNT_SW_TASK_CLOCK);
}

/* A clock event's time runs while the CPU idles; any other event's count tells how many samples
 * were due. */
static struct ledger_rate rate_of(const struct pmu_event *ev)
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
	/* What is sampled at switches has a program of its own kind, which the others need not follow. */
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
		.wake_bytes = (uint32_t)(s->rings.bytes / 2),
		.regs_offset = s->regs_offset,
	};
	e->knobs = o.knobs;
	r = load_counting(s, &o, e, ret_error);
	if (r < 0)
		return r;
	r = sample_filter_apply(e->spec.filter, e->program, &entries);
	if (r < 0 && asprintf(ret_error, "cannot set the filter of %s: %s", e->spec.requested,
			      strerror(-r)) < 0)
		*ret_error = NULL;
	return r;
}

static int event_init(struct sampler *s, struct event *e, uint32_t index,
		      const struct sampler_event *spec, char **ret_error)
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
	e->rate = rate_of(&e->spec.pmu);
	e->clock = is_clock(&e->spec.pmu);
	e->configured = e->spec.pmu.attr.sample_freq; /* or sample_period: a union */
	return load_program(s, e, index, ret_error);
}

static int event_open(struct sampler *s, struct event *e, char **ret_error)
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
	if (s->options.unwind)
		s->regs_offset = program_find_registers(s->options.btf);
	s->events = calloc(n_events, sizeof(*s->events));
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
	r = rings_open(&s->rings, program_rings_fd(s->events[0].program), s->cpus,
		       s->options.n_cpus, ret_error);
	for (size_t i = 0; r == 0 && i < n_events; i++)
		r = event_open(s, &s->events[i], ret_error);
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
	for (size_t i = 0; i < s->n_events; i++) {
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
	return s->n_events;
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
		if (!samples_cpu(&s->events[i], cpu))
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
		e->rate = rate_of(&e->spec.pmu);
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
