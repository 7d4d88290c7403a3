/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reads segments, sealed or still being written, by any number of threads at once. Everything in a
 * file is taken as hostile: lengths are bounded, checksums are checked, unknown frames and records
 * are skipped and counted.
 */
#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"

struct segment_epoch {
	uint64_t offset; /* of its first frame in the file */
	uint64_t end; /* behind its last frame */
	uint64_t first_ns, last_ns; /* CLOCK_MONOTONIC times of its samples and rows; 0: none */
	uint64_t samples;
};

struct segment_info {
	bool sealed;
	uint64_t bytes; /* good bytes */
	/* Not known, and 0, when the index spared the scan; then a walk tells of damage. */
	uint64_t lost_bytes; /* behind the last good frame, or in damaged frames */
	uint64_t skipped_frames; /* of unknown type */
	uint64_t damaged_frames;
	uint64_t realtime_ns, monotonic_ns; /* the clock pair of the header */
	uint8_t boot_id[16];
	size_t n_epochs;
	const struct segment_epoch *epochs;
};

struct segment_reader;

/*
 * Opens a file and scans its frame headers (or its index when sealed). -EBADMSG: not a segment;
 * -EPROTONOSUPPORT: a newer format version; the sentence is in *ret_error. A truncated tail is not
 * an error.
 */
int segment_reader_open(const char *path, struct segment_reader **ret, char **ret_error);
struct segment_reader *segment_reader_close(struct segment_reader *r);
DEFINE_CLEANUP(struct segment_reader *, segment_reader_close);
const struct segment_info *segment_reader_info(const struct segment_reader *r);
const char *segment_reader_path(const struct segment_reader *r);

/*
 * A walk through one epoch. `next` as record_get(): 1, 0 at the end, negative when the rest of the
 * epoch is lost. Several walks may run on one reader at the same time in different threads.
 */
struct epoch_walk;
int epoch_walk_open(struct segment_reader *r, size_t epoch, struct epoch_walk **ret);
int epoch_walk_next(struct epoch_walk *w, struct record *ret);
struct epoch_walk *epoch_walk_close(struct epoch_walk *w);
DEFINE_CLEANUP(struct epoch_walk *, epoch_walk_close);

/* All *.seg and *.seg.active of a directory, or the file itself, sorted by start; -ENOENT: no
 * segment there. */
int segment_find(const char *path, char ***ret_paths, size_t *ret_n);
char **segment_paths_free(char **paths, size_t n);

struct segment_check {
	bool sealed;
	uint64_t bytes, frames, epochs, samples, rows, records;
	uint64_t skipped_frames, skipped_records; /* of types this program does not know */
	uint64_t torn_bytes; /* of a frame that was not written to its end */
	char *findings; /* heap, one line each; "" when there are none */
};

/*
 * Checks every byte of a file: header, every checksum, frame sequence, every record, index against
 * content. 0: whole; -EBADMSG: damaged, not a segment, or in a newer format, as the findings say;
 * other negative errno: could not be read, *ret is untouched. A torn tail of a file that is not
 * sealed is no damage.
 */
int segment_verify(const char *path, struct segment_check *ret);
