// SPDX-License-Identifier: Apache-2.0
/*
 * A function is written when a frame first lies in it, and its object's index is there. Frames
 * whose index is still being built wait for it in their object; those of code without a file wait
 * for their process to write names down (a perf map), which is looked at again once a second.
 */
#include "profile/recorder_state.h"

#include "util/hash_table.h"
#include "util/parse.h"

#define UNNAMED_MAX 4096 /* frames of one of them that wait for a name */

static void forget_pending(struct object *o)
{
	free(o->pending_offsets);
	o->pending_offsets = NULL;
	o->n_pending = o->pending_capacity = 0;
}

static void unwatch(struct recorder *r, size_t i)
{
	forget_pending(r->watched[i].object);
	object_unref(r->watched[i].object);
	r->watched[i] = r->watched[--r->n_watched];
}

void recorder_unwatch_all(struct recorder *r)
{
	while (r->n_watched)
		unwatch(r, r->n_watched - 1);
}

bool recorder_put_function(struct recorder *r, struct object *o, const struct function *f)
{
	char name[4096];
	uint32_t object = recorder_object_id(r, o);
	uint32_t *id = id_table_slot(&r->functions, f->start, object);

	if (!id || *id != ID_TABLE_NEW)
		return false;
	*id = 0;
	demangle(f->name, name, sizeof(name));
	recorder_put(r, &(struct record){ .type = RECORD_FUNCTION,
					  .function = { .object = object,
							.start = f->start,
							.size = f->size,
							.name = record_string(name) } });
	return true;
}

/* A frame may be a leaf or a return address: both look-ups must find their function. */
static void put_functions_at(struct recorder *r, struct object *o, uint64_t offset)
{
	struct function f;
	bool found;

	/* Most new frames are one more place in a function that is hot. */
	if (offset > o->function_start && offset < o->function_end)
		return;
	found = function_index_find(o->index, offset, &f);
	if (found) {
		recorder_put_function(r, o, &f);
		o->function_start = f.start;
		o->function_end = f.start + f.size;
	}
	if (found && offset > f.start)
		return;
	if (offset && function_index_find(o->index, offset - 1, &f))
		recorder_put_function(r, o, &f);
}

static void remember_offset(struct object *o, uint64_t offset)
{
	if (o->n_pending == o->pending_capacity) {
		size_t capacity = MAX(o->pending_capacity * 2, (size_t)16);
		uint64_t *grown = realloc(o->pending_offsets, capacity * sizeof(*grown));

		if (!grown)
			return;
		o->pending_offsets = grown;
		o->pending_capacity = capacity;
	}
	o->pending_offsets[o->n_pending++] = offset;
}

void recorder_watch(struct recorder *r, struct object *o, uint32_t pid)
{
	for (size_t i = 0; i < r->n_watched; i++)
		if (r->watched[i].object == o)
			return;
	if (r->n_watched < WATCHED_MAX)
		r->watched[r->n_watched++] =
			(struct watched){ object_ref(o), pid,
					  perf_maps_version(r->options.perf_maps, (pid_t)pid) };
}

static void need_written_name(struct recorder *r, struct object *o, uint64_t offset, uint32_t pid)
{
	struct function f;

	if (!r->options.perf_maps)
		return;
	if (perf_maps_find(r->options.perf_maps, (pid_t)pid, offset, &f)) {
		recorder_put_function(r, o, &f);
		return;
	}
	recorder_watch(r, o, pid);
	if (o->n_pending < UNNAMED_MAX)
		remember_offset(o, offset);
}

void recorder_need_functions(struct recorder *r, struct object *o, uint64_t offset, uint32_t pid)
{
	if (o->kind == OBJECT_UNKNOWN)
		return;
	if (o->kind == OBJECT_ANON) {
		need_written_name(r, o, offset, pid);
	} else if (o->index_state == INDEX_READY) {
		put_functions_at(r, o, offset);
	} else if (o->index_state != INDEX_FAILED && o != r->unknown_kernel && o != r->guest) {
		remember_offset(o, offset);
	}
}

void recorder_object_ready(struct recorder *r, struct object *o)
{
	if (o->index_state == INDEX_READY && o->n_pending) {
		recorder_begin_block(r);
		(void)recorder_object_id(r, o);
		for (size_t i = 0; i < o->n_pending; i++)
			put_functions_at(r, o, o->pending_offsets[i]);
	}
	forget_pending(o);
}

static void name_pending(struct recorder *r, struct object *o, uint32_t pid)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->n_pending; i++) {
		uint64_t offset = o->pending_offsets[i];
		struct function f;

		if (perf_maps_find(r->options.perf_maps, (pid_t)pid, offset, &f))
			recorder_put_function(r, o, &f);
		else
			o->pending_offsets[kept++] = offset;
	}
	o->n_pending = kept;
}

void recorder_look_again(struct recorder *r)
{
	bool grown = false;

	if (r->n_watched)
		recorder_begin_block(r);
	for (size_t i = 0; i < r->n_watched; i++) {
		struct watched *w = &r->watched[i];
		uint64_t version = perf_maps_version(r->options.perf_maps, (pid_t)w->pid);

		if (version == 0 || version == w->version)
			continue;
		w->version = version;
		name_pending(r, w->object, w->pid);
		grown = true;
	}
	/* What was no frame may be one now. */
	for (size_t cpu = 0; grown && cpu < r->options.n_cpus; cpu++)
		r->previous[cpu].epoch = 0;
}

void recorder_process_gone(struct recorder *r, uint32_t pid)
{
	for (size_t i = r->n_watched; i > 0; i--)
		if (r->watched[i - 1].pid == pid)
			unwatch(r, i - 1);
}
