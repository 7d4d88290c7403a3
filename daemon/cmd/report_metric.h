/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The values of a metric in the rows of a report.
 */
#include "cmd/report_nodes.h"
#include "cmd/report_rows.h"

/*
 * Sets values of e, which has its rows in the order of their numbers. cell_row[i] is the row of
 * cell i; `nodes` is NULL unless rows have children.
 */
int report_metric_fill(const struct report *r, const uint32_t *cell_row,
		       const struct report_nodes *nodes, struct report_event *e);
