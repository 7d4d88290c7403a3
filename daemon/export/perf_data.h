/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A perf.data file for perf report, perf script, hotspot and the like: the same samples, stacks,
 * names and mappings, one by one, in the memory of a few buffers and one entry per process and
 * thread.
 */
#include <stdio.h>

#include "profile/profile.h"

struct perf_data;

/* `out` must be seekable, empty and positioned at its start; it stays the caller's. */
int perf_data_new(FILE *out, struct perf_data **ret);
struct perf_data *perf_data_free(struct perf_data *d);
DEFINE_CLEANUP(struct perf_data *, perf_data_free);

/* One sample, in time order; `userdata` is the struct perf_data: a callback of profile_walk(). */
int perf_data_sample(const struct profile *p, const struct profile_sample *s, void *userdata);

/* Writes what comes behind the samples, and then the header: before that the file is not valid. */
int perf_data_finish(struct perf_data *d, const struct profile *p);
