/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a segment file is made of: frames, each a head of 56 bytes and a payload, little-endian.
 * Head and payload carry a CRC32C each, so that heads can be walked without reading payloads, and
 * no bit of the file is unguarded. docs/format.md is the same in prose.
 *
 * A file is: one HEADER frame; BLOCK frames; when sealed, INDEX and FOOTER.
 */
#include <stdbool.h>
#include <stdint.h>

#include "store/segment_reader.h"
#include "util/buffer.h"

#define FRAME_HEAD_SIZE 56
#define FRAME_MAGIC 0x534650ebU /* eb 'P' 'F' 'S' */
#define FRAME_MAX_PAYLOAD (8U << 20) /* a larger one is taken for damage */
#define FRAME_MAX_RAW (4U << 20) /* of a block, decompressed */
#define FORMAT_MAJOR 1
#define FORMAT_MINOR 0
#define FOOTER_PAYLOAD_SIZE 16
#define FRAME_WINDOW_LOG_MAX 23 /* of the zstd stream: 8 MiB in the reader */

enum frame_type {
	FRAME_HEADER = 1,
	FRAME_BLOCK = 2,
	FRAME_INDEX = 3,
	FRAME_FOOTER = 4,
};

enum frame_flags {
	FRAME_EPOCH_START = 1 << 0, /* BLOCK: dictionaries and zstd stream begin here */
};

struct frame_head {
	uint8_t type, flags;
	uint32_t seq; /* 0, 1, 2 ... in the file */
	uint32_t payload_size;
	uint32_t raw_size; /* BLOCK: bytes of records when decompressed, else 0 */
	uint32_t samples; /* BLOCK: in it */
	uint64_t time_ns; /* CLOCK_MONOTONIC when written */
	uint64_t first_ns, last_ns; /* BLOCK: CLOCK_MONOTONIC of its samples and rows, 0 without */
	uint32_t payload_crc;
};

void frame_head_encode(const struct frame_head *h, uint8_t out[static FRAME_HEAD_SIZE]);
/* -EBADMSG: not a head (magic, checksum, a size out of bounds). */
int frame_head_decode(const uint8_t in[static FRAME_HEAD_SIZE], struct frame_head *ret);

struct frame_file_header {
	uint16_t major, minor;
	uint64_t realtime_ns, monotonic_ns; /* both clocks, read together */
	uint8_t boot_id[16];
	const char *writer; /* program and version; encode only */
};

void frame_file_header_encode(const struct frame_file_header *h, struct buffer *out);
/* -EBADMSG: not this format; -EPROTONOSUPPORT: a newer major version. */
int frame_file_header_decode(const uint8_t *payload, size_t size, struct frame_file_header *ret);

/* A growing list of epochs. */
struct epoch_list {
	struct segment_epoch *items;
	size_t n, capacity;
};

int epoch_list_add(struct epoch_list *l, const struct segment_epoch *e);
/* Adds a block to the last epoch: `end` is the file offset behind it. */
void epoch_list_extend(struct epoch_list *l, const struct frame_head *h, uint64_t end);
void epoch_list_done(struct epoch_list *l);

void frame_index_encode(const struct epoch_list *epochs, struct buffer *out);
/* Offsets must ascend and lie below `index_offset`, else -EBADMSG. */
int frame_index_decode(const uint8_t *payload, size_t size, uint64_t index_offset,
		       struct epoch_list *ret);

void frame_footer_encode(uint64_t index_offset, uint64_t frames,
			 uint8_t out[static FOOTER_PAYLOAD_SIZE]);
void frame_footer_decode(const uint8_t in[static FOOTER_PAYLOAD_SIZE], uint64_t *ret_index_offset,
			 uint64_t *ret_frames);
