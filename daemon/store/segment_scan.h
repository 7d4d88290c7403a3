/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Walks the frames of a segment file from its start: what a reader does with a file that has no
 * index, and the writer with what a crash left behind.
 */
#include "store/frame.h"

struct segment_scan {
	struct frame_file_header header; /* zero when its frame is damaged */
	struct epoch_list epochs;
	/* Behind the last good frame that is neither index nor footer, and the number that follows
	 * its own. */
	uint64_t content_end;
	uint32_t content_seq;
	uint64_t good_bytes, lost_bytes;
	uint64_t frames, skipped_frames, damaged_frames;
	uint64_t torn_bytes; /* of lost_bytes: behind the last good frame */
	bool sealed; /* the last frame is a footer, and nothing follows it */
};

/*
 * Called for each part of the file in turn: a good frame, or, with h = NULL, bytes that are none. A
 * negative result ends the scan.
 */
typedef int (*segment_scan_part)(void *userdata, uint64_t offset, uint64_t size,
				 const struct frame_head *h);

/*
 * `check_payloads` reads and checks everything, otherwise heads only. -EBADMSG: not a segment;
 * -EPROTONOSUPPORT: a newer format; other negative errno: not readable, or from `each` (may be
 * NULL).
 */
int segment_scan(int fd, bool check_payloads, segment_scan_part each, void *userdata,
		 struct segment_scan *ret);
void segment_scan_done(struct segment_scan *s);

/* The file's header. -EBADMSG: it has none. */
int segment_read_header(int fd, struct frame_file_header *ret);

/*
 * The index of a sealed file of `size` bytes, through its footer. -EBADMSG: it has none, or a
 * damaged one. *ret_frames: how many frames the footer says there are, itself included.
 */
int segment_read_index(int fd, uint64_t size, struct epoch_list *ret, uint64_t *ret_frames);

/* Reads a frame with its payload, and checks both: -EBADMSG when they are damaged or cut off. */
int segment_read_frame(int fd, uint64_t offset, struct frame_head *ret, struct buffer *payload);

/* Reads the whole of [offset, offset + size): 0, -ENODATA when the file ends before, other errno.
 */
int read_fully(int fd, uint64_t offset, void *out, size_t size);
