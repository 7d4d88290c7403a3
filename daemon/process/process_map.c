// SPDX-License-Identifier: Apache-2.0
/*
 * From what the kernel says about a mapping to the object it maps.
 */
#include <errno.h>
#include <string.h>

#include "process/process_internal.h"

#define PURGE_MIN 1024

/* Paths that look like files but are memory: what runs there was written by the program itself. */
static bool is_memory(const char *path)
{
	static const char *const prefixes[] = { "/memfd:", "/dev/zero", "/SYSV", "/anon_hugepage",
						"//anon" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return path[0] != '/';
}

static enum object_kind classify(const struct map_source *source)
{
	if (source->build_id.size)
		return OBJECT_FILE;
	/* Below 4 GiB it is the one of 32-bit programs, of which the profiler has no copy. */
	if (strcmp(source->path, "[vdso]") == 0)
		return source->start >> 32 ? OBJECT_VDSO : OBJECT_ANON;
	return is_memory(source->path) ? OBJECT_ANON : OBJECT_FILE;
}

static struct object *anonymous_object(struct object_table *objects, const struct process *p,
				       const char *path)
{
	struct object_key key = {
		.kind = OBJECT_ANON,
		.path = *path ? path : "//anon",
		.inode = p->program, /* its own */
	};

	return object_table_get(objects, &key);
}

struct object *process_anonymous_object(struct object_table *objects, const struct process *p)
{
	return anonymous_object(objects, p, "");
}

static struct object *file_object(struct process_table *t, const struct entry *e,
				  const struct map_source *source, enum object_kind kind)
{
	struct build_id id = source->build_id;
	struct object_key key = { .kind = kind, .path = source->path };

	if (!id.size && kind == OBJECT_FILE) {
		struct mapped_file file = {
			.pid = (pid_t)e->p.pid,
			.start = source->start,
			.end = source->end,
			.device = source->device,
			.inode = source->inode,
			.path = source->path,
		};

		if (mapped_files_build_id(&t->files, &file, &id) < 0)
			id.size = 0;
	}
	if (id.size) {
		key.build_id = id.bytes;
		key.build_id_size = id.size;
	} else {
		key.device = source->device;
		key.inode = source->inode;
	}
	return object_table_get(t->objects, &key);
}

static void announce(struct process_table *t, const struct entry *e, const struct mapping *m)
{
	enum object_kind kind = m->object->kind;

	if (t->options.mapped && (kind == OBJECT_FILE || kind == OBJECT_VDSO))
		t->options.mapped(m->object, e->p.pid, m->start, m->end, t->options.userdata);
}

/* The kernel maps the binary before its interpreter and its libraries. */
static void name_binary(struct entry *e, const struct map_source *source)
{
	if (!e->exe_pending || source->path[0] != '/' || source->path[1] == '/')
		return;
	e->exe_pending = false;
	entry_set_exe(e, source->path);
}

/*
 * Nothing tells of munmap: a program that maps code at ever new places is looked at again whenever
 * its list has doubled.
 */
static void purge(struct process_table *t, struct entry *e)
{
	uint32_t limit = MAX(e->purge_at, (uint32_t)PURGE_MIN);

	if (!e->p.mappings || e->p.mappings->n < limit)
		return;
	entry_read_mappings(t, e);
	e->purge_at = (uint32_t)(e->p.mappings ? e->p.mappings->n * 2 : 0);
}

/* Whether anything but the same code lies where `add` will. */
static bool replaces(const struct mappings *list, const struct mapping *add)
{
	for (size_t i = mappings_lower_bound(list, add->start); list && i < list->n; i++) {
		const struct mapping *m = &list->list[i];

		if (m->start >= add->end)
			break;
		if (m->object != add->object || m->start - m->pgoff != add->start - add->pgoff)
			return true;
	}
	return false;
}

int map_add(struct process_table *t, struct entry *e, struct mappings **list,
	    const struct map_source *source)
{
	_cleanup_(object_unrefp) struct object *o = NULL;
	struct mapping m = { .start = source->start, .end = source->end, .pgoff = source->pgoff };
	enum object_kind kind = classify(source);
	bool replaced;
	int r;

	if (kind == OBJECT_ANON)
		m.pgoff = m.start;
	o = kind == OBJECT_ANON ? anonymous_object(t->objects, &e->p, source->path)
				: file_object(t, e, source, kind);
	if (!o)
		return -ENOMEM;
	m.object = o;
	replaced = replaces(*list, &m);
	r = mappings_overlay(list, &m);
	if (r == -ENOSPC)
		t->stats.refused++;
	if (r < 0)
		return r;
	name_binary(e, source);
	announce(t, e, &m);
	if (r > 0)
		(*list)->version = ++t->next_version;
	if (r > 0 && kind == OBJECT_ANON && !(m.start >> 63)) /* [vsyscall] is the kernel's */
		(*list)->own_code = true;
	if (list == &e->p.mappings && r > 0) {
		e->p.written_mappings = NULL;
		entry_tell_change(t, e, replaced);
		purge(t, e);
	}
	return r;
}
