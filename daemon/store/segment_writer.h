/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Encoded records to files. A worker thread compresses, checksums, writes and syncs; the caller
 * hands it blocks and never waits for the disk.
 *
 * File life: NAME.seg.active while written, NAME.seg once sealed (index and footer written,
 * fsynced, renamed). Frames are only ever appended with write(2). See docs/format.md.
 *
 * When the disk fails (ENOSPC, EDQUOT, EIO, EROFS) the writer suspends: it drops and counts what it
 * is given, tries again every few seconds, and resumes by itself. A block that is dropped breaks
 * its epoch, so the writer then drops the rest of that epoch and asks for a new one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "util/buffer.h"

#define SEGMENT_DEFAULT_LEVEL 2

struct segment_writer_options {
	const char *
		directory; /* state directory; segments are named by start time and sequence. Or: */
	const char *file; /* one file, no rotation, no retention: replaced when it exists */
	uint64_t rotate_bytes; /* 0: no limit */
	uint64_t rotate_ns; /* 0: no limit */
	uint64_t retain_bytes; /* total of all segments in `directory`, a hard cap; 0: no limit */
	uint64_t retain_ns; /* age of the end of a sealed segment; 0: no limit */
	unsigned int keep_free_percent; /* of the file system; the oldest sealed segments go
					   for it, and when a write finds the disk full; 0: none */
	uint64_t sync_interval_ns; /* fdatasync at most this often; 0: after every block */
	int compression_level; /* zstd, 1 to 19; 0: SEGMENT_DEFAULT_LEVEL */
	uint64_t epoch_bytes; /* compressed size after which a new epoch is asked for; 0: 4 MiB */
	uint64_t retry_ns; /* how long to wait before trying a disk that failed again; 0: 5 s */
};

struct segment_writer_status {
	bool suspended; /* the disk refuses */
	int error; /* the negative errno of it */
	uint64_t files; /* segments in the directory, the active one included */
	uint64_t bytes; /* of them */
	uint64_t written_bytes; /* since start */
	uint64_t dropped_samples; /* since start */
	uint64_t acknowledged; /* number of the last block written or deliberately dropped */
	uint64_t deleted_files; /* by retention, since start */
	char path[256]; /* of the file being written, "" when none, or too long */
};

struct segment_writer;

/*
 * Opens (and, with `directory`, first repairs and seals what a crash left: truncated to the last
 * good frame, never deleted). On failure *ret_error is a heap sentence.
 */
int segment_writer_open(const struct segment_writer_options *options, struct segment_writer **ret,
			char **ret_error);

/*
 * Hands over a block of records: the bytes of `b` are taken and `b` is left empty. `epoch_start`
 * says that the block begins a new epoch (its first record must be self-contained);
 * first_ns/last_ns are CLOCK_MONOTONIC times of its samples and rows (0: it has none) and `samples`
 * is the number of its samples. Returns the
 * block's number (>= 1); -ENOBUFS when too much is queued (the block is dropped, counted, and its
 * epoch broken).
 */
int64_t segment_writer_submit(struct segment_writer *w, struct buffer *b, bool epoch_start,
			      uint64_t first_ns, uint64_t last_ns, uint64_t samples);

/*
 * True when the next block must begin a new epoch: the current one is full or broken, or the file
 * is about to be rotated. Call before encoding each block.
 */
bool segment_writer_wants_epoch(struct segment_writer *w);

void segment_writer_rotate(
	struct segment_writer *w); /* seal now; the next block must begin an epoch */
void segment_writer_get_status(struct segment_writer *w, struct segment_writer_status *ret);
/*
 * What was written to a single file is worth nothing: NAME.active goes, and what was NAME before
 * stays as it is. To be followed by segment_writer_finish(). Nothing happens in a directory.
 */
void segment_writer_discard(struct segment_writer *w);
/*
 * Writes what is queued and seals; what is submitted afterwards is dropped. 0, or the error that
 * left NAME.active behind, which is readable as it is, and is sealed by the next writer in its
 * directory.
 */
int segment_writer_finish(struct segment_writer *w);
/* Finishes if that is still to do, joins the thread, frees. Returns NULL. */
struct segment_writer *segment_writer_close(struct segment_writer *w);
DEFINE_CLEANUP(struct segment_writer *, segment_writer_close);

/* New limits take effect at the next rotation; `directory` and `file` are ignored. */
void segment_writer_set_options(struct segment_writer *w,
				const struct segment_writer_options *options);
