// SPDX-License-Identifier: Apache-2.0
/*
 * JSON lines: one object a line, told apart by its member "record".
 *
 *   profile   format (1), generator, host, first_ns, last_ns (CLOCK_REALTIME), samples, unreadable,
 *             stack_status: samples by status, for the kernel and the user half
 *   event     id, profile, requested, fired, reason, pmu, unit, rates: each {mode ("frequency" or
 *             "period"), value, samples}, samples, weight, memory_access (samples that tell a part of
 *             it, when asked for), ledger
 *   object    id, kind, name, path, build_id (hex)
 *   note      time_ns, text
 *   stack     event (its id), pid, tid, process, thread, unit, container, cpu (when asked for),
 *             samples, weight, frames: outermost first, each {function, object, offset, kind}
 *
 * Offsets are strings in hex, because JSON readers lose digits above 2^53. Records refer only to
 * what came before them, and a reader skips records it does not know.
 */
#include <errno.h>
#include <inttypes.h>

#include "export/export.h"
#include "export/json_trust.h"
#include "util/cleanup.h"
#include "util/json.h"

static void put_profile(struct json *j, const struct profile *p)
{
	json_open_object(j, NULL);
	json_string(j, "record", "profile");
	json_uint(j, "format", 1);
	json_string(j, "generator", "ebpf-profiler " VERSION);
	json_open_object(j, "host");
	json_string(j, "hostname", p->host.hostname);
	json_string(j, "kernel", p->host.kernel);
	json_string(j, "arch", p->host.arch);
	json_string(j, "cpu_model", p->host.cpu_model);
	json_string(j, "virtualization", p->host.virtualization);
	json_uint(j, "cpus", p->host.cpus);
	json_close_object(j);
	json_uint(j, "first_ns", p->first_ns);
	json_uint(j, "last_ns", p->last_ns);
	json_uint(j, "samples", p->samples);
	json_uint(j, "unreadable", p->unreadable);
	json_open_object(j, "stack_status");
	json_put_statuses(j, "kernel", p->kernel_status, false);
	json_put_statuses(j, "user", p->user_status, false);
	json_close_object(j);
	json_close_object(j);
}

static void put_event(struct json *j, const struct profile *p, uint32_t id)
{
	const struct profile_event *e = &p->events[id];

	json_open_object(j, NULL);
	json_string(j, "record", "event");
	json_uint(j, "id", id);
	json_string(j, "profile", e->profile);
	json_string(j, "requested", e->requested);
	json_string(j, "fired", e->fired);
	json_string(j, "reason", e->reason);
	json_string(j, "pmu", e->pmu);
	json_string(j, "unit", e->unit);
	json_put_rates(j, e);
	json_uint(j, "samples", e->samples);
	json_uint(j, "weight", e->weight);
	if (e->memory_access) {
		json_open_object(j, "memory_access");
		json_uint(j, "addresses", e->accesses.addresses);
		json_uint(j, "data_sources", e->accesses.sources);
		json_uint(j, "latencies", e->accesses.latencies);
		json_close_object(j);
	}
	json_put_ledger(j, &p->ledgers[id]);
	json_close_object(j);
}

static void put_object(struct json *j, const struct profile *p, uint32_t id,
		       const struct frame_kinds *kinds)
{
	const struct profile_object *o = &p->objects[id];
	char build_id[2 * sizeof(o->build_id) + 1] = "";

	for (size_t i = 0; i < o->build_id_size && i < sizeof(o->build_id); i++)
		snprintf(build_id + 2 * i, 3, "%02x", o->build_id[i]);
	json_open_object(j, NULL);
	json_string(j, "record", "object");
	json_uint(j, "id", id);
	json_string(j, "kind", frame_kind_name((enum frame_kind)kinds->of_object[id]));
	json_string(j, "name", o->name);
	json_string(j, "path", o->path);
	json_string(j, "build_id", build_id);
	json_close_object(j);
}

static void put_note(struct json *j, const struct profile_note *n)
{
	json_open_object(j, NULL);
	json_string(j, "record", "note");
	json_uint(j, "time_ns", n->realtime_ns);
	json_string(j, "text", n->text);
	json_close_object(j);
}

static void put_frame(struct json *j, const struct profile *p, uint32_t node,
		      const struct frame_kinds *kinds)
{
	const struct profile_frame *frame = &p->frames[p->nodes[node].frame];
	uint32_t function = profile_node_function(p, node);
	char offset[24];

	snprintf(offset, sizeof(offset), "0x%" PRIx64, frame->offset);
	json_open_object(j, NULL);
	json_string(j, "function", p->functions[function].name);
	json_uint(j, "object", frame->object);
	json_string(j, "offset", offset);
	json_string(j, "kind", frame_kind_name(frame_kind_of(kinds, p, function)));
	json_close_object(j);
}

static void put_owner(struct json *j, const struct profile *p, uint32_t thread)
{
	const struct profile_thread *t;
	const struct profile_process *owner;

	if (thread >= p->n_threads)
		return;
	t = &p->threads[thread];
	owner = &p->processes[t->process];
	json_uint(j, "pid", owner->pid);
	json_uint(j, "tid", t->tid);
	json_string(j, "process", owner->comm);
	json_string(j, "thread", t->name);
	json_string(j, "unit", owner->unit);
	json_string(j, "container", owner->container);
}

static void put_stack(struct json *j, const struct profile *p, const struct profile_cell *c,
		      const struct stack *s, const struct frame_kinds *kinds)
{
	json_open_object(j, NULL);
	json_string(j, "record", "stack");
	json_uint(j, "event", c->event);
	put_owner(j, p, c->thread);
	if (c->cpu != PROFILE_NONE)
		json_uint(j, "cpu", c->cpu);
	json_uint(j, "samples", c->samples);
	json_uint(j, "weight", c->weight);
	json_open_array(j, "frames");
	for (size_t i = s->n; i-- > 0;)
		put_frame(j, p, s->nodes[i], kinds);
	json_close_array(j);
	json_close_object(j);
}

static int put_stacks(struct json *j, const struct profile *p, const struct frame_kinds *kinds,
		      FILE *out)
{
	_cleanup_(stack_donep) struct stack s = { 0 };
	int r;

	for (size_t i = 0; i < p->n_cells; i++) {
		r = stack_load(&s, p, p->cells[i].node);
		if (r < 0)
			return r;
		put_stack(j, p, &p->cells[i], &s, kinds);
		r = buffer_flush_to(j->out, out, false);
		if (r < 0)
			return r;
	}
	return 0;
}

int export_json(const struct profile *p, const struct export_options *options, FILE *out)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	_cleanup_(frame_kinds_donep) struct frame_kinds kinds = { 0 };
	struct json j;
	int r;

	(void)options;
	r = frame_kinds_init(&kinds, p);
	if (r < 0)
		return r;
	json_init(&j, &b, false);
	put_profile(&j, p);
	for (uint32_t i = 0; i < p->n_events; i++)
		put_event(&j, p, i);
	for (uint32_t i = 0; i < p->n_objects; i++)
		put_object(&j, p, i, &kinds);
	for (size_t i = 0; i < p->n_notes; i++)
		put_note(&j, &p->notes[i]);
	r = put_stacks(&j, p, &kinds, out);
	return r < 0 ? r : buffer_flush_to(&b, out, true);
}
