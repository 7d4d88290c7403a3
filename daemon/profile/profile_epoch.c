// SPDX-License-Identifier: Apache-2.0
/*
 * One epoch read: its dictionaries become ids of the profile, its ledgers and notes go into the
 * thread's tally, and what is left are the samples that pass the filter.
 *
 * Times become CLOCK_REALTIME by the last pair of clocks that came before them; an epoch begins
 * with one.
 */
#include <errno.h>
#include <string.h>

#include "profile/profile_load.h"
#include "util/parse.h"

/* An epoch this long after --until may still name functions of frames before it. */
#define LATE_FUNCTIONS_NS (30 * NSEC_PER_SEC)

static int reserve(void *items, size_t *capacity, size_t need, size_t size)
{
	size_t n = MAX(need, *capacity * 2);
	void *old, *grown;

	if (need <= *capacity)
		return 0;
	n = MAX(n, (size_t)64);
	memcpy(&old, items, sizeof(old));
	grown = reallocarray(old, n, size);
	if (!grown)
		return -ENOMEM;
	memcpy(items, &grown, sizeof(grown));
	*capacity = n;
	return 0;
}

static int add_id(struct epoch_ids *list, uint32_t id)
{
	int r = reserve(&list->ids, &list->capacity, list->n + 1, sizeof(*list->ids));

	if (r < 0)
		return r;
	list->ids[list->n++] = id;
	return 0;
}

int epoch_init(struct epoch *e, struct load *l, struct tally *tally)
{
	*e = (struct epoch){ .load = l, .tally = tally };
	return epoch_filter_init(&e->filter, l->filter);
}

static void forget_objects(struct epoch *e)
{
	for (size_t i = 0; i < e->n_objects; i++)
		free(e->objects[i].path);
	e->n_objects = 0;
}

void epoch_done(struct epoch *e)
{
	epoch_end(e);
	for (size_t i = 0; i < EPOCH_PATHS; i++)
		tree_path_done(&e->paths[i]);
	free(e->objects);
	free(e->events.ids);
	free(e->processes.ids);
	free(e->threads.ids);
	free(e->frames.ids);
	free(e->thread_passes);
	free(e->process_passes);
	free(e->places);
	epoch_filter_done(&e->filter);
	buffer_done(&e->key);
}

/* --- keys --------------------------------------------------------------------------------------*/

/* Names end at their first NUL, wherever the file says they end. */
static void put_name(struct buffer *b, struct record_bytes s)
{
	buffer_put(b, s.data, strnlen(s.data, s.size));
	buffer_put_byte(b, 0);
}

static void begin_key(struct epoch *e, const void *fixed, size_t size)
{
	buffer_reset(&e->key);
	buffer_put(&e->key, fixed, size);
}

static int add_key(struct epoch *e, struct dictionary *d, size_t key_size, uint32_t *ret_id)
{
	if (e->key.error)
		return e->key.error;
	return dictionary_add(d, e->key.data, key_size, e->key.size, ret_id);
}

/* --- records -----------------------------------------------------------------------------------*/

static int on_host(struct epoch *e, const struct record_host *h)
{
	static const char *const names[HOST_FACTS] = {
		[HOST_HOSTNAME] = "hostname", [HOST_KERNEL] = "kernel",
		[HOST_ARCH] = "arch",	      [HOST_CPU_MODEL] = "cpu-model",
		[HOST_VERSION] = "version",   [HOST_VIRTUALIZATION] = "virtualization",
		[HOST_CPUS] = "cpus",	      [HOST_NUMA] = "numa",
	};

	for (size_t i = 0; i < HOST_FACTS; i++) {
		char *copy;

		if (!record_bytes_equal(h->key, names[i]))
			continue;
		copy = strndup(h->value.data, h->value.size);
		if (!copy)
			return -ENOMEM;
		free(e->host.values[i]);
		e->host.values[i] = copy;
	}
	return 0;
}

static void on_clock(struct epoch *e, const struct record_clock *c)
{
	e->clock_offset_ns = (int64_t)(c->realtime_ns - c->monotonic_ns);
	if (e->host.realtime_ns == 0)
		e->host.realtime_ns = c->realtime_ns;
}

/* e->events.n is the event's id. */
static int find_counters(struct epoch *e, const struct record_event *v)
{
	int r;

	if (e->load->n_counters == 0)
		return 0;
	r = reserve(&e->places, &e->places_capacity, e->events.n + 1, sizeof(*e->places));
	if (r >= 0)
		counters_find(e->load, v, &e->places[e->events.n]);
	return r;
}

static int add_name(struct epoch *e, struct dictionary *names, struct record_bytes name)
{
	uint32_t id;

	begin_key(e, NULL, 0);
	put_name(&e->key, name);
	return add_key(e, names, e->key.size, &id);
}

static int on_event(struct epoch *e, const struct record_event *v)
{
	struct event_key fixed = { .config = v->config,
				   .value = v->value,
				   .type = v->type,
				   .freq = v->freq,
				   .memory_access = v->memory_access };
	uint32_t id = PROFILE_NONE;
	struct event_tally *tally;
	int r;

	r = add_name(e, &e->load->event_names, v->fired);
	if (r >= 0)
		r = add_name(e, &e->load->profile_names, v->profile);
	if (r >= 0)
		r = find_counters(e, v);
	if (r < 0)
		return r;
	if (!filter_event(&e->filter, v))
		return add_id(&e->events, PROFILE_NONE);

	begin_key(e, &fixed, sizeof(fixed));
	put_name(&e->key, v->profile);
	put_name(&e->key, v->requested);
	put_name(&e->key, v->fired);
	put_name(&e->key, v->reason);
	put_name(&e->key, v->pmu);
	put_name(&e->key, v->unit);
	put_name(&e->key, v->counters);
	r = add_key(e, &e->load->events, e->key.size, &id);
	if (r >= 0 && e->tally) {
		r = tally_event(e->tally, id, &tally);
		if (r >= 0)
			tally->order = MIN(tally->order, e->order + e->events.n);
	}
	return r < 0 ? r : add_id(&e->events, id);
}

static int add_object(struct epoch *e, struct epoch_object *o, const char *path, size_t size,
		      uint32_t *ret_id)
{
	size_t key_size = sizeof(o->key);

	begin_key(e, &o->key, sizeof(o->key));
	put_name(&e->key, (struct record_bytes){ path, size });
	if (o->key.build_id_size == 0)
		key_size = e->key.size;
	return add_key(e, &e->load->objects, key_size, ret_id);
}

static int on_object(struct epoch *e, const struct record_object *o)
{
	struct epoch_object *object;
	int r;

	r = reserve(&e->objects, &e->objects_capacity, e->n_objects + 1, sizeof(*object));
	if (r < 0)
		return r;
	object = &e->objects[e->n_objects];
	*object = (struct epoch_object){ .id = PROFILE_NONE };
	object->key.kind = o->kind;
	object->guest = o->kind == OBJECT_MODULE && record_bytes_equal(o->path, RECORD_GUEST);
	if (o->kind == OBJECT_KERNEL || o->kind == OBJECT_MODULE || o->kind == OBJECT_BPF)
		object->key.base = o->base;
	object->key.build_id_size = (uint32_t)MIN(o->build_id.size, sizeof(object->key.build_id));
	memcpy(object->key.build_id, o->build_id.data, object->key.build_id_size);
	if (o->kind == OBJECT_ANON) {
		object->path = strndup(o->path.data, o->path.size);
		if (!object->path)
			return -ENOMEM;
	} else {
		r = add_object(e, object, o->path.data, o->path.size, &object->id);
		if (r < 0)
			return r;
	}
	e->n_objects++;
	return 0;
}

/* Memory without a file belongs to the process that maps it first in this epoch. */
static int object_id(struct epoch *e, uint32_t number, uint32_t process, uint32_t *ret_id)
{
	struct epoch_object *o = &e->objects[number];
	int r;

	if (o->id == PROFILE_NONE) {
		if (process != PROFILE_NONE) {
			const struct process_key *owner;

			/* Others may be adding, so that the entry has to be looked up under lock.
			 */
			pthread_mutex_lock(&e->load->processes.lock);
			owner = dictionary_get(&e->load->processes, process);
			pthread_mutex_unlock(&e->load->processes.lock);
			o->key.owner_boot = owner->boot;
			o->key.owner_pid = owner->pid;
			o->key.owner_start_ns = owner->start_ns;
		}
		r = add_object(e, o, o->path, strlen(o->path), &o->id);
		if (r < 0)
			return r;
	}
	*ret_id = o->id;
	return 0;
}

static int on_process(struct epoch *e, const struct record_process *p)
{
	struct process_key fixed = { .start_ns = p->start_ns,
				     .boot = e->source->boot,
				     .pid = p->pid };
	size_t key_size;
	uint32_t id;
	int r;

	begin_key(e, &fixed, sizeof(fixed));
	put_name(&e->key, p->comm);
	put_name(&e->key, p->exe);
	put_name(&e->key, p->cgroup);
	put_name(&e->key, p->unit);
	put_name(&e->key, p->container);
	key_size = e->key.size;
	buffer_put(&e->key, &p->ppid, sizeof(p->ppid));
	r = add_key(e, &e->load->processes, key_size, &id);
	if (r >= 0)
		r = reserve(&e->process_passes, &e->process_passes_capacity, e->processes.n + 1,
			    sizeof(*e->process_passes));
	if (r < 0)
		return r;
	e->process_passes[e->processes.n] = filter_process(&e->filter, p);
	return add_id(&e->processes, id);
}

static int on_mapping(struct epoch *e, const struct record_mapping *m)
{
	struct mapping_key key = {
		.process = e->processes.ids[m->process],
		.start = m->start,
		.end = m->end,
		.pgoff = m->pgoff,
	};
	uint32_t id;
	int r;

	r = object_id(e, m->object, key.process, &key.object);
	return r < 0 ? r : dictionary_add(&e->load->mappings, &key, sizeof(key), sizeof(key), &id);
}

static bool thread_passes(struct epoch *e, const struct record_thread *t)
{
	const struct process_key *process;

	if (!e->process_passes[t->process])
		return false;
	process = dictionary_get_shared(&e->load->processes, e->processes.ids[t->process]);
	return filter_comm(&e->filter, (const char *)(process + 1), t->name);
}

static int on_thread(struct epoch *e, const struct record_thread *t)
{
	struct thread_key fixed = { .process = e->processes.ids[t->process], .tid = t->tid };
	uint32_t id;
	int r;

	begin_key(e, &fixed, sizeof(fixed));
	put_name(&e->key, t->name);
	r = add_key(e, &e->load->threads, e->key.size, &id);
	if (r >= 0)
		r = reserve(&e->thread_passes, &e->thread_passes_capacity, e->threads.n + 1,
			    sizeof(*e->thread_passes));
	if (r < 0)
		return r;
	e->thread_passes[e->threads.n] = thread_passes(e, t);
	return add_id(&e->threads, id);
}

static int on_frame(struct epoch *e, const struct record_frame *f)
{
	struct frame_key key = { .offset = f->offset };
	uint32_t id;
	int r;

	r = object_id(e, f->object, PROFILE_NONE, &key.object);
	if (r >= 0)
		r = dictionary_add(&e->load->frames, &key, sizeof(key), sizeof(key), &id);
	if (e->objects[f->object].guest)
		e->guest_frame = (uint32_t)e->frames.n;
	return r < 0 ? r : add_id(&e->frames, id);
}

static int on_function(struct epoch *e, const struct record_function *f)
{
	struct function_key fixed = { .start = f->start, .size = f->size };
	uint32_t id;
	int r;

	r = object_id(e, f->object, PROFILE_NONE, &fixed.object);
	if (r < 0)
		return r;
	begin_key(e, &fixed, sizeof(fixed));
	put_name(&e->key, f->name);
	return add_key(e, &e->load->functions, e->key.size, &id);
}

static int on_ledger(struct epoch *e, const struct record_ledger *l)
{
	uint32_t event = e->events.ids[l->event];
	struct event_tally *t;
	int r;

	if (!e->tally || event == PROFILE_NONE || !filter_cpu(&e->filter, l->cpu) ||
	    !filter_time(&e->filter, l->time_ns + (uint64_t)e->clock_offset_ns))
		return 0;
	r = tally_event(e->tally, event, &t);
	if (r < 0)
		return r;
	profile_ledger_add(&t->ledger, &(struct profile_ledger){
					       .seen = l->seen,
					       .filtered = l->filtered,
					       .sent = l->sent,
					       .full = l->full,
					       .fault = l->fault,
					       .received = l->received,
					       .gaps = l->gaps,
					       .dropped = l->dropped,
					       .count = l->count,
					       .enabled_ns = l->enabled_ns,
					       .running_ns = l->running_ns,
					       .expected = l->expected,
					       .throttled = l->throttled,
				       });
	return 0;
}

static int on_note(struct epoch *e, const struct record_note *n)
{
	uint64_t realtime_ns = n->time_ns + (uint64_t)e->clock_offset_ns;
	_cleanup_free_ char *text = NULL;
	struct note *grown;

	if (!e->tally || !filter_time(&e->filter, realtime_ns))
		return 0;
	text = strndup(n->text.data, n->text.size);
	grown = reallocarray(e->tally->notes, e->tally->n_notes + 1, sizeof(*grown));
	if (grown)
		e->tally->notes = grown;
	if (!text || !grown)
		return -ENOMEM;
	grown[e->tally->n_notes++] = (struct note){ realtime_ns, TAKE_PTR(text) };
	return 0;
}

static int on_record(struct epoch *e, const struct record *r)
{
	switch (r->type) {
	case RECORD_HOST:
		return on_host(e, &r->host);
	case RECORD_CLOCK:
		on_clock(e, &r->clock);
		return 0;
	case RECORD_EVENT:
		return on_event(e, &r->event);
	case RECORD_OBJECT:
		return on_object(e, &r->object);
	case RECORD_PROCESS:
		return on_process(e, &r->process);
	case RECORD_MAPPING:
		return on_mapping(e, &r->mapping);
	case RECORD_THREAD:
		return on_thread(e, &r->thread);
	case RECORD_FRAME:
		return on_frame(e, &r->frame);
	case RECORD_FUNCTION:
		return on_function(e, &r->function);
	case RECORD_LEDGER:
		return on_ledger(e, &r->ledger);
	case RECORD_NOTE:
		return on_note(e, &r->note);
	case RECORD_SAMPLE:
	case RECORD_SCHEMA:
	case RECORD_ROW:
		break;
	}
	return 0;
}

/* --- samples -----------------------------------------------------------------------------------*/

static uint8_t known_status(uint8_t status)
{
	return MIN(status, (uint8_t)(PROFILE_STATUSES - 1));
}

/* True: *ret is set; false: filtered. */
static bool on_sample(struct epoch *e, const struct record_sample *s, struct epoch_sample *ret)
{
	uint64_t realtime_ns = s->time_ns + (uint64_t)e->clock_offset_ns;
	uint32_t event = e->events.ids[s->event];

	if (event == PROFILE_NONE || !e->thread_passes[s->thread] ||
	    !filter_cpu(&e->filter, s->cpu) || !filter_time(&e->filter, realtime_ns))
		return false;
	*ret = (struct epoch_sample){
		.sample = {
			.realtime_ns = realtime_ns,
			.monotonic_ns = s->time_ns,
			.event = event,
			.thread = e->threads.ids[s->thread],
			.cpu = s->cpu,
			.weight = s->period,
			.kernel_status = known_status(s->kernel_status),
			.user_status = known_status(s->user_status),
			.guest = s->kernel_frames && s->frames[0] == e->guest_frame,
			.mixed = s->mixed,
			.cut = s->cut && !s->mixed,
			.access = s->access,
		},
		.path = &e->paths[s->cpu % EPOCH_PATHS],
	};
	if (!(e->load->dimensions & PROFILE_NO_STACK)) {
		ret->kernel = s->kernel_frames;
		ret->user = s->user_frames;
		ret->frames = s->frames;
	}
	if (e->load->n_counters) {
		e->turn ^= 1;
		counters_of_sample(e->load, s, &e->places[s->event], e->counters[e->turn]);
		ret->counters = e->counters[e->turn];
	}
	return true;
}

int epoch_set_path(struct epoch *e, const struct epoch_sample *s)
{
	return tree_path_set(s->path, s->frames, s->kernel, s->user, e->frames.ids, e->load->seed);
}

int epoch_next(struct epoch *e, struct epoch_sample *ret)
{
	struct record record;
	int r;

	while ((r = epoch_walk_next(e->walk, &record)) > 0) {
		if (record.type == RECORD_SAMPLE)
			r = on_sample(e, &record.sample, ret);
		else
			r = on_record(e, &record);
		if (r != 0)
			break;
	}
	return r;
}

/* --- which epochs ------------------------------------------------------------------------------*/

bool epoch_first_clock(struct segment_reader *reader, size_t epoch, int64_t *ret_offset_ns)
{
	_cleanup_(epoch_walk_closep) struct epoch_walk *walk = NULL;
	struct record r;

	if (epoch_walk_open(reader, epoch, &walk) < 0)
		return false;
	while (epoch_walk_next(walk, &r) > 0 && r.type != RECORD_SAMPLE) {
		if (r.type != RECORD_CLOCK)
			continue;
		*ret_offset_ns = (int64_t)(r.clock.realtime_ns - r.clock.monotonic_ns);
		return true;
	}
	return false;
}

/* The same, from the source's list: it is asked for twice. */
static bool known_clock(struct source *s, size_t epoch, int64_t *ret_offset_ns)
{
	int64_t offset_ns = __atomic_load_n(&s->clocks[epoch], __ATOMIC_RELAXED);

	if (offset_ns == CLOCK_UNKNOWN) {
		if (!epoch_first_clock(s->reader, epoch, &offset_ns))
			return false;
		__atomic_store_n(&s->clocks[epoch], offset_ns, __ATOMIC_RELAXED);
	}
	*ret_offset_ns = offset_ns;
	return true;
}

static bool outside(const struct profile_filter *f, const struct segment_epoch *epoch,
		    int64_t offset_ns)
{
	uint64_t first = epoch->first_ns + (uint64_t)offset_ns;
	uint64_t last = epoch->last_ns + (uint64_t)offset_ns;

	return last < f->since_ns || (f->until_ns && first > f->until_ns + LATE_FUNCTIONS_NS);
}

/*
 * True when no sample of the epoch can lie in the window: by its own clocks, and by those of the
 * next epoch, for the host's clock may have been set in between.
 */
static bool can_skip(const struct epoch *e, size_t number)
{
	const struct segment_info *info = segment_reader_info(e->source->reader);
	const struct segment_epoch *epoch = &info->epochs[number];
	const struct profile_filter *f = e->load->filter;
	int64_t offset_ns;

	if ((!f->since_ns && !f->until_ns) || epoch->last_ns == 0)
		return false;
	if (!known_clock(e->source, number, &offset_ns) || !outside(f, epoch, offset_ns))
		return false;
	return number + 1 == info->n_epochs || !known_clock(e->source, number + 1, &offset_ns) ||
	       outside(f, epoch, offset_ns);
}

int epoch_begin(struct epoch *e, struct source *s, size_t number)
{
	const struct segment_info *info = segment_reader_info(s->reader);
	int r;

	epoch_end(e);
	e->source = s;
	if (can_skip(e, number))
		return 0;
	e->order = (uint64_t)(s - e->load->sources) << 40 | (uint64_t)number << 16;
	e->clock_offset_ns = (int64_t)(info->realtime_ns - info->monotonic_ns);
	e->events.n = e->processes.n = e->threads.n = e->frames.n = 0;
	e->guest_frame = PROFILE_NONE;
	for (size_t i = 0; i < EPOCH_PATHS; i++)
		tree_path_forget(&e->paths[i]);
	r = epoch_walk_open(s->reader, number, &e->walk);
	return r < 0 ? r : 1;
}

void epoch_end(struct epoch *e)
{
	e->walk = epoch_walk_close(e->walk);
	forget_objects(e);
	/* The newest epoch tells what the host is. */
	if (e->tally && e->host.realtime_ns > e->tally->host.realtime_ns) {
		struct tally_facts old = e->tally->host;

		e->tally->host = e->host;
		e->host = old;
	}
	tally_facts_done(&e->host);
}
