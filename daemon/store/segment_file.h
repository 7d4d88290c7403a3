/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One segment file being written: NAME.active, which becomes NAME when it is sealed.
 */
#include "store/frame.h"

#define SEGMENT_NAME_MAX 255
#define SEGMENT_ACTIVE ".active"

struct segment_file {
	int directory; /* fd, not owned */
	int fd;
	char name[SEGMENT_NAME_MAX + 1]; /* once sealed */
	uint64_t bytes; /* behind the last whole frame */
	uint32_t seq; /* of the next frame */
	uint64_t created_ns; /* CLOCK_MONOTONIC */
	struct epoch_list epochs;
};

/*
 * Creates `name`.active in `directory` (a file of that name is -EEXIST), locks it
 * with flock for as long as it is written, and writes the header.
 */
int segment_file_create(int directory, const char *name, struct segment_file **ret);
/* Closes without sealing. Returns NULL. */
struct segment_file *segment_file_free(struct segment_file *f);
DEFINE_CLEANUP(struct segment_file *, segment_file_free);

/*
 * Appends a frame; type, flags, raw_size, samples and times of `h` are the caller's, the rest is
 * filled in. On failure the file is as long as before.
 */
int segment_file_append(struct segment_file *f, struct frame_head *h, const void *payload,
			size_t size);

/* Removes `name`.active; to be freed next. */
int segment_file_discard(const struct segment_file *f);

/* Bytes that index and footer will take. */
uint64_t segment_file_seal_bytes(const struct segment_file *f);

/*
 * Writes index and footer, syncs, renames; `replace` an existing `name`, otherwise that is -EEXIST.
 * On failure the file can still be appended to, or sealed later.
 */
int segment_file_seal(struct segment_file *f, bool replace);

/* Truncates `name`.active to its last good frame and seals it. -EBADMSG: there is no good frame. */
int segment_file_repair(int directory, const char *name);

/*
 * Takes the writer's lock on a file or directory. -EBUSY: another process has it. A file system
 * without locks counts as unlocked.
 */
int segment_lock(int fd);

