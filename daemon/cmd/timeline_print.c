// SPDX-License-Identifier: Apache-2.0
#include "cmd/timeline_print.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/json.h"
#include "util/parse.h"

#define GOOD_RATIO 0.9 /* below, a value is marked as an estimate */
#define NAME_WIDTH 34
#define MIN_CHART 10
#define DEFAULT_CHART 60
#define MAX_CHART 200

/* What is shown: events first, then the series of the whole, or all that were asked for. */
struct line {
	const struct timeline *t;
	const struct timeline_event *event; /* NULL: a series */
	size_t series;
};

static bool is_shown(const struct timeline *t, size_t series)
{
	if (t->series.list[series].whole)
		return true;
	/* Of what has no row for the whole, all rows. */
	for (size_t i = 0; i < t->series.n; i++)
		if (t->series.list[i].whole &&
		    strcmp(t->series.list[i].name, t->series.list[series].name) == 0)
			return false;
	return true;
}

static size_t count_lines(const struct timeline *t)
{
	size_t n = t->n_events;

	for (size_t i = 0; i < t->series.n; i++)
		n += is_shown(t, i);
	return n;
}

static struct line line_at(const struct timeline *t, size_t at)
{
	struct line l = { .t = t };

	if (at < t->n_events) {
		l.event = &t->events[at];
		return l;
	}
	at -= t->n_events;
	while (!is_shown(t, l.series) || at-- > 0)
		l.series++;
	return l;
}

static const struct series *series_of(const struct line *l)
{
	return &l->t->series.list[l->series];
}

static struct timeline_value value_at(const struct line *l, size_t interval)
{
	if (!l->event)
		return *timeline_value(l->t, l->series, interval);
	return (struct timeline_value){ true, (double)l->event->samples[interval], 1 };
}

/* "samples cpu-clock", "memory_bandwidth socket=0" */
static void put_name(struct buffer *out, const struct line *l, bool with_unit)
{
	struct buffer name = {};
	const struct series *s = series_of(l);

	if (l->event) {
		buffer_printf(&name, "samples%s%s", with_unit ? " of " : ":", l->event->name);
	} else {
		buffer_printf(&name, "%s%s%s", s->name, s->whole ? "" : " ",
			      s->whole ? "" : s->keys);
		if (with_unit && *s->unit)
			buffer_printf(&name, ", %s", s->unit);
	}
	text_put_safe(out, (const char *)name.data, name.size);
	buffer_done(&name);
}

static char *format_value(const struct line *l, const struct timeline_value *v, char *out,
			  size_t size)
{
	const char *unit = l->event ? NULL : series_of(l)->unit;
	char count[32];

	if (!v->present)
		snprintf(out, size, "-");
	else if (l->event)
		snprintf(out, size, "%.0f", v->value);
	else if (!*unit && series_of(l)->is_metric)
		snprintf(out, size, "%s%.1f %%", v->running_ratio < GOOD_RATIO ? "~" : "",
			 100 * v->value);
	else if (fabs(v->value) < 1000)
		snprintf(out, size, "%s%.3g", v->running_ratio < GOOD_RATIO ? "~" : "", v->value);
	else
		snprintf(out, size, "%s%s", v->running_ratio < GOOD_RATIO ? "~" : "",
			 format_count(v->value, count, sizeof(count)));
	return out;
}

/* --- summary -----------------------------------------------------------------------------------*/

struct extent {
	size_t n; /* intervals with a value */
	double lowest, highest, sum, running;
};

static struct extent extent_of(const struct line *l)
{
	struct extent e = {};

	for (size_t i = 0; i < l->t->n; i++) {
		struct timeline_value v = value_at(l, i);

		if (!v.present)
			continue;
		e.lowest = e.n ? MIN(e.lowest, v.value) : v.value;
		e.highest = e.n ? MAX(e.highest, v.value) : v.value;
		e.sum += v.value;
		e.running += v.running_ratio;
		e.n++;
	}
	return e;
}

/* The mean of the intervals that the `column`-th of `width` places stands for. */
static struct timeline_value mean_at(const struct line *l, size_t column, size_t width)
{
	size_t first = column * l->t->n / width, end = (column + 1) * l->t->n / width;
	struct timeline_value mean = {};
	double sum = 0;
	size_t n = 0;

	for (size_t i = first; i < end; i++) {
		struct timeline_value v = value_at(l, i);

		if (!v.present)
			continue;
		sum += v.value;
		n++;
	}
	if (n) {
		mean.present = true;
		mean.value = sum / (double)n;
	}
	return mean;
}

/* From zero, or from the lowest value where that is below; what does not change is flat. */
static void put_chart(struct buffer *out, const struct line *l, const struct extent *e,
		      size_t width)
{
	static const char *const bars[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	double floor = MIN(e->lowest, 0.0), height = e->highest - floor;

	width = MIN(width, l->t->n);
	for (size_t i = 0; i < width; i++) {
		struct timeline_value v = mean_at(l, i, width);
		double level = height > 0 ? (v.value - floor) / height : 0;

		if (!v.present)
			buffer_put_byte(out, ' ');
		else
			buffer_printf(out, "%s",
				      bars[(size_t)(level * (ARRAY_SIZE(bars) - 1) + 0.5)]);
	}
}

static void put_extent(struct buffer *out, const struct line *l, const struct extent *e)
{
	double running = e->n ? e->running / (double)e->n : 1;
	struct timeline_value lowest = { e->n, e->lowest, running };
	struct timeline_value mean = { e->n, e->n ? e->sum / (double)e->n : 0, running };
	struct timeline_value highest = { e->n, e->highest, running };
	char text[3][40];

	buffer_printf(out, " %9s %9s %9s", format_value(l, &lowest, text[0], sizeof(text[0])),
		      format_value(l, &mean, text[1], sizeof(text[1])),
		      format_value(l, &highest, text[2], sizeof(text[2])));
}

static size_t chart_width(const struct timeline_style *style)
{
	size_t taken = NAME_WIDTH + 3 * 10 + 2;

	if (!style->columns)
		return DEFAULT_CHART;
	return style->columns > taken + MIN_CHART ? MIN(style->columns - taken, (size_t)MAX_CHART)
						  : MIN_CHART;
}

/* Names are padded by what they take on the screen, which is a byte a character once made safe. */
static void put_padded(struct buffer *out, const struct line *l)
{
	struct buffer name = {};

	put_name(&name, l, true);
	buffer_printf(out, "%-*.*s", NAME_WIDTH, (int)name.size, (const char *)name.data);
	buffer_done(&name);
}

void timeline_print_summary(const struct timeline *t, const struct timeline_style *style,
			    struct buffer *out)
{
	buffer_printf(out, "%-*s %9s %9s %9s\n", NAME_WIDTH, "", "lowest", "mean", "highest");
	for (size_t i = 0; i < count_lines(t); i++) {
		struct line l = line_at(t, i);
		struct extent e = extent_of(&l);

		put_padded(out, &l);
		put_extent(out, &l, &e);
		if (style->charts) {
			buffer_printf(out, "  ");
			put_chart(out, &l, &e, chart_width(style));
		}
		buffer_put_byte(out, '\n');
	}
}

/* --- table -------------------------------------------------------------------------------------*/

static void put_moment(struct buffer *out, uint64_t realtime_ns, bool whole_seconds)
{
	time_t seconds = (time_t)(realtime_ns / NSEC_PER_SEC);
	struct tm tm;
	char text[32];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%F %T", &tm);
	buffer_printf(out, "%s", text);
	if (!whole_seconds)
		buffer_printf(
			out, ".%llu",
			(unsigned long long)(realtime_ns % NSEC_PER_SEC / (NSEC_PER_SEC / 10)));
}

/* As many columns as fit; `ret_left_out` says how many do not. */
static size_t columns_that_fit(const struct timeline *t, const struct timeline_style *style,
			       size_t *widths)
{
	size_t n = count_lines(t), used = 22;

	for (size_t i = 0; i < n; i++) {
		struct line l = line_at(t, i);
		struct buffer name = {};

		put_name(&name, &l, false);
		widths[i] = MAX(name.size, (size_t)9);
		buffer_done(&name);
		used += 2 + widths[i];
		if (style->columns && used > style->columns && i > 0)
			return i;
	}
	return n;
}

static void put_head(const struct timeline *t, size_t n, const size_t *widths, struct buffer *out)
{
	buffer_printf(out, "%-21s", "from");
	for (size_t i = 0; i < n; i++) {
		struct line l = line_at(t, i);
		struct buffer name = {};

		put_name(&name, &l, false);
		buffer_printf(out, "  %*.*s", (int)widths[i], (int)name.size,
			      (const char *)name.data);
		buffer_done(&name);
	}
	buffer_put_byte(out, '\n');
}

void timeline_print_table(const struct timeline *t, const struct timeline_style *style,
			  struct buffer *out)
{
	size_t all = count_lines(t), n;
	_cleanup_free_ size_t *widths = calloc(all + 1, sizeof(*widths));
	bool whole = t->interval_ns % NSEC_PER_SEC == 0;

	if (!widths) {
		out->error = -ENOMEM;
		return;
	}
	n = columns_that_fit(t, style, widths);
	put_head(t, n, widths, out);
	for (size_t i = 0; i < t->n; i++) {
		put_moment(out, t->start_ns + i * t->interval_ns, whole);
		buffer_printf(out, "%s", whole ? "  " : "");
		for (size_t k = 0; k < n; k++) {
			struct line l = line_at(t, k);
			struct timeline_value v = value_at(&l, i);
			char text[40];

			buffer_printf(out, "  %*s", (int)widths[k],
				      format_value(&l, &v, text, sizeof(text)));
		}
		buffer_put_byte(out, '\n');
	}
	if (n < all)
		buffer_printf(out, "(%zu more columns do not fit; --metric chooses)\n", all - n);
}

/* --- JSON --------------------------------------------------------------------------------------*/

static void json_interval(struct json *j, const struct timeline *t, size_t i)
{
	json_open_object(j, NULL);
	json_uint(j, "start_ns", t->start_ns + i * t->interval_ns);
	json_uint(j, "end_ns", t->start_ns + (i + 1) * t->interval_ns);
	json_open_array(j, "samples");
	for (size_t k = 0; k < t->n_events; k++)
		json_uint(j, NULL, t->events[k].samples[i]);
	json_close_array(j);
	json_open_array(j, "values");
	for (size_t k = 0; k < t->series.n; k++)
		json_double(j, NULL,
			    timeline_value(t, k, i)->present ? timeline_value(t, k, i)->value
							     : (double)NAN);
	json_close_array(j);
	json_open_array(j, "running_ratios");
	for (size_t k = 0; k < t->series.n; k++)
		json_double(j, NULL,
			    timeline_value(t, k, i)->present
				    ? timeline_value(t, k, i)->running_ratio
				    : (double)NAN);
	json_close_array(j);
	json_close_object(j);
}

void timeline_print_json(const struct timeline *t, const struct timeline_style *style,
			 struct buffer *out)
{
	struct json j;

	json_init(&j, out, true);
	json_open_object(&j, NULL);
	json_double(&j, "interval_seconds", (double)t->interval_ns / (double)NSEC_PER_SEC);
	json_string(&j, "when", style->when);
	json_open_array(&j, "events");
	for (size_t i = 0; i < t->n_events; i++)
		json_string(&j, NULL, t->events[i].name);
	json_close_array(&j);
	json_open_array(&j, "series");
	for (size_t i = 0; i < t->series.n; i++) {
		json_open_object(&j, NULL);
		json_string(&j, "name", t->series.list[i].name);
		json_string(&j, "keys", t->series.list[i].keys);
		json_bool(&j, "whole", t->series.list[i].whole);
		json_string(&j, "unit", t->series.list[i].unit);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_open_array(&j, "intervals");
	for (size_t i = 0; i < t->n; i++)
		json_interval(&j, t, i);
	json_close_array(&j);
	json_close_object(&j);
	buffer_put_byte(out, '\n');
}
