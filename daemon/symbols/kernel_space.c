// SPDX-License-Identifier: Apache-2.0
/*
 * Two sorted tables of address ranges, each with its object: the *images* (BPF programs,
 * trampolines, pages of kprobes), whose extent is their own, and the *regions* (the kernel's text,
 * modules). Images are asked first, because since Linux 6.4 a module's size in /proc/modules is the
 * sum of its scattered parts and its range may run over foreign ones.
 *
 * An index, once given to an object, never changes: others count on the numbers of its functions. A
 * module that comes again is a new object, unless it has the same build-id at the same address.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "symbols/build_id.h"
#include "symbols/function_index.h"
#include "symbols/kallsyms.h"
#include "symbols/kernel_visibility.h"
#include "symbols/symbols.h"
#include "util/cleanup.h"
#include "util/parse.h"

/* kallsyms tells no sizes: how far a symbol may reach when none follows. */
#define KERNEL_FUNCTION_BYTES_MAX (128U << 10)
#define BPF_IMAGE_BYTES_MAX (64U << 10)
#define BUILTIN_IMAGE_BYTES_MAX 4096U /* one page of kprobe slots or of a trampoline */
#define IMAGES_MAX 16384

/* Modules come and go unannounced: /proc/modules is compared when an address is unknown, and once
 * in a while. */
#define CHECK_AFTER_MISS_NS NSEC_PER_SEC
#define CHECK_ALWAYS_NS (10 * NSEC_PER_SEC)

#define KERNEL_HALF 0x8000000000000000ULL

struct range {
	uint64_t start, end;
	struct object *object; /* referenced */
};

struct ranges {
	struct range *list;
	size_t n, capacity;
};

struct kernel_space {
	struct object_table *objects;
	char *procfs, *sysfs;
	struct ranges regions, images;
	struct object
		*image; /* the kernel image's object, referenced; NULL before the first reading */
	uint64_t text_end, init_start, init_end; /* of the image; 0: not told */
	struct kernel_module *modules;
	size_t n_modules;
	uint64_t checked_ns;
	struct kernel_space_status status;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* The first range that ends after `address`; ranges->n when there is none. */
static size_t ranges_after(const struct ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->list[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct object *ranges_find(const struct ranges *ranges, uint64_t address)
{
	size_t i = ranges_after(ranges, address);

	return i < ranges->n && ranges->list[i].start <= address ? ranges->list[i].object : NULL;
}

static void ranges_remove(struct ranges *ranges, size_t i)
{
	object_unref(ranges->list[i].object);
	memmove(&ranges->list[i], &ranges->list[i + 1], (--ranges->n - i) * sizeof(*ranges->list));
}

static void ranges_clear(struct ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		object_unref(ranges->list[i].object);
	free(ranges->list);
	*ranges = (struct ranges){ 0 };
}

static int ranges_reserve(struct ranges *ranges)
{
	size_t capacity = ranges->capacity ? ranges->capacity * 2 : 64;
	struct range *list;

	if (ranges->n < ranges->capacity)
		return 0;
	list = reallocarray(ranges->list, capacity, sizeof(*list));
	if (!list)
		return -ENOMEM;
	ranges->list = list;
	ranges->capacity = capacity;
	return 0;
}

/* Takes a reference. The newer range is the true one: older ones make room. */
static int ranges_insert(struct ranges *ranges, uint64_t start, uint64_t end, struct object *o)
{
	size_t i = ranges_after(ranges, start);
	int r;

	if (start >= end)
		return 0;
	r = ranges_reserve(ranges);
	if (r < 0)
		return r;
	if (i < ranges->n && ranges->list[i].start < start)
		ranges->list[i++].end = start;
	while (i < ranges->n && ranges->list[i].start < end)
		ranges_remove(ranges, i);
	memmove(&ranges->list[i + 1], &ranges->list[i], (ranges->n - i) * sizeof(*ranges->list));
	ranges->list[i] = (struct range){ .start = start, .end = end, .object = object_ref(o) };
	ranges->n++;
	return 0;
}

/* What one reading of kallsyms gathers. */
struct gathering {
	struct kernel_space *k;
	struct function_index_builder *image; /* NULL: the image has its index already */
	uint64_t text, stext, lowest, highest;
	struct gathered_module {
		const struct kernel_module *module;
		uint64_t end; /* the next module may begin within its nominal size */
		struct object *object; /* referenced */
		struct function_index_builder *builder; /* NULL: has its index already */
	} * modules;
	size_t n_modules;
	size_t last; /* symbols of a module come together */
	struct ranges images; /* in the order of the file until they are settled */
};

static void gathering_done(struct gathering *g)
{
	function_index_builder_free(g->image);
	for (size_t i = 0; i < g->n_modules; i++) {
		object_unref(g->modules[i].object);
		function_index_builder_free(g->modules[i].builder);
	}
	free(g->modules);
	ranges_clear(&g->images);
}

static int give_index(struct object *o, struct function_index_builder *b)
{
	const struct build_id id = { 0 };
	int r = function_index_builder_finish(b, SOURCE_SYMTAB, id.bytes, 0, &o->index);

	o->index_state = r < 0 ? INDEX_FAILED : INDEX_READY;
	o->index_error = r;
	return r == -ENOMEM ? r : 0;
}

static enum function_rank rank_of(const struct kallsyms_symbol *s)
{
	return s->weak ? RANK_WEAK : s->global ? RANK_GLOBAL : RANK_LOCAL;
}

static int gather_image_symbol(struct gathering *g, const struct kallsyms_symbol *s)
{
	struct kernel_space *k = g->k;
	const struct {
		const char *name;
		uint64_t *address;
	} marks[] = { { "_text", &g->text },
		      { "_stext", &g->stext },
		      { "_etext", &k->text_end },
		      { "_sinittext", &k->init_start },
		      { "_einittext", &k->init_end } };

	if (s->name[0] == '_')
		for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
			if (strcmp(s->name, marks[i].name) == 0)
				*marks[i].address = s->address;
	g->lowest = MIN(g->lowest, s->address);
	g->highest = MAX(g->highest, s->address);
	if (!g->image)
		return 0;
	return function_index_builder_add(g->image, s->address, 0, UINT64_MAX, s->name,
					  s->name_size, rank_of(s));
}

static struct object *image_object(struct object_table *t, const char *name, uint64_t address)
{
	const struct object_key key = {
		.kind = strncmp(name, "bpf_", 4) == 0 ? OBJECT_BPF : OBJECT_MODULE,
		.path = name,
		.base = address,
	};

	return object_table_get(t, &key);
}

static int gather_image(struct gathering *g, const struct kallsyms_symbol *s, uint64_t reach)
{
	struct object *o;

	if (g->images.n >= IMAGES_MAX)
		return 0;
	if (ranges_reserve(&g->images) < 0)
		return -ENOMEM;
	o = image_object(g->k->objects, s->name, s->address);
	if (!o)
		return -ENOMEM;
	g->images.list[g->images.n++] = (struct range){
		.start = s->address,
		.end = s->address + MIN(reach, ~s->address),
		.object = o,
	};
	return 0;
}

static int gather_symbol(const struct kallsyms_symbol *s, void *userdata)
{
	struct gathering *g = userdata;
	struct gathered_module *m;
	size_t n = g->n_modules;

	if (!s->module[0])
		return gather_image_symbol(g, s);
	if (strcmp(s->module, "bpf") == 0)
		return gather_image(g, s, BPF_IMAGE_BYTES_MAX);
	if (strncmp(s->module, "__builtin__", 11) == 0)
		return gather_image(g, s, BUILTIN_IMAGE_BYTES_MAX);
	for (size_t tried = 0; tried < n; tried++) {
		m = &g->modules[(g->last + tried) % n];
		if (strcmp(m->module->name, s->module) != 0)
			continue;
		g->last = (size_t)(m - g->modules);
		if (!m->builder || s->address < m->module->base)
			return 0;
		return function_index_builder_add(m->builder, s->address, 0, m->end, s->name,
						  s->name_size, rank_of(s));
	}
	return 0; /* it came after /proc/modules was read: the next comparison finds it */
}

static int prepare_modules(struct gathering *g, const struct kernel_module *modules, size_t n)
{
	g->modules = calloc(n + 1, sizeof(*g->modules));
	if (!g->modules)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct gathered_module *m = &g->modules[g->n_modules++];
		char path[4096];
		struct build_id id = { 0 };

		m->module = &modules[i];
		m->end = modules[i].base + modules[i].size;
		if (i + 1 < n)
			m->end = MIN(m->end, modules[i + 1].base);
		if (snprintf(path, sizeof(path), "%s/module/%s/notes/.note.gnu.build-id",
			     g->k->sysfs, modules[i].name) < (int)sizeof(path))
			build_id_from_notes_file(path, &id);
		m->object = object_table_get(g->k->objects,
					     &(struct object_key){ .kind = OBJECT_MODULE,
								   .path = modules[i].name,
								   .build_id = id.bytes,
								   .build_id_size = id.size,
								   .base = modules[i].base });
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

static struct object *kernel_object(struct kernel_space *k, uint64_t base)
{
	struct build_id id = { 0 };
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/kernel/notes", k->sysfs) < (int)sizeof(path))
		build_id_from_notes_file(path, &id);
	return object_table_get(k->objects, &(struct object_key){ .kind = OBJECT_KERNEL,
								  .path = "[kernel]",
								  .build_id = id.bytes,
								  .build_id_size = id.size,
								  .base = base });
}

/* Without addresses every kernel address still belongs to the kernel, only to no function. */
static int settle_hidden(struct kernel_space *k)
{
	if (!k->image)
		k->image = kernel_object(k, 0);
	if (!k->image)
		return -ENOMEM;
	if (k->image->index_state == INDEX_NONE) {
		k->image->index_state = INDEX_FAILED;
		k->image->index_error = -EPERM;
	}
	return ranges_insert(&k->regions, KERNEL_HALF, UINT64_MAX, k->image);
}

static int settle_kernel(struct kernel_space *k, struct gathering *g)
{
	uint64_t base = g->text ? g->text : g->stext ? g->stext : g->lowest;
	uint64_t end;
	int r;

	if (!k->image)
		k->image = kernel_object(k, base);
	if (!k->image)
		return -ENOMEM;
	if (k->image->index_state == INDEX_NONE) {
		function_index_builder_rebase(g->image, base);
		r = give_index(k->image, g->image);
		if (r < 0)
			return r;
	}
	end = g->highest + MIN((uint64_t)KERNEL_FUNCTION_BYTES_MAX, ~g->highest);
	if (k->text_end > base)
		end = k->text_end;
	r = ranges_insert(&k->regions, base, end, k->image);
	if (r == 0 && k->init_start >= end && k->init_end > k->init_start)
		r = ranges_insert(&k->regions, k->init_start, k->init_end, k->image);
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
			r = ranges_insert(&k->regions, m->module->base, m->end, m->object);
		if (r < 0)
			return r;
	}
	return 0;
}

/* An image is one function from its first byte to its last. */
static int add_image(struct kernel_space *k, struct object *o, uint64_t size)
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
	return ranges_insert(&k->images, o->base, o->base + MIN(size, ~o->base), o);
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* Those already known keep the size their announcement told. */
static int settle_images(struct kernel_space *k, struct gathering *g)
{
	if (g->images.n)
		qsort(g->images.list, g->images.n, sizeof(*g->images.list), compare_ranges);
	for (size_t i = 0; i < g->images.n; i++) {
		struct range *image = &g->images.list[i];
		int r;

		if (i + 1 < g->images.n)
			image->end = MIN(image->end, image[1].start);
		if (ranges_find(&k->images, image->start) == image->object)
			continue;
		r = add_image(k, image->object, image->end - image->start);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_procfs(const struct kernel_space *k, const char *name)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", k->procfs, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* A kernel without modules has no such file. */
static int read_modules(const struct kernel_space *k, struct kernel_module **ret, size_t *ret_n)
{
	_cleanup_close_ int fd = open_procfs(k, "modules");

	if (fd >= 0)
		return kernel_modules_read(fd, ret, ret_n);
	*ret = NULL;
	*ret_n = 0;
	return fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE ? fd : 0;
}

static int gather(struct kernel_space *k, struct gathering *g, size_t *ret_zero)
{
	_cleanup_close_ int fd = open_procfs(k, "kallsyms");

	if (fd < 0)
		return fd;
	if (!k->image) {
		g->image = function_index_builder_new(KERNEL_FUNCTION_BYTES_MAX);
		if (!g->image)
			return -ENOMEM;
	}
	return kallsyms_read(fd, gather_symbol, g, ret_zero);
}

static void count(struct kernel_space *k)
{
	const struct object *previous = NULL;

	k->status.symbols = 0;
	for (size_t i = 0; i < k->regions.n; i++) {
		const struct object *o = k->regions.list[i].object;

		if (o != previous && o->index)
			k->status.symbols += function_index_size(o->index);
		previous = o;
	}
	k->status.modules = k->n_modules;
	k->status.bpf_programs = 0;
	for (size_t i = 0; i < k->images.n; i++)
		k->status.bpf_programs += k->images.list[i].object->kind == OBJECT_BPF;
}

static int settle(struct kernel_space *k, struct gathering *g, int error, size_t zero)
{
	int r;

	ranges_clear(&k->regions);
	k->status.no_addresses = error < 0 || g->highest == 0;
	if (k->status.no_addresses) {
		kernel_visibility_explain(k->procfs, error, zero, k->status.reason,
					  sizeof(k->status.reason));
		return settle_hidden(k);
	}
	k->status.reason[0] = '\0';
	r = settle_modules(k, g);
	if (r == 0)
		r = settle_kernel(k, g);
	return r < 0 ? r : settle_images(k, g);
}

/* Reads everything; on failure what was known before may be lost in part, never wrong. */
static int reread(struct kernel_space *k)
{
	struct gathering g = { .k = k, .lowest = UINT64_MAX };
	struct kernel_module *modules;
	size_t n_modules, zero = 0;
	int r = read_modules(k, &modules, &n_modules);

	if (r < 0)
		return r;
	k->checked_ns = now_ns();
	r = prepare_modules(&g, modules, n_modules);
	if (r == 0) {
		int error = gather(k, &g, &zero);

		r = error == -ENOMEM ? error : settle(k, &g, error, zero);
	}
	gathering_done(&g);
	free(k->modules);
	k->modules = modules;
	k->n_modules = n_modules;
	count(k);
	return r;
}

int kernel_space_new(struct object_table *t, const char *procfs, const char *sysfs,
		     struct kernel_space **ret)
{
	_cleanup_(kernel_space_freep) struct kernel_space *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->objects = t;
	k->procfs = strdup(procfs ? procfs : "/proc");
	k->sysfs = strdup(sysfs ? sysfs : "/sys");
	if (!k->procfs || !k->sysfs)
		return -ENOMEM;
	r = reread(k);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

struct kernel_space *kernel_space_free(struct kernel_space *k)
{
	if (!k)
		return NULL;
	ranges_clear(&k->regions);
	ranges_clear(&k->images);
	object_unref(k->image);
	free(k->modules);
	free(k->procfs);
	free(k->sysfs);
	free(k);
	return NULL;
}

/* Re-reads when the list of modules is another one. True when it did. */
static bool check_modules(struct kernel_space *k, uint64_t interval_ns)
{
	_cleanup_free_ struct kernel_module *modules = NULL;
	uint64_t now = now_ns();
	size_t n;

	if (now - k->checked_ns < interval_ns)
		return false;
	k->checked_ns = now;
	if (read_modules(k, &modules, &n) < 0)
		return false;
	if (n == k->n_modules && memcmp(modules, k->modules, n * sizeof(*modules)) == 0)
		return false;
	return reread(k) == 0;
}

struct object *kernel_space_find(struct kernel_space *k, uint64_t address)
{
	struct object *o = ranges_find(&k->images, address);

	check_modules(k, CHECK_ALWAYS_NS);
	if (!o)
		o = ranges_find(&k->regions, address);
	if (!o && address >= KERNEL_HALF && check_modules(k, CHECK_AFTER_MISS_NS))
		o = ranges_find(&k->regions, address);
	return o;
}

void kernel_space_add(struct kernel_space *k, uint64_t address, uint32_t size, const char *name)
{
	struct object *o;

	if (address == 0 || k->images.n >= IMAGES_MAX)
		return;
	o = image_object(k->objects, name, address);
	if (!o)
		return;
	add_image(k, o, size ? size : BUILTIN_IMAGE_BYTES_MAX);
	object_unref(o);
	count(k);
}

void kernel_space_remove(struct kernel_space *k, uint64_t address)
{
	size_t i = ranges_after(&k->images, address);

	if (i < k->images.n && k->images.list[i].start == address)
		ranges_remove(&k->images, i);
	count(k);
}

void kernel_space_get_status(const struct kernel_space *k, struct kernel_space_status *ret)
{
	*ret = k->status;
}
