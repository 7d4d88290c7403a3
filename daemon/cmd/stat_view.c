// SPDX-License-Identifier: Apache-2.0
/*
 * The table of `stat`: where, how many, of what, how many a second, how much of the time.
 */
#include "cmd/stat_view.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/json.h"

/* Below, a value is marked as an estimate. */
#define GOOD_RATIO 0.9

const char *stat_why(int error, const char *reason)
{
	if (*reason)
		return reason;
	switch (error) {
	case -EAGAIN:
		return "it had no counter in this time: others hold them, or other groups had "
		       "their turn";
	case -ENODEV:
		return "the CPU went offline";
	case -ENODATA:
		return "the kernel has given the event up, or nothing was counted";
	case -ERANGE:
		return "it shows more than any hardware counts";
	case -ECANCELED:
		return "the counters are given up to someone else";
	case -EDOM:
		return "a denominator is zero";
	case -ESRCH:
		return "the process has ended";
	default:
		return strerror(-error);
	}
}

/* The reason's number, counted from 1; 0 when out of memory. */
static size_t footnote(struct stat_view *v, const char *reason)
{
	char **grown, *copy;

	for (size_t i = 0; i < v->n_reasons; i++)
		if (strcmp(v->reasons[i], reason) == 0)
			return i + 1;
	grown = realloc(v->reasons, (v->n_reasons + 1) * sizeof(*grown));
	if (grown)
		v->reasons = grown;
	copy = grown ? strdup(reason) : NULL;
	if (!copy)
		return 0;
	v->reasons[v->n_reasons++] = copy;
	return v->n_reasons;
}

static void print_footnotes(struct stat_view *v)
{
	char text[1000];

	if (v->n_told < v->n_reasons)
		fputc('\n', v->out);
	for (; v->n_told < v->n_reasons; v->n_told++)
		fprintf(v->out, "  [%zu] %s\n", v->n_told + 1,
			text_safe(v->reasons[v->n_told], text, sizeof(text)));
}

/* 1,234,567 */
static char *group_digits(double value, int decimals, char *out, size_t size)
{
	char plain[64];
	size_t digits, n, to = 0;

	if (!(fabs(value) < 1e18)) {
		snprintf(out, size, "%.3g", value);
		return out;
	}
	snprintf(plain, sizeof(plain), "%.*f", decimals, value);
	n = strlen(plain);
	digits = strcspn(plain, ".");
	for (size_t i = 0; i < n && to + 2 < size; i++) {
		if (i > 0 && i < digits && (digits - i) % 3 == 0 && plain[i - 1] != '-')
			out[to++] = ',';
		out[to++] = plain[i];
	}
	out[to] = 0;
	return out;
}

static bool is_clock(const struct pmu_counters_event *e)
{
	return e->kind == PMU_KIND_SOFTWARE && strstr(e->name, "-clock");
}

static void format_value(const struct pmu_counters_event *e, double value, char *out, size_t size)
{
	if (is_clock(e))
		group_digits(value / 1e6, 2, out, size);
	else
		group_digits(value, e->scale == 1 ? 0 : 2, out, size);
}

/* Of the host, what the counts cover; a task's would be the time in which it ran. */
static double seconds_of(const struct stat_view *v, const struct stat_interval *i,
			 const struct pmu_sum *s)
{
	double seconds = pmu_counters_of_tasks(v->counters) ? 0 : pmu_sums_seconds(&s, 1);

	return seconds > 0 ? seconds : i->length_s;
}

static void format_rate(const struct pmu_counters_event *e, double value, double length_s,
			char *out, size_t size)
{
	double rate = length_s > 0 ? value / length_s : 0;

	if (is_clock(e))
		snprintf(out, size, "%.3f CPUs", rate / 1e9);
	else if (strcmp(e->unit, "Joules") == 0)
		snprintf(out, size, "%.2f W", rate);
	else
		group_digits(rate, rate < 10 && rate > 0 ? 2 : 0, out, size);
}

/* "S1-D0-C4"; the host, and tasks, have no place. */
static void format_place(int socket, int die, int core, int cpu, char *out, size_t size)
{
	if (cpu >= 0)
		snprintf(out, size, "CPU%d", cpu);
	else if (core >= 0)
		snprintf(out, size, "S%d-D%d-C%d", socket, die, core);
	else if (socket >= 0)
		snprintf(out, size, "S%d", socket);
	else
		*out = 0;
}

static void print_lead(struct stat_view *v, const struct stat_interval *i, const char *place)
{
	if (v->options->interval_ns)
		fprintf(v->out, "%10.3f  ", i->start_s + i->length_s);
	if (v->options->by != PMU_SUM_HOST)
		fprintf(v->out, "%-10s  ", place);
}

static void print_head(struct stat_view *v)
{
	if (v->options->interval_ns)
		fprintf(v->out, "%10s  ", "time");
	if (v->options->by != PMU_SUM_HOST)
		fprintf(v->out, "%-10s  ", "where");
	fprintf(v->out, "%20s  %-6s  %-32s  %16s  %7s\n", "value", "unit", "what", "per second",
		"running");
}

static void print_sum(struct stat_view *v, const struct stat_interval *i, const struct pmu_sum *s)
{
	struct pmu_counters_event e = pmu_counters_event(v->counters, s->event);
	double ratio = pmu_sum_running_ratio(s);
	char value[48], rate[48], place[48], name[200], missing[64] = "";

	format_place(s->socket, s->die, s->core, s->cpu, place, sizeof(place));
	print_lead(v, i, place);
	text_safe(e.name, name, sizeof(name));
	if (s->error) {
		fprintf(v->out, "%20s  %-6s  %-32s  [%zu]\n", "absent", "", name,
			footnote(v, stat_why(s->error, e.reason)));
		return;
	}
	format_value(&e, s->value, value, sizeof(value));
	format_rate(&e, s->value, seconds_of(v, i, s), rate, sizeof(rate));
	if (s->missing)
		snprintf(missing, sizeof(missing), "  %zu of %zu are missing", s->missing,
			 s->missing + s->counted);
	fprintf(v->out, "%s%*s  %-6s  %-32s  %16s  %5.0f %%%s\n", ratio < GOOD_RATIO ? "~" : " ",
		19, value, is_clock(&e) ? "ms" : e.unit, name, rate, 100 * ratio, missing);
}

static void print_value(struct stat_view *v, const struct stat_interval *i,
			const struct metric_value *m)
{
	char value[48], place[48];

	format_place(m->socket, m->die, m->core, m->cpu, place, sizeof(place));
	print_lead(v, i, place);
	if (m->error) {
		fprintf(v->out, "%20s  %-6s  %-32s  [%zu]\n", "absent", "", m->metric->name,
			footnote(v, stat_why(m->error, m->reason)));
		return;
	}
	metric_format(m->metric->unit, m->value, value, sizeof(value));
	fprintf(v->out, "%s%19s  %-6s  %-32s  %16s  %5.0f %%  %s%s%s\n",
		m->running_ratio < GOOD_RATIO ? "~" : " ", value, "", m->metric->name, "",
		100 * m->running_ratio,
		m->metric->threshold > 0 && m->value > m->metric->threshold ? "high: " : "",
		m->metric->summary, m->metric->approximate ? " (approximate)" : "");
}

int stat_view_table(struct stat_view *v, const struct stat_interval *i)
{
	if (!v->head_printed)
		print_head(v);
	v->head_printed = true;
	for (size_t k = 0; k < i->n_sums; k++)
		print_sum(v, i, &i->sums[k]);
	for (size_t k = 0; k < i->n_values; k++)
		print_value(v, i, &i->values[k]);
	print_footnotes(v);
	return fflush(v->out) == 0 ? 0 : -errno;
}

void stat_view_notes(struct stat_view *v)
{
	const char *phantoms = pmu_counters_phantoms(v->counters);

	if (phantoms)
		fprintf(v->out, "\nLeft out, since their clocks stand still: %s\n", phantoms);
	for (size_t i = 0; i < pmu_counters_n_budgets(v->counters); i++) {
		struct pmu_budget b = pmu_counters_budget(v->counters, i);

		if (b.turns > 1)
			fprintf(v->out,
				"\nThe events of %s take turns in %zu groups: it has %u counters, "
				"%u free when counting began%s\n",
				b.pmu, b.groups, b.total, b.free,
				b.reserve ? ", some of them kept in reserve" : "");
	}
}

void stat_view_done(struct stat_view *v)
{
	for (size_t i = 0; i < v->n_reasons; i++)
		free(v->reasons[i]);
	free(v->reasons);
	v->reasons = NULL;
	v->n_reasons = 0;
}
