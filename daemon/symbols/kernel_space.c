// SPDX-License-Identifier: Apache-2.0
/*
 * Two sorted tables of address ranges, each with its object; kernel_reading.c fills them, the
 * announcements of the sideband keep the images up to date. Modules announce nothing: the list of
 * modules is compared when an address is unknown, and once in a while.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/kernel_space_internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/parse.h"

#define CHECK_AFTER_MISS_NS NSEC_PER_SEC
#define CHECK_ALWAYS_NS (10 * NSEC_PER_SEC)
#define FINDS_PER_CLOCK 1024 /* the clock costs as much as a look-up */

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
	k->checked_ns = now_ns();
	r = kernel_space_read(k);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

struct kernel_space *kernel_space_free(struct kernel_space *k)
{
	if (!k)
		return NULL;
	address_ranges_clear(&k->regions);
	address_ranges_clear(&k->images);
	object_unref(k->image);
	free(k->modules);
	free(k->procfs);
	free(k->sysfs);
	free(k);
	return NULL;
}

/* Reads anew when the list of modules is another one. True when it did. */
static bool check_modules(struct kernel_space *k, uint64_t interval_ns)
{
	_cleanup_free_ struct kernel_module *modules = NULL;
	uint64_t now = now_ns();
	size_t n;

	if (now - k->checked_ns < interval_ns)
		return false;
	k->checked_ns = now;
	if (kernel_space_read_modules(k, &modules, &n) < 0)
		return false;
	if (n == k->n_modules && (n == 0 || memcmp(modules, k->modules, n * sizeof(*modules)) == 0))
		return false;
	return kernel_space_read(k) == 0;
}

struct object *kernel_space_find(struct kernel_space *k, uint64_t address)
{
	struct object *o;

	if (++k->finds >= FINDS_PER_CLOCK) {
		k->finds = 0;
		check_modules(k, CHECK_ALWAYS_NS);
	}
	o = address_ranges_find(&k->images, address);
	if (!o)
		o = address_ranges_find(&k->regions, address);
	if (!o && address >= KERNEL_HALF && check_modules(k, CHECK_AFTER_MISS_NS))
		o = address_ranges_find(&k->regions, address);
	return o;
}

void kernel_space_add(struct kernel_space *k, uint64_t address, uint32_t size, const char *name)
{
	struct object *o;

	if (address == 0 || size == 0 || k->images.n >= IMAGES_MAX)
		return;
	o = kernel_space_image_object(k, name, address);
	if (!o)
		return;
	kernel_space_add_image(k, o, size); /* without memory it stays without a name */
	object_unref(o);
}

void kernel_space_remove(struct kernel_space *k, uint64_t address)
{
	size_t i = address_ranges_after(&k->images, address);

	if (i < k->images.n && k->images.list[i].start == address)
		address_ranges_remove(&k->images, i);
}

void kernel_space_get_status(const struct kernel_space *k, struct kernel_space_status *ret)
{
	const struct object *previous = NULL;

	*ret = (struct kernel_space_status){ .no_addresses = k->no_addresses,
					     .modules = k->n_modules };
	strcpy(ret->reason, k->reason);
	/* The image has two ranges, one after the other. */
	for (size_t i = 0; i < k->regions.n; i++) {
		const struct object *o = k->regions.list[i].object;

		if (o != previous && o->index)
			ret->symbols += function_index_size(o->index);
		previous = o;
	}
	for (size_t i = 0; i < k->images.n; i++)
		ret->bpf_programs += k->images.list[i].object->kind == OBJECT_BPF;
}
