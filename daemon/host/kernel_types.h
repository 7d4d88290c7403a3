/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where structures of the kernel have some of their fields, from its BTF in one pass over the
 * bytes. libbpf copies all five megabytes twice and indexes every type, 7 ms where this takes 1.
 */
#include <stddef.h>
#include <stdint.h>

#define KERNEL_FIELDS_MAX 5

struct kernel_field {
	const char *name;
	int bit_offset; /* -1: there is no such field of its own (those of unnamed members are not)
			 */
};

/* The caller gives the names; the rest is the answer. */
struct kernel_struct {
	const char *name; /* of a struct or union */
	int32_t size; /* bytes; -1: the kernel has no such type */
	struct kernel_field fields[KERNEL_FIELDS_MAX]; /* those behind the last are NULL */
};

/* The first type of each name counts. 0, or -EINVAL when the bytes are no BTF of this byte order.
 */
int kernel_types_parse(const void *data, size_t size, struct kernel_struct *wanted, size_t n);

/* The running kernel's: /sys/kernel/btf/vmlinux, or a vmlinux where libbpf knows one; or a negative
 * errno. */
int kernel_types_read(struct kernel_struct *wanted, size_t n);
