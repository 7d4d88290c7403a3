/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Small text files of /proc and /sys, below a root that tests replace.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads at most size - 1 bytes of ROOT/PATH (`root` NULL or "" is the running system) and ends them
 * with NUL. Trailing newlines and spaces are cut. 0, -ENAMETOOLONG, -EFBIG when the file is longer,
 * or the errno of reading.
 */
int text_file_read(const char *root, const char *path, char *out, size_t size);

/* The same for one signed decimal number; -EINVAL when it is none. */
int text_file_read_int(const char *root, const char *path, int64_t *ret);

bool text_file_exists(const char *root, const char *path);

/*
 * The value of "NAME<separator>value" in a text of lines, without quotes around it, cut to
 * size - 1; -ENOENT.
 */
int text_field(const char *text, const char *name, char separator, char *out, size_t size);
