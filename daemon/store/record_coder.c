// SPDX-License-Identifier: Apache-2.0
/*
 * Memory is bounded by what an epoch may define: 8 bytes a frame (24 for a writer), some 8 bytes a
 * learned callee, 4 KiB for each of RECORD_STACKS stacks, 24 bytes for each pair of CPU and event.
 */
#include "store/record_coder.h"

static void forget_cpus(struct record_coder *c)
{
	for (size_t i = 0; i < c->n_cpus; i++) {
		if (c->cpus[i])
			free(c->cpus[i]->clocks);
		free(c->cpus[i]);
	}
	free(c->cpus);
	c->cpus = NULL;
	c->n_cpus = 0;
	c->cpu = 0;
}

void record_coder_reset(struct record_coder *c)
{
	forget_cpus(c);
	for (size_t i = 0; i < RECORD_STACKS; i++)
		if (c->stacks[i])
			c->stacks[i]->user_frames = c->stacks[i]->kernel_frames = 0;
	memset(c->defined, 0, sizeof(c->defined));
	memset(c->callees, 0, CALLERS * sizeof(*c->callees));
	memset(c->status, 0, sizeof(c->status));
	c->pool_used = 0;
}

static bool grow_callees(struct record_coder *c, size_t n)
{
	struct coder_callees *callees = reallocarray(c->callees, n, sizeof(*callees));
	struct coder_callers *callers;

	if (!callees)
		return false;
	c->callees = callees;
	if (c->callers) {
		callers = reallocarray(c->callers, n, sizeof(*callers));
		if (!callers)
			return false;
		c->callers = callers;
	}
	c->n_callees = n;
	return true;
}

bool record_coder_begin_writing(struct record_coder *c)
{
	c->hints = calloc(RECORD_HINTS, 1);
	c->callers = reallocarray(NULL, c->n_callees, sizeof(*c->callers));
	if (!c->hints || !c->callers) {
		free(c->hints);
		free(c->callers);
		c->hints = NULL;
		c->callers = NULL;
		return false;
	}
	memset(c->callers, 0xff, c->n_callees * sizeof(*c->callers));
	return true;
}

struct record_coder *record_coder_new(void)
{
	_cleanup_(record_coder_freep) struct record_coder *c = calloc(1, sizeof(*c));

	if (!c || !grow_callees(c, 1024))
		return NULL;
	record_coder_reset(c);
	return TAKE_PTR(c);
}

struct record_coder *record_coder_free(struct record_coder *c)
{
	if (c) {
		forget_cpus(c);
		for (size_t i = 0; i < RECORD_STACKS; i++)
			free(c->stacks[i]);
		free(c->callees);
		free(c->callers);
		free(c->pool);
		free(c->offsets);
		free(c->hints);
		free(c);
	}
	return NULL;
}

static const struct coder_callers no_callers = {
	{ RECORD_NONE, RECORD_NONE, RECORD_NONE, RECORD_NONE },
};

bool record_coder_add_frame(struct record_coder *c, uint32_t id)
{
	size_t at = (size_t)id + CALLERS;

	if (at >= c->n_callees && !grow_callees(c, c->n_callees * 2))
		return false;
	c->callees[at] = (struct coder_callees){ 0 };
	if (c->callers)
		c->callers[id] = no_callers;
	return true;
}

bool record_coder_add_object(struct record_coder *c, uint32_t id)
{
	if (id >= c->n_offsets) {
		size_t n = MAX(c->n_offsets * 2, (size_t)64);
		uint64_t *offsets = reallocarray(c->offsets, n, sizeof(*offsets));

		if (!offsets)
			return false;
		c->offsets = offsets;
		c->n_offsets = n;
	}
	c->offsets[id] = 0;
	return true;
}

struct coder_cpu *record_coder_add_cpu(struct record_coder *c, uint32_t number)
{
	struct coder_cpu *cpu;

	if (number >= c->n_cpus) {
		size_t n = MAX((size_t)number + 1, c->n_cpus * 2);
		struct coder_cpu **cpus = reallocarray(c->cpus, n, sizeof(struct coder_cpu *));

		if (!cpus)
			return NULL;
		memset(cpus + c->n_cpus, 0, (n - c->n_cpus) * sizeof(struct coder_cpu *));
		c->cpus = cpus;
		c->n_cpus = n;
	}
	cpu = calloc(1, sizeof(*cpu));
	if (!cpu)
		return NULL;
	cpu->next = number;
	return c->cpus[number] = cpu;
}

struct coder_clock *record_coder_add_clock(struct coder_cpu *cpu, uint32_t event)
{
	size_t n = (size_t)event + 1;
	struct coder_clock *clocks = reallocarray(cpu->clocks, n, sizeof(*clocks));

	if (!clocks)
		return NULL;
	memset(clocks + cpu->n_clocks, 0, (n - cpu->n_clocks) * sizeof(*clocks));
	cpu->clocks = clocks;
	cpu->n_clocks = n;
	return &clocks[event];
}

struct coder_stack *record_coder_add_stack(struct record_coder *c, uint32_t thread)
{
	struct coder_stack *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	s->user_frames = s->kernel_frames = 0;
	return c->stacks[thread % RECORD_STACKS] = s;
}

/* --- callees ------------------------------------------------------------- */

#define SCAN_WIDTH 8

typedef uint32_t four_ids __attribute__((vector_size(16), aligned(4)));
typedef uint64_t two_words __attribute__((vector_size(16)));

/* The index of `frame` among n ids, n when it is not there. Reads up to SCAN_WIDTH behind them. */
static uint32_t scan_ids(const uint32_t *ids, uint32_t n, uint32_t frame)
{
	for (uint32_t i = 0; i < n; i += SCAN_WIDTH) {
		const four_ids *v = (const four_ids *)(ids + i);
		two_words hit = (two_words)(v[0] == frame) | (two_words)(v[1] == frame);

		if (!(hit[0] | hit[1]))
			continue;
		while (ids[i] != frame)
			i++;
		return MIN(i, n);
	}
	return n;
}

#define NO_LONGER (RECORD_NONE - 1) /* no caller either, but there was one */

static void remember(struct coder_callers *callers, uint32_t caller, uint32_t place)
{
	if (caller == CALLER_NEW)
		return;
	memmove(callers->last + 1, callers->last, sizeof(callers->last) - sizeof(*callers->last));
	callers->last[0] = caller << 8 | place;
}

static void forget(struct coder_callers *callers, uint32_t caller)
{
	for (size_t i = 0; i < RECORD_CALLERS; i++)
		if (callers->last[i] >> 8 == caller)
			callers->last[i] = NO_LONGER;
}

/* Looks at the callees of the caller themselves. */
static uint32_t look_up(struct record_coder *c, uint32_t caller, uint32_t frame)
{
	const struct coder_callees *k = &c->callees[caller];
	uint8_t *hint = record_coder_hint(c, caller, frame);
	uint32_t n = record_coder_places(k), place = *hint;

	if (place >= n || c->pool[k->at + place] != frame)
		place = n ? scan_ids(c->pool + k->at, n, frame) : n;
	if (place == n)
		return RECORD_NONE;
	*hint = (uint8_t)place;
	remember(&c->callers[frame], caller, place);
	return place;
}

uint32_t record_coder_search(struct record_coder *c, uint32_t frame, uint32_t *context)
{
	struct coder_callers *callers = &c->callers[frame];
	uint32_t found;

	for (size_t i = 1; i < RECORD_CALLERS; i++) {
		found = callers->last[i];
		if (found >> 8 != *context)
			continue;
		memmove(callers->last + 1, callers->last, i * sizeof(found));
		callers->last[0] = found;
		return found & 255;
	}
	*context = record_coder_context(c, *context);
	if (callers->last[*context == CALLER_NEW ? 0 : RECORD_CALLERS - 1] == RECORD_NONE)
		return RECORD_NONE;
	return look_up(c, *context, frame);
}

/* The pool always ends in room for a scan. */
static bool grow_pool(struct record_coder *c, size_t room)
{
	size_t n = MAX(c->pool_size * 2, (size_t)4096);
	uint32_t *pool;

	if (c->pool_used + room <= c->pool_size)
		return true;
	pool = reallocarray(c->pool, n + SCAN_WIDTH, sizeof(*pool));
	if (!pool)
		return false;
	memset(pool + c->pool_size, 0, (n + SCAN_WIDTH - c->pool_size) * sizeof(*pool));
	c->pool = pool;
	c->pool_size = n;
	return true;
}

bool record_coder_learn(struct record_coder *c, uint32_t caller, uint32_t frame)
{
	struct coder_callees *k = &c->callees[caller];
	uint32_t n = k->n, room = n ? 2 * n : 1, place;

	if (n < RECORD_MAX_CALLEES && (n & (n - 1)) == 0) {
		if (c->pool_used + room > RECORD_MAX_POOL)
			return true;
		if (!grow_pool(c, room))
			return false;
		if (n)
			memcpy(c->pool + c->pool_used, c->pool + k->at, n * sizeof(*c->pool));
		k->at = (uint32_t)c->pool_used;
		c->pool_used += room;
	}
	place = k->at + n % RECORD_MAX_CALLEES;
	if (c->callers) {
		if (n >= RECORD_MAX_CALLEES)
			forget(&c->callers[c->pool[place]], caller);
		remember(&c->callers[frame], caller, n % RECORD_MAX_CALLEES);
	}
	c->pool[place] = frame;
	k->n++;
	return true;
}
