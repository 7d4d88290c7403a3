/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Users' own BPF objects beside ours. Each one that is loaded is a directory of the BPF file system,
 * /sys/fs/bpf/ebpf-profiler/NUMBER, whose number is its handle:
 *
 *   prog-NAME                        each program
 *   map-NAME                         each map, for tools that want to read it
 *   about                            a map with one text: the file, and each program's section
 *   link-NAME                        the program's attachment; removing it detaches
 *   tc-INTERFACE-in|out-HANDLE-PRIORITY-NAME
 *                                    the same of a traffic control filter, on kernels without its
 *                                    link (6.6); clsact.h keeps what those filters hang on
 *
 * So the state is the kernel's, not a file's beside it: it lives as long as what it describes, and
 * needs no process. Everything fails with a sentence.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAM_STORE "/sys/fs/bpf/ebpf-profiler"
#define PROGRAM_STORE_MAX 1000 /* objects */

struct program_attach {
	const char *target; /* interface; kernel function; category/name; NULL: as its section says */
	const char *mode; /* of XDP: "native", "generic"; of TC: "link", "filter"; NULL: the first that works */
	bool egress; /* of traffic control */
};

/* *ret is the handle. *ret_error is a heap sentence, with the verifier's last words. */
int program_store_load(const char *store, const char *file, unsigned int *ret, char **ret_error);
/* The object that was loaded from this file; of several the first. */
int program_store_find(const char *store, const char *file, unsigned int *ret, char **ret_error);
/* `program` NULL: all of the object, or the only one. *ret_done says what was attached where. */
int program_store_attach(const char *store, unsigned int handle, const char *program,
			 const struct program_attach *where, char **ret_done, char **ret_error);
int program_store_detach(const char *store, unsigned int handle, const char *program,
			 char **ret_error);
/* Detaches what is attached. */
int program_store_unload(const char *store, unsigned int handle, char **ret_error);
