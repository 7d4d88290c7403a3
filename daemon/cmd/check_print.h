/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What `check` found, for people and for programs.
 */
#include "host/assess.h"

/* The real sampler, loaded and attached to cpu-clock on one CPU. */
struct trial {
	double milliseconds;
	const char *transport, *attach; /* NULL: it did not start */
	char *no_branches; /* why stacks cannot be compared with LBRs; NULL: they can */
};

void check_print_table(const struct host_facts *facts, const struct trial *trial,
		       const struct host_assessment *assessment);
/* 0 or -ENOMEM. */
int check_print_json(const struct host_facts *facts, const struct trial *trial,
		     const struct host_assessment *assessment, int exit_code);
