// SPDX-License-Identifier: Apache-2.0
#include "engine/collecting_print.h"

#include "util/json.h"
#include "util/parse.h"

static const char *state_of(const struct collecting_entry *e, bool running)
{
	if (e->unavailable)
		return "unavailable";
	if (!e->enabled)
		return "disabled";
	return running ? collector_state_name(e->status.state) : "available";
}

/* Why it is not as it should be; "" when it is. */
static const char *trouble_of(const struct collecting_entry *e)
{
	bool bad = e->status.state == COLLECTOR_DEGRADED || e->status.state == COLLECTOR_FAILED;

	return e->unavailable ? e->unavailable : bad ? e->status.error : "";
}

static double mean_us(const struct collector_status *s)
{
	return s->reads ? (double)s->wall_ns / (double)s->reads / 1e3 : 0;
}

static void put_row(const struct collecting_entry *e, bool running, struct buffer *out)
{
	char interval[32] = "-";

	if (e->interval_ns)
		format_duration(e->interval_ns, interval, sizeof(interval));
	buffer_printf(out, "%-16s %-11s %-9s %-8s", e->collector->name, state_of(e, running),
		      collector_kind_name(e->collector->kind), interval);
	if (running)
		buffer_printf(out, " %8llu %10llu %9.1f", (unsigned long long)e->status.reads,
			      (unsigned long long)e->status.rows, mean_us(&e->status));
	buffer_printf(out, "  %s\n", e->collector->summary);
	if (*trouble_of(e)) {
		buffer_printf(out, "%16s ", "");
		text_put_safe(out, trouble_of(e), strlen(trouble_of(e)));
		buffer_put_byte(out, '\n');
	}
}

void collecting_put_text(const struct collecting_entry *entries, size_t n, bool running,
			 struct buffer *out)
{
	buffer_printf(out, "%-16s %-11s %-9s %-8s", "collector", "state", "kind", "interval");
	if (running)
		buffer_printf(out, " %8s %10s %9s", "reads", "rows", "us/read");
	buffer_printf(out, "\n");
	for (size_t i = 0; i < n; i++)
		put_row(&entries[i], running, out);
}

static void put_status(struct json *j, const struct collector_status *s)
{
	json_uint(j, "reads", s->reads);
	json_uint(j, "failures", s->failures);
	json_uint(j, "rows", s->rows);
	json_uint(j, "dropped", s->dropped);
	json_uint(j, "problems", s->problems);
	json_uint(j, "missing", s->missing);
	json_double(j, "mean_us", mean_us(s));
	json_double(j, "max_us", (double)s->max_wall_ns / 1e3);
	json_double(j, "cpu_seconds", (double)s->cpu_ns / 1e9);
	json_string(j, "last_error", *s->error ? s->error : NULL);
}

static void put_tables(struct json *j, const struct collector *c)
{
	json_open_array(j, "tables");
	for (size_t i = 0; i < c->n_tables; i++)
		json_string(j, NULL, c->tables[i].name);
	json_close_array(j);
}

void collecting_put_json(const struct collecting_entry *entries, size_t n, bool running,
			 struct buffer *out)
{
	struct json j;

	json_init(&j, out, true);
	json_open_object(&j, NULL);
	json_bool(&j, "running", running);
	json_open_array(&j, "collectors");
	for (size_t i = 0; i < n; i++) {
		const struct collecting_entry *e = &entries[i];

		json_open_object(&j, NULL);
		json_string(&j, "name", e->collector->name);
		json_string(&j, "summary", e->collector->summary);
		json_string(&j, "needs", e->collector->needs);
		json_string(&j, "kind", collector_kind_name(e->collector->kind));
		json_bool(&j, "enabled", e->enabled);
		json_bool(&j, "available", !e->unavailable);
		json_string(&j, "state", state_of(e, running));
		json_string(&j, "reason", *trouble_of(e) ? trouble_of(e) : NULL);
		json_double(&j, "interval_seconds", (double)e->interval_ns / 1e9);
		put_tables(&j, e->collector);
		if (running)
			put_status(&j, &e->status);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_close_object(&j);
}
