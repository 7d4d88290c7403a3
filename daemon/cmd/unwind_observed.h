/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What recordings say of the rows of each binary: the sums of the table "unwind_binaries" over
 * segments, sealed ones and the one that a daemon is writing.
 */
#include <stdint.h>
#include <stdlib.h>

#include "util/cleanup.h"

struct observation {
	char *path;
	char *build_id; /* in hexadecimal, "" when the file has none */
	uint64_t checked, right; /* return addresses that its rows led to; those that follow a call */
	uint64_t stops; /* stacks that ended in it without reaching a root */
};

struct observed {
	struct observation *list; /* those that were checked most first, once sorted */
	size_t n;
};

/*
 * Adds what the segments at `path`, a file or a directory, tell of the time since `since_ns`
 * (CLOCK_REALTIME). Damaged epochs are passed over. Errors as segment_find() and
 * segment_reader_open(), with a heap sentence where there is more to say.
 */
int observed_add(struct observed *o, const char *path, uint64_t since_ns, char **ret_error);
void observed_sort(struct observed *o);
/* By build-id, or by path where either has none. NULL: nothing was observed. */
const struct observation *observed_find(const struct observed *o, const char *path,
					const char *build_id);
void observed_done(struct observed *o);
