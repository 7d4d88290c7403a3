// SPDX-License-Identifier: Apache-2.0
#include "collect/histogram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

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

bool process_alive(const struct roots *roots, uint32_t pid)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%u", pid);
	return roots->proc < 0 || fstatat(roots->proc, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}
