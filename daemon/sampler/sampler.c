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
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "sampler/filter.h"
#include "sampler/ledger.h"
#include "sampler/program.h"
#include "util/parse.h"

#define MIN_RING_BYTES 16384

/* One event on one CPU. */
struct slot {
	int fd; /* -1: not open (CPU offline) */
	int link; /* bpf_link, -1: attached by ioctl */
	uint64_t id; /* the kernel's, as in THROTTLE records */
	struct ledger ledger;
};

struct event {
	struct sampler_event spec;
	struct program *program;
	struct sampler_knobs knobs;
	struct slot *slots; /* [possible_cpus] */
	struct ledger_rate rate;
};

struct sampler {
	struct sampler_options options;
	struct event *events;
	size_t n_events;
	struct ring *rings; /* one per online CPU at start, in the order of options.cpus */
	int *ring_fds; /* perf transport: the output event's fd, -1 else */
	size_t n_rings;
	size_t ring_bytes;
	bool bpf_rings;
	bool linked; /* attached by bpf_link */
	bool enabled;
	int epoll_fd;
	int *cpus; /* copy behind options.cpus */
	struct sampler_counts *counts; /* [possible_cpus], scratch of the ledger */
};

static void sampler_event_done(struct sampler_event *e)
{
	pmu_event_done(&e->pmu);
	free(e->profile);
	free(e->requested);
	free(e->reason);
}

static int sampler_event_copy(const struct sampler_event *from, struct sampler_event *ret)
{
	struct sampler_event e = { .stacks = from->stacks, .filter = from->filter };
	int r = pmu_event_copy(&from->pmu, &e.pmu);

	if (r < 0)
		return r;
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

static void slot_close(struct slot *slot)
{
	slot->link = safe_close(slot->link);
	slot->fd = safe_close(slot->fd);
	ledger_restart_event(&slot->ledger);
}

static void event_done(struct sampler *s, struct event *e)
{
	for (size_t cpu = 0; e->slots && cpu < s->options.possible_cpus; cpu++)
		slot_close(&e->slots[cpu]);
	free(e->slots);
	program_free(e->program);
	sampler_event_done(&e->spec);
	*e = (struct event){};
}

/* --- attaching
 * ----------------------------------------------------------------------------------------------------
 */

static int attach_link(struct sampler *s, struct event *e, struct slot *slot)
{
	int fd = bpf_link_create(program_fd(e->program), slot->fd, BPF_PERF_EVENT, NULL);

	if (fd < 0)
		return -errno;
	slot->link = fd;
	s->linked = true;
	return 0;
}

static int attach_ioctl(struct event *e, struct slot *slot)
{
	return ioctl(slot->fd, PERF_EVENT_IOC_SET_BPF, program_fd(e->program)) < 0 ? -errno : 0;
}

/* bpf_link for perf events came with Linux 5.15; older kernels say EINVAL. */
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

	if (error == -EINVAL && s->options.attach == ATTACH_LINK)
		hint = "; bpf_link for perf events needs Linux 5.15, 'attach = ioctl' works before";
	if (asprintf(&text, "cannot attach the BPF program to %s by %s: %s%s", e->spec.pmu.name,
		     how, strerror(-error), hint) < 0)
		return NULL;
	return text;
}

/* Opens and attaches one event on one CPU. -ENODEV: the CPU is offline. */
static int slot_open(struct sampler *s, struct event *e, int cpu, char **ret_error)
{
	struct slot *slot = &e->slots[cpu];
	pid_t pid = s->options.task > 0 ? s->options.task : -1;
	int fd = pmu_event_open(&e->spec.pmu, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	int r;

	if (fd < 0) {
		if (fd != -ENODEV && ret_error)
			*ret_error = pmu_event_strerror(&e->spec.pmu, fd);
		return fd;
	}
	slot->fd = fd;
	(void)ioctl(fd, PERF_EVENT_IOC_ID, &slot->id);
	r = attach(s, e, slot);
	if (r < 0) {
		if (ret_error)
			*ret_error = attach_error(s, e, r);
		slot_close(slot);
	}
	return r;
}

/* --- rings
 * --------------------------------------------------------------------------------------------------------
 */

static int watch(struct sampler *s, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* The event a perf ring hangs on: bpf_perf_event_output() writes to it. */
static int open_output_event(int cpu, size_t ring_bytes)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)(ring_bytes / 2),
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * A user without CAP_IPC_LOCK gets perf_event_mlock_kb per CPU beyond the memlock limit; a smaller
 * ring then beats none, and sampler_ring_bytes() says so.
 */
static int open_perf_ring(struct sampler *s, size_t i, int cpu, int rings_fd)
{
	_cleanup_close_ int fd = -1;
	int r;

	for (;;) {
		safe_close(fd);
		fd = open_output_event(cpu, s->ring_bytes);
		if (fd < 0)
			return fd;
		r = ring_open_perf(&s->rings[i], cpu, fd, s->ring_bytes);
		if (r != -EPERM || s->ring_bytes / 2 < MIN_RING_BYTES)
			break;
		s->ring_bytes /= 2;
	}
	if (r < 0)
		return r;
	if (bpf_map_update_elem(rings_fd, &cpu, &fd, BPF_ANY) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		r = -errno;
	if (r == 0)
		r = watch(s, fd);
	if (r < 0) {
		ring_done(&s->rings[i]);
		return r;
	}
	s->ring_fds[i] = TAKE_FD(fd);
	return 0;
}

static int open_bpf_ring(struct sampler *s, size_t i, int cpu, int rings_fd)
{
	_cleanup_close_ int map = -1;
	int r;

	map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, (uint32_t)s->ring_bytes, NULL);
	if (map < 0)
		return -errno;
	r = ring_open_bpf(&s->rings[i], cpu, map, s->ring_bytes);
	if (r < 0)
		return r;
	if (bpf_map_update_elem(rings_fd, &cpu, &map, BPF_ANY) < 0)
		r = -errno;
	if (r == 0)
		r = watch(s, map);
	TAKE_FD(map);
	if (r < 0)
		ring_done(&s->rings[i]);
	return r;
}

static int open_ring(struct sampler *s, size_t i)
{
	int rings_fd = program_rings_fd(s->events[0].program);
	int cpu = s->options.cpus[i];

	return s->bpf_rings ? open_bpf_ring(s, i, cpu, rings_fd)
			    : open_perf_ring(s, i, cpu, rings_fd);
}

static int open_rings(struct sampler *s, char **ret_error)
{
	s->rings = calloc(s->options.n_cpus, sizeof(*s->rings));
	s->ring_fds = malloc(s->options.n_cpus * sizeof(*s->ring_fds));
	if (!s->rings || !s->ring_fds)
		return -ENOMEM;
	for (size_t i = 0; i < s->options.n_cpus; i++)
		s->ring_fds[i] = -1;
	s->n_rings = s->options.n_cpus;
	for (size_t i = 0; i < s->n_rings; i++) {
		int r = open_ring(s, i);

		if (r < 0 && r != -ENODEV) {
			if (asprintf(ret_error,
				     "cannot make a ring of %zu bytes on CPU %d: %s (CAP_IPC_LOCK "
				     "or a higher "
				     "LimitMEMLOCK helps, or a smaller ring_size)",
				     s->ring_bytes, s->options.cpus[i], strerror(-r)) < 0)
				*ret_error = NULL;
			return r;
		}
	}
	return 0;
}

/* --- opening and closing
 * ------------------------------------------------------------------------------------------ */

/* A clock event's time runs while the CPU idles; any other event's count tells how many samples
 * were due. */
static struct ledger_rate rate_of(const struct pmu_event *ev)
{
	bool clock = ev->attr.type == PERF_TYPE_SOFTWARE &&
		     (ev->attr.config == PERF_COUNT_SW_CPU_CLOCK ||
		      ev->attr.config == PERF_COUNT_SW_TASK_CLOCK);

	if (!ev->attr.freq)
		return (struct ledger_rate){ .period = ev->attr.sample_period };
	return (struct ledger_rate){ .by_time = clock, .hz = (double)ev->attr.sample_freq };
}

/* What the sampler needs of every event beside what the event is. */
static void complete_attr(const struct sampler *s, struct perf_event_attr *attr)
{
	attr->disabled = 1;
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

static int load_program(struct sampler *s, struct event *e, uint32_t index, char **ret_error)
{
	struct program_options o = {
		.bpf_rings = s->bpf_rings,
		.possible_cpus = s->options.possible_cpus,
		.btf = s->options.btf,
		.rings_fd = s->n_rings || index ? program_rings_fd(s->events[0].program) : -1,
	};
	size_t entries;
	int r;

	o.knobs = (struct sampler_knobs){
		.flags = e->spec.stacks | sample_filter_flags(e->spec.filter),
		.event = index,
		.depth = s->options.depth,
		.exclude_pid = s->options.exclude_self ? (uint32_t)getpid() : 0,
		.wake_bytes = (uint32_t)(s->options.ring_bytes / 2),
	};
	e->knobs = o.knobs;
	r = program_load(&o, &e->program, ret_error);
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
	e->slots = calloc(s->options.possible_cpus, sizeof(*e->slots));
	if (!e->slots)
		return -ENOMEM;
	for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
		e->slots[cpu].fd = e->slots[cpu].link = -1;
	complete_attr(s, &e->spec.pmu.attr);
	e->rate = rate_of(&e->spec.pmu);
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
	return open ? 0 : r;
}

static int copy_options(struct sampler *s, const struct sampler_options *o)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	s->options = *o;
	s->cpus = malloc(MAX(o->n_cpus, (size_t)1) * sizeof(*s->cpus));
	s->counts = calloc(o->possible_cpus, sizeof(*s->counts));
	if (!s->cpus || !s->counts)
		return -ENOMEM;
	memcpy(s->cpus, o->cpus, o->n_cpus * sizeof(*s->cpus));
	s->options.cpus = s->cpus;
	s->bpf_rings = o->transport == TRANSPORT_BPF;
	s->ring_bytes = page;
	while (s->ring_bytes < o->ring_bytes)
		s->ring_bytes *= 2;
	s->options.ring_bytes = s->ring_bytes;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return s->epoll_fd < 0 ? -errno : 0;
}

int sampler_open(const struct sampler_options *options, const struct sampler_event *events,
		 size_t n_events, struct sampler **ret, char **ret_error)
{
	_cleanup_(sampler_closep) struct sampler *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->epoll_fd = -1;
	r = copy_options(s, options);
	if (r < 0)
		return r;
	s->events = calloc(n_events, sizeof(*s->events));
	if (!s->events)
		return -ENOMEM;
	for (; s->n_events < n_events; s->n_events++) {
		r = event_init(s, &s->events[s->n_events], (uint32_t)s->n_events, &events[s->n_events],
			       ret_error);
		if (r < 0) {
			event_done(s, &s->events[s->n_events]);
			return r;
		}
	}
	r = open_rings(s, ret_error);
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
	for (size_t i = 0; i < s->n_rings; i++) {
		ring_done(&s->rings[i]);
		safe_close(s->ring_fds[i]);
	}
	free(s->rings);
	free(s->ring_fds);
	safe_close(s->epoll_fd);
	free(s->cpus);
	free(s->counts);
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

/* --- running
 * ------------------------------------------------------------------------------------------------------
 */

static int for_each_fd(struct sampler *s, unsigned long request)
{
	int r = 0;

	for (size_t i = 0; i < s->n_events; i++)
		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++) {
			int fd = s->events[i].slots[cpu].fd;

			if (fd >= 0 && ioctl(fd, request, 0) < 0)
				r = -errno;
		}
	return r;
}

int sampler_enable(struct sampler *s)
{
	s->enabled = true;
	return s->options.task > 0 ? 0 : for_each_fd(s, PERF_EVENT_IOC_ENABLE);
}

int sampler_disable(struct sampler *s)
{
	s->enabled = false;
	return for_each_fd(s, PERF_EVENT_IOC_DISABLE);
}

int sampler_fd(const struct sampler *s)
{
	return s->epoll_fd;
}

struct ring *sampler_rings(struct sampler *s, size_t *ret_n)
{
	*ret_n = s->n_rings;
	return s->rings;
}

void sampler_received(struct sampler *s, const struct sample_record *rec)
{
	if (rec->event < s->n_events && rec->head.cpu < s->options.possible_cpus)
		ledger_receive(&s->events[rec->event].slots[rec->head.cpu].ledger, rec);
}

static void read_slot(struct event *e, struct slot *slot)
{
	uint64_t value[3];

	if (slot->fd >= 0 && read(slot->fd, value, sizeof(value)) == sizeof(value))
		ledger_read_event(&slot->ledger, value, &e->rate);
}

void sampler_ledger(struct sampler *s, uint64_t now_ns,
		    void (*each)(const struct record_ledger *l, void *userdata), void *userdata)
{
	for (size_t i = 0; i < s->n_events; i++) {
		struct event *e = &s->events[i];
		bool counted = program_read_counts(e->program, s->counts) == 0;

		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++) {
			struct slot *slot = &e->slots[cpu];
			struct record_ledger l;

			if (counted)
				ledger_balance(&slot->ledger, &s->counts[cpu]);
			read_slot(e, slot);
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
	return s->bpf_rings ? "BPF ring buffer" : "perf ring buffer";
}

const char *sampler_attach_name(const struct sampler *s)
{
	return s->linked ? "bpf_link" : "ioctl";
}

size_t sampler_ring_bytes(const struct sampler *s)
{
	return s->ring_bytes;
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

	for (size_t i = 0; i < s->n_rings; i++)
		lost += s->rings[i].lost;
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

static size_t ring_of_cpu(const struct sampler *s, int cpu)
{
	size_t i = 0;

	while (i < s->n_rings && s->options.cpus[i] != cpu)
		i++;
	return i;
}

void sampler_cpu_offline(struct sampler *s, int cpu)
{
	for (size_t i = 0; i < s->n_events; i++) {
		read_slot(&s->events[i], &s->events[i].slots[cpu]);
		slot_close(&s->events[i].slots[cpu]);
	}
}

/* The ring of a CPU that went away stays as it is on a BPF ring; a perf ring hangs on an event that
 * has died. */
static int reopen_ring(struct sampler *s, int cpu)
{
	size_t i = ring_of_cpu(s, cpu);

	if (i == s->n_rings)
		return -ENXIO;
	if (s->bpf_rings && s->rings[i].bpf.consumer)
		return 0;
	ring_done(&s->rings[i]);
	s->ring_fds[i] = safe_close(s->ring_fds[i]);
	s->rings[i] = (struct ring){ .cpu = cpu };
	return open_ring(s, i);
}

int sampler_cpu_online(struct sampler *s, int cpu)
{
	int r = reopen_ring(s, cpu);

	for (size_t i = 0; r == 0 && i < s->n_events; i++) {
		struct slot *slot = &s->events[i].slots[cpu];

		slot_close(slot);
		r = slot_open(s, &s->events[i], cpu, NULL);
		if (r == 0 && s->enabled && ioctl(slot->fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
			r = -errno;
	}
	return r;
}

void sampler_scale_rate(struct sampler *s, double factor)
{
	for (size_t i = 0; i < s->n_events; i++) {
		struct event *e = &s->events[i];
		double hz = MAX((double)e->spec.pmu.attr.sample_freq * factor, 1.0);
		uint64_t value = (uint64_t)hz;

		if (!e->spec.pmu.attr.freq)
			continue;
		/* The kernel turns a clock event's frequency into a period when it is opened. */
		if (e->rate.by_time) {
			value = (uint64_t)(1e9 / hz);
			e->rate.hz = hz;
		}
		for (size_t cpu = 0; cpu < s->options.possible_cpus; cpu++)
			if (e->slots[cpu].fd >= 0)
				(void)ioctl(e->slots[cpu].fd, PERF_EVENT_IOC_PERIOD, &value);
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
