/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The ring of one collector's events, whichever transport carries it, and what it cost.
 *
 * Losses: the programs count what the ring refused. Kernels before 5.1 do not tell when a perf ring
 * is full; there the gaps in each CPU's sequence count, up to the last event that came.
 */
#include "collect/tracer.h"

struct tracer_ring;

/* `bpf`: a BPF ring. Of t, the object (which is loaded), sizes and wake_each count. */
int tracer_ring_open(const struct tracer *t, bool bpf, struct tracer_ring **ret);
struct tracer_ring *tracer_ring_close(struct tracer_ring *r);
int tracer_ring_fd(const struct tracer_ring *r);
int tracer_ring_drain(struct tracer_ring *r,
		      void (*each)(const struct record_head *event, size_t size, void *userdata),
		      void *userdata);
/* All but what the programs counted. */
void tracer_ring_get_counts(const struct tracer_ring *r, uint64_t *ret_received, uint64_t *ret_gaps,
			    uint64_t *ret_damaged);
