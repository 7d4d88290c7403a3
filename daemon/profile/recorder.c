// SPDX-License-Identifier: Apache-2.0
/*
 * Everything a record refers to is written once per epoch, just before it is first needed: objects,
 * processes, threads, frames, functions. What was written is remembered in the things themselves
 * (epoch and id in struct object and struct process) and in three hash tables that are emptied when
 * an epoch begins.
 */
#include <linux/types.h>

#include "profile/recorder_state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "profile/memory_access.h"
#include "store/record_coder.h"
#include "util/clock.h"
#include "util/hash_table.h"
#include "util/parse.h"

#define DEFAULT_BLOCK_BYTES (256 * 1024)

static bool still_runs(const struct id_table_entry *thread, void *userdata)
{
	const struct recorder *r = userdata;
	uint64_t process = thread->a >> 32;

	return process / 64 >= r->ended_words || !(r->ended[process / 64] >> process % 64 & 1);
}

int recorder_new(const struct recorder_options *options, struct recorder **ret)
{
	_cleanup_(recorder_freep) struct recorder *r = calloc(1, sizeof(*r));
	struct object_key unknown = { .kind = OBJECT_UNKNOWN, .path = "" };
	struct object_key unknown_kernel = { .kind = OBJECT_KERNEL, .path = "[kernel]" };
	struct object_key guest = { .kind = OBJECT_MODULE, .path = RECORD_GUEST };

	if (!r)
		return -ENOMEM;
	r->options = *options;
	if (r->options.block_bytes == 0)
		r->options.block_bytes = DEFAULT_BLOCK_BYTES;
	r->threads.keep = still_runs;
	r->threads.userdata = r;
	r->coder = record_coder_new();
	r->rows = row_coder_new();
	r->previous = calloc(options->n_cpus, sizeof(*r->previous));
	r->cache = calloc(FRAME_CACHE, sizeof(*r->cache));
	r->unknown = object_table_get(options->objects, &unknown);
	r->unknown_kernel = object_table_get(options->objects, &unknown_kernel);
	r->guest = object_table_get(options->objects, &guest);
	if (!r->coder || !r->rows || !r->previous || !r->cache || !r->unknown ||
	    !r->unknown_kernel || !r->guest)
		return -ENOMEM;
	*ret = TAKE_PTR(r);
	return 0;
}

struct recorder *recorder_free(struct recorder *r)
{
	if (!r)
		return NULL;
	recorder_unwatch_all(r);
	for (size_t i = 0; i < r->n_facts; i++) {
		free(r->facts[i].key);
		free(r->facts[i].value);
	}
	for (size_t i = 0; i < r->n_events; i++)
		for (size_t k = 0; k < ARRAY_SIZE(r->events[i].strings); k++)
			free(r->events[i].strings[k]);
	free(r->facts);
	free(r->events);
	free(r->event_ids);
	free(r->ended);
	free(r->previous);
	free(r->cache);
	id_table_done(&r->threads);
	id_table_done(&r->frames);
	id_table_done(&r->functions);
	object_unref(r->unknown);
	object_unref(r->unknown_kernel);
	object_unref(r->guest);
	record_coder_free(r->coder);
	row_coder_free(r->rows);
	buffer_done(&r->block);
	free(r);
	return NULL;
}

void recorder_put(struct recorder *r, const struct record *record)
{
	record_put(&r->block, r->coder, record);
}

/* --- epochs --- */

static void put_clock(struct recorder *r)
{
	struct record record = {
		.type = RECORD_CLOCK,
		.clock = { .monotonic_ns = now_ns(), .realtime_ns = clock_ns(CLOCK_REALTIME) },
	};

	r->clock_ns = record.clock.monotonic_ns;
	recorder_put(r, &record);
}

static void put_event(struct recorder *r, size_t i)
{
	recorder_put(r, &(struct record){ .type = RECORD_EVENT, .event = r->events[i].record });
	r->event_ids[i] = r->next_event_id++;
}

static void begin_epoch(struct recorder *r)
{
	r->epoch++;
	r->block_starts_epoch = true;
	r->n_objects = r->n_processes = r->n_threads = r->n_frames = r->next_event_id = 0;
	r->last_space = KERNEL_SPACE;
	recorder_forget_frames(r);
	recorder_unwatch_all(r);
	if (r->ended_words)
		memset(r->ended, 0, r->ended_words * sizeof(*r->ended));
	id_table_clear(&r->threads);
	id_table_clear(&r->frames);
	id_table_clear(&r->functions);
	record_coder_reset(r->coder);
	row_coder_reset(r->rows);
	put_clock(r);
	for (size_t i = 0; i < r->n_facts; i++)
		recorder_put(r, &(struct record){
					.type = RECORD_HOST,
					.host = { .key = record_string(r->facts[i].key),
						  .value = record_string(r->facts[i].value) } });
	for (size_t i = 0; i < r->n_events; i++)
		put_event(r, i);
}

void recorder_begin_block(struct recorder *r)
{
	if (r->block.size || r->holds)
		return;
	if (r->epoch == 0 || segment_writer_wants_epoch(r->options.writer))
		begin_epoch(r);
	else if (now_ns() - r->clock_ns > 60 * NSEC_PER_SEC)
		put_clock(r);
}

static void put_held(struct recorder *r)
{
	if (r->holds)
		recorder_put(r, &r->held);
	r->holds = false;
}

int64_t recorder_flush(struct recorder *r)
{
	uint64_t samples = r->block_samples;
	int64_t number;

	put_held(r);
	if (r->block.size == 0)
		return 0;
	if (r->block.error) {
		/* Out of memory in the middle of a block: what it held is lost, and so is its
		 * epoch. */
		buffer_reset(&r->block);
		r->epoch = 0;
		number = -ENOMEM;
	} else {
		number = segment_writer_submit(r->options.writer, &r->block, r->block_starts_epoch,
					       r->block_first_ns, r->block_last_ns, samples);
		buffer_reset(&r->block);
	}
	if (number < 0)
		r->stats.dropped += samples;
	r->stats.blocks++;
	r->block_starts_epoch = false;
	r->block_first_ns = r->block_last_ns = r->block_samples = 0;
	return number;
}

/* --- dictionaries --- */

uint32_t recorder_put_object(struct recorder *r, struct object *o)
{
	o->epoch = r->epoch;
	o->id = r->n_objects++;
	o->function_start = o->function_end = 0;
	recorder_put(r, &(struct record){
				.type = RECORD_OBJECT,
				.object = {
					.kind = o->kind,
					.path = record_string(o->path),
					.build_id = { (const char *)o->build_id, o->build_id_size },
					.base = o->base,
				} });
	return o->id;
}

/* Without memory for it its threads are kept until the epoch ends. */
static void end_process(struct recorder *r, uint32_t id)
{
	size_t word = id / 64;

	if (word >= r->ended_words) {
		size_t n = MAX(word + 1, 2 * r->ended_words);
		uint64_t *grown = reallocarray(r->ended, n, sizeof(*grown));

		if (!grown)
			return;
		memset(grown + r->ended_words, 0, (n - r->ended_words) * sizeof(*grown));
		r->ended = grown;
		r->ended_words = n;
	}
	r->ended[word] |= 1ULL << id % 64;
}

void recorder_process_forgotten(struct recorder *r, const struct process *p)
{
	if (p->epoch == r->epoch)
		end_process(r, p->id);
}

static uint32_t process_id(struct recorder *r, struct process *p)
{
	if (p->epoch == r->epoch && p->written_generation == p->generation)
		return p->id;
	if (p->epoch == r->epoch)
		end_process(r, p->id);
	p->epoch = r->epoch;
	p->written_generation = p->generation;
	p->written_mappings = NULL;
	p->space = ++r->last_space;
	p->id = r->n_processes++;
	recorder_put(
		r, &(struct record){ .type = RECORD_PROCESS,
				     .process = {
					     .pid = p->pid,
					     .start_ns = p->start_ns,
					     .ppid = p->ppid,
					     .comm = { p->comm, strnlen(p->comm, sizeof(p->comm)) },
					     .exe = record_string(p->exe),
					     .cgroup = record_string(p->cgroup),
					     .unit = record_string(p->unit),
					     .container = record_string(p->container),
				     } });
	return p->id;
}

static uint32_t thread_id(struct recorder *r, uint32_t process, const struct sample_record *s)
{
	struct record record = {
		.type = RECORD_THREAD,
		.thread = { .process = process,
			    .tid = s->tid,
			    .name = { s->comm, strnlen(s->comm, sizeof(s->comm)) } },
	};
	uint64_t name[2];
	uint32_t *id;

	memcpy(name, s->comm, sizeof(name));
	id = id_table_slot(&r->threads, (uint64_t)process << 32 | s->tid,
			   (uint32_t)hash_u64(name[0] ^ hash_u64(name[1])));
	if (!id)
		return NO_ID;
	if (*id == ID_TABLE_NEW) {
		*id = r->n_threads++;
		recorder_put(r, &record);
	}
	return *id;
}

void recorder_put_mapping(struct recorder *r, const struct process *p, const struct mapping *m)
{
	recorder_put(r, &(struct record){ .type = RECORD_MAPPING,
					  .mapping = {
						  .process = p->id,
						  .object = recorder_object_id(r, m->object),
						  .start = m->start,
						  .end = m->end,
						  .pgoff = m->pgoff,
					  } });
}

/*
 * The token of the process's mappings as they are now. The process table sets written_mappings to
 * NULL when they change: then none of the new ones is written yet.
 */
static uint32_t space_of(struct recorder *r, struct process *p)
{
	size_t words = p->mappings ? (p->mappings->n + 63) / 64 : 0;
	uint64_t *bits;

	if (!p->mappings || p->written_mappings == p->mappings)
		return p->space;
	bits = realloc(p->mapping_written, MAX(words, (size_t)1) * sizeof(*bits));
	if (!bits)
		return p->space;
	memset(bits, 0, words * sizeof(*bits));
	p->mapping_written = bits;
	p->written_mappings = p->mappings;
	return p->space = ++r->last_space;
}

void recorder_need_mapping(struct recorder *r, struct process *p, const struct mapping *m)
{
	size_t i = (size_t)(m - p->mappings->list);

	if (p->written_mappings != p->mappings || p->mapping_written[i / 64] >> (i % 64) & 1)
		return;
	p->mapping_written[i / 64] |= 1ULL << (i % 64);
	recorder_put_mapping(r, p, m);
}

/* The counters behind the frames, each as its delta and the part of the time it ran. All are read
 * within a microsecond: what one of them covers, all do. */
static void take_counters(const struct sample_record *s, struct record_sample *ret)
{
	const __u64 *w = s->words + s->kernel_frames + s->user_frames;

	ret->mixed = s->flags & SAMPLE_MIXED;
	ret->cut = s->flags & SAMPLE_CUT;
	for (; ret->n_counters < s->counters; ret->n_counters++, w += SAMPLE_COUNTER_WORDS) {
		uint64_t enabled = w[1], running = MIN(w[2], enabled);
		uint64_t permille = enabled ? running * 1000 / enabled : 0;

		if (permille)
			ret->counted_ns = MAX(ret->counted_ns, enabled);
		/* What ran for less than a thousandth of the time says nothing. */
		ret->counters[ret->n_counters] = (struct record_counter){
			.delta = permille ? w[0] : 0,
			.running_permille = (uint16_t)permille,
		};
	}
}

/* Behind the counters. That there was no access is told in many ways. */
static void take_access(const struct sample_record *s, struct record_access *ret)
{
	const __u64 *w =
		s->words + s->kernel_frames + s->user_frames + s->counters * SAMPLE_COUNTER_WORDS;

	*ret = (struct record_access){
		.address = w[0],
		.source = memory_access_source(w[1]),
		.latency = w[2],
	};
}

/* How far the user stack can be trusted that is left. */
static uint8_t user_status(const struct sample_record *s, const struct previous *prev)
{
	return prev->cut && s->user_status != STACK_EARLY ? STACK_NO_MAPPING : s->user_status;
}

static void hold_sample(struct recorder *r, const struct sample_record *s,
			const struct previous *prev)
{
	r->holds = true;
	r->held = (struct record){
		.type = RECORD_SAMPLE,
		.sample = {
			.time_ns = s->head.time_ns,
			.cpu = s->head.cpu,
			.event = r->event_ids[s->event],
			.thread = prev->thread_id,
			.period = s->period,
			.kernel_status = s->kernel_status,
			.user_status = user_status(s, prev),
			.kernel_frames = s->kernel_frames,
			.user_frames = (uint16_t)(s->user_frames - prev->cut),
			.frames = r->held_frames,
		},
	};

	for (size_t i = prev->n; i > prev->cut; i--)
		r->held_frames[prev->n - i] = prev->id[i - 1];
	if (s->counters)
		take_counters(s, &r->held.sample);
	if (s->flags & SAMPLE_ACCESS)
		take_access(s, &r->held.sample.access);
}

/* The sample's thread, and its stack, become the CPU's previous ones. */
static bool take_sample(struct recorder *r, struct previous *prev, const struct sample_record *s,
			struct process *p)
{
	uint32_t process = process_id(r, p), space = space_of(r, p);

	if (prev->epoch != r->epoch || prev->process_id != process || prev->tid != s->tid ||
	    memcmp(prev->comm, s->comm, sizeof(s->comm)) != 0) {
		prev->thread_id = thread_id(r, process, s);
		prev->process_id = process;
		prev->tid = s->tid;
		memcpy(prev->comm, s->comm, sizeof(s->comm));
	}
	record_coder_expect_thread(r->coder, prev->thread_id);
	if (prev->thread_id == NO_ID || !recorder_intern_stack(r, prev, s, p, space)) {
		prev->epoch = 0;
		return false;
	}
	prev->epoch = r->epoch;
	prev->space = space;
	return true;
}

/* Rows come later than samples of the same moment. */
static void note_time(struct recorder *r, uint64_t time_ns)
{
	if (r->block_first_ns == 0 || time_ns < r->block_first_ns)
		r->block_first_ns = time_ns;
	r->block_last_ns = MAX(r->block_last_ns, time_ns);
}

bool recorder_sample(struct recorder *r, const struct sample_record *s, struct process *p)
{
	struct previous *prev;

	if (s->head.cpu >= r->options.n_cpus || s->event >= r->n_events)
		return false;
	recorder_begin_block(r);
	prev = &r->previous[s->head.cpu];
	if (!take_sample(r, prev, s, p)) {
		r->stats.dropped++;
		return false;
	}
	put_held(r);
	hold_sample(r, s, prev);
	r->stats.samples++;
	r->block_samples++;
	note_time(r, s->head.time_ns);
	if (r->block.size >= r->options.block_bytes)
		recorder_flush(r);
	return true;
}

void recorder_row(struct recorder *r, const struct row *row)
{
	recorder_begin_block(r);
	row_put(&r->block, r->rows, r->coder, row);
	note_time(r, row->time_ns);
	if (r->block.size >= r->options.block_bytes)
		recorder_flush(r);
}

/* --- everything else --- */

int recorder_add_host(struct recorder *r, const char *key, const char *value)
{
	struct fact *grown = realloc(r->facts, (r->n_facts + 1) * sizeof(*grown));
	_cleanup_free_ char *k = strdup(key), *v = strdup(value);

	if (grown)
		r->facts = grown;
	if (!grown || !k || !v)
		return -ENOMEM;
	r->facts[r->n_facts++] = (struct fact){ TAKE_PTR(k), TAKE_PTR(v) };
	return 0;
}

/* Copies the strings of an event record. */
static int known_event_init(struct known_event *e, const struct record_event *event)
{
	struct record_bytes *fields[] = { &e->record.profile, &e->record.requested,
					  &e->record.fired,   &e->record.reason,
					  &e->record.pmu,     &e->record.unit,
					  &e->record.counters };

	*e = (struct known_event){ .record = *event };
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		e->strings[i] = strndup(fields[i]->data, fields[i]->size);
		if (!e->strings[i])
			return -ENOMEM;
		fields[i]->data = e->strings[i];
	}
	return 0;
}

int recorder_set_event(struct recorder *r, size_t index, const struct record_event *event)
{
	struct known_event known;
	int error = known_event_init(&known, event);

	if (error == 0 && index >= r->n_events) {
		struct known_event *events = realloc(r->events, (index + 1) * sizeof(*events));
		uint32_t *ids;

		r->events = events ? events : r->events;
		ids = realloc(r->event_ids, (index + 1) * sizeof(*ids));
		r->event_ids = ids ? ids : r->event_ids;
		error = events && ids ? 0 : -ENOMEM;
		for (; error == 0 && r->n_events <= index; r->n_events++)
			r->events[r->n_events] = (struct known_event){};
	}
	if (error < 0) {
		for (size_t k = 0; k < ARRAY_SIZE(known.strings); k++)
			free(known.strings[k]);
		return error;
	}
	for (size_t k = 0; k < ARRAY_SIZE(known.strings); k++)
		free(r->events[index].strings[k]);
	r->events[index] = known;
	if (r->epoch) {
		recorder_begin_block(r);
		put_event(r, index);
	}
	return 0;
}

void recorder_ledger(struct recorder *r, const struct record_ledger *l)
{
	struct record record = { .type = RECORD_LEDGER, .ledger = *l };

	if (l->event >= r->n_events)
		return;
	recorder_begin_block(r);
	record.ledger.event = r->event_ids[l->event];
	recorder_put(r, &record);
}

void recorder_note(struct recorder *r, uint64_t time_ns, const char *text)
{
	recorder_begin_block(r);
	recorder_put(
		r, &(struct record){ .type = RECORD_NOTE,
				     .note = { .time_ns = time_ns, .text = record_string(text) } });
}

void recorder_get_stats(const struct recorder *r, struct recorder_stats *ret)
{
	*ret = r->stats;
}
