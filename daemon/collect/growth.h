/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whether a quantity grows steadily, as memory does that leaks, from its samples alone.
 *
 * The time since the first sample is divided into eight parts, of which the lowest value counts:
 * what a program gives back again and again, as garbage collectors do, is not in it. Five questions
 * about these eight values, each answered between 0 and 1, are multiplied:
 *
 *   time      was it watched for long: 15 minutes are enough
 *   way       of the way it went, how much was upwards
 *   lately    did the last three steps grow as much as the others: a cache that fills grows less
 *             and less
 *   steps     how many of the seven steps grew: one big allocation is one step
 *   amount    2 MiB, and 2 % of what it was, are enough
 *
 * When there is no room for more samples, each two become one, the lower of them: the history
 * always reaches back to the first sample, and its size never changes.
 */
#include <stddef.h>
#include <stdint.h>

#define GROWTH_SAMPLES 64
#define GROWTH_PARTS 8

struct growth {
	uint64_t first_ns, last_ns;
	uint64_t step; /* samples that become one */
	uint64_t pending, pending_n; /* the lowest of those that are not yet one */
	uint64_t samples[GROWTH_SAMPLES];
	size_t n;
};

struct growth_judgement {
	double confidence; /* 0 to 100 */
	uint64_t grown; /* from the first part's lowest to the last one's; 0: it did not */
	double per_second;
	uint64_t watched_ns;
};

/* Samples come at about equal distances. */
void growth_add(struct growth *g, uint64_t time_ns, uint64_t value);
/* All zero while there are fewer than two samples for each part. */
void growth_judge(const struct growth *g, struct growth_judgement *ret);
