/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Samples to records: interns processes, threads, objects and frames per epoch, asks for symbols,
 * and hands finished blocks to the segment writer.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "process/process.h"
#include "store/record.h"
#include "store/row.h"
#include "store/segment_writer.h"
#include "symbols/symbols.h"

struct recorder;

struct recorder_options {
	struct segment_writer *writer;
	struct symbols *symbols;
	struct kernel_space *kernel;
	struct perf_maps *perf_maps;
	struct object_table *objects;
	size_t n_cpus; /* possible CPUs */
	size_t block_bytes; /* hand over when a block is this large; 0: 256 KiB */
};

int recorder_new(const struct recorder_options *options, struct recorder **ret);
struct recorder *recorder_free(struct recorder *r);
DEFINE_CLEANUP(struct recorder *, recorder_free);

/* Repeated at the start of every epoch: facts of the host, and the events (ids in the order of the
 * calls). */
int recorder_add_host(struct recorder *r, const char *key, const char *value);
/* `index` is the sampler's; setting it again makes the records from now on refer to the new event.
 */
int recorder_set_event(struct recorder *r, size_t index, const struct record_event *event);

/* One sample. Returns true when it was stored in a block, false when it had to be dropped (no
 * memory). */
bool recorder_sample(struct recorder *r, const struct sample_record *s, struct process *p);
void recorder_ledger(struct recorder *r, const struct record_ledger *l);
void recorder_note(struct recorder *r, uint64_t time_ns, const char *text);

/* A collector's row; its table must stay where it is. */
void recorder_row(struct recorder *r, const struct row *row);

/* An object's index is there (or failed): writes the functions its waiting frames lie in. */
void recorder_object_ready(struct recorder *r, struct object *o);

/* Names code whose process wrote them down only after its first sample; once a second. */
void recorder_look_again(struct recorder *r);
/* `pid` ended, or executes something else: what it wrote down is no longer about its past. */
void recorder_process_gone(struct recorder *r, uint32_t pid);
/* No sample of it will come any more. */
void recorder_process_forgotten(struct recorder *r, const struct process *p);

/* Hands what there is to the writer; to be called at least once a second. Returns the block's
 * number, 0: empty. */
int64_t recorder_flush(struct recorder *r);

struct recorder_stats {
	uint64_t samples, frames_new, blocks, dropped;
};
void recorder_get_stats(const struct recorder *r, struct recorder_stats *ret);
