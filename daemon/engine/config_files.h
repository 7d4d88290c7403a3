/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which files make up a configuration, and their text. */
#include <stddef.h>

#include "util/cleanup.h"

/* The whole of a regular file of at most 1 MiB, as a heap array. -EFBIG above that, -EINVAL when it
 * is no regular file, or the errno of reading. */
int config_read_file(const char *path, char **ret, size_t *ret_size);

/*
 * The drop-ins of the file `path`: *.conf in conf.d beside it and in PATH.d, sorted by name without
 * the folder, conf.d first among equals. A NULL-terminated heap array of heap paths; a folder that
 * is missing is empty. 0, -ENOMEM, -E2BIG above 1000 files, or the errno of reading a folder.
 */
int config_list_dropins(const char *path, char ***ret);

char **paths_free(char **paths);
DEFINE_CLEANUP(char **, paths_free);
