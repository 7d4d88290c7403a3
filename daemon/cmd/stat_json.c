// SPDX-License-Identifier: Apache-2.0
/*
 * `stat --json`: one object a line for each interval. Places that do not apply are left out.
 */
#include <errno.h>

#include "cmd/stat_view.h"
#include "util/cleanup.h"
#include "util/json.h"

static void put_place(struct json *j, int socket, int die, int core, int cpu)
{
	if (socket >= 0)
		json_int(j, "socket", socket);
	if (die >= 0)
		json_int(j, "die", die);
	if (core >= 0)
		json_int(j, "core", core);
	if (cpu >= 0)
		json_int(j, "cpu", cpu);
}

/* No value at all, in place of one that could be taken for it. */
static void put_absent(struct json *j, int error, const char *reason)
{
	json_string(j, "value", NULL);
	json_string(j, "errno", strerrorname_np(-error));
	json_string(j, "reason", stat_why(error, reason));
}

static void put_sum(struct stat_view *v, struct json *j, const struct pmu_sum *s)
{
	struct pmu_counters_event e = pmu_counters_event(v->counters, s->event);

	json_open_object(j, NULL);
	json_string(j, "event", e.name);
	json_string(j, "pmu", e.pmu);
	put_place(j, s->socket, s->die, s->core, s->cpu);
	if (s->error) {
		put_absent(j, s->error, e.reason);
	} else {
		json_double(j, "value", s->value);
		json_string(j, "unit", e.unit);
		json_uint(j, "count", s->delta);
	}
	json_double(j, "running_ratio", pmu_sum_running_ratio(s));
	json_uint(j, "enabled_ns", s->enabled_ns);
	json_uint(j, "running_ns", s->running_ns);
	json_uint(j, "counted", s->counted);
	json_uint(j, "missing", s->missing);
	json_close_object(j);
}

static void put_value(struct json *j, const struct metric_value *m)
{
	json_open_object(j, NULL);
	json_string(j, "metric", m->metric->name);
	put_place(j, m->socket, m->die, m->core, m->cpu);
	if (m->error)
		put_absent(j, m->error, m->reason);
	else
		json_double(j, "value", m->value);
	json_string(j, "unit", metric_unit_name(m->metric->unit));
	json_double(j, "running_ratio", m->running_ratio);
	json_bool(j, "approximate", m->metric->approximate);
	json_close_object(j);
}

static void put_budgets(struct stat_view *v, struct json *j)
{
	json_open_array(j, "pmus");
	for (size_t i = 0; i < pmu_counters_n_budgets(v->counters); i++) {
		struct pmu_budget b = pmu_counters_budget(v->counters, i);

		json_open_object(j, NULL);
		json_string(j, "pmu", b.pmu);
		json_uint(j, "groups", b.groups);
		json_uint(j, "turns", b.turns);
		if (b.total) {
			json_uint(j, "counters", b.total);
			json_uint(j, "free", b.free);
			json_uint(j, "reserved", b.reserve);
		}
		json_close_object(j);
	}
	json_close_array(j);
}

int stat_view_json(struct stat_view *v, const struct stat_interval *i)
{
	_cleanup_(buffer_donep) struct buffer out = { 0 };
	struct json j;

	json_init(&j, &out, false);
	json_open_object(&j, NULL);
	json_double(&j, "start_s", i->start_s);
	json_double(&j, "length_s", i->length_s);
	json_open_array(&j, "events");
	for (size_t k = 0; k < i->n_sums; k++)
		put_sum(v, &j, &i->sums[k]);
	json_close_array(&j);
	json_open_array(&j, "metrics");
	for (size_t k = 0; k < i->n_values; k++)
		put_value(&j, &i->values[k]);
	json_close_array(&j);
	put_budgets(v, &j);
	if (pmu_counters_phantoms(v->counters))
		json_string(&j, "left_out", pmu_counters_phantoms(v->counters));
	json_close_object(&j);
	buffer_put_byte(&out, '\n');
	if (out.error)
		return out.error;
	fwrite(out.data, 1, out.size, v->out);
	return fflush(v->out) == 0 ? 0 : -errno;
}
