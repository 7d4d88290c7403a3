// SPDX-License-Identifier: Apache-2.0
/*
 * Fills the kernel space: gathers the symbols of kallsyms by the object they lie in, then settles
 * each object's index and address range.
 *
 * kallsyms tells no sizes: a symbol reaches to the next one of its object. Since Linux 6.4 the size
 * in /proc/modules is the sum of a module's scattered parts, so that a range made of it may run
 * over foreign ones: the next module cuts it, and images are asked first.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/build_id.h"
#include "symbols/function_index.h"
#include "symbols/kernel_space_internal.h"
#include "symbols/kernel_visibility.h"
#include "util/cleanup.h"

/* How far a symbol may reach when none follows. */
#define KERNEL_FUNCTION_BYTES_MAX (128U << 10)
#define BPF_IMAGE_BYTES_MAX (64U << 10)
#define BUILTIN_IMAGE_BYTES_MAX 4096U /* a page of kprobe slots, a trampoline */

struct gathered_module {
	const struct kernel_module *module;
	uint64_t end;
	struct object *object; /* referenced */
	struct function_index_builder *builder; /* NULL: has its index already */
};

struct gathering {
	struct kernel_space *k;
	struct function_index_builder *image; /* NULL: has its index already */
	uint64_t text, stext, etext, sinittext, einittext; /* the linker's marks; 0: not there */
	uint64_t lowest, highest; /* of the image's symbols */
	struct gathered_module *modules;
	size_t n_modules;
	size_t last; /* symbols of a module come together */
	struct address_ranges images; /* in the order of the file */
	size_t n_zero;
};

static void gathering_done(struct gathering *g)
{
	function_index_builder_free(g->image);
	for (size_t i = 0; i < g->n_modules; i++) {
		object_unref(g->modules[i].object);
		function_index_builder_free(g->modules[i].builder);
	}
	free(g->modules);
	address_ranges_clear(&g->images);
}

static int open_procfs(const struct kernel_space *k, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", k->procfs, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* A kernel without modules has no such file. */
int kernel_space_read_modules(const struct kernel_space *k, struct kernel_module **ret,
			      size_t *ret_n)
{
	_cleanup_close_ int fd = open_procfs(k, "modules");

	if (fd >= 0)
		return kernel_modules_read(fd, ret, ret_n);
	if (fd != -ENOENT && fd != -EACCES)
		return fd;
	*ret = NULL;
	*ret_n = 0;
	return 0;
}

/* --- gathering */

static enum function_rank rank_of(const struct kallsyms_symbol *s)
{
	return s->weak ? RANK_WEAK : s->global ? RANK_GLOBAL : RANK_LOCAL;
}

static void note_mark(struct gathering *g, const struct kallsyms_symbol *s)
{
	const struct {
		const char *name;
		uint64_t *address;
	} marks[] = { { "_text", &g->text },
		      { "_stext", &g->stext },
		      { "_etext", &g->etext },
		      { "_sinittext", &g->sinittext },
		      { "_einittext", &g->einittext } };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strcmp(s->name, marks[i].name) == 0)
			*marks[i].address = s->address;
}

static int gather_image_symbol(struct gathering *g, const struct kallsyms_symbol *s)
{
	if (s->name[0] == '_')
		note_mark(g, s);
	g->lowest = MIN(g->lowest, s->address);
	g->highest = MAX(g->highest, s->address);
	if (!g->image)
		return 0;
	return function_index_builder_add(g->image, s->address, 0, UINT64_MAX, s->name,
					  s->name_size, rank_of(s));
}

struct object *kernel_space_image_object(struct kernel_space *k, const char *name, uint64_t address)
{
	const struct object_key key = {
		.kind = strncmp(name, "bpf_", 4) == 0 ? OBJECT_BPF : OBJECT_MODULE,
		.path = name,
		.base = address,
	};

	return object_table_get(k->objects, &key);
}

static int gather_image(struct gathering *g, const struct kallsyms_symbol *s, uint64_t reach)
{
	struct object *o;
	int r;

	if (g->images.n >= IMAGES_MAX)
		return 0;
	o = kernel_space_image_object(g->k, s->name, s->address);
	if (!o)
		return -ENOMEM;
	r = address_ranges_append(&g->images, s->address, s->address + MIN(reach, ~s->address), o);
	object_unref(o);
	return r;
}

static int gather_module_symbol(struct gathering *g, const struct kallsyms_symbol *s)
{
	for (size_t tried = 0; tried < g->n_modules; tried++) {
		size_t i = (g->last + tried) % g->n_modules;
		const struct gathered_module *m = &g->modules[i];

		if (strcmp(m->module->name, s->module) != 0)
			continue;
		g->last = i;
		if (!m->builder || s->address < m->module->base)
			return 0;
		return function_index_builder_add(m->builder, s->address, 0, m->end, s->name,
						  s->name_size, rank_of(s));
	}
	return 0; /* it came after /proc/modules was read: the next comparison finds it */
}

static int gather_symbol(const struct kallsyms_symbol *s, void *userdata)
{
	struct gathering *g = userdata;

	if (!s->module[0])
		return gather_image_symbol(g, s);
	if (strcmp(s->module, "bpf") == 0)
		return gather_image(g, s, BPF_IMAGE_BYTES_MAX);
	if (strncmp(s->module, "__builtin__", 11) == 0)
		return gather_image(g, s, BUILTIN_IMAGE_BYTES_MAX);
	return gather_module_symbol(g, s);
}

static struct object *module_object(struct kernel_space *k, const struct kernel_module *m)
{
	struct build_id id = { 0 };
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/module/%s/notes/.note.gnu.build-id", k->sysfs,
		     m->name) < (int)sizeof(path))
		build_id_from_notes_file(path, &id); /* without one, name and base are the key */
	return object_table_get(k->objects, &(struct object_key){ .kind = OBJECT_MODULE,
								  .path = m->name,
								  .build_id = id.bytes,
								  .build_id_size = id.size,
								  .base = m->base });
}

static int prepare_modules(struct gathering *g, const struct kernel_module *modules, size_t n)
{
	g->modules = calloc(n + 1, sizeof(*g->modules));
	if (!g->modules)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct gathered_module *m = &g->modules[g->n_modules++];

		m->module = &modules[i];
		m->end = modules[i].base + modules[i].size;
		if (i + 1 < n)
			m->end = MIN(m->end, modules[i + 1].base);
		m->object = module_object(g->k, m->module);
		if (!m->object)
			return -ENOMEM;
		if (m->object->index_state != INDEX_NONE)
			continue;
		m->builder = function_index_builder_new(KERNEL_FUNCTION_BYTES_MAX);
		if (!m->builder)
			return -ENOMEM;
	}
	return 0;
}

static bool has_index(const struct object *o)
{
	return o && o->index_state == INDEX_READY;
}

static int gather(struct gathering *g)
{
	_cleanup_close_ int fd = open_procfs(g->k, "kallsyms");

	if (fd < 0)
		return fd;
	if (!has_index(g->k->image)) {
		g->image = function_index_builder_new(KERNEL_FUNCTION_BYTES_MAX);
		if (!g->image)
			return -ENOMEM;
	}
	return kallsyms_read(fd, gather_symbol, g, &g->n_zero);
}

/* --- settling */

static int give_index(struct object *o, struct function_index_builder *b)
{
	int r = function_index_builder_finish(b, SOURCE_SYMTAB, NULL, 0, &o->index);

	o->index_state = r < 0 ? INDEX_FAILED : INDEX_READY;
	o->index_error = r;
	return r == -ENOMEM ? r : 0;
}

static struct object *kernel_object(struct kernel_space *k, uint64_t base)
{
	struct build_id id = { 0 };
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/kernel/notes", k->sysfs) < (int)sizeof(path))
		build_id_from_notes_file(path, &id);
	return object_table_get(k->objects, &(struct object_key){ .kind = OBJECT_KERNEL,
								  .path = "[kernel]",
								  .build_id = id.bytes,
								  .build_id_size = id.size,
								  .base = base });
}

static int set_image(struct kernel_space *k, uint64_t base)
{
	object_unref(k->image);
	k->image = kernel_object(k, base);
	return k->image ? 0 : -ENOMEM;
}

/* Without addresses every kernel address still belongs to the kernel, only to no function. */
static int settle_hidden(struct kernel_space *k)
{
	if (!k->image && set_image(k, 0) < 0)
		return -ENOMEM;
	if (k->image->index_state == INDEX_NONE) {
		k->image->index_state = INDEX_FAILED;
		k->image->index_error = -EPERM;
	}
	return address_ranges_insert(&k->regions, KERNEL_HALF, UINT64_MAX, k->image);
}

static int settle_image(struct kernel_space *k, struct gathering *g)
{
	uint64_t base = g->text ? g->text : g->stext ? g->stext : g->lowest;
	uint64_t end = g->highest + MIN((uint64_t)KERNEL_FUNCTION_BYTES_MAX, ~g->highest);
	int r;

	if (!has_index(k->image) && set_image(k, base) < 0)
		return -ENOMEM;
	if (k->image->index_state == INDEX_NONE) {
		function_index_builder_rebase(g->image, base);
		r = give_index(k->image, g->image);
		if (r < 0)
			return r;
	}
	if (g->etext > base)
		end = g->etext;
	r = address_ranges_insert(&k->regions, base, end, k->image);
	if (r == 0 && g->sinittext >= end)
		r = address_ranges_insert(&k->regions, g->sinittext, g->einittext, k->image);
	return r;
}

static int settle_modules(struct kernel_space *k, struct gathering *g)
{
	for (size_t i = 0; i < g->n_modules; i++) {
		struct gathered_module *m = &g->modules[i];
		int r = 0;

		if (m->builder) {
			function_index_builder_rebase(m->builder, m->module->base);
			r = give_index(m->object, m->builder);
		}
		if (r == 0)
			r = address_ranges_insert(&k->regions, m->module->base, m->end, m->object);
		if (r < 0)
			return r;
	}
	return 0;
}

int kernel_space_add_image(struct kernel_space *k, struct object *o, uint64_t size)
{
	_cleanup_(function_index_builder_freep) struct function_index_builder *b = NULL;
	int r;

	if (o->index_state == INDEX_NONE) {
		b = function_index_builder_new(BPF_IMAGE_BYTES_MAX);
		if (!b)
			return -ENOMEM;
		r = function_index_builder_add(b, 0, size, size, o->path, strlen(o->path),
					       RANK_GLOBAL);
		if (r == 0)
			r = give_index(o, b);
		if (r < 0)
			return r;
	}
	return address_ranges_insert(&k->images, o->base, o->base + MIN(size, ~o->base), o);
}

/* Those already known keep the size their announcement told. */
static int settle_images(struct kernel_space *k, struct gathering *g)
{
	address_ranges_sort(&g->images);
	for (size_t i = 0; i < g->images.n; i++) {
		struct address_range *image = &g->images.list[i];
		int r;

		if (i + 1 < g->images.n)
			image->end = MIN(image->end, image[1].start);
		if (image->end == image->start ||
		    address_ranges_find(&k->images, image->start) == image->object)
			continue;
		r = kernel_space_add_image(k, image->object, image->end - image->start);
		if (r < 0)
			return r;
	}
	return 0;
}

static int settle(struct kernel_space *k, struct gathering *g, int error)
{
	int r;

	if (error < 0 || g->highest == 0) {
		if (has_index(k->image))
			return 0; /* what was once seen stays true */
		k->no_addresses = true;
		kernel_visibility_explain(k->procfs, error, g->n_zero, k->reason,
					  sizeof(k->reason));
		return settle_hidden(k);
	}
	k->no_addresses = false;
	k->reason[0] = '\0';
	address_ranges_clear(&k->regions);
	r = settle_modules(k, g);
	if (r == 0)
		r = settle_image(k, g);
	return r < 0 ? r : settle_images(k, g);
}

int kernel_space_read(struct kernel_space *k)
{
	struct gathering g = { .k = k, .lowest = UINT64_MAX };
	struct kernel_module *modules;
	size_t n_modules;
	int r = kernel_space_read_modules(k, &modules, &n_modules);

	if (r < 0)
		return r;
	r = prepare_modules(&g, modules, n_modules);
	if (r == 0) {
		int error = gather(&g);

		r = error == -ENOMEM ? error : settle(k, &g, error);
	}
	gathering_done(&g);
	free(k->modules);
	k->modules = modules;
	k->n_modules = n_modules;
	malloc_trim(0); /* the building took three times what the indexes need */
	return r;
}
