/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A loaded profile in the formats of other programs: one file per format, each a function from a
 * profile to a stream. perf.data keeps single samples and has its own header (perf_data.h), and so
 * has the flame graph (flame.h).
 *
 * Every writer returns 0 or a negative errno (-ENOMEM; -EIO and the like from the stream). Names
 * come from the profiled machine and may hold any byte: what leaves here is well-formed in its
 * format and valid UTF-8, with control characters as \xNN.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "export/frames.h"
#include "profile/profile.h"

struct export_options {
	uint32_t event; /* the one event of folded and pprof: an index into profile->events */
	enum stack_root root; /* folded, speedscope: what stands below the first function */
	bool weights; /* folded: the sum of the periods in place of the number of samples */
	bool mark_kernel; /* folded: "_[k]" behind kernel functions */
	bool cpu_label; /* pprof, json: cells are kept apart by CPU (PROFILE_BY_CPU) */
};

/* "comm;root;...;leaf 42" lines, the input of flamegraph.pl, inferno, speedscope. */
int export_folded(const struct profile *p, const struct export_options *options, FILE *out);

/* The profile.proto message of github.com/google/pprof, gzip'ed. */
int export_pprof(const struct profile *p, const struct export_options *options, FILE *out);

/* One JSON object a line; the records are described in json_lines.c. */
int export_json(const struct profile *p, const struct export_options *options, FILE *out);

/* The file format of speedscope.app: one "sampled" profile per event. */
int export_speedscope(const struct profile *p, const struct export_options *options, FILE *out);
