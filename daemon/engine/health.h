/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The daemon's view of itself: what it costs, how fast samples come, whether the rate must be
 * lowered to keep the budget, and whether the kernel lowered its own limit.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/pipeline.h"
#include "engine/status.h"

enum health_change {
	HEALTH_RATE_LOWERED = 1 << 0, /* samples made it be over the budget */
	HEALTH_RATE_RAISED = 1 << 1,
	HEALTH_KERNEL_LIMIT_LOWERED = 1 << 2, /* perf_event_max_sample_rate fell */
	HEALTH_SUSPENDED = 1 << 3, /* the disk refuses */
	HEALTH_RESUMED = 1 << 4,
	HEALTH_LOSING = 1 << 5, /* samples were lost in this interval */
};

struct health {
	uint64_t start_ns, last_ns;
	uint64_t last_cpu_ns;
	struct pipeline_counters last;
	unsigned int over, under; /* intervals in a row above the budget, with room for more */
	bool suspended;
	/* results of the last update */
	double cpu_percent, samples_per_second, rate_factor;
	double samples_cpu_percent; /* of cpu_percent, what samples take */
	bool over_budget; /* and it is not samples that could be fewer */
	uint64_t lost_recently;
	uint64_t kernel_max_rate_hz;
};

void health_init(struct health *h);
/* Once per status interval. Gives a set of enum health_change; the caller applies rate_factor. */
unsigned int health_update(struct health *h, struct pipeline *p, double budget_percent);

/*
 * The same for the budget alone, after cpu_percent and samples_cpu_percent were set. Only what
 * samples take is saved by taking fewer: they may always have a quarter of the budget.
 */
unsigned int health_keep_budget(struct health *h, double budget_percent);

/* Everything a status tells. `events` has room for the sampler's events; texts are borrowed. */
void health_fill(const struct health *h, struct pipeline *p, const struct config *c,
		 struct status_event *events, struct segment_writer_status *writer,
		 struct engine_status *ret);
