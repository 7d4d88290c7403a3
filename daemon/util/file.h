/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whole files of /proc and /sys, whose size is known only at their end.
 */
#include "util/buffer.h"

/*
 * Reads the file to its end into `b`, which is emptied first and keeps its memory between calls; a
 * NUL follows the last byte and is not counted. `path` is relative to `dir_fd` (AT_FDCWD: the
 * working directory). -E2BIG: not 4,000 bytes smaller than b->limit; then, as on every error, the
 * content is of no use.
 */
int file_read(int dir_fd, const char *path, struct buffer *b);
/*
 * The same of a file that the kernel writes in one piece (one value or object of /proc, /sys, cgroups):
 * a read that leaves room in the buffer was all of it, and no second one is made.
 */
int file_read_piece(int dir_fd, const char *path, struct buffer *b);
