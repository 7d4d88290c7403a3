// SPDX-License-Identifier: Apache-2.0
/*
 * Arbitrary bytes as a segment file: scan, index, every walk, and verification. The first byte says
 * whether checksums and decompressed sizes are put right first, so that what is behind them is
 * reached.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/crc32c.h"
#include "store/frame.h"
#include "store/segment_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

/* Of a block that zstd did not compress: what it says it holds. */
static uint32_t stored_size(const uint8_t *payload, size_t size, bool epoch_start)
{
	size_t at = epoch_start ? 6 : 0;

	return at + 3 <= size ? (uint32_t)(payload[at] | payload[at + 1] << 8) >> 3 : 0;
}

/* Makes a chain of whole frames of the bytes, whatever they are. */
static void put_right(uint8_t *data, size_t size)
{
	uint32_t seq = 0;

	for (size_t at = 0; at + FRAME_HEAD_SIZE <= size;) {
		uint8_t *head = data + at;
		size_t left = size - at - FRAME_HEAD_SIZE, payload = 0;

		put32(head, FRAME_MAGIC);
		head[4] %= 6;
		put32(head + 8, seq++);
		memcpy(&payload, head + 12, 2);
		payload = MIN(payload, left);
		put32(head + 12, (uint32_t)payload);
		put32(head + 16, stored_size(head + FRAME_HEAD_SIZE, payload, head[5] & 1));
		put32(head + 48, crc32c(0, head + FRAME_HEAD_SIZE, payload));
		put32(head + 52, crc32c(0, head, 52));
		at += FRAME_HEAD_SIZE + payload;
	}
}

static void walk_all(const char *path)
{
	_cleanup_(segment_reader_closep) struct segment_reader *reader = NULL;
	_cleanup_free_ char *error = NULL;
	const struct segment_info *info;

	if (segment_reader_open(path, &reader, &error) < 0)
		return;
	info = segment_reader_info(reader);
	for (size_t i = 0; i < info->n_epochs; i++) {
		_cleanup_(epoch_walk_closep) struct epoch_walk *walk = NULL;
		struct record r;
		int n;

		if (epoch_walk_open(reader, i, &walk) < 0)
			continue;
		while ((n = epoch_walk_next(walk, &r)) == 1)
			;
		/* The end, and an error, stay. */
		if (epoch_walk_next(walk, &r) != n)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("segment", MFD_CLOEXEC);
	_cleanup_free_ uint8_t *copy = malloc(size + 1);
	struct segment_check check = { 0 };
	char path[64];

	if (fd < 0 || !copy || size < 1)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1)
		put_right(copy, size - 1);
	if (write(fd, copy, size - 1) != (ssize_t)(size - 1))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	walk_all(path);
	if (segment_verify(path, &check) != 0 && check.findings && !check.findings[0])
		abort();
	free(check.findings);
	return 0;
}
