/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * --metric=NAME of timeline and top: which series.
 */
#include "profile/series.h"

/* clang-format off */
#define METRIC_OPTIONS_HELP                                                                        \
	"      --metric=NAME    this one only, may be given several times: ipc, page-faults,\n"     \
	"                       'memory_bandwidth[socket=0]', cpu.iowait_percent (TABLE.COLUMN)\n"
/* clang-format on */

struct metric_options {
	struct series_query *queries;
	size_t n;
};

/* Negative: wrong, and said so for `command`. */
int metric_options_add(struct metric_options *o, const char *command, const char *text);
void metric_options_done(struct metric_options *o);
