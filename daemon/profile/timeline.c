// SPDX-License-Identifier: Apache-2.0
#include "profile/timeline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/parse.h"

#define DEFAULT_INTERVAL_NS (10 * NSEC_PER_SEC)
#define GRAIN_NS (100 * NSEC_PER_MSEC) /* intervals of reads differ by less than that */

struct builder {
	const struct timeline_options *options;
	struct timeline *t;
	bool laid_out;
	uint32_t *of_event; /* profile's event -> ours + 1 */
};

void timeline_done(struct timeline *t)
{
	for (size_t i = 0; i < t->n_events; i++) {
		free(t->events[i].name);
		free(t->events[i].samples);
	}
	free(t->events);
	free(t->values);
	series_list_done(&t->series);
	*t = (struct timeline){};
}

/* --- intervals ---------------------------------------------------------------------------------*/

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median length of the points of the first series that has any. */
static uint64_t usual_interval(const struct series_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct series *s = &l->list[i];
		_cleanup_free_ uint64_t *lengths = NULL;
		uint64_t median;

		if (s->n == 0)
			continue;
		lengths = calloc(s->n, sizeof(*lengths));
		for (size_t k = 0; lengths && k < s->n; k++)
			lengths[k] = s->points[k].end_ns - s->points[k].start_ns;
		if (!lengths)
			break;
		qsort(lengths, s->n, sizeof(*lengths), compare_u64);
		median = (lengths[s->n / 2] + GRAIN_NS / 2) / GRAIN_NS * GRAIN_NS;
		return median ? median : GRAIN_NS;
	}
	return DEFAULT_INTERVAL_NS;
}

/* A moment at which an interval ends, so that intervals are those of the series. */
static uint64_t anchor_of(const struct series_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].n)
			return l->list[i].points[l->list[i].n - 1].end_ns;
	return 0;
}

/* Where anything was recorded, within what was asked for; false: nowhere. */
static bool find_window(const struct builder *b, const struct profile *p, uint64_t *ret_start,
			uint64_t *ret_end)
{
	const struct profile_filter *f = b->options->filter;
	uint64_t start = p && p->samples ? p->first_ns : UINT64_MAX;
	uint64_t end = p && p->samples ? p->last_ns + 1 : 0;

	for (size_t i = 0; i < b->t->series.n; i++) {
		const struct series *s = &b->t->series.list[i];

		if (s->n == 0)
			continue;
		start = MIN(start, s->points[0].start_ns);
		end = MAX(end, s->points[s->n - 1].end_ns);
	}
	start = MAX(start, f->since_ns);
	end = f->until_ns ? MIN(end, f->until_ns) : end;
	*ret_start = start;
	*ret_end = end;
	return start < end;
}

static int lay_out(struct builder *b, const struct profile *p)
{
	struct timeline *t = b->t;
	uint64_t start, end, phase, step = b->options->interval_ns;
	uint64_t n;

	b->laid_out = true;
	if (!find_window(b, p, &start, &end))
		return -ENODATA;
	if (!step)
		step = usual_interval(&t->series);
	if (b->options->most && (end - start) / step >= b->options->most)
		step *= (end - start) / step / b->options->most + 1;
	phase = anchor_of(&t->series) % step;
	t->interval_ns = step;
	/* A sliver in front, of a read that came a moment early, is no interval. */
	t->start_ns = start + step / 10 - (start + step / 10 - phase) % step;
	n = end > t->start_ns ? (end - t->start_ns + step - 1) / step : 1;
	if (n > 1 && (end - t->start_ns) % step && (end - t->start_ns) % step < step / 10)
		n--;
	if (n > TIMELINE_MAX)
		return -E2BIG;
	t->n = n;
	return 0;
}

/* --- samples -----------------------------------------------------------------------------------*/

/* *ret is new, or one that has the name. */
static int add_event(struct builder *b, const char *name, uint32_t *ret)
{
	struct timeline *t = b->t;
	struct timeline_event *grown;

	for (size_t i = 0; i < t->n_events; i++)
		if (strcmp(t->events[i].name, name) == 0) {
			*ret = (uint32_t)i;
			return 0;
		}
	grown = reallocarray(t->events, t->n_events + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->events = grown;
	grown[t->n_events] = (struct timeline_event){
		.name = strdup(name),
		.samples = calloc(t->n, sizeof(uint64_t)),
	};
	*ret = (uint32_t)t->n_events++;
	return grown[*ret].name && grown[*ret].samples ? 0 : -ENOMEM;
}

static char *event_name(const struct profile *p, const struct profile_event *e)
{
	char *name;

	if (!profile_event_shares_name(p, e))
		return strdup(e->fired);
	return asprintf(&name, "%s (%s)", e->fired, e->profile) < 0 ? NULL : name;
}

static int event_of(struct builder *b, const struct profile *p, uint32_t event, uint32_t *ret)
{
	if (!b->of_event) {
		b->of_event = calloc(p->n_events + 1, sizeof(*b->of_event));
		if (!b->of_event)
			return -ENOMEM;
	}
	if (b->of_event[event] == 0) {
		_cleanup_free_ char *name = event_name(p, &p->events[event]);
		int r = name ? add_event(b, name, &b->of_event[event]) : -ENOMEM;

		if (r < 0)
			return r;
		b->of_event[event]++;
	}
	*ret = b->of_event[event] - 1;
	return 0;
}

/* Slivers at both ends belong to the intervals beside them. */
static size_t interval_of(const struct timeline *t, uint64_t realtime_ns)
{
	size_t i = realtime_ns > t->start_ns ? (realtime_ns - t->start_ns) / t->interval_ns : 0;

	return MIN(i, t->n - 1);
}

static int take_sample(const struct profile *p, const struct profile_sample *s, void *userdata)
{
	struct builder *b = userdata;
	uint32_t event = 0;
	int r = b->laid_out ? 0 : lay_out(b, p);

	if (r == 0)
		r = event_of(b, p, s->event, &event);
	if (r < 0)
		return r;
	b->t->events[event].samples[interval_of(b->t, s->realtime_ns)]++;
	return 0;
}

/* --- values ------------------------------------------------------------------------------------*/

static uint64_t overlap(const struct timeline *t, size_t interval, const struct series_point *p)
{
	uint64_t start = t->start_ns + interval * t->interval_ns, end = start + t->interval_ns;

	start = MAX(start, p->start_ns);
	end = MIN(end, p->end_ns);
	return end > start ? end - start : 0;
}

static void average(const struct timeline *t, const struct series *s, struct timeline_value *values)
{
	for (size_t i = 0, first = 0; i < t->n; i++) {
		uint64_t start = t->start_ns + i * t->interval_ns, end = start + t->interval_ns;
		double value = 0, running = 0, weight = 0;

		while (first < s->n && s->points[first].end_ns <= start)
			first++;
		for (size_t k = first; k < s->n && s->points[k].start_ns < end; k++) {
			double w = (double)overlap(t, i, &s->points[k]);

			if (!s->points[k].present)
				continue;
			value += w * s->points[k].value;
			running += w * s->points[k].running_ratio;
			weight += w;
		}
		if (2 * weight >= (double)t->interval_ns)
			values[i] =
				(struct timeline_value){ true, value / weight, running / weight };
	}
}

static int average_all(struct timeline *t)
{
	t->values = calloc(t->series.n * t->n + 1, sizeof(*t->values));
	if (!t->values)
		return -ENOMEM;
	for (size_t i = 0; i < t->series.n; i++)
		average(t, &t->series.list[i], &t->values[i * t->n]);
	return 0;
}

static int build(struct builder *b, char **ret_error)
{
	const struct timeline_options *o = b->options;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_free_ char *error = NULL;
	int r = series_load(o->paths, o->n_paths, o->queries, o->n_queries, o->filter->since_ns,
			    o->filter->until_ns, &b->t->series, ret_error);

	if (r < 0)
		return r;
	r = profile_walk(o->paths, o->n_paths, o->filter, &p, take_sample, b, &error);
	if (r == -ENODATA || (r == 0 && !b->laid_out))
		r = lay_out(b, NULL);
	if (r == 0)
		r = average_all(b->t);
	if (r == -E2BIG) {
		if (asprintf(ret_error, "there would be more than %d intervals", TIMELINE_MAX) < 0)
			*ret_error = NULL;
	} else if (r < 0) {
		*ret_error = TAKE_PTR(error);
	}
	return r;
}

int timeline_load(const struct timeline_options *options, struct timeline *ret, char **ret_error)
{
	struct timeline t = {};
	struct builder b = { .options = options, .t = &t };
	int r = build(&b, ret_error);

	free(b.of_event);
	if (r < 0) {
		timeline_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}
