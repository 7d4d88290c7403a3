/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Random streams of records of every kind, each as good as any a writer may write, and what it
 * means that two records are the same.
 */
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
	e->memory_access = below(s, 2);
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

static void add_access(struct stream *s, struct record_access *a)
{
	a->address = below(s, 4) ? some_number(s) : 0;
	a->source = below(s, 4) ? some_number(s) : 0;
	a->latency = below(s, 4) ? some_number(s) : 0;
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
	if (below(s, 2))
		add_access(s, &n->access);
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
	return same_counters(a, b) && memcmp(&a->access, &b->access, sizeof(a->access)) == 0 &&
	       a->time_ns == b->time_ns && a->cpu == b->cpu && a->event == b->event &&
	       a->thread == b->thread && a->period == b->period &&
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
		       a->event.freq == b->event.freq && a->event.value == b->event.value &&
		       a->event.memory_access == b->event.memory_access;
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
