// SPDX-License-Identifier: Apache-2.0
/*
 * Everything a record refers to is written once per epoch, just before it is first needed: objects,
 * processes, threads, frames, functions. What was written is remembered in the things themselves
 * (epoch and id in struct object and struct process) and in three hash tables that are emptied when
 * an epoch begins.
 *
 * The hot path is the stack: most samples on a CPU share their outer frames with the previous one,
 * so the previous addresses and their frame ids are kept per CPU, and only what differs is looked
 * up.
 */
#include <linux/types.h>

#include "profile/recorder.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "profile/id_table.h"
#include "profile/memory_access.h"
#include "util/hash_table.h"
#include "util/parse.h"

#define MAX_FRAMES (2 * SAMPLE_MAX_FRAMES)
#define DEFAULT_BLOCK_BYTES (256 * 1024)
#define NO_ID UINT32_MAX
#define UNMAPPED (UINT32_MAX - 1) /* no id either: a user address outside every mapping */
#define FRAME_CACHE 8192 /* places; 128 KiB, half of a small L2 */
#define WATCHED_MAX 64 /* as many perf maps as are kept */
#define UNNAMED_MAX 4096 /* frames of one of them that wait for a name */

/*
 * An address space within an epoch: one version of one process's mappings. While a process keeps
 * its token, an address keeps its frame id.
 */
#define KERNEL_SPACE 0

/* The previous sample on a CPU: addresses root first, as they came, and what they became. */
struct previous {
	uint64_t epoch;
	uint32_t space, process_id, tid, thread_id;
	char comm[SAMPLE_COMM_LEN];
	size_t n_user, n; /* user frames, all frames */
	size_t cut; /* of them, outermost ones that are no frames */
	uint64_t address[MAX_FRAMES];
	uint32_t id[MAX_FRAMES];
};

/* One place of a direct-mapped cache before the hash table of frames. */
struct cached_frame {
	uint64_t address;
	uint32_t space;
	uint32_t id; /* NO_ID: empty */
};

struct fact {
	char *key, *value;
};

/* Code without a file or a name, and how much its process's perf map told when that was noticed. */
struct watched {
	struct object *object; /* referenced; its pending offsets are the frames */
	uint32_t pid;
	uint64_t version;
};

/* The owned copy of an event's record. */
struct known_event {
	struct record_event record;
	char *strings[7];
};

struct recorder {
	struct recorder_options options;
	struct record_coder *coder;
	struct row_coder *rows;
	struct buffer block;
	uint64_t block_first_ns, block_last_ns, block_samples;
	bool block_starts_epoch;
	uint64_t epoch; /* 0: none begun */
	uint64_t clock_ns; /* of the last clock record */
	uint32_t n_objects, n_processes, n_threads, n_frames;
	struct id_table threads, frames, functions;
	struct cached_frame *cache; /* [FRAME_CACHE] */
	uint32_t last_space;
	struct object *unknown; /* for user addresses outside every mapping */
	struct object
		*unknown_kernel; /* for kernel addresses outside image, modules and programs */
	struct previous *previous; /* [n_cpus] */
	struct watched watched[WATCHED_MAX];
	size_t n_watched;
	struct fact *facts;
	size_t n_facts;
	struct known_event *events;
	uint32_t *event_ids; /* event of the sampler -> id in this epoch */
	size_t n_events;
	uint32_t next_event_id;
	struct recorder_stats stats;
};

static uint64_t clock_now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

int recorder_new(const struct recorder_options *options, struct recorder **ret)
{
	_cleanup_(recorder_freep) struct recorder *r = calloc(1, sizeof(*r));
	struct object_key unknown = { .kind = OBJECT_UNKNOWN, .path = "" };
	struct object_key unknown_kernel = { .kind = OBJECT_KERNEL, .path = "[kernel]" };

	if (!r)
		return -ENOMEM;
	r->options = *options;
	if (r->options.block_bytes == 0)
		r->options.block_bytes = DEFAULT_BLOCK_BYTES;
	r->coder = record_coder_new();
	r->rows = row_coder_new();
	r->previous = calloc(options->n_cpus, sizeof(*r->previous));
	r->cache = calloc(FRAME_CACHE, sizeof(*r->cache));
	r->unknown = object_table_get(options->objects, &unknown);
	r->unknown_kernel = object_table_get(options->objects, &unknown_kernel);
	if (!r->coder || !r->rows || !r->previous || !r->cache || !r->unknown || !r->unknown_kernel)
		return -ENOMEM;
	*ret = TAKE_PTR(r);
	return 0;
}

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

static void unwatch_all(struct recorder *r)
{
	while (r->n_watched)
		unwatch(r, r->n_watched - 1);
}

struct recorder *recorder_free(struct recorder *r)
{
	if (!r)
		return NULL;
	unwatch_all(r);
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
	free(r->previous);
	free(r->cache);
	id_table_done(&r->threads);
	id_table_done(&r->frames);
	id_table_done(&r->functions);
	object_unref(r->unknown);
	object_unref(r->unknown_kernel);
	record_coder_free(r->coder);
	row_coder_free(r->rows);
	buffer_done(&r->block);
	free(r);
	return NULL;
}

static void put(struct recorder *r, const struct record *record)
{
	record_put(&r->block, r->coder, record);
}

/* --- epochs --- */

static void put_clock(struct recorder *r)
{
	struct record record = {
		.type = RECORD_CLOCK,
		.clock = { .monotonic_ns = clock_now(CLOCK_MONOTONIC),
			   .realtime_ns = clock_now(CLOCK_REALTIME) },
	};

	r->clock_ns = record.clock.monotonic_ns;
	put(r, &record);
}

static void put_event(struct recorder *r, size_t i)
{
	put(r, &(struct record){ .type = RECORD_EVENT, .event = r->events[i].record });
	r->event_ids[i] = r->next_event_id++;
}

static void begin_epoch(struct recorder *r)
{
	r->epoch++;
	r->block_starts_epoch = true;
	r->n_objects = r->n_processes = r->n_threads = r->n_frames = r->next_event_id = 0;
	r->last_space = KERNEL_SPACE;
	for (size_t i = 0; i < FRAME_CACHE; i++)
		r->cache[i].id = NO_ID;
	unwatch_all(r);
	id_table_clear(&r->threads);
	id_table_clear(&r->frames);
	id_table_clear(&r->functions);
	record_coder_reset(r->coder);
	row_coder_reset(r->rows);
	put_clock(r);
	for (size_t i = 0; i < r->n_facts; i++)
		put(r, &(struct record){ .type = RECORD_HOST,
					 .host = { .key = record_string(r->facts[i].key),
						   .value = record_string(r->facts[i].value) } });
	for (size_t i = 0; i < r->n_events; i++)
		put_event(r, i);
}

/* Every put begins here: an empty block may be the first of a new epoch. */
static void begin_block(struct recorder *r)
{
	if (r->block.size)
		return;
	if (r->epoch == 0 || segment_writer_wants_epoch(r->options.writer))
		begin_epoch(r);
	else if (clock_now(CLOCK_MONOTONIC) - r->clock_ns > 60 * NSEC_PER_SEC)
		put_clock(r);
}

int64_t recorder_flush(struct recorder *r)
{
	uint64_t samples = r->block_samples;
	int64_t number;

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

static uint32_t object_id(struct recorder *r, struct object *o)
{
	if (o->epoch == r->epoch)
		return o->id;
	o->epoch = r->epoch;
	o->id = r->n_objects++;
	o->function_start = o->function_end = 0;
	put(r,
	    &(struct record){ .type = RECORD_OBJECT,
			      .object = {
				      .kind = o->kind,
				      .path = record_string(o->path),
				      .build_id = { (const char *)o->build_id, o->build_id_size },
				      .base = o->base,
			      } });
	return o->id;
}

static uint32_t process_id(struct recorder *r, struct process *p)
{
	if (p->epoch == r->epoch && p->written_generation == p->generation)
		return p->id;
	p->epoch = r->epoch;
	p->written_generation = p->generation;
	p->written_mappings = NULL;
	p->space = ++r->last_space;
	p->id = r->n_processes++;
	put(r, &(struct record){ .type = RECORD_PROCESS,
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
		put(r, &record);
	}
	return *id;
}

static void put_mapping(struct recorder *r, const struct process *p, const struct mapping *m)
{
	put(r, &(struct record){ .type = RECORD_MAPPING,
				 .mapping = {
					 .process = p->id,
					 .object = object_id(r, m->object),
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

/* A process's mappings are written the first time one of its frames lies in them. */
static void need_mapping(struct recorder *r, struct process *p, const struct mapping *m)
{
	size_t i = (size_t)(m - p->mappings->list);

	if (p->written_mappings != p->mappings || p->mapping_written[i / 64] >> (i % 64) & 1)
		return;
	p->mapping_written[i / 64] |= 1ULL << (i % 64);
	put_mapping(r, p, m);
}

/* --- functions --- */

/* False when it is written already. */
static bool put_function(struct recorder *r, struct object *o, const struct function *f)
{
	char name[4096];
	uint32_t object = object_id(r, o);
	uint32_t *id = id_table_slot(&r->functions, f->start, object);

	if (!id || *id != ID_TABLE_NEW)
		return false;
	*id = 0;
	demangle(f->name, name, sizeof(name));
	put(r, &(struct record){ .type = RECORD_FUNCTION,
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
		put_function(r, o, &f);
		o->function_start = f.start;
		o->function_end = f.start + f.size;
	}
	if (found && offset > f.start)
		return;
	if (offset && function_index_find(o->index, offset - 1, &f))
		put_function(r, o, &f);
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

/* Its process may write its names down later. */
static void watch(struct recorder *r, struct object *o, uint32_t pid)
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
		put_function(r, o, &f);
		return;
	}
	watch(r, o, pid);
	if (o->n_pending < UNNAMED_MAX)
		remember_offset(o, offset);
}

static void need_functions(struct recorder *r, struct object *o, uint64_t offset, uint32_t pid)
{
	if (o->kind == OBJECT_UNKNOWN)
		return;
	if (o->kind == OBJECT_ANON) {
		need_written_name(r, o, offset, pid);
	} else if (o->index_state == INDEX_READY) {
		put_functions_at(r, o, offset);
	} else if (o->index_state != INDEX_FAILED && o != r->unknown_kernel) {
		remember_offset(o, offset);
	}
}

void recorder_object_ready(struct recorder *r, struct object *o)
{
	if (o->index_state == INDEX_READY && o->n_pending) {
		begin_block(r);
		(void)object_id(r, o);
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
			put_function(r, o, &f);
		else
			o->pending_offsets[kept++] = offset;
	}
	o->n_pending = kept;
}

void recorder_look_again(struct recorder *r)
{
	bool grown = false;

	if (r->n_watched)
		begin_block(r);
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

/* --- frames --- */

static uint32_t frame_id(struct recorder *r, struct object *o, uint64_t offset, uint32_t pid)
{
	uint32_t object = object_id(r, o);
	uint32_t *id = id_table_slot(&r->frames, offset, object);

	if (!id)
		return NO_ID;
	if (*id == ID_TABLE_NEW) {
		*id = r->n_frames++;
		r->stats.frames_new++;
		put(r, &(struct record){ .type = RECORD_FRAME,
					 .frame = { .object = object, .offset = offset } });
		need_functions(r, o, offset, pid);
		/* The functions table shares nothing with this one, but putting may have grown it.
		 */
		return r->n_frames - 1;
	}
	return *id;
}

static uint32_t kernel_frame(struct recorder *r, uint64_t address)
{
	struct object *o = kernel_space_find(r->options.kernel, address);

	if (!o)
		o = r->unknown_kernel;
	return frame_id(r, o, address - o->base, 0);
}

/*
 * Outside of every mapping: garbage of a broken stack, or code in memory that was moved, which no
 * record tells of. The process's perf map knows the latter. Of a process whose mappings nobody
 * could read nothing is known to be garbage.
 */
static uint32_t unmapped_frame(struct recorder *r, struct process *p, uint64_t address)
{
	struct function f;
	struct mapping m;

	if (!p->mappings)
		return frame_id(r, r->unknown, address, p->pid);
	if (!r->options.perf_maps || !p->mappings->own_code)
		return UNMAPPED;
	if (!p->jit)
		p->jit = process_anonymous_object(r->options.objects, p);
	if (!p->jit)
		return NO_ID;
	if (!perf_maps_find(r->options.perf_maps, (pid_t)p->pid, address, &f)) {
		watch(r, p->jit, p->pid);
		return UNMAPPED;
	}
	m = (struct mapping){ f.start, f.start + f.size, f.start, p->jit };
	/* The mapping tells readers whose memory it is: before anything else in it. */
	if (p->jit->epoch != r->epoch)
		put_mapping(r, p, &m);
	else if (put_function(r, p->jit, &f))
		put_mapping(r, p, &m);
	return frame_id(r, p->jit, address, p->pid);
}

static uint32_t user_frame(struct recorder *r, struct process *p, uint64_t address)
{
	const struct mapping *m = p->mappings ? mappings_find(p->mappings, address) : NULL;

	if (!m)
		return unmapped_frame(r, p, address);
	need_mapping(r, p, m);
	if (m->object->kind == OBJECT_ANON)
		return frame_id(r, m->object, address, p->pid);
	if (m->object->index_state == INDEX_NONE && r->options.symbols)
		symbols_request(r->options.symbols, m->object, (pid_t)p->pid, m->start, m->end);
	return frame_id(r, m->object, address - m->start + m->pgoff, p->pid);
}

static struct cached_frame *cache_place(struct recorder *r, uint32_t space, uint64_t address)
{
	uint64_t h = address * 0x9e3779b97f4a7c15ULL + space * 0xff51afd7ed558ccdULL;

	return &r->cache[(h >> 51) % FRAME_CACHE];
}

static uint32_t lookup_frame(struct recorder *r, struct process *p, uint32_t space,
			     uint64_t address)
{
	struct cached_frame *c = cache_place(r, space, address);
	uint32_t id;

	if (c->id != NO_ID && c->address == address && c->space == space)
		return c->id;
	id = space == KERNEL_SPACE ? kernel_frame(r, address) : user_frame(r, p, address);
	/* A perf map may come to know it. */
	if (id == UNMAPPED && p->mappings->own_code)
		return id;
	*c = (struct cached_frame){ address, space, id };
	return id;
}

/*
 * How many of the outermost frames are those of the previous sample on this CPU. What is a leaf in
 * one and a caller in the other is looked at again: leaves are not cut.
 */
static size_t shared_frames(const struct previous *prev, const uint64_t *address, size_t n_user,
			    size_t n)
{
	size_t limit = MIN(n_user, prev->n_user), i = 0;

	if (n_user == prev->n_user)
		limit = MIN(n, prev->n);
	else if (limit)
		limit--;

	while (i < limit && address[i] == prev->address[i])
		i++;
	return i;
}

/* Root first: user root ... user leaf, kernel entry ... kernel leaf. */
static void root_first(const struct sample_record *s, uint64_t *address)
{
	size_t n = 0;

	for (size_t i = s->user_frames; i > 0; i--)
		address[n++] = s->words[s->kernel_frames + i - 1];
	for (size_t i = s->kernel_frames; i > 0; i--)
		address[n++] = s->words[i - 1];
}

/*
 * Fills prev with this sample's stack; false when memory ran out.
 *
 * A walk by frame pointers through code that has none ends in whatever its register and the stack
 * held. Callers outside every mapping with none inside beyond them are such an end: they are cut
 * off. The leaf is always right, and what lies between mapped frames may be code that was moved.
 */
static bool intern_stack(struct recorder *r, struct previous *prev, const struct sample_record *s,
			 struct process *p, uint32_t space)
{
	size_t n = (size_t)s->user_frames + s->kernel_frames;
	uint64_t address[MAX_FRAMES];
	size_t i = 0;

	root_first(s, address);
	if (prev->epoch == r->epoch && prev->space == space)
		i = shared_frames(prev, address, s->user_frames, n);
	prev->cut = MIN(prev->cut, i);
	/* Between two drains others had the CPU's caches. */
	for (size_t k = i; k < n; k++)
		__builtin_prefetch(
			cache_place(r, k < s->user_frames ? space : KERNEL_SPACE, address[k]));
	for (prev->n = i; i < n; i++) {
		uint32_t id =
			lookup_frame(r, p, i < s->user_frames ? space : KERNEL_SPACE, address[i]);

		if (id == UNMAPPED && i == prev->cut && i + 1 < s->user_frames)
			prev->cut++;
		else if (id == UNMAPPED)
			id = frame_id(r, r->unknown, address[i], p->pid);
		if (id == NO_ID)
			return false;
		prev->address[i] = address[i];
		prev->id[i] = id;
		prev->n = i + 1;
	}
	prev->n_user = s->user_frames;
	return true;
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

static void put_sample(struct recorder *r, const struct sample_record *s,
		       const struct previous *prev)
{
	uint32_t leaf_first[MAX_FRAMES];
	struct record record = {
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
			.frames = leaf_first,
		},
	};

	for (size_t i = prev->n; i > prev->cut; i--)
		leaf_first[prev->n - i] = prev->id[i - 1];
	if (s->counters)
		take_counters(s, &record.sample);
	if (s->flags & SAMPLE_ACCESS)
		take_access(s, &record.sample.access);
	put(r, &record);
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
	if (prev->thread_id == NO_ID || !intern_stack(r, prev, s, p, space)) {
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
	begin_block(r);
	prev = &r->previous[s->head.cpu];
	if (!take_sample(r, prev, s, p)) {
		r->stats.dropped++;
		return false;
	}
	put_sample(r, s, prev);
	r->stats.samples++;
	r->block_samples++;
	note_time(r, s->head.time_ns);
	if (r->block.size >= r->options.block_bytes)
		recorder_flush(r);
	return true;
}

void recorder_row(struct recorder *r, const struct row *row)
{
	begin_block(r);
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
		begin_block(r);
		put_event(r, index);
	}
	return 0;
}

void recorder_ledger(struct recorder *r, const struct record_ledger *l)
{
	struct record record = { .type = RECORD_LEDGER, .ledger = *l };

	if (l->event >= r->n_events)
		return;
	begin_block(r);
	record.ledger.event = r->event_ids[l->event];
	put(r, &record);
}

void recorder_note(struct recorder *r, uint64_t time_ns, const char *text)
{
	begin_block(r);
	put(r, &(struct record){ .type = RECORD_NOTE,
				 .note = { .time_ns = time_ns, .text = record_string(text) } });
}

void recorder_get_stats(const struct recorder *r, struct recorder_stats *ret)
{
	*ret = r->stats;
}
