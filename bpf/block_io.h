/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* What the block_io collector's programs and user space share. Include after the fixed-width types.
 */
#include "histogram.h"

#define BLOCK_IO_DISK_LEN 32 /* DISK_NAME_LEN */
#define BLOCK_IO_FLYING 16384 /* requests at the devices at once */
#define BLOCK_IO_KEYS 1024

struct block_io_key {
	__u32 major, minor;
	__u32 operation; /* enum req_op of include/linux/blk_types.h */
};

struct block_io_value {
	struct histogram latency;
	__u64 bytes, errors;
	char disk[BLOCK_IO_DISK_LEN];
};

/* Per CPU: what had no room. */
struct block_io_counts {
	__u64 untimed; /* requests: too many at once */
	__u64 uncounted; /* requests: too many devices */
};
