/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One CPU's ring of samples, whichever transport carries it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/sample.h"
#include "util/perf_ring.h"

struct bpf_ring {
	int map_fd;
	unsigned long *consumer; /* page written by us; NULL: not mapped */
	const unsigned long
		*producer; /* page written by the kernel; the data follows, mapped twice */
	const uint8_t *data;
	size_t size; /* of the data, a power of two */
	unsigned long head, position;
};

struct ring {
	bool is_bpf;
	int cpu;
	union {
		struct perf_ring perf;
		struct bpf_ring bpf;
	};
	struct sample_record
		*record; /* what peek gave, out of a perf ring, where it is not aligned */
	uint64_t lost; /* the kernel's own LOST count (perf ring): a cross-check */
	uint64_t damaged; /* records of impossible size */
};

int ring_open_perf(struct ring *r, int cpu, int fd, size_t bytes);
int ring_open_bpf(struct ring *r, int cpu, int map_fd, size_t bytes);
void ring_done(struct ring *r);
/* refresh, then peek/pop until NULL, then commit; see util/perf_ring.h */
void ring_refresh(struct ring *r);
const struct sample_record *ring_peek(struct ring *r);
void ring_pop(struct ring *r);
void ring_commit(struct ring *r);
