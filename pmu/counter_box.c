// SPDX-License-Identifier: Apache-2.0
/*
 * Where events are opened: on every CPU, on the CPUs of a mask, or in tasks; and which boxes are
 * none. Drivers make PMUs for memory channels that are not wired: their counters stand still or
 * read as anything, and so does their clock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmu/counter_internal.h"
#include "pmu/cpu_list.h"
#include "pmu/internal.h"
#include "pmu/sysfs.h"

/* A live clock of 100 MHz has made 100,000 ticks by then. */
#define CLOCK_WAIT_NS 1000000

static bool is_phantom(const struct pmu_counters *c, const char *pmu, int cpu)
{
	for (size_t i = 0; i < c->n_phantoms; i++)
		if (c->phantoms[i].cpu == cpu && strcmp(c->phantoms[i].pmu, pmu) == 0)
			return true;
	return false;
}

static struct counter_unit box_on_cpu(size_t instance, const struct pmu_place *place)
{
	return (struct counter_unit){
		.instance = instance,
		.target = { .pid = -1, .cpu = place->cpu, .group_fd = -1 },
		.place = *place,
	};
}

static struct counter_unit box_of_task(pid_t task)
{
	return (struct counter_unit){
		.target = { .pid = task, .cpu = -1, .group_fd = -1 },
		.place = { .cpu = -1, .socket = -1, .die = -1, .core = -1 },
	};
}

static size_t task_boxes(const struct pmu_counters *c, struct counter_unit *boxes)
{
	for (size_t i = 0; i < c->n_tasks; i++)
		boxes[i] = box_of_task(c->tasks[i]);
	return c->n_tasks;
}

static size_t cpu_boxes(const struct pmu_counters *c, const struct pmu_event *ev, size_t instance,
			const int *cpus, size_t n_cpus, struct counter_unit *boxes)
{
	size_t n = 0;

	for (size_t i = 0; i < c->topology.n; i++) {
		const struct pmu_place *p = &c->topology.cpus[i];

		if ((!ev->cpus || pmu_cpu_list_has(cpus, n_cpus, p->cpu)) &&
		    !is_phantom(c, ev->pmu, p->cpu))
			boxes[n++] = box_on_cpu(instance, p);
	}
	return n;
}

int counter_boxes(const struct pmu_counters *c, const struct counter_event *e, size_t instance,
		  struct counter_unit **ret, size_t *ret_n)
{
	const struct pmu_event *ev = &e->instances[instance];
	size_t most = counters_of_tasks(c) ? c->n_tasks : c->topology.n, n_cpus = 0;
	_cleanup_(pmu_freep) int *cpus = NULL;
	struct counter_unit *boxes;
	int r;

	r = ev->cpus ? pmu_cpu_list_parse(ev->cpus, &cpus, &n_cpus) : 0;
	if (r < 0)
		return r;
	boxes = calloc(most, sizeof(*boxes));
	if (!boxes)
		return -ENOMEM;
	*ret_n = counters_of_tasks(c) ? task_boxes(c, boxes)
				      : cpu_boxes(c, ev, instance, cpus, n_cpus, boxes);
	*ret = boxes;
	return 0;
}

bool counter_probe_target(const struct pmu_counters *c, const struct counter_event *e,
			  size_t instance, struct pmu_target *ret)
{
	_cleanup_(pmu_freep) struct counter_unit *boxes = NULL;
	size_t n;

	if (counters_of_tasks(c)) {
		*ret = (struct pmu_target){ .pid = 0, .cpu = -1, .group_fd = -1 };
		return true;
	}
	if (counter_boxes(c, e, instance, &boxes, &n) < 0 || n == 0)
		return false;
	*ret = boxes[0].target;
	return true;
}

/* Something counts at once, or it has had a counter for a while in vain. */
static bool clock_stands(const struct perf_ops *ops, struct counter_group *g)
{
	uint64_t started = ops->now_ns(ops->userdata), running = 0;
	struct counter_step step;

	do {
		if (counter_group_read(ops, g, &step) < 0)
			return false;
		running += step.running_ns;
		if (step.deltas[0])
			return step.deltas[0] >> 48; /* wider than the hardware's counters */
	} while (ops->now_ns(ops->userdata) - started < CLOCK_WAIT_NS);
	return running > 0;
}

static bool has_no_clock(const struct pmu_counters *c, struct pmu_event *ev, int cpu)
{
	const struct pmu_target t = { .pid = -1, .cpu = cpu, .group_fd = -1 };
	struct counter_group *g;
	bool stands;

	if (counter_group_open(c->ops, c->sysfs, &ev, 1, &t, &g) < 0)
		return false;
	stands = counter_group_enable(c->ops, g) == 0 && clock_stands(c->ops, g);
	counter_group_close(c->ops, g);
	return stands;
}

static int add_phantom(struct pmu_counters *c, const char *pmu, int cpu)
{
	struct phantom *grown = realloc(c->phantoms, (c->n_phantoms + 1) * sizeof(*grown));
	char *text, *name = strdup(pmu);

	if (grown)
		c->phantoms = grown;
	if (!grown || !name ||
	    asprintf(&text, "%s%s%s (CPU %d)", c->phantom_text ? c->phantom_text : "",
		     c->phantom_text ? ", " : "", pmu, cpu) < 0) {
		free(name);
		return -ENOMEM;
	}
	free(c->phantom_text);
	c->phantom_text = text;
	c->phantoms[c->n_phantoms++] = (struct phantom){ name, cpu };
	return 0;
}

/* The boxes of one PMU, where its clock can be asked. */
static int look_at(struct pmu_counters *c, struct cpu_walk *walk, const char *pmu)
{
	struct counter_event clock = { 0 };
	struct counter_unit *boxes = NULL;
	size_t n = 0;
	int r = 0;

	if (!sysfs_has(c->sysfs, pmu, "events/clockticks"))
		return 0;
	if (asprintf(&clock.spec, "%s/clockticks/", pmu) < 0)
		return -ENOMEM;
	if (counter_event_resolve(c, &clock) == 0)
		r = counter_boxes(c, &clock, 0, &boxes, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		int cpu = boxes[i].target.cpu;

		cpu_walk_to(walk, cpu);
		if (has_no_clock(c, &clock.instances[0], cpu))
			r = add_phantom(c, pmu, cpu);
	}
	free(boxes);
	counter_event_done(&clock);
	return r;
}

static bool was_seen(const struct pmu_counters *c, size_t event, const char *pmu)
{
	for (size_t i = 0; i < event; i++)
		for (size_t k = 0; k < c->events[i].n_instances; k++)
			if (strcmp(c->events[i].instances[k].pmu, pmu) == 0)
				return true;
	return false;
}

int counter_find_phantoms(struct pmu_counters *c)
{
	struct cpu_walk walk;
	int r = 0;

	if (counters_of_tasks(c))
		return 0;
	cpu_walk_begin(&walk, c->ops);
	for (size_t i = 0; i < c->n_events; i++)
		for (size_t k = 0; k < c->events[i].n_instances && r == 0; k++) {
			const char *pmu = c->events[i].instances[k].pmu;

			if (c->events[i].kind == PMU_KIND_UNCORE && !was_seen(c, i, pmu))
				r = look_at(c, &walk, pmu);
		}
	cpu_walk_end(&walk);
	return r;
}
