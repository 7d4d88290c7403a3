// SPDX-License-Identifier: Apache-2.0
/*
 * perf_event_open(2) with the steps down that keep an event alive where it is refused as written:
 * without exclude_guest (PMUs that know no guests), with less precision (what the CPU can do is
 * only found by asking), without the kernel half (perf_event_paranoid 2). Whatever held is left in
 * ev->attr, so that the next CPU takes one call.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pmu/internal.h"
#include "pmu/open.h"
#include "pmu/perf_ops.h"
#include "pmu/sysfs.h"

/* Steps worth another try: the kernel did not like the form, not the event. */
static bool is_about_form(int r)
{
	return r == -EINVAL || r == -EOPNOTSUPP;
}

/* The error is that of the plainest form. */
static int open_any_form(const struct pmu_kernel *k, const struct perf_event_attr *asked,
			 const struct pmu_target *t, struct perf_event_attr *ret)
{
	int r = -EINVAL;

	for (int precise = asked->precise_ip; precise >= 0; precise--)
		for (int guest = asked->exclude_guest; guest >= 0; guest--) {
			struct perf_event_attr attr = *asked;

			if (precise != asked->precise_ip)
				pmu_set_precise(&attr, (unsigned int)precise);
			attr.exclude_guest = guest;
			r = k->open(&attr, t, k->userdata);
			if (r >= 0)
				*ret = attr;
			if (r >= 0 || !is_about_form(r))
				return r;
		}
	return r;
}

/*
 * On a hybrid CPU a generic event belongs to one kind of core; the other kind answers ENOENT until
 * its PMU's type stands in the upper half of config (perf_event_open(2), from kernel 5.13).
 */
static int open_on_hybrid(const struct pmu_kernel *k, const struct perf_event_attr *asked,
			  const struct pmu_target *t, struct perf_event_attr *ret)
{
	static const char *const kinds[] = { "cpu_core", "cpu_atom", "cpu_lowpower" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct perf_event_attr attr = *asked, held;
		uint64_t type;
		int r;

		if (pmu_read_u64(&type, "%s/" SYSFS_DEVICES "/%s/type", k->sysfs, kinds[i]) < 0)
			continue;
		attr.config |= type << 32;
		r = open_any_form(k, &attr, t, &held);
		if (r >= 0) {
			*ret = held;
			ret->config = asked->config; /* the next CPU may be of the other kind */
			return r;
		}
	}
	return -ENOENT;
}

static int open_any_core(const struct pmu_kernel *k, const struct perf_event_attr *asked,
			 const struct pmu_target *t, struct perf_event_attr *ret)
{
	int r = open_any_form(k, asked, t, ret);

	if (r == -ENOENT && t->cpu >= 0 &&
	    (asked->type == PERF_TYPE_HARDWARE || asked->type == PERF_TYPE_HW_CACHE))
		r = open_on_hybrid(k, asked, t, ret);
	return r;
}

/* The name says what is left. */
static void rename_to_user(struct pmu_event *ev)
{
	char *name;

	if (asprintf(&name, "%s:u", ev->name) < 0)
		return;
	free(ev->name);
	ev->name = name;
}

int pmu_event_open_by(const struct pmu_kernel *k, struct pmu_event *ev, const struct pmu_target *t)
{
	struct perf_event_attr asked = ev->attr, held;
	int r, fd;

	if (t->cpu >= 0 && pmu_event_cpu(ev, t->cpu) != t->cpu)
		return -ENODEV;
	asked.size = sizeof(asked);
	/*
	 * A group begins with its leader. Members that are enabled one by one behind it are said to
	 * run, and count nothing, when it is of another PMU: page-faults behind cpu-clock on 6.18.
	 */
	asked.disabled = t->group_fd < 0;
	fd = open_any_core(k, &asked, t, &held);
	if (fd == -EACCES && !asked.exclude_kernel && !asked.exclude_user) {
		r = fd;
		asked.exclude_kernel = 1;
		asked.exclude_hv = 1;
		fd = open_any_core(k, &asked, t, &held);
		if (fd < 0)
			return r;
		rename_to_user(ev);
	}
	if (fd >= 0)
		ev->attr = held;
	ev->attr.disabled = 1; /* the place in a group is not the event's */
	return fd;
}

static int open_aux(const struct pmu_kernel *k, const struct pmu_event *ev,
		    const struct pmu_target *t)
{
	const struct pmu_defaults defaults = { .sysfs = k->sysfs };
	_cleanup_(pmu_freep) char *spec = NULL, *error = NULL;
	struct pmu_event *aux = NULL;
	size_t n = 0;
	int r;

	if (asprintf(&spec, "%s/mem-loads-aux/", ev->pmu) < 0) {
		spec = NULL;
		return -ENOMEM;
	}
	r = pmu_events_parse(spec, &defaults, &aux, &n, &error);
	if (r < 0)
		return r == -ENOMEM ? r : -ENODATA;
	pmu_event_count_only(aux);
	aux->attr.inherit = ev->attr.inherit;
	aux->attr.enable_on_exec = ev->attr.enable_on_exec;
	r = pmu_event_open_by(k, aux, t);
	pmu_events_free(aux, n);
	return r;
}

int pmu_event_open_led(const struct perf_ops *ops, const char *sysfs, struct pmu_event *ev,
		       const struct pmu_target *t, int *ret_leader)
{
	const struct pmu_kernel k = { ops->open, ops->userdata, sysfs };
	struct pmu_target behind = *t;
	int fd = pmu_event_open_by(&k, ev, t);

	*ret_leader = -1;
	if (fd != -ENODATA)
		return fd;
	behind.group_fd = open_aux(&k, ev, t);
	if (behind.group_fd < 0)
		return behind.group_fd;
	fd = pmu_event_open_by(&k, ev, &behind);
	if (fd < 0)
		ops->close(behind.group_fd, ops->userdata);
	else
		*ret_leader = behind.group_fd;
	return fd;
}

int pmu_ask_kernel(struct perf_event_attr *attr, const struct pmu_target *t, void *userdata)
{
	long fd = syscall(SYS_perf_event_open, attr, t->pid, t->cpu, t->group_fd, t->flags);

	(void)userdata;
	return fd < 0 ? -errno : (int)fd;
}

int pmu_event_open(struct pmu_event *ev, pid_t pid, int cpu, int group_fd, unsigned long flags)
{
	const struct pmu_kernel kernel = { pmu_ask_kernel, NULL, "/sys" };
	const struct pmu_target t = { pid, cpu, group_fd, flags | PERF_FLAG_FD_CLOEXEC };

	return pmu_event_open_by(&kernel, ev, &t);
}
