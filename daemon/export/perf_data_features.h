/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What stands around the records of a perf.data file: header, features, attributes. For perf_data.c
 * only.
 */
#include <stdint.h>
#include <stdio.h>

#include "profile/profile.h"

#define PERF_DATA_HEADER_SIZE 104
#define PERF_DATA_KERNEL_NAME "[kernel.kallsyms]"

/* The fields of a sample, in this order: id, ip, pid and tid, time, (address,) cpu, period, call
 * chain, (weight, data source); those in brackets for events whose samples tell of them. */
#define PERF_DATA_SAMPLE_TYPE                                                                      \
	(PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |            \
	 PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN)
#define PERF_DATA_ACCESS_TYPE (PERF_SAMPLE_ADDR | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC)

/* In the file's own time, but for realtime_ns, which belongs to monotonic_ns. */
struct perf_data_times {
	uint64_t first_ns, last_ns;
	uint64_t monotonic_ns, realtime_ns;
};

/* `out` stands behind the last record. Writes features and attributes there, then the header. */
int perf_data_write_tail(FILE *out, const struct profile *p, const struct perf_data_times *t);
