/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Code objects: the things program counters lie in. One struct object per binary (by build-id, else
 * by device, inode and mtime), per kernel module, per BPF image; shared by every process that maps
 * it, reference counted.
 *
 * An object's function index is built by the symbol worker thread (see symbols.h); everything else
 * here belongs to the main thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/record.h" /* enum object_kind */

#define BUILD_ID_MAX 20

struct function_index;
struct unwind_table;

enum index_state {
	INDEX_NONE, /* not asked for */
	INDEX_PENDING, /* with the worker */
	INDEX_READY,
	INDEX_FAILED, /* no symbols, unreadable, not an ELF file ...; index_error says */
};

struct object {
	unsigned int refs;
	enum object_kind kind;
	char *path; /* as the process sees it */
	uint8_t build_id[BUILD_ID_MAX];
	uint8_t build_id_size; /* 0: unknown */
	dev_t device;
	ino_t inode;
	uint64_t base; /* kernel objects: run-time start */
	enum index_state index_state;
	int index_error;
	struct function_index *index; /* INDEX_READY */
	pid_t asked_pid; /* the last process asked for the file */
	/* Rows for the unwinder; with symbols_options.rows. */
	enum index_state rows_state; /* INDEX_READY: they are where the unwinder finds them */
	int rows_error;
	struct unwind_table *rows; /* built, on their way to the unwinder */
	uint64_t rows_ns; /* when their state became final */
	uint32_t slot; /* owned by unwind/row_store.h; 0: none */
	bool rows_ahead; /* owned by unwind/rows_ahead.h: it is in the list */
	/* Owned by unwind/unwinder.h: what its rows led to since they were last reported. */
	uint64_t calls_checked, calls_right, stops;
	/* Owned by the recorder: this object's id in epoch `epoch`, and offsets waiting for the
	 * index. */
	uint64_t epoch;
	uint32_t id;
	uint64_t *pending_offsets; /* heap */
	uint64_t function_start, function_end; /* of the function written or asked for last */
	size_t n_pending, pending_capacity;
};

struct object *object_ref(struct object *o);
struct object *object_unref(struct object *o);
DEFINE_CLEANUP(struct object *, object_unref);

struct object_table;
struct object_table *object_table_new(void);
struct object_table *object_table_free(struct object_table *t);
DEFINE_CLEANUP(struct object_table *, object_table_free);

struct object_key {
	enum object_kind kind;
	const char *path;
	const uint8_t *build_id; /* may be NULL */
	size_t build_id_size;
	dev_t device;
	ino_t inode;
	uint64_t base;
};

/* The object for `key`, new or known, with a reference for the caller; NULL when out of memory. */
struct object *object_table_get(struct object_table *t, const struct object_key *key);
/* Drops objects nobody else holds. */
void object_table_prune(struct object_table *t);
size_t object_table_size(const struct object_table *t);
