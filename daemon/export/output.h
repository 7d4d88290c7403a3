/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where a command's result goes. A file appears under its name when it is whole, never before: it
 * is written under a temporary name beside it and renamed. What exists is replaced only when it is
 * a regular file.
 */
#include <stdbool.h>
#include <stdio.h>

struct output {
	FILE *file; /* to be written to */
	char *path; /* NULL: stdout */
	char *temporary; /* NULL: nothing to remove */
	bool spooled; /* stdout, by way of an unnamed file that can be seeked */
};

enum output_kind {
	OUTPUT_TEXT,
	OUTPUT_BINARY, /* not for a terminal */
	OUTPUT_SEEKABLE, /* binary, and written out of order */
};

/* `path` "-" is stdout. Negative errno, and *ret_error a heap sentence. */
int output_open(struct output *o, const char *path, enum output_kind kind, char **ret_error);

/* Makes the result visible; 0, or negative errno and a sentence. Afterwards `o` is closed. */
int output_commit(struct output *o, char **ret_error);

/* Closes, and removes what was not committed. */
void output_done(struct output *o);
