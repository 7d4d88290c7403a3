// SPDX-License-Identifier: Apache-2.0
#include "profile/when.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/parse.h"

/* --- what was typed --- */

static int refuse(char **ret_error, const char *text, const char *what)
{
	if (asprintf(ret_error,
		     "'%s' is no condition: %s; such as 'ipc < 1', 'memory_bandwidth[socket=0] > "
		     "20GB/s' or 'cpu.iowait_percent > 10'",
		     text, what) < 0)
		*ret_error = NULL;
	return -EINVAL;
}

void when_done(struct when *w)
{
	series_query_done(&w->query);
	free(w->unit);
	*w = (struct when){};
}

/* The factor of "k", "Ki" and so on, and how long it is. */
static double prefix_of(const char *text, size_t *ret_size)
{
	static const char letters[] = "kMGT";
	const char *found = *text ? strchr(letters, *text == 'K' ? 'k' : *text) : NULL;

	*ret_size = 0;
	if (!found)
		return 1;
	*ret_size = text[1] == 'i' ? 2 : 1;
	return pow(text[1] == 'i' ? 1024 : 1000, (double)(found - letters + 1));
}

/* "20 GB/s" */
static int parse_threshold(const char *text, struct when *w)
{
	size_t prefix, n;
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	if (!isdigit((unsigned char)*text) && *text != '-' && *text != '.')
		return -EINVAL;
	errno = 0;
	w->threshold = strtod(text, &end);
	if (end == text || errno || !isfinite(w->threshold))
		return -EINVAL;
	while (isspace((unsigned char)*end))
		end++;
	w->threshold *= prefix_of(end, &prefix);
	end += prefix;
	for (n = strlen(end); n && isspace((unsigned char)end[n - 1]);)
		n--;
	if (memchr(end, ' ', n) || memchr(end, '<', n) || memchr(end, '>', n))
		return -EINVAL;
	w->unit = strndup(end, n);
	return w->unit ? 0 : -ENOMEM;
}

static int parse(const char *text, struct when *w, char **ret_error)
{
	size_t n = strcspn(text, "<>");
	_cleanup_free_ char *name = NULL;
	const char *behind = text + n;
	int r;

	if (!text[n])
		return refuse(ret_error, text, "it has no > or <");
	w->relation = *behind == '>' ? WHEN_ABOVE : WHEN_BELOW;
	w->relation += behind[1] == '=';
	behind += 1 + (behind[1] == '=');
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	while (n && isspace((unsigned char)*text)) {
		text++;
		n--;
	}
	name = strndup(text, n);
	if (!name)
		return -ENOMEM;
	r = series_query_parse(name, &w->query);
	if (r == -EINVAL)
		return refuse(ret_error, text, "in front of it stands a name, or NAME[KEY=VALUE]");
	if (r == 0)
		r = parse_threshold(behind, w);
	return r == -EINVAL ? refuse(ret_error, text, "behind it stands a number") : r;
}

int when_parse(const char *text, struct when *ret, char **ret_error)
{
	struct when w = {};
	int r = parse(text, &w, ret_error);

	if (r < 0) {
		when_done(&w);
		return r;
	}
	*ret = w;
	return 0;
}

/* --- which series --- */

/* Those of the whole, when there are any and no keys were given. */
static bool is_meant(const struct when *w, const struct series_list *all, const struct series *s)
{
	if (!series_matches(s, &w->query))
		return false;
	if (s->whole || w->query.n_keys)
		return true;
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].whole && series_matches(&all->list[i], &w->query))
			return false;
	return true;
}

static bool holds(const struct when *w, double value, double threshold)
{
	switch (w->relation) {
	case WHEN_ABOVE:
		return value > threshold;
	case WHEN_ABOVE_OR_AT:
		return value >= threshold;
	case WHEN_BELOW:
		return value < threshold;
	case WHEN_BELOW_OR_AT:
		return value <= threshold;
	}
	return false;
}

/* The threshold in the unit of the series. */
static int threshold_for(const struct when *w, const struct series *s, double *ret,
			 char **ret_error)
{
	*ret = w->threshold;
	if (!*w->unit || strcasecmp(w->unit, s->unit) == 0)
		return 0;
	if (strcmp(w->unit, "%") == 0 && strcmp(s->unit, "percent") == 0)
		return 0;
	if (strcmp(w->unit, "%") == 0 && !*s->unit) {
		*ret = w->threshold / 100;
		return 0;
	}
	if (asprintf(ret_error, "%s is %s%s, not '%s'", s->name,
		     *s->unit ? "measured in " : "a mere number", *s->unit ? s->unit : "",
		     w->unit) < 0)
		*ret_error = NULL;
	return -EINVAL;
}

/* --- times --- */

static int add_span(struct when_times *t, uint64_t start_ns, uint64_t end_ns)
{
	struct profile_span *grown;

	if (start_ns >= end_ns)
		return 0;
	if ((t->n & (t->n - 1)) == 0) {
		grown = reallocarray(t->spans, MAX(2 * t->n, (size_t)1), sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->spans = grown;
	}
	t->spans[t->n++] = (struct profile_span){ start_ns, end_ns };
	return 0;
}

void when_times_done(struct when_times *t)
{
	free(t->spans);
	*t = (struct when_times){};
}

static int by_start(const void *a, const void *b)
{
	const struct profile_span *x = a, *y = b;

	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static void merge(struct when_times *t)
{
	size_t kept = 0;

	if (t->n)
		qsort(t->spans, t->n, sizeof(*t->spans), by_start);
	for (size_t i = 0; i < t->n; i++) {
		struct profile_span *last = kept ? &t->spans[kept - 1] : NULL;

		if (last && t->spans[i].start_ns <= last->end_ns)
			last->end_ns = MAX(last->end_ns, t->spans[i].end_ns);
		else
			t->spans[kept++] = t->spans[i];
	}
	t->n = kept;
}

static uint64_t length_of(const struct when_times *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->n; i++)
		sum += t->spans[i].end_ns - t->spans[i].start_ns;
	return sum;
}

/* *a becomes what is in both. */
static int intersect(struct when_times *a, const struct when_times *b)
{
	struct when_times both = {};
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && i < a->n && k < b->n) {
		r = add_span(&both, MAX(a->spans[i].start_ns, b->spans[k].start_ns),
			     MIN(a->spans[i].end_ns, b->spans[k].end_ns));
		if (a->spans[i].end_ns < b->spans[k].end_ns)
			i++;
		else
			k++;
	}
	when_times_done(a);
	*a = both;
	return r;
}

/* The times of one condition: when it holds, and when it is known whether it does. */
static int find_one(const struct when *w, const struct series_list *series, struct when_times *held,
		    struct when_times *known, char **ret_error)
{
	bool found = false;
	int r = 0;

	for (size_t i = 0; i < series->n; i++) {
		const struct series *s = &series->list[i];
		double threshold;

		if (!is_meant(w, series, s))
			continue;
		found = true;
		r = threshold_for(w, s, &threshold, ret_error);
		for (size_t k = 0; k < s->n && r == 0; k++) {
			const struct series_point *p = &s->points[k];

			if (!p->present)
				continue;
			r = add_span(known, p->start_ns, p->end_ns);
			if (r == 0 && holds(w, p->value, threshold))
				r = add_span(held, p->start_ns, p->end_ns);
		}
		if (r < 0)
			return r;
	}
	merge(held);
	merge(known);
	if (found)
		return 0;
	if (asprintf(ret_error, "nothing was recorded of '%s'", w->query.name) < 0)
		*ret_error = NULL;
	return -ENODATA;
}

int when_find(const struct when *list, size_t n, const struct series_list *series,
	      struct when_times *ret, char **ret_error)
{
	struct when_times held = {}, known = {};
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct when_times h = {}, k = {};

		r = find_one(&list[i], series, &h, &k, ret_error);
		if (r == 0 && i == 0) {
			held = h;
			known = k;
			continue;
		}
		if (r == 0)
			r = intersect(&held, &h);
		if (r == 0)
			r = intersect(&known, &k);
		when_times_done(&h);
		when_times_done(&k);
	}
	if (r == 0) {
		held.held_ns = length_of(&held);
		held.known_ns = length_of(&known);
		*ret = held;
		held = (struct when_times){};
	}
	when_times_done(&held);
	when_times_done(&known);
	return r;
}

bool when_range(const struct when *w, const struct series_list *series, double *ret_lowest,
		double *ret_highest)
{
	bool any = false;

	for (size_t i = 0; i < series->n; i++) {
		const struct series *s = &series->list[i];

		for (size_t k = 0; k < s->n && is_meant(w, series, s); k++) {
			double v = s->points[k].value;

			if (!s->points[k].present)
				continue;
			*ret_lowest = any ? MIN(*ret_lowest, v) : v;
			*ret_highest = any ? MAX(*ret_highest, v) : v;
			any = true;
		}
	}
	return any;
}
