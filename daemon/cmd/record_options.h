/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The command line of `record`.
 */
#include "cmd/record_intervals.h"
#include "engine/config.h"

struct record_options {
	struct config config; /* one profile, made from the options */
	const char *output;
	uint64_t duration_ns; /* 0: until interrupted, or the command's end */
	bool all; /* the host, beside the command */
	struct record_intervals intervals;
	uint32_t given; /* which of the options that are configuration keys */
	char **command; /* NULL: none; points into argv */
};

/* 0: go on; -1: done (--help); > 0: an exit code, the message was printed. */
int record_options_parse(struct record_options *o, int argc, char **argv);
void record_options_done(struct record_options *o);
