/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The event loop: timers, rings, signals, the service manager. One for `record` and `daemon`; the
 * differences are options.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/config.h"
#include "engine/pipeline.h"
#include "engine/plan.h"

struct engine_options {
	struct config *config; /* borrowed; the engine owns what a reload brings */
	const char *config_path; /* for reload; NULL: the default */
	const char *output; /* record: the file */
	struct plan *plan; /* what to sample; the engine takes its contents */
	pid_t child; /* record: the command; the engine ends when it does. 0: none */
	bool follow; /* sample only the child and its descendants */
	int release_fd; /* written to when everything is ready, then closed: the child may exec. -1:
			   none */
	/* Asked at the end: true when nothing came of it, and what `output` was before shall stay.
	 */
	bool (*failed)(void *userdata);
	void *userdata;
	uint64_t duration_ns; /* 0: until a signal or the child's end */
	bool service; /* notify the service manager, control socket, reload, budget */
	bool progress; /* a line on the terminal each second */
	const char *btf;
};

struct engine_result {
	struct pipeline_counters counters;
	uint64_t duration_ns;
	int child_status; /* as from waitpid */
	bool child_ended;
	bool interrupted; /* by a signal */
	struct segment_writer_status writer; /* once everything was written */
	int seal_error; /* 0, or the negative errno that left the segment active */
};

/* Runs until the end; 0, or a negative errno with a heap sentence. */
int engine_run(const struct engine_options *options, struct engine_result *ret, char **ret_error);
