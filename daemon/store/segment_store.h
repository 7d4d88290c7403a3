/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The directory of segments: its lock, its names, what a crash left, and what is deleted when.
 * Only names of its own pattern, 20250131T101530Z-00000042.seg (UTC, then an ever growing number),
 * are ever touched.
 */
#include "store/segment_file.h"
#include "store/segment_writer.h"

struct stored_segment {
	uint64_t sequence;
	uint64_t bytes;
	uint64_t end_ns; /* CLOCK_REALTIME of its last change */
	char name[SEGMENT_NAME_MAX + 1];
};

struct segment_store {
	int directory; /* fd, holds the lock */
	char *path;
	struct stored_segment *segments; /* sealed, the oldest first */
	size_t n, capacity;
	uint64_t bytes; /* of them */
	uint64_t next_sequence;
	uint64_t deleted;
	uint64_t free_checked_ns; /* CLOCK_MONOTONIC */
};

/*
 * Creates the directory when it is missing (its parent must be there), takes its lock, and repairs
 * and seals what was left active. On failure *ret_error is a heap sentence.
 */
int segment_store_open(const char *path, struct segment_store **ret, char **ret_error);
struct segment_store *segment_store_free(struct segment_store *s);
DEFINE_CLEANUP(struct segment_store *, segment_store_free);

/* Starts a new segment. */
int segment_store_create(struct segment_store *s, struct segment_file **ret);
/* Seals it and takes it into the list. */
int segment_store_seal(struct segment_store *s, struct segment_file *f);

/*
 * Deletes the oldest sealed segments while the limits are exceeded, counting `active_bytes` of the
 * segment being written as well. False: nothing is left to delete, and `retain_bytes` is still
 * exceeded.
 */
bool segment_store_make_room(struct segment_store *s, const struct segment_writer_options *limits,
			     uint64_t active_bytes);
/* Deletes the oldest sealed segment; false: there is none. */
bool segment_store_delete_oldest(struct segment_store *s);
