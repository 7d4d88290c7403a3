// SPDX-License-Identifier: Apache-2.0
/*
 * Samples: the hot path of writing and reading. A sample is coded as what differs from what was to
 * be expected: the CPU that came next the last time, the thread that CPU ran, the usual time
 * between two samples, the last stack of that thread.
 *
 * A stack is the number of frames that went (from the leaf) and those that came, root first. A
 * frame is its place among what its caller was seen to call, two of them in a byte; so a path
 * through known code costs a few bits a frame, however many frames there are.
 */
#include <errno.h>

#include "store/record_coder.h"

enum sample_flags {
	SAMPLE_CPU = 1 << 0, /* not the one that came next the last time */
	SAMPLE_THREAD = 1 << 1, /* not the one this CPU ran */
	SAMPLE_CHANGES = 1 << 2, /* a byte of enum sample_changes follows */
	SAMPLE_GONE = 1 << 3, /* frames of the last stack are gone */
	SAMPLE_USER = 1 << 4, /* user frames came */
	SAMPLE_KERNEL = 1 << 5, /* kernel frames came */
	SAMPLE_MORE = 1 << 6, /* at the end: varint length and bytes, for readers that know them */
	SAMPLE_MARK = 1 << 7,
};

enum sample_changes {
	CHANGED_EVENT = 1 << 0,
	CHANGED_PERIOD = 1 << 1,
	CHANGED_STATUS = 1 << 2,
	CHANGED_KNOWN = CHANGED_EVENT | CHANGED_PERIOD | CHANGED_STATUS,
};

/*
 * Codes of a frame, two in a byte: first + CODES * second. Below CODE_END it is a place. Eight
 * places and two to a byte gave the smallest files of what was tried (docs/format.md).
 */
enum {
	CODE_END = 8, /* this is the leaf: its place follows as a varint */
	CODE_FAR = 9, /* its place follows as a varint */
	CODES = 10,
};

/* --- writing ------------------------------------------------------------- */

/* Frames from the root that two halves, given by their ends, have in common. */
static inline size_t common(const uint32_t *a_end, size_t a, const uint32_t *b_end, size_t b)
{
	size_t max = MIN(a, b), n = 0;

	while (n < max && a_end[-1 - (ptrdiff_t)n] == b_end[-1 - (ptrdiff_t)n])
		n++;
	return n;
}

/* What a stack differs in from the one before. */
struct stack_change {
	size_t gone; /* frames, from the leaf */
	size_t keep_user, keep_kernel; /* from the root of each half */
	size_t user, kernel; /* new ones */
};

static struct stack_change compare_stacks(const struct coder_stack *old,
					  const struct record_sample *s)
{
	const uint32_t *user = s->frames + s->kernel_frames, *end = old->frames + RECORD_MAX_STACK;
	struct stack_change d = { 0 };

	d.keep_user = common(user + s->user_frames, s->user_frames, end, old->user_frames);
	if (d.keep_user == s->user_frames && d.keep_user == old->user_frames)
		d.keep_kernel =
			common(user, s->kernel_frames, end - d.keep_user, old->kernel_frames);
	d.user = s->user_frames - d.keep_user;
	d.kernel = s->kernel_frames - d.keep_kernel;
	d.gone = (size_t)old->user_frames + old->kernel_frames - d.keep_user - d.keep_kernel;
	return d;
}

/* A place from `first` on as 1, 2 ...; a frame without a place as 0 and its distance from the
 * newest. */
static void put_place(struct buffer *b, const struct record_coder *c, uint32_t place,
		      uint32_t first, uint32_t frame)
{
	if (place != RECORD_NONE) {
		buffer_put_varint(b, (uint64_t)place - first + 1);
	} else {
		buffer_put_byte(b, 0);
		buffer_put_varint(b, c->defined[DICTIONARY_FRAME] - 1 - frame);
	}
}

/* Both sides learn the same: a frame without a place gets one, and so does the first callee of a
 * caller, which was looked up elsewhere. */
static inline bool learn(struct record_coder *c, uint32_t caller, uint32_t context, bool has_place,
			 uint32_t frame)
{
	return (has_place || record_coder_learn(c, context, frame)) &&
	       (context == caller || record_coder_learn(c, caller, frame));
}

/* The n new frames of a half, from its root (the highest address) to its leaf. */
static int put_half(struct buffer *b, struct record_coder *c, const uint32_t *leaf, size_t n,
		    uint32_t caller)
{
	size_t pair = 0; /* where the byte is that still takes a code */

	for (size_t i = n; i-- > 0;) {
		uint32_t frame = leaf[i], context = caller, place, code;

		if (frame >= c->defined[DICTIONARY_FRAME])
			return -EINVAL;
		place = record_coder_find(c, frame, &context);
		code = i == 0 ? CODE_END : place < CODE_END ? place : CODE_FAR;
		if (pair && !b->error) {
			b->data[pair] = (uint8_t)(b->data[pair] + CODES * code);
			pair = 0;
		} else {
			pair = b->size;
			buffer_put_byte(b, (uint8_t)code);
		}
		if (code >= CODE_END)
			put_place(b, c, place, i ? CODE_END : 0, frame);
		if (!learn(c, caller, context, place != RECORD_NONE, frame))
			return -ENOMEM;
		caller = frame + CALLERS;
	}
	return 0;
}

static int put_stack(struct buffer *b, struct record_coder *c, struct coder_stack *stack,
		     const struct record_sample *s, const struct stack_change *d)
{
	const uint32_t *user = s->frames + s->kernel_frames;
	size_t total = (size_t)s->user_frames + s->kernel_frames;
	int r;

	if (d->gone)
		buffer_put_varint(b, d->gone);
	r = put_half(b, c, user, d->user, d->keep_user ? user[d->user] + CALLERS : CALLER_OF_USER);
	if (r < 0)
		return r;
	r = put_half(b, c, s->frames, d->kernel,
		     d->keep_kernel ? s->frames[d->kernel] + CALLERS : CALLER_OF_KERNEL);
	if (r < 0)
		return r;
	stack->user_frames = s->user_frames;
	stack->kernel_frames = s->kernel_frames;
	if (d->user + d->kernel)
		memcpy(stack->frames + RECORD_MAX_STACK - total, s->frames,
		       (d->user + d->kernel) * sizeof(*s->frames));
	return 0;
}

static void put_changes(struct buffer *b, uint8_t changes, const struct record_sample *s,
			const struct coder_clock *clock, uint8_t status)
{
	buffer_put_byte(b, changes);
	if (changes & CHANGED_EVENT)
		buffer_put_varint(b, s->event);
	if (changes & CHANGED_PERIOD)
		buffer_put_varint(b, zigzag_encode((int64_t)(s->period - clock->period)));
	if (changes & CHANGED_STATUS)
		buffer_put_byte(b, status);
}

/*
 * Extensions stand one behind the other in the bytes of SAMPLE_MORE, by ascending number, each a
 * byte that says which and what it says. A reader stops at the first one it does not know.
 */
enum sample_extension {
	EXTENSION_COUNTERS = 1,
	EXTENSION_ACCESS = 2,
};

#define EXTENSION_MIXED 1
#define EXTENSION_CUT 2
#define RAN_ALWAYS 1000

enum access_parts {
	ACCESS_ADDRESS = 1 << 0,
	ACCESS_SOURCE = 1 << 1,
	ACCESS_LATENCY = 1 << 2,
	ACCESS_KNOWN = ACCESS_ADDRESS | ACCESS_SOURCE | ACCESS_LATENCY,
};

enum counter_state { COUNTER_ABSENT, COUNTER_WHOLE, COUNTER_PART };

/* Flags, the time they cover, their number, then delta and state in one number each. */
static void put_counters(struct buffer *b, const struct record_sample *s)
{
	buffer_put_byte(b, EXTENSION_COUNTERS);
	buffer_put_byte(b,
			(uint8_t)((s->mixed ? EXTENSION_MIXED : 0) | (s->cut ? EXTENSION_CUT : 0)));
	buffer_put_varint(b, s->counted_ns / 1000);
	buffer_put_byte(b, s->n_counters);
	for (size_t i = 0; i < s->n_counters; i++) {
		const struct record_counter *k = &s->counters[i];
		enum counter_state state = k->running_permille == 0	       ? COUNTER_ABSENT
					   : k->running_permille == RAN_ALWAYS ? COUNTER_WHOLE
									       : COUNTER_PART;

		buffer_put_varint(b, state == COUNTER_ABSENT ? 0 : k->delta << 2 | state);
		if (state == COUNTER_PART)
			buffer_put_varint(b, k->running_permille);
	}
}

static unsigned int access_parts(const struct record_access *a)
{
	return (a->address ? ACCESS_ADDRESS : 0) | (a->source ? ACCESS_SOURCE : 0) |
	       (a->latency ? ACCESS_LATENCY : 0);
}

/* Which parts there are, then each. */
static void put_access(struct buffer *b, struct coder_clock *clock, const struct record_access *a)
{
	unsigned int parts = access_parts(a);

	buffer_put_byte(b, EXTENSION_ACCESS);
	buffer_put_byte(b, (uint8_t)parts);
	if (parts & ACCESS_ADDRESS) {
		buffer_put_varint(b, zigzag_encode((int64_t)(a->address - clock->address)));
		clock->address = a->address;
	}
	if (parts & ACCESS_SOURCE)
		buffer_put_varint(b, a->source);
	if (parts & ACCESS_LATENCY)
		buffer_put_varint(b, a->latency);
}

/* At most 3 + 10 + 8 x (10 + 2) bytes of counters, and 2 + 3 x 10 of the access: both together may
 * need a second byte of length. */
static void put_extensions(struct buffer *b, struct coder_clock *clock,
			   const struct record_sample *s)
{
	bool access = access_parts(&s->access), two = s->n_counters && access;
	size_t at = b->size, size;

	buffer_put_byte(b, 0);
	if (two)
		buffer_put_byte(b, 0);
	size = b->size;
	if (s->n_counters)
		put_counters(b, s);
	if (access)
		put_access(b, clock, &s->access);
	if (b->error)
		return;
	size = b->size - size;
	b->data[at] = (uint8_t)(size & 127) | (two ? 128 : 0);
	if (two)
		b->data[at + 1] = (uint8_t)(size >> 7);
}

static int get_counters(struct cursor *in, struct record_sample *ret)
{
	uint8_t flags = cursor_get_byte(in);

	ret->counted_ns = cursor_get_varint(in) * 1000;
	ret->n_counters = cursor_get_byte(in);
	if (ret->n_counters > RECORD_MAX_COUNTERS) {
		ret->n_counters = 0;
		return -EBADMSG;
	}
	ret->mixed = flags & EXTENSION_MIXED;
	ret->cut = flags & EXTENSION_CUT;
	for (size_t i = 0; i < ret->n_counters; i++) {
		uint64_t value = cursor_get_varint(in), permille = 0;

		if ((value & 3) == COUNTER_WHOLE)
			permille = RAN_ALWAYS;
		else if ((value & 3) == COUNTER_PART)
			permille = cursor_get_varint(in);
		if (permille > RAN_ALWAYS)
			return -EBADMSG;
		ret->counters[i] =
			(struct record_counter){ .delta = value >> 2,
						 .running_permille = (uint16_t)permille };
	}
	return in->error;
}

/* A part that is not known cannot be skipped, nor what is behind it. */
static int get_access(struct cursor *in, struct coder_clock *clock, struct record_access *ret)
{
	uint8_t parts = cursor_get_byte(in);

	if (parts & ACCESS_ADDRESS) {
		clock->address += (uint64_t)zigzag_decode(cursor_get_varint(in));
		ret->address = clock->address;
	}
	if (parts & ACCESS_SOURCE)
		ret->source = cursor_get_varint(in);
	if (parts & ACCESS_LATENCY)
		ret->latency = cursor_get_varint(in);
	if (parts & ~ACCESS_KNOWN)
		in->pos = in->end;
	return in->error;
}

/* An extension of another kind is for other readers; a damaged one is an error. */
static int get_extensions(const uint8_t *data, size_t size, struct coder_clock *clock,
			  struct record_sample *ret)
{
	struct cursor in = { .pos = data, .end = data + size };
	int r = 0;

	while (r == 0 && cursor_left(&in) > 0)
		switch (cursor_get_byte(&in)) {
		case EXTENSION_COUNTERS:
			r = get_counters(&in, ret);
			break;
		case EXTENSION_ACCESS:
			r = get_access(&in, clock, &ret->access);
			break;
		default:
			return 0;
		}
	return r;
}

static int put_sample(struct buffer *b, struct record_coder *c, const struct record_sample *s)
{
	uint8_t status = (uint8_t)((s->kernel_status & 15) | s->user_status << 4), changes, flags,
		*usual = &c->status[coder_halves(s->kernel_frames, s->user_frames)];
	uint64_t time_us = s->time_ns / 1000;
	struct coder_cpu *previous, *cpu;
	struct coder_stack *stack;
	struct coder_clock *clock;
	struct stack_change d;
	int r;

	if (s->cpu >= RECORD_MAX_CPUS || s->event >= c->defined[DICTIONARY_EVENT] ||
	    s->thread >= c->defined[DICTIONARY_THREAD] ||
	    (size_t)s->user_frames + s->kernel_frames > RECORD_MAX_STACK ||
	    s->n_counters > RECORD_MAX_COUNTERS)
		return -EINVAL;
	previous = record_coder_cpu(c, c->cpu);
	cpu = record_coder_cpu(c, s->cpu);
	clock = cpu ? record_coder_clock(cpu, s->event) : NULL;
	stack = record_coder_stack(c, s->thread);
	if (!previous || !clock || !stack || (!c->callers && !record_coder_begin_writing(c)))
		return -ENOMEM;
	d = compare_stacks(stack, s);

	changes = (uint8_t)((s->event != cpu->event ? CHANGED_EVENT : 0) |
			    (s->period != clock->period ? CHANGED_PERIOD : 0) |
			    (status != *usual ? CHANGED_STATUS : 0));
	flags = (uint8_t)(SAMPLE_MARK | (s->cpu != previous->next ? SAMPLE_CPU : 0) |
			  (s->thread != cpu->thread ? SAMPLE_THREAD : 0) |
			  (changes ? SAMPLE_CHANGES : 0) | (d.gone ? SAMPLE_GONE : 0) |
			  (d.user ? SAMPLE_USER : 0) | (d.kernel ? SAMPLE_KERNEL : 0) |
			  (s->n_counters || access_parts(&s->access) ? SAMPLE_MORE : 0));
	buffer_put_byte(b, flags);
	if (flags & SAMPLE_CPU)
		buffer_put_varint(b, s->cpu);
	if (flags & SAMPLE_THREAD)
		buffer_put_varint(b, c->defined[DICTIONARY_THREAD] - 1 - s->thread);
	if (changes)
		put_changes(b, changes, s, clock, status);
	r = put_stack(b, c, stack, s, &d);
	if (r < 0)
		return r;
	buffer_put_varint(b, zigzag_encode((int64_t)(time_us - coder_clock_expect(clock))));
	if (flags & SAMPLE_MORE)
		put_extensions(b, clock, s);

	previous->next = s->cpu;
	c->cpu = s->cpu;
	cpu->thread = s->thread;
	cpu->event = s->event;
	*usual = status;
	clock->period = s->period;
	coder_clock_advance(clock, time_us);
	return 0;
}

void record_put_sample(struct buffer *b, struct record_coder *c, const struct record_sample *s)
{
	int r = put_sample(b, c, s);

	if (r < 0 && !b->error)
		b->error = r;
}

/* --- reading ------------------------------------------------------------- */

/* The counterpart of put_place(). */
static int get_place(struct cursor *in, const struct record_coder *c, const struct coder_callees *k,
		     uint32_t first, bool *ret_has_place, uint32_t *ret_frame)
{
	uint64_t value = cursor_get_varint(in), back;

	if (value) {
		value = value - 1 + first;
		if (value >= record_coder_places(k))
			return -EBADMSG;
		*ret_has_place = true;
		*ret_frame = c->pool[k->at + value];
		return 0;
	}
	back = cursor_get_varint(in);
	if (in->error || back >= c->defined[DICTIONARY_FRAME])
		return -EBADMSG;
	*ret_has_place = false;
	*ret_frame = c->defined[DICTIONARY_FRAME] - 1 - (uint32_t)back;
	return 0;
}

/* New frames of a half, put below `root`. Returns their number. */
static int get_half(struct cursor *in, struct record_coder *c, uint32_t *root, size_t room,
		    uint32_t caller)
{
	unsigned int second = CODES; /* of the byte before, CODES: none */

	for (size_t n = 0; n < room; n++) {
		uint32_t context = record_coder_context(c, caller), frame, code = second;
		const struct coder_callees *k = &c->callees[context];
		bool has_place = true;
		int r;

		if (code == CODES) {
			code = cursor_get_byte(in);
			if (code >= CODES * CODES)
				return -EBADMSG;
			second = code / CODES;
			code %= CODES;
		} else {
			second = CODES;
		}
		if (code < CODE_END && code < k->n) {
			frame = c->pool[k->at + code];
		} else {
			if (code < CODE_END)
				return -EBADMSG;
			r = get_place(in, c, k, code == CODE_END ? 0 : CODE_END, &has_place,
				      &frame);
			if (r < 0)
				return r;
		}
		if (!learn(c, caller, context, has_place, frame))
			return -ENOMEM;
		*--root = frame;
		if (code == CODE_END)
			return (int)n + 1;
		caller = frame + CALLERS;
	}
	return -EBADMSG;
}

static int get_stack(struct cursor *in, struct record_coder *c, struct coder_stack *stack,
		     uint8_t flags)
{
	size_t total = (size_t)stack->user_frames + stack->kernel_frames, keep, user, kernel;
	uint64_t gone = flags & SAMPLE_GONE ? cursor_get_varint(in) : 0;
	uint32_t *end = stack->frames + RECORD_MAX_STACK;
	int n;

	if (in->error || gone > total)
		return -EBADMSG;
	keep = total - gone;
	user = MIN(keep, (size_t)stack->user_frames);
	kernel = keep - user;
	if (flags & SAMPLE_USER) {
		if (kernel)
			return -EBADMSG;
		n = get_half(in, c, end - keep, RECORD_MAX_STACK - keep,
			     keep ? *(end - keep) + CALLERS : CALLER_OF_USER);
		if (n < 0)
			return n;
		user += (size_t)n;
		keep += (size_t)n;
	}
	if (flags & SAMPLE_KERNEL) {
		n = get_half(in, c, end - keep, RECORD_MAX_STACK - keep,
			     kernel ? *(end - keep) + CALLERS : CALLER_OF_KERNEL);
		if (n < 0)
			return n;
		kernel += (size_t)n;
	}
	stack->user_frames = (uint16_t)user;
	stack->kernel_frames = (uint16_t)kernel;
	return 0;
}

struct changes {
	uint8_t which; /* enum sample_changes */
	uint8_t status;
	uint64_t event;
	int64_t period;
};

static int get_changes(struct cursor *in, struct changes *ret)
{
	ret->which = cursor_get_byte(in);
	if (ret->which & ~CHANGED_KNOWN)
		return -EBADMSG;
	if (ret->which & CHANGED_EVENT)
		ret->event = cursor_get_varint(in);
	if (ret->which & CHANGED_PERIOD)
		ret->period = zigzag_decode(cursor_get_varint(in));
	if (ret->which & CHANGED_STATUS)
		ret->status = cursor_get_byte(in);
	return in->error;
}

/* Everything in front of the stack: who, where. */
static int get_origin(struct cursor *in, struct record_coder *c, uint8_t flags,
		      struct changes *changes)
{
	struct coder_cpu *previous = record_coder_cpu(c, c->cpu), *cpu;
	uint64_t number, thread;
	int r;

	if (!previous)
		return -ENOMEM;
	number = flags & SAMPLE_CPU ? cursor_get_varint(in) : previous->next;
	if (number >= RECORD_MAX_CPUS)
		return -EBADMSG;
	cpu = record_coder_cpu(c, (uint32_t)number);
	if (!cpu)
		return -ENOMEM;
	thread = flags & SAMPLE_THREAD ? c->defined[DICTIONARY_THREAD] - 1 - cursor_get_varint(in)
				       : cpu->thread;
	changes->event = cpu->event;
	if (flags & SAMPLE_CHANGES) {
		r = get_changes(in, changes);
		if (r < 0)
			return r;
	}
	if (in->error || thread >= c->defined[DICTIONARY_THREAD] ||
	    changes->event >= c->defined[DICTIONARY_EVENT])
		return -EBADMSG;
	previous->next = c->cpu = (uint32_t)number;
	cpu->thread = (uint32_t)thread;
	cpu->event = (uint32_t)changes->event;
	return 0;
}

int record_get_sample(struct cursor *in, struct record_coder *c, uint8_t flags,
		      struct record_sample *ret)
{
	struct changes changes = { 0 };
	struct coder_clock *clock;
	struct coder_stack *stack;
	struct coder_cpu *cpu;
	const void *extra = NULL;
	size_t extra_size = 0;
	uint64_t time_us;
	uint8_t *usual;
	int r = get_origin(in, c, flags, &changes);

	if (r < 0)
		return r;
	cpu = c->cpus[c->cpu];
	clock = record_coder_clock(cpu, cpu->event);
	stack = record_coder_stack(c, cpu->thread);
	if (!clock || !stack)
		return -ENOMEM;
	r = get_stack(in, c, stack, flags);
	if (r < 0)
		return r;
	time_us = coder_clock_expect(clock) + (uint64_t)zigzag_decode(cursor_get_varint(in));
	if (flags & SAMPLE_MORE)
		extra = cursor_get_bytes(in, &extra_size);
	if (in->error)
		return in->error;
	usual = &c->status[coder_halves(stack->kernel_frames, stack->user_frames)];
	if (changes.which & CHANGED_STATUS)
		*usual = changes.status;
	clock->period += (uint64_t)changes.period;
	coder_clock_advance(clock, time_us);
	*ret = (struct record_sample){
		.time_ns = time_us * 1000,
		.cpu = c->cpu,
		.event = cpu->event,
		.thread = cpu->thread,
		.period = clock->period,
		.kernel_status = *usual & 15,
		.user_status = *usual >> 4,
		.kernel_frames = stack->kernel_frames,
		.user_frames = stack->user_frames,
		.frames = stack->frames + RECORD_MAX_STACK - stack->kernel_frames -
			  stack->user_frames,
	};
	return extra ? get_extensions(extra, extra_size, clock, ret) : 0;
}
