// SPDX-License-Identifier: Apache-2.0
/*
 * Names: what objects are called, and the function of every frame. The functions of an object are
 * those of all segments together, sorted by their start. One without a name is called
 * "[module+0xstart]"; a frame that lies in none of them becomes a function of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profile/profile_load.h"

/* Functions that begin before the nearest one and still reach over it are looked for this far. */
#define OVERLAPS 4

/* --- objects -----------------------------------------------------------------------------------*/

static void put_file_name(struct buffer *b, const char *path)
{
	static const char deleted[] = " (deleted)";
	const char *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : path;
	size_t n = strlen(name), suffix = sizeof(deleted) - 1;

	if (n > suffix && strcmp(name + n - suffix, deleted) == 0)
		n -= suffix;
	if (n == 0)
		buffer_printf(b, "[unknown]");
	else
		buffer_put(b, name, n);
}

static void put_object_name(struct buffer *b, const struct profile_object *o)
{
	switch (o->kind) {
	case OBJECT_KERNEL:
		buffer_printf(b, "[kernel]");
		break;
	case OBJECT_MODULE:
		buffer_printf(b, o->path[0] == '[' ? "%s" : "[%s]", o->path);
		break;
	case OBJECT_BPF:
		buffer_printf(b, "[bpf]");
		break;
	case OBJECT_VDSO:
		buffer_printf(b, "[vdso]");
		break;
	case OBJECT_ANON:
		if (o->path[0] == 0 || strcmp(o->path, "//anon") == 0)
			buffer_printf(b, "[anon]");
		else
			put_file_name(b, o->path);
		break;
	case OBJECT_UNKNOWN:
	case OBJECT_KIND_MAX:
		buffer_printf(b, "[unknown]");
		break;
	case OBJECT_FILE:
		put_file_name(b, o->path);
		break;
	}
	buffer_put_byte(b, 0);
}

/* Names are offsets into memory->names until everything is in there. */
static const char *name_at(size_t offset)
{
	return (const char *)(uintptr_t)offset;
}

static const char *name_final(const struct profile *p, const char *name)
{
	return (const char *)p->memory->names.data + (uintptr_t)name;
}

static int resolve_objects(struct profile *p)
{
	const struct dictionary *d = &p->memory->load.objects;
	struct buffer *names = &p->memory->names;

	p->objects = calloc(d->n + 1, sizeof(*p->objects));
	if (!p->objects)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct object_key_data *key = dictionary_get(d, (uint32_t)i);
		struct profile_object *o = &p->objects[i];

		o->kind = key->kind;
		o->path = (const char *)(key + 1);
		o->base = key->base;
		o->build_id_size = key->build_id_size;
		memcpy(o->build_id, key->build_id, sizeof(o->build_id));
		o->name = name_at(names->size);
		put_object_name(names, o);
	}
	p->n_objects = d->n;
	return names->error;
}

/* --- functions ---------------------------------------------------------------------------------*/

static int compare_functions(const void *a, const void *b)
{
	const struct profile_function *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int resolve_functions(struct profile *p)
{
	const struct dictionary *d = &p->memory->load.functions;

	/* Every frame may add one of its own. */
	p->functions = malloc((d->n + p->memory->load.frames.n + 1) * sizeof(*p->functions));
	if (!p->functions)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct function_key *key = dictionary_get(d, (uint32_t)i);

		p->functions[i] = (struct profile_function){
			.object = key->object,
			.start = key->start,
			.size = key->size,
			.name = (const char *)(key + 1),
		};
		p->functions[i].known = p->functions[i].name[0] != 0;
	}
	p->n_functions = d->n;
	qsort(p->functions, p->n_functions, sizeof(*p->functions), compare_functions);
	return 0;
}

struct range {
	uint32_t first, end; /* functions of an object */
};

static struct range *ranges_new(const struct profile *p)
{
	struct range *ranges = calloc(p->n_objects + 1, sizeof(*ranges));

	for (uint32_t i = 0; ranges && i < p->n_functions; i++) {
		struct range *r = &ranges[p->functions[i].object];

		if (r->end == 0)
			r->first = i;
		r->end = i + 1;
	}
	return ranges;
}

static bool covers(const struct profile_function *f, uint64_t offset)
{
	return offset - f->start < f->size || offset == f->start;
}

static uint32_t find_function(const struct profile *p, const struct range *r, uint64_t offset)
{
	uint32_t low = r->first, high = r->end;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (p->functions[middle].start <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t i = 0; i < OVERLAPS && low > r->first; i++)
		if (covers(&p->functions[--low], offset))
			return low;
	return PROFILE_NONE;
}

/* "[module+0xoffset]" takes the place of the name. */
static void name_by_place(struct profile *p, struct profile_function *f)
{
	struct buffer *names = &p->memory->names;
	const char *module = (const char *)names->data + (uintptr_t)p->objects[f->object].name;
	char bare[256];
	size_t n = strlen(module);

	/* "[kernel]" is "[kernel+0x10]", not "[[kernel]+0x10]"; and names->data may move. */
	if (n >= 2 && module[0] == '[' && module[n - 1] == ']')
		module++, n -= 2;
	n = MIN(n, sizeof(bare) - 1);
	memcpy(bare, module, n);
	bare[n] = 0;
	f->name = name_at(names->size);
	buffer_printf(names, "[%s+0x%" PRIx64 "]", bare, f->start);
	buffer_put_byte(names, 0);
}

static uint32_t add_unknown(struct profile *p, const struct profile_frame *f)
{
	p->functions[p->n_functions] = (struct profile_function){
		.object = f->object,
		.start = f->offset,
	};
	name_by_place(p, &p->functions[p->n_functions]);
	return (uint32_t)p->n_functions++;
}

/* The two look-ups differ only for the first instruction of a function. */
static void resolve_frame(struct profile *p, const struct range *ranges, struct profile_frame *f)
{
	const struct range *r = &ranges[f->object];
	uint32_t unknown = PROFILE_NONE, at = find_function(p, r, f->offset);

	f->function[0] = f->function[1] = at;
	if (f->offset && (at == PROFILE_NONE || p->functions[at].start == f->offset))
		f->function[1] = find_function(p, r, f->offset - 1);
	for (size_t i = 0; i < 2; i++) {
		if (f->function[i] != PROFILE_NONE)
			continue;
		if (unknown == PROFILE_NONE)
			unknown = add_unknown(p, f);
		f->function[i] = unknown;
	}
}

int profile_resolve(struct profile *p)
{
	const struct dictionary *d = &p->memory->load.frames;
	_cleanup_free_ struct range *ranges = NULL;
	int r;

	r = resolve_objects(p);
	if (r >= 0)
		r = resolve_functions(p);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->n_functions; i++)
		if (!p->functions[i].known)
			name_by_place(p, &p->functions[i]);
	ranges = ranges_new(p);
	p->frames = malloc((d->n + 1) * sizeof(*p->frames));
	if (!ranges || !p->frames)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct frame_key *key = dictionary_get(d, (uint32_t)i);

		p->frames[i] = (struct profile_frame){ key->object, key->offset, { 0, 0 } };
		resolve_frame(p, ranges, &p->frames[i]);
	}
	p->n_frames = d->n;
	if (p->memory->names.error)
		return p->memory->names.error;
	for (size_t i = 0; i < p->n_objects; i++)
		p->objects[i].name = name_final(p, p->objects[i].name);
	for (size_t i = 0; i < p->n_functions; i++)
		if (!p->functions[i].known)
			p->functions[i].name = name_final(p, p->functions[i].name);
	return 0;
}
