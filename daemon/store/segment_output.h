/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The single segment at a path that a human gave (`record -o FILE`): FILE.active while it is
 * written, then FILE. Replaces an older segment of either name, never anything else: not a
 * directory, not what a symbolic link points at, not a file of another format, not one that another
 * process is writing.
 */
#include "store/segment_file.h"

/*
 * Creates FILE.active. *ret_directory is an fd the file needs until it is freed. On failure
 * *ret_error is a heap sentence.
 */
int segment_output_create(const char *path, struct segment_file **ret, int *ret_directory,
			  char **ret_error);
