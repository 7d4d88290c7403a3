/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Rows of collectors in a recording: what of the command line becomes sections [collector NAME].
 */
#include "engine/config.h"

struct record_intervals { /* as given; NULL: not given */
	const char *interval, *collectors, *metrics, *events;
};

/* 0, or EXIT_USAGE, and said why. Nothing given: no collector runs. */
int record_intervals_apply(const struct record_intervals *o, struct config *config);
