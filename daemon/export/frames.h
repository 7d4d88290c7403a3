/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the formats have in common: walking a stack, saying where a function comes from, and the
 * figures that tell how far a profile can be trusted.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "profile/profile.h"
#include "util/buffer.h"

/* Where code comes from: what a flame graph colours by. */
enum frame_kind {
	FRAME_KERNEL,
	FRAME_MODULE, /* a kernel module */
	FRAME_BPF,
	FRAME_GUEST, /* a virtual machine of the host: one function, whatever it does */
	FRAME_LIBRARY, /* a shared object, the vDSO */
	FRAME_EXECUTABLE,
	FRAME_JIT, /* a named function in memory without a file */
	FRAME_UNKNOWN, /* no name */
	FRAME_KIND_MAX,
};

const char *frame_kind_name(enum frame_kind kind);

/* The kind of every object, found once; FRAME_UNKNOWN is decided by the function. */
struct frame_kinds {
	uint8_t *of_object;
};

int frame_kinds_init(struct frame_kinds *k, const struct profile *p);
void frame_kinds_done(struct frame_kinds *k);
enum frame_kind frame_kind_of(const struct frame_kinds *k, const struct profile *p,
			      uint32_t function);

/* True for the kernel half: image, module, BPF program, or a nameless address of the upper half. */
bool frame_is_kernel(const struct profile *p, uint32_t frame);
/* The same of a function, but not of a guest, which stands where the kernel would. */
bool function_is_kernel(const struct profile *p, uint32_t function);

/* The nodes of one stack, leaf first; the root node is left out. */
struct stack {
	uint32_t *nodes;
	size_t n, capacity;
};

int stack_load(struct stack *s, const struct profile *p, uint32_t leaf);
void stack_done(struct stack *s);

/* What stands below the first function of a stack. */
enum stack_root {
	ROOT_PROCESS, /* the process name */
	ROOT_THREAD, /* the thread name */
	ROOT_PID, /* "name (pid)" */
	ROOT_UNIT,
	ROOT_CONTAINER,
	ROOT_ALL,
	ROOT_MAX,
};

/* "process", "thread" ...; -EINVAL. */
int stack_root_parse(const char *s, enum stack_root *ret);
const char *stack_root_name(enum stack_root root);

/*
 * The label of every thread, each distinct text once, sorted: threads with the same text share an
 * id. Cells without a thread (and ROOT_ALL) have the text "all".
 */
struct root_labels {
	char **texts;
	size_t n;
	uint32_t *of_thread;
};

int root_labels_init(struct root_labels *l, const struct profile *p, enum stack_root root);
void root_labels_done(struct root_labels *l);
static inline uint32_t root_label_of(const struct root_labels *l, const struct profile *p,
				     uint32_t thread)
{
	return l->of_thread[thread < p->n_threads ? thread : p->n_threads];
}

/* How far the samples of one event can be trusted, over the whole window. */
struct trust {
	uint64_t lost; /* ring full, fault, gaps, disk */
	uint64_t not_delivered; /* expected, but never seen */
};

void trust_of_event(const struct profile *p, uint32_t event, struct trust *ret);

/* True when one count of the event is a nanosecond (cpu-clock, task-clock). */
bool event_counts_time(const struct profile_event *e);

/* Writes the buffer out when it is large, or when `all`. 0, or the errno of buffer or stream. */
int buffer_flush_to(struct buffer *b, FILE *out, bool all);

static inline void stack_donep(struct stack *s)
{
	stack_done(s);
}

static inline void root_labels_donep(struct root_labels *l)
{
	root_labels_done(l);
}

static inline void frame_kinds_donep(struct frame_kinds *k)
{
	frame_kinds_done(k);
}
