/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* What the irq collector's programs and user space share. Include after the fixed-width types. */
#include "histogram.h"

#define IRQ_HARD 1024 /* numbers with a time of their own */
#define IRQ_SOFT 10 /* NR_SOFTIRQS */
#define IRQ_NAME_LEN 32

struct irq_hard {
	struct histogram time;
	char name[IRQ_NAME_LEN]; /* of its first handler */
};

/* Per CPU. */
struct irq_state {
	__u64 hard_since, soft_since; /* 0: none runs */
	__u64 hard_ns; /* in all */
	__u64 hard_before; /* hard_ns when the soft one began */
	__u64 uncounted; /* hard ones: too many numbers */
};
