/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the writer's worker does with blocks: compresses them, appends them to a file, syncs,
 * rotates, suspends and resumes. One thread only.
 *
 * Epochs have numbers that grow. A block of an epoch is written only when every block of that epoch
 * before it was; so when one is lost, so is the rest of its epoch.
 */
#include "store/segment_writer.h"

struct segment_block {
	const void *data;
	size_t size;
	uint64_t epoch;
	bool epoch_start;
	uint64_t first_ns, last_ns, samples;
};

struct segment_sink;

/* As segment_writer_open(). */
int segment_sink_open(const struct segment_writer_options *options, struct segment_sink **ret,
		      char **ret_error);
struct segment_sink *segment_sink_free(struct segment_sink *s);
DEFINE_CLEANUP(struct segment_sink *, segment_sink_free);

/* Writes a block or drops it; status tells which. */
void segment_sink_write(struct segment_sink *s, const struct segment_block *block);
/* A block that cannot be had: drops the rest of its epoch. */
void segment_sink_skip(struct segment_sink *s, const struct segment_block *block);
/* Seals the file; the next one begins with the first epoch after `epoch`. */
void segment_sink_rotate(struct segment_sink *s, uint64_t epoch);
/* When segment_sink_sync() is due, CLOCK_MONOTONIC; 0: there is nothing to sync. */
uint64_t segment_sink_sync_at(const struct segment_sink *s);
void segment_sink_sync(struct segment_sink *s);
/* The single file is to be removed in place of being sealed. */
void segment_sink_discard(struct segment_sink *s);
/* Seals the file. 0, or the error that left it active. */
int segment_sink_finish(struct segment_sink *s);

/* Taken over when the next file is begun. */
void segment_sink_set_limits(struct segment_sink *s, const struct segment_writer_options *limits);

/* Without `acknowledged`. */
void segment_sink_get_status(const struct segment_sink *s, struct segment_writer_status *ret);
/* The latest epoch that must not be continued: full, broken, or its file is to be sealed. */
uint64_t segment_sink_ended(const struct segment_sink *s);
/* When a suspended sink tries the disk again, CLOCK_MONOTONIC; 0: it is not suspended. */
uint64_t segment_sink_retry_at(const struct segment_sink *s);
