/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Readers of the kernel's lists: /proc/kallsyms ("ADDRESS TYPE NAME[\t[MODULE]]" a line, code
 * symbols only) and /proc/modules ("NAME SIZE REFS USERS STATE ADDRESS" a line).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kallsyms_symbol {
	uint64_t address;
	bool global; /* T or W */
	bool weak;
	const char *name, *module; /* NUL-terminated; module "" for the image itself */
	size_t name_size;
};

/*
 * Calls `symbol` for each code symbol with an address, in the order of the file; a negative return
 * ends the reading and is returned. Lines that make no sense are passed over. *ret_zero counts code
 * symbols without an address.
 */
int kallsyms_read(int fd, int (*symbol)(const struct kallsyms_symbol *s, void *userdata),
		  void *userdata, size_t *ret_zero);

#define MODULE_NAME_MAX 64 /* MODULE_NAME_LEN of the kernel is 56 on 64 bits */

struct kernel_module {
	char name[MODULE_NAME_MAX];
	uint64_t base, size;
};

/* Sorted by base; modules without an address are left out. Heap array. */
int kernel_modules_read(int fd, struct kernel_module **ret, size_t *ret_n);
