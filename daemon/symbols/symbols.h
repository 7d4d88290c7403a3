/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Names for program counters.
 *
 * A function index is a sorted, mappable table {start, size, name} of one object in the object's
 * own offsets (file offsets for ELF files). A worker thread builds it at the object's first
 * mapping, from .symtab, .dynsym, separate debug files and .gnu_debugdata, and caches it on disk by
 * build-id; a look-up is a binary search.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbols/object.h"

struct symbols_options {
	const char *cache_directory; /* NULL: no cache on disk */
	uint64_t cache_bytes; /* of the directory; the least recently used go first. 0: 256 MiB */
	const char *debug_directory; /* NULL: /usr/lib/debug */
	const char *procfs; /* NULL: /proc */
	bool rows; /* unwind tables as well */
};

struct symbols;

int symbols_new(const struct symbols_options *options, struct symbols **ret);
/* Joins the workers; one that hangs on a remote file is left alone, with what it uses. */
struct symbols *symbols_free(struct symbols *s);
DEFINE_CLEANUP(struct symbols *, symbols_free);

/*
 * Asks for the index of `o` (INDEX_NONE -> INDEX_PENDING), and for its rows (likewise). `pid` is a process that maps it: the
 * file is opened here and now through /proc/PID/root, /proc/PID/exe, or map_files (start, end); see
 * object_open.h. An ELF file whose build-id differs from the object's is refused.
 *
 * When the process shows no such file - it is gone, say - the cache may still know the build-id;
 * else the object is INDEX_NONE again, for another process to be asked. It stays so as well when
 * SYMBOLS_PENDING_MAX requests are under way. Asking again costs next to nothing: the same process
 * is not asked twice in a row.
 *
 * A file on NFS, FUSE or the like is opened by a worker of its own, a moment later.
 */
#define SYMBOLS_PENDING_MAX 128
void symbols_request(struct symbols *s, struct object *o, pid_t pid, uint64_t start, uint64_t end);
/* Asks for the rows alone; the same process may be asked for the rest later. */
void symbols_request_rows(struct symbols *s, struct object *o, pid_t pid, uint64_t start,
			  uint64_t end);

/* A sample waits for the rows of `o`: they are built next. */
void symbols_hurry(struct symbols *s, const struct object *o);

/* Rows are no longer wanted. */
void symbols_leave_rows_out(struct symbols *s);

/* Readable when the worker has finished something. */
int symbols_fd(const struct symbols *s);
/* Takes finished indexes over (PENDING -> READY or FAILED), and rows, which stay PENDING with
 * o->rows set until they are where the unwinder finds them (row_store_put()); calls `done`, which may be NULL, for
 * each such object. */
void symbols_poll(struct symbols *s, void (*done)(struct object *o, void *userdata),
		  void *userdata);
/* Waits until nothing is pending or `timeout_ms` has passed; then as symbols_poll(). */
void symbols_wait(struct symbols *s, int timeout_ms, void (*done)(struct object *o, void *userdata),
		  void *userdata);
size_t symbols_pending(const struct symbols *s);

struct function {
	uint32_t number; /* within the index: 0 .. function_index_size() - 1 */
	uint64_t start, size; /* in the object's offsets */
	const char *name; /* as in the symbol table; demangle() makes it readable */
};

size_t function_index_size(const struct function_index *i);
/* True and *ret when a function covers `offset`. A sizeless symbol does not reach over a gap. */
bool function_index_find(const struct function_index *i, uint64_t offset, struct function *ret);

/* C++ (Itanium), Rust (legacy, v0) and D names; input and output are capped. Writes the name as is
 * when it is not mangled. Always NUL-terminated. */
void demangle(const char *name, char *out, size_t out_size);

/*
 * The kernel's address space: image, modules, BPF programs, each an object with a ready index,
 * found by address.
 */
struct kernel_space;
struct kernel_space_status {
	bool no_addresses; /* kallsyms shows zeros; `reason` says what takes them away */
	char reason[256];
	size_t symbols, modules, bpf_programs;
};
int kernel_space_new(struct object_table *t, const char *procfs, const char *sysfs,
		     struct kernel_space **ret);
struct kernel_space *kernel_space_free(struct kernel_space *k);
DEFINE_CLEANUP(struct kernel_space *, kernel_space_free);
/* The object holding `address`; the object's offset is address - object->base. Borrowed; NULL:
 * nothing known. */
struct object *kernel_space_find(struct kernel_space *k, uint64_t address);
/* From PERF_RECORD_KSYMBOL: a BPF image, a trampoline or the like appeared or went. Modules
 * announce nothing: kernel_space_find() compares /proc/modules now and then. */
void kernel_space_add(struct kernel_space *k, uint64_t address, uint32_t size, const char *name);
void kernel_space_remove(struct kernel_space *k, uint64_t address);
void kernel_space_get_status(const struct kernel_space *k, struct kernel_space_status *ret);

/*
 * JIT code: /proc/PID/root/tmp/perf-NSPID.map, opened without following links, owner checked, size
 * capped. Gives a name for an address in anonymous memory of `pid`; the map is re-read when it
 * grew. False: no name.
 */
struct perf_maps;
struct perf_maps *perf_maps_new(const char *procfs);
struct perf_maps *perf_maps_free(struct perf_maps *m);
DEFINE_CLEANUP(struct perf_maps *, perf_maps_free);
bool perf_maps_find(struct perf_maps *m, pid_t pid, uint64_t address, struct function *ret);
/* Another number whenever what is known of pid's map grew; 0: it has none. */
uint64_t perf_maps_version(struct perf_maps *m, pid_t pid);
void perf_maps_forget(struct perf_maps *m, pid_t pid); /* at exit and exec */
