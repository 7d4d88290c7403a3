// SPDX-License-Identifier: Apache-2.0
/*
 * Samples: the hot path of writing and reading. A sample is coded as what changed since the
 * previous one on the same CPU; a stack as the number of frames that went (counted from the leaf)
 * and those that came, root first; a frame as 0 when it is what its caller called last, else as its
 * id + 1.
 */
#include <errno.h>

#include "store/record_coder.h"

enum sample_flags {
	SAMPLE_CPU = 1 << 0,
	SAMPLE_THREAD = 1 << 1,
	SAMPLE_EVENT = 1 << 2,
	SAMPLE_PERIOD = 1 << 3,
	SAMPLE_STATUS = 1 << 4,
	SAMPLE_STACK = 1 << 5,
	SAMPLE_MORE = 1 << 6, /* an extension follows: varint length and bytes */
	SAMPLE_MARK = 1 << 7,
};

/* --- state --------------------------------------------------------------- */

static struct coder_cpu *cpu_free(struct coder_cpu *cpu)
{
	if (cpu) {
		free(cpu->stack);
		free(cpu->clocks);
		free(cpu);
	}
	return NULL;
}

static void free_cpus(struct record_coder *c)
{
	for (size_t i = 0; i < c->n_cpus; i++)
		cpu_free(c->cpus[i]);
	free(c->cpus);
	c->cpus = NULL;
	c->n_cpus = 0;
}

void record_coder_reset(struct record_coder *c)
{
	free_cpus(c);
	memset(c->defined, 0, sizeof(c->defined));
	c->user_root = c->kernel_root = RECORD_NONE;
	c->cpu = RECORD_NONE;
}

struct record_coder *record_coder_new(void)
{
	struct record_coder *c = calloc(1, sizeof(*c));

	if (c)
		record_coder_reset(c);
	return c;
}

struct record_coder *record_coder_free(struct record_coder *c)
{
	if (c) {
		free_cpus(c);
		free(c->callee);
		free(c);
	}
	return NULL;
}

bool record_coder_add_frame(struct record_coder *c, uint32_t id)
{
	if (id >= c->n_callee) {
		size_t n = MAX(c->n_callee * 2, (size_t)1024);
		uint32_t *callee = reallocarray(c->callee, n, sizeof(*callee));

		if (!callee)
			return false;
		c->callee = callee;
		c->n_callee = n;
	}
	c->callee[id] = RECORD_NONE;
	return true;
}

static struct coder_cpu *add_cpu(struct record_coder *c, uint32_t number)
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
	cpu->stack = calloc(RECORD_MAX_STACK, sizeof(*cpu->stack));
	if (!cpu->stack)
		return cpu_free(cpu);
	cpu->thread = RECORD_NONE;
	return c->cpus[number] = cpu;
}

static inline struct coder_cpu *get_cpu(struct record_coder *c, uint32_t number)
{
	if (number < c->n_cpus && c->cpus[number])
		return c->cpus[number];
	return add_cpu(c, number);
}

static struct coder_clock *add_clock(struct coder_cpu *cpu, uint32_t event)
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

static inline struct coder_clock *get_clock(struct coder_cpu *cpu, uint32_t event)
{
	return event < cpu->n_clocks ? &cpu->clocks[event] : add_clock(cpu, event);
}

/* --- writing ------------------------------------------------------------- */

/* Frames from the root that two halves, given by their ends, have in common. */
static inline size_t common(const uint32_t *a_end, size_t a, const uint32_t *b_end, size_t b)
{
	size_t max = MIN(a, b), n = 0;

	while (n < max && a_end[-1 - (ptrdiff_t)n] == b_end[-1 - (ptrdiff_t)n])
		n++;
	return n;
}

/* The frames [first, last) of one half from its root (the higher address) to its leaf. */
static bool put_half(struct buffer *b, struct record_coder *c, const uint32_t *leaf, size_t n,
		     uint32_t *slot)
{
	for (size_t i = n; i-- > 0; slot = &c->callee[leaf[i]]) {
		uint32_t frame = leaf[i];

		if (frame >= c->defined[DICTIONARY_FRAME])
			return false;
		buffer_put_varint(b, *slot == frame ? 0 : (uint64_t)frame + 1);
		*slot = frame;
	}
	return true;
}

static int put_stack(struct buffer *b, struct record_coder *c, struct coder_cpu *cpu,
		     const struct record_sample *s)
{
	const uint32_t *user = s->frames + s->kernel_frames,
		       *old_end = cpu->stack + RECORD_MAX_STACK;
	size_t total = (size_t)s->user_frames + s->kernel_frames, keep_kernel = 0, keep_user,
	       user_new, kernel_new;

	keep_user = common(user + s->user_frames, s->user_frames, old_end, cpu->user_frames);
	if (keep_user == s->user_frames && keep_user == cpu->user_frames)
		keep_kernel =
			common(user, s->kernel_frames, old_end - keep_user, cpu->kernel_frames);
	user_new = s->user_frames - keep_user;
	kernel_new = s->kernel_frames - keep_kernel;
	buffer_put_varint(b,
			  (size_t)cpu->user_frames + cpu->kernel_frames - keep_user - keep_kernel);
	buffer_put_varint(b, user_new << 1 | (kernel_new > 0));
	if (kernel_new)
		buffer_put_varint(b, kernel_new);
	if (!put_half(b, c, user, user_new,
		      keep_user ? &c->callee[user[user_new]] : &c->user_root) ||
	    !put_half(b, c, s->frames, kernel_new,
		      keep_kernel ? &c->callee[s->frames[kernel_new]] : &c->kernel_root))
		return -EINVAL;
	cpu->user_frames = s->user_frames;
	cpu->kernel_frames = s->kernel_frames;
	memcpy(cpu->stack + RECORD_MAX_STACK - total, s->frames, total * sizeof(*s->frames));
	return 0;
}

static bool same_stack(const struct coder_cpu *cpu, const struct record_sample *s)
{
	size_t total = (size_t)s->user_frames + s->kernel_frames;

	return cpu->user_frames == s->user_frames && cpu->kernel_frames == s->kernel_frames &&
	       memcmp(cpu->stack + RECORD_MAX_STACK - total, s->frames,
		      total * sizeof(*s->frames)) == 0;
}

static int put_sample(struct buffer *b, struct record_coder *c, const struct record_sample *s)
{
	uint8_t status = (uint8_t)((s->kernel_status & 15) | s->user_status << 4),
		flags = SAMPLE_MARK;
	struct coder_clock *clock;
	struct coder_cpu *cpu;
	int64_t step;

	if (s->cpu >= RECORD_MAX_CPUS || s->event >= c->defined[DICTIONARY_EVENT] ||
	    s->thread >= c->defined[DICTIONARY_THREAD] ||
	    (size_t)s->user_frames + s->kernel_frames > RECORD_MAX_STACK)
		return -EINVAL;
	cpu = get_cpu(c, s->cpu);
	clock = cpu ? get_clock(cpu, s->event) : NULL;
	if (!clock)
		return -ENOMEM;

	flags |= s->cpu != c->cpu ? SAMPLE_CPU : 0;
	flags |= s->thread != cpu->thread ? SAMPLE_THREAD : 0;
	flags |= s->event != cpu->event ? SAMPLE_EVENT : 0;
	flags |= s->period != clock->period ? SAMPLE_PERIOD : 0;
	flags |= status != cpu->status ? SAMPLE_STATUS : 0;
	flags |= same_stack(cpu, s) ? 0 : SAMPLE_STACK;
	buffer_put_byte(b, flags);
	if (flags & SAMPLE_CPU)
		buffer_put_varint(b, s->cpu);
	if (flags & SAMPLE_THREAD)
		buffer_put_varint(b, s->thread);
	if (flags & SAMPLE_EVENT)
		buffer_put_varint(b, s->event);
	if (flags & SAMPLE_PERIOD)
		buffer_put_varint(b, s->period);
	if (flags & SAMPLE_STATUS)
		buffer_put_byte(b, status);
	step = (int64_t)(s->time_ns / 1000 - clock->time_us);
	buffer_put_varint(b, zigzag_encode((int64_t)((uint64_t)step - (uint64_t)clock->step_us)));

	c->cpu = s->cpu;
	cpu->thread = s->thread;
	cpu->event = s->event;
	cpu->status = status;
	clock->period = s->period;
	clock->time_us = s->time_ns / 1000;
	clock->step_us = step;
	return flags & SAMPLE_STACK ? put_stack(b, c, cpu, s) : 0;
}

void record_put_sample(struct buffer *b, struct record_coder *c, const struct record_sample *s)
{
	int r = put_sample(b, c, s);

	if (r < 0 && !b->error)
		b->error = r;
}

/* --- reading ------------------------------------------------------------- */

static bool get_half(struct cursor *in, struct record_coder *c, uint32_t *root, size_t n,
		     uint32_t *slot)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t code = cursor_get_varint(in);
		uint32_t frame = code ? (uint32_t)(code - 1) : *slot;

		if (code > RECORD_MAX_IDS || frame >= c->defined[DICTIONARY_FRAME] || in->error)
			return false;
		*slot = frame;
		*--root = frame;
		slot = &c->callee[frame];
	}
	return true;
}

static int get_stack(struct cursor *in, struct record_coder *c, struct coder_cpu *cpu)
{
	size_t total = (size_t)cpu->user_frames + cpu->kernel_frames, keep, keep_user, keep_kernel;
	uint64_t gone = cursor_get_varint(in), user_new = cursor_get_varint(in), kernel_new = 0;
	uint32_t *end = cpu->stack + RECORD_MAX_STACK, *leaf;

	if (user_new & 1)
		kernel_new = cursor_get_varint(in);
	user_new >>= 1;
	if (in->error || gone > total || user_new > RECORD_MAX_STACK ||
	    kernel_new > RECORD_MAX_STACK ||
	    total - gone + user_new + kernel_new > RECORD_MAX_STACK)
		return -EBADMSG;
	keep = total - gone;
	keep_user = MIN(keep, (size_t)cpu->user_frames);
	keep_kernel = keep - keep_user;
	if (keep_kernel && user_new)
		return -EBADMSG;
	leaf = end - keep;
	if (!get_half(in, c, leaf, user_new,
		      keep_user ? &c->callee[end[-(ptrdiff_t)keep_user]] : &c->user_root))
		return -EBADMSG;
	if (!get_half(in, c, leaf - user_new, kernel_new,
		      keep_kernel ? &c->callee[*leaf] : &c->kernel_root))
		return -EBADMSG;
	cpu->user_frames = (uint16_t)(keep_user + user_new);
	cpu->kernel_frames = (uint16_t)(keep_kernel + kernel_new);
	return 0;
}

/* The fields that are there only when they changed. */
static int get_changes(struct cursor *in, struct record_coder *c, struct coder_cpu *cpu,
		       uint8_t flags)
{
	uint64_t thread = cpu->thread, event = cpu->event;

	if (flags & SAMPLE_THREAD)
		thread = cursor_get_varint(in);
	if (flags & SAMPLE_EVENT)
		event = cursor_get_varint(in);
	if (thread >= c->defined[DICTIONARY_THREAD] || event >= c->defined[DICTIONARY_EVENT] ||
	    in->error)
		return -EBADMSG;
	cpu->thread = (uint32_t)thread;
	cpu->event = (uint32_t)event;
	return 0;
}

int record_get_sample(struct cursor *in, struct record_coder *c, uint8_t flags,
		      struct record_sample *ret)
{
	uint64_t number = flags & SAMPLE_CPU ? cursor_get_varint(in) : c->cpu;
	struct coder_clock *clock;
	struct coder_cpu *cpu;
	size_t size;
	int r;

	if (number >= RECORD_MAX_CPUS || in->error)
		return -EBADMSG;
	cpu = get_cpu(c, (uint32_t)number);
	if (!cpu)
		return -ENOMEM;
	r = get_changes(in, c, cpu, flags);
	if (r < 0)
		return r;
	clock = get_clock(cpu, cpu->event);
	if (!clock)
		return -ENOMEM;
	c->cpu = (uint32_t)number;
	if (flags & SAMPLE_PERIOD)
		clock->period = cursor_get_varint(in);
	if (flags & SAMPLE_STATUS)
		cpu->status = cursor_get_byte(in);
	clock->step_us = (int64_t)((uint64_t)clock->step_us +
				   (uint64_t)zigzag_decode(cursor_get_varint(in)));
	clock->time_us += (uint64_t)clock->step_us;
	if (flags & SAMPLE_STACK) {
		r = get_stack(in, c, cpu);
		if (r < 0)
			return r;
	}
	if (flags & SAMPLE_MORE)
		cursor_get_bytes(in, &size);
	if (in->error)
		return in->error;
	*ret = (struct record_sample){
		.time_ns = clock->time_us * 1000,
		.cpu = c->cpu,
		.event = cpu->event,
		.thread = cpu->thread,
		.period = clock->period,
		.kernel_status = cpu->status & 15,
		.user_status = cpu->status >> 4,
		.kernel_frames = cpu->kernel_frames,
		.user_frames = cpu->user_frames,
		.frames = cpu->stack + RECORD_MAX_STACK - cpu->kernel_frames - cpu->user_frames,
	};
	return 0;
}
