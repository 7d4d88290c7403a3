/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the three files of the pipeline share: opening, draining, and the rest.
 */
#include "engine/merge.h"
#include "engine/pipeline.h"
#include "process/process.h"
#include "process/sideband.h"
#include "symbols/symbols.h"
#include "unwind/unwind_report.h"
#include "unwind/unwinder.h"

struct pipeline {
	struct pipeline_options options;
	struct object_table *objects;
	struct symbols *symbols;
	struct unwinder *unwinder; /* NULL: user stacks by frame pointers */
	struct unwind_report report;
	uint64_t reported_ns;
	struct kernel_space *kernel;
	struct perf_maps *perf_maps;
	struct process_table *processes;
	struct segment_writer *writer;
	struct recorder *recorder;
	struct sideband *sideband;
	struct sampler *sampler;
	int *cpus; /* online */
	size_t n_cpus, possible_cpus;
	struct merge merge;
	bool scanning, enabled, yielded;
	uint64_t drained_ns; /* every sample before was looked at */
	struct pipeline_counters counters;
};

/*
 * User stacks come by frame pointers from now on, and why is said; with `unwind = dwarf` it is an
 * error, and *ret_error its heap sentence.
 */
int pipeline_refuse_unwinder(struct pipeline *p, const char *why, char **ret_error);
