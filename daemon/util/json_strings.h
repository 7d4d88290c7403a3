/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The strings of a JSON document and where each one is, without keeping the document: enough to
 * find a name in a file that others wrote. Input is hostile: depth, lengths and work are bounded,
 * and what is no JSON ends the search.
 */
#include <stdbool.h>
#include <stddef.h>

#define JSON_STRINGS_DEPTH 32
#define JSON_STRINGS_PATH 512 /* bytes */
#define JSON_STRINGS_VALUE 4096 /* bytes; longer ones are cut */

/*
 * Calls `each` for every string that is a member of an object or an array's element. `path` are the
 * keys that lead to it, joined by "/" ("Config/Image"), "#" standing for an array's element
 * ("#/names/#"). When `each` returns false, that is
 * all.
 *
 * 0; -EBADMSG: what follows is no JSON; -E2BIG: it is nested too deeply; -ENOMEM.
 */
int json_strings(const char *data, size_t size,
		 bool (*each)(const char *path, const char *value, void *userdata), void *userdata);
