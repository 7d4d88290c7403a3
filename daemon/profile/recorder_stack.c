// SPDX-License-Identifier: Apache-2.0
/*
 * The hot path: most samples on a CPU share their outer frames with the previous one, so the
 * previous addresses and their frame ids are kept per CPU, and only what differs is looked up: in a
 * small cache by address, then in the table of the epoch's frames.
 */
#include "profile/recorder_state.h"

#include <string.h>

#include "store/record_coder.h"
#include "util/prefetch.h"

#define UNMAPPED (UINT32_MAX - 1) /* no id either: a user address outside every mapping */

static uint32_t frame_id(struct recorder *r, struct object *o, uint64_t offset, uint32_t pid)
{
	uint32_t object = recorder_object_id(r, o);
	uint32_t *id = id_table_slot(&r->frames, offset, object);

	if (!id)
		return NO_ID;
	if (*id == ID_TABLE_NEW) {
		*id = r->n_frames++;
		r->stats.frames_new++;
		recorder_put(r,
			     &(struct record){ .type = RECORD_FRAME,
					       .frame = { .object = object, .offset = offset } });
		recorder_need_functions(r, o, offset, pid);
		/* The functions table shares nothing with this one, but putting may have grown it.
		 */
		return r->n_frames - 1;
	}
	return *id;
}

/* A frame of its own, and its function. */
static uint32_t guest_frame(struct recorder *r)
{
	static const struct function all = { .start = 0, .size = 1, .name = RECORD_GUEST };

	recorder_put_function(r, r->guest, &all);
	return frame_id(r, r->guest, 0, 0);
}

static uint32_t kernel_frame(struct recorder *r, uint64_t address)
{
	struct object *o;

	if (address == SAMPLE_GUEST)
		return guest_frame(r);
	o = kernel_space_find(r->options.kernel, address);
	if (!o)
		o = r->unknown_kernel;
	return frame_id(r, o, address - o->base, 0);
}

/*
 * Outside of every mapping: garbage of a broken stack, or code in memory that was moved, which no
 * record tells of. The process's perf map knows the latter. Of a process whose mappings nobody
 * could read nothing is known to be garbage.
 */
static uint32_t unmapped_frame(struct recorder *r, struct process *p, uint64_t address)
{
	struct function f;
	struct mapping m;

	if (!p->mappings)
		return frame_id(r, r->unknown, address, p->pid);
	if (!r->options.perf_maps || !p->mappings->own_code)
		return UNMAPPED;
	if (!p->jit)
		p->jit = process_anonymous_object(r->options.objects, p);
	if (!p->jit)
		return NO_ID;
	if (!perf_maps_find(r->options.perf_maps, (pid_t)p->pid, address, &f)) {
		recorder_watch(r, p->jit, p->pid);
		return UNMAPPED;
	}
	m = (struct mapping){ f.start, f.start + f.size, f.start, p->jit };
	/* The mapping tells readers whose memory it is: before anything else in it. */
	if (p->jit->epoch != r->epoch)
		recorder_put_mapping(r, p, &m);
	else if (recorder_put_function(r, p->jit, &f))
		recorder_put_mapping(r, p, &m);
	return frame_id(r, p->jit, address, p->pid);
}

static uint32_t user_frame(struct recorder *r, struct process *p, uint64_t address)
{
	const struct mapping *m = p->mappings ? mappings_find(p->mappings, address) : NULL;

	if (!m)
		return unmapped_frame(r, p, address);
	recorder_need_mapping(r, p, m);
	if (m->object->kind == OBJECT_ANON)
		return frame_id(r, m->object, address, p->pid);
	if (m->object->index_state == INDEX_NONE && r->options.symbols)
		symbols_request(r->options.symbols, m->object, (pid_t)p->pid, m->start, m->end);
	return frame_id(r, m->object, address - m->start + m->pgoff, p->pid);
}

static struct cached_frame *cache_place(struct recorder *r, uint32_t space, uint64_t address)
{
	uint64_t h = address * 0x9e3779b97f4a7c15ULL + space * 0xff51afd7ed558ccdULL;

	return &r->cache[(h >> 51) % FRAME_CACHE];
}

static uint32_t lookup_frame(struct recorder *r, struct process *p, uint32_t space,
			     uint64_t address)
{
	struct cached_frame *c = cache_place(r, space, address);
	uint32_t id;

	if (c->id != NO_ID && c->address == address && c->space == space)
		return c->id;
	id = space == KERNEL_SPACE ? kernel_frame(r, address) : user_frame(r, p, address);
	/* A perf map may come to know it. */
	if (id == UNMAPPED && p->mappings->own_code)
		return id;
	*c = (struct cached_frame){ address, space, id };
	return id;
}

/*
 * How many of the outermost frames are those of the previous sample on this CPU. What is a leaf in
 * one and a caller in the other is looked at again: leaves are not cut.
 */
static size_t shared_frames(const struct previous *prev, const uint64_t *address, size_t n_user,
			    size_t n)
{
	size_t limit = MIN(n_user, prev->n_user), i = 0;

	if (n_user == prev->n_user)
		limit = MIN(n, prev->n);
	else if (limit)
		limit--;

	while (i < limit && address[i] == prev->address[i])
		i++;
	return i;
}

/* Root first: user root ... user leaf, kernel entry ... kernel leaf. */
static void root_first(const struct sample_record *s, uint64_t *address)
{
	size_t n = 0;

	for (size_t i = s->user_frames; i > 0; i--)
		address[n++] = s->words[s->kernel_frames + i - 1];
	for (size_t i = s->kernel_frames; i > 0; i--)
		address[n++] = s->words[i - 1];
}

void recorder_forget_frames(struct recorder *r)
{
	for (size_t i = 0; i < FRAME_CACHE; i++)
		r->cache[i].id = NO_ID;
}

/* Of frames that the cache does not know the table's entries are fetched side by side. */
static void expect_frames(struct recorder *r, const struct process *p, uint32_t space,
			  const uint64_t *address, size_t n)
{
	for (size_t i = 0; i < n && p->mappings; i++) {
		const struct cached_frame *c = cache_place(r, space, address[i]);
		const struct mapping *m;

		if (c->id != NO_ID && c->address == address[i] && c->space == space)
			continue;
		m = mappings_find(p->mappings, address[i]);
		if (m && m->object->epoch == r->epoch)
			id_table_expect(&r->frames, address[i] - m->start + m->pgoff,
					m->object->id);
	}
}

/*
 * A walk by frame pointers through code that has none ends in whatever its register and the stack
 * held. Callers outside every mapping with none inside beyond them are such an end: they are cut
 * off. The leaf is always right, and what lies between mapped frames may be code that was moved.
 */
bool recorder_intern_stack(struct recorder *r, struct previous *prev, const struct sample_record *s,
			   struct process *p, uint32_t space)
{
	size_t n = (size_t)s->user_frames + s->kernel_frames;
	uint64_t address[MAX_FRAMES];
	size_t i = 0;

	root_first(s, address);
	if (prev->epoch == r->epoch && prev->space == space)
		i = shared_frames(prev, address, s->user_frames, n);
	prev->cut = MIN(prev->cut, i);
	/* Between two drains others had the CPU's caches. */
	for (size_t k = i; k < n; k++)
		prefetch(cache_place(r, k < s->user_frames ? space : KERNEL_SPACE, address[k]));
	if (i < s->user_frames)
		expect_frames(r, p, space, address + i, s->user_frames - i);
	for (prev->n = i; i < n; i++) {
		uint32_t id =
			lookup_frame(r, p, i < s->user_frames ? space : KERNEL_SPACE, address[i]);

		if (id == UNMAPPED && i == prev->cut && i + 1 < s->user_frames)
			prev->cut++;
		else if (id == UNMAPPED)
			id = frame_id(r, r->unknown, address[i], p->pid);
		if (id == NO_ID)
			return false;
		prev->address[i] = address[i];
		prev->id[i] = id;
		record_coder_expect(r->coder, id);
		prev->n = i + 1;
	}
	prev->n_user = s->user_frames;
	return true;
}
