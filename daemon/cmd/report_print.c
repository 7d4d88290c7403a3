// SPDX-License-Identifier: Apache-2.0
/*
 * The report as text: a header that says what was measured and what is missing, then a table for
 * each event. Every name may hold any byte and is written through text_put_safe().
 */
#include "cmd/report_print.h"

#include <inttypes.h>
#include <linux/types.h>
#include <string.h>
#include <time.h>

#include "bpf/sample.h"
#include "store/stack_status.h"
#include "util/json.h"
#include "util/parse.h"

#define MIN_NAME_WIDTH 24
#define MAX_MODULE_WIDTH 32
#define MAX_PADDED_WIDTH 72 /* where nothing is cut, longer names stick out */

static void put_safe(struct buffer *b, const char *s)
{
	text_put_safe(b, s, strlen(s));
}

/* "1,234,567" */
static void put_number(struct buffer *b, uint64_t n)
{
	char digits[24];
	int size = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < size; i++) {
		if (i && (size - i) % 3 == 0)
			buffer_put_byte(b, ',');
		buffer_put_byte(b, (uint8_t)digits[i]);
	}
}

static void put_part(struct buffer *b, const char *what, uint64_t part, uint64_t whole)
{
	buffer_printf(b, "%s ", what);
	put_number(b, part);
	if (whole)
		buffer_printf(b, " (%.2f %%)", report_percent(part, whole));
}

static void put_moment(struct buffer *b, uint64_t realtime_ns, bool with_zone)
{
	time_t t = (time_t)(realtime_ns / NSEC_PER_SEC);
	char text[64];
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buffer_printf(b, "%s", text);
	if (with_zone)
		buffer_printf(b, " %s", tm.tm_zone);
}

/* --- header ------------------------------------------------------------------------------------*/

static void put_host(struct buffer *b, const struct profile *p)
{
	buffer_printf(b, "Host      ");
	put_safe(b, p->host.hostname[0] ? p->host.hostname : "unknown");
	if (p->host.kernel[0]) {
		buffer_printf(b, ", Linux ");
		put_safe(b, p->host.kernel);
	}
	if (p->host.arch[0]) {
		buffer_put_byte(b, ' ');
		put_safe(b, p->host.arch);
	}
	if (p->host.cpus)
		buffer_printf(b, ", %u CPU%s", p->host.cpus, p->host.cpus == 1 ? "" : "s");
	if (p->host.cpu_model[0]) {
		buffer_printf(b, " (");
		put_safe(b, p->host.cpu_model);
		buffer_put_byte(b, ')');
	}
	if (p->host.virtualization[0] && strcmp(p->host.virtualization, "none") != 0) {
		buffer_printf(b, ", virtual machine (");
		put_safe(b, p->host.virtualization);
		buffer_put_byte(b, ')');
	}
	buffer_put_byte(b, '\n');
}

static void put_window(struct buffer *b, const struct profile *p)
{
	char duration[40];

	buffer_printf(b, "Window    ");
	if (p->samples) {
		put_moment(b, p->first_ns, false);
		buffer_printf(b, " to ");
		put_moment(b, p->last_ns, true);
		buffer_printf(
			b, " (%s)",
			format_duration(p->last_ns - p->first_ns, duration, sizeof(duration)));
	} else {
		buffer_printf(b, "no samples");
	}
	buffer_printf(b, ", %zu segment%s\n", p->n_segments, p->n_segments == 1 ? "" : "s");
	if (p->unreadable)
		buffer_printf(b, "Damage    %" PRIu64 " damaged part%s could not be read\n",
			      p->unreadable, p->unreadable == 1 ? "" : "s");
}

static void put_notes(struct buffer *b, const struct profile *p)
{
	for (size_t i = 0; i < p->n_notes; i++) {
		buffer_printf(b, "Note      ");
		put_moment(b, p->notes[i].realtime_ns, false);
		buffer_put_byte(b, ' ');
		put_safe(b, p->notes[i].text);
		buffer_put_byte(b, '\n');
	}
}

/* --- one event ---------------------------------------------------------------------------------*/

static bool is_off_cpu(const struct profile_event *e)
{
	return strcmp(e->fired, "offcpu") == 0 && strcmp(e->unit, "ns") == 0;
}

static void put_rate(struct buffer *b, const struct profile_event *e,
		     const struct profile_rate *rate)
{
	char text[40];

	if (is_off_cpu(e)) {
		buffer_printf(b, "absences of %s or more",
			      format_duration(rate->value, text, sizeof(text)));
	} else if (rate->freq) {
		buffer_printf(b, "%" PRIu64 " Hz", rate->value);
	} else {
		buffer_printf(b, "every ");
		put_number(b, rate->value);
	}
}

static void put_event(struct buffer *b, const struct report *r, const struct report_event *e)
{
	buffer_printf(b, "Event     ");
	put_safe(b, e->event->fired);
	for (size_t i = 0; i < e->event->n_rates; i++) {
		buffer_printf(b, i ? ", then " : ", ");
		put_rate(b, e->event, &e->event->rates[i]);
	}
	if (profile_event_shares_name(r->profile, e->event)) {
		buffer_printf(b, ", profile ");
		put_safe(b, e->event->profile);
	}
	buffer_put_byte(b, '\n');
	if (e->event->reason[0] || strcmp(e->event->fired, e->event->requested) != 0) {
		buffer_printf(b, "          ");
		put_safe(b, e->event->requested);
		buffer_printf(b, " not available here");
		if (e->event->reason[0]) {
			buffer_printf(b, ": ");
			put_safe(b, e->event->reason);
		}
		buffer_printf(b, "; ");
		put_safe(b, e->event->fired);
		buffer_printf(b, " fired\n");
	}
}

static void put_weight(struct buffer *b, const struct report_event *e)
{
	char text[40];

	buffer_printf(b, " standing for ");
	if (strcmp(e->event->unit, "ns") == 0) {
		buffer_printf(b, "%s of %s", format_duration(e->event->weight, text, sizeof(text)),
			      is_off_cpu(e->event) ? "time off the CPU" : "CPU time");
		return;
	}
	buffer_printf(b, "%s ", format_count((double)e->event->weight, text, sizeof(text)));
	put_safe(b, e->event->unit[0] ? e->event->unit : e->event->fired);
}

static void put_lost(struct buffer *b, const struct profile_ledger *l)
{
	static const char *const names[] = { "ring full", "not readable", "missing in sequence",
					     "not stored" };
	const uint64_t counts[] = { l->full, l->fault, l->gaps, l->dropped };
	uint64_t lost = profile_lost(l);
	const char *between = " [";

	put_part(b, "lost", lost, l->seen - l->filtered);
	for (size_t i = 0; lost && i < ARRAY_SIZE(counts); i++) {
		if (!counts[i])
			continue;
		buffer_printf(b, "%s%s ", between, names[i]);
		put_number(b, counts[i]);
		between = ", ";
	}
	if (lost)
		buffer_put_byte(b, ']');
}

static void put_ledger(struct buffer *b, const struct report_event *e,
		       const struct report_style *style)
{
	const struct profile_ledger *l = e->ledger;

	buffer_printf(b, style->narrowed ? "Missing   on the whole host: " : "Missing   ");
	if (l->seen == 0 && l->expected == 0) {
		buffer_printf(b, "unknown, no ledger in this window\n");
		return;
	}
	put_lost(b, l);
	buffer_printf(b, ", ");
	put_part(b, "not delivered", profile_not_delivered(l), l->expected);
	buffer_printf(b, ", throttled ");
	put_number(b, l->throttled);
	buffer_printf(b, " time%s", l->throttled == 1 ? "" : "s");
	if (l->enabled_ns && (double)l->running_ns < 0.995 * (double)l->enabled_ns)
		buffer_printf(b, ", counting %.1f %% of the time",
			      report_percent(l->running_ns, l->enabled_ns));
	buffer_put_byte(b, '\n');
}

/* Of the samples that have a user stack: what became of it. */
static void put_user_stacks(struct buffer *b, const struct report_event *e)
{
	uint64_t stacks = 0, listed = 0;

	for (size_t i = STACK_NONE + 1; i < PROFILE_STATUSES; i++)
		stacks += e->event->user_status[i];
	for (size_t i = STACK_NONE + 1; i < PROFILE_STATUSES; i++)
		if (e->event->user_status[i])
			buffer_printf(b, "%s%.2f %% %s", listed++ ? ", " : "user ",
				      report_percent(e->event->user_status[i], stacks),
				      stack_status_words(i));
	buffer_printf(b, "%s", stacks ? "; " : "");
}

static void put_stacks(struct buffer *b, const struct report *r, const struct report_event *e)
{
	buffer_printf(b, "Stacks    ");
	put_user_stacks(b, e);
	buffer_printf(b, "kernel %.2f %% truncated, %.2f %% unreadable",
		      report_percent(e->event->kernel_status[STACK_TRUNCATED], e->event->samples),
		      report_percent(e->event->kernel_status[STACK_FAULT], e->event->samples));
	if (r->grouping->by_stack)
		buffer_printf(b, "; %.2f %% without a function name",
			      report_percent(e->unknown_weight, e->event->weight));
	buffer_put_byte(b, '\n');
}

/* --- memory access ---------------------------------------------------------------------------*/

static void put_access(struct buffer *b, const struct report_event *e)
{
	const struct profile_accesses *a = &e->event->accesses;

	if (!e->event->memory_access)
		return;
	buffer_printf(b, "Access    ");
	put_part(b, "told were address", a->addresses, e->event->samples);
	put_part(b, ", data source", a->sources, e->event->samples);
	put_part(b, ", latency", a->latencies, e->event->samples);
	buffer_put_byte(b, '\n');
}

/* --- metric ------------------------------------------------------------------------------------*/

static void put_value(struct buffer *b, const struct sample_metric_value *v, const char *unit)
{
	char text[32];

	buffer_printf(b, "%s%s", sample_metric_format(v, text, sizeof(text)), v->known ? unit : "");
}

static void put_metric(struct buffer *b, const struct report *r, const struct report_event *e)
{
	const struct sample_metric *m = r->metric;
	const struct sample_metric_value *all = &e->values->all;
	uint64_t others =
		e->event->samples - MIN(e->event->samples, all->samples + e->event->mixed);

	buffer_printf(b, "Metric    ");
	if (e->values->missing) {
		put_safe(b, e->values->missing);
		buffer_put_byte(b, '\n');
		return;
	}
	put_safe(b, m->name);
	if (!strchr(m->name, '/'))
		buffer_printf(b, " (%s/%s), %s", m->over, m->under[0] ? m->under : "time",
			      m->summary);
	buffer_printf(b, ": ");
	put_value(b, all, m->unit);
	buffer_printf(b, " over all\n          ");
	put_part(b, "counted in", all->samples, e->event->samples);
	buffer_printf(b, " of the samples; ");
	put_part(b, "mixed with other tasks", e->event->mixed, e->event->samples);
	buffer_printf(b, ", ");
	put_part(b, "without a reading", others, e->event->samples);
	if (e->event->cut) {
		buffer_printf(b, "; begun at a switch ");
		put_number(b, e->event->cut);
	}
	if (all->samples)
		buffer_printf(b, "; counting %.1f %% of the time", 100 * all->running_ratio);
	buffer_put_byte(b, '\n');
	if (2 * e->event->mixed > e->event->samples)
		buffer_printf(
			b, "          most are mixed: 'record --split-at-switch' begins the counts "
			   "anew at each switch\n");
}

/* --- tables ------------------------------------------------------------------------------------*/

/* True when text_put_safe() writes it as it is, one column a byte. */
static bool is_plain(const char *s)
{
	while (*s >= ' ' && *s <= '~')
		s++;
	return *s == 0;
}

/* Columns a string takes, as text_put_safe() writes it. */
static size_t text_width(const char *s)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	size_t width = 0;

	if (is_plain(s))
		return strlen(s);
	put_safe(&b, s);
	for (size_t i = 0; i < b.size; i++)
		width += (b.data[i] & 0xc0) != 0x80;
	return width;
}

/* Writes `s` in at least `width` columns. */
static void put_padded(struct buffer *out, const char *s, size_t width)
{
	size_t used = text_width(s);

	put_safe(out, s);
	buffer_printf(out, "%*s", used < width ? (int)(width - used) : 0, "");
}

/* Writes `s` in exactly `width` columns. */
static void put_cell(struct buffer *out, const char *s, size_t width)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	size_t used = 0, end = 0;
	bool cut;

	put_safe(&b, s);
	cut = text_width(s) > width;
	while (end < b.size && used < (cut ? width - 1 : width)) {
		end++;
		while (end < b.size && (b.data[end] & 0xc0) == 0x80)
			end++;
		used++;
	}
	buffer_put(out, b.data, end);
	if (cut)
		buffer_printf(out, "~");
	else
		buffer_printf(out, "%*s", (int)(width - used), "");
}

static bool shows_values(const struct report_event *e)
{
	return e->values && !e->values->missing;
}

static const char *columns(const struct report *r, const struct report_event *e)
{
	if (shows_values(e))
		return r->grouping->by_stack
			       ? "    value   children       self   counted  running  "
			       : "    value      share   counted  running  ";
	return r->grouping->by_stack ? "     self   children   samples  " : "    share   samples  ";
}

struct widths {
	size_t name, module;
};

static struct widths choose_widths(const struct report *r, const struct report_event *e, size_t n,
				   const struct report_style *style)
{
	size_t fixed = strlen(columns(r, e)) + 2;
	struct widths w = { .name = strlen(r->grouping->title), .module = strlen("module") };

	for (size_t i = 0; i < n; i++) {
		size_t name = text_width(e->rows[i].name), module = text_width(e->rows[i].module);

		w.name = MAX(w.name, name);
		w.module = MAX(w.module, module);
	}
	if (!r->grouping->has_module)
		w.module = 0;
	if (style->columns == 0) {
		w.name = MIN(w.name, (size_t)MAX_PADDED_WIDTH);
		return w;
	}
	w.module = MIN(w.module, (size_t)MAX_MODULE_WIDTH);
	if (fixed + w.module + 2 + MIN_NAME_WIDTH < style->columns)
		w.name = MIN(w.name, style->columns - fixed - w.module - (w.module ? 2 : 0));
	else
		w.name = MIN(w.name, (size_t)MIN_NAME_WIDTH);
	return w;
}

static void put_right(struct buffer *b, uint64_t n, size_t width)
{
	_cleanup_(buffer_donep) struct buffer number = { 0 };

	put_number(&number, n);
	for (size_t at = number.size; at < width; at++)
		buffer_put_byte(b, ' ');
	buffer_put(b, number.data, number.size);
}

static void put_shares(struct buffer *b, const struct report *r, const struct report_event *e,
		       const struct report_row *row, bool with_total)
{
	buffer_printf(b, "%7.2f %%", report_percent(row->self_weight, e->event->weight));
	if (r->grouping->by_stack && with_total)
		buffer_printf(b, "  %7.2f %%", report_percent(row->total_weight, e->event->weight));
	else if (r->grouping->by_stack)
		buffer_printf(b, "%11s", "");
	put_right(b, row->self_samples, 10);
	buffer_printf(b, "  ");
}

/* The columns in front of the name when there is a metric. */
static void put_values(struct buffer *b, const struct report *r, const struct report_event *e,
		       const struct report_row *row)
{
	const struct report_value *v = row->value;
	char text[32];

	buffer_printf(b, "%9s", v ? sample_metric_format(&v->self, text, sizeof(text)) : "");
	if (r->grouping->by_stack)
		buffer_printf(b, "  %9s",
			      v ? sample_metric_format(&v->total, text, sizeof(text)) : "");
	buffer_printf(b, "  %7.2f %%", report_percent(row->self_weight, e->event->weight));
	if (!v) {
		buffer_printf(b, "%21s", "");
		return;
	}
	put_right(b, v->self.samples, 10);
	if (v->self.samples)
		buffer_printf(b, "  %5.1f %%  ", 100 * v->self.running_ratio);
	else
		buffer_printf(b, "%11s", "");
}

static void put_columns(struct buffer *b, const struct report *r, const struct report_event *e,
			const struct report_row *row, bool with_total)
{
	if (shows_values(e))
		put_values(b, r, e, row);
	else
		put_shares(b, r, e, row, with_total);
}

/* What the limit leaves out, so that the column still adds up to 100 %. */
static void put_rest(struct buffer *b, const struct report *r, const struct report_event *e,
		     size_t n)
{
	struct report_row rest = { 0 };

	if (n == e->n_rows)
		return;
	for (size_t i = n; i < e->n_rows; i++) {
		rest.self_samples += e->rows[i].self_samples;
		rest.self_weight += e->rows[i].self_weight;
	}
	put_columns(b, r, e, &rest, false);
	buffer_printf(b, "(%zu more; --limit=0 shows all)\n", e->n_rows - n);
}

static void put_table(struct buffer *b, const struct report *r, const struct report_event *e,
		      const struct report_style *style)
{
	size_t n = style->limit ? MIN(style->limit, e->n_rows) : e->n_rows;
	/* Only a terminal makes us cut. */
	void (*put)(struct buffer *, const char *, size_t) = style->columns ? put_cell : put_padded;
	struct widths w = choose_widths(r, e, n, style);

	buffer_printf(b, "%s", columns(r, e));
	if (r->grouping->has_module) {
		put_cell(b, r->grouping->title, w.name);
		buffer_printf(b, "  module\n");
	} else {
		buffer_printf(b, "%s\n", r->grouping->title);
	}
	for (size_t i = 0; i < n; i++) {
		put_columns(b, r, e, &e->rows[i], true);
		put(b, e->rows[i].name, w.name);
		if (r->grouping->has_module) {
			buffer_printf(b, "  ");
			put(b, e->rows[i].module, w.module);
		}
		while (b->size && b->data[b->size - 1] == ' ')
			b->size--;
		buffer_put_byte(b, '\n');
	}
	put_rest(b, r, e, n);
}

void report_print(const struct report *r, const struct report_style *style, struct buffer *out)
{
	put_host(out, r->profile);
	put_window(out, r->profile);
	if (style->when) {
		buffer_printf(out, "When      ");
		put_safe(out, style->when);
		buffer_put_byte(out, '\n');
	}
	put_notes(out, r->profile);
	for (size_t i = 0; i < r->n_events; i++) {
		const struct report_event *e = &r->events[i];

		buffer_put_byte(out, '\n');
		put_event(out, r, e);
		buffer_printf(out, "Samples   ");
		put_number(out, e->event->samples);
		if (e->event->samples)
			put_weight(out, e);
		buffer_put_byte(out, '\n');
		put_ledger(out, e, style);
		if (e->event->samples == 0)
			continue;
		put_stacks(out, r, e);
		put_access(out, e);
		if (r->metric)
			put_metric(out, r, e);
		buffer_put_byte(out, '\n');
		put_table(out, r, e, style);
	}
}
