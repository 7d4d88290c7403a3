// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/record.h"
#include "store/record_coder.h"

/* --- streams ------------------------------------------------------------- */

#define MAX_RECORDS 4000

struct stream {
	struct record records[MAX_RECORDS];
	size_t n;
	uint32_t defined[DICTIONARY_MAX];
	uint64_t random;
};

static uint64_t next_random(struct stream *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static uint32_t below(struct stream *s, uint64_t limit)
{
	return (uint32_t)(next_random(s) % limit);
}

/* Mostly small, sometimes anything. */
static uint64_t some_number(struct stream *s)
{
	return next_random(s) >> below(s, 64);
}

static struct record_bytes some_bytes(struct stream *s)
{
	size_t size = below(s, 8) ? below(s, 20) : below(s, 400);
	char *data = malloc(size + 1);

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)next_random(s);
	return (struct record_bytes){ data, size };
}

static struct record *add(struct stream *s, enum record_type type)
{
	struct record *r = &s->records[s->n++];

	assert_true(s->n <= MAX_RECORDS);
	*r = (struct record){ .type = type };
	return r;
}

static void add_event(struct stream *s)
{
	struct record_event *e = &add(s, RECORD_EVENT)->event;

	e->profile = some_bytes(s);
	e->requested = some_bytes(s);
	e->fired = some_bytes(s);
	e->reason = some_bytes(s);
	e->pmu = some_bytes(s);
	e->unit = some_bytes(s);
	e->type = (uint32_t)some_number(s);
	e->config = some_number(s);
	e->freq = below(s, 2);
	e->value = some_number(s);
	s->defined[DICTIONARY_EVENT]++;
}

static void add_object(struct stream *s)
{
	struct record_object *o = &add(s, RECORD_OBJECT)->object;

	o->kind = below(s, OBJECT_KIND_MAX);
	o->path = some_bytes(s);
	o->build_id = some_bytes(s);
	o->base = some_number(s);
	s->defined[DICTIONARY_OBJECT]++;
}

static void add_process(struct stream *s)
{
	struct record_process *p = &add(s, RECORD_PROCESS)->process;

	p->pid = (uint32_t)some_number(s);
	p->start_ns = some_number(s);
	p->ppid = (uint32_t)some_number(s);
	p->comm = some_bytes(s);
	p->exe = some_bytes(s);
	p->cgroup = some_bytes(s);
	p->unit = some_bytes(s);
	p->container = some_bytes(s);
	s->defined[DICTIONARY_PROCESS]++;
}

static void add_thread(struct stream *s)
{
	struct record_thread *t = &add(s, RECORD_THREAD)->thread;

	t->process = below(s, s->defined[DICTIONARY_PROCESS]);
	t->tid = (uint32_t)some_number(s);
	t->name = some_bytes(s);
	s->defined[DICTIONARY_THREAD]++;
}

static void add_frame(struct stream *s)
{
	add(s, RECORD_FRAME)->frame = (struct record_frame){
		.object = below(s, s->defined[DICTIONARY_OBJECT]),
		.offset = some_number(s),
	};
	s->defined[DICTIONARY_FRAME]++;
}

static void add_other(struct stream *s)
{
	struct record *r;

	switch (below(s, 8)) {
	case 0:
		add(s, RECORD_HOST)->host =
			(struct record_host){ .key = some_bytes(s), .value = some_bytes(s) };
		break;
	case 1:
		add(s, RECORD_CLOCK)->clock =
			(struct record_clock){ some_number(s), some_number(s) };
		break;
	case 2:
		r = add(s, RECORD_MAPPING);
		r->mapping.process = below(s, s->defined[DICTIONARY_PROCESS]);
		r->mapping.object = below(s, s->defined[DICTIONARY_OBJECT]);
		r->mapping.start = some_number(s);
		r->mapping.end = some_number(s);
		r->mapping.pgoff = some_number(s);
		break;
	case 3:
		r = add(s, RECORD_FUNCTION);
		r->function.object = below(s, s->defined[DICTIONARY_OBJECT]);
		r->function.start = some_number(s);
		r->function.size = some_number(s);
		r->function.name = some_bytes(s);
		break;
	case 4:
		r = add(s, RECORD_LEDGER);
		r->ledger = (struct record_ledger){
			.time_ns = some_number(s),
			.event = below(s, s->defined[DICTIONARY_EVENT]),
			.cpu = (uint32_t)some_number(s),
			.seen = some_number(s),
			.filtered = some_number(s),
			.sent = some_number(s),
			.full = some_number(s),
			.fault = some_number(s),
			.received = some_number(s),
			.gaps = some_number(s),
			.dropped = some_number(s),
			.count = some_number(s),
			.enabled_ns = some_number(s),
			.running_ns = some_number(s),
			.expected = some_number(s),
			.throttled = some_number(s),
		};
		break;
	case 5:
		add(s, RECORD_NOTE)->note =
			(struct record_note){ .time_ns = some_number(s), .text = some_bytes(s) };
		break;
	case 6:
		add(s, RECORD_ROW)->raw.data = some_bytes(s);
		break;
	default:
		add(s, 14 + below(s, 0x40 - 14))->raw.data = some_bytes(s);
	}
}

static void add_counters(struct stream *s, struct record_sample *n)
{
	n->mixed = below(s, 2);
	n->cut = below(s, 2);
	n->counted_ns = below(s, 4) ? below(s, 1000000) * 1000ULL : next_random(s) / 1000 * 1000;
	n->n_counters = (uint8_t)(1 + below(s, RECORD_MAX_COUNTERS));
	for (size_t i = 0; i < n->n_counters; i++) {
		struct record_counter *k = &n->counters[i];

		k->running_permille = (uint16_t)(below(s, 2) ? 1000 : below(s, 1001));
		k->delta = k->running_permille ? some_number(s) >> 2 : 0;
	}
}

/* A stack that shares something with the one before, or not. */
static void add_sample(struct stream *s, uint32_t *frames, struct record_sample *last)
{
	struct record_sample *n = &add(s, RECORD_SAMPLE)->sample;
	uint32_t max = below(s, 50) ? 12 : RECORD_MAX_STACK / 2, *copy;

	n->time_ns =
		(below(s, 20) ? last->time_ns + below(s, 2000000) : next_random(s)) / 1000 * 1000;
	n->cpu = below(s, 4) ? below(s, 4) : below(s, below(s, 2) ? 64 : RECORD_MAX_CPUS);
	n->event = below(s, s->defined[DICTIONARY_EVENT]);
	n->thread = below(s, 3) ? last->thread : below(s, s->defined[DICTIONARY_THREAD]);
	n->period = below(s, 4) ? last->period : some_number(s);
	n->kernel_status = below(s, 4) ? last->kernel_status : (uint8_t)below(s, 16);
	n->user_status = below(s, 4) ? last->user_status : (uint8_t)below(s, 16);
	n->kernel_frames = (uint16_t)(below(s, 3) ? last->kernel_frames : below(s, max));
	n->user_frames = (uint16_t)(below(s, 3) ? last->user_frames : below(s, max));
	for (uint32_t i = s->defined[DICTIONARY_FRAME] ? below(s, max) : 0; i > 0; i--)
		frames[i] = below(s, s->defined[DICTIONARY_FRAME]);
	if (s->defined[DICTIONARY_FRAME] == 0)
		n->kernel_frames = n->user_frames = 0;
	if (below(s, 2))
		add_counters(s, n);
	copy = malloc(4 * (size_t)(n->kernel_frames + n->user_frames) + 1);
	assert_non_null(copy);
	memcpy(copy, frames, 4 * (size_t)(n->kernel_frames + n->user_frames));
	n->frames = copy;
	*last = *n;
}

static struct stream *make_stream(uint64_t seed, size_t n)
{
	static uint32_t frames[RECORD_MAX_STACK];
	struct stream *s = calloc(1, sizeof(*s));
	struct record_sample last = { .period = 1 };

	assert_non_null(s);
	s->random = seed * 0x9e3779b97f4a7c15 + 1;
	memset(frames, 0, sizeof(frames));
	add_event(s);
	add_object(s);
	add_process(s);
	add_thread(s);
	while (s->n < n) {
		switch (below(s, 16)) {
		case 0:
			below(s, 8) ? add_thread(s) : add_event(s);
			break;
		case 1:
			below(s, 2) ? add_object(s) : add_process(s);
			break;
		case 2:
			add_other(s);
			break;
		case 3:
		case 4:
		case 5:
			add_frame(s);
			break;
		default:
			add_sample(s, frames, &last);
		}
	}
	return s;
}

static void free_stream(struct stream *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct record *r = &s->records[i];

		switch (r->type) {
		case RECORD_SAMPLE:
			free((void *)r->sample.frames);
			break;
		case RECORD_HOST:
			free((void *)r->host.key.data);
			free((void *)r->host.value.data);
			break;
		case RECORD_EVENT:
			free((void *)r->event.profile.data);
			free((void *)r->event.requested.data);
			free((void *)r->event.fired.data);
			free((void *)r->event.reason.data);
			free((void *)r->event.pmu.data);
			free((void *)r->event.unit.data);
			break;
		case RECORD_OBJECT:
			free((void *)r->object.path.data);
			free((void *)r->object.build_id.data);
			break;
		case RECORD_PROCESS:
			free((void *)r->process.comm.data);
			free((void *)r->process.exe.data);
			free((void *)r->process.cgroup.data);
			free((void *)r->process.unit.data);
			free((void *)r->process.container.data);
			break;
		case RECORD_THREAD:
			free((void *)r->thread.name.data);
			break;
		case RECORD_FUNCTION:
			free((void *)r->function.name.data);
			break;
		case RECORD_NOTE:
			free((void *)r->note.text.data);
			break;
		case RECORD_CLOCK:
		case RECORD_MAPPING:
		case RECORD_FRAME:
		case RECORD_LEDGER:
			break;
		default:
			free((void *)r->raw.data.data);
		}
	}
	free(s);
}

static void encode(const struct stream *s, struct record_coder *c, struct buffer *b)
{
	for (size_t i = 0; i < s->n; i++)
		record_put(b, c, &s->records[i]);
	assert_int_equal(b->error, 0);
}

/* --- comparing ----------------------------------------------------------- */

static bool same_bytes(struct record_bytes a, struct record_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool same_counters(const struct record_sample *a, const struct record_sample *b)
{
	for (size_t i = 0; i < a->n_counters; i++)
		if (a->counters[i].delta != b->counters[i].delta ||
		    a->counters[i].running_permille != b->counters[i].running_permille)
			return false;
	return a->n_counters == b->n_counters && a->mixed == b->mixed && a->cut == b->cut &&
	       a->counted_ns == b->counted_ns;
}

static bool same_sample(const struct record_sample *a, const struct record_sample *b)
{
	return same_counters(a, b) && a->time_ns == b->time_ns && a->cpu == b->cpu &&
	       a->event == b->event && a->thread == b->thread && a->period == b->period &&
	       a->kernel_status == b->kernel_status && a->user_status == b->user_status &&
	       a->kernel_frames == b->kernel_frames && a->user_frames == b->user_frames &&
	       memcmp(a->frames, b->frames, 4 * (size_t)(a->kernel_frames + a->user_frames)) == 0;
}

static bool same_record(const struct record *a, const struct record *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case RECORD_SAMPLE:
		return same_sample(&a->sample, &b->sample);
	case RECORD_HOST:
		return same_bytes(a->host.key, b->host.key) &&
		       same_bytes(a->host.value, b->host.value);
	case RECORD_CLOCK:
		return memcmp(&a->clock, &b->clock, sizeof(a->clock)) == 0;
	case RECORD_EVENT:
		return same_bytes(a->event.profile, b->event.profile) &&
		       same_bytes(a->event.requested, b->event.requested) &&
		       same_bytes(a->event.fired, b->event.fired) &&
		       same_bytes(a->event.reason, b->event.reason) &&
		       same_bytes(a->event.pmu, b->event.pmu) &&
		       same_bytes(a->event.unit, b->event.unit) &&
		       same_bytes(a->event.counters, b->event.counters) &&
		       a->event.type == b->event.type && a->event.config == b->event.config &&
		       a->event.freq == b->event.freq && a->event.value == b->event.value;
	case RECORD_OBJECT:
		return a->object.kind == b->object.kind &&
		       same_bytes(a->object.path, b->object.path) &&
		       same_bytes(a->object.build_id, b->object.build_id) &&
		       a->object.base == b->object.base;
	case RECORD_PROCESS:
		return a->process.pid == b->process.pid &&
		       a->process.start_ns == b->process.start_ns &&
		       a->process.ppid == b->process.ppid &&
		       same_bytes(a->process.comm, b->process.comm) &&
		       same_bytes(a->process.exe, b->process.exe) &&
		       same_bytes(a->process.cgroup, b->process.cgroup) &&
		       same_bytes(a->process.unit, b->process.unit) &&
		       same_bytes(a->process.container, b->process.container);
	case RECORD_MAPPING:
		return memcmp(&a->mapping, &b->mapping, sizeof(a->mapping)) == 0;
	case RECORD_THREAD:
		return a->thread.process == b->thread.process && a->thread.tid == b->thread.tid &&
		       same_bytes(a->thread.name, b->thread.name);
	case RECORD_FRAME:
		return a->frame.object == b->frame.object && a->frame.offset == b->frame.offset;
	case RECORD_FUNCTION:
		return a->function.object == b->function.object &&
		       a->function.start == b->function.start &&
		       a->function.size == b->function.size &&
		       same_bytes(a->function.name, b->function.name);
	case RECORD_LEDGER:
		return memcmp(&a->ledger, &b->ledger, sizeof(a->ledger)) == 0;
	case RECORD_NOTE:
		return a->note.time_ns == b->note.time_ns && same_bytes(a->note.text, b->note.text);
	default:
		return same_bytes(a->raw.data, b->raw.data);
	}
}

/* How many records come back as they were; *ret is what ended it. */
static size_t decode(const struct stream *s, const uint8_t *data, size_t size, int *ret)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	struct cursor in = { .pos = data, .end = data + size };
	struct record r;
	size_t n = 0;

	assert_non_null(c);
	while ((*ret = record_get(&in, c, &r)) == 1) {
		if (n >= s->n || !same_record(&r, &s->records[n]))
			fail_msg("record %zu came back differently", n);
		n++;
	}
	return n;
}

/* --- tests --------------------------------------------------------------- */

/* Whatever is written comes back: random streams of every kind of record */
static void test_round_trip(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		_cleanup_(buffer_donep) struct buffer b = { 0 };
		struct stream *s = make_stream(seed, 4 + seed * 40);
		int r;

		assert_non_null(c);
		encode(s, c, &b);
		assert_int_equal(decode(s, b.data, b.size, &r), s->n);
		assert_int_equal(r, 0);
		free_stream(s);
	}
}

/* After a reset nothing of the epoch before is left on either side */
static void test_reset(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *d = record_coder_new();
	_cleanup_(buffer_donep) struct buffer first = { 0 }, second = { 0 };
	struct stream *s = make_stream(7, 1500);

	(void)state;
	assert_true(c && d);
	encode(s, c, &first);
	record_coder_reset(c);
	encode(s, c, &second);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	for (int i = 0; i < 2; i++) {
		struct cursor in = { .pos = first.data, .end = first.data + first.size };
		struct record r;
		size_t n = 0;

		record_coder_reset(d);
		for (; record_get(&in, d, &r) == 1; n++)
			assert_true(same_record(&r, &s->records[n]));
		assert_int_equal(n, s->n);
	}
	free_stream(s);
}

/* A stream cut off anywhere gives the records before the cut, and then an end or -EBADMSG */
static void test_truncation(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	struct stream *s = make_stream(3, 150);
	size_t last = 0;

	(void)state;
	encode(s, c, &b);
	for (size_t size = 0; size <= b.size; size++) {
		/* Exactly sized, so that ASan sees a read behind the end. */
		uint8_t *copy = malloc(size ? size : 1);
		size_t n;
		int r;

		assert_non_null(copy);
		memcpy(copy, b.data, size);
		n = decode(s, copy, size, &r);
		assert_true(r == 0 || r == -EBADMSG);
		assert_true(n == last || n == last + 1);
		last = n;
		free(copy);
	}
	assert_int_equal(last, s->n);
	free_stream(s);
}

/* Bytes that were tampered with are read without harm, and every id handed out is defined */
static void test_tampering(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *d = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	struct stream *s = make_stream(5, 120);

	(void)state;
	encode(s, c, &b);
	for (size_t i = 0; i < b.size * 8; i++) {
		struct cursor in = { .pos = b.data, .end = b.data + b.size };
		struct record r;

		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		record_coder_reset(d);
		while (record_get(&in, d, &r) == 1) {
			if (r.type != RECORD_SAMPLE)
				continue;
			assert_true(r.sample.thread < d->defined[DICTIONARY_THREAD]);
			assert_true(r.sample.event < d->defined[DICTIONARY_EVENT]);
			for (size_t k = 0; k < r.sample.kernel_frames + r.sample.user_frames; k++)
				assert_true(r.sample.frames[k] < d->defined[DICTIONARY_FRAME]);
		}
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free_stream(s);
}

struct bytes_row {
	int line;
	const char *hex;
	int result; /* of the last record_get() */
	size_t records; /* read before */
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned int byte;

		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
		hex++;
	}
	return n;
}

/* An event, a process, a thread, an object, and two frames: the shortest way to each. */
#define DEFINED "03 00  05 00  07 01 00  04 00  40 20  40 02  "

/* Hand-made bytes mean what docs/format.md says, and nothing undefined is accepted */
static void test_bytes(void **state)
{
	static const struct bytes_row rows[] = {
		{ __LINE__, "", 0, 0 },
		{ __LINE__, DEFINED, 0, 6 },
		{ __LINE__, "00 00", -EBADMSG, 0 }, /* a sample has no type byte */
		{ __LINE__, "08 00", -EBADMSG, 0 }, /* nor has a frame */
		{ __LINE__, "3f 02 aa bb", 0, 1 }, /* unknown: skipped by its length */
		{ __LINE__, "3f 03 aa bb", -EBADMSG, 0 },
		{ __LINE__, "01", -EBADMSG, 0 },
		{ __LINE__, "01 00", 0, 1 }, /* fields missing at the end are empty */
		{ __LINE__, "02 04 01 02 03 04", 0, 1 }, /* fields unknown at the end are ignored */
		{ __LINE__, "02 01 80", -EBADMSG, 0 }, /* a number beyond the record */
		{ __LINE__, "01 02 05 61", -EBADMSG, 0 }, /* a string beyond the record */
		{ __LINE__, "02 0a ff ff ff ff ff ff ff ff ff 02", -EBADMSG, 0 }, /* 65 bits */
		{ __LINE__, "05 06 ff ff ff ff ff 01", -EBADMSG, 0 }, /* a pid of 35 bits */
		{ __LINE__, "04 01 63", 0, 1 }, /* an object of an unknown kind */
		{ __LINE__, "07 01 00", -EBADMSG, 0 }, /* no such process */
		{ __LINE__, "06 00", -EBADMSG, 0 },
		{ __LINE__, "09 00", -EBADMSG, 0 },
		{ __LINE__, "0a 00", -EBADMSG, 0 },
		{ __LINE__, "40 20", -EBADMSG, 0 }, /* no such object */
		{ __LINE__, "80 00", -EBADMSG, 0 }, /* no thread, no event */
		{ __LINE__, DEFINED "80 02", 0, 7 },
		{ __LINE__, DEFINED "80", -EBADMSG, 6 }, /* the time is missing */
		{ __LINE__, DEFINED "81 03 02", 0, 7 }, /* CPU 3 */
		{ __LINE__, DEFINED "81 80 40 02", -EBADMSG, 6 }, /* CPU 8192 */
		{ __LINE__, DEFINED "82 00 02", 0, 7 }, /* the newest thread */
		{ __LINE__, DEFINED "82 01 02", -EBADMSG, 6 }, /* the one before it */
		{ __LINE__, DEFINED "84 07 00 02 41 02", 0, 7 }, /* event, period, status */
		{ __LINE__, DEFINED "84 01 01 02", -EBADMSG, 6 }, /* no such event */
		{ __LINE__, DEFINED "84 08 00 02", -EBADMSG, 6 }, /* an unknown change */
		{ __LINE__, DEFINED "90 08 00 00 02", 0, 7 }, /* one user frame, the newest */
		{ __LINE__, DEFINED "90 08 00 01 02", 0, 7 }, /* the one before it */
		{ __LINE__, DEFINED "90 08 00 02 02", -EBADMSG, 6 }, /* before the first */
		{ __LINE__, DEFINED "90 00 02", -EBADMSG, 6 }, /* a place nobody has */
		{ __LINE__, DEFINED "90 08 01 02", -EBADMSG, 6 }, /* the same, far */
		{ __LINE__, DEFINED "90 64 02", -EBADMSG, 6 }, /* no pair of codes */
		{ __LINE__, DEFINED "90 08", -EBADMSG, 6 },
		{ __LINE__, DEFINED "90 59 00 01 00 00 02", 0, 7 }, /* far, end: two frames */
		{ __LINE__, DEFINED "90 59 00 01 00 00 02  98 01 50 00 00 02", 0,
		  8 }, /* known, end */
		{ __LINE__, DEFINED "90 59 00 01 00 00 02  98 01 51 00 00 02", -EBADMSG, 7 },
		{ __LINE__, DEFINED "90 59 00 01 00 00 02  98 01 08 01 02", 0, 8 },
		{ __LINE__, DEFINED "90 08 00 00 02  88 01 02", 0, 8 }, /* the frame goes again */
		{ __LINE__, DEFINED "90 08 00 00 02  88 02 02", -EBADMSG, 7 }, /* more than one */
		{ __LINE__, DEFINED "a0 08 00 00 02  90 08 00 00 02", -EBADMSG, 7 },
		{ __LINE__, DEFINED "c0 02 03 aa bb cc", 0, 7 }, /* an extension is skipped */
		{ __LINE__, DEFINED "c0 02 03 aa bb", -EBADMSG, 6 },
		{ __LINE__, DEFINED "c0 02 05 01 00 07 01 15", 0, 7 }, /* 5, all the time */
		{ __LINE__, DEFINED "c0 02 07 01 01 07 01 16 e7 07", 0, 7 }, /* 999 thousandths */
		{ __LINE__, DEFINED "c0 02 07 01 01 07 01 16 e9 07", -EBADMSG, 6 }, /* 1001 */
		{ __LINE__, DEFINED "c0 02 04 01 00 07 09", -EBADMSG, 6 }, /* nine counters */
		{ __LINE__, DEFINED "c0 02 04 01 00 07 01", -EBADMSG, 6 }, /* no value */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		uint8_t data[256];
		struct cursor in = { .pos = data, .end = data + from_hex(rows[i].hex, data) };
		struct record r;
		size_t n = 0;
		int result;

		while ((result = record_get(&in, c, &r)) == 1)
			n++;
		if (result != rows[i].result || n != rows[i].records)
			fail_msg("line %d: %zu records, then %d", rows[i].line, n, result);
		/* An error stays. */
		assert_int_equal(record_get(&in, c, &r), result);
	}
}

/* The example of docs/format.md reads as it says there, and is what is written */
static void test_example(void **state)
{
	static const uint32_t first[] = { 1, 0 }, second[] = { 2, 1, 0 };
	static const char hex[] = "03 14 00 00 09 63 70 75 2d 63 6c 6f 63 6b 00 00 00 00 00 00 01 63"
				  "05 0a 2a 00 00 02 73 68 00 00 00 00  07 05 00 2a 02 73 68"
				  "04 0b 00 07 2f 62 69 6e 2f 73 68 00 00"
				  "04 0c 01 08 5b 6b 65 72 6e 65 6c 5d 00 00"
				  "40 80 40  40 e8 08  41 80 01"
				  "95 01 06 a4 84 d1 09 40 59 00 02 00 01 90 4e"
				  "a4 04 41 08 00 00 ea 9d 01  88 01 00";
	const struct record want[] = {
		{ .type = RECORD_EVENT,
		  .event = { .fired = record_string("cpu-clock"), .freq = true, .value = 99 } },
		{ .type = RECORD_PROCESS, .process = { .pid = 42, .comm = record_string("sh") } },
		{ .type = RECORD_THREAD, .thread = { .tid = 42, .name = record_string("sh") } },
		{ .type = RECORD_OBJECT, .object = { .path = record_string("/bin/sh") } },
		{ .type = RECORD_OBJECT,
		  .object = { .kind = OBJECT_KERNEL, .path = record_string("[kernel]") } },
		{ .type = RECORD_FRAME, .frame = { .object = 0, .offset = 0x1000 } },
		{ .type = RECORD_FRAME, .frame = { .object = 0, .offset = 0x1234 } },
		{ .type = RECORD_FRAME, .frame = { .object = 1, .offset = 0x40 } },
		{ .type = RECORD_SAMPLE,
		  .sample = { .time_ns = 5000000,
			      .cpu = 1,
			      .period = 10101010,
			      .user_status = 4,
			      .user_frames = 2,
			      .frames = first } },
		{ .type = RECORD_SAMPLE,
		  .sample = { .time_ns = 15101000,
			      .cpu = 1,
			      .period = 10101010,
			      .user_status = 4,
			      .kernel_status = 1,
			      .kernel_frames = 1,
			      .user_frames = 2,
			      .frames = second } },
		{ .type = RECORD_SAMPLE,
		  .sample = { .time_ns = 25202000,
			      .cpu = 1,
			      .period = 10101010,
			      .user_status = 4,
			      .user_frames = 2,
			      .frames = first } },
	};
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *d = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	uint8_t data[256];
	size_t size = from_hex(hex, data), n = 0;
	struct cursor in = { .pos = data, .end = data + size };
	struct record r;

	(void)state;
	while (record_get(&in, c, &r) == 1) {
		assert_true(n < ARRAY_SIZE(want));
		assert_true(same_record(&r, &want[n]));
		record_put(&b, d, &want[n++]);
	}
	assert_int_equal(in.error, 0);
	assert_int_equal(n, ARRAY_SIZE(want));
	assert_int_equal(b.size, size);
	assert_memory_equal(b.data, data, size);
}

/* A writer is told when it refers to what it did not define, or goes beyond a limit */
static void test_refusals(void **state)
{
	static const uint32_t frames[RECORD_MAX_STACK + 1], wrong[] = { 1 };
	const struct {
		int line;
		struct record r;
		int error;
	} rows[] = {
		{ __LINE__, { .type = RECORD_SAMPLE }, 0 },
		{ __LINE__,
		  { .type = RECORD_SAMPLE, .sample = { .cpu = RECORD_MAX_CPUS } },
		  -EINVAL },
		{ __LINE__,
		  { .type = RECORD_SAMPLE, .sample = { .cpu = RECORD_MAX_CPUS - 1 } },
		  0 },
		{ __LINE__, { .type = RECORD_SAMPLE, .sample = { .event = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_SAMPLE, .sample = { .thread = 1 } }, -EINVAL },
		{ __LINE__,
		  { .type = RECORD_SAMPLE, .sample = { .user_frames = 1, .frames = wrong } },
		  -EINVAL },
		{ __LINE__,
		  { .type = RECORD_SAMPLE,
		    .sample = { .user_frames = RECORD_MAX_STACK / 2,
				.kernel_frames = RECORD_MAX_STACK / 2,
				.frames = frames } },
		  0 },
		{ __LINE__,
		  { .type = RECORD_SAMPLE,
		    .sample = { .user_frames = RECORD_MAX_STACK,
				.kernel_frames = 1,
				.frames = frames } },
		  -EINVAL },
		{ __LINE__, { .type = RECORD_THREAD, .thread = { .process = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_FRAME, .frame = { .object = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_FUNCTION, .function = { .object = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_MAPPING, .mapping = { .object = 1 } }, -EINVAL },
		{ __LINE__, { .type = RECORD_LEDGER, .ledger = { .event = 1 } }, -EINVAL },
		{ __LINE__, { .type = 0x3f }, 0 },
		{ __LINE__, { .type = 0x40 }, -EINVAL },
		{ __LINE__, { .type = 0x100 }, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		_cleanup_(buffer_donep) struct buffer b = { 0 };
		uint8_t data[64];
		struct cursor in = { .pos = data, .end = data + from_hex(DEFINED, data) };
		struct record r;

		while (record_get(&in, c, &r) == 1)
			;
		c->defined[DICTIONARY_FRAME] = 1;
		record_put(&b, c, &rows[i].r);
		if (b.error != rows[i].error)
			fail_msg("line %d: %d", rows[i].line, b.error);
	}
}

/* No more events than RECORD_MAX_EVENTS exist in an epoch, for a writer or for a reader */
static void test_id_limit(void **state)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	const struct record event = { .type = RECORD_EVENT };
	uint8_t data[2 * (RECORD_MAX_EVENTS + 1)];
	struct cursor in = { .pos = data, .end = data + sizeof(data) };
	struct record r;
	int n = 0, result;

	(void)state;
	for (unsigned int i = 0; i < RECORD_MAX_EVENTS; i++)
		record_put(&b, c, &event);
	assert_int_equal(b.error, 0);
	record_put(&b, c, &event);
	assert_int_equal(b.error, -E2BIG);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 2 ? 0 : RECORD_EVENT;
	record_coder_reset(c);
	while ((result = record_get(&in, c, &r)) == 1)
		n++;
	assert_int_equal(n, RECORD_MAX_EVENTS);
	assert_int_equal(result, -EBADMSG);
}

/* A buffer that is full says so, wherever in a record that happens */
static void test_full_buffer(void **state)
{
	struct stream *s = make_stream(11, 400);

	(void)state;
	for (size_t limit = 1; limit < 3000; limit += 61) {
		_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new();
		_cleanup_(buffer_donep) struct buffer b = { .limit = limit };

		for (size_t i = 0; i < s->n; i++)
			record_put(&b, c, &s->records[i]);
		assert_int_equal(b.error, -E2BIG);
		assert_true(b.size <= b.capacity);
	}
	free_stream(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_reset),
		cmocka_unit_test(test_truncation),  cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_bytes),	    cmocka_unit_test(test_example),
		cmocka_unit_test(test_refusals),    cmocka_unit_test(test_id_limit),
		cmocka_unit_test(test_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
