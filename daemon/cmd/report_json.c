// SPDX-License-Identifier: Apache-2.0
/*
 * The report as JSON: the same numbers as the text, and those it rounds away.
 */
#include <math.h>

#include "cmd/report_print.h"
#include "export/json_trust.h"
#include "util/json.h"

static void json_host(struct json *j, const struct profile *p)
{
	json_open_object(j, "host");
	json_string(j, "hostname", p->host.hostname);
	json_string(j, "kernel", p->host.kernel);
	json_string(j, "arch", p->host.arch);
	json_string(j, "cpu_model", p->host.cpu_model);
	json_uint(j, "cpus", p->host.cpus);
	json_uint(j, "numa_nodes", p->host.nodes);
	json_string(j, "virtualization", p->host.virtualization);
	json_string(j, "version", p->host.version);
	json_close_object(j);
}

static void json_window(struct json *j, const struct profile *p, const struct report_style *style)
{
	json_open_object(j, "window");
	json_uint(j, "since_ns", style->since_ns);
	json_uint(j, "until_ns", style->until_ns);
	json_uint(j, "first_sample_ns", p->first_ns);
	json_uint(j, "last_sample_ns", p->last_ns);
	json_string(j, "when", style->when);
	json_close_object(j);
}

static void json_notes(struct json *j, const struct profile *p)
{
	json_open_array(j, "notes");
	for (size_t i = 0; i < p->n_notes; i++) {
		json_open_object(j, NULL);
		json_uint(j, "time_ns", p->notes[i].realtime_ns);
		json_string(j, "text", p->notes[i].text);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_configurations(struct json *j, const struct report_event *e)
{
	json_open_array(j, "configurations");
	for (size_t i = 0; i < e->event->n_rates; i++) {
		const struct profile_rate *rate = &e->event->rates[i];

		json_open_object(j, NULL);
		json_string(j, "profile", e->event->profile);
		json_string(j, "pmu", e->event->pmu);
		json_uint(j, "type", e->event->type);
		json_uint(j, "config", e->event->config);
		json_string(j, "mode", rate->freq ? "frequency" : "period");
		json_uint(j, "value", rate->value);
		json_uint(j, "samples", rate->samples);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_value(struct json *j, const char *key, const struct sample_metric_value *v)
{
	json_open_object(j, key);
	json_double(j, "value", v->known ? v->value : NAN);
	json_uint(j, "samples", v->samples);
	json_double(j, "running_ratio", v->running_ratio);
	json_close_object(j);
}

static void json_metric(struct json *j, const struct report *r, const struct report_event *e)
{
	const struct sample_metric *m = r->metric;

	if (!m)
		return;
	json_open_object(j, "metric");
	json_string(j, "name", m->name);
	json_string(j, "summary", m->summary);
	json_string(j, "unit", m->unit);
	json_string(j, "over", m->over);
	json_string(j, "under", m->under[0] ? m->under : "time");
	json_uint(j, "min_samples", m->min_samples);
	json_string(j, "missing", e->values->missing);
	json_uint(j, "mixed_samples", e->event->mixed);
	json_uint(j, "cut_samples", e->event->cut);
	json_value(j, "all", &e->values->all);
	json_close_object(j);
}

static void json_row(struct json *j, const struct report *r, const struct report_event *e,
		     const struct report_row *row)
{
	json_open_object(j, NULL);
	json_string(j, "name", row->name);
	if (r->grouping->has_module)
		json_string(j, "module", row->module);
	json_double(j, "self_percent", report_percent(row->self_weight, e->event->weight));
	json_uint(j, "self_samples", row->self_samples);
	json_uint(j, "self_weight", row->self_weight);
	if (r->grouping->by_stack) {
		json_double(j, "children_percent",
			    report_percent(row->total_weight, e->event->weight));
		json_uint(j, "children_samples", row->total_samples);
		json_uint(j, "children_weight", row->total_weight);
	}
	if (row->value)
		json_value(j, "metric", &row->value->self);
	if (row->value && r->grouping->by_stack)
		json_value(j, "children_metric", &row->value->total);
	json_close_object(j);
}

static void json_event(struct json *j, const struct report *r, const struct report_event *e,
		       size_t limit)
{
	size_t n = limit ? MIN(limit, e->n_rows) : e->n_rows;

	json_open_object(j, NULL);
	json_string(j, "profile", e->event->profile);
	json_string(j, "requested", e->event->requested);
	json_string(j, "fired", e->event->fired);
	json_string(j, "reason", e->event->reason);
	json_string(j, "unit", e->event->unit);
	json_string(j, "counters", e->event->counters);
	json_configurations(j, e);
	json_uint(j, "samples", e->event->samples);
	json_uint(j, "weight", e->event->weight);
	json_put_ledger(j, e->ledger);
	json_put_statuses(j, "kernel_stacks", e->event->kernel_status, true);
	json_put_statuses(j, "user_stacks", e->event->user_status, true);
	if (r->grouping->by_stack)
		json_uint(j, "unsymbolised_weight", e->unknown_weight);
	if (e->event->memory_access) {
		json_open_object(j, "memory_access");
		json_uint(j, "addresses", e->event->accesses.addresses);
		json_uint(j, "data_sources", e->event->accesses.sources);
		json_uint(j, "latencies", e->event->accesses.latencies);
		json_close_object(j);
	}
	json_metric(j, r, e);
	json_open_array(j, "rows");
	for (size_t i = 0; i < n; i++)
		json_row(j, r, e, &e->rows[i]);
	json_close_array(j);
	json_uint(j, "rows_left_out", e->n_rows - n);
	json_close_object(j);
}

void report_print_json(const struct report *r, const struct report_style *style, struct buffer *out)
{
	struct json j;

	json_init(&j, out, true);
	json_open_object(&j, NULL);
	json_host(&j, r->profile);
	json_window(&j, r->profile, style);
	json_uint(&j, "segments", r->profile->n_segments);
	json_uint(&j, "unreadable_parts", r->profile->unreadable);
	json_notes(&j, r->profile);
	json_string(&j, "by", r->grouping->name);
	json_open_array(&j, "events");
	for (size_t i = 0; i < r->n_events; i++)
		json_event(&j, r, &r->events[i], style->limit);
	json_close_array(&j);
	json_close_object(&j);
}
