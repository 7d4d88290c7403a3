/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The text of configuration files into `struct config`, with messages that name file and line.
 * A loader takes several texts one after another, each overriding those before it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "engine/config.h"
#include "engine/config_keys.h"
#include "util/buffer.h"

#define MAX_PROFILES 16

struct loader {
	struct config *config; /* as config_init() leaves it */
	struct buffer messages; /* one line each */
	bool failed; /* an error is among them */
	char *origins[MAX_PROFILES]; /* "file:line" where each profile was last touched, heap */

	/* the text */
	const char *name;
	const char *text, *end; /* what is left of it */
	unsigned int line;
	bool header; /* the line was a section header, its mark comes next */
	bool comma; /* the last line with text ended with a comma, and was no single value */
	bool continued; /* the line goes on with the value before it */

	/* the section */
	const char *section; /* of the table; NULL: unknown, and warned of */
	struct profile_config *profile;
	struct collector_config *collector;
	const struct config_key *key; /* the one a line may go on with; NULL: it was refused */
};

/* Takes one text called `name`, all of it even when something in it is wrong. 0 or -ENOMEM. */
int config_parse_text(struct loader *l, const char *name, const char *text, size_t size);

/* Checks what one line alone cannot tell. True when there was no error in any text. */
bool config_parse_finish(struct loader *l);

/* Frees what the loader itself owns, not the config. */
void loader_done(struct loader *l);
