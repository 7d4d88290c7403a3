// SPDX-License-Identifier: Apache-2.0
/*
 * Records other than samples: each type is a row of fields, written one after the other, so that
 * one loop writes and one reads them all. A reader takes fields that are missing at the end as 0 or
 * empty and ignores bytes behind the last field it knows: that is how a record grows.
 */
#include "store/record.h"

#include <errno.h>

#include "store/record_coder.h"

/* The first byte of a record: below WIRE_FRAME its type, and a varint length follows. */
enum {
	WIRE_FRAME = 0x40, /* | object id */
	WIRE_FRAME_FAR = 0x3f, /* the object id follows */
	WIRE_SAMPLE = 0x80, /* | flags */
};

enum field_kind {
	FIELD_END = 0,
	FIELD_U64,
	FIELD_U32,
	FIELD_BOOL,
	FIELD_BYTES,
	FIELD_OBJECT_KIND,
	FIELD_ID, /* of `dictionary` */
};

struct field {
	uint8_t kind;
	uint8_t dictionary;
	uint16_t offset;
};

/* The most fields a record has, and the end. */
#define MAX_FIELDS 16

struct layout {
	bool known;
	int8_t defines; /* enum dictionary, -1: nothing */
	struct field fields[MAX_FIELDS];
};

#define AT(member) offsetof(struct record, member)
#define U64(member)                                                                                \
	{                                                                                          \
		.kind = FIELD_U64, .offset = AT(member)                                            \
	}
#define U32(member)                                                                                \
	{                                                                                          \
		.kind = FIELD_U32, .offset = AT(member)                                            \
	}
#define BOOLEAN(member)                                                                            \
	{                                                                                          \
		.kind = FIELD_BOOL, .offset = AT(member)                                           \
	}
#define BYTES(member)                                                                              \
	{                                                                                          \
		.kind = FIELD_BYTES, .offset = AT(member)                                          \
	}
#define OBJECT_KIND(member)                                                                        \
	{                                                                                          \
		.kind = FIELD_OBJECT_KIND, .offset = AT(member)                                    \
	}
#define ID(what, member)                                                                           \
	{                                                                                          \
		.kind = FIELD_ID, .dictionary = DICTIONARY_##what, .offset = AT(member)            \
	}

/* clang-format off */
static const struct layout layouts[] = {
	[RECORD_HOST] = { true, -1, { BYTES(host.key), BYTES(host.value) } },
	[RECORD_CLOCK] = { true, -1, { U64(clock.monotonic_ns), U64(clock.realtime_ns) } },
	[RECORD_EVENT] = { true, DICTIONARY_EVENT, {
		BYTES(event.profile), BYTES(event.requested), BYTES(event.fired), BYTES(event.reason),
		BYTES(event.pmu), BYTES(event.unit), BYTES(event.counters),
		U32(event.type), U64(event.config), BOOLEAN(event.freq),
		U64(event.value), BOOLEAN(event.memory_access) } },
	[RECORD_OBJECT] = { true, DICTIONARY_OBJECT, {
		OBJECT_KIND(object.kind), BYTES(object.path), BYTES(object.build_id), U64(object.base) } },
	[RECORD_PROCESS] = { true, DICTIONARY_PROCESS, {
		U32(process.pid), U64(process.start_ns), U32(process.ppid), BYTES(process.comm),
		BYTES(process.exe), BYTES(process.cgroup), BYTES(process.unit), BYTES(process.container) } },
	[RECORD_MAPPING] = { true, -1, {
		ID(PROCESS, mapping.process), ID(OBJECT, mapping.object), U64(mapping.start), U64(mapping.end),
		U64(mapping.pgoff) } },
	[RECORD_THREAD] = { true, DICTIONARY_THREAD, {
		ID(PROCESS, thread.process), U32(thread.tid), BYTES(thread.name) } },
	[RECORD_FUNCTION] = { true, DICTIONARY_FUNCTION, {
		ID(OBJECT, function.object), U64(function.start), U64(function.size), BYTES(function.name) } },
	[RECORD_LEDGER] = { true, -1, {
		U64(ledger.time_ns), ID(EVENT, ledger.event), U32(ledger.cpu), U64(ledger.seen),
		U64(ledger.filtered), U64(ledger.sent), U64(ledger.full), U64(ledger.fault),
		U64(ledger.received), U64(ledger.gaps), U64(ledger.dropped), U64(ledger.count),
		U64(ledger.enabled_ns), U64(ledger.running_ns), U64(ledger.expected),
		U64(ledger.throttled) } },
	[RECORD_NOTE] = { true, -1, { U64(note.time_ns), BYTES(note.text) } },
};
/* clang-format on */

static const struct layout *find_layout(unsigned int type)
{
	return type < ARRAY_SIZE(layouts) && layouts[type].known ? &layouts[type] : NULL;
}

/* Gives out the next id of a dictionary. */
static int define(struct record_coder *c, int dictionary)
{
	uint32_t id;

	if (dictionary < 0)
		return 0;
	id = c->defined[dictionary];
	if (id >= (dictionary == DICTIONARY_EVENT ? RECORD_MAX_EVENTS : RECORD_MAX_IDS))
		return -E2BIG;
	if ((dictionary == DICTIONARY_FRAME && !record_coder_add_frame(c, id)) ||
	    (dictionary == DICTIONARY_OBJECT && !record_coder_add_object(c, id)))
		return -ENOMEM;
	c->defined[dictionary]++;
	return 0;
}

/* --- writing ------------------------------------------------------------- */

static void put_field(struct buffer *b, const struct record_coder *c, const struct field *f,
		      const struct record *r)
{
	const void *at = (const char *)r + f->offset;
	const struct record_bytes *bytes = at;

	switch (f->kind) {
	case FIELD_U64:
		buffer_put_varint(b, *(const uint64_t *)at);
		break;
	case FIELD_BOOL:
		buffer_put_byte(b, *(const bool *)at);
		break;
	case FIELD_BYTES:
		buffer_put_bytes(b, bytes->data, bytes->size);
		break;
	case FIELD_OBJECT_KIND:
		buffer_put_byte(b, (uint8_t) * (const enum object_kind *)at);
		break;
	case FIELD_ID:
		if (*(const uint32_t *)at >= c->defined[f->dictionary] && !b->error)
			b->error = -EINVAL;
		/* fallthrough */
	default:
		buffer_put_varint(b, *(const uint32_t *)at);
		break;
	}
}

/* Writes the length of what follows `start` in front of it. */
static void put_length_before(struct buffer *b, size_t start)
{
	uint8_t length[10];
	struct buffer prefix = { .data = length, .capacity = sizeof(length) };

	buffer_put_varint(&prefix, b->size - start);
	if (!buffer_reserve(b, prefix.size))
		return;
	memmove(b->data + start + prefix.size, b->data + start, b->size - start);
	memcpy(b->data + start, length, prefix.size);
	b->size += prefix.size;
}

static void put_fields(struct buffer *b, struct record_coder *c, const struct layout *l,
		       const struct record *r)
{
	size_t start;
	int error;

	buffer_put_byte(b, (uint8_t)r->type);
	start = b->size;
	for (const struct field *f = l->fields; f < l->fields + MAX_FIELDS && f->kind; f++)
		put_field(b, c, f, r);
	if (b->error)
		return;
	put_length_before(b, start);
	error = define(c, l->defines);
	if (error < 0)
		b->error = error;
}

/* Frames are the bulk of what is no sample: a byte with the object, and how far the offset is from
 * the object's frame before. */
static void put_frame(struct buffer *b, struct record_coder *c, const struct record_frame *f)
{
	int error;

	if (f->object >= c->defined[DICTIONARY_OBJECT]) {
		b->error = -EINVAL;
		return;
	}
	buffer_put_byte(b, (uint8_t)(WIRE_FRAME | MIN(f->object, (uint32_t)WIRE_FRAME_FAR)));
	if (f->object >= WIRE_FRAME_FAR)
		buffer_put_varint(b, f->object);
	buffer_put_varint(b, zigzag_encode((int64_t)(f->offset - c->offsets[f->object])));
	c->offsets[f->object] = f->offset;
	error = define(c, DICTIONARY_FRAME);
	if (error < 0)
		b->error = error;
}

void record_put(struct buffer *b, struct record_coder *c, const struct record *r)
{
	const struct layout *l = find_layout(r->type);

	if (b->error)
		return;
	if (r->type == RECORD_SAMPLE) {
		record_put_sample(b, c, &r->sample);
	} else if (r->type == RECORD_FRAME) {
		put_frame(b, c, &r->frame);
	} else if (l) {
		put_fields(b, c, l, r);
	} else if ((unsigned int)r->type < WIRE_FRAME) {
		buffer_put_byte(b, (uint8_t)r->type);
		buffer_put_bytes(b, r->raw.data.data, r->raw.data.size);
	} else {
		b->error = -EINVAL;
	}
}

/* --- reading ------------------------------------------------------------- */

static int get_u32(struct cursor *in, uint32_t *ret)
{
	uint64_t value = cursor_get_varint(in);

	if (in->error || value > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)value;
	return 0;
}

static int get_field(struct cursor *in, const struct field *f, struct record *r)
{
	void *at = (char *)r + f->offset;
	struct record_bytes *bytes = at;
	uint32_t kind = 0;
	int error = 0;

	switch (f->kind) {
	case FIELD_U64:
		*(uint64_t *)at = cursor_get_varint(in);
		break;
	case FIELD_BOOL:
		*(bool *)at = cursor_get_byte(in) != 0;
		break;
	case FIELD_BYTES:
		bytes->data = cursor_get_bytes(in, &bytes->size);
		break;
	case FIELD_OBJECT_KIND:
		error = get_u32(in, &kind);
		*(enum object_kind *)at = kind < OBJECT_KIND_MAX ? kind : OBJECT_UNKNOWN;
		break;
	default:
		error = get_u32(in, at);
		break;
	}
	return error < 0 ? error : in->error;
}

static int get_fields(struct cursor in, struct record_coder *c, const struct layout *l,
		      struct record *r)
{
	int error;

	for (const struct field *f = l->fields; f < l->fields + MAX_FIELDS && f->kind; f++) {
		struct record_bytes *bytes = (void *)((char *)r + f->offset);

		if (f->kind == FIELD_BYTES)
			bytes->data = "";
		if (cursor_left(&in) > 0) {
			error = get_field(&in, f, r);
			if (error < 0)
				return error;
		}
		if (f->kind == FIELD_ID &&
		    *(uint32_t *)((char *)r + f->offset) >= c->defined[f->dictionary])
			return -EBADMSG;
	}
	error = define(c, l->defines);
	return error == -E2BIG ? -EBADMSG : error;
}

static int get_frame(struct cursor *in, struct record_coder *c, uint8_t first,
		     struct record_frame *ret)
{
	uint64_t object = first - WIRE_FRAME;
	int r;

	if (object == WIRE_FRAME_FAR)
		object = cursor_get_varint(in);
	if (in->error || object >= c->defined[DICTIONARY_OBJECT])
		return -EBADMSG;
	c->offsets[object] += (uint64_t)zigzag_decode(cursor_get_varint(in));
	if (in->error)
		return -EBADMSG;
	*ret = (struct record_frame){ .object = (uint32_t)object, .offset = c->offsets[object] };
	r = define(c, DICTIONARY_FRAME);
	return r == -E2BIG ? -EBADMSG : r;
}

static int get_record(struct cursor *in, struct record_coder *c, uint8_t type, struct record *ret)
{
	const struct layout *l = find_layout(type);
	size_t size;
	const uint8_t *data = cursor_get_bytes(in, &size);

	if (in->error || type == RECORD_SAMPLE || type == RECORD_FRAME)
		return -EBADMSG;
	*ret = (struct record){ .type = type };
	if (l)
		return get_fields((struct cursor){ .pos = data, .end = data + size }, c, l, ret);
	ret->raw.data = (struct record_bytes){ .data = (const char *)data, .size = size };
	return 0;
}

int record_get(struct cursor *in, struct record_coder *c, struct record *ret)
{
	uint8_t first;
	int r;

	if (in->error)
		return in->error;
	if (in->pos == in->end)
		return 0;
	first = *in->pos++;
	if (first >= WIRE_SAMPLE) {
		ret->type = RECORD_SAMPLE;
		r = record_get_sample(in, c, first, &ret->sample);
	} else if (first >= WIRE_FRAME) {
		ret->type = RECORD_FRAME;
		r = get_frame(in, c, first, &ret->frame);
	} else {
		r = get_record(in, c, first, ret);
	}
	if (r < 0) {
		in->error = r;
		return r;
	}
	return 1;
}
