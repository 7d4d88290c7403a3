/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reader of one perf_event mmap ring (perf_event_open(2), "MMAP layout"), used for samples and for
 * the sideband.
 *
 * Records are looked at in place of arrival and released together: peek and pop move a private
 * position up to the head seen by the last refresh; commit gives the space back to the kernel. So
 * the rings of many CPUs can be merged by time without copying a batch.
 *
 * A ring that is not mapped (page is NULL) is an empty one: every function but open may be called.
 */
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a record can be at most: its size field has 16 bits. */
#define PERF_RING_RECORD_MAX 65536

struct perf_ring {
	struct perf_event_mmap_page *page; /* NULL: not mapped */
	const uint8_t *data; /* behind the page */
	size_t data_size;
	uint64_t head; /* as of the last refresh */
	uint64_t position; /* of the next record to look at */
	size_t peeked; /* size of the record last looked at and not yet popped */
	uint8_t *bounce; /* PERF_RING_RECORD_MAX: a record that wraps around, made whole; and raw
			    samples, aligned */
	uint64_t damaged; /* records with an impossible size: the ring was skipped to its head */
};

/*
 * Maps fd's ring: data_size is a power of two, at least a page, else -EINVAL. The fd stays the
 * caller's and may be closed before or after. -EPERM: more than perf_event_mlock_kb and
 * RLIMIT_MEMLOCK allow.
 */
int perf_ring_open(struct perf_ring *r, int fd, size_t data_size);
void perf_ring_done(struct perf_ring *r);
void perf_ring_refresh(struct perf_ring *r);
/* The next record, 8-byte aligned and contiguous, valid until the next peek or commit; NULL: none
 * up to the head. */
const struct perf_event_header *perf_ring_peek(struct perf_ring *r);
void perf_ring_pop(struct perf_ring *r); /* the record last peeked */
void perf_ring_commit(struct perf_ring *r);
