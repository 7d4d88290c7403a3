/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What `stat` was asked for.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pmu/counter_sum.h"

struct stat_options {
	const char *events, *metrics; /* NULL: the usual ones, when both are */
	const char *output; /* NULL: stdout, or stderr beside a command */
	uint64_t interval_ns; /* 0: one table at the end */
	uint64_t duration_ns; /* 0: until it ends, or is interrupted */
	bool all, guests, json;
	unsigned int reserve;
	enum pmu_sum_by by;
	pid_t *pids, *tasks; /* of -p: the processes, and their threads */
	size_t n_pids, n_tasks;
	char **command; /* NULL: none */
};

/* 0; -1: help was printed; or an exit code after a message. */
int stat_options_parse(struct stat_options *o, int argc, char **argv);
void stat_options_done(struct stat_options *o);
