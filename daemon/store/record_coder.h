/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What writing and reading have in common: the state of an epoch. Both sides keep the same state by
 * the same rules, so that a sample is coded as its difference from what was to be expected.
 */
#include "store/record.h"
#include "util/prefetch.h"

#define RECORD_MAX_CPUS 8192 /* the largest NR_CPUS of Linux */
#define RECORD_MAX_EVENTS 256
#define RECORD_MAX_IDS (1U << 22) /* of one kind in one epoch */
#define RECORD_MAX_STACK 1024 /* frames of one sample, both halves */
#define RECORD_STACKS 64 /* stacks kept, by thread id modulo this */
#define RECORD_MAX_CALLEES 255 /* kept of one caller */
#define RECORD_MAX_POOL (1U << 24) /* callees of all callers; from then on nothing is learned */
#define RECORD_NONE UINT32_MAX
#define RECORD_HINTS (1U << 15)

/* Kinds of ids. */
enum dictionary {
	DICTIONARY_EVENT,
	DICTIONARY_OBJECT,
	DICTIONARY_PROCESS,
	DICTIONARY_THREAD,
	DICTIONARY_FRAME,
	DICTIONARY_FUNCTION,
	DICTIONARY_MAX,
};

/* Callers that are no frame; frame f is caller CALLERS + f. */
enum {
	CALLER_OF_USER, /* of a user root */
	CALLER_OF_KERNEL, /* of a kernel root */
	CALLER_NEW, /* stands in for one that was not seen to call anything */
	CALLERS,
};

/*
 * What a caller was seen to call: places 0, 1, 2 ... in the order of appearance. Beyond
 * RECORD_MAX_CALLEES the places are taken again from 0.
 */
struct coder_callees {
	uint32_t at; /* in the pool, with room for the next power of two */
	uint32_t n; /* ever learned */
};

#define RECORD_CALLERS 4

/*
 * Callers of a frame, the last one first, each with the frame's place among its callees. As long as
 * there is a free element these are all it ever had, CALLER_NEW left out.
 */
struct coder_callers {
	uint32_t last[RECORD_CALLERS]; /* caller << 8 | place; RECORD_NONE: free */
};

/* One event on one CPU. */
struct coder_clock {
	uint64_t time_us; /* of its previous sample */
	uint64_t step; /* expected until the next, in 1/16 us; 0: not known */
	uint64_t period;
	uint64_t address; /* of the last access that had one */
};

/* One CPU. */
struct coder_cpu {
	uint32_t thread, event; /* of its previous sample */
	uint32_t next; /* the CPU of the sample that came after that */
	struct coder_clock *clocks; /* by event */
	size_t n_clocks;
};

/*
 * A previous stack. Leaf at the lower address, root at the end, so that a new leaf part replaces
 * the old one in place: the last kernel_frames + user_frames elements count, in the order of struct
 * record_sample.
 */
struct coder_stack {
	uint16_t user_frames, kernel_frames;
	uint32_t frames[RECORD_MAX_STACK];
};

struct record_coder {
	uint32_t defined[DICTIONARY_MAX]; /* ids given out */
	uint64_t *offsets; /* by object: of its latest frame */
	size_t n_offsets;
	struct coder_callees *callees; /* by caller */
	size_t n_callees;
	uint32_t *pool;
	size_t pool_used, pool_size;
	struct coder_cpu **cpus;
	size_t n_cpus;
	uint32_t cpu; /* of the previous sample */
	uint8_t status[4]; /* kernel | user << 4, by which halves there are */
	struct coder_stack *stacks[RECORD_STACKS];
	/* Writer only: where callees were found. */
	struct coder_callers *callers; /* by frame: those of a stack lie side by side */
	uint8_t *hints; /* by a hash of caller and callee: a place to look at first */
};

/* Makes room for a new id; false: out of memory. */
bool record_coder_add_frame(struct record_coder *c, uint32_t id);
bool record_coder_add_object(struct record_coder *c, uint32_t id);

struct coder_cpu *record_coder_add_cpu(struct record_coder *c, uint32_t number);
struct coder_clock *record_coder_add_clock(struct coder_cpu *cpu, uint32_t event);
struct coder_stack *record_coder_add_stack(struct record_coder *c, uint32_t thread);
/* Once, before the first sample is put. */
bool record_coder_begin_writing(struct record_coder *c);

/* NULL: out of memory, as with the next two. */
static inline struct coder_cpu *record_coder_cpu(struct record_coder *c, uint32_t number)
{
	if (number < c->n_cpus && c->cpus[number])
		return c->cpus[number];
	return record_coder_add_cpu(c, number);
}

static inline struct coder_clock *record_coder_clock(struct coder_cpu *cpu, uint32_t event)
{
	return event < cpu->n_clocks ? &cpu->clocks[event] : record_coder_add_clock(cpu, event);
}

static inline struct coder_stack *record_coder_stack(struct record_coder *c, uint32_t thread)
{
	struct coder_stack *s = c->stacks[thread % RECORD_STACKS];

	return s ? s : record_coder_add_stack(c, thread);
}

/* The caller whose callees are used for `caller`. */
static inline uint32_t record_coder_context(const struct record_coder *c, uint32_t caller)
{
	return c->callees[caller].n ? caller : CALLER_NEW;
}

static inline uint32_t record_coder_places(const struct coder_callees *k)
{
	return MIN(k->n, (uint32_t)RECORD_MAX_CALLEES);
}

static inline uint8_t *record_coder_hint(const struct record_coder *c, uint32_t caller,
					 uint32_t frame)
{
	return &c->hints[(caller * 0x9e3779b1U + frame * 0x85ebca6bU) >> 17];
}

/* A hint that a sample of this thread is about to be put. */
static inline void record_coder_expect_thread(const struct record_coder *c, uint32_t thread)
{
	const struct coder_stack *s = c->stacks[thread % RECORD_STACKS];

	if (!s)
		return;
	prefetch(s);
	/* The outermost frames of some thirty are what a new stack is compared with. */
	prefetch(s->frames + RECORD_MAX_STACK - 16);
	prefetch(s->frames + RECORD_MAX_STACK - 32);
}

/* A hint that a sample with this frame is about to be put. */
static inline void record_coder_expect(const struct record_coder *c, uint32_t frame)
{
	if (c->callers) {
		prefetch(&c->callers[frame]);
		prefetch(&c->callees[frame + CALLERS]);
	}
}

/*
 * The place of `frame` among the callees of its caller, RECORD_NONE when it has none. *context
 * becomes the caller whose callees were looked at.
 */
uint32_t record_coder_search(struct record_coder *c, uint32_t frame, uint32_t *context);

static inline uint32_t record_coder_find(struct record_coder *c, uint32_t frame, uint32_t *context)
{
	uint32_t last = c->callers[frame].last[0];

	return last >> 8 == *context ? last & 255 : record_coder_search(c, frame, context);
}

/* Gives `frame` the next place; false: out of memory. */
bool record_coder_learn(struct record_coder *c, uint32_t caller, uint32_t frame);

static inline uint64_t coder_clock_expect(const struct coder_clock *clock)
{
	return clock->time_us + (clock->step >> 4);
}

/*
 * The step follows the samples slowly: by an eighth of what it was off, upwards by no more than a
 * sixteenth of itself, so that a pause does not spoil it. The first one is taken as it is.
 */
static inline void coder_clock_advance(struct coder_clock *clock, uint64_t time_us)
{
	uint64_t step = (time_us - clock->time_us) << 4;

	if (clock->step == 0)
		clock->step = clock->time_us ? step & UINT32_MAX : 0;
	else if (step < clock->step)
		clock->step -= (clock->step - step) >> 3;
	else
		clock->step += MIN((step - clock->step) >> 3, (clock->step >> 4) + 1);
	clock->time_us = time_us;
}

static inline unsigned int coder_halves(size_t kernel_frames, size_t user_frames)
{
	return (kernel_frames > 0) | (user_frames > 0) << 1;
}

void record_put_sample(struct buffer *b, struct record_coder *c, const struct record_sample *s);
/* `flags` is the first byte, already taken. */
int record_get_sample(struct cursor *in, struct record_coder *c, uint8_t flags,
		      struct record_sample *ret);
