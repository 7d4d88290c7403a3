// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts, context switches and forks of the whole system: intr, ctxt and processes of
 * proc_stat(5).
 */
#include <errno.h>

#include "collect/basic.h"

enum { COUNTERS = 3, SYSTEM_INTERVAL = 3 * COUNTERS, SYSTEM_RESET };

/* clang-format off */
static const struct row_column columns[] = {
	RATES_COLUMNS(0, COUNTERS, 0, "interrupts", "", "interrupts served"),
	RATES_COLUMNS(0, COUNTERS, 1, "context_switches", "", "context switches"),
	RATES_COLUMNS(0, COUNTERS, 2, "forks", "", "processes and threads begun"),
	[SYSTEM_INTERVAL] = RATES_INTERVAL_COLUMN,
	[SYSTEM_RESET] = RATES_RESET_COLUMN,
};
/* clang-format on */

static const struct row_table tables[] = {
	{ .name = "system",
	  .collector = "system",
	  .summary = "interrupts, context switches and forks",
	  .columns = columns,
	  .n_columns = ARRAY_SIZE(columns) },
};

static int system_read(void *state, struct rows *rows)
{
	static const char *const names[COUNTERS] = { "intr", "ctxt", "processes" };
	struct basic *b = state;
	struct scan s, line;
	bool found = false;
	int r = roots_need(&b->roots, b->roots.proc, "stat", rows);

	if (r < 0)
		return r;
	rows_add(rows, 0);
	s = scan_buffer(&b->roots.text);
	while (scan_line(&s, &line))
		for (unsigned int i = 0; i < COUNTERS; i++) {
			uint64_t v;

			if (!scan_literal(&line, names[i]))
				continue;
			if (scan_unsigned(&line, &v)) {
				rows_unsigned(rows, i, v);
				found = true;
			} else {
				rows_problem(rows, "%s of /proc/stat is no number", names[i]);
			}
		}
	if (!found) {
		rows_discard(rows);
		rows_problem(rows, "/proc/stat counts neither interrupts nor context switches");
		return -EBADMSG;
	}
	rates_fill(&b->rates, rows);
	return 0;
}

const struct collector collector_system = {
	.name = "system",
	.summary = "interrupts, context switches, forks",
	.needs = "/proc/stat",
	.kind = COLLECTOR_PERIODIC,
	.keys = COLLECTOR_RATES,
	.tables = tables,
	.n_tables = ARRAY_SIZE(tables),
	.open = basic_open,
	.read = system_read,
	.close = basic_close,
};
