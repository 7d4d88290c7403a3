/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Arguments of a program as one line, quoted so that a shell, or shlex.split() of Python, gives
 * them back as they were.
 */
#include <stdbool.h>
#include <stddef.h>

#include "util/buffer.h"

/*
 * Appends the arguments in argv[0 .. size): one behind the other, each with its NUL. Returns how
 * many there are. *ret_cut: one of them is as long as `max` or longer, which is where they are cut,
 * or the last has no NUL.
 */
unsigned int argv_text_put(struct buffer *out, const char *argv, size_t size, size_t max,
			   bool *ret_cut);
