/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How the mappings of a process change; what they are, and how they are searched, is in process.h.
 * NULL is the empty list everywhere.
 *
 * Memory: 32 bytes + 32 per mapping, half as much again at most while the list grows; nothing for a
 * child that shares its parent's.
 */
#include "process/process.h"

struct mappings *mappings_ref(struct mappings *m);
struct mappings *mappings_unref(struct mappings *m);
DEFINE_CLEANUP(struct mappings *, mappings_unref);

/* The first mapping that ends behind `address`; their number: there is none. */
size_t mappings_lower_bound(const struct mappings *m, uint64_t address);

/* As many ranges as vm.max_map_count allows a process by default. */
#define MAPPINGS_MAX 65530

/*
 * Lays `add` over *m: what it covers is gone, what it cuts is shortened or split. *m is copied when
 * somebody else shares it, and may move. Returns 1 when *m changed, 0 when it said so already.
 * -EINVAL: an empty or inverted range, or addresses beyond
 * pgoff's range; -ENOSPC: MAPPINGS_MAX; -ENOMEM. On error *m is as it was. Takes its own reference
 * of add->object.
 */
int mappings_overlay(struct mappings **m, const struct mapping *add);
