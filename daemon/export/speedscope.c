// SPDX-License-Identifier: Apache-2.0
/*
 * speedscope.app's file format: frames shared by all profiles, and one "sampled" profile per event,
 * whose samples are stacks of frame indexes (outermost first) with a weight each.
 *
 * The first frames are the root labels, the others the functions; the unit is nanoseconds for
 * events that count time, otherwise none.
 */
#include <errno.h>

#include "export/export.h"
#include "util/cleanup.h"
#include "util/json.h"

static void put_frames(struct json *j, const struct profile *p, const struct root_labels *labels)
{
	json_open_object(j, "shared");
	json_open_array(j, "frames");
	for (size_t i = 0; i < labels->n; i++) {
		json_open_object(j, NULL);
		json_string(j, "name", labels->texts[i]);
		json_close_object(j);
	}
	for (size_t i = 0; i < p->n_functions; i++) {
		json_open_object(j, NULL);
		json_string(j, "name", p->functions[i].name);
		json_string(j, "file", p->objects[p->functions[i].object].name);
		json_close_object(j);
	}
	json_close_array(j);
	json_close_object(j);
}

static int put_samples(struct json *j, const struct profile *p, uint32_t event,
		       const struct root_labels *labels, FILE *out)
{
	_cleanup_(stack_donep) struct stack s = { 0 };
	int r;

	json_open_array(j, "samples");
	for (size_t i = 0; i < p->n_cells; i++) {
		if (p->cells[i].event != event)
			continue;
		r = stack_load(&s, p, p->cells[i].node);
		if (r < 0)
			return r;
		json_open_array(j, NULL);
		json_uint(j, NULL, root_label_of(labels, p, p->cells[i].thread));
		for (size_t k = s.n; k-- > 0;)
			json_uint(j, NULL, labels->n + profile_node_function(p, s.nodes[k]));
		json_close_array(j);
		r = buffer_flush_to(j->out, out, false);
		if (r < 0)
			return r;
	}
	json_close_array(j);
	return 0;
}

static int put_profile(struct json *j, const struct profile *p, uint32_t event,
		       const struct root_labels *labels, FILE *out)
{
	const struct profile_event *e = &p->events[event];
	int r;

	json_open_object(j, NULL);
	json_string(j, "type", "sampled");
	json_string(j, "name", e->fired);
	json_string(j, "unit", event_counts_time(e) ? "nanoseconds" : "none");
	json_uint(j, "startValue", 0);
	json_uint(j, "endValue", e->weight);
	r = put_samples(j, p, event, labels, out);
	if (r < 0)
		return r;
	json_open_array(j, "weights");
	for (size_t i = 0; i < p->n_cells; i++)
		if (p->cells[i].event == event)
			json_uint(j, NULL, p->cells[i].weight);
	json_close_array(j);
	json_close_object(j);
	return buffer_flush_to(j->out, out, false);
}

int export_speedscope(const struct profile *p, const struct export_options *options, FILE *out)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	_cleanup_(root_labels_donep) struct root_labels labels = { 0 };
	struct json j;
	int r;

	r = root_labels_init(&labels, p, options->root);
	if (r < 0)
		return r;
	json_init(&j, &b, false);
	json_open_object(&j, NULL);
	json_string(&j, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_string(&j, "exporter", "ebpf-profiler " VERSION);
	json_string(&j, "name", p->host.hostname);
	put_frames(&j, p, &labels);
	json_open_array(&j, "profiles");
	for (uint32_t i = 0; i < p->n_events && r == 0; i++)
		r = put_profile(&j, p, i, &labels, out);
	if (r < 0)
		return r;
	json_close_array(&j);
	json_close_object(&j);
	return buffer_flush_to(&b, out, true);
}
