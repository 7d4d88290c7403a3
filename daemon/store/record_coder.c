// SPDX-License-Identifier: Apache-2.0
/*
 * Memory is bounded by what an epoch may define: 8 bytes a frame, some 8 bytes a learned callee, 4
 * KiB for each of RECORD_STACKS stacks, 24 bytes for each pair of CPU and event.
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

	if (!callees)
		return false;
	c->callees = callees;
	c->n_callees = n;
	return true;
}

struct record_coder *record_coder_new(void)
{
	_cleanup_(record_coder_freep) struct record_coder *c = calloc(1, sizeof(*c));

	if (!c || !grow_callees(c, 1024))
		return NULL;
	c->hints = calloc(RECORD_HINTS, 1);
	if (!c->hints)
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
		free(c->pool);
		free(c->offsets);
		free(c->hints);
		free(c);
	}
	return NULL;
}

bool record_coder_add_frame(struct record_coder *c, uint32_t id)
{
	size_t at = (size_t)id + CALLERS;

	if (at >= c->n_callees && !grow_callees(c, c->n_callees * 2))
		return false;
	c->callees[at] = (struct coder_callees){ 0 };
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

uint32_t record_coder_find(const struct record_coder *c, uint32_t caller, uint32_t frame)
{
	const struct coder_callees *k = &c->callees[caller];
	uint8_t *hint = record_coder_hint(c, caller, frame);
	uint32_t n = record_coder_places(k), place;

	if (*hint < n && c->pool[k->at + *hint] == frame)
		return *hint;
	place = n ? scan_ids(c->pool + k->at, n, frame) : n;
	if (place == n)
		return RECORD_NONE;
	*hint = (uint8_t)place;
	return place;
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
	uint32_t n = k->n, room = n ? 2 * n : 1;

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
	c->pool[k->at + n % RECORD_MAX_CALLEES] = frame;
	k->n++;
	return true;
}
