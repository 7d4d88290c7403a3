/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the kernel's types are described.
 *
 * Order: a file named by the operator, which must hold; /sys/kernel/btf/vmlinux; the files libbpf
 * knows; a directory in BTFHub layout, DIRECTORY/<ID>/<VERSION_ID>/<arch>/<release>.btf with ID and
 * VERSION_ID from os-release. A candidate counts only when libbpf can parse it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "host/kernel.h"

enum host_btf_kind {
	HOST_BTF_NONE,
	HOST_BTF_OPTION, /* the file named by the operator */
	HOST_BTF_KERNEL, /* /sys/kernel/btf/vmlinux */
	HOST_BTF_VMLINUX, /* one of libbpf's places for a vmlinux with BTF in it */
	HOST_BTF_EXTERNAL, /* a directory in BTFHub layout */
};

/* Searched when the operator names no directory; NULL-terminated. */
extern const char *const host_btf_directories[];

struct host_btf {
	enum host_btf_kind kind;
	char *path; /* NULL for HOST_BTF_NONE */
	unsigned int types;
	char *tried; /* one line per candidate that did not hold: "path: why not\n" */
};

/*
 * `root` as in host/text_file.h. `option` is NULL, a BTF file (or an ELF file with BTF), or a
 * directory in BTFHub layout. 0 also when nothing was found; -ENOENT when a named file cannot be
 * used, with `tried` saying why; -ENOMEM.
 */
int host_btf_find(const char *root, const char *option, const struct host_kernel *kernel,
		  struct host_btf *ret);
void host_btf_done(struct host_btf *btf);
const char *host_btf_kind_name(enum host_btf_kind kind);

/* For bpf_object_open_opts.btf_custom_path: NULL where libbpf finds it by itself. */
const char *host_btf_custom_path(const struct host_btf *btf);

/* Has a structure this field, by a file as above, or by what the kernel says of itself (NULL)? */
bool host_btf_describes(const char *path, const char *type, const char *field);

/*
 * The sampler needs a single type, struct bpf_perf_event_data, whose layout is uapi and known to
 * this build, and reads a few fields of the kernel's where they are described. A BTF of these alone
 * lets the one BPF object load where no kernel BTF exists anywhere (Linux 4.18), and faster where
 * there is one: returns a memfd that the caller keeps open while loading, and its path for
 * btf_custom_path; or a negative errno.
 */
#define HOST_BTF_PATH_MAX 32
int host_btf_for_sampler(char ret_path[static HOST_BTF_PATH_MAX]);
/*
 * The same for programs that unwind user stacks: which architecture this is, and whether the kernel
 * has bpf_task_pt_regs(); where it has not (before Linux 5.15), where task_struct has its stack.
 */
int host_btf_for_unwinder(char ret_path[static HOST_BTF_PATH_MAX]);
