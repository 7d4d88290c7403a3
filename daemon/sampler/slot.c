// SPDX-License-Identifier: Apache-2.0
/*
 * One event on one CPU: opened, its program attached, the counters beside it.
 */
#include <linux/types.h>

#include "sampler/sampler_state.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/ioctl.h>

#include "pmu/perf_ops.h"

void slot_init(struct slot *slot)
{
	*slot = (struct slot){ .fd = -1, .leader = -1, .link = -1 };
	for (size_t i = 0; i < ARRAY_SIZE(slot->counters); i++)
		slot->counters[i] = -1;
}

void slot_close(struct slot *slot)
{
	for (size_t i = 0; i < ARRAY_SIZE(slot->counters); i++)
		slot->counters[i] = safe_close(slot->counters[i]);
	slot->link = safe_close(slot->link);
	slot->fd = safe_close(slot->fd);
	slot->leader = safe_close(slot->leader);
}

int slot_switch(const struct slot *slot, unsigned long request)
{
	int r = ioctl(slot->fd, request, 0) < 0 ? -errno : 0;

	if (slot->leader >= 0 && ioctl(slot->leader, request, 0) < 0 && r == 0)
		r = -errno;
	return r;
}

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

/* What the PMU msr reads runs by itself (Linux arch/x86/events/msr.c: in the context of software
 * events, like the others). */
bool holds_counter(const struct pmu_event *ev)
{
	return ev->attr.type != PERF_TYPE_SOFTWARE && ev->attr.type != PERF_TYPE_TRACEPOINT &&
	       ev->attr.type != PERF_TYPE_BREAKPOINT && strcmp(ev->pmu, "msr") != 0;
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

/* What tells of other tasks where the program cannot ask the task itself. */
static void open_switches(struct sampler *s, struct event *e, int cpu)
{
	struct pmu_event switches = { .name = (char *)"context-switches" };

	switches.attr.type = PERF_TYPE_SOFTWARE;
	switches.attr.size = sizeof(switches.attr);
	switches.attr.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
	switches.attr.disabled = 1;
	(void)open_counter(s, e, e->spec.n_counters, &switches, cpu);
}

/* A counter that cannot be had on this CPU is absent in its samples. */
static void open_counters(struct sampler *s, struct event *e, int cpu)
{
	for (size_t i = 0; i < e->spec.n_counters; i++)
		(void)open_counter(s, e, i, &e->spec.counters[i], cpu);
	if (e->spec.n_counters && !e->knobs.split && !s->tasks_known)
		open_switches(s, e, cpu);
}

int slot_open(struct sampler *s, struct event *e, int cpu, char **ret_error)
{
	struct slot *slot = &e->slots[cpu];
	const struct pmu_target target = { .pid = s->options.task > 0 ? s->options.task : -1,
					   .cpu = cpu,
					   .group_fd = -1,
					   .flags = PERF_FLAG_FD_CLOEXEC };
	int fd, r;

	if (!event_samples_cpu(e, cpu))
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
