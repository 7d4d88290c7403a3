/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* What the runqueue collector's programs and user space share. Include after the fixed-width types.
 */
#include "histogram.h"
#include "sample.h"

#define RUNQUEUE_WAITING 16384 /* threads that wait at once */
#define RUNQUEUE_PROCESSES 4096

struct runqueue_process {
	struct histogram waits;
	char comm[SAMPLE_COMM_LEN]; /* of the thread that waited first */
};

/* Per CPU: what had no room. */
struct runqueue_counts {
	__u64 unwatched; /* waits: too many threads waited */
	__u64 uncounted; /* waits: too many processes; they are in the host's histogram */
};
