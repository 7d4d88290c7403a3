/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The table of configuration keys: one row each, with its section, type, default and limits. Files
 * are read, checked and written by this table alone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/buffer.h"

struct config_key;

struct value_type {
	bool list; /* several items; more text is added to the field */
	size_t size; /* bytes of a number's field */
	/*
	 * Takes `text` into the field, which is zero or holds the items before. 0; 1 when the value
	 * was taken as another one (print it to see which); -EINVAL, -ERANGE, -ENOMEM.
	 */
	int (*parse)(const struct config_key *k, const char *text, void *field);
	void (*print)(const struct config_key *k, const void *field, struct buffer *out);
	/* What is allowed, to stand behind "allowed is". */
	void (*allowed)(const struct config_key *k, struct buffer *out);
	void (*done)(void *field); /* frees what the field owns and makes it zero; NULL: nothing */
};

#define CONFIG_PROFILE_SECTION "profile" /* stands for every [profile NAME] */
#define CONFIG_COLLECTOR_SECTION "collector" /* stands for every [collector NAME] */

struct config_key {
	const char *section;
	const char *name;
	const struct value_type *type;
	size_t offset; /* in struct config, profile_config or collector_config, by the section */
	const char *initial; /* the default, as written in a file */
	uint64_t min, max; /* of a number; `max` of a text: bytes */
	const char *zero; /* what 0, or an empty text, stands for; NULL: not allowed */
	const char *const *words; /* of a choice; NULL-terminated, their index is the value */
	int (*check)(const char *item); /* of a text or of each item of a list; NULL: any */
	const char *what; /* what a text or an item must be */
	unsigned int collectors; /* set of enum collector_key: of a collector that has one of them;
				    0: of every collector */
	bool at_start; /* a reload does not change it */
};

/* Does the collector have this key of [collector NAME]? */
struct collector;
bool config_key_fits(const struct config_key *k, const struct collector *c);

/* All keys, those of one section one after another. */
const struct config_key *config_keys(size_t *ret_n);

/* Whose fields a key sets. */
enum config_scope { CONFIG_SCOPE_ALL, CONFIG_SCOPE_PROFILE, CONFIG_SCOPE_COLLECTOR };

static inline enum config_scope config_key_scope(const struct config_key *k)
{
	if (strcmp(k->section, CONFIG_PROFILE_SECTION) == 0)
		return CONFIG_SCOPE_PROFILE;
	if (strcmp(k->section, CONFIG_COLLECTOR_SECTION) == 0)
		return CONFIG_SCOPE_COLLECTOR;
	return CONFIG_SCOPE_ALL;
}

static inline bool config_key_in_profile(const struct config_key *k)
{
	return config_key_scope(k) == CONFIG_SCOPE_PROFILE;
}

/* The key's field in `owner`, a struct config, profile_config or collector_config. */
static inline void *config_key_field(const struct config_key *k, void *owner)
{
	return (char *)owner + k->offset;
}
