// SPDX-License-Identifier: Apache-2.0
#include "pmu/counter_sum.h"

#include <errno.h>
#include <stdlib.h>

#include "pmu/counter_internal.h"

/* Where a count goes: fields the table does not tell apart are -1. */
static struct pmu_sum place_of(const struct pmu_counters *c, const struct pmu_count *count,
			       enum pmu_sum_by by)
{
	enum pmu_grain grain = c->events[count->event].grain;
	struct pmu_sum s = {
		.event = count->event,
		.group = count->group,
		.socket = -1,
		.die = -1,
		.core = -1,
		.cpu = -1,
	};

	if (by >= PMU_SUM_SOCKET)
		s.socket = count->socket;
	if (by >= PMU_SUM_CORE && grain <= PMU_GRAIN_CORE) {
		s.die = count->die;
		s.core = count->core;
	}
	if (by >= PMU_SUM_CPU && grain == PMU_GRAIN_CPU)
		s.cpu = count->cpu;
	return s;
}

static int compare(const void *a, const void *b)
{
	const struct pmu_sum *x = a, *y = b;
	const int pairs[][2] = {
		{ x->socket, y->socket },
		{ x->die, y->die },
		{ x->core, y->core },
		{ x->cpu, y->cpu },
		{ (int)x->event, (int)y->event },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i][0] != pairs[i][1])
			return pairs[i][0] < pairs[i][1] ? -1 : 1;
	return 0;
}

static void fill(struct pmu_sum *s, const struct pmu_count *count)
{
	if (count->error) {
		s->missing = 1;
		s->error = count->error;
		return;
	}
	s->counted = 1;
	s->value = count->value;
	s->delta = count->delta;
	s->enabled_ns = count->enabled_ns;
	s->running_ns = count->running_ns;
}

static void add(struct pmu_sum *to, const struct pmu_sum *s)
{
	to->value += s->value;
	to->delta += s->delta;
	to->enabled_ns += s->enabled_ns;
	to->running_ns += s->running_ns;
	to->counted += s->counted;
	to->missing += s->missing;
	to->error = to->counted ? 0 : s->error;
}

/* An event that is open nowhere has no counts, and is missing all the same. */
static size_t add_uncounted(const struct pmu_counters *c, struct pmu_sum *sums, size_t n)
{
	for (size_t i = 0; i < c->n_events; i++)
		if (c->events[i].error)
			sums[n++] = (struct pmu_sum){
				.event = i,
				.group = c->events[i].plan,
				.socket = -1,
				.die = -1,
				.core = -1,
				.cpu = -1,
				.error = c->events[i].error,
			};
	return n;
}

int pmu_sum_counts(const struct pmu_counters *c, const struct pmu_count *counts, size_t n,
		   enum pmu_sum_by by, struct pmu_sum **ret, size_t *ret_n)
{
	struct pmu_sum *sums = calloc(n + c->n_events + 1, sizeof(*sums));
	size_t used = 0, kept = 0;

	if (!sums)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (c->events[counts[i].event].error)
			continue;
		sums[used] = place_of(c, &counts[i], by);
		fill(&sums[used++], &counts[i]);
	}
	used = add_uncounted(c, sums, used);
	if (used)
		qsort(sums, used, sizeof(*sums), compare);
	for (size_t i = 0; i < used; i++) {
		if (kept && compare(&sums[kept - 1], &sums[i]) == 0)
			add(&sums[kept - 1], &sums[i]);
		else
			sums[kept++] = sums[i];
	}
	*ret = sums;
	*ret_n = kept;
	return 0;
}

double pmu_sums_seconds(const struct pmu_sum *const *sums, size_t n)
{
	double enabled_ns = 0, counted = 0;

	for (size_t i = 0; i < n; i++) {
		enabled_ns += (double)sums[i]->enabled_ns;
		counted += (double)sums[i]->counted;
	}
	return counted > 0 ? enabled_ns / counted / 1e9 : 0;
}

double pmu_sum_running_ratio(const struct pmu_sum *s)
{
	return s->enabled_ns ? (double)s->running_ns / (double)s->enabled_ns : s->counted ? 1 : 0;
}
