// SPDX-License-Identifier: Apache-2.0
/*
 * Arbitrary bytes as the records of an epoch. What is read must refer only to what was defined, and
 * what was read once must come back the same when it is written and read again.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/record.h"
#include "store/record_coder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_ids(const struct record_coder *c, const struct record *r)
{
	const struct record_sample *s = &r->sample;

	switch (r->type) {
	case RECORD_SAMPLE:
		check(s->event < c->defined[DICTIONARY_EVENT]);
		check(s->thread < c->defined[DICTIONARY_THREAD]);
		check(s->cpu < RECORD_MAX_CPUS);
		check(s->user_frames + s->kernel_frames <= RECORD_MAX_STACK);
		for (size_t i = 0; i < (size_t)s->user_frames + s->kernel_frames; i++)
			check(s->frames[i] < c->defined[DICTIONARY_FRAME]);
		break;
	case RECORD_MAPPING:
		check(r->mapping.process < c->defined[DICTIONARY_PROCESS]);
		check(r->mapping.object < c->defined[DICTIONARY_OBJECT]);
		break;
	case RECORD_THREAD:
		check(r->thread.process < c->defined[DICTIONARY_PROCESS]);
		break;
	case RECORD_FRAME:
		check(r->frame.object < c->defined[DICTIONARY_OBJECT]);
		break;
	case RECORD_FUNCTION:
		check(r->function.object < c->defined[DICTIONARY_OBJECT]);
		break;
	case RECORD_LEDGER:
		check(r->ledger.event < c->defined[DICTIONARY_EVENT]);
		break;
	default:
		break;
	}
}

static bool same_sample(const struct record_sample *a, const struct record_sample *b)
{
	/* Times are stored in microseconds, and wrap beyond them. */
	return a->time_ns / 1000 == b->time_ns / 1000 && a->cpu == b->cpu && a->event == b->event &&
	       a->thread == b->thread && a->period == b->period &&
	       a->kernel_status == b->kernel_status && a->user_status == b->user_status &&
	       a->kernel_frames == b->kernel_frames && a->user_frames == b->user_frames &&
	       memcmp(&a->access, &b->access, sizeof(a->access)) == 0 &&
	       memcmp(a->frames, b->frames,
		      sizeof(*a->frames) * ((size_t)a->kernel_frames + a->user_frames)) == 0;
}

/* Writes a record that was read, and reads it again. */
static void check_again(struct record_coder *writer, struct record_coder *reader,
			const struct record *r)
{
	_cleanup_(buffer_donep) struct buffer b = { 0 };
	struct cursor in;
	struct record again;

	record_put(&b, writer, r);
	check(b.error == 0);
	in = (struct cursor){ .pos = b.data, .end = b.data + b.size };
	check(record_get(&in, reader, &again) == 1);
	check(in.pos == in.end);
	check(again.type == r->type);
	if (r->type == RECORD_SAMPLE)
		check(same_sample(&r->sample, &again.sample));
	if (r->type == RECORD_FRAME)
		check(again.frame.object == r->frame.object &&
		      again.frame.offset == r->frame.offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(record_coder_freep) struct record_coder *c = record_coder_new(),
							  *writer = record_coder_new(),
							  *reader = record_coder_new();
	struct cursor in = { .pos = data, .end = data + size };
	struct record r;
	int result;

	if (!c || !writer || !reader)
		return 0;
	while ((result = record_get(&in, c, &r)) == 1) {
		check_ids(c, &r);
		check_again(writer, reader, &r);
	}
	check(result == 0 || result == -EBADMSG);
	return 0;
}
