/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the kernel space is made of, and its one way of being filled (kernel_reading.c).
 */
#include "symbols/address_ranges.h"
#include "symbols/kallsyms.h"
#include "symbols/symbols.h"

#define KERNEL_HALF 0x8000000000000000ULL /* where kernel addresses begin */
#define IMAGES_MAX 16384

struct kernel_space {
	struct object_table *objects;
	char *procfs, *sysfs;
	struct address_ranges regions; /* the kernel's text, modules */
	struct address_ranges images; /* BPF programs, trampolines, pages of kprobes */
	struct object *image; /* of the kernel image, referenced; NULL before the first reading */
	struct kernel_module *modules; /* as the last reading found them */
	size_t n_modules;
	uint64_t checked_ns; /* when /proc/modules was last looked at */
	unsigned int finds; /* since the clock was last looked at */
	bool no_addresses;
	char reason[256]; /* when no_addresses */
};

/*
 * Reads /proc/modules and /proc/kallsyms anew. An index, once given to an object, never changes:
 * others count on the numbers of its functions. A module that comes again is a new object, unless
 * it has the same build-id at the same address. On failure (-ENOMEM, -EMFILE ...) a part of what
 * was known may be lost; what is left is right.
 */
int kernel_space_read(struct kernel_space *k);
int kernel_space_read_modules(const struct kernel_space *k, struct kernel_module **ret,
			      size_t *ret_n);
/* Inserts an image that starts at o->base; without an index yet, it gets one of a single function.
 */
int kernel_space_add_image(struct kernel_space *k, struct object *o, uint64_t size);
/* An image's object, referenced: OBJECT_BPF for names that begin with "bpf_", else OBJECT_MODULE.
 */
struct object *kernel_space_image_object(struct kernel_space *k, const char *name,
					 uint64_t address);
