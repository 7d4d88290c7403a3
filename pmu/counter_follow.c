// SPDX-License-Identifier: Apache-2.0
/*
 * Opening, and opening anew: when CPUs or drivers come or go, and after the counters were given up
 * for someone else. An event of a CPU that went offline stays off for ever, even when the CPU is
 * back, and its reads go on without an error; so whenever the list of CPUs differs, all is opened
 * anew, with counters measured and groups made again.
 */
#include <errno.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/internal.h"

static int read_online(const struct pmu_counters *c, char **ret)
{
	return pmu_read_file(ret, "%s/devices/system/cpu/online", c->sysfs);
}

static void forget(struct pmu_counters *c)
{
	counter_units_close(c, false);
	free(c->units);
	c->units = NULL;
	c->n_units = 0;
	counter_plan_done(c);
	pmu_topology_done(&c->topology);
	pmu_devices_done(&c->devices);
	for (size_t i = 0; i < c->n_phantoms; i++)
		free(c->phantoms[i].pmu);
	free(c->phantoms);
	free(c->phantom_text);
	free(c->online);
	c->phantoms = NULL;
	c->phantom_text = c->online = NULL;
	c->n_phantoms = 0;
}

static int look_around(struct pmu_counters *c)
{
	int r;

	pmu_machine_read(c->sysfs, &c->machine);
	c->fingerprint = pmu_devices_fingerprint(c->sysfs);
	r = read_online(c, &c->online);
	if (r == 0)
		r = pmu_topology_read(c->sysfs, &c->topology);
	if (r == 0)
		r = pmu_devices_read(c->sysfs, &c->devices);
	return r == -ENOENT && c->topology.n ? 0 : r;
}

static int resolve_all(struct pmu_counters *c, char **ret_error)
{
	for (size_t i = 0; i < c->n_events; i++) {
		struct counter_event *e = &c->events[i];
		int r = counter_event_resolve(c, e);

		if (r == -ENOMEM)
			return r;
		if (r < 0 && !e->optional && e->reason)
			return pmu_fail(ret_error, r, "%s", e->reason);
	}
	return 0;
}

static int open_all(struct pmu_counters *c, char **ret_error)
{
	int r;

	forget(c);
	r = look_around(c);
	if (r < 0)
		return pmu_fail(ret_error, r,
				"the CPUs and PMUs of this machine cannot be read "
				"from %s: %s",
				c->sysfs, strerror(-r));
	r = resolve_all(c, ret_error);
	if (r == 0)
		r = counter_find_phantoms(c);
	if (r == 0)
		r = counter_plan_all(c, ret_error);
	if (r == 0)
		r = counter_units_open(c, ret_error);
	return r;
}

int pmu_counters_open(struct pmu_counters *c, char **ret_error)
{
	char *error = NULL;
	int r = open_all(c, &error);

	if (r < 0) {
		forget(c);
		if (!error)
			pmu_fail(&error, r, "%s", strerror(-r));
		*ret_error = error;
		return r;
	}
	free(error);
	return 0;
}

int pmu_counters_start(struct pmu_counters *c)
{
	c->started = true;
	return counter_units_start(c);
}

static int open_anew(struct pmu_counters *c, char **ret_error)
{
	int r;

	/* what was known at the start may be gone now, and come again */
	for (size_t i = 0; i < c->n_events; i++)
		c->events[i].optional = true;
	r = pmu_counters_open(c, ret_error);
	if (r == 0 && c->started)
		r = counter_units_start(c);
	return r;
}

static bool is_changed(struct pmu_counters *c)
{
	_cleanup_(pmu_freep) char *online = NULL;

	if (pmu_devices_fingerprint(c->sysfs) != c->fingerprint)
		return true;
	return read_online(c, &online) == 0 && (!c->online || strcmp(online, c->online) != 0);
}

int pmu_counters_follow(struct pmu_counters *c, char **ret_error)
{
	int r;

	if (counters_of_tasks(c) || c->yielded)
		return 0;
	if (!is_changed(c)) {
		counter_units_retry(c);
		return 0;
	}
	r = open_anew(c, ret_error);
	return r < 0 ? r : 1;
}

void pmu_counters_yield(struct pmu_counters *c)
{
	counter_units_close(c, true);
	c->yielded = true;
}

int pmu_counters_resume(struct pmu_counters *c, char **ret_error)
{
	if (!c->yielded)
		return 0;
	c->yielded = false;
	return open_anew(c, ret_error);
}

static void done(struct pmu_counters *c)
{
	forget(c);
	for (size_t i = 0; i < c->n_events; i++)
		counter_event_done(&c->events[i]);
	free(c->events);
	free(c->counts);
	free(c->tasks);
	free(c->sysfs);
}

struct pmu_counters *pmu_counters_free(struct pmu_counters *c)
{
	if (c)
		done(c);
	free(c);
	return NULL;
}
