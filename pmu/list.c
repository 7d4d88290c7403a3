// SPDX-License-Identifier: Apache-2.0
/*
 * What this machine can do, by trying: every known name is resolved and opened the way it would be
 * used, for sampling first, for counting when that is refused.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmu/internal.h"
#include "pmu/strerror.h"

struct listing {
	const char *pattern, *sysfs;
	struct pmu_machine machine;
	struct pmu_listed *rows;
	size_t n;
};

static int probe(struct pmu_event *ev)
{
	int fd = pmu_event_open(ev, -1, pmu_event_cpu(ev, sched_getcpu()), -1, 0);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* The same event without a rate. */
static int probe_counting(const struct pmu_event *ev)
{
	struct pmu_event counting;
	int r;

	r = pmu_event_copy(ev, &counting);
	if (r < 0)
		return r;
	pmu_set_period(&counting.attr, 0);
	pmu_set_precise(&counting.attr, 0);
	r = probe(&counting);
	pmu_event_done(&counting);
	return r;
}

static int try_both(const struct listing *l, struct pmu_event *ev, struct pmu_listed *row)
{
	int sampling = ev->countable_only ? -EOPNOTSUPP : probe(ev), counting;

	row->freq_hz = ev->attr.freq ? ev->attr.sample_freq : 0;
	row->period = ev->attr.freq ? 0 : ev->attr.sample_period;
	if (sampling == 0) {
		row->ability = PMU_SAMPLES;
		return 0;
	}
	counting = probe_counting(ev);
	row->ability = counting == 0 ? PMU_COUNTS : PMU_UNAVAILABLE;
	row->error = counting == 0 ? sampling : counting;
	row->reason = pmu_why(ev, row->error, &l->machine);
	return row->reason ? 0 : -ENOMEM;
}

static void listed_done(struct pmu_listed *row)
{
	free(row->name);
	free(row->description);
	free(row->pmu);
	free(row->reason);
}

struct pmu_listed *pmu_listed_free(struct pmu_listed *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		listed_done(&list[i]);
	free(list);
	return NULL;
}

static int fill(const struct listing *l, const struct pmu_known *known, struct pmu_listed *row)
{
	struct pmu_event ev;
	int r;

	row->name = strdup(known->name);
	row->description = strdup(known->description ? known->description : "");
	if (!row->name || !row->description)
		return -ENOMEM;
	r = pmu_resolve(known->name, l->sysfs, &ev, &row->reason);
	if (r < 0) {
		row->pmu = strdup(known->pmu ? known->pmu : "");
		row->ability = PMU_UNAVAILABLE;
		row->error = r;
		return row->pmu && row->reason ? 0 : -ENOMEM;
	}
	row->pmu = strdup(ev.pmu);
	r = row->pmu ? try_both(l, &ev, row) : -ENOMEM;
	pmu_event_done(&ev);
	return r;
}

static int add(struct listing *l, const struct pmu_known *known, enum pmu_source source)
{
	struct pmu_listed row = { .source = source }, *grown;
	int r;

	if (l->pattern && !strcasestr(known->name, l->pattern))
		return 0;
	r = fill(l, known, &row);
	grown = r < 0 ? NULL : realloc(l->rows, (l->n + 1) * sizeof(*grown));
	if (!grown) {
		listed_done(&row);
		return r < 0 ? r : -ENOMEM;
	}
	l->rows = grown;
	l->rows[l->n++] = row;
	return 0;
}

static int add_alias(const struct pmu_known *known, void *userdata)
{
	return add(userdata, known, PMU_SOURCE_ALIAS);
}

static int add_pfm(const struct pmu_known *known, void *userdata)
{
	return add(userdata, known, PMU_SOURCE_LIBPFM4);
}

static int add_sysfs(const struct pmu_known *known, void *userdata)
{
	return add(userdata, known, PMU_SOURCE_SYSFS);
}

static int compare(const void *a, const void *b)
{
	const struct pmu_listed *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return strcmp(x->name, y->name);
}

int pmu_list(const char *pattern, const char *sysfs, struct pmu_listed **ret, size_t *ret_n)
{
	struct listing l = { .pattern = pattern, .sysfs = sysfs ? sysfs : "/sys" };
	int r;

	pmu_machine_read(l.sysfs, &l.machine);
	r = catalog_each(add_alias, &l);
	if (r == 0)
		r = pfm_each(add_pfm, &l);
	if (r == 0)
		r = sysfs_each(l.sysfs, add_sysfs, &l);
	if (r < 0) {
		pmu_listed_free(l.rows, l.n);
		return r;
	}
	if (l.n)
		qsort(l.rows, l.n, sizeof(*l.rows), compare);
	*ret = l.rows;
	*ret_n = l.n;
	return 0;
}
