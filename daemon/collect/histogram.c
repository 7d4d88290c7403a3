// SPDX-License-Identifier: Apache-2.0
#include "collect/histogram.h"

void histogram_put(struct rows *rows, unsigned int first, const struct histogram *h)
{
	rows_unsigned(rows, first, h->count);
	rows_unsigned(rows, first + 1, h->total_ns);
	rows_counts(rows, first + 2, (const uint64_t *)h->buckets, HISTOGRAM_BUCKETS);
}

void histogram_merge(struct histogram *to, const struct histogram *h)
{
	to->count += h->count;
	to->total_ns += h->total_ns;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->buckets[i] += h->buckets[i];
}
