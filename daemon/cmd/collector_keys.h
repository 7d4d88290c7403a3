/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Keys of [collector NAME] on the command line. What is wrong is said on standard error in the name
 * of the subcommand `command`.
 */
#include <stddef.h>

#include "engine/config.h"

/* 0 or EXIT_USAGE; `name` has `size` bytes. */
int collector_key_set(struct collector_config *c, const char *command, const char *name,
		      size_t size, const char *value);
/* The key interval; a bare number counts milliseconds, as with vmstat's elder sisters. */
int collector_interval_set(struct collector_config *c, const char *command, const char *text);
