/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A file that is replaced as a whole, by a thread of its own, so that nobody waits for the disk:
 * written beside its place under a temporary name, given its mode, renamed. It is not forced to the
 * disk: what is in it is old in seconds.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "util/buffer.h"

struct textfile;

/* `path` is absolute. */
int textfile_new(const char *path, mode_t mode, struct textfile **ret);
/* Ends the thread; one that hangs in a write is left behind. The file stays. */
struct textfile *textfile_free(struct textfile *t);
DEFINE_CLEANUP(struct textfile *, textfile_free);

/* Hands over a content, whose bytes are taken; one that is not yet written is replaced by it. */
void textfile_put(struct textfile *t, struct buffer *content);
/* What writing came to last: 0, or a negative errno; true when that is another answer than at the
 * call before. */
bool textfile_changed(struct textfile *t, int *ret_error);
bool textfile_is(const struct textfile *t, const char *path, mode_t mode);
