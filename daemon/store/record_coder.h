/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What record.c and record_sample.c share: the state of an epoch. Both sides keep the same state by
 * the same rules, so that a sample is coded as its difference from what is already known.
 */
#include "store/record.h"

#define RECORD_MAX_CPUS 8192 /* the largest NR_CPUS of Linux */
#define RECORD_MAX_EVENTS 256
#define RECORD_MAX_IDS (1U << 24) /* of one kind in one epoch */
#define RECORD_MAX_STACK 1024 /* frames of one sample, both halves */
#define RECORD_NONE UINT32_MAX

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

/* One event on one CPU. */
struct coder_clock {
	uint64_t time_us;
	int64_t step_us; /* between the last two samples */
	uint64_t period;
};

/* The previous sample on one CPU. */
struct coder_cpu {
	uint32_t thread, event;
	uint8_t status; /* kernel | user << 4 */
	uint16_t user_frames, kernel_frames;
	/* Leaf at the lower address, root at the end, so that a new leaf half replaces the old one
	 * in place: the last kernel_frames + user_frames elements, in the order of struct
	 * record_sample. */
	uint32_t *stack; /* RECORD_MAX_STACK elements */
	struct coder_clock *clocks; /* by event */
	size_t n_clocks;
};

struct record_coder {
	uint32_t defined[DICTIONARY_MAX]; /* ids given out */
	/* By frame: its last callee. RECORD_NONE: none yet. */
	uint32_t *callee;
	size_t n_callee;
	uint32_t user_root, kernel_root; /* the last root of each half */
	struct coder_cpu **cpus;
	size_t n_cpus;
	uint32_t cpu; /* of the previous sample */
};

/* Makes room for frame `id`; false: out of memory. */
bool record_coder_add_frame(struct record_coder *c, uint32_t id);

void record_put_sample(struct buffer *b, struct record_coder *c, const struct record_sample *s);
/* `flags` is the byte at in->pos - 1. */
int record_get_sample(struct cursor *in, struct record_coder *c, uint8_t flags,
		      struct record_sample *ret);
