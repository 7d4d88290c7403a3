// SPDX-License-Identifier: Apache-2.0
/*
 * pprof: one Profile message (proto/profile.proto of github.com/google/pprof), gzip'ed.
 *
 * The order of a message's fields is free, so that everything is written in one pass: a function,
 * mapping, location or string goes out at its first use, ids count up from 1, string 0 is "".
 *
 * The same object is one mapping, whatever the processes mapped it to: its addresses are those of
 * the first process that maps it. As pprof's readers expect, the address of a caller lies inside
 * its call instruction (return address - 1). Functions have no system name, so that readers do not
 * shorten them as mangled ones. Names that are not known keep their "[module+0xoffset]": mappings
 * are said to have functions, or pprof would look for other names in whatever lies at their paths,
 * and count differently from the report. -symbolize=force makes it do so.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/types.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zlib.h>

#include "bpf/sample.h"
#include "export/export.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/parse.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	VALUE_TYPE_TYPE = 1,
	VALUE_TYPE_UNIT = 2,
	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,
	LABEL_KEY = 1,
	LABEL_STR = 2,
	LABEL_NUM = 3,
	MAPPING_ID = 1,
	MAPPING_MEMORY_START = 2,
	MAPPING_MEMORY_LIMIT = 3,
	MAPPING_FILE_OFFSET = 4,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,
	LINE_FUNCTION_ID = 1,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
};

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* The addresses an object has in this file, and its mapping's id once that is written. */
struct object_place {
	bool mapped;
	uint64_t shift; /* address = offset + shift */
	uint64_t start, limit;
	uint32_t id;
};

/* String indexes of what samples are labelled with; 0: not yet written, or "". */
struct owner_strings {
	uint64_t comm, unit, container;
};

struct label_keys {
	uint64_t pid, tid, comm, thread, unit, container, cpu;
};

struct encoder {
	const struct profile *p;
	FILE *out;
	z_stream zip;
	int error; /* first failure of zlib or the stream */
	struct buffer message; /* the field of Profile being made */
	struct buffer nested; /* a message inside it */
	struct buffer text, head;
	uint64_t n_strings, n_locations, n_functions, n_mappings;
	struct object_place *places;
	uint32_t *functions; /* ids by function */
	uint32_t *locations; /* ids by 2 x frame + (leaf of its half) */
	struct owner_strings *owners; /* by process */
	uint64_t *threads; /* string index of the name, by thread */
	struct label_keys keys;
};

static void deflate_some(struct encoder *e, const void *data, size_t size, int flush)
{
	uint8_t chunk[16 * 1024];

	e->zip.next_in = (Bytef *)data;
	e->zip.avail_in = (uInt)size;
	do {
		size_t n;

		e->zip.next_out = chunk;
		e->zip.avail_out = sizeof(chunk);
		if (deflate(&e->zip, flush) == Z_STREAM_ERROR)
			e->error = -EIO;
		n = sizeof(chunk) - e->zip.avail_out;
		errno = 0;
		if (!e->error && fwrite(chunk, 1, n, e->out) != n)
			e->error = errno > 0 ? -errno : -EIO;
	} while (!e->error && e->zip.avail_out == 0);
}

static void put_tag(struct buffer *b, unsigned int field, unsigned int wire)
{
	buffer_put_varint(b, field << 3 | wire);
}

static void put_uint(struct buffer *b, unsigned int field, uint64_t value)
{
	if (value == 0)
		return;
	put_tag(b, field, WIRE_VARINT);
	buffer_put_varint(b, value);
}

static void put_bytes(struct buffer *b, unsigned int field, const void *data, size_t size)
{
	put_tag(b, field, WIRE_BYTES);
	buffer_put_bytes(b, data, size);
}

/* Moves e->nested into e->message as a field. */
static void put_nested(struct encoder *e, unsigned int field)
{
	put_bytes(&e->message, field, e->nested.data, e->nested.size);
	e->nested.size = 0;
}

static void emit_bytes(struct encoder *e, unsigned int field, const void *data, size_t size)
{
	e->head.size = 0;
	put_tag(&e->head, field, WIRE_BYTES);
	buffer_put_varint(&e->head, size);
	deflate_some(e, e->head.data, e->head.size, Z_NO_FLUSH);
	deflate_some(e, data, size, Z_NO_FLUSH);
}

/* Writes e->message out as a field of Profile. */
static void emit(struct encoder *e, unsigned int field)
{
	emit_bytes(e, field, e->message.data, e->message.size);
	e->message.size = 0;
}

static void emit_uint(struct encoder *e, unsigned int field, uint64_t value)
{
	e->head.size = 0;
	put_uint(&e->head, field, value);
	deflate_some(e, e->head.data, e->head.size, Z_NO_FLUSH);
}

static void emit_string(struct encoder *e, const char *text, size_t size)
{
	e->text.size = 0;
	text_put_safe(&e->text, text, size);
	emit_bytes(e, PROFILE_STRING_TABLE, e->text.data, e->text.size);
}

/* Adds a string to the table; its index. Must not be called while a message is being made. */
static uint64_t string_index(struct encoder *e, const char *text)
{
	if (!text || !*text)
		return 0;
	emit_string(e, text, strlen(text));
	return e->n_strings++;
}

static void place_at(struct object_place *place, uint64_t start, uint64_t limit)
{
	place->start = place->limit ? MIN(place->start, start) : start;
	place->limit = MAX(place->limit, limit);
}

/*
 * Addresses of every object: of files and the vDSO as the first process mapped them, extended to
 * all of what any process mapped; of the kernel's objects from their base to their last function.
 */
static void find_places(struct encoder *e)
{
	const struct profile *p = e->p;

	for (size_t i = 0; i < p->n_objects; i++)
		e->places[i].shift = p->objects[i].base;
	for (size_t i = 0; i < p->n_processes; i++) {
		for (size_t k = 0; k < p->processes[i].n_mappings; k++) {
			const struct record_mapping *m = &p->processes[i].mappings[k];
			struct object_place *place = &e->places[m->object];
			enum object_kind kind = p->objects[m->object].kind;
			uint64_t offset = kind == OBJECT_FILE ? m->pgoff : 0;

			if (kind == OBJECT_ANON || kind == OBJECT_UNKNOWN)
				offset = m->start;
			else if (!place->mapped)
				place->shift = m->start - offset;
			place->mapped = true;
			place_at(place, offset + place->shift,
				 offset + place->shift + (m->end - m->start));
		}
	}
	for (size_t i = 0; i < p->n_functions; i++) {
		const struct profile_function *f = &p->functions[i];
		struct object_place *place = &e->places[f->object];

		if (!place->mapped)
			place_at(place, place->shift, place->shift + f->start + f->size + 1);
	}
}

static uint64_t mapping_id(struct encoder *e, uint32_t object)
{
	const struct profile_object *o = &e->p->objects[object];
	struct object_place *place = &e->places[object];
	char build_id[2 * sizeof(o->build_id) + 1] = "";
	uint64_t name, hex;

	if (place->id || o->kind == OBJECT_UNKNOWN)
		return place->id;
	for (size_t i = 0; i < o->build_id_size && i < sizeof(o->build_id); i++)
		snprintf(build_id + 2 * i, 3, "%02x", o->build_id[i]);
	name = string_index(e, o->kind == OBJECT_FILE ? o->path : o->name);
	hex = string_index(e, build_id);
	place->id = (uint32_t)++e->n_mappings;
	put_uint(&e->message, MAPPING_ID, place->id);
	put_uint(&e->message, MAPPING_MEMORY_START, place->start);
	put_uint(&e->message, MAPPING_MEMORY_LIMIT, place->limit);
	if (o->kind == OBJECT_FILE)
		put_uint(&e->message, MAPPING_FILE_OFFSET, place->start - place->shift);
	put_uint(&e->message, MAPPING_FILENAME, name);
	put_uint(&e->message, MAPPING_BUILD_ID, hex);
	put_uint(&e->message, MAPPING_HAS_FUNCTIONS, true);
	emit(e, PROFILE_MAPPING);
	return place->id;
}

static uint64_t function_id(struct encoder *e, uint32_t function)
{
	uint64_t name;

	if (e->functions[function])
		return e->functions[function];
	name = string_index(e, e->p->functions[function].name);
	e->functions[function] = (uint32_t)++e->n_functions;
	put_uint(&e->message, FUNCTION_ID, e->functions[function]);
	put_uint(&e->message, FUNCTION_NAME, name);
	emit(e, PROFILE_FUNCTION);
	return e->functions[function];
}

static uint64_t location_id(struct encoder *e, uint32_t node)
{
	const struct profile_node *n = &e->p->nodes[node];
	const struct profile_frame *frame = &e->p->frames[n->frame];
	uint32_t *id = &e->locations[2 * (size_t)n->frame + n->leaf_of_half];
	uint64_t address = frame->offset + e->places[frame->object].shift;
	uint64_t mapping, function;

	if (*id)
		return *id;
	mapping = mapping_id(e, frame->object);
	function = function_id(e, profile_node_function(e->p, node));
	*id = (uint32_t)++e->n_locations;
	put_uint(&e->message, LOCATION_ID, *id);
	put_uint(&e->message, LOCATION_MAPPING_ID, mapping);
	put_uint(&e->message, LOCATION_ADDRESS, n->leaf_of_half ? address : address - 1);
	put_uint(&e->nested, LINE_FUNCTION_ID, function);
	put_nested(e, LOCATION_LINE);
	emit(e, PROFILE_LOCATION);
	return *id;
}

static void put_text_label(struct encoder *e, uint64_t key, uint64_t text)
{
	if (text == 0)
		return;
	put_uint(&e->nested, LABEL_KEY, key);
	put_uint(&e->nested, LABEL_STR, text);
	put_nested(e, SAMPLE_LABEL);
}

static void put_number_label(struct encoder *e, uint64_t key, uint64_t number)
{
	put_uint(&e->nested, LABEL_KEY, key);
	put_uint(&e->nested, LABEL_NUM, number);
	put_nested(e, SAMPLE_LABEL);
}

/* Writes the strings a cell's labels need. */
static void prepare_labels(struct encoder *e, uint32_t thread)
{
	const struct profile_thread *t;
	const struct profile_process *owner;
	struct owner_strings *strings;

	if (thread >= e->p->n_threads)
		return;
	t = &e->p->threads[thread];
	owner = &e->p->processes[t->process];
	strings = &e->owners[t->process];
	if (!e->threads[thread])
		e->threads[thread] = string_index(e, t->name);
	if (!strings->comm)
		strings->comm = string_index(e, owner->comm);
	if (!strings->unit)
		strings->unit = string_index(e, owner->unit);
	if (!strings->container)
		strings->container = string_index(e, owner->container);
}

static void put_labels(struct encoder *e, const struct profile_cell *c, bool cpu)
{
	if (c->thread < e->p->n_threads) {
		const struct profile_thread *t = &e->p->threads[c->thread];
		const struct owner_strings *strings = &e->owners[t->process];

		put_number_label(e, e->keys.pid, e->p->processes[t->process].pid);
		put_number_label(e, e->keys.tid, t->tid);
		put_text_label(e, e->keys.comm, strings->comm);
		put_text_label(e, e->keys.thread, e->threads[c->thread]);
		put_text_label(e, e->keys.unit, strings->unit);
		put_text_label(e, e->keys.container, strings->container);
	}
	if (cpu && c->cpu != PROFILE_NONE)
		put_number_label(e, e->keys.cpu, c->cpu);
}

static void emit_sample(struct encoder *e, const struct profile_cell *c, const struct stack *s,
			bool cpu)
{
	prepare_labels(e, c->thread);
	for (size_t i = 0; i < s->n; i++)
		location_id(e, s->nodes[i]);
	for (size_t i = 0; i < s->n; i++)
		buffer_put_varint(&e->nested, location_id(e, s->nodes[i]));
	put_nested(e, SAMPLE_LOCATION_ID);
	buffer_put_varint(&e->nested, c->samples);
	buffer_put_varint(&e->nested, c->weight);
	put_nested(e, SAMPLE_VALUE);
	put_labels(e, c, cpu);
	emit(e, PROFILE_SAMPLE);
}

static void emit_comment(struct encoder *e, const char *format, ...) _printf_(2, 3);
static void emit_comment(struct encoder *e, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		e->error = -ENOMEM;
	else
		emit_uint(e, PROFILE_COMMENT, string_index(e, text));
}

static void emit_comments(struct encoder *e, const struct profile_event *event, uint32_t id)
{
	const struct profile *p = e->p;
	struct trust trust;

	trust_of_event(p, id, &trust);
	emit_comment(e, "ebpf-profiler %s on %s, Linux %s, %s, %u CPUs", VERSION,
		     p->host.hostname ? p->host.hostname : "?",
		     p->host.kernel ? p->host.kernel : "?",
		     p->host.cpu_model ? p->host.cpu_model : "?", p->host.cpus);
	for (size_t i = 0; i < event->n_rates; i++)
		emit_comment(e, "event %s, %s %" PRIu64, event->fired,
			     event->rates[i].freq ? "frequency" : "period", event->rates[i].value);
	if (event->reason && *event->reason)
		emit_comment(e, "requested %s: %s", event->requested, event->reason);
	emit_comment(e, "samples %" PRIu64 ", lost %" PRIu64 ", not delivered %" PRIu64,
		     event->samples, trust.lost, trust.not_delivered);
	emit_comment(e, "stacks truncated: kernel %" PRIu64 ", user %" PRIu64,
		     event->kernel_status[STACK_TRUNCATED], event->user_status[STACK_TRUNCATED]);
}

static void emit_type(struct encoder *e, unsigned int field, uint64_t type, uint64_t unit)
{
	put_uint(&e->message, VALUE_TYPE_TYPE, type);
	put_uint(&e->message, VALUE_TYPE_UNIT, unit);
	emit(e, field);
}

static uint64_t mean_period(const struct profile_event *event)
{
	const struct profile_rate *rate = event->rates;

	if (event->n_rates == 1 && !rate->freq)
		return rate->value;
	if (event->n_rates == 1 && event_counts_time(event) && rate->value > 0)
		return NSEC_PER_SEC / rate->value;
	return event->samples ? event->weight / event->samples : 0;
}

static void emit_head(struct encoder *e, uint32_t id)
{
	const struct profile *p = e->p;
	const struct profile_event *event = &p->events[id];
	bool time = event_counts_time(event);
	uint64_t samples, count, type, unit;

	emit_string(e, "", 0);
	e->n_strings = 1;
	samples = string_index(e, "samples");
	count = string_index(e, "count");
	type = string_index(e, time ? "cpu" : event->fired);
	unit = time ? string_index(e, "nanoseconds") : string_index(e, event->unit);
	emit_type(e, PROFILE_SAMPLE_TYPE, samples, count);
	emit_type(e, PROFILE_SAMPLE_TYPE, type, unit ? unit : count);
	emit_type(e, PROFILE_PERIOD_TYPE, type, unit ? unit : count);
	emit_uint(e, PROFILE_PERIOD, mean_period(event));
	emit_uint(e, PROFILE_DEFAULT_SAMPLE_TYPE, type);
	emit_uint(e, PROFILE_TIME_NANOS, p->first_ns);
	emit_uint(e, PROFILE_DURATION_NANOS, p->last_ns - p->first_ns);
	emit_comments(e, event, id);
	e->keys = (struct label_keys){
		.pid = string_index(e, "pid"),
		.tid = string_index(e, "tid"),
		.comm = string_index(e, "comm"),
		.thread = string_index(e, "thread"),
		.unit = string_index(e, "unit"),
		.container = string_index(e, "container"),
		.cpu = string_index(e, "cpu"),
	};
}

static int encoder_init(struct encoder *e, const struct profile *p, FILE *out)
{
	*e = (struct encoder){ .p = p, .out = out };
	/* 16 more than the window bits asks zlib for a gzip wrapper; without a name or a time in
	 * it, the same profile gives the same bytes. */
	if (deflateInit2(&e->zip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	e->places = calloc(p->n_objects + 1, sizeof(*e->places));
	e->functions = calloc(p->n_functions + 1, sizeof(*e->functions));
	e->locations = calloc(p->n_frames + 1, 2 * sizeof(*e->locations));
	e->owners = calloc(p->n_processes + 1, sizeof(*e->owners));
	e->threads = calloc(p->n_threads + 1, sizeof(*e->threads));
	if (!e->places || !e->functions || !e->locations || !e->owners || !e->threads)
		return -ENOMEM;
	return 0;
}

static void encoder_done(struct encoder *e)
{
	deflateEnd(&e->zip);
	buffer_done(&e->message);
	buffer_done(&e->nested);
	buffer_done(&e->text);
	buffer_done(&e->head);
	free(e->places);
	free(e->functions);
	free(e->locations);
	free(e->owners);
	free(e->threads);
}

static int encoder_error(const struct encoder *e)
{
	const struct buffer *buffers[] = { &e->message, &e->nested, &e->text, &e->head };

	if (e->error)
		return e->error;
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
		if (buffers[i]->error)
			return buffers[i]->error;
	return 0;
}

int export_pprof(const struct profile *p, const struct export_options *options, FILE *out)
{
	_cleanup_(encoder_done) struct encoder e;
	_cleanup_(stack_donep) struct stack s = { 0 };
	int r;

	r = encoder_init(&e, p, out);
	if (r < 0)
		return r;
	find_places(&e);
	emit_head(&e, options->event);
	for (size_t i = 0; i < p->n_cells && r == 0; i++) {
		if (p->cells[i].event != options->event)
			continue;
		r = stack_load(&s, p, p->cells[i].node);
		if (r < 0)
			return r;
		emit_sample(&e, &p->cells[i], &s, options->cpu_label);
		r = encoder_error(&e);
	}
	deflate_some(&e, NULL, 0, Z_FINISH);
	if (r == 0)
		r = encoder_error(&e);
	return r;
}
