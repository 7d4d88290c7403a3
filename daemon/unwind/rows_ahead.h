/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Rows of what ran already when recording began. A daemon that is sampled once in ten seconds has
 * no second sample that could find the rows its first one asked for, so they are built ahead: a few
 * binaries at a time, first those that are mapped by many processes, or small.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbols/symbols.h"

struct rows_ahead;

/* `symbols` is borrowed. NULL: out of memory. */
struct rows_ahead *rows_ahead_new(struct symbols *symbols);
struct rows_ahead *rows_ahead_free(struct rows_ahead *a);
DEFINE_CLEANUP(struct rows_ahead *, rows_ahead_free);

/* `pid` maps the object. */
void rows_ahead_note(struct rows_ahead *a, struct object *o, uint32_t pid, uint64_t start,
		     uint64_t end);
/* Asks for the next few once the last ones are there; false: nothing is left to be done. */
bool rows_ahead_go_on(struct rows_ahead *a);
