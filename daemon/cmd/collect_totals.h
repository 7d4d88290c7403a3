/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What counters grew by while a command ran: per table and key, from the first row to the last.
 */
#include <stdbool.h>
#include <stdio.h>

#include "collect/rows.h"

struct collect_totals;

struct collect_totals *collect_totals_new(void);
struct collect_totals *collect_totals_free(struct collect_totals *t);

void collect_totals_add(struct collect_totals *t, const struct rows *rows);
/* Table by table; the keys whose first counter grew most come first, those that did not grow are
 * left out. */
void collect_totals_print(struct collect_totals *t, bool json, FILE *out);
